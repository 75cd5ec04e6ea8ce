// Choosing snapshots, walking them, comparing two.
#include "snapshot/tree.h"

#include <algorithm>

#include "snapshot/page_reader.h"
#include "snapshot/pattern.h"

namespace mhp::snapshot {
namespace {

constexpr std::size_t kMinPrefixDigits = 4;

/// Steps through one snapshot's entries; a page is read when an entry in it is looked at.
class DiffSide {
 public:
  explicit DiffSide(vault::Vault& vault) : vault_(vault) {}
  Task<Result<void>> open(ChunkId page_list) {
    MHP_CO_TRY(list_, co_await read_page_list(vault_, page_list));
    co_return Result<void>();
  }
  bool at_end() const { return page_ == list_.pages.size(); }
  /// The page that starts here and was not read yet.
  const ChunkId* whole_page() const { return loaded_ ? nullptr : &list_.pages[page_].page; }
  const std::string& path() const { return loaded_ ? entries_.entries[entry_].path : list_.pages[page_].first_path; }
  Task<Result<void>> load() {
    if (loaded_) co_return Result<void>();
    MHP_CO_TRY(entries_, co_await read_page(vault_, list_.pages[page_].page));
    if (entries_.entries.empty()) co_return fail(Errc::corrupt, "a page of the tree is empty");
    loaded_ = true;
    entry_ = 0;
    co_return Result<void>();
  }
  const wire::TreeEntry& entry() const { return entries_.entries[entry_]; }
  void next_entry() {
    if (++entry_ == entries_.entries.size()) next_page();
  }
  void next_page() {
    ++page_;
    loaded_ = false;
  }

