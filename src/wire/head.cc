// Heads and the references inside them to bytes and back.
#include "wire/head.h"

#include <wire/sealed.pb.h>
#include <wire/visible.pb.h>

#include "wire/impl/proto.h"

namespace mhp::wire {

Bytes encode(const Head& head) {
  auto message = impl::make<proto::Head>();
  message.set_vault(impl::to_field(head.vault.bytes()));
  message.set_device(impl::to_field(head.device.bytes()));
  message.set_seq(head.seq);
  message.set_previous(impl::to_field(head.previous.bytes()));
  message.set_vault_record(impl::to_field(head.vault_record.bytes()));
  message.set_time_ns(head.time_ns);
  message.set_sealed_root(impl::to_field(head.sealed_root));
  message.set_epoch(head.epoch);
  message.set_vault_record_version(head.vault_record_version);
  return impl::serialize(message);
}

Result<Head> parse_head(ByteView bytes) {
  const impl::Bounds bounds{.what = "head", .bytes = kMaxHeadBytes};
  MHP_TRY(const auto message, impl::read<proto::Head>(bytes, bounds));
  Head head;
  MHP_TRY(head.vault, impl::take_id<VaultId>(message.vault(), bounds.what));
  MHP_TRY(head.device, impl::take_id<DeviceId>(message.device(), bounds.what));
  MHP_TRY(head.previous, impl::take_id<HeadHash>(message.previous(), bounds.what));
  MHP_TRY(head.vault_record, impl::take_id<RecordHash>(message.vault_record(), bounds.what));
  head.seq = message.seq();
  head.time_ns = message.time_ns();
  head.epoch = message.epoch();
  head.vault_record_version = message.vault_record_version();
  if (head.seq == 0) return impl::bad(bounds.what, "seq 0");
  if (head.epoch == 0) return impl::bad(bounds.what, "epoch 0");
  if (head.vault_record_version == 0) return impl::bad(bounds.what, "vault record version 0");
  if ((head.seq == 1) != head.previous.is_zero()) return impl::bad(bounds.what, "only the first has no previous one");
  if (message.sealed_root().size() > kMaxSealedRootBytes) return impl::bad(bounds.what, "root is too long");
  head.sealed_root = to_bytes(as_bytes(message.sealed_root()));
  return head;
}

Bytes encode(const PhysicalRef& ref) {
  auto message = impl::make<proto::PhysicalRef>();
  message.set_segment(impl::to_field(ref.segment.bytes()));
  message.set_chunk(impl::to_field(ref.chunk.bytes()));
  return impl::serialize(message);
}

Result<PhysicalRef> parse_physical_ref(ByteView bytes) {
  const impl::Bounds bounds{.what = "reference", .bytes = kMaxSealedRootBytes};
  MHP_TRY(const auto message, impl::read<proto::PhysicalRef>(bytes, bounds));
  PhysicalRef ref;
  MHP_TRY(ref.segment, impl::take_id<SegmentId>(message.segment(), bounds.what));
  MHP_TRY(ref.chunk, impl::take_id<ChunkId>(message.chunk(), bounds.what));
  return ref;
}

}  // namespace mhp::wire
