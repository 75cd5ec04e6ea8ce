// BLAKE3 in its three modes: plain, keyed, and bound to one purpose by a context string.
#pragma once

#include <array>
#include <memory>
#include <string_view>

#include "base/bytes.h"

namespace mhp::primitives {

using Hash = std::array<std::byte, 32>;
using Key = std::array<std::byte, 32>;

/// Incremental BLAKE3. @source BLAKE3 paper, 2020; C implementation 1.3.1.
class Blake3 {
 public:
  Blake3();
  static Blake3 keyed(const Key& key);
  /// `context`: hard-coded, globally unique, says the one purpose ("mhp 1 fragment leaf").
  static Blake3 derived(std::string_view context);
  Blake3(const Blake3&);
  Blake3& operator=(const Blake3&);
  ~Blake3();

  Blake3& update(ByteView data);
  Hash finish() const;
  /// The same hash drawn out to any length; its first 32 bytes are finish().
  void finish(MutableBytes out) const;

 private:
  static constexpr std::size_t kStateBytes = 1920;
  alignas(16) std::byte state_[kStateBytes];
};

Hash blake3(ByteView data);
Hash blake3_keyed(const Key& key, ByteView data);
/// Key derivation: `context` as in Blake3::derived, `material` is the secret.
Hash blake3_derive(std::string_view context, ByteView material);

}  // namespace mhp::primitives
