// Calls over one connection.
#include "net/impl/call_session.h"

#include <algorithm>
#include <charconv>

#include "base/check.h"
#include "net/impl/messages.h"
#include "net/impl/text.h"
#include "net/impl/within.h"
#include "wire/calls.h"

namespace mhp::net::impl {
namespace {

constexpr std::chrono::seconds kQuietTime{15};  // with calls waiting: then a sign of life is asked for, and once more
constexpr std::size_t kMaxPathBytes = 2048;

std::string_view text_of(Method method) {
  if (method == Method::get) return "GET";
  return method == Method::put ? "PUT" : "POST";
}

/// Another computer's error as one of this one: its lack of memory or its canceled task is no lack and no cancel here.
Error error_of(unsigned status, ByteView body) {
  const auto told = wire::parse_call_error(body);
  Error error{told ? told->code : errc_of(status), told ? told->detail : "status " + std::to_string(status)};
  if (error.code == Errc::exhausted || error.code == Errc::canceled) error.code = Errc::unavailable;
  make_printable(error.detail);
  return error;
}

Task<bool> true_after(Bell& bell) {
  co_await bell.wait();
  co_return true;
}

}  // namespace

/// Takes the call off the session when its frame goes, and gives the request up where it still runs.
struct CallSession::Waiting {
  CallSession& session;
  StreamId stream;
  Call& call;
  ~Waiting() {
    session.calls_.erase(stream);
    session.forget_body(stream);
    session.quiet_since_ = session.now();
    if (!call.over) session.reset(stream, kCanceledCode);
  }
};

CallSession::CallSession(const Station& station, std::unique_ptr<platform::Stream> stream, Peer peer)
    : Http2(Side::caller, station, std::move(stream), std::move(peer)),
      greeting_(station.executor),
      quiet_since_(now()) {}

Task<> CallSession::greeted() {
  while (!greeted_ && !has_ended()) co_await greeting_.wait();
}

Error CallSession::down_reason() const {
  if (end_reason()) return *end_reason();
  return {Errc::unavailable, "the other end closes this connection"};
}

Task<Result<Bytes>> CallSession::call(Request request, std::chrono::nanoseconds limit) {
  if (!is_up()) co_return tl::unexpected<Error>(down_reason());
  if (request.body.size() > limits().max_body_bytes || request.path.size() > kMaxPathBytes)
    co_return fail(Errc::invalid, "a request longer than a request may be");
  const std::string protocol = std::to_string(kProtocol);
  const std::string size = std::to_string(request.body.size());
  const std::string authority = peer().id.hex();
  const std::array headers{Header{":method", text_of(request.method)},
                           Header{":scheme", "https"},
                           Header{":authority", authority},
                           Header{":path", request.path},
                           Header{kProtocolHeader, protocol},
                           Header{"content-length", size}};
  const auto begun = submit_request(headers, request.body);
  leaving_ = leaving_ || !begun;  // out of numbers: a new connection has new ones
  if (!begun) co_return tl::unexpected<Error>(begun.error());
  const StreamId stream = *begun;
  ++station().traffic.counts.calls;
  Call call(station());
  calls_[stream] = &call;
  const Waiting waiting{*this, stream, call};
  auto ended = true_after(call.ended);
  const auto in_time = co_await within(station().clock, limit, std::move(ended));
  if (!in_time && !call.over) co_return fail(Errc::timed_out, "no reply in time");
  co_return result_of(call);
}

Result<Bytes> CallSession::result_of(Call& call) const {
  if (call.error) return tl::unexpected<Error>(std::move(*call.error));
  if (call.protocol != std::to_string(kProtocol)) return tl::unexpected<Error>(foreign_protocol(call.protocol));
  if (call.status == 200) return std::move(call.body);
  return tl::unexpected<Error>(error_of(call.status, call.body));
}

CallSession::Call* CallSession::find(StreamId stream) {
  const auto found = calls_.find(stream);
  return found == calls_.end() ? nullptr : found->second;
}

bool CallSession::on_header(StreamId stream, Header header) {
  Call* call = find(stream);
  if (call == nullptr) return true;                                     // given up; its reset is on its way
  call->header_bytes += header.name.size() + header.value.size() + 32;  // 32: as HTTP/2 counts them
  if (call->header_bytes > kMaxHeaderBytes) {
    give_up(stream, *call, {Errc::invalid, "the reply's headers are too long"});
    return true;
  }
  const char* const end = header.value.data() + header.value.size();
  if (header.name == ":status") std::from_chars(header.value.data(), end, call->status);
  if (header.name == "content-length") std::from_chars(header.value.data(), end, call->announced_bytes);
  if (header.name == kProtocolHeader) call->protocol = header.value;
  return true;
}

void CallSession::on_body(StreamId stream, ByteView bytes) {
  Call* call = find(stream);
  if (call == nullptr || call->over) return;
  if (bytes.size() > limits().max_body_bytes - call->body.size())
    return give_up(stream, *call, {Errc::invalid, "the reply is longer than a reply may be"});
  if (!call->held.add(bytes.size()))
    return give_up(stream, *call, {Errc::full, "too many replies are in memory here: ask for fewer at once"});
  append_body(call->body, bytes, std::min<std::uint64_t>(call->announced_bytes, limits().max_body_bytes));
}

void CallSession::give_up(StreamId stream, Call& call, Error why) {
  if (call.over) return;
  call.error = std::move(why);
  call.over = true;
  call.ended.ring();
  reset(stream, kCanceledCode);
}

void CallSession::on_closed(StreamId stream, std::uint32_t code) {
  Call* call = find(stream);
  if (call == nullptr || call->over) return;
  call->over = true;
  if (code != kNoError)
    call->error =
        Error{Errc::unavailable, "the other end gave the request up (" + std::to_string(code) + " of HTTP/2)"};
  call->ended.ring();
}

void CallSession::on_settings() {
  greeted_ = true;
  greeting_.ring();
}

void CallSession::on_leaving(const std::optional<Error>& why) {
  leaving_ = true;
  if (why) end(*why);
}

std::chrono::nanoseconds CallSession::watch() {
  if (calls_.empty()) {
    asked_at_.reset();
    // Sooner than the other end does, so that no request meets a connection that is just being closed.
    const auto left = quiet_since_ + limits().idle_time / 2 - now();
    if (left.count() > 0) return std::min<std::chrono::nanoseconds>(left, kQuietTime);
    leaving_ = true;
    finish(std::nullopt);
    return kQuietTime;
  }
  if (asked_at_ && last_received() >= *asked_at_) asked_at_.reset();
  if (asked_at_ && now() - *asked_at_ >= kQuietTime)
    end({Errc::unavailable, "the other end gives no sign of life"});
  else if (!asked_at_ && now() - last_received() >= kQuietTime) {
    asked_at_ = now();
    submit_ping();
  }
  return kQuietTime;
}

void CallSession::on_end(const Error& why) {
  greeting_.ring();
  for (const auto& [stream, call] : calls_) {
    if (call->over) continue;
    call->over = true;
    call->error = why;
    call->ended.ring();
  }
}

}  // namespace mhp::net::impl
