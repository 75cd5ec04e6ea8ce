// Connecting, the handshake, and the handle that callers hold.
#include "net/dial.h"

#include "net/impl/call_session.h"
#include "net/impl/within.h"

namespace mhp::net {
namespace {

using impl::CallSession;

Task<> run_session(std::shared_ptr<CallSession> session) { co_await session->run(); }

/// What callers hold: the connection ends with the last of it.
class Connection final : public Caller {
 public:
  explicit Connection(std::shared_ptr<CallSession> session) : session_(std::move(session)) {}
  ~Connection() override { session_->end({Errc::unavailable, "the connection was closed here"}); }
  const Peer& peer() const override { return session_->peer(); }
  bool is_up() const override { return session_->is_up(); }
  Task<Result<Bytes>> call(Request request, std::chrono::nanoseconds limit) override {
    const auto session = session_;  // shared: the handle may go while a call of it ends
    auto reply = session->call(std::move(request), limit);
    co_return co_await std::move(reply);
  }

 private:
  const std::shared_ptr<CallSession> session_;  // shared with the task that runs it
};

Task<bool> greeted(std::shared_ptr<CallSession> session) {
  co_await session->greeted();
  co_return true;
}

}  // namespace

Task<Result<std::shared_ptr<Caller>>> call_over(Station station, platform::Nursery& scope,
                                                std::unique_ptr<platform::Stream> stream,
                                                std::optional<HomeId> expected, std::chrono::nanoseconds limit) {
  const auto until = station.clock.steady() + limit;
  MHP_CO_TRY(auto secured, co_await station.tls.connect(std::move(stream), expected, station.clock, limit));
  auto session = std::make_shared<CallSession>(station, std::move(secured.stream), std::move(secured.peer));
  const auto handle = std::make_shared<Connection>(session);
  scope.start(run_session(session));
  auto greeting = greeted(session);
  const auto in_time = co_await impl::within(station.clock, until - station.clock.steady(), std::move(greeting));
  if (!in_time) co_return fail(Errc::timed_out, "the other end does not begin to speak");
  if (!session->is_up()) co_return tl::unexpected<Error>(session->down_reason());
  ++station.traffic.counts.dialed;
  co_return handle;
}

Task<Result<std::shared_ptr<Caller>>> dial(Station station, platform::Network& network, platform::Nursery& scope,
                                           platform::Endpoint to, std::optional<HomeId> expected,
                                           std::chrono::nanoseconds limit) {
  const auto until = station.clock.steady() + limit;
  MHP_CO_TRY(auto stream, co_await network.connect(std::move(to), limit));
  auto caller = call_over(station, scope, std::move(stream), expected, until - station.clock.steady());
  co_return co_await std::move(caller);
}

}  // namespace mhp::net
