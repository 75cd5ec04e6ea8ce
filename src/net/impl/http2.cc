// nghttp2 between a stream of bytes and the two ends of calls.
#include "net/impl/http2.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>

#include "base/check.h"
#include "net/impl/text.h"

namespace mhp::net::impl {
namespace {

constexpr std::size_t kReadBytes = 64_KiB;
constexpr std::size_t kBatchBytes = 128_KiB;  // to be written at once; a frame may go beyond
constexpr int kStallsOfWriting = 3;           // times stall_time: a batch that was not taken in so long ends it
// Against floods: more than these of a peer ends the connection.
constexpr std::size_t kMaxAcknowledgements = 64;  // that wait to be sent: of pings and settings
constexpr std::size_t kMaxSettings = 16;          // in one frame
constexpr std::size_t kMaxContinuations = 4;
constexpr std::uint64_t kResetsAtOnce = 2000;
constexpr std::uint64_t kResetsPerSecond = 200;
constexpr std::size_t kMaxReasonBytes = 200;  // of the words with which a connection ends

nghttp2_nv pair_of(const Header& header) {
  // nghttp2 takes them without const and does not write.
  const auto bytes = [](std::string_view text) {
    return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(text.data()));
  };
  return {bytes(header.name), bytes(header.value), header.name.size(), header.value.size(), NGHTTP2_NV_FLAG_NONE};
}

std::vector<nghttp2_nv> pairs_of(std::span<const Header> headers) {
  std::vector<nghttp2_nv> out;
  for (const Header& header : headers) out.push_back(pair_of(header));
  return out;
}

std::string_view text_of(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

/// What a GOAWAY says: nothing where the other side just leaves.
std::optional<Error> reason_of(const nghttp2_goaway& leaving) {
  if (leaving.error_code == NGHTTP2_NO_ERROR) return std::nullopt;
  std::string words(text_of(leaving.opaque_data, std::min(leaving.opaque_data_len, kMaxReasonBytes)));
  make_printable(words);
  if (words.empty()) words = "it wants no more of this connection";
  const std::uint32_t code = leaving.error_code - kErrorCodesFrom;
  if (code == static_cast<std::uint32_t>(Errc::denied)) return Error{Errc::denied, words};
  if (leaving.error_code < kErrorCodesFrom)
    words = std::string(nghttp2_http2_strerror(leaving.error_code)) + ": " + words;
  return Error{Errc::unavailable, "the other end closed the connection: " + words};
}

}  // namespace

/// One function each nghttp2 calls; `user` is the Http2.
struct Http2::Callbacks {
  static Http2& self(void* user) { return *static_cast<Http2*>(user); }

  static int begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    return self(user).on_begin(frame->hd.stream_id) ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }

