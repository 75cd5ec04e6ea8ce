// From a full packer to records that are ready for the homes: pure sums, run in workers.
#pragma once

#include "dispersal/home_set.h"
#include "vault/impl/packer.h"
#include "vault/keys.h"

namespace mhp::vault::impl {

/// Borrows all; they outlive it. Safe from several threads at once, for different packers.
class Sealer {
 public:
  Sealer(platform::Random& random, dispersal::HomeSet& homes, const Device& device, wire::EpochKey epoch,
         const dispersal::Plan& plan)
      : random_(random), homes_(homes), device_(device), epoch_(epoch), plan_(plan) {}

  SegmentId draw_id() const { return SegmentId::from_array(random_.array<32>()); }
  /// Seals, codes and signs what the packer has; the packer is empty after it. `id` is fresh: drawn for this segment
  /// alone.
  FinishedSegment seal(SegmentPacker& packer, const SegmentId& id) const;

 private:
  platform::Random& random_;
  dispersal::HomeSet& homes_;
  const Device& device_;
  const wire::EpochKey epoch_;
  const dispersal::Plan& plan_;
};

Bytes sign_card(const Device& device, const wire::Card& card);

}  // namespace mhp::vault::impl
