// Frames of the relay's protocol: round trip, golden bytes, and each bound refused.
#include "wire/relay.h"

#include <wire/relay.pb.h>

#include "wire/golden_support.h"
#include "wire/test_support.h"

namespace mhp::wire {
namespace {

using Kind = RelayFrame::Kind;

template <std::size_t N>
std::array<std::byte, N> some_bytes(samples::Random& random) {
  std::array<std::byte, N> out;
  for (std::byte& byte : out) byte = static_cast<std::byte>(random.below(256));
  return out;
}

RelayFrame relay_frame(samples::Random& random) {
  RelayFrame out{.kind = static_cast<Kind>(1 + random.below(10))};
  const bool come = out.kind == Kind::come;
  if (come || out.kind == Kind::call) out.home = HomeId::from_array(some_bytes<32>(random));
  if (come || out.kind == Kind::here) out.number = some_bytes<16>(random);
  if (out.kind == Kind::call && random.below(2) == 0) out.claim = random.bytes(random.below(kMaxRelayClaimBytes));
  if (out.kind != Kind::refused) return out;
  if (random.below(2) == 0) out.number = some_bytes<16>(random);
  out.error = {static_cast<Errc>(1 + random.below(11)), random.text(kMaxRelayDetailBytes - 1)};
  return out;
}

TEST(RelayFrame, RoundTrips) { expect_round_trips("RelayFrame", relay_frame, parse_relay_frame, 1000); }

TEST(RelayFrame, GuardsItsFormat) {
  expect_guards_format(message_of<proto::RelayFrame>(RelayFrame{}), parse_relay_frame, kMaxRelayFrameBytes);
}

TEST(RelayFrame, KeepsItsBytes) {
  std::array<std::byte, 32> home;
  RelayNumber number;
  for (unsigned i = 0; i < 32; ++i) home[i] = static_cast<std::byte>(0x20 + i);
  for (unsigned i = 0; i < 16; ++i) number[i] = static_cast<std::byte>(0x60 + i);
  expect_golden("relay_hello", RelayFrame{}, parse_relay_frame);
  expect_golden("relay_call", RelayFrame{.kind = Kind::call, .home = HomeId::from_array(home)}, parse_relay_frame);
  RelayFrame shown{.kind = Kind::call, .home = HomeId::from_array(home)};
  for (unsigned i = 0; i < 40; ++i) shown.claim.push_back(static_cast<std::byte>(0xa0 + i));
  expect_golden("relay_call_shown", shown, parse_relay_frame);
  expect_golden("relay_come", RelayFrame{.kind = Kind::come, .home = HomeId::from_array(home), .number = number},
                parse_relay_frame);
  expect_golden("relay_here", RelayFrame{.kind = Kind::here, .number = number}, parse_relay_frame);
  RelayFrame refused{.kind = Kind::refused, .number = number};
  refused.error = {Errc::not_found, "it does not wait here"};
  expect_golden("relay_refused", refused, parse_relay_frame);
}

TEST(RelayFrame, RefusesWhatDoesNotBelong) {
  proto::RelayFrame message = message_of<proto::RelayFrame>(RelayFrame{});
  const auto refused = [&message](const char* words) {
    expect_refused(parse_relay_frame(impl::serialize(message)), Errc::invalid, words);
  };
  message.set_kind(0);
  refused("unknown kind");
  message.set_kind(11);
  refused("unknown kind");
  message.set_kind(4);
  refused("a home is missing");
  message.set_home(std::string(31, 'x'));
  refused("not 32 bytes");
  message.set_home(std::string(32, 'x'));
  EXPECT_TRUE(parse_relay_frame(impl::serialize(message)));
  message.set_claim(std::string(kMaxRelayClaimBytes, 'x'));
  EXPECT_TRUE(parse_relay_frame(impl::serialize(message)));
  message.set_claim(std::string(kMaxRelayClaimBytes + 1, 'x'));
  refused("its claim is too long");
  message.clear_claim();
  message.set_number(std::string(16, 'x'));
  refused("a number is missing or too much");
  message.set_kind(5);
  EXPECT_TRUE(parse_relay_frame(impl::serialize(message)));
  message.set_claim("x");
  refused("a claim where none belongs");
  message.clear_claim();
  message.set_code(1);
  refused("an error where none belongs");
  message.set_kind(8);
  refused("a home is missing or too much");
  message.clear_home();
  EXPECT_TRUE(parse_relay_frame(impl::serialize(message)));
  message.set_number(std::string(17, 'x'));
  refused("wrong length");
  message.clear_number();
  message.set_code(12);
  refused("unknown code");
  message.set_code(6);
  message.set_detail(std::string(kMaxRelayDetailBytes + 1, 'x'));
  refused("too long");
}

TEST(RelayFrame, ItsLengthIsBounded) {
  const Bytes bytes = encode_with_length(RelayFrame{});
  std::array<std::byte, kRelayLengthBytes> length{bytes[0], bytes[1]};
  EXPECT_EQ(parse_relay_length(length), bytes.size() - kRelayLengthBytes);
  EXPECT_TRUE(parse_relay_frame(ByteView(bytes).subspan(kRelayLengthBytes)));
  expect_refused(parse_relay_length({}), Errc::invalid, "empty");
  EXPECT_EQ(parse_relay_length({std::byte{0}, std::byte{4}}), kMaxRelayFrameBytes);
  expect_refused(parse_relay_length({std::byte{1}, std::byte{4}}), Errc::invalid, "too long");
}

}  // namespace
}  // namespace mhp::wire
