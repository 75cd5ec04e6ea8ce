// Bytes for tests and benchmarks: from hexadecimal, and noise that a seed repeats.
#pragma once

#include <array>
#include <cstring>
#include <string_view>

#include "base/bytes.h"
#include "base/check.h"

namespace mhp::primitives {

inline Bytes hex(std::string_view text) {
  Bytes out;
  MHP_CHECK(from_hex(text, out));
  return out;
}

template <std::size_t N>
std::array<std::byte, N> hex_array(std::string_view text) {
  const Bytes bytes = hex(text);
  std::array<std::byte, N> out;
  MHP_CHECK(bytes.size() == N);
  std::memcpy(out.data(), bytes.data(), N);
  return out;
}

/// The same numbers on every machine. @source SplitMix64, Steele et al., 2014.
class Noise {
 public:
  explicit Noise(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  /// 0 to limit - 1; the slight bias does not matter here.
  std::size_t below(std::size_t limit) { return next() % limit; }
  Bytes bytes(std::size_t size) {
    Bytes out(size);
    for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::byte>(next() >> 56);
    return out;
  }

 private:
  std::uint64_t state_;
};

/// Bytes that compress about as program text does.
inline Bytes words(std::size_t size, std::uint64_t seed) {
  static constexpr std::string_view kWords[] = {"return ", "value",  " = ",   "(",    ");\n", "if ", "the ",
                                                "segment", "const ", "std::", "size", "  ",   "of ", "row",
                                                " and ",   "{\n",    "}\n",   "a",    "e",    "x"};
  Noise noise(seed);
  Bytes out;
  out.reserve(size + 16);
  while (out.size() < size) {
    const ByteView word = as_bytes(kWords[noise.below(std::size(kWords))]);
    out.insert(out.end(), word.begin(), word.end());
    if (noise.below(8) == 0) out.push_back(static_cast<std::byte>('0' + noise.below(75)));
  }
  out.resize(size);
  return out;
}

}  // namespace mhp::primitives
