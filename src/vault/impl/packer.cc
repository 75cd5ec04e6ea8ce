// Gathers small chunks, compresses what shrinks, and keeps the segment below its size.
#include "vault/impl/packer.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "primitives/hash/blake3.h"

namespace mhp::vault::impl {

SegmentPacker::SegmentPacker(const PackerParts& parts) : parts_(parts), compressor_(parts.compression_level) {
  MHP_CHECK(parts_.segment_bytes >= kMinSegmentBytes && parts_.segment_bytes <= wire::kMaxSegmentBytes);
  MHP_CHECK(wire::size_class(parts_.segment_bytes) == parts_.segment_bytes);
  directory_.index = parts_.index;
}

SegmentPacker::~SegmentPacker() {
  if (plain_.size() > 0) parts_.buffers->give(std::move(plain_));
}

bool SegmentPacker::fits(std::size_t bytes) {
  if (has_room_for_chunk(bytes)) return true;
  // Text that waits is counted as if it did not shrink. So the last bundles are smaller ones, and a segment gets full.
  if (open_[0].plain.size() >= kLeastBundleBytes) close_bundle(false);
  return has_room_for_chunk(bytes);
}

bool SegmentPacker::has_room_for_chunk(std::size_t bytes) const {
  // No bundle is stored longer than it is plain, so this is an upper bound.
  return has_room(open_[0].plain.size() + open_[1].plain.size() + bytes, 3, 1);
}

bool SegmentPacker::has_room(std::size_t content, std::size_t bundles, std::size_t chunks) const {
  content += used_;
  std::size_t directory =
      wire::directory_capacity(directory_.bundles.size() + bundles, directory_.chunks.size() + chunks);
  return content + directory + wire::SegmentTrailer::kSizeBytes <= parts_.segment_bytes &&
         directory <= kMaxDirectoryBytes;
}

ChunkId SegmentPacker::add(ByteView chunk) {
  MHP_CHECK(!chunk.empty() && chunk.size() <= wire::kMaxChunkBytes);
  ChunkId id = ChunkId::from_array(primitives::blake3_keyed(*parts_.dedup_secret, chunk));
  if (parts_.stored != nullptr && (parts_.stored->can_refer_to(id) || !parts_.session->insert(id))) return id;
  MHP_CHECK(fits(chunk.size()));
  new_bytes_ += chunk.size();
  const bool even = primitives::has_even_bytes(chunk);
  if (chunk.size() >= kOwnBundleBytes) {
    place(id, open_bundle(), 0, chunk.size());
    write_bundle(chunk, even);
    return id;
  }
  OpenBundle& open = open_[even];
  if (open.plain.size() + chunk.size() > kBundleBytes) close_bundle(even);
  open.plain.reserve(kBundleBytes);
  open.chunks.push_back(directory_.chunks.size());
  place(id, 0, open.plain.size(), chunk.size());
  open.plain.insert(open.plain.end(), chunk.begin(), chunk.end());
  return id;
}

void SegmentPacker::place(const ChunkId& id, std::uint32_t bundle, std::size_t offset, std::size_t bytes) {
  directory_.chunks.push_back({.id = id,
                               .bundle = bundle,
                               .offset = static_cast<std::uint32_t>(offset),
                               .bytes = static_cast<std::uint32_t>(bytes)});
}

void SegmentPacker::close_bundle(bool even) {
  OpenBundle& open = open_[even];
  if (open.plain.empty()) return;
  for (std::size_t chunk : open.chunks) directory_.chunks[chunk].bundle = open_bundle();
  open.chunks.clear();
  write_bundle(open.plain, even);
  open.plain.clear();
}

void SegmentPacker::close_bundles() {
  close_bundle(false);
  close_bundle(true);
}

bool SegmentPacker::take_in(Packer& packer) {
  auto& other = static_cast<SegmentPacker&>(packer);  // every packer of ours is one
  if (other.empty()) return true;
  close_bundles();
  other.close_bundles();
  const wire::SegmentDirectory& more = other.directory_;
  if (empty() || !has_room(other.used_, more.bundles.size(), more.chunks.size())) return false;
  std::ranges::copy(other.plain_.bytes().first(other.used_), plain_.bytes().subspan(used_).begin());
  const std::uint32_t bundles_before = open_bundle();
  for (wire::Bundle bundle : more.bundles) {
    bundle.offset += static_cast<std::uint32_t>(used_);
    directory_.bundles.push_back(bundle);
  }
  for (wire::ChunkEntry chunk : more.chunks) {
    chunk.bundle += bundles_before;
    directory_.chunks.push_back(chunk);
  }
  used_ += other.used_;
  new_bytes_ += other.new_bytes_;
  other.reset();
  return true;
}

/// `even`: its bytes look like noise, so that it is worth a closer look before it is compressed.
void SegmentPacker::write_bundle(ByteView plain, bool even) {
  if (plain_.size() == 0) {
    std::size_t longest =
        primitives::Compressor::bound(wire::kMaxChunkBytes);  // may pass the end before it is given up
    plain_ = parts_.buffers->take(parts_.segment_bytes + longest - wire::kMaxChunkBytes);
  }
  wire::Bundle bundle;
  bundle.offset = static_cast<std::uint32_t>(used_);
  bundle.plain_bytes = static_cast<std::uint32_t>(plain.size());
  bundle.stored_bytes = bundle.plain_bytes;
  MutableBytes rest = plain_.bytes().subspan(used_);
  if (!even || !primitives::looks_incompressible(plain)) {
    MHP_CHECK(rest.size() >= primitives::Compressor::bound(plain.size()));
    std::size_t shorter = compressor_.compress(plain, rest);
    bundle.compressed = shorter < plain.size();
    if (bundle.compressed) bundle.stored_bytes = static_cast<std::uint32_t>(shorter);
  }
  if (!bundle.compressed) std::ranges::copy(plain, rest.begin());
  used_ += bundle.stored_bytes;
  directory_.bundles.push_back(bundle);
}

PackedSegment SegmentPacker::pack() {
  MHP_CHECK(!empty());
  close_bundles();
  Bytes directory = wire::encode(directory_);
  std::size_t needed = used_ + directory.size() + wire::SegmentTrailer::kSizeBytes;
  std::size_t plain_bytes = wire::size_class(needed);
  MHP_CHECK(plain_bytes <= plain_.size());
  MutableBytes plain = plain_.bytes().first(plain_bytes);
  wire::SegmentTrailer trailer;
  trailer.directory_offset = static_cast<std::uint32_t>(used_);
  trailer.directory_bytes = static_cast<std::uint32_t>(directory.size());
  std::ranges::copy(directory, plain.subspan(used_).begin());
  MutableBytes zeros = plain.subspan(used_ + directory.size());
  std::ranges::fill(zeros, std::byte{0});
  wire::write_segment_trailer(trailer, zeros.last<wire::SegmentTrailer::kSizeBytes>());
  return {.plain = plain, .directory = directory_};
}

void SegmentPacker::reset() {
  used_ = 0;
  new_bytes_ = 0;
  for (OpenBundle& open : open_) {
    open.plain.clear();
    open.chunks.clear();
  }
  directory_ = {};
  directory_.index = parts_.index;
}

}  // namespace mhp::vault::impl
