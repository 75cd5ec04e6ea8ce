// How much a folder home may still take: by its own bound, and by what its disk is to keep free.
#pragma once

#include "home/folder_home.h"

namespace mhp::home::impl {

/// "1.2 GB": decimal units, as drives are sold.
std::string human_bytes(std::uint64_t bytes);

/// Asks the disk once per 64 MiB written, and again before it says no. One thread at a time.
class SpaceBound {
 public:
  SpaceBound(platform::Disk& disk, std::string path, FolderLimits limits)
      : disk_(disk), path_(std::move(path)), limits_(limits) {}
  /// Whether `bytes` more may be written where `used` are. Errors: full, with a detail for a person; unavailable.
  Result<void> check(std::uint64_t used, std::uint64_t bytes);
  /// Says that they were.
  void wrote(std::uint64_t bytes) { written_ += bytes; }
  /// What may still be written where `used` are.
  Result<std::uint64_t> room(std::uint64_t used) const;

 private:
  static constexpr std::uint64_t kAskEveryBytes = 64_MiB;
  Result<void> ask();

  platform::Disk& disk_;
  const std::string path_;
  const FolderLimits limits_;
  bool asked_ = false;
  std::uint64_t free_ = 0;     // when asked
  std::uint64_t written_ = 0;  // since then
};

}  // namespace mhp::home::impl
