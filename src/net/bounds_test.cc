// What a server does to those who keep to no rules: bytes that are no frames, floods, dribbles, other protocols.
#include <gtest/gtest.h>

#include "net/testing/wired.h"
#include "wire/calls.h"

namespace mhp::net {
namespace {

using namespace std::chrono_literals;
using platform::Nursery;
using testing::Echo;
using testing::while_serving;
using testing::Wired;

constexpr std::uint16_t kPort = 7070;

constexpr unsigned kData = 0;  // types of frames
constexpr unsigned kHeaders = 1;
constexpr unsigned kReset = 3;
constexpr unsigned kSettings = 4;
constexpr unsigned kPing = 6;
constexpr unsigned kContinuation = 9;
constexpr unsigned kEndStream = 1;  // flags
constexpr unsigned kEndHeaders = 4;

void add_frame(Bytes& out, unsigned type, unsigned flags, unsigned stream, ByteView payload) {
  const std::size_t size = payload.size();
  for (const std::size_t byte :
       {size >> 16, size >> 8, size, std::size_t{type}, std::size_t{flags}, std::size_t{stream} >> 24,
        std::size_t{stream} >> 16, std::size_t{stream} >> 8, std::size_t{stream}})
    out.push_back(static_cast<std::byte>(byte & 0xff));
  out.insert(out.end(), payload.begin(), payload.end());
}

/// HPACK: a literal, not indexed; both shorter than 127.
void add_header(Bytes& out, std::string_view name, std::string_view value) {
  out.push_back(std::byte{0});
  for (const std::string_view text : {name, value}) {
    out.push_back(static_cast<std::byte>(text.size()));
    out.insert(out.end(), as_bytes(text).begin(), as_bytes(text).end());
  }
}

Bytes headers_of(std::string_view method, std::string_view path, std::string_view protocol) {
  Bytes out;
  add_header(out, ":method", method);
  add_header(out, ":scheme", "https");
  add_header(out, ":path", path);
  add_header(out, ":authority", "x");
  if (!protocol.empty()) add_header(out, "mhp-protocol", protocol);
  return out;
}

Bytes preface() {
  Bytes out = to_bytes(as_bytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
  add_frame(out, kSettings, 0, 0, {});
  add_frame(out, kSettings, 1, 0, {});  // the other end's are taken: they came with its first word
  return out;
}

struct Frame {
  unsigned type;
  unsigned flags;
  unsigned stream;
  Bytes payload;
};

std::vector<Frame> frames_of(ByteView bytes) {
  std::vector<Frame> out;
  const auto at = [&](std::size_t i) { return std::to_integer<unsigned>(bytes[i]); };
  while (bytes.size() >= 9) {
    const std::size_t size = at(0) << 16 | at(1) << 8 | at(2);
    if (bytes.size() < 9 + size) break;
    out.push_back({at(3), at(4), at(5) << 24 | at(6) << 16 | at(7) << 8 | at(8), to_bytes(bytes.subspan(9, size))});
    bytes = bytes.subspan(9 + size);
  }
  return out;
}

/// Somebody with a key who speaks in frames of a test's own making.
struct Rude {
  std::unique_ptr<platform::Stream> stream;
  Bytes heard;
  bool closed = false;

  std::size_t count(unsigned type) const {
    const auto frames = frames_of(heard);
    return static_cast<std::size_t>(std::ranges::count_if(frames, [&](const Frame& one) { return one.type == type; }));
  }
  Bytes body(unsigned stream_id) const {
    Bytes out;
    for (const Frame& one : frames_of(heard))
      if (one.type == kData && one.stream == stream_id) out.insert(out.end(), one.payload.begin(), one.payload.end());
    return out;
  }
};

Task<Rude> knock(Wired& wired) {
  auto connecting = wired.network.connect(wired.at, 5s);
  auto below = co_await std::move(connecting);
  auto securing = wired.calling.tls.connect(std::move(*below), std::nullopt, wired.platform.clock(), 5s);
  auto secured = co_await std::move(securing);
  EXPECT_TRUE(secured);
  Rude rude;
  rude.stream = std::move(secured->stream);
  co_return rude;
}

Task<> listen(Rude& rude) {
  Bytes buffer(65'536);
  for (;;) {
    const auto got = co_await rude.stream->read_some(buffer);
    if (!got || *got == 0) break;
    rude.heard.insert(rude.heard.end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(*got));
  }
  rude.closed = true;
}

Task<> hang_up_after(Wired& wired, std::chrono::nanoseconds time, Nursery& both) {
  co_await wired.platform.clock().sleep(time);
  both.cancel();
}

/// Sends, then hears what comes for so long, or until it is closed.
Task<> say(Wired& wired, Rude& rude, Bytes bytes, std::chrono::nanoseconds time = 1s) {
  (void)co_await rude.stream->write_all(bytes);
  Nursery both(wired.platform.executor());
  both.start(listen(rude));
  both.start(hang_up_after(wired, time, both));
  co_await both.join();
}

std::string detail_in(ByteView body) {
  const auto error = wire::parse_call_error(body);
  return error ? error->detail : "no error";
}

Task<> speaks_well(Wired& wired, Server&, Nursery&) {
  Rude rude = co_await knock(wired);
  Bytes bytes = preface();
  add_frame(bytes, kHeaders, kEndHeaders, 1, headers_of("PUT", "/v1/echo", "1"));
  add_frame(bytes, kData, kEndStream, 1, as_bytes("some bytes"));
  co_await say(wired, rude, std::move(bytes));
  EXPECT_EQ(as_text(rude.body(1)), "some bytes");
}

TEST(Bounds, FramesOfTheTestItselfAreUnderstood) {
  Wired wired;
  while_serving(wired, speaks_well);
}

Task<> other_protocols(Wired& wired, Server&, Nursery&) {
  for (const std::string protocol : {"2", "", "1 ", "x\x1b[2J"}) {
    Rude rude = co_await knock(wired);
    Bytes bytes = preface();
    add_frame(bytes, kHeaders, kEndHeaders | kEndStream, 1, headers_of("GET", "/v1/echo", protocol));
    co_await say(wired, rude, std::move(bytes));
    if (rude.body(1).empty()) continue;  // no header may hold such a byte: HTTP/2 itself refused it
    EXPECT_EQ(detail_in(rude.body(1)).substr(0, 9), "protocol:") << protocol;
    EXPECT_EQ(detail_in(rude.body(1)).find('\x1b'), std::string::npos);
  }
}

TEST(Bounds, AnotherProtocolGetsAClearAnswer) {
  Wired wired;
  while_serving(wired, other_protocols);
  EXPECT_EQ(wired.echo.counts.begun, 0U);
}

Task<> unknown_method(Wired& wired, Server&, Nursery&) {
  Rude rude = co_await knock(wired);
  Bytes bytes = preface();
  add_frame(bytes, kHeaders, kEndHeaders | kEndStream, 1, headers_of("DELETE", "/v1/echo", "1"));
  co_await say(wired, rude, std::move(bytes));
  EXPECT_NE(detail_in(rude.body(1)).find("GET, PUT and POST"), std::string::npos);
}

TEST(Bounds, OtherMethodsAreRefused) {
  Wired wired;
  while_serving(wired, unknown_method);
  EXPECT_EQ(wired.echo.counts.begun, 0U);
}

Task<> unannounced_body(Wired& wired, Server&, Nursery&) {
  Rude rude = co_await knock(wired);
  Bytes bytes = preface();
  add_frame(bytes, kHeaders, kEndHeaders, 1, headers_of("PUT", "/v1/echo", "1"));
  for (int i = 0; i < 20; ++i) add_frame(bytes, kData, 0, 1, Bytes(16'384));
  co_await say(wired, rude, std::move(bytes));
  EXPECT_NE(detail_in(rude.body(1)).find("longer than 100000"), std::string::npos) << detail_in(rude.body(1));
  EXPECT_EQ(rude.count(kReset), 1U);  // the rest is not wanted
  EXPECT_FALSE(rude.closed);
}

TEST(Bounds, ABodyThatWasNotAnnouncedIsCountedWhileItComes) {
  Wired wired(CallLimits{.max_body_bytes = 100'000});
  while_serving(wired, unannounced_body);
  EXPECT_EQ(wired.echo.counts.begun, 0U);
}

Task<> no_frames(Wired& wired, Server&, Nursery&) {
  Bytes noise(500);
  for (std::size_t i = 0; i < noise.size(); ++i) noise[i] = static_cast<std::byte>(255 - i * 37 % 251);
  Bytes after_preface = preface();
  after_preface.insert(after_preface.end(), noise.begin(), noise.end());
  Bytes data_on_nothing = preface();
  add_frame(data_on_nothing, kData, 0, 5, noise);
  Bytes bad_headers = preface();
  add_frame(bad_headers, kHeaders, kEndHeaders, 1, Bytes{std::byte{0x80}});  // entry 0 of a table from 1
  Bytes too_big = preface();
  add_frame(too_big, kData, 0, 1, Bytes(70'000));
  for (Bytes& bytes : std::array{noise, after_preface, data_on_nothing, bad_headers, too_big}) {
    Rude rude = co_await knock(wired);
    co_await say(wired, rude, std::move(bytes));
    EXPECT_TRUE(rude.closed);
  }
}

TEST(Bounds, WhatAreNoFramesEndTheConnection) {
  Wired wired;
  while_serving(wired, no_frames);
  EXPECT_EQ(wired.echo.counts.begun, 0U);
}

Task<> floods(Wired& wired, Server&, Nursery&) {
  Bytes pings = preface();
  for (int i = 0; i < 5000; ++i) add_frame(pings, kPing, 0, 0, Bytes(8));
  Bytes settings = preface();
  Bytes many;
  for (int i = 0; i < 100; ++i)
    for (const unsigned byte : {0U, 4U, 0U, 1U, 0U, 0U}) many.push_back(static_cast<std::byte>(byte));
  add_frame(settings, kSettings, 0, 0, many);
  Bytes continuations = preface();
  add_frame(continuations, kHeaders, 0, 1, headers_of("GET", "/v1/echo", "1"));
  for (int i = 0; i < 100; ++i) add_frame(continuations, kContinuation, 0, 1, {});
  Bytes resets = preface();
  const Bytes cancel{std::byte{0}, std::byte{0}, std::byte{0}, std::byte{8}};
  for (unsigned i = 0; i < 5000; ++i) {
    add_frame(resets, kHeaders, kEndHeaders | kEndStream, 2 * i + 1, headers_of("GET", "/v1/wait", "1"));
    add_frame(resets, kReset, 0, 2 * i + 1, cancel);
  }
  for (Bytes& bytes : std::array{pings, settings, continuations, resets}) {
    Rude rude = co_await knock(wired);
    co_await say(wired, rude, std::move(bytes));
    EXPECT_TRUE(rude.closed);
  }
}

TEST(Bounds, FloodsEndTheConnection) {
  Wired wired;
  while_serving(wired, floods);
  EXPECT_LE(wired.echo.counts.most_running, 64U);
}

Task<> long_headers(Wired& wired, Server&, Nursery&) {
  Rude rude = co_await knock(wired);
  Bytes bytes = preface();
  Bytes headers = headers_of("GET", "/v1/echo", "1");
  for (int i = 0; i < 60; ++i) add_header(headers, "x-filler", std::string(100, 'x'));
  add_frame(bytes, kHeaders, kEndHeaders | kEndStream, 1, headers);
  co_await say(wired, rude, std::move(bytes));
  EXPECT_EQ(rude.count(kReset), 1U);
  EXPECT_TRUE(rude.body(1).empty());
}

TEST(Bounds, HeadersThatGoOnAreReset) {
  Wired wired;
  while_serving(wired, long_headers);
  EXPECT_EQ(wired.echo.counts.begun, 0U);
}

Task<> dribble(Wired& wired, Rude& rude, Bytes bytes, std::size_t& sent) {
  for (const std::byte byte : bytes) {
    co_await wired.platform.clock().sleep(1s);
    const Bytes one{byte};
    if (!co_await rude.stream->write_all(one)) break;
    ++sent;
  }
}

/// A byte a second, and hearing all the while.
Task<std::size_t> dribble_until_closed(Wired& wired, Rude& rude, Bytes bytes, std::chrono::nanoseconds time) {
  std::size_t sent = 0;
  Nursery both(wired.platform.executor());
  both.start(dribble(wired, rude, std::move(bytes), sent));
  both.start(listen(rude));
  both.start(hang_up_after(wired, time, both));
  co_await both.join();
  co_return sent;
}

Task<> slow_stranger(Wired& wired, Server& server, Nursery&) {
  wired.echo.everyone = Service::Standing::stranger;
  Rude rude = co_await knock(wired);
  const std::size_t sent = co_await dribble_until_closed(wired, rude, preface(), 60s);
  EXPECT_LE(sent, 5U);
  EXPECT_TRUE(rude.closed);
  EXPECT_EQ(server.strangers(), 0U);
}

TEST(Bounds, AStrangerThatSendsAByteASecondIsCutOff) {
  Wired wired;
  while_serving(wired, slow_stranger);
  EXPECT_EQ(wired.serving.traffic.counts.cut_off, 1U);
}

Task<> slow_member(Wired& wired, Server&, Nursery&) {
  Rude rude = co_await knock(wired);
  Bytes bytes = preface();
  add_frame(bytes, kHeaders, kEndHeaders, 1, headers_of("PUT", "/v1/echo", "1"));
  co_await say(wired, rude, std::move(bytes));
  Bytes slow;
  add_frame(slow, kData, 0, 1, Bytes(4000));
  (void)co_await dribble_until_closed(wired, rude, std::move(slow), 40s);
  EXPECT_EQ(rude.count(kReset), 1U);
}

TEST(Bounds, ABodyThatComesByAByteASecondIsReset) {
  Wired wired;
  while_serving(wired, slow_member);
  EXPECT_EQ(wired.serving.traffic.counts.cut_off, 1U);
  EXPECT_EQ(wired.echo.counts.begun, 0U);
}

Task<> takes_nothing(Wired& wired, Server& server, Nursery&) {
  Rude rude = co_await knock(wired);
  Bytes bytes = preface();
  // Wide windows, so that the reply stops at the stream below and not at HTTP/2.
  add_frame(bytes, 8, 0, 0, Bytes{std::byte{0x3f}, std::byte{0}, std::byte{0}, std::byte{0}});
  add_frame(bytes, kHeaders, kEndHeaders | kEndStream, 1, headers_of("GET", "/v1/big", "1"));
  add_frame(bytes, 8, 0, 1, Bytes{std::byte{0x3f}, std::byte{0}, std::byte{0}, std::byte{0}});
  (void)co_await rude.stream->write_all(bytes);
  co_await wired.platform.clock().sleep(10s);
  EXPECT_EQ(server.members(), 1U);
  EXPECT_GT(wired.serving.traffic.buffered(), 0U);
  co_await wired.platform.clock().sleep(60s);
  EXPECT_EQ(server.members(), 0U);
  EXPECT_EQ(wired.serving.traffic.buffered(), 0U);
}

TEST(Bounds, WhoTakesNothingIsCutOff) {
  Wired wired;
  while_serving(wired, takes_nothing);
}

Task<> many_strangers(Wired& wired, Server& server, Nursery&) {
  std::vector<std::unique_ptr<platform::Stream>> silent;
  for (int i = 0; i < 200; ++i) {
    auto connecting = wired.network.connect(wired.at, 5s);
    silent.push_back(std::move(*(co_await std::move(connecting))));
  }
  co_await wired.platform.clock().sleep(1s);
  EXPECT_EQ(server.strangers(), 64U);
  Rude rude = co_await knock(wired);  // one who says who it is gets in all the same
  Bytes bytes = preface();
  add_frame(bytes, kHeaders, kEndHeaders | kEndStream, 1, headers_of("GET", "/v1/who", "1"));
  co_await say(wired, rude, std::move(bytes));
  EXPECT_EQ(rude.body(1).size(), 32U);
  co_await wired.platform.clock().sleep(5s);
  EXPECT_EQ(server.strangers(), 0U);
}

TEST(Bounds, StrangersArePushedOutByNewOnesAndByTime) {
  Wired wired;
  while_serving(wired, many_strangers);
  EXPECT_GE(wired.serving.traffic.counts.refused, 200U);
}

/// One computer that answers, and others with addresses of their own.
struct Street {
  platform::MemoryWorld world{3};
  platform::MemoryPlatform home{world, {"198.51.100.1"}};
  platform::MemoryPlatform crowd{world, {"198.51.100.2"}};
  platform::MemoryPlatform member{world, {"198.51.100.3"}};
  testing::Computer answering{home, 1};
  testing::Computer calling{member, 2};
  Echo echo{home.clock()};
  const platform::Endpoint at{"198.51.100.1", kPort};
};

using Streams = std::vector<std::unique_ptr<platform::Stream>>;

/// One after the other, which say nothing, until canceled.
Task<> floods_with_connections(Street& street, Streams& silent) {
  for (;;) {
    auto connecting = street.crowd.network().connect(street.at, 5s);
    auto stream = co_await std::move(connecting);
    EXPECT_TRUE(stream);
    silent.push_back(std::move(*stream));
    co_await street.world.clock().sleep(20ms);
  }
}

Task<> knocks_slowly(Street& street, bool& got_in) {
  auto connecting = street.member.network().connect(street.at, 5s);
  auto stream = co_await std::move(connecting);
  EXPECT_TRUE(stream);
  co_await street.world.clock().sleep(2s);  // its line is slow: hundreds come meanwhile
  auto securing = street.calling.tls.connect(std::move(*stream), std::nullopt, street.world.clock(), 2s);
  const auto secured = co_await std::move(securing);
  EXPECT_TRUE(secured) << secured.error().detail;
  Bytes first(1000);
  const auto heard = co_await secured->stream->read_some(first);
  got_in = heard && *heard > 0;
}

Task<> in_a_flood(Street& street, Server& server, std::size_t& pushed_out) {
  Streams silent;
  Nursery flood(street.world.executor());
  flood.start(floods_with_connections(street, silent));
  co_await street.world.clock().sleep(2s);
  EXPECT_EQ(server.strangers(), 64U);
  pushed_out = street.answering.traffic.counts.refused;
  bool got_in = false;
  co_await knocks_slowly(street, got_in);
  pushed_out = street.answering.traffic.counts.refused - pushed_out;
  EXPECT_TRUE(got_in);
  flood.cancel();
  co_await flood.join();
  server.stop(0s);
}

Task<int> street_task(Street& street, std::size_t& pushed_out) {
  Server server(street.answering.station, street.echo);
  std::vector<std::unique_ptr<platform::Listener>> listeners;
  listeners.push_back(std::move(*street.home.network().listen({"::", kPort})));
  Nursery all(street.world.executor());
  all.start(server.run(std::move(listeners)));
  all.start(in_a_flood(street, server, pushed_out));
  co_await all.join();
  co_return 0;
}

TEST(Bounds, AFloodFromOneAddressPushesOutNobodyElsewhere) {
  Street street;
  std::size_t pushed_out = 0;
  EXPECT_EQ(street.world.run(street_task(street, pushed_out)), 0);
  EXPECT_GE(pushed_out, 64U);  // so the member's would have gone, had the oldest of all gone
}

TEST(Bounds, WhoHasOneIPv6NetworkIsOne) {
  EXPECT_EQ(neighbourhood_of("2001:db8:1:2:3:4:5:6"), neighbourhood_of("2001:db8:1:2::9"));
  EXPECT_NE(neighbourhood_of("2001:db8:1:2::9"), neighbourhood_of("2001:db8:1:3::9"));
  EXPECT_EQ(neighbourhood_of("fe80::1%eth0"), neighbourhood_of("fe80::2%eth0"));
  EXPECT_NE(neighbourhood_of("192.0.2.1"), neighbourhood_of("192.0.2.2"));
  EXPECT_NE(neighbourhood_of("::ffff:192.0.2.1"), neighbourhood_of("::ffff:192.0.2.2"));
}

Task<> many_connections(Wired& wired, Server& server, Nursery& scope) {
  std::vector<std::shared_ptr<Caller>> callers;
  for (int i = 0; i < 8; ++i) callers.push_back(co_await testing::connect(wired, scope));
  auto dialing = dial(wired.calling.station, wired.network, scope, wired.at, std::nullopt, 5s);
  const auto ninth = co_await std::move(dialing);
  EXPECT_EQ(ninth.error().code, Errc::unavailable);
  EXPECT_NE(ninth.error().detail.find("too many connections"), std::string::npos) << ninth.error().detail;
  EXPECT_EQ(server.members(), 8U);
}

TEST(Bounds, OnePeerHasAFewConnections) {
  Wired wired;
  while_serving(wired, many_connections);
}

}  // namespace
}  // namespace mhp::net
