// AES-256-GCM, a message at a time and each in parts, by OpenSSL or by the fastest there is for bulk.
#pragma once

#include <array>
#include <memory>

#include "base/bytes.h"
#include "primitives/hash/blake3.h"

namespace mhp::primitives {

constexpr std::size_t kGcmTagBytes = 16;
using GcmTag = std::array<std::byte, kGcmTagBytes>;
using GcmNonce = std::array<std::byte, 12>;

/// What does the sums. All give the same bytes.
enum class GcmKernel { openssl, vaes };
bool runs_here(GcmKernel kernel);
/// The quickest for so many bytes under one key: the bulk kernel takes some milliseconds before its first message.
GcmKernel gcm_kernel_for(std::uint64_t bytes);

enum class GcmDirection { open, seal };

/// One key. Messages one after the other: start, update for each part, then tag or fits. A nonce is used once.
class Gcm {
 public:
  virtual ~Gcm() = default;
  virtual void start(const GcmNonce& nonce, ByteView associated) = 0;
  /// `in` at most 1 GiB; `out` as long, and the same place or another.
  virtual void update(ByteView in, std::byte* out) = 0;
  /// Ends a message that was sealed.
  virtual GcmTag tag() = 0;
  /// Ends a message that was opened: false where it is not what was sealed, and nothing of it may be used. In constant
  /// time.
  virtual bool fits(const GcmTag& tag) = 0;
};

/// `kernel` runs here.
std::unique_ptr<Gcm> make_gcm(GcmKernel kernel, const Key& key, GcmDirection direction);

}  // namespace mhp::primitives
