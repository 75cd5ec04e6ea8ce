// A connection in memory: what is asked of a Caller is answered by a Served, with delays by the simulated clock.
#pragma once

#include <memory>
#include <optional>

#include "cloud/remote_home.h"
#include "net/call.h"
#include "platform/platform.h"
#include "wire/calls.h"

namespace mhp::cloud::testing {

/// What goes wrong on the way. Changed at any time.
struct Way {
  std::chrono::nanoseconds delay{};    // there, and back again
  std::optional<std::uint64_t> calls;  // after so many a reply and the connection with it are lost, once
  bool hangs = false;                  // no reply comes
  std::uint64_t answered = 0;          // requests, with those whose reply was lost
};

class Loopback : public net::Caller {
 public:
  Loopback(platform::Platform& platform, net::Peer peer, std::unique_ptr<net::Served> served, std::shared_ptr<Way> way)
      : platform_(platform), peer_(std::move(peer)), served_(std::move(served)), way_(std::move(way)) {}

  const net::Peer& peer() const override { return peer_; }
  bool is_up() const override { return is_up_; }
  /// The other end is gone. Nothing may be under way.
  void end() {
    is_up_ = false;
    served_.reset();
  }

  Task<Result<Bytes>> call(net::Request request, std::chrono::nanoseconds limit) override {
    std::optional<net::Reply> reply;
    platform::Nursery both(platform_.executor());
    both.start(answer(std::move(request), reply, both));
    both.start(stop_after(limit, both));
    co_await both.join();
    if (!is_up_) co_return fail(Errc::unavailable, "the connection is lost");
    if (!reply) co_return fail(Errc::timed_out, "no reply in time");
    if (reply->status == 200) co_return std::move(reply->body);
    const auto error = wire::parse_call_error(reply->body);
    co_return fail(net::errc_of(reply->status), error ? error->detail : "no reason given");
  }

 private:
  Task<> answer(net::Request request, std::optional<net::Reply>& into, platform::Nursery& both) {
    co_await platform_.clock().sleep(way_->delay);
    if (is_up_ && way_->hangs) co_await platform_.clock().sleep(std::chrono::hours(1'000'000));
    std::optional<net::Reply> reply;
    if (is_up_) reply.emplace(co_await served_->answer(std::move(request)));
    way_->answered += 1;
    co_await platform_.clock().sleep(way_->delay);
    if (way_->calls && *way_->calls == 0) is_up_ = false;
    if (!is_up_) way_->calls.reset();
    if (way_->calls) *way_->calls -= 1;
    if (is_up_) into = std::move(reply);
    both.cancel();
  }
  Task<> stop_after(std::chrono::nanoseconds limit, platform::Nursery& both) {
    co_await platform_.clock().sleep(limit);
    both.cancel();
  }

  platform::Platform& platform_;
  const net::Peer peer_;
  std::unique_ptr<net::Served> served_;
  const std::shared_ptr<Way> way_;
  bool is_up_ = true;
};

/// The two ends of one connection: each sees the other's id, both the same exporter.
inline net::Peer seen_as(const HomeId& id, std::uint64_t connection) {
  net::Peer peer;
  peer.id = id;
  for (unsigned i = 0; i < 8; ++i) peer.exporter[i] = static_cast<std::byte>(connection >> (8 * i));
  peer.remote = "memory";
  return peer;
}

inline Result<Bytes> body_of(const net::Reply& reply) {
  if (reply.status == 200) return reply.body;
  const auto error = wire::parse_call_error(reply.body);
  return fail(net::errc_of(reply.status), error ? error->detail : "no reason given");
}

}  // namespace mhp::cloud::testing
