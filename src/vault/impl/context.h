// What keys and seals are bound to: a purpose in words, then ids and numbers.
#pragma once

#include <array>
#include <initializer_list>

#include "base/bytes.h"

namespace mhp::vault::impl {

template <class Number>
std::array<std::byte, sizeof(Number)> little_endian(Number value) {
  std::array<std::byte, sizeof(Number)> out;
  for (std::size_t i = 0; i < sizeof(Number); ++i) out[i] = static_cast<std::byte>(value >> (8 * i) & 0xff);
  return out;
}

template <class Number>
Number from_little_endian(ByteView bytes) {
  Number value = 0;
  for (std::size_t i = 0; i < sizeof(Number); ++i) value |= static_cast<Number>(bytes[i]) << (8 * i);
  return value;
}

inline Bytes joined(std::initializer_list<ByteView> parts) {
  Bytes out;
  for (ByteView part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

}  // namespace mhp::vault::impl
