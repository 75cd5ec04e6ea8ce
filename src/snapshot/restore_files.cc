// Writing restored files: chunks to their places, metadata when the last is there.
#include "snapshot/restore_files.h"

#include <algorithm>

namespace mhp::snapshot {

using platform::NodeInfo;
using platform::NodeKind;

namespace {

int gravity(const Error& error) {
  if (error.subject == Subject::target) return 0;
  if (error.code == Errc::corrupt) return 2;
  return error.code == Errc::unavailable || error.code == Errc::timed_out ? 1 : 0;
}

/// `data_offset` counts data only: skips the holes.
Result<void> write_data(platform::TargetFile& file, const std::vector<wire::EntryExtent>& extents,
                        std::uint64_t data_offset, ByteView bytes) {
  if (extents.empty()) return file.write_at(data_offset, bytes);
  for (const wire::EntryExtent& extent : extents) {
    if (bytes.empty()) return {};
    if (data_offset >= extent.bytes) {
      data_offset -= extent.bytes;
      continue;
    }
    std::size_t here = std::min<std::uint64_t>(extent.bytes - data_offset, bytes.size());
    MHP_TRY_VOID(file.write_at(extent.offset + data_offset, bytes.first(here)));
    bytes = bytes.subspan(here);
    data_offset = 0;
  }
  return {};
}

}  // namespace

void RestoreOutcome::failed(const std::string& path, Error error) {
  bool hopeless = error.code == Errc::full || error.code == Errc::exhausted;
  {
    std::lock_guard lock(mutex_);
    report_.errors.push_back({"/" + path, error.detail});
    if (!report_.worst || gravity(error) > gravity(*report_.worst)) report_.worst = error;
  }
  if (!hopeless) return;
  error.detail = "/" + path + ": " + error.detail;
  stop(std::move(error));
}

void RestoreOutcome::warn(const std::string& path, const std::string& reason) {
  std::lock_guard lock(mutex_);
  report_.warnings.push_back({"/" + path, reason});
}

void RestoreOutcome::restored_file(const wire::TreeEntry& entry) {
  counters_.files.fetch_add(1, std::memory_order_relaxed);
  std::lock_guard lock(mutex_);
  ++report_.files;
  if (entry.hard_link_to.empty()) report_.bytes += entry.size;
}

void RestoreOutcome::restored_folder() {
  std::lock_guard lock(mutex_);
  ++report_.folders;
}

void RestoreOutcome::stop(Error error) {
  std::lock_guard lock(mutex_);
  if (!error_) error_ = std::move(error);
  stopped_ = true;
}

Result<RestoreReport> RestoreOutcome::take() {
  std::lock_guard lock(mutex_);
  if (error_) return tl::unexpected<Error>(std::move(*error_));
  auto by_path = [](const SourceError& a, const SourceError& b) {
    return std::pair(wire::compare_paths(a.path, b.path), a.reason.compare(b.reason)) < std::pair(0, 0);
  };
  std::ranges::sort(report_.errors, by_path);
  std::ranges::sort(report_.warnings, by_path);
  return std::move(report_);
}

NodeInfo info_of(const wire::TreeEntry& entry) {
  NodeInfo info;
  info.kind = static_cast<NodeKind>(entry.kind);
  info.mode = entry.mode;
  info.uid = entry.uid;
  info.gid = entry.gid;
  info.mtime_ns = entry.mtime_ns;
  info.size = entry.size;
  info.rdev = entry.rdev;
  return info;
}

std::vector<platform::Xattr> xattrs_of(const wire::TreeEntry& entry) {
  std::vector<platform::Xattr> xattrs;
  for (const wire::EntryXattr& xattr : entry.xattrs) xattrs.push_back({xattr.name, xattr.value});
  return xattrs;
}

std::uint64_t data_bytes_of(const wire::TreeEntry& entry) {
  if (entry.extents.empty()) return entry.size;
  std::uint64_t bytes = 0;
  for (const wire::EntryExtent& extent : entry.extents) bytes += extent.bytes;
  return bytes;
}

void PieceWriter::open(FileInRestore& file) {
  auto made = [&]() -> Result<void> {
    MHP_TRY(auto folder, walk_.folder(folder_of(file.path)));
    MHP_TRY(file.file, folder->file(std::string(name_of(file.path))));
    return {};
  }();
  if (!made) fail(file, about(Subject::target, std::move(made)).error());
}

void PieceWriter::write_empty(FileInRestore& file) {
  open(file);
  done_with_piece(file);
}

void PieceWriter::fail(FileInRestore& file, Error error) {
  if (!file.failed.exchange(true)) outcome_.failed(file.entry.path, std::move(error));
}

std::vector<UnusablePiece> PieceWriter::write_all(const vault::OpenSegment& segment, const std::vector<Piece>& pieces) {
  std::vector<UnusablePiece> unusable;
  Bytes room;
  Result<ByteView> bundle;
  std::optional<std::uint32_t> open_bundle;
  for (const Piece& piece : pieces) {
    if (!outcome_.stopped() && !piece.file->failed) {
      if (open_bundle != piece.place.bundle) {
        open_bundle = piece.place.bundle;
        bundle = segment.bundle(piece.place.bundle, room);
      }
      auto written = bundle ? write_piece(piece, *bundle) : Result<void>(tl::unexpected<Error>(bundle.error()));
      if (!written && written.error().subject != Subject::target) {
        unusable.push_back({piece, std::move(written.error())});
        continue;
      }
      if (!written) fail(*piece.file, std::move(written.error()));
    }
    done_with_piece(*piece.file);
  }
  return unusable;
}

Result<void> PieceWriter::write_piece(const Piece& piece, ByteView bundle) {
  const vault::ChunkPlace& place = piece.place;
  if (place.offset > bundle.size() || place.bytes > bundle.size() - place.offset)
    return mhp::fail(Errc::corrupt, "its content does not lie where the index says");
  ByteView bytes = bundle.subspan(place.offset, place.bytes);
  if (ChunkId::from_array(primitives::blake3_keyed(dedup_secret_, bytes)) != piece.id)
    return mhp::fail(Errc::corrupt, "its content is not what was stored");
  if (!piece.file->file) open(*piece.file);
  if (piece.file->failed) return {};
  MHP_TRY_VOID(
      about(Subject::target, write_data(*piece.file->file, piece.file->entry.extents, piece.data_offset, bytes)));
  outcome_.wrote(bytes.size());
  return {};
}

void PieceWriter::done_with_piece(FileInRestore& file) {
  if (file.left.fetch_sub(1) > 1) return;
  bool made = file.file != nullptr;
  bool bad = file.failed || outcome_.stopped();
  if (!bad) {
    auto completed = about(Subject::target, complete(file));
    if (!completed) fail(file, std::move(completed.error()));
    bad = !completed;
  }
  file.file.reset();
  if (!bad) return outcome_.restored_file(file.entry);
  if (!made) return;
  auto folder = walk_.folder(folder_of(file.path));
  if (folder) (void)(*folder)->remove(std::string(name_of(file.path)));
}

Result<void> PieceWriter::complete(FileInRestore& file) {
  const wire::TreeEntry& entry = file.entry;
  bool ends_in_hole = entry.extents.empty() ? entry.size > 0 && !file.has_content
                                            : entry.extents.back().offset + entry.extents.back().bytes < entry.size;
  if (ends_in_hole) {
    MHP_TRY_VOID(file.file->set_size(entry.size));
  }
  auto set = file.file->set_info(info_of(entry), xattrs_of(entry));
  if (!set && set.error().code == Errc::exhausted) return set;
  if (!set) outcome_.warn(entry.path, set.error().detail);
  return {};
}

}  // namespace mhp::snapshot
