// Randomness for keys, salts and ids, as handed out by main.
#pragma once

#include "base/bytes.h"
#include "base/ids.h"

namespace mhp::platform {

class Random {
 public:
  virtual ~Random() = default;
  /// Cryptographically secure in the real platform; from one seed in the memory one. Safe from any thread. Cannot fail
  /// (the program ends where the system has no randomness).
  virtual void fill(MutableBytes out) = 0;

  template <std::size_t N>
  std::array<std::byte, N> array() {
    std::array<std::byte, N> out;
    fill(out);
    return out;
  }
};

}  // namespace mhp::platform
