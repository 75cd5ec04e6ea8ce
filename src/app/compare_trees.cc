// Walking two trees side by side.
#include "app/compare_trees.h"

#include <algorithm>

namespace mhp::app {

namespace {

using platform::NodeInfo;
using platform::NodeKind;
using platform::SourceFolder;

class Comparer {
 public:
  explicit Comparer(bool with_owners) : with_owners_(with_owners) {}

  TreeComparison result;

  void folders(SourceFolder& left, SourceFolder& right, const std::string& path) {
    auto left_names = left.names();
    auto right_names = right.names();
    if (!left_names || !right_names) return differ(path, "cannot be listed");
    std::ranges::sort(*left_names);
    std::ranges::sort(*right_names);
    if (*left_names != *right_names) differ(path, "other names in it");
    for (const std::string& name : *left_names) {
      if (std::ranges::binary_search(*right_names, name)) child(left, right, name, path + "/" + name);
    }
  }

 private:
  void differ(const std::string& path, const std::string& why) {
    if (result.differences.size() < TreeComparison::kMaxDifferences) result.differences.push_back(path + ": " + why);
  }

  void child(SourceFolder& left, SourceFolder& right, const std::string& name, const std::string& path) {
    const auto a = left.info_of(name);
    const auto b = right.info_of(name);
    if (!a || !b) return differ(path, "cannot be looked at");
    ++result.entries;
    info(*a, *b, path);
    if (a->kind != b->kind) return;
    if (left.xattrs_of(name).value_or(std::vector<platform::Xattr>()) !=
        right.xattrs_of(name).value_or(std::vector<platform::Xattr>())) {
      differ(path, "other attributes");
    }
    if (a->kind == NodeKind::symlink && left.link_target(name).value_or("?") != right.link_target(name).value_or("!"))
      differ(path, "another target");
    if (a->kind == NodeKind::file) content(left, right, name, path);
    if (a->kind != NodeKind::folder) return;
    auto left_below = left.folder(name);
    auto right_below = right.folder(name);
    if (!left_below || !right_below) return differ(path, "cannot be opened");
    folders(**left_below, **right_below, path);
  }

  void info(const NodeInfo& a, const NodeInfo& b, const std::string& path) {
    if (a.kind != b.kind) return differ(path, "another kind");
    if (a.mode != b.mode) differ(path, "another mode");
    if (with_owners_ && (a.uid != b.uid || a.gid != b.gid)) differ(path, "another owner");
    if (a.mtime_ns != b.mtime_ns) differ(path, "another time");
    if (a.kind == NodeKind::file && a.size != b.size) differ(path, "another size");
  }

  void content(SourceFolder& left, SourceFolder& right, const std::string& name, const std::string& path) {
    auto a = left.file(name);
    auto b = right.file(name);
    if (!a || !b) return differ(path, "cannot be opened");
    for (std::uint64_t offset = 0;; offset += left_.size()) {
      const auto got_a = (*a)->read_at(offset, left_);
      const auto got_b = (*b)->read_at(offset, right_);
      if (!got_a || !got_b || *got_a != *got_b) return differ(path, "another length or unreadable");
      if (!std::equal(left_.begin(), left_.begin() + static_cast<std::ptrdiff_t>(*got_a), right_.begin()))
        return differ(path, "other bytes");
      result.bytes += *got_a;
      if (*got_a < left_.size()) return;
    }
  }

  const bool with_owners_;
  Bytes left_ = Bytes(1_MiB);
  Bytes right_ = Bytes(1_MiB);
};

/// The folder at `path` itself, opened.
Result<std::unique_ptr<SourceFolder>> open_folder(platform::Trees& trees, const std::string& path) {
  MHP_TRY(platform::Trees::Place place, trees.source(path));
  if (place.name.empty()) return std::move(place.folder);
  return place.folder->folder(place.name);
}

}  // namespace

Result<TreeComparison> compare_trees(platform::Trees& trees, const std::string& left, const std::string& right,
                                     bool with_owners) {
  MHP_TRY(const auto left_folder, open_folder(trees, left));
  MHP_TRY(const auto right_folder, open_folder(trees, right));
  Comparer comparer(with_owners);
  comparer.folders(*left_folder, *right_folder, left);
  return std::move(comparer.result);
}

}  // namespace mhp::app
