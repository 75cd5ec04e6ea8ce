// For tests: seeds that are printed and can be given, and the two questions that every format is asked.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "wire/impl/proto.h"
#include "wire/samples.h"

namespace mhp::wire {

/// The seed of property tests: MHP_SEED, or 1.
inline std::uint64_t test_seed() {
  const char* given = std::getenv("MHP_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : 1;
}

/// Random values come back equal; the same value gives the same bytes; every shorter length is refused or read as
/// something else, without harm.
template <class Make, class Parse>
void expect_round_trips(const char* what, Make make, Parse parse, int rounds = 200) {
  for (int round = 0; round < rounds; ++round) {
    const std::uint64_t seed = test_seed() + static_cast<std::uint64_t>(round);
    SCOPED_TRACE(std::string(what) + ": MHP_SEED=" + std::to_string(seed));
    samples::Random random(seed);
    const auto value = make(random);
    const Bytes bytes = encode(value);
    const auto again = parse(bytes);
    ASSERT_TRUE(again) << again.error().detail;
    ASSERT_TRUE(*again == value);
    ASSERT_EQ(encode(*again), bytes);
    const auto part = parse(ByteView(bytes).first(random.below(bytes.size())));
    if (part) ASSERT_FALSE(encode(*part) == bytes);
  }
}

/// Refused as `code`, with `words` in the message.
template <class Value>
void expect_refused(const Result<Value>& result, Errc code, const std::string& words) {
  ASSERT_FALSE(result) << "not refused: " << words;
  EXPECT_EQ(result.error().code, code) << result.error().detail;
  EXPECT_NE(result.error().detail.find(words), std::string::npos) << result.error().detail;
}

/// Format numbers and lengths that every message refuses alike.
template <class Message, class Parse>
void expect_guards_format(Message message, Parse parse, std::uint64_t limit_bytes) {
  ASSERT_TRUE(parse(impl::serialize(message)));
  message.set_format(3);
  expect_refused(parse(impl::serialize(message)), Errc::invalid, "written by a newer mhp: format 3");
  message.clear_format();
  expect_refused(parse(impl::serialize(message)), Errc::invalid, "no format number");
  expect_refused(parse(Bytes{}), Errc::invalid, "no format number");
  expect_refused(parse(Bytes(limit_bytes + 1)), Errc::invalid, "too long");
  expect_refused(parse(Bytes{std::byte{0xff}}), Errc::invalid, "not a message");
  expect_refused(parse(Bytes{std::byte{0x0b}, std::byte{0x0c}}), Errc::invalid, "not a message");  // a group
  Bytes many(limit_bytes / 2 * 2);
  for (std::size_t i = 0; i < many.size(); i += 2) many[i] = std::byte{0x7a};  // field 15, empty
  expect_refused(parse(many), Errc::invalid, limit_bytes / 2 > 200'000 ? "too many fields" : "");
}

/// A message as parsed back from a struct's bytes, to be spoilt.
template <class Message, class Value>
Message message_of(const Value& value) {
  const Bytes bytes = encode(value);
  Message message;
  EXPECT_TRUE(message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  return message;
}

}  // namespace mhp::wire
