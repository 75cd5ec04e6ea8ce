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

bool SegmentPacker::fits(std::size_t bytes) const {
  // No bundle is stored longer than it is plain, so this is an upper bound.
  std::size_t content = used_ + raw_.size() + bytes;
  std::size_t directory = wire::directory_capacity(directory_.bundles.size() + 2, directory_.chunks.size() + 1);
  return content + directory + wire::SegmentTrailer::kSizeBytes <= parts_.segment_bytes &&
         directory <= kMaxDirectoryBytes;
}

ChunkId SegmentPacker::add(ByteView chunk) {
  MHP_CHECK(!chunk.empty() && chunk.size() <= wire::kMaxChunkBytes);
  ChunkId id = ChunkId::from_array(primitives::blake3_keyed(*parts_.dedup_secret, chunk));
  if (parts_.stored != nullptr && (parts_.stored->can_refer_to(id) || !parts_.session->insert(id))) return id;
  MHP_CHECK(fits(chunk.size()));
  new_bytes_ += chunk.size();
  if (chunk.size() >= kOwnBundleBytes) {
    place(id, open_bundle(), 0, chunk.size());
    write_bundle(chunk);
    return id;
  }
  if (raw_.size() + chunk.size() > kBundleBytes) close_bundle();
  raw_.reserve(kBundleBytes);
  raw_chunks_.push_back(directory_.chunks.size());
  place(id, 0, raw_.size(), chunk.size());
  raw_.insert(raw_.end(), chunk.begin(), chunk.end());
  return id;
}

void SegmentPacker::place(const ChunkId& id, std::uint32_t bundle, std::size_t offset, std::size_t bytes) {
  directory_.chunks.push_back({.id = id,
                               .bundle = bundle,
                               .offset = static_cast<std::uint32_t>(offset),
                               .bytes = static_cast<std::uint32_t>(bytes)});
}

void SegmentPacker::close_bundle() {
  if (raw_.empty()) return;
  for (std::size_t chunk : raw_chunks_) directory_.chunks[chunk].bundle = open_bundle();
  raw_chunks_.clear();
  write_bundle(raw_);
  raw_.clear();
}

void SegmentPacker::write_bundle(ByteView plain) {
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
  if (!primitives::looks_incompressible(plain)) {
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
  close_bundle();
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
  raw_.clear();
  raw_chunks_.clear();
  directory_ = {};
  directory_.index = parts_.index;
}

}  // namespace mhp::vault::impl