  static int header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
                    const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user) {
    const Header header{text_of(name, name_size), text_of(value, value_size)};
    return self(user).on_header(frame->hd.stream_id, header) ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }

  static int frame_received(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    const StreamId stream = frame->hd.stream_id;
    if (frame->hd.type == NGHTTP2_HEADERS) self(user).on_headers_end(stream);
    const bool last = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (last && (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA)) self(user).on_complete(stream);
    if (frame->hd.type == NGHTTP2_SETTINGS && (frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) self(user).on_settings();
    if (frame->hd.type == NGHTTP2_GOAWAY) self(user).on_leaving(reason_of(frame->goaway));
    return 0;
  }

  static int data(nghttp2_session*, std::uint8_t, StreamId stream, const std::uint8_t* bytes, std::size_t size,
                  void* user) {
    self(user).on_body(stream, std::as_bytes(std::span(bytes, size)));
    return 0;
  }

  static int closed(nghttp2_session*, StreamId stream, std::uint32_t code, void* user) {
    self(user).bodies_.erase(stream);
    self(user).on_closed(stream, code);
    return 0;
  }

  static int frame_sent(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    const bool last = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (last && (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA))
      self(user).on_sent(frame->hd.stream_id);
    return 0;
  }

  static int frame_not_sent(nghttp2_session*, const nghttp2_frame* frame, int, void* user) {
    if (frame->hd.type == NGHTTP2_HEADERS) return closed(nullptr, frame->hd.stream_id, NGHTTP2_REFUSED_STREAM, user);
    return 0;
  }

  static int invalid_frame(nghttp2_session*, const nghttp2_frame*, int code, void* user) {
    if (self(user).broken_.empty()) self(user).broken_ = nghttp2_strerror(code);
    return 0;
  }

  static ssize_t next_of_body(nghttp2_session*, StreamId stream, std::uint8_t* out, std::size_t size,
                              std::uint32_t* flags, nghttp2_data_source*, void* user) {
    auto& bodies = self(user).bodies_;
    const auto body = bodies.find(stream);
    if (body == bodies.end()) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;  // given up; its reset is on its way
    const std::size_t now = std::min(size, body->second.size());
    if (now > 0) std::memcpy(out, body->second.data(), now);
    body->second = body->second.subspan(now);
    if (body->second.empty()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(now);
  }

  static ssize_t frame_bytes(nghttp2_session*, std::uint8_t, StreamId, std::int32_t connection_window,
                             std::int32_t stream_window, std::uint32_t most, void*) {
    const auto window = static_cast<std::uint32_t>(std::max(0, std::min(connection_window, stream_window)));
    return static_cast<ssize_t>(std::min({window, most, kMaxFrameBytes}));
  }

  static nghttp2_session_callbacks* make() {
    nghttp2_session_callbacks* all = nullptr;
    MHP_CHECK(nghttp2_session_callbacks_new(&all) == 0);
    nghttp2_session_callbacks_set_on_begin_headers_callback(all, begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(all, header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(all, frame_received);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(all, data);
    nghttp2_session_callbacks_set_on_stream_close_callback(all, closed);
    nghttp2_session_callbacks_set_on_frame_send_callback(all, frame_sent);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(all, frame_not_sent);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(all, invalid_frame);
    nghttp2_session_callbacks_set_data_source_read_length_callback(all, frame_bytes);
    return all;
  }
};

void Http2::Free::operator()(nghttp2_session* session) const { nghttp2_session_del(session); }
void Http2::Free::operator()(nghttp2_session_callbacks* all) const { nghttp2_session_callbacks_del(all); }

Http2::Http2(Side side, const Station& station, std::unique_ptr<platform::Stream> stream, Peer peer)
    : station_(station),
      peer_(std::move(peer)),
      stream_(std::move(stream)),
      to_write_(station.executor),
      last_received_(station.clock.steady()) {
  nghttp2_option* options = nullptr;
  MHP_CHECK(nghttp2_option_new(&options) == 0);
  nghttp2_option_set_no_closed_streams(options, 1);  // kept for priorities only, which nobody uses
  nghttp2_option_set_max_outbound_ack(options, kMaxAcknowledgements);
  nghttp2_option_set_max_settings(options, kMaxSettings);
  nghttp2_option_set_max_continuations(options, kMaxContinuations);
  nghttp2_option_set_stream_reset_rate_limit(options, kResetsAtOnce, kResetsPerSecond);
  const std::unique_ptr<nghttp2_session_callbacks, Free> callbacks(Callbacks::make());
  nghttp2_session* session = nullptr;
  const auto make = side == Side::caller ? nghttp2_session_client_new2 : nghttp2_session_server_new2;
  MHP_CHECK(make(&session, callbacks.get(), this, options) == 0);
  nghttp2_option_del(options);
  session_.reset(session);
  send_settings(side);
}

Http2::~Http2() { MHP_CHECK(tasks_ == nullptr); }

void Http2::send_settings(Side side) {
  std::vector<nghttp2_settings_entry> settings{{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindowBytes},
                                               {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, kMaxFrameBytes},
                                               {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, kMaxHeaderBytes}};
  if (side == Side::caller) settings.push_back({NGHTTP2_SETTINGS_ENABLE_PUSH, 0});
  const auto most = static_cast<std::uint32_t>(limits().requests_in_flight);
  if (side == Side::answerer) settings.push_back({NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, most});
  MHP_CHECK(nghttp2_submit_settings(session_.get(), NGHTTP2_FLAG_NONE, settings.data(), settings.size()) == 0);
  MHP_CHECK(nghttp2_session_set_local_window_size(session_.get(), NGHTTP2_FLAG_NONE, 0, kConnectionWindowBytes) == 0);
}

bool Http2::is_over() const {
  return nghttp2_session_want_read(session_.get()) == 0 && nghttp2_session_want_write(session_.get()) == 0;
}

void Http2::end(Error why) {
  if (end_) return;
  end_ = std::move(why);
  stream_->close();
  on_end(*end_);
  if (tasks_ != nullptr) tasks_->cancel();
}

void Http2::finish(std::optional<Error> why) {
  const std::uint32_t code = why ? kErrorCodesFrom + static_cast<std::uint32_t>(why->code) : kNoError;
  const std::string words = why ? why->detail.substr(0, kMaxReasonBytes) : "";
  const StreamId last = nghttp2_session_get_last_proc_stream_id(session_.get());
  const int done = nghttp2_submit_goaway(session_.get(), NGHTTP2_FLAG_NONE, last, code,
                                         reinterpret_cast<const std::uint8_t*>(words.data()), words.size());
  if (done != 0) return end({Errc::unavailable, "closed"});
  to_write_.ring();
}

void Http2::cut_off(Errc code) {
  const std::uint32_t number = kErrorCodesFrom + static_cast<std::uint32_t>(code);
  if (nghttp2_session_terminate_session(session_.get(), number) != 0) return end({code, "cut off"});
  to_write_.ring();
}

Task<> Http2::run() {
  MHP_CHECK(tasks_ == nullptr);
  if (end_) co_return;  // before it began
  platform::Nursery tasks(station_.executor);
  tasks_ = &tasks;
  struct Leave {  // also where a cancellation leaves this frame
    Http2& connection;
    ~Leave() {
      connection.tasks_ = nullptr;
      connection.end({Errc::unavailable, "the connection was closed here"});
    }
  } leave{*this};
  tasks.start(read_loop());
  tasks.start(write_loop());
  tasks.start(watch_loop());
  co_await tasks.join();
}

Task<> Http2::read_loop() {
  const auto buffer = std::make_unique_for_overwrite<std::byte[]>(kReadBytes);
  while (!end_ && nghttp2_session_want_read(session_.get()) != 0) {
    const auto got = co_await stream_->read_some(MutableBytes(buffer.get(), kReadBytes));
    if (!got) end(got.error());
    if (got && *got == 0) end({Errc::unavailable, "the other end closed the connection"});
    if (end_ || !take(ByteView(buffer.get(), *got))) co_return;
  }
}

bool Http2::take(ByteView bytes) {
  station_.traffic.counts.bytes_in += bytes.size();
  last_received_ = now();
  if (!on_bytes(bytes.size())) return false;
  const ssize_t taken =
      nghttp2_session_mem_recv(session_.get(), reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  if (taken < 0) {
    end({Errc::invalid, std::string("the other end broke HTTP/2: ") + nghttp2_strerror(static_cast<int>(taken))});
    return false;
  }
  to_write_.ring();
  return true;
}

bool Http2::collect() {
  batch_.clear();
  while (batch_.size() < kBatchBytes) {
    const std::uint8_t* bytes = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session_.get(), &bytes);
    if (size < 0) end({Errc::unavailable, nghttp2_strerror(static_cast<int>(size))});
    if (size <= 0) break;
    const auto piece = std::as_bytes(std::span(bytes, static_cast<std::size_t>(size)));
    batch_.insert(batch_.end(), piece.begin(), piece.end());
  }
  return !batch_.empty();
}

Task<> Http2::write_loop() {
  while (!end_) {
    if (collect()) {
      station_.traffic.counts.bytes_out += batch_.size();
      writing_since_ = now();
      const auto written = co_await stream_->write_all(batch_);
      writing_since_.reset();
      if (!written) end(written.error());
    } else if (is_over()) {
      end(broken_.empty() ? Error{Errc::unavailable, "the connection has ended"}
                          : Error{Errc::invalid, "the other end broke HTTP/2: " + broken_});
    } else {
      co_await to_write_.wait();
    }
  }
}

Task<> Http2::watch_loop() {
  while (!end_) {
    if (writing_since_ && now() - *writing_since_ > kStallsOfWriting * limits().stall_time) {
      ++station_.traffic.counts.cut_off;
      end({Errc::timed_out, "the other end takes nothing"});
      co_return;
    }
    const auto wait = watch();
    if (end_) co_return;
    co_await station_.clock.sleep(std::max<std::chrono::nanoseconds>(wait, std::chrono::milliseconds(1)));
  }
}

Result<StreamId> Http2::submit_request(std::span<const Header> headers, ByteView body) {
  const auto pairs = pairs_of(headers);
  const nghttp2_data_provider source{{.ptr = nullptr}, Callbacks::next_of_body};
  const StreamId stream = nghttp2_submit_request(session_.get(), nullptr, pairs.data(), pairs.size(),
                                                 body.empty() ? nullptr : &source, nullptr);
  if (stream < 0) return fail(Errc::unavailable, nghttp2_strerror(stream));
  if (!body.empty()) bodies_[stream] = body;
  to_write_.ring();
  return stream;
}

void Http2::submit_reply(StreamId stream, std::span<const Header> headers, ByteView body) {
  const auto pairs = pairs_of(headers);
  const nghttp2_data_provider source{{.ptr = nullptr}, Callbacks::next_of_body};
  if (!body.empty()) bodies_[stream] = body;
  const int done =
      nghttp2_submit_response(session_.get(), stream, pairs.data(), pairs.size(), body.empty() ? nullptr : &source);
  if (done != 0) end({Errc::unavailable, nghttp2_strerror(done)});
  to_write_.ring();
}

void Http2::reset(StreamId stream, std::uint32_t code) {
  if (end_) return;
  const int done = nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, stream, code);
  if (done != 0) end({Errc::unavailable, nghttp2_strerror(done)});
  to_write_.ring();
}

void Http2::submit_ping() {
  if (nghttp2_submit_ping(session_.get(), NGHTTP2_FLAG_NONE, nullptr) == 0) to_write_.ring();
}

std::size_t Http2::unsent_bytes(StreamId stream) const {
  const auto body = bodies_.find(stream);
  return body == bodies_.end() ? 0 : body->second.size();
}

}  // namespace mhp::net::impl
