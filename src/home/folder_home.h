// A home that is a folder or drive: no process serves it, this program opens its files itself.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "home/shared_home.h"
#include "platform/platform.h"

namespace mhp::home {

struct FolderLimits {
  std::uint64_t max_used_bytes = 0;  // 0: bounded by min_free alone
  std::uint64_t min_free_bytes = 0;  // the disk keeps this much free; see default_min_free()
};

/// max(5 GB, 5 % of the disk); for `same_disk` trials 256 MiB or 1 %, whichever is less.
std::uint64_t default_min_free(std::uint64_t disk_bytes, bool same_disk);

/// The name of the file that makes a folder a home.
inline constexpr const char* kHomeFileName = "mhp-home";

/// What create_folder_home would find at `path`: the id of the home that is there, or none where it would make one.
/// Changes nothing. Errors: not_found (no parent folder: a drive that is not mounted?), usage (a file, or a folder that
/// is not empty and not a home), corrupt (damaged identity file).
Result<std::optional<HomeId>> look_for_new_home(platform::Disk& disk, const std::string& path);

/// Makes `path` (its parent must exist) a home with a new id, or gives the id it already has: only this ever creates
/// the identity file, and mends a damaged one from what the home's logs say. Blocking. Errors: those of
/// look_for_new_home, denied, full, unavailable.
Result<HomeId> create_folder_home(platform::Disk& disk, platform::Random& random, const std::string& path);
/// The same with this id, which a computer that serves its home takes from its key. Errors: also usage (the home there
/// has another id).
Result<void> create_folder_home(platform::Disk& disk, platform::Random& random, const std::string& path,
                                const HomeId& id);

/// The id of the home at `path`. Blocking. Errors: not_found (no folder or no identity file: the home is away), corrupt
/// (damaged file).
Result<HomeId> folder_home_id(platform::Disk& disk, const std::string& path);

/// Opens a home for reading; begin_writing(), or the first put or heads call, takes its write lock (Errc::busy with the
/// holder's note), which is kept until the object goes. Blocking disk calls run in a lane of this home's own. A
/// background hang ends with the process. Errors: not_found (away), invalid (another home's id at this path), denied,
/// unavailable.
Result<std::unique_ptr<SharedHome>> open_folder_home(platform::Platform& platform, const std::string& path,
                                                     const HomeId& expected, const FolderLimits& limits);

/// A home as a vault's list names it.
struct FolderAddress {
  std::string path;
  HomeId id;
  FolderLimits limits;              // min_free_bytes 0: default_min_free() of the disk it lies on
  bool same_disk = false;           // for that default
  std::uint64_t reserve_bytes = 0;  // more than the limits allow: of what makes room by being stored
};
struct ReachedFolder {
  std::unique_ptr<Home> home;
  std::uint64_t device = 0;  // of the disk it lies on
  bool read_only = false;    // nothing can be written to it by this user
};

/// open_folder_home() for a drive that may hang: all that blocks runs in a lane that is left behind after `limit`.
/// Errors: those, and timed_out (does not answer).
Task<Result<ReachedFolder>> reach_folder_home(platform::Platform& platform, FolderAddress address,
                                              std::chrono::nanoseconds limit);

}  // namespace mhp::home
