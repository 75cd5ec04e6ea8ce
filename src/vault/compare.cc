// Every bundle is opened, and each chunk hashed.
#include "vault/impl/compare.h"

namespace mhp::vault::impl {
namespace {

/// Of one bundle. Blocking.
Result<void> compare_bundle(const OpenRecord& record, const FetchedSegment& whole,
                            const wire::SegmentDirectory& directory, std::uint32_t number) {
  Bytes room;
  MHP_TRY(const ByteView bundle, whole.bundle(number, room));
  for (const wire::ChunkEntry& chunk : directory.chunks) {
    if (chunk.bundle != number) continue;
    const bool is_inside = std::uint64_t{chunk.offset} + chunk.bytes <= bundle.size();
    if (!is_inside || !is_id_of(record, chunk.id, bundle.subspan(chunk.offset, chunk.bytes)))
      return fail(Errc::corrupt, "chunk " + chunk.id.short_hex() + " differs from its id");
  }
  return {};
}

}  // namespace

Task<Result<wire::IndexedSegment>> read_and_compare(VaultImpl& vault, SegmentId id) {
  MHP_CO_TRY(auto opened, co_await vault.reader_.open(id));
  wire::IndexedSegment out;
  out.segment = id;
  out.plain_bytes = static_cast<std::uint32_t>(opened.plain.bytes.size());
  out.epoch = opened.card.epoch;
  std::vector<PlainPart> parts;
  parts.push_back(std::move(opened.plain));
  const FetchedSegment whole(std::move(parts), opened.directory.bundles);
  for (std::uint32_t number = 0; number < opened.directory.bundles.size(); ++number) {
    auto job = [&] { return compare_bundle(vault.record(), whole, opened.directory, number); };
    MHP_CO_TRY_VOID(co_await vault.platform_.workers().run(job));
  }
  out.directory = std::move(opened.directory);
  co_return out;
}

}  // namespace mhp::vault::impl
