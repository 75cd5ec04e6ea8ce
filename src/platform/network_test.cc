// The contract of Network, checked on the real one (on the loopback) and on the one in memory.
#include "platform/network.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <optional>

#include "platform/memory/memory_platform.h"
#include "platform/posix/system.h"

namespace mhp::platform {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kPatience{30};  // for what is to succeed: more than any loaded machine takes

/// Two computers, or one that plays both.
class Pair {
 public:
  virtual ~Pair() = default;
  virtual Platform& home() = 0;
  virtual Platform& guest() = 0;
  virtual std::string address() const = 0;  // of home
  /// Where nobody answers, not even by a refusal.
  virtual Endpoint black_hole() = 0;
};

class RealPair : public Pair {
 public:
  explicit RealPair(std::string address) : address_(std::move(address)) {}
  Platform& home() override { return *platform_; }
  Platform& guest() override { return *platform_; }
  std::string address() const override { return address_; }
  Endpoint black_hole() override;

 private:
  std::string address_;
  Fd full_;             // listens, but takes nobody
  std::vector<Fd> in_;  // who got in
  std::unique_ptr<Platform> platform_ = make_posix_platform();
};

/// A queue of connections that is full: Linux then says nothing to others.
Endpoint RealPair::black_hole() {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  auto* address = reinterpret_cast<sockaddr*>(&at);
  full_ = Fd(::socket(AF_INET, SOCK_STREAM, 0));
  EXPECT_EQ(::bind(full_.get(), address, size), 0);
  EXPECT_EQ(::listen(full_.get(), 0), 0);
  EXPECT_EQ(::getsockname(full_.get(), address, &size), 0);
  for (int i = 0; i < 2; ++i) {
    in_.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    (void)::connect(in_.back().get(), address, size);
  }
  return {"127.0.0.1", ::ntohs(at.sin_port)};
}

struct NetworkKind {
  const char* name;
  std::unique_ptr<Pair> (*make)();
};

class MemoryPair : public Pair {
 public:
  MemoryPair(const std::string& home, const std::string& guest)
      : home_(world_, MemoryHost{home}), guest_(world_, MemoryHost{guest}) {}
  Platform& home() override { return home_; }
  Platform& guest() override { return guest_; }
  std::string address() const override { return home_.address(); }
  Endpoint black_hole() override { return {"10.99.99.99", 9}; }

 private:
  MemoryWorld world_{1};
  MemoryPlatform home_;
  MemoryPlatform guest_;
};

std::unique_ptr<Pair> make_v4() { return std::make_unique<RealPair>("127.0.0.1"); }
std::unique_ptr<Pair> make_v6() { return std::make_unique<RealPair>("::1"); }
std::unique_ptr<Pair> make_memory_v4() { return std::make_unique<MemoryPair>("10.0.0.1", "10.0.0.2"); }
std::unique_ptr<Pair> make_memory_v6() { return std::make_unique<MemoryPair>("fd00::1", "fd00::2"); }

class NetworkContract : public testing::TestWithParam<NetworkKind> {
 protected:
  void SetUp() override {
    auto here = home().network().listen({pair_->address(), 0});
    if (!here && GetParam().make == make_v6) GTEST_SKIP() << "no IPv6 here: " << here.error().detail;
    ASSERT_TRUE(here) << here.error().detail;
    listener_ = std::move(*here);
  }
  Platform& home() { return pair_->home(); }
  Platform& guest() { return pair_->guest(); }
  template <class T>
  T run(Task<T> task) {
    return run_task(home(), std::move(task));
  }
  std::unique_ptr<Pair> pair_ = GetParam().make();
  std::unique_ptr<Listener> listener_;
};

INSTANTIATE_TEST_SUITE_P(Networks, NetworkContract,
                         testing::Values(NetworkKind{"RealV4", make_v4}, NetworkKind{"RealV6", make_v6},
                                         NetworkKind{"Memory", make_memory_v4},
                                         NetworkKind{"MemoryV6", make_memory_v6}),
                         [](const auto& info) { return std::string(info.param.name); });

struct Ends {
  std::unique_ptr<Stream> guest;
  std::unique_ptr<Stream> home;
};

Task<> accept_into(Listener& listener, std::unique_ptr<Stream>& into) {
  auto stream = co_await listener.accept();
  EXPECT_TRUE(stream) << stream.error().detail;
  if (stream) into = std::move(*stream);
}

Task<> connect_into(Platform& from, Endpoint to, std::unique_ptr<Stream>& into) {
  auto stream = co_await from.network().connect(to, kPatience);
  EXPECT_TRUE(stream) << stream.error().detail;
  if (stream) into = std::move(*stream);
}

Task<Ends> join_ends(Platform& guest, Listener& listener) {
  Ends ends;
  Nursery both(guest.executor());
  both.start(accept_into(listener, ends.home));
  both.start(connect_into(guest, listener.local(), ends.guest));
  co_await both.join();
  co_return ends;
}

/// Until the end; the error where it ends with one.
Task<Result<Bytes>> read_to_end(Stream& stream) {
  Bytes out;
  Bytes buffer(64_KiB);
  for (;;) {
    auto count = co_await stream.read_some(buffer);
    if (!count) co_return pass(count);
    if (*count == 0) co_return out;
    out.insert(out.end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(*count));
  }
}

Task<Result<Bytes>> read_exactly(Stream& stream, std::size_t size) {
  Bytes out(size);
  std::size_t done = 0;
  while (done < size) {
    auto count = co_await stream.read_some(MutableBytes(out).subspan(done));
    if (!count) co_return pass(count);
    if (*count == 0) co_return fail(Errc::unavailable, "ended early");
    done += *count;
  }
  co_return out;
}

Bytes noise(std::size_t size, std::uint64_t seed) {
  Bytes out(size);
  std::uint64_t state = seed;
  for (auto& byte : out) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    byte = static_cast<std::byte>(state >> 56);
  }
  return out;
}

