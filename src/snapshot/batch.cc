// A batch of items: what is unchanged is taken over, what is not is read.
#include "snapshot/batch.h"

#include <algorithm>

namespace mhp::snapshot {
namespace {

using platform::NodeKind;

bool same_times(const wire::TreeEntry& earlier, const platform::NodeInfo& info) {
  return earlier.kind == static_cast<wire::EntryKind>(info.kind) && earlier.mtime_ns == info.mtime_ns &&
         earlier.ctime_ns == info.ctime_ns && earlier.inode == info.inode;
}

/// Times are counted in ticks, of two seconds on the coarsest file systems: what changed in the tick in which it was
/// read, after that, has the same times.
constexpr std::int64_t kClockTickNs = 2'000'000'000;

/// True where the earlier run may have read it before its last change, although the times are the same.
bool may_have_changed_since(const wire::TreeEntry& earlier, std::int64_t earlier_ns) {
  return std::max(earlier.mtime_ns, earlier.ctime_ns) > earlier_ns - kClockTickNs;
}

/// True where the content that the earlier entry has is the file's, and is all there.
bool content_known(const wire::TreeEntry& earlier, const platform::NodeInfo& info, const vault::Vault& vault) {
  return earlier.size == info.size && earlier.hard_link_to.empty() &&
         std::ranges::all_of(earlier.chunks, [&](const ChunkId& chunk) { return vault.has(chunk); });
}

void lose(BatchWork& work, std::size_t item, Error error) {
  work.lost[item] = true;
  work.batch.add_error("/" + work.batch.items[item].path, std::move(error));
}

/// Something of an item is missing that does not keep it from being stored.
void warn(BatchWork& work, const ScanItem& item, const std::string& what, Error error) {
  if (error.code == Errc::exhausted) return work.batch.add_error("/" + item.path, std::move(error));
  work.warnings.push_back({"/" + item.path, what + error.detail});
}

constexpr const char* kNoAttributes = "its attributes could not be read: ";

/// Link target and attributes of what is no file.
void describe(BatchWork& work, std::size_t at) {
  const ScanItem& item = work.batch.items[at];
  wire::TreeEntry& entry = work.entries[at];
  if (item.info.kind == NodeKind::symlink) {
    auto target = item.folder->link_target(item.name());
    if (!target) return lose(work, at, std::move(target.error()));
    entry.link_target = std::move(*target);
  }
  auto xattrs = item.folder->xattrs_of(item.name());
  if (xattrs) {
    entry.xattrs = entry_xattrs(std::move(*xattrs));
  } else if (xattrs.error().code != Errc::not_found) {
    warn(work, item, kNoAttributes, std::move(xattrs.error()));
  }
}

void count(BatchWork& work, const ScanItem& item, bool existed, bool unchanged) {
  if (item.info.kind == NodeKind::folder) {
    ++work.folders;
  } else if (unchanged) {
    ++work.files_unchanged;
  } else {
    ++(existed ? work.files_changed : work.files_new);
  }
}

/// The entry as it was, with what may change unnoticed: the rest is known to be the same.
void take_over(const EarlierCursor& cursor, wire::TreeEntry& earlier, const platform::NodeInfo& info, BatchWork& work) {
  const std::uint64_t size = info.kind == NodeKind::file ? info.size : 0;
  const bool same = earlier.mode == info.mode && earlier.uid == info.uid && earlier.gid == info.gid &&
                    earlier.size == size && earlier.rdev == info.rdev && earlier.device == info.device;
  if (same) work.origins.back() = cursor.origin();
  wire::TreeEntry& entry = work.entries.emplace_back(std::move(earlier));
  entry.mode = info.mode;
  entry.uid = info.uid;
  entry.gid = info.gid;
  entry.size = size;
  entry.rdev = info.rdev;
  entry.device = info.device;
}

}  // namespace

void compare(BatchWork& work, const vault::Vault& vault, const BackupOptions& options, std::int64_t earlier_ns,
             Counters& counters) {
  EarlierCursor cursor(std::move(work.earlier));
  std::size_t items = work.batch.items.size();
  work.entries.reserve(items);
  work.origins.reserve(items);
  work.lost.assign(items, false);
  for (std::size_t i = 0; i < items && !work.batch.failed; ++i) {
    const ScanItem& item = work.batch.items[i];
    wire::TreeEntry* earlier = cursor.find(item.path);
    work.origins.emplace_back();
    bool is_file = item.info.kind == NodeKind::file;
    bool same = earlier != nullptr && same_times(*earlier, item.info);
    bool has_content = is_file && item.hard_link_to.empty();
    bool unchanged = same && (!has_content || content_known(*earlier, item.info, vault));
    count(work, item, earlier != nullptr, unchanged);
    // What was another name's hard link has nothing of its own to be taken over.
    bool is_own = item.hard_link_to.empty() && unchanged && earlier->hard_link_to.empty();
    bool reads_again = options.full_read || (is_own && may_have_changed_since(*earlier, earlier_ns));
    if (is_own && !(has_content && reads_again)) {
      take_over(cursor, *earlier, item.info, work);
    } else {
      wire::TreeEntry& entry = work.entries.emplace_back(entry_of(item.path, item.info));
      if (!item.hard_link_to.empty()) {
        entry.hard_link_to = item.hard_link_to;
      } else if (!options.dry_run) {
        if (has_content) {
          work.to_read.push_back(i);
          continue;
        }
        describe(work, i);
      }
    }
    if (item.info.kind != NodeKind::folder) counters.files.fetch_add(1, std::memory_order_relaxed);
    if (has_content) counters.bytes.fetch_add(item.info.size, std::memory_order_relaxed);
  }
}

FileReader::Step read_files(BatchWork& work, FileReader& reader, vault::Packer& packer, Counters& counters,
                            std::atomic<std::uint64_t>& added_bytes) {
  for (; work.reading < work.to_read.size() && !work.batch.failed; ++work.reading) {
    std::size_t at = work.to_read[work.reading];
    const ScanItem& item = work.batch.items[at];
    Result<void> ready;
    if (!work.opened) ready = reader.start(item);
    work.opened = true;
    Result<FileReader::Step> step = FileReader::Step::done;
    if (ready) step = reader.advance(packer);
    std::uint64_t bytes = reader.take_progress();
    added_bytes += bytes;
    counters.bytes.fetch_add(bytes, std::memory_order_relaxed);
    if (ready && step && *step != FileReader::Step::done) return *step;
    work.opened = false;
    counters.files.fetch_add(1, std::memory_order_relaxed);
    if (!ready || !step) {
      lose(work, at, std::move(!ready ? ready.error() : step.error()));
      continue;
    }
    work.entries[at] = reader.take_entry();
    if (reader.changed()) work.warnings.push_back({"/" + item.path, "changed while it was read"});
    if (reader.xattr_error()) warn(work, item, kNoAttributes, *reader.xattr_error());
  }
  return FileReader::Step::done;
}

}  // namespace mhp::snapshot
