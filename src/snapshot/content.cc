// File content to chunks, through one window, over holes, noticing changes.
#include "snapshot/content.h"

#include <algorithm>
#include <cstring>

namespace mhp::snapshot {

using platform::Extent;
using platform::NodeInfo;
using platform::NodeKind;

wire::TreeEntry entry_of(const std::string& path, const NodeInfo& info) {
  static_assert(static_cast<int>(NodeKind::socket) == static_cast<int>(wire::EntryKind::socket));
  wire::TreeEntry entry;
  entry.path = path;
  entry.kind = static_cast<wire::EntryKind>(info.kind);
  entry.mode = info.mode;
  entry.uid = info.uid;
  entry.gid = info.gid;
  entry.mtime_ns = info.mtime_ns;
  entry.size = info.kind == NodeKind::file ? info.size : 0;
  entry.rdev = info.rdev;
  entry.ctime_ns = info.ctime_ns;
  entry.device = info.device;
  entry.inode = info.inode;
  return entry;
}

std::vector<wire::EntryXattr> entry_xattrs(std::vector<platform::Xattr> xattrs) {
  std::vector<wire::EntryXattr> out;
  for (platform::Xattr& xattr : xattrs) out.push_back({std::move(xattr.name), std::move(xattr.value)});
  std::ranges::sort(out, {}, &wire::EntryXattr::name);  // the system's order may change
  return out;
}

/// At most kMaxExtents: the smallest holes count as data.
static void join_parts(std::vector<Extent>& parts) {
  for (std::uint64_t hole = 4_KiB; parts.size() > FileReader::kMaxExtents; hole *= 2) {
    std::size_t last = 0;
    for (std::size_t i = 1; i < parts.size(); ++i) {
      std::uint64_t end = parts[last].offset + parts[last].bytes;
      if (parts[i].offset - end <= hole) {
        parts[last].bytes = parts[i].offset + parts[i].bytes - parts[last].offset;
      } else {
        parts[++last] = parts[i];
      }
    }
    parts.resize(last + 1);
  }
}

Result<void> FileReader::start(const ScanItem& item) {
  item_ = &item;
  second_try_ = false;
  changed_ = false;
  xattr_error_.reset();
  return open(&item.info);
}

/// `known`: what the scan saw; null: asks the file.
Result<void> FileReader::open(const NodeInfo* known) {
  MHP_TRY(file_, item_->folder->file(item_->name()));
  if (known != nullptr) return plan(*known);
  MHP_TRY(NodeInfo info, file_->info());
  return plan(info);
}

Result<void> FileReader::plan(const NodeInfo& info) {
  if (info.kind != NodeKind::file) return fail(Errc::not_found, "is no file any more");
  info_ = info;
  entry_ = entry_of(item_->path, info);
  cut_short_ = false;
  content_done_ = false;
  part_ = 0;
  part_done_ = 0;
  begin_ = end_ = next_chunk_bytes_ = 0;
  listed_ = 0;
  lists_.clear();
  parts_.clear();
  bool has_holes = info.size > chunker_.limits().min_bytes && info.stored_bytes < info.size;
  if (has_holes) {
    MHP_TRY(parts_, file_->extents());
    join_parts(parts_);
    has_holes = parts_.size() != 1 || parts_[0].bytes < info.size;
  } else if (info.size > 0) {
    parts_.push_back({0, info.size});
  }
  if (has_holes) {
    for (const Extent& part : parts_) entry_.extents.push_back({part.offset, part.bytes});
  }
  return {};
}

/// Reads kReadBytes more, or what is left. The window holds less than the longest chunk.
Result<void> FileReader::fill() {
  if (window_.size() == 0) window_ = AlignedBuffer(kWindowBytes);
  if (kWindowBytes - end_ < kReadBytes) {
    std::memmove(window_.data(), window_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  const std::size_t until = end_ + kReadBytes;
  while (end_ < until && part_ < parts_.size()) {
    Extent& part = parts_[part_];
    std::size_t want = std::min<std::uint64_t>(until - end_, part.bytes - part_done_);
    MHP_TRY(std::size_t got, file_->read_at(part.offset + part_done_, window_.bytes().subspan(end_, want)));
    end_ += got;
    part_done_ += got;
    if (got < want) {  // shorter than it was
      cut_short_ = true;
      part.bytes = part_done_;
      parts_.resize(part_ + 1);
    }
    if (part_done_ == part.bytes) {
      ++part_;
      part_done_ = 0;
    }
  }
  return {};
}

/// Length of the chunk at the start of the window, of which enough is read; 0 at the end of the data.
Result<std::size_t> FileReader::next_cut() {
  for (std::size_t looked_at = 0;;) {
    ByteView data = window_.bytes().subspan(begin_, end_ - begin_);
    std::size_t bytes = chunker_.next(data, looked_at);
    // A cut before the end of what is there stays where it is, whatever follows.
    if (bytes < data.size() || bytes >= chunker_.limits().max_bytes || part_ == parts_.size()) return bytes;
    looked_at = bytes;
    MHP_TRY_VOID(fill());
  }
}

Result<FileReader::Step> FileReader::read_chunks(vault::Packer& packer) {
  for (std::size_t read = 0; read < kStepBytes; read += next_chunk_bytes_, next_chunk_bytes_ = 0) {
    if (next_chunk_bytes_ == 0) {
      MHP_TRY(next_chunk_bytes_, next_cut());
    }
    if (next_chunk_bytes_ == 0) return Step::done;
    if (!packer.fits(next_chunk_bytes_)) return Step::packer_full;
    entry_.chunks.push_back(packer.add(window_.bytes().subspan(begin_, next_chunk_bytes_)));
    begin_ += next_chunk_bytes_;
    progress_bytes_ += next_chunk_bytes_;
  }
  return Step::more;
}

Result<bool> FileReader::unchanged_since_open() {
  MHP_TRY(NodeInfo now, file_->info());
  return !cut_short_ && now.size == info_.size && now.mtime_ns == info_.mtime_ns;
}

/// All is read: what remains of the entry.
void FileReader::complete() {
  content_done_ = true;
  if (cut_short_) {
    bool has_holes = !entry_.extents.empty();
    entry_.extents.clear();
    std::erase_if(parts_, [](const Extent& part) { return part.bytes == 0; });
    for (const Extent& part : parts_) {
      if (has_holes) entry_.extents.push_back({part.offset, part.bytes});
    }
    entry_.size = parts_.empty() ? 0 : parts_.back().offset + parts_.back().bytes;
  }
  auto xattrs = file_->xattrs();
  if (xattrs) {
    entry_.xattrs = entry_xattrs(std::move(*xattrs));
  } else {
    xattr_error_ = std::move(xattrs.error());
  }
  file_.reset();
}

/// Writes down more chunks than an entry should have. False: the packer is full.
bool FileReader::add_lists(vault::Packer& packer) {
  std::size_t count = entry_.chunks.size();
  if (count <= kMaxDirectChunks) return true;
  std::size_t ids_per_list = std::max<std::size_t>(4096, (count + kMaxDirectChunks - 1) / kMaxDirectChunks);
  Bytes list;
  while (listed_ < count) {
    std::size_t ids = std::min(ids_per_list, count - listed_);
    if (!packer.fits(ids * ChunkId::kSizeBytes)) return false;
    list.clear();
    for (std::size_t i = 0; i < ids; ++i) {
      auto id = entry_.chunks[listed_ + i].bytes();
      list.insert(list.end(), id.begin(), id.end());
    }
    lists_.push_back(packer.add(list));
    listed_ += ids;
  }
  entry_.chunks = std::move(lists_);
  entry_.chunks_are_lists = true;
  return true;
}

Result<FileReader::Step> FileReader::advance(vault::Packer& packer) {
  while (!content_done_) {
    MHP_TRY(Step step, read_chunks(packer));
    if (step != Step::done) return step;
    MHP_TRY(bool unchanged, unchanged_since_open());
    if (unchanged || second_try_) {
      changed_ = !unchanged;
      complete();
    } else {
      second_try_ = true;
      MHP_TRY_VOID(open(nullptr));
    }
  }
  return add_lists(packer) ? Step::done : Step::packer_full;
}

}  // namespace mhp::snapshot