 private:
  vault::Vault& vault_;
  wire::PageList list_;
  std::size_t page_ = 0;
  bool loaded_ = false;
  wire::TreePage entries_;
  std::size_t entry_ = 0;
};

void compare_entries(const wire::TreeEntry& older, const wire::TreeEntry& newer, std::vector<Change>& changes) {
  auto differs = [&](ChangeKind kind) { changes.push_back({kind, newer.path}); };
  if (older.kind != newer.kind) return differs(ChangeKind::kind);
  // A name that is a hard link has its content at the group's first name, which is compared there.
  bool both_have_content = older.hard_link_to.empty() && newer.hard_link_to.empty();
  bool content = older.link_target != newer.link_target || older.rdev != newer.rdev || older.size != newer.size ||
                 (both_have_content && (older.chunks != newer.chunks || older.extents != newer.extents));
  if (content) return differs(ChangeKind::content);
  bool metadata = older.mode != newer.mode || older.uid != newer.uid || older.gid != newer.gid ||
                  older.mtime_ns != newer.mtime_ns || (both_have_content && older.xattrs != newer.xattrs) ||
                  older.hard_link_to != newer.hard_link_to;
  if (metadata) differs(ChangeKind::metadata);
}

/// One step of a diff where both sides are loaded or one of them is at its end.
Task<Result<void>> diff_step(DiffSide& older, DiffSide& newer, std::vector<Change>& changes) {
  int order = older.at_end() ? 1 : newer.at_end() ? -1 : wire::compare_paths(older.path(), newer.path());
  if (order <= 0) {
    MHP_CO_TRY_VOID(co_await older.load());
  }
  if (order >= 0) {
    MHP_CO_TRY_VOID(co_await newer.load());
  }
  if (order < 0) changes.push_back({ChangeKind::removed, older.path()});
  if (order > 0) changes.push_back({ChangeKind::added, newer.path()});
  if (order == 0) compare_entries(older.entry(), newer.entry(), changes);
  if (order <= 0) older.next_entry();
  if (order >= 0) newer.next_entry();
  co_return Result<void>();
}

}  // namespace

Result<wire::SnapshotRecord> choose_snapshot(const std::vector<wire::SnapshotRecord>& snapshots,
                                             const std::string& name) {
  if (name == "latest") {
    if (snapshots.empty()) return fail(Errc::not_found, Subject::snapshot, "there is no snapshot yet");
    return snapshots.back();
  }
  if (name.size() < kMinPrefixDigits)
    return fail(Errc::usage, Subject::snapshot,
                name + ": a snapshot is named by \"latest\" or at least 4 digits of its id");
  std::string digits = name;
  for (char& c : digits) {
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
  }
  std::vector<const wire::SnapshotRecord*> fits;
  for (const auto& one : snapshots) {
    if (one.id.hex().starts_with(digits)) fits.push_back(&one);
  }
  if (fits.empty()) return fail(Errc::not_found, Subject::snapshot, name + ": no such snapshot");
  if (fits.size() == 1) return *fits.front();
  std::string several = name + ": several snapshots fit:";
  for (const auto* one : fits) several += " " + one->id.short_hex();
  return fail(Errc::usage, Subject::snapshot, several);
}

Task<Result<void>> walk(vault::Vault& vault, const wire::SnapshotRecord& snapshot, std::string from,
                        const Visit& visit) {
  PageReader reader(vault);
  MHP_CO_TRY_VOID(co_await reader.open(snapshot, entry_path(from)));
  for (;;) {
    MHP_CO_TRY(auto page, co_await reader.next());
    if (!page) co_return Result<void>();
    for (const wire::TreeEntry& entry : page->entries) {
      if (!visit(entry)) co_return Result<void>();
    }
  }
}

Task<Result<std::vector<wire::TreeEntry>>> Search::fitting(ChunkId page) const {
  MHP_CO_TRY(wire::TreePage content, co_await read_page(vault_, page));
  std::erase_if(content.entries, [this](const wire::TreeEntry& entry) { return !matches(pattern_, entry.path); });
  co_return std::move(content.entries);
}

Task<Result<void>> Search::in(wire::SnapshotRecord snapshot, std::function<void(const wire::TreeEntry&)> found) {
  MHP_CO_TRY(const wire::PageList list, co_await read_page_list(vault_, snapshot.page_list));
  for (const wire::PageRef& ref : list.pages) {
    if (const auto known = known_.find(ref.page); known != known_.end()) {
      std::ranges::for_each(known->second, found);
      continue;
    }
    MHP_CO_TRY(std::vector<wire::TreeEntry> entries, co_await fitting(ref.page));
    std::ranges::for_each(entries, found);
    if (remembered_ + entries.size() > kMostRemembered) continue;
    remembered_ += entries.size();
    known_.emplace(ref.page, std::move(entries));
  }
  co_return Result<void>();
}

Task<Result<std::vector<Change>>> diff(vault::Vault& vault, const wire::SnapshotRecord& older,
                                       const wire::SnapshotRecord& newer) {
  std::vector<Change> changes;
  DiffSide left(vault), right(vault);
  MHP_CO_TRY_VOID(co_await left.open(older.page_list));
  MHP_CO_TRY_VOID(co_await right.open(newer.page_list));
  while (!left.at_end() || !right.at_end()) {
    bool same_page = !left.at_end() && !right.at_end() && left.whole_page() != nullptr &&
                     right.whole_page() != nullptr && *left.whole_page() == *right.whole_page();
    if (same_page) {
      left.next_page();
      right.next_page();
      continue;
    }
    MHP_CO_TRY_VOID(co_await diff_step(left, right, changes));
  }
  co_return changes;
}

bool matches(const std::string& pattern, const std::string& path) { return Glob(pattern).matches(entry_path(path)); }

Task<std::vector<LostFiles>> lost_files(vault::Vault& vault) {
  std::vector<LostFiles> out;
  const std::vector<wire::SnapshotRecord> snapshots = vault.snapshots();
  for (const wire::SnapshotRecord& snapshot : snapshots) {
    LostFiles lost{.snapshot = snapshot};
    std::vector<wire::TreeEntry> in_lists;  // big files: which chunks they have stands in chunks of its own
    auto note = [&](const wire::TreeEntry& entry) {
      if (++lost.files == 1) lost.first = entry.path;
    };
    const Visit visit = [&](const wire::TreeEntry& entry) {
      const bool all = std::ranges::all_of(entry.chunks, [&](const ChunkId& chunk) { return vault.has(chunk); });
      if (!all) note(entry);
      if (all && entry.chunks_are_lists) in_lists.push_back(entry);
      return true;
    };
    const auto walked = co_await walk(vault, snapshot, "", visit);
    for (const wire::TreeEntry& entry : in_lists) {
      const auto chunks = co_await content_of(vault, entry);
      const bool all = chunks && std::ranges::all_of(*chunks, [&](const ChunkId& chunk) { return vault.has(chunk); });
      if (!all) note(entry);
    }
    if (!walked) lost.files = 0;
    if (!walked || lost.files > 0) out.push_back(std::move(lost));
  }
  co_return out;
}

Task<Result<std::vector<ChunkId>>> content_of(vault::Vault& vault, const wire::TreeEntry& entry) {
  if (!entry.chunks_are_lists) co_return entry.chunks;
  std::vector<ChunkId> ids;
  for (const ChunkId& list : entry.chunks) {
    MHP_CO_TRY(Bytes bytes, co_await vault.read(list));
    MHP_CO_TRY(auto part, parse_chunk_list(bytes));
    ids.insert(ids.end(), part.begin(), part.end());
  }
  co_return ids;
}

}  // namespace mhp::snapshot
