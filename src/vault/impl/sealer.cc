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
  PackedSegment packed = packer.pack();
  std::vector<primitives::Hash> salts(plan_.k);
  for (auto& salt : salts) random_.fill(salt);

  dispersal::SegmentFacts facts;
  facts.id = id;
  facts.vault = device_.secret.vault;
  facts.epoch = epoch_.epoch;
  facts.k = plan_.k;
  facts.sealed_bytes = sealed_bytes_of(packed.plain.size());
  dispersal::NewSegment segment(facts, homes_.place_new(plan_, id), homes_.buffers());
  SegmentKey(epoch_.data_key, salts, id).seal(packed.plain, segment.places());
  FinishedSegment out;
  out.encoded = segment.encode(salts);
  dispersal::attach_card(out.encoded, sign_card(device_, out.encoded.card));
  out.indexed.segment = id;
  out.indexed.plain_bytes = static_cast<std::uint32_t>(packed.plain.size());
  out.indexed.epoch = epoch_.epoch;
  out.indexed.directory = std::move(packed.directory);
  packer.reset();
  return out;
}

}  // namespace mhp::vault::impl
