// Calls: many at once, canceled, too long, too many, and with an end that dies or speaks something else.
#include "net/call.h"

#include <gtest/gtest.h>

#include "net/testing/wired.h"

namespace mhp::net {
namespace {

using namespace std::chrono_literals;
using platform::Nursery;
using testing::connect;
using testing::while_serving;
using testing::Wired;

Task<Result<Bytes>> ask(std::shared_ptr<Caller> caller, std::string path, Bytes body = {},
                        std::chrono::nanoseconds limit = 60s) {
  Request request{Method::post, std::move(path), std::move(body)};
  auto reply = caller->call(std::move(request), limit);
  co_return co_await std::move(reply);
}

Task<> ask_into(std::shared_ptr<Caller> caller, std::string path, Bytes body, std::optional<Result<Bytes>>& into) {
  auto reply = ask(std::move(caller), std::move(path), std::move(body));
  into.emplace(co_await std::move(reply));
}

Bytes pattern(std::size_t size, unsigned seed) {
  Bytes out(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::byte>(i * 31 + i / 257 + seed);
  return out;
}

Task<> bodies_come_back(Wired& wired, Server&, Nursery& scope) {
  const auto caller = co_await connect(wired, scope);
  EXPECT_EQ(caller->peer().id, wired.serving.identity.id());
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{65'536}, std::size_t{16'777'217}}) {
    const Bytes body = pattern(size, 1);
    const auto reply = co_await ask(caller, "/v1/echo", body);
    EXPECT_TRUE(reply && *reply == body) << size;
  }
  const auto who = co_await ask(caller, "/v1/who");
  EXPECT_TRUE(who && *who == to_bytes(wired.calling.identity.id().bytes()));
}

TEST(Call, BodiesComeBackAsTheyWere) {
  Wired wired;
  while_serving(wired, bodies_come_back);
  EXPECT_EQ(wired.serving.traffic.counts.requests, 5U);
  EXPECT_EQ(wired.calling.traffic.counts.calls, 5U);
  EXPECT_GT(wired.serving.traffic.counts.bytes_in, 16'000'000U);
}

Task<> hundred_at_once(Wired& wired, Server&, Nursery& scope) {
  const auto caller = co_await connect(wired, scope);
  std::vector<std::optional<Result<Bytes>>> replies(100);
  Nursery calls(wired.platform.executor());
  for (unsigned i = 0; i < 100; ++i) calls.start(ask_into(caller, "/v1/soon", pattern(10'000, i), replies[i]));
  co_await calls.join();
  for (unsigned i = 0; i < 100; ++i) EXPECT_TRUE(*replies[i] && **replies[i] == pattern(10'000, i)) << i;
}

TEST(Call, AHundredAtOnceOverOneConnection) {
  Wired wired;
  while_serving(wired, hundred_at_once);
  EXPECT_EQ(wired.echo.counts.most_running, 64U);  // the others waited at the caller's end
  EXPECT_LT(wired.platform.clock().steady(), 4s);  // two rounds of a second
  EXPECT_EQ(wired.serving.traffic.counts.accepted, 1U);
}

Task<> time_runs_out(Wired& wired, Server&, Nursery& scope) {
  const auto caller = co_await connect(wired, scope);
  const auto late = co_await ask(caller, "/v1/wait", {}, 2s);
  EXPECT_EQ(late.error().code, Errc::timed_out);
  const auto next = co_await ask(caller, "/v1/echo", pattern(10, 3));  // the connection goes on
  EXPECT_TRUE(next && *next == pattern(10, 3));
}

TEST(Call, OneThatTakesTooLongIsGivenUpAtTheOtherEndToo) {
  Wired wired;
  while_serving(wired, time_runs_out);
  EXPECT_EQ(wired.echo.counts.canceled, 1U);
}

Task<> cancel_soon(Wired& wired, Nursery& calls) {
  co_await wired.platform.clock().sleep(1s);
  calls.cancel();
}

Task<> canceled_calls(Wired& wired, Server&, Nursery& scope) {
  const auto caller = co_await connect(wired, scope);
  std::vector<std::optional<Result<Bytes>>> replies(80);
  Nursery calls(wired.platform.executor());
  for (auto& reply : replies) calls.start(ask_into(caller, "/v1/wait", pattern(100, 1), reply));
  calls.start(cancel_soon(wired, calls));
  co_await calls.join();
  for (const auto& reply : replies) EXPECT_FALSE(reply);
  const auto next = co_await ask(caller, "/v1/echo", pattern(10, 3));
  EXPECT_TRUE(next && *next == pattern(10, 3));
  EXPECT_EQ(wired.echo.counts.running, 0U);
}

TEST(Call, CanceledOnesAreCanceledAtTheOtherEndAlsoThoseThatWaitedToBeSent) {
  Wired wired;
  while_serving(wired, canceled_calls);
  EXPECT_EQ(wired.echo.counts.canceled, 64U);
  EXPECT_EQ(wired.echo.counts.begun, 65U);
}

Task<> errors_travel(Wired& wired, Server&, Nursery& scope) {
  const auto caller = co_await connect(wired, scope);
  const auto full = co_await ask(caller, "/v1/full");
  EXPECT_EQ(full.error().code, Errc::full);
  EXPECT_EQ(full.error().detail, "no room?[31m here");  // nothing that a terminal obeys
  const auto exhausted = co_await ask(caller, "/v1/exhausted");
  EXPECT_EQ(exhausted.error().code, Errc::unavailable);  // not this computer's memory
}

TEST(Call, ErrorsTravelAndAreMadeHarmless) {
  Wired wired;
  while_serving(wired, errors_travel);
}

Task<> too_long_a_request(Wired& wired, Server&, Nursery& scope) {
  const auto caller = co_await connect(wired, scope);
  const auto refused = co_await ask(caller, "/v1/echo", Bytes(2_MiB));
  EXPECT_EQ(refused.error().code, Errc::invalid);
  EXPECT_NE(refused.error().detail.find("longer than 1048576"), std::string::npos) << refused.error().detail;
  const auto next = co_await ask(caller, "/v1/echo", Bytes(1_MiB));
  EXPECT_TRUE(next) << next.error().detail;
}

TEST(Call, ALongerBodyThanAllowedIsRefused) {
  Wired wired(CallLimits{.max_body_bytes = 1_MiB});
  while_serving(wired, too_long_a_request);
  EXPECT_LT(wired.serving.traffic.counts.bytes_in, 4_MiB);
}

Task<> too_long_a_reply(Wired& wired, Server&, Nursery& scope) {
  const auto caller = co_await connect(wired, scope);
  const auto reply = co_await ask(caller, "/v1/big");
  EXPECT_EQ(reply.error().code, Errc::invalid);
  EXPECT_NE(reply.error().detail.find("longer than a reply"), std::string::npos) << reply.error().detail;
  EXPECT_TRUE(co_await ask(caller, "/v1/echo", pattern(10, 3)));
}

TEST(Call, ALongerReplyThanAllowedIsGivenUp) {
  Wired wired({}, CallLimits{.max_body_bytes = 1_MiB});
  while_serving(wired, too_long_a_reply);
}

Task<> too_much_together(Wired& wired, Server&, Nursery& scope) {
  const auto caller = co_await connect(wired, scope);
  std::vector<std::optional<Result<Bytes>>> replies(10);
  Nursery calls(wired.platform.executor());
  for (auto& reply : replies) calls.start(ask_into(caller, "/v1/soon", Bytes(1_MiB), reply));
  co_await calls.join();
  const auto done = std::ranges::count_if(replies, [](const auto& reply) { return reply->has_value(); });
  EXPECT_GE(done, 1);
  EXPECT_LE(done, 4);
  for (const auto& reply : replies) EXPECT_TRUE(*reply || reply->error().code == Errc::unavailable);
  EXPECT_TRUE(co_await ask(caller, "/v1/echo", Bytes(1_MiB)));  // all of it was given back
}

TEST(Call, AllBodiesTogetherStayWithinTheMemoryForThem) {
  Wired wired(CallLimits{.buffered_bytes = 4_MiB});
  while_serving(wired, too_much_together);
}

Task<> server_dies(Wired& wired, Server& server, Nursery& scope) {
  const auto caller = co_await connect(wired, scope);
  std::optional<Result<Bytes>> reply;
  Nursery calls(wired.platform.executor());
  calls.start(ask_into(caller, "/v1/wait", {}, reply));
  co_await wired.platform.clock().sleep(1s);
  server.stop(0s);
  co_await calls.join();
  EXPECT_EQ((*reply).error().code, Errc::unavailable);
  EXPECT_FALSE(caller->is_up());
  EXPECT_EQ((co_await ask(caller, "/v1/echo")).error().code, Errc::unavailable);
}

TEST(Call, AnEndThatDiesEndsTheCallsAtOnce) {
  Wired wired;
  while_serving(wired, server_dies);
  EXPECT_EQ(wired.platform.clock().steady(), 1s);
}

Task<> stops_gently(Wired& wired, Server& server, Nursery& scope) {
  const auto caller = co_await connect(wired, scope);
  std::optional<Result<Bytes>> reply;
  Nursery calls(wired.platform.executor());
  calls.start(ask_into(caller, "/v1/soon", pattern(100, 1), reply));
  co_await wired.platform.clock().sleep(100ms);
  server.stop(10s);
  co_await wired.platform.clock().sleep(100ms);
  EXPECT_FALSE(caller->is_up());  // it says that it takes no more
  co_await calls.join();
  EXPECT_TRUE(*reply && **reply == pattern(100, 1));
  auto dialing = dial(wired.calling.station, wired.network, scope, wired.at, std::nullopt, 5s);
  EXPECT_EQ((co_await std::move(dialing)).error().code, Errc::unavailable);
}

TEST(Call, AServerThatStopsFinishesWhatRuns) {
  Wired wired;
  while_serving(wired, stops_gently);
  EXPECT_EQ(wired.platform.clock().steady(), 1s);  // and ends when it is done
}

Task<> goes_quiet(Wired& wired, Server& server, Nursery& scope) {
  const auto caller = co_await connect(wired, scope);
  EXPECT_TRUE(co_await ask(caller, "/v1/echo"));
  EXPECT_EQ(server.members(), 1U);
  co_await wired.platform.clock().sleep(149s);
  EXPECT_TRUE(caller->is_up());
  co_await wired.platform.clock().sleep(20s);
  EXPECT_FALSE(caller->is_up());
  EXPECT_EQ(server.members(), 0U);
}

TEST(Call, AQuietConnectionIsClosed) {
  Wired wired;
  while_serving(wired, goes_quiet);
}

Task<> last_handle_goes(Wired& wired, Server& server, Nursery& scope) {
  {
    const auto caller = co_await connect(wired, scope);
    EXPECT_EQ(scope.running(), 1U);
  }
  co_await scope.join();
  co_await wired.platform.clock().sleep(1s);
  EXPECT_EQ(server.members(), 0U);
}

TEST(Call, AConnectionEndsWithItsLastHandle) {
  Wired wired;
  while_serving(wired, last_handle_goes);
}

Task<> not_wanted(Wired& wired, Server&, Nursery& scope) {
  wired.echo.everyone = Service::Standing::refused;
  auto dialing = dial(wired.calling.station, wired.network, scope, wired.at, std::nullopt, 5s);
  const auto refused = co_await std::move(dialing);
  EXPECT_EQ(refused.error().code, Errc::denied);
  EXPECT_EQ(refused.error().detail, "this computer is not wanted here");
}

TEST(Call, WhoIsNotWantedIsTold) {
  Wired wired;
  while_serving(wired, not_wanted);
  EXPECT_EQ(wired.serving.traffic.counts.refused, 1U);
}

Task<> wrong_key(Wired& wired, Server&, Nursery& scope) {
  auto dialing = dial(wired.calling.station, wired.network, scope, wired.at, wired.calling.identity.id(), 5s);
  EXPECT_EQ((co_await std::move(dialing)).error().code, Errc::denied);
}

TEST(Call, AnotherComputerThanExpectedIsNotSpokenTo) {
  Wired wired;
  while_serving(wired, wrong_key);
  EXPECT_EQ(wired.serving.traffic.counts.requests, 0U);
}

Task<> becomes_known(Wired& wired, Server& server, Nursery& scope) {
  wired.echo.everyone = Service::Standing::stranger;
  const auto caller = co_await connect(wired, scope);
  EXPECT_EQ(server.strangers(), 1U);
  EXPECT_TRUE(co_await ask(caller, "/v1/welcome"));
  EXPECT_EQ(server.members(), 1U);
  co_await wired.platform.clock().sleep(10s);
  EXPECT_TRUE(co_await ask(caller, "/v1/echo", Bytes(100'000)));
}

TEST(Call, AStrangerThatShowsWhoItIsIsNoneAnyMore) {
  Wired wired;
  while_serving(wired, becomes_known);
}

Task<> stays_unknown(Wired& wired, Server& server, Nursery& scope) {
  wired.echo.everyone = Service::Standing::stranger;
  const auto caller = co_await connect(wired, scope);
  EXPECT_TRUE(co_await ask(caller, "/v1/echo", Bytes(100)));
  EXPECT_EQ((co_await ask(caller, "/v1/echo", Bytes(5000))).error().code, Errc::denied);
  const auto again = co_await connect(wired, scope);
  co_await wired.platform.clock().sleep(6s);
  EXPECT_FALSE(again->is_up());
  EXPECT_EQ(server.strangers(), 0U);
}

/// Known by the first answer; more of them widen nothing.
Task<> gets_a_little_more(Wired& wired, Server& server, Nursery& scope) {
  wired.echo.everyone = Service::Standing::stranger;
  const auto caller = co_await connect(wired, scope);
  EXPECT_TRUE(co_await ask(caller, "/v1/nod"));
  EXPECT_EQ(server.strangers(), 1U);
  co_await wired.platform.clock().sleep(30s);
  EXPECT_TRUE(co_await ask(caller, "/v1/echo", Bytes(150'000)));
  EXPECT_FALSE(co_await ask(caller, "/v1/echo", Bytes(300'000)));
  wired.echo.everyone = Service::Standing::stranger;
  const auto again = co_await connect(wired, scope);
  EXPECT_TRUE(co_await ask(again, "/v1/nod"));
  co_await wired.platform.clock().sleep(70s);
  EXPECT_FALSE(again->is_up());
  EXPECT_EQ(server.strangers(), 0U);
}

TEST(Call, OneThatIsKnownGetsALittleMoreOnce) {
  Wired wired;
  while_serving(wired, gets_a_little_more);
  EXPECT_GE(wired.serving.traffic.counts.cut_off, 1U);
}

TEST(Call, AStrangerGetsLittleAndNotForLong) {
  Wired wired;
  while_serving(wired, stays_unknown);
  EXPECT_GE(wired.serving.traffic.counts.cut_off, 1U);
}

}  // namespace
}  // namespace mhp::net
