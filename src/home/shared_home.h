// A home that keeps the vaults of several owners, and can be asked about one of them as if it held no other.
#pragma once

#include "home/home.h"

namespace mhp::home {

/// What a home can be asked of the vaults of others: what each call gives, costs and changes is of one vault alone. Who
/// else claims a segment id is not seen. Contracts and errors as those of the calls of Home with the same names.
class SharedHome : public Home {
 public:
  virtual Task<Result<Holding>> find_of(VaultId vault, SegmentId segment) = 0;
  virtual Task<Result<Bytes>> read_of(VaultId vault, SegmentId segment, std::uint8_t row, std::uint64_t offset,
                                      std::uint64_t bytes) = 0;
  /// `used_bytes`: the records of this vault, with those that newer ones have replaced. `free_bytes`: of the home.
  virtual Task<Result<Usage>> usage_of(VaultId vault) = 0;
  /// put_tombstone(), where what it condemns is held for so long at least, whatever its cards say. What is condemned
  /// already stays as it is. `least_hold_s`: at most wire::kMaxHoldS.
  virtual Task<Result<void>> condemn(Bytes signed_tombstone, std::uint64_t least_hold_s) = 0;

  struct ScrubPage {
    ScrubReport report;
    SegmentId last;  // the next page comes after it
    bool more = false;
  };
  /// scrub() in parts: of at most `limit` segments after `after`.
  virtual Task<Result<ScrubPage>> scrub_some(VaultId vault, SegmentId after, std::size_t limit, unsigned percent,
                                             std::uint64_t seed) = 0;

  /// Rises when what was put is given up because a commit failed, whoever asked for that commit: where it is the same
  /// before a put and after a later good commit, that put is durable.
  virtual std::uint64_t losses() const = 0;
  /// Rises whenever a vault record may have changed: who remembers what one said, asks this.
  virtual std::uint64_t record_changes() const = 0;
};

}  // namespace mhp::home
