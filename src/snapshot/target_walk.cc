// Finding the open folder of a path below a restore's target.
#include "snapshot/target_walk.h"

namespace mhp::snapshot {

std::string_view folder_of(std::string_view path) {
  std::size_t slash = path.rfind('/');
  return slash == path.npos ? std::string_view() : path.substr(0, slash);
}

std::string_view name_of(std::string_view path) { return path.substr(path.rfind('/') + 1); }

void TargetWalk::keep_common_levels(std::string_view path) {
  std::size_t kept = 0;
  while (kept < levels_.size()) {
    std::size_t bytes = levels_[kept].path_bytes;
    bool same = levels_[kept].folder && path.size() >= bytes &&
                path.substr(0, bytes) == std::string_view(path_).substr(0, bytes) &&
                (path.size() == bytes || path[bytes] == '/');
    if (!same) break;
    ++kept;
  }
  levels_.resize(kept);
  path_.resize(kept == 0 ? 0 : levels_.back().path_bytes);
}

Result<std::shared_ptr<platform::TargetFolder>> TargetWalk::folder(std::string_view path) {
  keep_common_levels(path);
  // Deeper than kOpenLevels nothing is kept: the way down starts at the last one that is.
  std::shared_ptr<platform::TargetFolder> at = levels_.empty() ? root_ : levels_.back().folder;
  std::size_t begin = path_.empty() ? 0 : path_.size() + 1;
  while (begin < path.size()) {
    std::size_t end = std::min(path.find('/', begin), path.size());
    MHP_TRY(at, at->folder(std::string(path.substr(begin, end - begin))));
    if (levels_.size() < kOpenLevels) {
      path_ = path.substr(0, end);
      levels_.push_back({end, at});
    }
    begin = end + 1;
  }
  return at;
}

}  // namespace mhp::snapshot
