// Blocks of 4 KiB, each with a sum over itself at its end.
#include "vault/impl/block_file.h"

#include <algorithm>

#include "base/check.h"

namespace mhp::vault::impl {
namespace {

constexpr std::size_t kWriteBytes = 256 * kBlockBytes;

std::uint64_t word_at(ByteView bytes, std::size_t at) {
  std::uint64_t word;
  std::memcpy(&word, bytes.data() + at, sizeof word);
  return word;
}

/// One to one in `sum` and in `word`.
std::uint64_t mixed(std::uint64_t sum, std::uint64_t word) {
  sum = (sum ^ word) * 0x9e37'79b9'7f4a'7c15;
  return sum ^ sum >> 29;
}

bool is_whole(ByteView block, std::uint64_t number) {
  return sum_of(block.first(kBlockContent), number) == word_at(block, kBlockContent);
}

void close(MutableBytes block, std::uint64_t number) {
  std::uint64_t sum = sum_of(ByteView(block).first(kBlockContent), number);
  std::memcpy(block.data() + kBlockContent, &sum, sizeof sum);
}

}  // namespace

std::uint64_t sum_of(ByteView words, std::uint64_t seed) {
  MHP_CHECK(words.size() % 8 == 0);
  std::array<std::uint64_t, 4> lanes{1, 2, 3, 4};  // so that the multiplications overlap
  std::size_t at = 0;
  for (; at + 32 <= words.size(); at += 32) {
    for (std::size_t lane = 0; lane < 4; ++lane) lanes[lane] = mixed(lanes[lane], word_at(words, at + 8 * lane));
  }
  for (; at < words.size(); at += 8) lanes[0] = mixed(lanes[0], word_at(words, at));
  std::uint64_t sum = mixed(seed, words.size());
  for (std::uint64_t lane : lanes) sum = mixed(sum, lane);
  return sum;
}

void BlockWriter::begin(std::size_t record_bytes) {
  MHP_CHECK(in_block_ == 0 && record_bytes <= kBlockContent);
  table_ = Table{.first_block = next_block_, .records = 0, .record_bytes = record_bytes};
}

Result<void> BlockWriter::add_bytes(ByteView record) {
  MHP_CHECK(record.size() == table_.record_bytes);
  waiting_.insert(waiting_.end(), record.begin(), record.end());
  ++table_.records;
  if (++in_block_ == table_.per_block()) return close_block();
  return {};
}

Result<void> BlockWriter::close_block() {
  if (in_block_ == 0) return {};
  in_block_ = 0;
  ++next_block_;
  waiting_.resize((next_block_ - written_block_) * kBlockBytes);
  close(MutableBytes(waiting_).last(kBlockBytes), next_block_ - 1);
  return waiting_.size() >= kWriteBytes ? write_out() : Result<void>();
}

Result<void> BlockWriter::write_out() {
  MHP_TRY_VOID(file_.write_at(written_block_ * kBlockBytes, waiting_));
  written_block_ = next_block_;
  waiting_.clear();
  return {};
}

Result<Table> BlockWriter::end() {
  MHP_TRY_VOID(close_block());
  MHP_TRY_VOID(write_out());
  return table_;
}

Result<void> read_block(platform::File& file, std::uint64_t number, Block& out) {
  MHP_TRY(std::size_t got, file.read_at(number * kBlockBytes, out));
  if (got != out.size() || !is_whole(out, number)) return fail(Errc::corrupt, "index cache: a block is damaged");
  return {};
}

Result<void> write_block(platform::File& file, std::uint64_t number, ByteView content) {
  MHP_CHECK(content.size() <= kBlockContent);
  Block block{};
  std::ranges::copy(content, block.begin());
  close(block, number);
  return file.write_at(number * kBlockBytes, block);
}

Result<void> BlockCursor::fill(std::uint64_t block) {
  first_ = block;
  std::uint64_t count = std::min(kBlocksAtOnce, table_.blocks() - block);
  blocks_.resize(count * kBlockBytes);
  MHP_TRY(std::size_t got, file_->read_at((table_.first_block + block) * kBlockBytes, blocks_));
  bool whole = got == blocks_.size();
  for (std::uint64_t i = 0; whole && i < count; ++i) {
    whole = is_whole(ByteView(blocks_).subspan(i * kBlockBytes, kBlockBytes), table_.first_block + block + i);
  }
  if (!whole) {
    blocks_.clear();
    return fail(Errc::corrupt, "index cache: a block is damaged");
  }
  return {};
}

Result<ByteView> BlockCursor::next_bytes() {
  std::uint64_t block = at_ / table_.per_block();
  if (block < first_ || block >= first_ + blocks_.size() / kBlockBytes) {
    MHP_TRY_VOID(fill(block));
  }
  std::size_t offset = (block - first_) * kBlockBytes + at_ % table_.per_block() * table_.record_bytes;
  ++at_;
  return ByteView(blocks_).subspan(offset, table_.record_bytes);
}

}  // namespace mhp::vault::impl
