// Numbers at fixed places, little endian, for the layouts that are not protobuf.
#pragma once

#include <algorithm>
#include <string>

#include "base/bytes.h"
#include "wire/limits.h"

namespace mhp::wire::impl {

template <class Number>
void put(MutableBytes out, std::size_t at, Number value) {
  for (std::size_t i = 0; i < sizeof(Number); ++i) out[at + i] = static_cast<std::byte>(value >> (8 * i) & 0xff);
}

template <class Number>
Number get(ByteView bytes, std::size_t at) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(Number); ++i) value |= std::to_integer<std::uint64_t>(bytes[at + i]) << (8 * i);
  return static_cast<Number>(value);
}

inline void put_bytes(MutableBytes out, std::size_t at, ByteView bytes) {
  std::copy(bytes.begin(), bytes.end(), out.begin() + static_cast<std::ptrdiff_t>(at));
}

inline bool all_zero(ByteView bytes) {
  return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; });
}

/// Why bytes with this format number are not read; empty where they are of the current one.
inline std::string foreign_format(std::uint32_t format) {
  if (format == kFormat) return "";
  return std::string("written by ") + (format > kFormat ? "a newer" : "an older") + " mhp: format " +
         std::to_string(format);
}

}  // namespace mhp::wire::impl