/// Gives back what comes, until the other side ends.
Task<> echo(Stream& stream) {
  Bytes buffer(16_KiB);
  for (;;) {
    const auto count = co_await stream.read_some(buffer);
    if (!count || *count == 0) co_return;
    const auto written = co_await stream.write_all(ByteView(buffer).first(*count));
    if (!written) co_return;
  }
}

Task<> write_into(Stream& stream, Bytes bytes, Result<void>& result) { result = co_await stream.write_all(bytes); }

Task<> expect_echo(Stream& stream, Bytes bytes) {
  Result<void> written;
  Nursery both(co_await asio::this_coro::executor);
  both.start(write_into(stream, bytes, written));
  const auto back = co_await read_exactly(stream, bytes.size());
  co_await both.join();
  EXPECT_TRUE(written);
  EXPECT_TRUE(back);
  if (back) EXPECT_EQ(*back, bytes);
  stream.close();
}

Task<int> echo_once(Platform& guest, Listener& listener, std::size_t size) {
  auto ends = co_await join_ends(guest, listener);
  EXPECT_EQ(ends.guest->remote(), listener.local());
  EXPECT_EQ(ends.home->local(), listener.local());
  EXPECT_EQ(ends.guest->local(), ends.home->remote());
  EXPECT_NE(ends.guest->local().port, 0);
  Nursery both(guest.executor());
  both.start(echo(*ends.home));
  both.start(expect_echo(*ends.guest, noise(size, 1)));
  co_await both.join();
  co_return 0;
}

TEST_P(NetworkContract, CarriesBytesBothWays) { run(echo_once(guest(), *listener_, 5)); }

TEST_P(NetworkContract, CarriesMuchMoreThanAnyBuffer) { run(echo_once(guest(), *listener_, 32_MiB)); }

Task<> serve_echoes(Listener& listener, std::size_t count) {
  std::vector<std::unique_ptr<Stream>> streams;
  Nursery all(co_await asio::this_coro::executor);
  for (std::size_t i = 0; i < count; ++i) {
    auto stream = co_await listener.accept();
    EXPECT_TRUE(stream);
    if (!stream) break;
    streams.push_back(std::move(*stream));
    all.start(echo(*streams.back()));
  }
  co_await all.join();
}

