// Reads chunks: from one of their places, and from another where that one does not give them.
#include <algorithm>

#include "base/check.h"
#include "vault/impl/vault_impl.h"

namespace mhp::vault::impl {

std::shared_ptr<const Bytes> BundleCache::find(const Name& name) {
  auto found = std::ranges::find(entries_, name, &decltype(entries_)::value_type::first);
  if (found == entries_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found);
  return entries_.front().second;
}

void BundleCache::keep(const Name& name, std::shared_ptr<const Bytes> bytes) {
  if (find(name)) return;
  bytes_ += bytes->size();
  entries_.emplace_front(name, std::move(bytes));
  while (bytes_ > kMaxBytes && entries_.size() > 1) {
    bytes_ -= entries_.back().second->size();
    entries_.pop_back();
  }
}

Result<ChunkPlace> VaultImpl::place_of(const ChunkId& chunk) const {
  auto found = index_.find(chunk);
  if (found) return found->place;
  if (index_.damaged()) {
    return fail(Errc::corrupt, "the index in " + state_.cache_folder() + " is damaged: the next run makes it anew");
  }
  return fail(Errc::not_found, "chunk " + chunk.short_hex() + " is not in the index");
}

Result<ChunkPlace> VaultImpl::other_place_of(const ChunkId& chunk, const std::vector<std::uint32_t>& without) const {
  auto found = index_.find_other(chunk, without);
  if (found) return *found;
  return fail(Errc::not_found, "chunk " + chunk.short_hex() + " has no other place");
}

Task<Result<std::shared_ptr<const OpenSegment>>> VaultImpl::fetch(std::uint32_t segment,
                                                                  std::vector<std::uint32_t> bundles) {
  MHP_CHECK(segment < index_.segment_numbers());
  MHP_CO_TRY(IndexedPlace place, index_.segment(segment));
  std::vector<Range> ranges;
  for (std::uint32_t number : bundles) {
    if (number >= place.bundles.size()) {
      co_return fail(Errc::not_found, "segment " + place.id.short_hex() + ": no such bundle");
    }
    const wire::Bundle& bundle = place.bundles[number];
    ranges.push_back({.offset = bundle.offset, .bytes = bundle.stored_bytes});
  }
  MHP_CO_TRY(auto parts, co_await reader_.read(place.id, place.plain_bytes, std::move(ranges)));
  co_return std::make_shared<const FetchedSegment>(std::move(parts), std::move(place.bundles));
}

Task<Result<Bytes>> VaultImpl::read(ChunkId chunk) {
  MHP_CO_TRY(ChunkPlace place, place_of(chunk));
  std::vector<std::uint32_t> tried;
  for (;;) {
    auto bytes = co_await read_at(chunk, place);
    if (bytes || bytes.error().code == Errc::exhausted) co_return bytes;
    tried.push_back(place.segment);
    auto other = other_place_of(chunk, tried);
    if (!other) co_return bytes;
    place = *other;
  }
}

Task<Result<Bytes>> VaultImpl::read_at(ChunkId chunk, ChunkPlace place) {
  auto bundle = bundles_.find({place.segment, place.bundle});
  if (!bundle) {
    std::vector<std::uint32_t> wanted{place.bundle};
    MHP_CO_TRY(auto segment, co_await fetch(place.segment, std::move(wanted)));
    Bytes room;
    auto job = [&]() -> Result<void> {
      MHP_TRY(ByteView plain, segment->bundle(place.bundle, room));
      if (room.empty()) room = to_bytes(plain);
      return {};
    };
    MHP_CO_TRY_VOID(co_await platform_.workers().run(job));
    bundle = std::make_shared<const Bytes>(std::move(room));
    bundles_.keep({place.segment, place.bundle}, bundle);
  }
  if (std::uint64_t{place.offset} + place.bytes > bundle->size()) {
    co_return fail(Errc::corrupt, "chunk " + chunk.short_hex() + ": its bundle is too short");
  }
  ByteView bytes = ByteView(*bundle).subspan(place.offset, place.bytes);
  if (!is_id_of(record_, chunk, bytes)) {
    co_return fail(Errc::corrupt, "chunk " + chunk.short_hex() + ": differs from its id");
  }
  co_return to_bytes(bytes);
}

}  // namespace mhp::vault::impl
