// Compares two trees of files byte for byte and in all that files have, as the demo's proof.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "platform/tree.h"

namespace mhp::app {

struct TreeComparison {
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;
  std::vector<std::string> differences;  // at most kMaxDifferences, each with its reason
  static constexpr std::size_t kMaxDifferences = 20;
};

/// Names, kinds, modes, owners (`with_owners`), times (ns), sizes, link targets, xattrs and content of two folders.
/// Blocking. What cannot be read on the left is left out (a backup names it). Errors: those of opening either folder.
Result<TreeComparison> compare_trees(platform::Trees& trees, const std::string& left, const std::string& right,
                                     bool with_owners = true);

}  // namespace mhp::app
