// For tests: bytes that must never change, in tests/golden/format1.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "base/bytes.h"

namespace mhp::wire {

constexpr std::int64_t kTime = 1'767'225'600'123'456'789;  // 2026-01-01

/// Its 32 bytes are `first`, first + 1, ...
template <class IdType>
IdType id(unsigned first) {
  typename IdType::Array out;
  for (unsigned i = 0; i < out.size(); ++i) out[i] = static_cast<std::byte>(first + i);
  return IdType::from_array(out);
}

/// Lines of 32 bytes in hexadecimal, so that a difference shows where it is.
inline std::string to_lines(ByteView bytes) {
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += 32)
    out += to_hex(bytes.subspan(at, std::min<std::size_t>(32, bytes.size() - at))) + "\n";
  return out;
}

/// The bytes of tests/golden/format1/NAME.hex. With MHP_WRITE_GOLDEN=1 a missing file is written, and the test says so.
inline Bytes golden(const std::string& name, ByteView now) {
  const std::string path = std::string("tests/golden/format1/") + name + ".hex";
  std::ifstream in(path);
  if (!in && std::getenv("MHP_WRITE_GOLDEN") != nullptr) {
    std::ofstream(path) << to_lines(now);
    ADD_FAILURE() << "written: " << path << "; look at it, then run without MHP_WRITE_GOLDEN";
    return to_bytes(now);
  }
  EXPECT_TRUE(in) << path << " is missing; MHP_WRITE_GOLDEN=1 writes what is missing";
  std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  std::erase(text, '\n');
  Bytes out;
  EXPECT_TRUE(from_hex(text, out)) << path;
  return out;
}

template <class Value, class Parse>
void expect_golden(const std::string& name, const Value& value, Parse parse) {
  const Bytes bytes = golden(name, encode(value));
  EXPECT_EQ(to_lines(encode(value)), to_lines(bytes)) << name;
  const auto parsed = parse(ByteView(bytes));
  ASSERT_TRUE(parsed) << name << ": " << parsed.error().detail;
  EXPECT_TRUE(*parsed == value) << name;
}

}  // namespace mhp::wire
