// A fresh id and fresh salts for every seal, so that no key is ever used twice.
#include "vault/impl/sealer.h"

#include "base/check.h"
#include "vault/impl/segment_seal.h"

namespace mhp::vault::impl {

Bytes sign_card(const Device& device, const wire::Card& card) {
  return wire::encode(wire::sign(device.signing, wire::kSignCard, wire::encode(card)));
}

FinishedSegment Sealer::seal(SegmentPacker& packer, const SegmentId& id) const {
  MHP_CHECK(!packer.empty());
  const wire::EpochKey& epoch = keys_.epochs.back();
  PackedSegment packed = packer.pack();
  std::vector<primitives::Hash> salts(plan_.k);
  for (auto& salt : salts) random_.fill(salt);

  std::uint64_t sealed_bytes = sealed_bytes_of(packed.plain.size());
  AlignedBuffer buffer = homes_.buffers().take(sealed_bytes);
  MutableBytes sealed = buffer.bytes().first(sealed_bytes);
  SegmentKey(epoch.data_key, salts, id).seal(packed.plain, sealed);

  dispersal::SealedSegment segment;
  segment.id = id;
  segment.vault = device_.secret.vault;
  segment.epoch = epoch.epoch;
  segment.k = plan_.k;
  segment.sealed = sealed;
  segment.salts = salts;
  FinishedSegment out;
  out.encoded = dispersal::encode(segment, homes_.place_new(plan_, id), nullptr, homes_.buffers());
  homes_.buffers().give(std::move(buffer));
  dispersal::attach_card(out.encoded, sign_card(device_, out.encoded.card));
  out.indexed.segment = id;
  out.indexed.plain_bytes = static_cast<std::uint32_t>(packed.plain.size());
  out.indexed.epoch = epoch.epoch;
  out.indexed.directory = std::move(packed.directory);
  packer.reset();
  return out;
}

}  // namespace mhp::vault::impl
