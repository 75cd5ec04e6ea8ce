// Rows that a home has found damaged by reading what it holds, kept for their owners to ask for.
#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "platform/platform.h"
#include "wire/home_calls.h"

namespace mhp::app {

/// By vault and segment.
using BadBySegment = std::map<std::pair<VaultId, SegmentId>, std::set<std::uint8_t>>;

/// As the file keeps it. Errors of reading: corrupt.
std::string to_text(const BadBySegment& rows);
Result<BadBySegment> parse_found_bad(std::string_view text);

/// In memory, and in a file that is written anew after each change; those are rare. Bounded: what is more is found
/// again by the next reading. One thread. Errors: those of the disk; then it is kept in memory all the same.
class FoundBad {
 public:
  static constexpr std::size_t kMaxSegments = 10'000;

  /// `file`: where it remembers; a lost or damaged one is like an empty one.
  FoundBad(platform::Disk& disk, std::string file);

  /// What a reading of all rows of a segment found; none: it is whole. It comes next after `after`: what was remembered
  /// of segments between the two is no longer held.
  Result<void> note(const VaultId& vault, const SegmentId& after, const SegmentId& segment,
                    const std::vector<std::uint8_t>& bad);
  /// A vault has been read to its end, which is at `last`.
  Result<void> note_end(const VaultId& vault, const SegmentId& last);
  /// Of other vaults nothing is held.
  Result<void> keep_only(const std::vector<VaultId>& vaults);
  /// These rows were put again, and so are whole.
  Result<void> were_put(const VaultId& vault, const SegmentId& segment, std::span<const std::uint8_t> rows);

  /// For one who asks for a vault's, of segments after one: as many as a reply may have.
  wire::ScrubResult page(const VaultId& vault, const SegmentId& after) const;
  std::size_t rows() const;

 private:
  Result<void> save();
  Result<void> drop_between(const VaultId& vault, const SegmentId& after, const SegmentId* before);

  platform::Disk& disk_;
  const std::string file_;
  BadBySegment rows_;
};

}  // namespace mhp::app
