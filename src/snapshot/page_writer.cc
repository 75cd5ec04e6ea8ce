// Entries to pages, cut where paths say so.
#include "snapshot/page_writer.h"

namespace mhp::snapshot {

/// One path in so many ends a page: with about 150 bytes an entry, pages of 64 + 150 KiB.
static constexpr unsigned kCutMask = 1024 - 1;

std::size_t page_bytes_of(const wire::TreeEntry& entry) {
  std::size_t bytes = 64 + entry.path.size() + entry.link_target.size() + entry.hard_link_to.size();
  bytes += entry.chunks.size() * ChunkId::kSizeBytes + entry.extents.size() * 2 * sizeof(std::uint64_t);
  for (const wire::EntryXattr& xattr : entry.xattrs) bytes += 8 + xattr.name.size() + xattr.value.size();
  return bytes;
}

void PageWriter::add(wire::TreeEntry entry, const PageOrigin& origin) {
  std::size_t bytes = page_bytes_of(entry);
  if (page_bytes_ >= kMinPageBytes) {
    primitives::Hash hash = primitives::blake3_keyed(key_, as_bytes(entry.path));
    unsigned low = std::to_integer<unsigned>(hash[0]) | std::to_integer<unsigned>(hash[1]) << 8;
    if ((low & kCutMask) == 0 || page_bytes_ + bytes > kMaxPageBytes) cut();
  }
  if (page_.entries.empty()) origin_ = origin;
  if (origin.page != origin_.page || origin.index != page_.entries.size()) origin_ = {};
  page_bytes_ += bytes;
  page_.entries.push_back(std::move(entry));
}

void PageWriter::cut() {
  if (page_.entries.empty()) return;
  Waiting page;
  if (origin_.count == page_.entries.size()) {
    page.stored = origin_.page;
  } else {
    page.bytes = wire::encode(page_);
  }
  page.first_path = page_.entries.front().path;
  waiting_bytes_ += page.bytes.size();
  waiting_.push_back(std::move(page));
  page_.entries.clear();
  page_bytes_ = 0;
}

bool PageWriter::store(vault::Packer& packer) {
  while (!waiting_.empty()) {
    Waiting& page = waiting_.front();
    if (!packer.fits(page.bytes.size())) return false;
    const ChunkId id = page.bytes.empty() ? page.stored : packer.add(page.bytes);
    list_.pages.push_back({id, std::move(page.first_path)});
    waiting_bytes_ -= page.bytes.size();
    waiting_.pop_front();
  }
  return true;
}

}  // namespace mhp::snapshot
