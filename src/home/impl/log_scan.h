// Reads a log from the disk: which records count, and where its acknowledged part ends.
#pragma once

#include "home/impl/held_index.h"
#include "platform/disk.h"

namespace mhp::home::impl {

struct LogScan {
  std::vector<FoundRecord> records;         // that a mark covers, in order
  std::vector<FoundRecord> uncovered;       // behind the last mark
  std::uint64_t end = 0;                    // after the last mark, or where the scan began
  std::uint64_t seq = 0;                    // of the last mark; what was given in where there is none
  primitives::Hash mark{};                  // its hash; what was given in where there is none
  std::uint64_t size = 0;                   // of the file
  std::size_t last_group = 0;               // records[last_group...] are those of the last mark with records
  bool last_is_whole = true;                // as many records, with the same fronts, as the last mark says
  std::optional<std::uint64_t> last_begin;  // where what the last mark covers begins; none where it covers nothing
  std::vector<std::pair<std::uint64_t, std::uint64_t>> recheck;  // ranges whose rows are to be re-hashed
  std::vector<std::uint64_t> unknown;  // blocks before `end` that are in no record and no mark
  bool unreadable = false;             // the disk failed somewhere
  bool unreadable_tail = false;        // the disk failed on something behind `end`: nothing there may be cut off
};

/// Scans `file`, log number `log`, from `from` (a block boundary where a record or mark begins) to its end. Steps over
/// what is damaged, block by block. A block that cannot be read counts as damaged. `seq`, `mark`: of the last mark
/// before `from`. Errors: unavailable where the size is not known.
Result<LogScan> scan_log(platform::File& file, const primitives::Key& log_key, std::uint32_t log, std::uint64_t from,
                         std::uint64_t seq, const primitives::Hash& mark);

}  // namespace mhp::home::impl
