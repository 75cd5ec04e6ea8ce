// The calling end of one connection: requests out, each reply back to who waits for it.
#pragma once

#include <map>
#include <memory>

#include "net/impl/http2.h"

namespace mhp::net::impl {

/// Shared by the handle that callers hold and the task that runs it.
class CallSession final : public Http2 {
 public:
  CallSession(const Station& station, std::unique_ptr<platform::Stream> stream, Peer peer);
  /// Until the other end's first word was read, or the connection has ended. One task at a time.
  Task<> greeted();
  bool is_up() const { return !has_ended() && !leaving_; }
  /// Why it is not up.
  Error down_reason() const;
  /// As Caller::call(). The session must outlive the task.
  Task<Result<Bytes>> call(Request request, std::chrono::nanoseconds limit);

 private:
  struct Call {
    explicit Call(const Station& station) : ended(station.executor), held(station.traffic) {}
    Bell ended;
    bool over = false;  // nothing more comes
    unsigned status = 0;
    std::string protocol;
    Bytes body;
    std::uint64_t announced_bytes = 0;
    std::size_t header_bytes = 0;
    std::optional<Error> error;
    Held held;  // for the body
  };
  struct Waiting;  // a call that this session knows of

  bool on_begin(StreamId) override { return false; }  // nothing is pushed
  bool on_header(StreamId stream, Header header) override;
  void on_headers_end(StreamId) override {}
  void on_body(StreamId stream, ByteView bytes) override;
  void on_complete(StreamId) override {}
  void on_closed(StreamId stream, std::uint32_t code) override;
  void on_settings() override;
  void on_leaving(const std::optional<Error>& why) override;
  std::chrono::nanoseconds watch() override;
  void on_end(const Error& why) override;

  Call* find(StreamId stream);
  void give_up(StreamId stream, Call& call, Error why);
  Result<Bytes> result_of(Call& call) const;

  std::map<StreamId, Call*> calls_;  // each in the frame of its call()
  Bell greeting_;
  bool greeted_ = false;
  bool leaving_ = false;  // the other end takes no more
  std::chrono::nanoseconds quiet_since_;
  std::optional<std::chrono::nanoseconds> asked_at_;  // a sign of life, when nothing had come for long
};

}  // namespace mhp::net::impl
