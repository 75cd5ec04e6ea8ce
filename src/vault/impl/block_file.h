// Files of small records in blocks that check themselves: how the cache of the index lies on the disk.
#pragma once

#include <array>
#include <cstring>
#include <type_traits>

#include "platform/disk.h"

namespace mhp::vault::impl {

constexpr std::size_t kBlockBytes = 4096;
constexpr std::size_t kBlockContent = kBlockBytes - sizeof(std::uint64_t);  // then its sum
using Block = std::array<std::byte, kBlockBytes>;

/// A sum over whole 8-byte words that shows damage; no protection against people. A change within one word is always
/// seen, any other with 1 - 2^-64. `seed`: where they belong, so that others in their place are seen too.
std::uint64_t sum_of(ByteView words, std::uint64_t seed);

/// Records of one length, one after the other, none across a block's end.
struct Table {
  std::uint64_t first_block = 0;
  std::uint64_t records = 0;
  std::uint64_t record_bytes = 1;
  std::uint64_t per_block() const { return kBlockContent / record_bytes; }
  std::uint64_t blocks() const { return (records + per_block() - 1) / per_block(); }
};

/// Records of this computer's own byte order: the file is a cache and goes nowhere.
template <class Record>
ByteView bytes_of(const Record& record) {
  static_assert(std::is_trivially_copyable_v<Record> && std::has_unique_object_representations_v<Record>);
  return std::as_bytes(std::span(&record, 1));
}
template <class Record>
Record record_at(ByteView bytes) {
  static_assert(std::is_trivially_copyable_v<Record>);
  Record out;
  std::memcpy(static_cast<void*>(&out), bytes.data(), sizeof out);
  return out;
}

/// Fills a file from block 1 on, table after table; block 0 is left for what is known last. Blocking.
class BlockWriter {
 public:
  explicit BlockWriter(platform::File& file) : file_(file) {}
  void begin(std::size_t record_bytes);
  /// True where the next record begins a block.
  bool at_block_start() const { return in_block_ == 0; }
  template <class Record>
  Result<void> add(const Record& record) {
    return add_bytes(bytes_of(record));
  }
  /// Of the table that began last.
  Result<Table> end();
  std::uint64_t end_block() const { return next_block_; }

 private:
  Result<void> add_bytes(ByteView record);
  Result<void> close_block();
  Result<void> write_out();

  platform::File& file_;
  Table table_;
  Bytes waiting_;  // whole blocks, then the open one
  std::size_t in_block_ = 0;
  std::uint64_t next_block_ = 1;     // number of the block that is open
  std::uint64_t written_block_ = 1;  // of the first in waiting_
};

/// One block, checked. Errors: corrupt, those of the disk.
Result<void> read_block(platform::File& file, std::uint64_t number, Block& out);
/// Writes one with its sum; `content` is at most kBlockContent long.
Result<void> write_block(platform::File& file, std::uint64_t number, ByteView content);

/// Goes through a table from any record on, some blocks at a time. Blocking; the file must outlive it.
class BlockCursor {
 public:
  BlockCursor(platform::File& file, const Table& table, std::uint64_t first = 0)
      : file_(&file), table_(table), at_(first) {}
  std::uint64_t at() const { return at_; }
  void seek(std::uint64_t record) { at_ = record; }
  /// False at the end. Errors: corrupt, those of the disk.
  template <class Record>
  Result<bool> next(Record& out) {
    if (at_ == table_.records) return false;
    MHP_TRY(ByteView bytes, next_bytes());
    out = record_at<Record>(bytes);
    return true;
  }

 private:
  static constexpr std::uint64_t kBlocksAtOnce = 16;
  Result<ByteView> next_bytes();
  Result<void> fill(std::uint64_t block);

  platform::File* file_;
  Table table_;
  std::uint64_t at_;
  Bytes blocks_;
  std::uint64_t first_ = 0;  // block of the table at the start of blocks_
};

}  // namespace mhp::vault::impl