Task<> one_guest(Platform& guest, Endpoint to, std::uint64_t seed) {
  std::unique_ptr<Stream> stream;
  co_await connect_into(guest, to, stream);
  if (stream) co_await expect_echo(*stream, noise(1000 + seed * 100, seed));
}

Task<int> many_at_once(Platform& guest, Listener& listener, std::size_t count) {
  Nursery all(guest.executor());
  all.start(serve_echoes(listener, count));
  for (std::size_t i = 0; i < count; ++i) all.start(one_guest(guest, listener.local(), i));
  co_await all.join();
  co_return 0;
}

TEST_P(NetworkContract, ServesManyAtOnce) { run(many_at_once(guest(), *listener_, 200)); }

Task<int> end_of_one(Platform& guest, Listener& listener) {
  auto ends = co_await join_ends(guest, listener);
  const auto bytes = noise(300'000, 2);
  Result<void> written;
  Nursery both(guest.executor());
  both.start(write_into(*ends.guest, bytes, written));
  const auto head = co_await read_exactly(*ends.home, 200'000);
  co_await both.join();
  ends.guest->close();
  const auto tail = co_await read_to_end(*ends.home);
  EXPECT_TRUE(head && tail);
  if (head && tail) {
    EXPECT_EQ(*head, to_bytes(ByteView(bytes).first(200'000)));
    EXPECT_EQ(*tail, to_bytes(ByteView(bytes).subspan(200'000)));
  }
  // It ends for good, and what is written to one who is gone fails soon: by the time its refusal is there.
  Bytes byte(1);
  const auto again = co_await ends.home->read_some(byte);
  EXPECT_TRUE(again && *again == 0);
  for (;;) {
    const auto lost = co_await ends.home->write_all(as_bytes("x"));
    co_await guest.clock().sleep(milliseconds(1));
    if (lost) continue;
    EXPECT_EQ(lost.error().code, Errc::unavailable);
    co_return 0;
  }
}

TEST_P(NetworkContract, WhatWasWrittenComesBeforeTheEnd) { run(end_of_one(guest(), *listener_)); }

Task<int> close_with_something_unread(Platform& guest, Listener& listener) {
  auto ends = co_await join_ends(guest, listener);
  EXPECT_TRUE(co_await ends.home->write_all(as_bytes("hello")));
  Bytes one(1);
  EXPECT_TRUE(co_await ends.guest->read_some(one));
  ends.guest->close();
  const auto end = co_await ends.home->read_some(one);
  EXPECT_FALSE(end);
  if (!end) EXPECT_EQ(end.error().code, Errc::unavailable);
  co_return 0;
}

TEST_P(NetworkContract, AnEndThatLeavesSomethingUnreadIsALoss) {
  run(close_with_something_unread(guest(), *listener_));
}

Task<> close_it(Stream& stream) {
  stream.close();
  co_return;
}

Task<int> close_while_reading(Platform& guest, Listener& listener) {
  auto ends = co_await join_ends(guest, listener);
  Nursery both(guest.executor());
  both.start(close_it(*ends.guest));  // begins when the read below waits
  Bytes byte(1);
  const auto read = co_await ends.guest->read_some(byte);
  co_await both.join();
  EXPECT_FALSE(read);
  if (!read) EXPECT_EQ(read.error().code, Errc::unavailable);
  const auto after = co_await ends.guest->read_some(byte);
  const auto written = co_await ends.guest->write_all(as_bytes("x"));
  EXPECT_FALSE(after);
  EXPECT_FALSE(written);
  ends.guest->close();  // twice is no harm
  co_return 0;
}

TEST_P(NetworkContract, AReadEndsWhenItsStreamIsClosed) { run(close_while_reading(guest(), *listener_)); }

Task<> drop_it(std::unique_ptr<Stream>& stream) {
  stream.reset();
  co_return;
}

Task<int> drop_while_reading(Platform& guest, Listener& listener) {
  auto ends = co_await join_ends(guest, listener);
  Nursery both(guest.executor());
  both.start(drop_it(ends.guest));
  Bytes byte(1);
  const auto read = co_await ends.guest->read_some(byte);
  co_await both.join();
  EXPECT_FALSE(read);
  const auto end = co_await read_to_end(*ends.home);
  EXPECT_TRUE(end && end->empty());
  co_return 0;
}

TEST_P(NetworkContract, AStreamMayGoWhileItIsRead) { run(drop_while_reading(guest(), *listener_)); }

/// Set by a task that goes on where it should have ended.
Task<> read_forever(Stream& stream, bool& went_on) {
  Bytes byte(1);
  (void)co_await stream.read_some(byte);
  went_on = true;
}

Task<> write_forever(Stream& stream, std::size_t& written) {
  const Bytes bytes(64_KiB);
  for (;;) {
    const auto done = co_await stream.write_all(bytes);
    EXPECT_TRUE(done);
    if (!done) co_return;
    written += bytes.size();
  }
}

Task<> accept_forever(Listener& listener, bool& went_on) {
  (void)co_await listener.accept();
  went_on = true;
}

Task<int> cancel_what_waits(Platform& guest, Listener& listener) {
  auto ends = co_await join_ends(guest, listener);
  bool went_on = false;
  std::size_t written = 0;
  Nursery all(guest.executor());
  all.start(read_forever(*ends.guest, went_on));
  all.start(write_forever(*ends.guest, written));  // nobody reads
  all.start(accept_forever(listener, went_on));
  co_await guest.clock().sleep(milliseconds(20));
  all.cancel();
  co_await all.join();
  EXPECT_FALSE(went_on);
  EXPECT_LT(written, 64_MiB);
  co_return 0;
}

TEST_P(NetworkContract, ACanceledTaskEndsWhereItWaits) {
  run(cancel_what_waits(guest(), *listener_));
  run(many_at_once(guest(), *listener_, 1));  // and the listener goes on
}

Task<> read_when_canceled_already(Stream& stream, Nursery& scope, bool& went_on) {
  scope.cancel();
  Bytes byte(1);
  (void)co_await stream.read_some(byte);
  went_on = true;
}

Task<int> cancel_before_reading(Platform& guest, Listener& listener) {
  auto ends = co_await join_ends(guest, listener);
  bool went_on = false;
  Nursery scope(guest.executor());
  scope.start(read_when_canceled_already(*ends.guest, scope, went_on));
  co_await scope.join();
  EXPECT_FALSE(went_on);
  co_return 0;
}

TEST_P(NetworkContract, ATaskCanceledBeforeItReadsEndsThere) { run(cancel_before_reading(guest(), *listener_)); }

Task<Result<void>> try_to_connect(Platform& guest, Endpoint to, std::chrono::nanoseconds limit) {
  auto stream = co_await guest.network().connect(to, limit);
  if (!stream) co_return pass(stream);
  co_return Result<void>();
}

template <class T>
Errc code_where_failed(const Result<T>& result) {
  EXPECT_FALSE(result);
  return result ? Errc::canceled : result.error().code;
}

TEST_P(NetworkContract, IsRefusedWhereNobodyListens) {
  const auto there = listener_->local();
  listener_.reset();
  const auto refused = run(try_to_connect(guest(), there, kPatience));
  EXPECT_EQ(code_where_failed(refused), Errc::unavailable);
  EXPECT_EQ(refused.error().detail, to_string(there) + ": connection refused");
}

TEST_P(NetworkContract, GivesUpAConnectionAtItsLimit) {
  const auto nobody = pair_->black_hole();
  const auto before = guest().clock().steady();
  const auto none = run(try_to_connect(guest(), nobody, milliseconds(50)));
  EXPECT_EQ(code_where_failed(none), Errc::timed_out);
  EXPECT_EQ(none.error().detail, to_string(nobody) + ": no answer");
  EXPECT_GE(guest().clock().steady() - before, milliseconds(50));
}

Task<> connect_forever(Platform& guest, Endpoint to, bool& went_on) {
  (void)co_await guest.network().connect(to, std::chrono::nanoseconds::max());
  went_on = true;
}

Task<int> cancel_a_connect(Platform& guest, Endpoint nobody) {
  bool went_on = false;
  Nursery scope(guest.executor());
  scope.start(connect_forever(guest, nobody, went_on));
  co_await guest.clock().sleep(milliseconds(20));
  scope.cancel();
  co_await scope.join();
  EXPECT_FALSE(went_on);
  co_return 0;
}

TEST_P(NetworkContract, AConnectEndsWhenItsTaskIsCanceled) { run(cancel_a_connect(guest(), pair_->black_hole())); }

TEST_P(NetworkContract, RefusesWhatIsNoAddress) {
  for (const char* text : {"", "example.org", "1.2.3", "1.2.3.4.5", "::g"}) {
    EXPECT_EQ(code_where_failed(run(try_to_connect(guest(), {text, 1}, kPatience))), Errc::invalid) << text;
    EXPECT_EQ(code_where_failed(home().network().listen({text, 0})), Errc::invalid) << text;
  }
}

TEST_P(NetworkContract, APortIsTakenOnce) {
  EXPECT_EQ(code_where_failed(home().network().listen(listener_->local())), Errc::busy);
  const auto at = listener_->local();
  listener_->close();
  EXPECT_TRUE(home().network().listen(at));
}

TEST_P(NetworkContract, APortIsFreeAgainRightAfterAConnection) {
  const auto at = listener_->local();
  run(echo_once(guest(), *listener_, 5));  // its end lingers in the system
  listener_.reset();
  const auto again = home().network().listen(at);
  EXPECT_TRUE(again) << again.error().detail;
}

TEST_P(NetworkContract, ListensAtItsOwnAddressesOnly) {
  const auto other = home().network().listen({"203.0.113.77", 0});
  EXPECT_EQ(code_where_failed(other), Errc::unavailable);
}

Task<> close_listener(Listener& listener) {
  listener.close();
  co_return;
}

Task<int> close_while_accepting(Platform& home, Listener& listener) {
  Nursery both(home.executor());
  both.start(close_listener(listener));
  const auto none = co_await listener.accept();
  co_await both.join();
  EXPECT_EQ(code_where_failed(none), Errc::unavailable);
  const auto after = co_await listener.accept();
  EXPECT_EQ(code_where_failed(after), Errc::unavailable);
  co_return 0;
}

TEST_P(NetworkContract, AnAcceptEndsWhenItsListenerIsClosed) { run(close_while_accepting(home(), *listener_)); }

Task<int> connect_by(Platform& guest, Listener& listener, std::string address) {
  const Endpoint to{address, listener.local().port};
  Ends ends;
  Nursery both(guest.executor());
  both.start(accept_into(listener, ends.home));
  both.start(connect_into(guest, to, ends.guest));
  co_await both.join();
  EXPECT_TRUE(ends.home && ends.guest);
  if (!ends.home || !ends.guest) co_return 1;
  EXPECT_EQ(ends.home->remote(), ends.guest->local());  // IPv4 is written as such
  EXPECT_EQ(ends.home->local(), to);
  co_return 0;
}

TEST_P(NetworkContract, ListensForBothFamilies) {
  const auto both = home().network().listen({"::", 0});
  ASSERT_TRUE(both);
  EXPECT_EQ(run(connect_by(guest(), **both, pair_->address())), 0);
  if ((*both)->local().address == "::") EXPECT_EQ(run(connect_by(home(), **both, "::1")), 0);
  EXPECT_EQ(run(connect_by(home(), **both, "127.0.0.1")), 0);
}

TEST_P(NetworkContract, KnowsNumbersWithoutAsking) {
  const auto v4 = run(guest().network().resolve({"192.0.2.7", 70}, seconds(0)));
  ASSERT_TRUE(v4);
  EXPECT_EQ(*v4, (std::vector<Endpoint>{{"192.0.2.7", 70}}));
  const auto v6 = run(guest().network().resolve({"2001:db8:0::7", 70}, seconds(0)));
  ASSERT_TRUE(v6);
  EXPECT_EQ(*v6, (std::vector<Endpoint>{{"2001:db8::7", 70}}));
}

TEST_P(NetworkContract, ResolvesNames) {
  const auto here = run(guest().network().resolve({"localhost", 7}, kPatience));
  ASSERT_TRUE(here) << here.error().detail;
  const bool loopback = std::ranges::any_of(
      *here, [](const Endpoint& each) { return each == Endpoint{"127.0.0.1", 7} || each == Endpoint{"::1", 7}; });
  EXPECT_TRUE(loopback);
  const auto none = run(guest().network().resolve({"no..such.host", 7}, kPatience));  // no name: nobody is asked
  EXPECT_EQ(code_where_failed(none), Errc::not_found);
}

TEST_P(NetworkContract, OwnAddressesAreNumbersWithoutLoopback) {
  const auto own = home().network().own_addresses();
  ASSERT_TRUE(own);
  for (const auto& address : *own) {
    EXPECT_TRUE(parse_host_and_port(address, 1)) << address;
    EXPECT_NE(address, "127.0.0.1");
    EXPECT_NE(address, "::1");
    if (address.starts_with("fe80")) EXPECT_NE(address.find('%'), std::string::npos) << address;
  }
}

/// Groups on the loopback alone, so that nothing leaves this computer.
struct GroupKind {
  const char* name;
  std::unique_ptr<Pair> (*make)();
  const char* group;
};

class GroupContract : public testing::TestWithParam<GroupKind> {
 protected:
  Result<std::unique_ptr<Datagrams>> join() { return home().network().join_group({GetParam().group, 17'171}); }
  Platform& home() { return pair_->home(); }
  std::unique_ptr<Pair> pair_ = GetParam().make();
  /// Other runs of this test may use the group too.
  std::array<std::byte, 16> token_ = home().random().array<16>();
};

INSTANTIATE_TEST_SUITE_P(Networks, GroupContract,
                         testing::Values(GroupKind{"RealV4", make_v4, "239.77.72.80%lo"},
                                         GroupKind{"RealV6", make_v6, "ff02::7748%lo"},
                                         GroupKind{"Memory", make_memory_v4, "239.77.72.80%lo"}),
                         [](const auto& info) { return std::string(info.param.name); });

Task<> receive_into(Datagrams& from, Bytes wanted, std::optional<Datagram>& into, Nursery& scope,
                    std::size_t& missing) {
  for (;;) {
    auto datagram = co_await from.receive();
    EXPECT_TRUE(datagram);
    if (!datagram) co_return;
    if (datagram->bytes != wanted) continue;
    into = std::move(*datagram);
    if (--missing == 0) scope.cancel();
    co_return;
  }
}

Task<> stop_waiting(Clock& clock, Nursery& scope) {
  co_await clock.sleep(kPatience);
  scope.cancel();
}

/// What each of them has heard of `wanted`; nothing where that took too long.
Task<std::vector<std::optional<Datagram>>> hear(Platform& platform, std::vector<Datagrams*> all, Bytes wanted) {
  std::vector<std::optional<Datagram>> out(all.size());
  std::size_t missing = all.size();
  Nursery scope(platform.executor());
  for (std::size_t i = 0; i < all.size(); ++i) scope.start(receive_into(*all[i], wanted, out[i], scope, missing));
  scope.start(stop_waiting(platform.clock(), scope));
  co_await scope.join();
  co_return out;
}

Task<int> talk(Platform& platform, Datagrams& first, Datagrams& second, Bytes token, bool& can) {
  const auto sent = co_await first.send(token);
  can = sent.has_value();
  if (!sent) {
    EXPECT_EQ(sent.error().code, Errc::unavailable);
    co_return 0;
  }
  const std::vector<Datagrams*> both{&first, &second};
  const auto heard = co_await hear(platform, both, token);
  EXPECT_TRUE(heard[0] && heard[1]);
  if (!heard[0] || !heard[1]) co_return 1;
  EXPECT_EQ(heard[0]->from, heard[1]->from);
  std::ranges::reverse(token);
  EXPECT_TRUE(co_await second.send_to(heard[1]->from, token));
  const std::vector<Datagrams*> one{&first};
  const auto answered = co_await hear(platform, one, token);  // and not the other one, which has the same group
  EXPECT_TRUE(answered[0]);
  if (!answered[0]) co_return 1;
  EXPECT_NE(answered[0]->from.port, heard[0]->from.port);
  const Bytes long_one(Datagrams::kMaxBytes + 1);
  const auto refused = co_await first.send(long_one);
  EXPECT_EQ(code_where_failed(refused), Errc::invalid);
  const auto refused_too = co_await first.send_to(heard[1]->from, long_one);
  EXPECT_EQ(code_where_failed(refused_too), Errc::invalid);
  Bytes longest(Datagrams::kMaxBytes);
  std::ranges::copy(token, longest.begin());
  EXPECT_TRUE(co_await first.send(longest));
  const std::vector<Datagrams*> other{&second};
  const auto whole = co_await hear(platform, other, longest);
  EXPECT_TRUE(whole[0]);
  co_return 0;
}

TEST_P(GroupContract, EveryMemberHearsAndCanAnswer) {
  const auto first = join();
  const auto second = join();
  if (!first) GTEST_SKIP() << first.error().detail;
  ASSERT_TRUE(second) << second.error().detail;
  bool can = false;
  run_task(home(), talk(home(), **first, **second, to_bytes(token_), can));
  if (!can) GTEST_SKIP() << "the loopback carries no groups of this family here";
}

Task<> receive_forever(Datagrams& from, bool& went_on) {
  for (;;) {
    const auto datagram = co_await from.receive();
    if (!datagram) break;
  }
  went_on = true;
}

Task<int> cancel_a_receive(Platform& platform, Datagrams& from) {
  bool went_on = false;
  Nursery scope(platform.executor());
  scope.start(receive_forever(from, went_on));
  co_await platform.clock().sleep(milliseconds(5));
  scope.cancel();
  co_await scope.join();
  EXPECT_FALSE(went_on);
  co_return 0;
}

TEST_P(GroupContract, ACanceledReceiveEnds) {
  const auto group = join();
  if (!group) GTEST_SKIP() << group.error().detail;
  run_task(home(),
           cancel_a_receive(home(), **group));  // and nothing keeps the loop from ending while the group is there
}

TEST_P(GroupContract, RefusesWhatIsNoGroup) {
  EXPECT_EQ(code_where_failed(home().network().join_group({"192.0.2.1", 17'171})), Errc::invalid);
  EXPECT_EQ(code_where_failed(home().network().join_group({"nas", 17'171})), Errc::invalid);
  EXPECT_EQ(code_where_failed(home().network().join_group({GetParam().group, 0})), Errc::invalid);
}

TEST(RealGroup, SaysWhereThereIsNoSuchInterface) {
  const auto platform = make_posix_platform();
  EXPECT_EQ(code_where_failed(platform->network().join_group({"239.77.72.80%no-such-one", 17'171})), Errc::unavailable);
}

Task<int> send_one_to_itself(Platform& platform, Datagrams& group, Bytes token, bool& can) {
  const auto sent = co_await group.send(token);
  can = sent.has_value();
  if (!can) co_return 0;
  const std::vector<Datagrams*> one{&group};
  const auto heard = co_await hear(platform, one, token);
  EXPECT_TRUE(heard[0]);
  if (!heard[0]) co_return 1;
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
  to.sin_port = ::htons(heard[0]->from.port);
  const Fd stranger(::socket(AF_INET, SOCK_DGRAM, 0));
  const Bytes long_one(Datagrams::kMaxBytes + 1);
  for (const auto& bytes : {ByteView(long_one), ByteView(token)}) {
    EXPECT_EQ(
        ::sendto(stranger.get(), bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof to),
        static_cast<ssize_t>(bytes.size()));
  }
  const auto next = co_await group.receive();
  EXPECT_TRUE(next && next->bytes == token);
  co_return 0;
}

TEST(RealGroup, DropsWhatIsTooLong) {
  const auto platform = make_posix_platform();
  const auto group = platform->network().join_group({"239.77.72.81%lo", 17'172});
  if (!group) GTEST_SKIP() << group.error().detail;
  bool can = false;
  run_task(*platform, send_one_to_itself(*platform, **group, to_bytes(platform->random().array<16>()), can));
  if (!can) GTEST_SKIP() << "the loopback carries no groups here";
}

TEST(RealNetwork, SaysWhereThereIsNoSuchInterface) {
  const auto platform = make_posix_platform();
  const auto none = run_task(*platform, try_to_connect(*platform, {"fe80::1%no-such-one", 1}, kPatience));
  EXPECT_EQ(code_where_failed(none), Errc::unavailable);
}

}  // namespace
}  // namespace mhp::platform
