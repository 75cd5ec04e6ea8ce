// Folders listed ahead of the walk: each list is made by a thread of the pool, or by the walk if it comes first.
#include "snapshot/folder_lists.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "base/check.h"

namespace mhp::snapshot {
namespace {

using platform::NodeKind;
using platform::SourceFolder;

constexpr std::string_view kCacheTag = "CACHEDIR.TAG";
/// @source Cache Directory Tagging Specification, https://bford.info/cachedir/
constexpr std::string_view kCacheSignature = "Signature: 8a477f597d28d172789f06886806bc55";

bool is_cache(SourceFolder& folder, const std::vector<std::string>& names) {
  if (!std::ranges::binary_search(names, kCacheTag)) return false;
  auto info = folder.info_of(std::string(kCacheTag));
  if (!info || info->kind != NodeKind::file) return false;  // never opens a fifo
  auto file = folder.file(std::string(kCacheTag));
  if (!file) return false;
  std::array<std::byte, kCacheSignature.size()> start;
  auto got = (*file)->read_at(0, start);
  return got && *got == start.size() && as_text(start) == kCacheSignature;
}

}  // namespace

Result<FolderList> list_folder(std::shared_ptr<SourceFolder> folder, bool exclude_caches) {
  FolderList list;
  list.folder = std::move(folder);
  MHP_TRY(list.names, list.folder->names());
  std::ranges::sort(list.names);
  if (exclude_caches && is_cache(*list.folder, list.names)) list.names.assign(1, std::string(kCacheTag));
  const std::size_t infos = std::min(list.names.size(), FolderList::kMaxInfos);
  list.infos.reserve(infos);
  for (std::size_t i = 0; i < infos; ++i) {
    auto info = list.folder->info_of(list.names[i]);
    list.infos.push_back(info ? std::optional(*info) : std::nullopt);
  }
  return list;
}

/// Whoever begins it first makes the list: a thread of the pool, or nobody once the walk has come for it.
struct FolderListsAhead::Job {
  enum class State { waiting, running, over };
  std::mutex mutex;
  std::condition_variable ended;
  State state = State::waiting;
  std::shared_ptr<SourceFolder> parent;
  std::string name;
  bool exclude_caches = true;
  std::optional<FolderList> list;

  void run() {
    {
      const std::lock_guard lock(mutex);
      if (state != State::waiting) return;
      state = State::running;
    }
    std::optional<FolderList> made;
    auto folder = parent->folder(name);
    if (folder) {
      auto listed = list_folder(std::move(*folder), exclude_caches);
      if (listed) made = std::move(*listed);
    }
    parent.reset();
    const std::lock_guard lock(mutex);
    list = std::move(made);
    state = State::over;
    ended.notify_all();
  }

  /// From the walk.
  std::optional<FolderList> take() {
    std::unique_lock lock(mutex);
    if (state == State::waiting) state = State::over;
    ended.wait(lock, [this] { return state == State::over; });
    parent.reset();
    return std::exchange(list, std::nullopt);
  }

  /// From the walk that ends early: does not wait for a folder that hangs.
  void drop() {
    const std::lock_guard lock(mutex);
    if (state == State::waiting) state = State::over;
  }
};

FolderListsAhead::~FolderListsAhead() {
  for (auto& [path, job] : jobs_) job->drop();
}

void FolderListsAhead::begin(const std::string& path, std::shared_ptr<SourceFolder> parent, std::string name,
                             bool exclude_caches) {
  MHP_CHECK(has_room());
  auto job = std::make_shared<Job>();
  job->parent = std::move(parent);
  job->name = std::move(name);
  job->exclude_caches = exclude_caches;
  bool is_new = jobs_.emplace(path, job).second;
  if (is_new) workers_->post([job] { job->run(); });
}

std::optional<FolderList> FolderListsAhead::take(const std::string& path) {
  auto found = jobs_.extract(path);
  if (found.empty()) return std::nullopt;
  return found.mapped()->take();
}

}  // namespace mhp::snapshot
