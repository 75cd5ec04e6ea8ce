// A home that reads and checks all that it holds once in a month, a little at a time, and remembers where it was.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "app/found_bad.h"
#include "home/shared_home.h"
#include "platform/platform.h"

namespace mhp::app {

/// One pass over all vaults of a home, in the order of their ids, and of their segments likewise.
struct ScrubRound {
  std::int64_t began_s = 0;  // Unix seconds; in the future where the round before was over early
  VaultId vault{};           // what comes after these two is still to be read
  SegmentId segment{};
  std::uint64_t rows = 0;  // that were read
  std::uint64_t bytes = 0;
  std::uint64_t bad = 0;  // of those rows
  friend bool operator==(const ScrubRound&, const ScrubRound&) = default;
};

/// As the file keeps it. Errors of reading: corrupt.
std::string to_text(const ScrubRound& round);
Result<ScrubRound> parse_scrub_round(std::string_view text);

struct ScrubPace {
  std::chrono::seconds round = std::chrono::hours(30 * 24);  // one pass takes so long, where the next bound lets it
  std::uint64_t most_bytes_per_second = 8'000'000;  // so that a round of 20 TB is possible, and no disk is busy
  std::chrono::seconds longest_pause = std::chrono::hours(6);
};

/// How long to wait after `bytes` were read so that what is left, with them, fills the time that is left. Pure.
std::chrono::nanoseconds scrub_pause(const ScrubPace& pace, std::uint64_t bytes, std::uint64_t left_bytes,
                                     std::chrono::seconds left);

/// What one step found.
struct ScrubStep {
  struct Bad {
    VaultId vault;
    SegmentId segment;
    std::uint8_t row = 0;
  };
  std::vector<Bad> bad = {};
  std::optional<ScrubRound> finished = {};  // with this step a round was over
  std::chrono::nanoseconds pause{0};        // before the next one
};

/// Takes step after step through a home; a damaged row stays as it is, and is noted for its owner, who hears of it when
/// he asks, and mends it. One task uses it. `platform`, `home` and `found` outlive it.
class SteadyScrub {
 public:
  /// `file`: where it remembers; a lost or damaged one only means that a round begins anew.
  SteadyScrub(platform::Platform& platform, home::SharedHome& home, FoundBad& found, std::string file,
              const ScrubPace& pace = {});

  /// Reads one segment's rows, or finds that it is not time yet, or that a round is over. Errors: those of the home; of
  /// the disk, where it cannot remember.
  Task<Result<ScrubStep>> step();
  /// The round under way.
  const ScrubRound& round() const { return round_; }

 private:
  std::int64_t now_s() const;
  void begin_round(std::int64_t at_s);
  void load();
  Result<void> save();
  std::chrono::seconds time_left() const;
  Task<Result<std::optional<VaultId>>> next_vault(bool past);
  Result<ScrubStep> note(const home::SharedHome::ScrubPage& page, const home::Usage& usage);
  Result<void> note_for_owner(const home::SharedHome::ScrubPage& page);
  Task<Result<ScrubStep>> end_round();

  platform::Platform& platform_;
  home::SharedHome& home_;
  FoundBad& found_;
  const std::string file_;
  const ScrubPace pace_;
  ScrubRound round_;
  bool is_loaded_ = false;
  std::chrono::nanoseconds saved_{};
};

}  // namespace mhp::app
