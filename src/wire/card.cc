// Cards to bytes and back.
#include "wire/card.h"

#include <wire/visible.pb.h>

#include "wire/impl/proto.h"

namespace mhp::wire {

Bytes encode(const Card& card) {
  auto message = impl::make<proto::Card>();
  message.set_segment(impl::to_field(card.segment.bytes()));
  message.set_vault(impl::to_field(card.vault.bytes()));
  message.set_version(card.version);
  message.set_k(card.k);
  message.set_epoch(card.epoch);
  message.set_sealed_bytes(card.sealed_bytes);
  message.set_row_bytes(card.row_bytes);
  message.set_minimum_hold_s(card.minimum_hold_s);
  message.mutable_fragments()->reserve(32 * card.fragments.size());
  for (const FragmentId& id : card.fragments) impl::append(*message.mutable_fragments(), id.bytes());
  return impl::serialize(message);
}

Result<Card> parse_card(ByteView bytes) {
  const impl::Bounds bounds{.what = "card", .bytes = kMaxCardBytes};
  MHP_TRY(const auto message, impl::read<proto::Card>(bytes, bounds));
  Card card;
  MHP_TRY(card.segment, impl::take_id<SegmentId>(message.segment(), bounds.what));
  MHP_TRY(card.vault, impl::take_id<VaultId>(message.vault(), bounds.what));
  card.version = message.version();
  card.k = message.k();
  card.epoch = message.epoch();
  card.sealed_bytes = message.sealed_bytes();
  card.row_bytes = message.row_bytes();
  card.minimum_hold_s = message.minimum_hold_s();
  const std::string& fragments = message.fragments();
  const std::size_t n = fragments.size() / 32;
  if (card.version == 0) return impl::bad(bounds.what, "version 0");
  if (card.k == 0 || card.k > kMaxNeed) return impl::bad(bounds.what, "k is not in 1 to 128");
  if (fragments.size() % 32 != 0 || n < card.k || n > kMaxRows) return impl::bad(bounds.what, "wrong number of rows");
  if (card.sealed_bytes == 0 || card.sealed_bytes > kMaxSealedBytes) return impl::bad(bounds.what, "sealed size");
  if (card.row_bytes != (card.sealed_bytes + card.k - 1) / card.k) return impl::bad(bounds.what, "row size");
  if (card.minimum_hold_s > kMaxHoldS) return impl::bad(bounds.what, "the minimum hold is too long");
  card.fragments.reserve(n);
  for (std::size_t i = 0; i < n; ++i) card.fragments.push_back(impl::id_at<FragmentId>(fragments, i));
  return card;
}

}  // namespace mhp::wire
