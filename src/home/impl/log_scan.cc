// A walk over a log, block by block, that believes only what is stamped for its place.
#include "home/impl/log_scan.h"

#include <algorithm>
#include <array>

namespace mhp::home::impl {
namespace {

using wire::kLogBlockBytes;
using wire::LogPlace;

class Scanner {
 public:
  Scanner(platform::File& file, const primitives::Key& log_key, std::uint32_t log, LogScan& out)
      : file_(file), log_key_(log_key), log_(log), out_(out) {}

  void run(std::uint64_t from) {
    out_.end = at_ = from;
    while (at_ + kLogBlockBytes <= out_.size) step();
    out_.uncovered = std::move(pending_);
  }

 private:
  /// Takes what begins at at_: a record, a mark, or one block of nothing.
  void step() {
    const auto got = file_.read_at(at_, block_);
    if (!got) out_.unreadable = out_.unreadable_tail = true;
    if (got && *got == block_.size() && (take_mark() || take_record())) return;
    stepped_over_.push_back(at_);
    at_ += kLogBlockBytes;
  }

  bool take_mark() {
    const auto mark = wire::parse_commit_mark(block_, log_key_, place());
    if (!mark) return false;
    if (mark->recheck) out_.recheck.emplace_back(mark->begin, at_);
    if (mark->records > 0 || !pending_.empty()) {
      out_.last_group = out_.records.size();
      out_.last_is_whole = mark->records == pending_.size() && mark->records_hash == hash_.finish();
      out_.last_begin = mark->begin;
      std::ranges::move(pending_, std::back_inserter(out_.records));
    } else {
      out_.last_group = out_.records.size();
      out_.last_begin.reset();
      out_.last_is_whole = true;  // it says what came before: see `recheck`
    }
    pending_.clear();
    hash_ = {};
    at_ += kLogBlockBytes;
    out_.end = at_;
    out_.seq = mark->seq;
    out_.mark = wire::hash_of_mark(block_);
    out_.unreadable_tail = false;
    std::ranges::move(std::exchange(stepped_over_, {}), std::back_inserter(out_.unknown));
    return true;
  }

  bool take_record() {
    const auto lengths = wire::peek_record(block_);
    if (!lengths || lengths->record_bytes > out_.size - at_) return false;
    front_.resize(std::max<std::size_t>(lengths->front_bytes, kLogBlockBytes));
    std::ranges::copy(block_, front_.begin());
    const MutableBytes rest = MutableBytes(front_).subspan(kLogBlockBytes);
    if (!rest.empty()) {
      const auto got = file_.read_at(at_ + kLogBlockBytes, rest);
      if (!got) out_.unreadable = out_.unreadable_tail = true;
      if (!got || *got != rest.size()) return false;
    }
    auto front = wire::parse_record_front(front_);
    if (!front) return false;
    const auto hash = wire::record_front_hash(front_);
    const auto stamp = wire::stamp_of_record(log_key_, hash, place());
    if (!std::ranges::equal(stamp, wire::record_stamp(ByteView(front_)))) return false;
    hash_.update(hash);
    pending_.push_back({front->vault, front->segment, front->card_version, place(), front->record_bytes,
                        front->front_bytes, std::move(front->rows)});
    at_ += front->record_bytes;
    return true;
  }

  LogPlace place() const { return {log_, at_}; }

  platform::File& file_;
  const primitives::Key& log_key_;
  const std::uint32_t log_;
  LogScan& out_;
  std::uint64_t at_ = 0;
  std::vector<std::uint64_t> stepped_over_;  // since the last mark
  std::array<std::byte, kLogBlockBytes> block_;
  Bytes front_;
  std::vector<FoundRecord> pending_;  // since the last mark
  primitives::Blake3 hash_;           // over their front hashes
};

}  // namespace

Result<LogScan> scan_log(platform::File& file, const primitives::Key& log_key, std::uint32_t log, std::uint64_t from,
                         std::uint64_t seq, const primitives::Hash& mark) {
  LogScan out;
  out.seq = seq;
  out.mark = mark;
  MHP_TRY(out.size, file.size());
  Scanner(file, log_key, log, out).run(from);
  return out;
}

}  // namespace mhp::home::impl
