// Files on their way back: what workers write, side by side, and what became of it.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>

#include "primitives/hash/blake3.h"
#include "snapshot/restore.h"
#include "snapshot/target_walk.h"

namespace mhp::snapshot {

/// What workers found out, together. Thread-safe.
class RestoreOutcome {
 public:
  explicit RestoreOutcome(Counters& counters) : counters_(counters) {}
  /// An entry could not be brought back; `full` and `exhausted` stop everything.
  void failed(const std::string& path, Error error);
  void warn(const std::string& path, const std::string& reason);
  void restored_file(const wire::TreeEntry& entry);
  void restored_folder();
  void wrote(std::uint64_t bytes) { counters_.bytes.fetch_add(bytes, std::memory_order_relaxed); }
  /// Stops everything: nothing more can be written, or read.
  void stop(Error error);
  bool stopped() const { return stopped_.load(std::memory_order_relaxed); }
  /// In path order, once all workers have ended.
  Result<RestoreReport> take();

 private:
  Counters& counters_;
  std::atomic<bool> stopped_{false};
  std::mutex mutex_;
  RestoreReport report_;
  std::optional<Error> error_;
};

/// A regular file with content. Shared by the pieces that are written for it.
struct FileInRestore {
  std::string path;                            // relative to the target
  wire::TreeEntry entry;                       // its own path; without chunks
  bool has_content = false;                    // else it is empty, or one hole
  std::shared_ptr<platform::TargetFile> file;  // open from the start where it has several pieces
  std::atomic<std::size_t> left{1};            // pieces to be written; one more until all are known
  std::atomic<bool> failed{false};
};

/// One chunk of one file.
struct Piece {
  vault::ChunkPlace place;
  ChunkId id;
  std::uint64_t data_offset = 0;  // in the file's content without its holes
  std::size_t number = 0;         // in path order, of its window
  std::shared_ptr<FileInRestore> file;
  std::vector<std::uint32_t> tried{};  // segments that did not give it
};

/// One that its segment did not give, and why.
struct UnusablePiece {
  Piece piece;
  Error error;
};

platform::NodeInfo info_of(const wire::TreeEntry& entry);
std::vector<platform::Xattr> xattrs_of(const wire::TreeEntry& entry);
/// Bytes that chunks must give.
std::uint64_t data_bytes_of(const wire::TreeEntry& entry);

/// Writes files in one worker's job. Not for two threads; opens folders by itself.
class PieceWriter {
 public:
  PieceWriter(std::shared_ptr<platform::TargetFolder> root, const primitives::Key& dedup_secret,
              RestoreOutcome& outcome)
      : walk_(std::move(root)), dedup_secret_(dedup_secret), outcome_(outcome) {}
  /// All pieces lie in `segment`, sorted by bundle, then path. Those that it does not give: they are not done with.
  std::vector<UnusablePiece> write_all(const vault::OpenSegment& segment, const std::vector<Piece>& pieces);
  /// Makes the file and keeps it open, for several pieces.
  void open(FileInRestore& file);
  /// A file without content: empty, or one hole.
  void write_empty(FileInRestore& file);
  void fail(FileInRestore& file, Error error);
  /// One piece less to write; the last one gives the file all else it has, or takes it away if it failed.
  void done_with_piece(FileInRestore& file);
  TargetWalk& walk() { return walk_; }

 private:
  Result<void> write_piece(const Piece& piece, ByteView bundle);
  Result<void> complete(FileInRestore& file);

  TargetWalk walk_;
  const primitives::Key& dedup_secret_;
  RestoreOutcome& outcome_;
};

}  // namespace mhp::snapshot
