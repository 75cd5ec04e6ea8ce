// One HTTP/2 connection: nghttp2 makes and reads the frames, this moves the bytes and watches the time.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string_view>

#include "net/impl/bell.h"
#include "net/station.h"
#include "platform/network.h"
#include "platform/nursery.h"

struct nghttp2_session;
struct nghttp2_session_callbacks;

namespace mhp::net::impl {

/// The number of a request and its reply on one connection, as HTTP/2 has it.
using StreamId = std::int32_t;

struct Header {
  std::string_view name;
  std::string_view value;
};

/// Bounds of HTTP/2 itself. docs/protocol/README.md
constexpr std::uint32_t kStreamWindowBytes = 16_MiB;     // what may be under way of one body
constexpr std::int32_t kConnectionWindowBytes = 64_MiB;  // and of all of a connection
constexpr std::uint32_t kMaxFrameBytes = 64_KiB;
constexpr std::size_t kMaxHeaderBytes = 4096;  // of a request or reply: names, values, and 32 for each
/// Codes from here on end a connection and say why: the error is the code minus this one.
constexpr std::uint32_t kErrorCodesFrom = 0x4d485000;
constexpr std::uint32_t kNoError = 0;  // HTTP/2's own codes
constexpr std::uint32_t kProtocolError = 1;
constexpr std::uint32_t kCanceledCode = 8;
constexpr std::uint32_t kCalmDownCode = 11;

/// The base of both ends. Everything on one loop; run() must have ended before it goes.
class Http2 {
 public:
  enum class Side : unsigned char { caller, answerer };
  virtual ~Http2();
  Http2(const Http2&) = delete;
  Http2& operator=(const Http2&) = delete;

  /// Reads, writes and watches until the connection ends or this task is canceled. Once only.
  Task<> run();
  /// Ends it, at once. The first reason stays.
  void end(Error why);
  /// No new requests; what runs goes on, then the connection ends. The other side is told `why`, where there is one.
  void finish(std::optional<Error> why);
  /// Nothing goes on: the other side is told the code, then the connection ends.
  void cut_off(Errc code);
  bool has_ended() const { return end_.has_value(); }
  const Peer& peer() const { return peer_; }

 protected:
  Http2(Side side, const Station& station, std::unique_ptr<platform::Stream> stream, Peer peer);

  // What the other side does. False gives the request up (reset).
  virtual bool on_begin(StreamId stream) = 0;
  virtual bool on_header(StreamId stream, Header header) = 0;
  virtual void on_headers_end(StreamId stream) = 0;
  virtual void on_body(StreamId stream, ByteView bytes) = 0;
  virtual void on_complete(StreamId stream) = 0;
  /// Of both directions. `code`: of HTTP/2.
  virtual void on_closed(StreamId stream, std::uint32_t code) = 0;
  /// All of this side's headers and body have been sent.
  virtual void on_sent(StreamId) {}
  virtual void on_settings() {}
  /// The other side begins no more. `why`: what it said, where it said something.
  virtual void on_leaving(const std::optional<Error>&) {}
  /// So many bytes came, nothing of them was looked at yet. False: nothing more is read.
  virtual bool on_bytes(std::size_t) { return true; }
  /// Looks after limits of time. When to be called again, at the latest.
  virtual std::chrono::nanoseconds watch() = 0;
  /// After the last frame: nothing can be sent any more.
  virtual void on_end(const Error& why) = 0;

  /// Its number. `body` is borrowed until on_closed(), or forget_body(). Errors: unavailable.
  Result<StreamId> submit_request(std::span<const Header> headers, ByteView body);
  void submit_reply(StreamId stream, std::span<const Header> headers, ByteView body);
  void reset(StreamId stream, std::uint32_t code);
  void submit_ping();
  void forget_body(StreamId stream) { bodies_.erase(stream); }
  /// Of this side's body: what has not been sent yet.
  std::size_t unsent_bytes(StreamId stream) const;

  std::chrono::nanoseconds now() const { return station_.clock.steady(); }
  std::chrono::nanoseconds last_received() const { return last_received_; }
  const CallLimits& limits() const { return station_.traffic.limits; }
  const Station& station() const { return station_; }
  platform::Nursery& tasks() { return *tasks_; }  // while run() runs
  const std::optional<Error>& end_reason() const { return end_; }

 private:
  struct Callbacks;  // from nghttp2's C to the functions above
  struct Free {
    void operator()(nghttp2_session* session) const;
    void operator()(nghttp2_session_callbacks* callbacks) const;
  };
  void send_settings(Side side);
  Task<> read_loop();
  Task<> write_loop();
  Task<> watch_loop();
  /// What nghttp2 wants to send, up to a batch.
  bool collect();
  bool take(ByteView bytes);
  bool is_over() const;

  const Station station_;
  const Peer peer_;
  std::unique_ptr<platform::Stream> stream_;
  std::unique_ptr<nghttp2_session, Free> session_;
  std::map<StreamId, ByteView> bodies_;  // of this side, what is left of them
  Bell to_write_;
  Bytes batch_;
  platform::Nursery* tasks_ = nullptr;
  std::optional<Error> end_;
  std::string broken_;  // how the other side broke the protocol; empty: it did not
  std::chrono::nanoseconds last_received_;
  std::optional<std::chrono::nanoseconds> writing_since_;
};

}  // namespace mhp::net::impl
