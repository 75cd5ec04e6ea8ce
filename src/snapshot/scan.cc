// The walk over source trees.
#include "snapshot/scan.h"

#include <algorithm>

#include "base/check.h"

namespace mhp::snapshot {
namespace {

using platform::NodeInfo;
using platform::NodeKind;
using platform::SourceFolder;

/// Of the folders on the way down this many stay open; the ones further up are opened again when the walk comes back to
/// them.
constexpr std::size_t kOpenLevels = 64;
constexpr std::uint64_t kMaxExcludeFileBytes = 4_MiB;
/// Of the levels above the one that is walked, so many have folders listed ahead.
constexpr std::size_t kLevelsAhead = 4;

}  // namespace

void ScanBatch::add_error(const std::string& path, Error error) {
  if (error.code != Errc::exhausted) return errors.push_back({path, std::move(error.detail)});
  error.detail = path + ": " + error.detail;
  if (!failed) failed = std::move(error);
}

Result<std::vector<std::string>> normal_paths(platform::Disk& disk, std::vector<std::string> paths) {
  if (paths.empty()) return fail(Errc::usage, "no path given");
  for (std::string& path : paths) {
    if (path.empty()) return fail(Errc::usage, "an empty path");
    if (path.front() != '/') path.insert(0, "./");
    bool follows = path.ends_with('/');
    while (path.size() > 1 && path.ends_with('/')) path.pop_back();
    std::size_t slash = path.rfind('/');
    std::string name = path.substr(slash + 1);
    if (name.empty()) continue;
    bool whole = follows || name == "." || name == "..";
    MHP_TRY(std::string folder, disk.absolute(whole ? path : path.substr(0, std::max<std::size_t>(slash, 1))));
    path = whole ? folder : (folder == "/" ? "/" : folder + "/") + name;
  }
  std::ranges::sort(paths, [](const std::string& a, const std::string& b) { return wire::compare_paths(a, b) < 0; });
  std::vector<std::string> kept;
  for (std::string& path : paths) {
    // What lies in an earlier path stands right behind it in this order.
    if (!kept.empty() && (path == kept.back() || kept.back() == "/" || path.starts_with(kept.back() + "/"))) continue;
    kept.push_back(std::move(path));
  }
  return kept;
}

Result<std::unique_ptr<Scanner>> Scanner::start(platform::Trees& trees, platform::Disk& disk,
                                                const ScanOptions& options, BatchLimits limits,
                                                platform::WorkerPool* ahead) {
  auto scanner = std::make_unique<Scanner>(OnlyStart(), trees, options, limits, ahead);
  for (const std::string& file : options.exclude_files) {
    auto text = platform::read_file(disk, file, kMaxExcludeFileBytes);
    if (!text) return fail(Errc::usage, "exclude file " + text.error().detail);
    scanner->ignore_.add_text(as_text(*text));
  }
  for (const std::string& line : options.excludes) scanner->ignore_.add(line);
  MHP_TRY_VOID(scanner->open_paths());
  return scanner;
}

/// Why a path that was given cannot be saved at all.
static tl::unexpected<Error> unusable(const std::string& path, const Error& error) {
  const Errc code = error.code == Errc::exhausted ? Errc::exhausted : Errc::usage;
  return fail(code, path + ": " + error.detail);
}

Result<void> Scanner::open_paths() {
  for (const std::string& path : options_.paths) {
    auto place = trees_.source(path);
    if (!place) return unusable(path, place.error());
    auto info = place->name.empty() ? place->folder->info() : place->folder->info_of(place->name);
    if (!info) return unusable(path, info.error());
    if (info->kind == NodeKind::symlink) given_links_.push_back(path);
    Way* way = &ways_;
    for (std::size_t at = 1; at < path.size();) {
      std::size_t end = std::min(path.find('/', at), path.size());
      way = &way->below[path.substr(at, end - at)];
      at = end + 1;
    }
    way->given = true;
  }
  MHP_TRY(auto root, trees_.source("/"));
  Level top;
  top.folder = std::move(root.folder);
  if (ways_.given) {
    MHP_TRY(NodeInfo info, top.folder->info());
    top.device = info.device;
    MHP_TRY(FolderList list, list_folder(top.folder, /*exclude_caches=*/false));
    top.names = std::move(list.names);
    top.infos = std::move(list.infos);
  } else {
    top.way = &ways_;
    for (const auto& [name, below] : ways_.below) top.names.push_back(name);
  }
  levels_.push_back(std::move(top));
  return {};
}

ScanBatch Scanner::next() {
  ScanBatch batch;
  batch.seq = next_seq_;
  batch.items.reserve(limits_.items);
  batch_bytes_ = 0;
  batch_folders_ = 0;
  while (!levels_.empty() && !batch.failed && batch.items.size() < limits_.items && batch_bytes_ < limits_.file_bytes &&
         batch_folders_ < limits_.folders && batch.errors.size() < limits_.items) {
    Level& level = levels_.back();
    path_.resize(level.path_bytes);
    if (level.at == level.names.size()) {
      levels_.pop_back();
      continue;
    }
    std::string name = std::move(level.names[level.at++]);
    visit(name, batch);
  }
  if (!batch.items.empty() || !batch.errors.empty()) ++next_seq_;
  return batch;
}

/// One name of the folder that is walked: an item, and if it is a folder the walk goes into it.
void Scanner::visit(const std::string& name, ScanBatch& batch) {
  auto folder = handle(levels_.size() - 1);
  Level& level = levels_.back();
  if (!folder) {
    batch.add_error("/" + path_, std::move(folder.error()));
    level.at = level.names.size();
    return;
  }
  const std::size_t number = level.at - 1;
  Result<NodeInfo> info = number < level.infos.size() && level.infos[number] ? Result<NodeInfo>(*level.infos[number])
                                                                             : (*folder)->info_of(name);
  if (level.path_bytes > 0) path_ += '/';
  path_ += name;
  if (!info) {
    // Gone since the folder was listed: as if it had gone before.
    if (info.error().code != Errc::not_found) batch.add_error("/" + path_, std::move(info.error()));
    return;
  }
  if (left_out(level, path_, *info)) return;
  add_item(*folder, *info, batch);
  if (info->kind != NodeKind::folder) return;

  Level below;
  below.path_bytes = path_.size();
  below.way = level.way == nullptr ? nullptr : &level.way->below.at(name);
  below.given_bytes = level.given_bytes;
  below.device = level.device;
  if (below.way != nullptr && below.way->given) {
    below.way = nullptr;
    below.given_bytes = path_.size();
    below.device = info->device;
  }
  if (!is_other_system(below, *info)) enter(*folder, name, std::move(below), batch);
}

/// Where another file system is mounted that is not wanted. `level`: of the folder, or of the one that holds it.
bool Scanner::is_other_system(const Level& level, const NodeInfo& info) const {
  return level.way == nullptr && options_.one_file_system && info.device != level.device;
}

/// `path`: of what `level` holds.
bool Scanner::left_out(const Level& level, std::string_view path, const NodeInfo& info) {
  bool is_folder = info.kind == NodeKind::folder;
  if (is_folder && std::ranges::find(options_.leave_out, NodeKey(info.device, info.inode)) != options_.leave_out.end())
    return true;
  if (level.way != nullptr) return false;
  if (level.given_bytes > 0) path.remove_prefix(level.given_bytes + 1);
  return ignore_.ignores(path, is_folder);
}

/// Folders that the walk will come to soon, nearest first. None that it would leave out: it may hang.
void Scanner::list_ahead() {
  const std::size_t top = levels_.size();
  for (std::size_t i = top; i > 0 && top - i < kLevelsAhead && lists_.has_room(); --i) {
    Level& level = levels_[i - 1];
    if (level.way != nullptr || !level.folder) continue;
    level.ahead = std::max(level.ahead, level.at);
    for (; level.ahead < level.infos.size() && lists_.has_room(); ++level.ahead) {
      const auto& info = level.infos[level.ahead];
      if (!info || info->kind != NodeKind::folder || is_other_system(level, *info)) continue;
      const std::string& name = level.names[level.ahead];
      std::string path = path_.substr(0, level.path_bytes) + (level.path_bytes > 0 ? "/" : "") + name;
      if (!left_out(level, path, *info)) lists_.begin(path, level.folder, name, options_.exclude_caches);
    }
  }
}

void Scanner::add_item(const std::shared_ptr<SourceFolder>& folder, const NodeInfo& info, ScanBatch& batch) {
  if (batch.items.empty() || batch.items.back().folder != folder) ++batch_folders_;
  ScanItem& item = batch.items.emplace_back();
  item.path = path_;
  item.info = info;
  item.folder = folder;
  if (info.kind == NodeKind::file) batch_bytes_ += info.size;
  if (info.kind == NodeKind::folder || info.links < 2) return;
  auto [group, is_first] = links_.try_emplace(NodeKey(info.device, info.inode), LinkGroup{path_, info.links - 1});
  if (is_first) return;
  item.hard_link_to = group->second.first_path;
  if (info.kind == NodeKind::file) batch_bytes_ -= info.size;
  if (--group->second.left == 0) links_.erase(group);
}

/// path_ is the folder's. One above the given paths need not be readable: it is enough that it may be passed.
Result<std::unique_ptr<SourceFolder>> Scanner::open_folder(SourceFolder& parent, const std::string& name,
                                                           const Level& level) {
  auto folder = parent.folder(name);
  if (folder || level.way == nullptr || folder.error().code != Errc::denied) return folder;
  MHP_TRY(auto place, trees_.source("/" + path_ + "/" + level.way->below.begin()->first));
  return std::move(place.folder);
}

void Scanner::enter(const std::shared_ptr<SourceFolder>& parent, const std::string& name, Level level,
                    ScanBatch& batch) {
  std::optional<FolderList> list = lists_.take(path_);
  if (!list) {
    auto folder = open_folder(*parent, name, level);
    if (!folder) {
      if (folder.error().code != Errc::not_found) batch.add_error("/" + path_, std::move(folder.error()));
      return;
    }
    list.emplace();
    list->folder = std::move(*folder);
    if (level.way == nullptr) {
      auto listed = list_folder(std::move(list->folder), options_.exclude_caches);
      if (!listed) return batch.add_error("/" + path_, std::move(listed.error()));
      list = std::move(*listed);
    }
  }
  level.folder = std::move(list->folder);
  level.names = std::move(list->names);
  level.infos = std::move(list->infos);
  if (level.way != nullptr) {
    for (const auto& [below, way] : level.way->below) level.names.push_back(below);
  }
  levels_.push_back(std::move(level));
  // The top stays open, so that every other level can be reached again.
  if (levels_.size() > kOpenLevels + 1) levels_[levels_.size() - 1 - kOpenLevels].folder.reset();
  list_ahead();
}

/// The open folder of a level; opens it again, from the nearest one above that is open.
Result<std::shared_ptr<SourceFolder>> Scanner::handle(std::size_t level) {
  std::size_t open = level;
  while (!levels_[open].folder) {
    MHP_CHECK(open > 0);
    --open;
  }
  std::shared_ptr<SourceFolder> folder = levels_[open].folder;
  while (open < level) {
    std::size_t begin = levels_[open].path_bytes + (levels_[open].path_bytes > 0 ? 1 : 0);
    ++open;
    MHP_TRY(folder, folder->folder(path_.substr(begin, levels_[open].path_bytes - begin)));
    if (level - open < kOpenLevels) levels_[open].folder = folder;
  }
  return folder;
}

}  // namespace mhp::snapshot
