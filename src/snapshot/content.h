// Reads what has changed: a file becomes chunks, and a change while it is read is noticed.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "primitives/chunk/chunker.h"
#include "snapshot/scan.h"
#include "vault/vault.h"

namespace mhp::snapshot {

/// What an entry has from the file system, without content.
wire::TreeEntry entry_of(const std::string& path, const platform::NodeInfo& info);
std::vector<wire::EntryXattr> entry_xattrs(std::vector<platform::Xattr> xattrs);

/// One file at a time, again and again: keeps its window of 5 MiB. Blocking and CPU: runs in a worker.
class FileReader {
 public:
  /// Read at a time: it is still in the processor's cache when it is cut, hashed and packed.
  static constexpr std::size_t kReadBytes = 1_MiB;
  static constexpr std::size_t kWindowBytes = wire::kMaxChunkBytes + kReadBytes;
  /// More chunks than this are written down in lists, which are chunks themselves.
  static constexpr std::size_t kMaxDirectChunks = 1024;
  /// More data parts than this are joined over the holes between them.
  static constexpr std::size_t kMaxExtents = 4096;

  /// `chunker` is borrowed.
  explicit FileReader(const primitives::Chunker& chunker) : chunker_(chunker) {}
  /// Opens it. `item` is borrowed until the file is done.
  Result<void> start(const ScanItem& item);
  enum class Step { packer_full, more, done };
  /// Reads on, until the packer is full (seal it, then call again), some 64 MiB are read (call again), or all is done.
  Result<Step> advance(vault::Packer& packer);

  /// Bytes that became chunks since the last call.
  std::uint64_t take_progress() { return std::exchange(progress_bytes_, 0); }

  // Once done:
  wire::TreeEntry take_entry() { return std::move(entry_); }
  /// It changed while it was read, twice: the entry has what was read.
  bool changed() const { return changed_; }
  /// Why its attributes could not be read; none where they could.
  const std::optional<Error>& xattr_error() const { return xattr_error_; }

 private:
  static constexpr std::size_t kStepBytes = 64_MiB;
  Result<void> open(const platform::NodeInfo* known);
  Result<void> plan(const platform::NodeInfo& info);
  Result<void> fill();
  Result<std::size_t> next_cut();
  Result<Step> read_chunks(vault::Packer& packer);
  Result<bool> unchanged_since_open();
  void complete();
  bool add_lists(vault::Packer& packer);

  const primitives::Chunker& chunker_;
  const ScanItem* item_ = nullptr;
  std::unique_ptr<platform::SourceFile> file_;
  platform::NodeInfo info_;  // before reading
  wire::TreeEntry entry_;
  std::optional<Error> xattr_error_;
  bool second_try_ = false;
  bool cut_short_ = false;  // the file ended before its size
  bool changed_ = false;
  bool content_done_ = false;
  // Data parts; one for a file without holes. parts_[part_] is read up to part_done_.
  std::vector<platform::Extent> parts_;
  std::size_t part_ = 0;
  std::uint64_t part_done_ = 0;
  AlignedBuffer window_;
  std::size_t begin_ = 0;  // of the bytes in the window that are no chunk yet
  std::size_t end_ = 0;
  std::size_t next_chunk_bytes_ = 0;  // 0: not cut yet
  std::size_t listed_ = 0;            // chunks that are in lists already
  std::vector<ChunkId> lists_;
  std::uint64_t progress_bytes_ = 0;
};

}  // namespace mhp::snapshot
