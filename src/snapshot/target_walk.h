// Opens folders of a restored tree by their paths, quickly where paths come in order.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "platform/tree.h"

namespace mhp::snapshot {

/// Keeps the folders on the way to the last path open, at most 64 of them. Makes what is absent. One thread at a time.
class TargetWalk {
 public:
  explicit TargetWalk(std::shared_ptr<platform::TargetFolder> root) : root_(std::move(root)) {}
  /// `path` relative to the root, "" the root itself. Errors: those of TargetFolder::folder.
  Result<std::shared_ptr<platform::TargetFolder>> folder(std::string_view path);

 private:
  static constexpr std::size_t kOpenLevels = 64;
  struct Level {
    std::size_t path_bytes;  // of path_
    std::shared_ptr<platform::TargetFolder> folder;
  };
  void keep_common_levels(std::string_view path);

  std::shared_ptr<platform::TargetFolder> root_;
  std::string path_;
  std::vector<Level> levels_;  // one for each name of path_
};

/// "a/b/c" -> "a/b" and "c"; "c" -> "" and "c".
std::string_view folder_of(std::string_view path);
std::string_view name_of(std::string_view path);

}  // namespace mhp::snapshot
