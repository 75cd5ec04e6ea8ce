// The disk in memory: live content beside durable content, and between them an ordered list of what was not synced.
#include <algorithm>
#include <filesystem>
#include <mutex>
#include <random>
#include <vector>

#include "base/check.h"
#include "platform/memory/memory_platform.h"

namespace mhp::platform {

namespace {

constexpr std::uint64_t kUnboundedTotalBytes = std::uint64_t{16} << 40;  // what space() says without a capacity

/// A write or truncate of one file that no sync has covered.
struct Change {
  std::uint64_t sequence = 0;  // order over the whole disk
  bool is_truncate = false;
  bool sync_failed = false;  // a later sync says nothing about it any more, as on real systems
  std::uint64_t offset = 0;  // of a truncate: the new size
  Bytes bytes;
  std::uint64_t end() const { return offset + bytes.size(); }
};

struct Inode {
  std::uint64_t id = 0;
  bool is_folder = false;
  bool is_named = true;  // counts toward the capacity
  Bytes live;
  Bytes durable;
  std::uint64_t reserved_end = 0;
  std::vector<Change> changes;
  std::uint64_t allocated() const { return std::max<std::uint64_t>(live.size(), reserved_end); }
};

using Names = std::map<std::string, std::shared_ptr<Inode>>;  // by absolute path

/// A change of names that no sync of its folder has covered.
struct NameChange {
  enum class Kind { add, remove, move };
  std::uint64_t sequence = 0;
  Kind kind = Kind::add;
  std::string path;
  std::string from;              // of a move
  std::shared_ptr<Inode> inode;  // of an add
};

std::string normal(const std::string& path) {
  std::string out = (std::filesystem::path("/") / path).lexically_normal().string();
  while (out.size() > 1 && out.back() == '/') out.pop_back();
  return out;
}

bool is_below(const std::string& path, const std::string& folder) {
  if (folder == "/") return path.size() > 1;
  return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
}

void put(Bytes& content, std::uint64_t offset, ByteView bytes) {
  if (content.size() < offset + bytes.size()) content.resize(offset + bytes.size());
  std::copy(bytes.begin(), bytes.end(), content.begin() + static_cast<std::ptrdiff_t>(offset));
}

void carry_out(Bytes& content, const Change& change) {
  if (change.is_truncate) {
    content.resize(change.offset);
  } else {
    put(content, change.offset, change.bytes);
  }
}

void move_names(Names& names, const std::string& from, const std::string& to) {
  Names moved;
  for (auto it = names.begin(); it != names.end();) {
    if (it->first != from && !is_below(it->first, from)) {
      ++it;
      continue;
    }
    moved[to + it->first.substr(from.size())] = it->second;
    it = names.erase(it);
  }
  for (auto& [path, inode] : moved) names[path] = inode;
}

/// Of a change whose ground was lost by a power cut (a move of what is not there) nothing comes.
void carry_out(Names& names, const NameChange& change) {
  switch (change.kind) {
    case NameChange::Kind::add:
      names[change.path] = change.inode;
      break;
    case NameChange::Kind::remove:
      names.erase(change.path);
      break;
    case NameChange::Kind::move:
      if (names.contains(change.from)) move_names(names, change.from, change.path);
      break;
  }
}

bool concerns(const NameChange& change, const std::string& folder) {
  return parent_of(change.path) == folder ||
         (change.kind == NameChange::Kind::move && parent_of(change.from) == folder);
}

/// What a power cut does to un-synced changes, decided by a seed.
class PowerCut {
 public:
  explicit PowerCut(std::uint64_t seed, std::uint64_t last_sequence) : random_(seed) {
    if (seed == 0) return;
    how_ = static_cast<How>(1 + pick(3));
    prefix_end_ = pick(last_sequence + 2);
  }
  bool keeps(const NameChange& change) {
    if (how_ == How::lose_all) return false;
    return how_ == How::prefix ? change.sequence < prefix_end_ : pick(2) == 0;
  }
  /// What is in `inode`'s file afterwards.
  Bytes content_of(const Inode& inode) {
    Bytes content = inode.durable;
    if (how_ == How::lose_all) return content;
    std::vector<const Change*> order;
    for (const Change& change : inode.changes) order.push_back(&change);
    if (how_ == How::shuffled) {
      for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[pick(i)]);
    }
    for (const Change* change : order) apply_some(content, *change);
    return content;
  }

 private:
  enum class How { lose_all = 0, prefix, any_in_order, shuffled };

  std::uint64_t pick(std::uint64_t below) { return random_() % below; }

  void apply_some(Bytes& content, const Change& change) {
    bool torn = false;
    if (how_ == How::prefix) {
      if (change.sequence > prefix_end_) return;
      torn = change.sequence == prefix_end_;
    } else {
      const std::uint64_t fate = pick(3);
      if (fate == 0) return;
      torn = fate == 1;
    }
    if (torn && !change.is_truncate) {
      tear(content, change);
    } else {
      carry_out(content, change);
    }
  }

  /// Some of its 512-byte or 4 KiB parts arrive; the new size may arrive without the data (zeros).
  void tear(Bytes& content, const Change& change) {
    const std::uint64_t step = pick(2) == 0 ? 512 : 4096;
    for (std::uint64_t at = change.offset; at < change.end();) {
      const std::uint64_t next = std::min((at / step + 1) * step, change.end());
      if (pick(2) == 0) put(content, at, ByteView(change.bytes).subspan(at - change.offset, next - at));
      at = next;
    }
    if (content.size() < change.end() && pick(2) == 0) content.resize(change.end());
  }

  std::mt19937_64 random_;
  How how_ = How::lose_all;
  std::uint64_t prefix_end_ = 0;
};

tl::unexpected<Error> fail_path(Errc code, const std::string& path, const char* reason) {
  return fail(code, path + ": " + reason);
}

}  // namespace

struct MemoryDisk::State {
  mutable std::mutex mutex;
  DiskFaults faults;
  std::uint64_t calls = 0;
  std::uint64_t sequence = 0;
  std::uint64_t next_inode = 1;
  std::uint64_t used = 0;
  Names names;
  Names durable_names;
  std::vector<NameChange> name_changes;
  std::map<std::string, std::string> locks;  // path -> note

  State();
  /// Counts a call that could fail, and fails it where it is its turn.
  Result<void> step(const std::string& path);
  bool is_next_faulty() const;
  std::shared_ptr<Inode> find(const std::string& path) const;
  std::shared_ptr<Inode> make(const std::string& path, bool is_folder);
  bool has_parent(const std::string& path) const;
  bool is_empty(const std::string& folder) const;
  void change_names(NameChange change);
  void unname(const std::string& path);
  /// The bytes there is room for, of a write that ends at `end`.
  std::uint64_t end_that_fits(const Inode& inode, std::uint64_t end) const;
  /// Runs `action` and keeps the sum of used bytes right.
  template <class Action>
  void account(Inode& inode, Action action) {
    const std::uint64_t before = inode.is_named ? inode.allocated() : 0;
    action();
    used = used - before + (inode.is_named ? inode.allocated() : 0);
  }
  void write(Inode& inode, std::uint64_t offset, ByteView bytes);
  void truncate(Inode& inode, std::uint64_t bytes);
  void sync_names(const std::string& folder);

  class OpenFile;
  class HeldLock;
};

MemoryDisk::State::State() {
  auto root = std::make_shared<Inode>();
  root->is_folder = true;
  names["/"] = root;
  durable_names["/"] = root;
}

bool MemoryDisk::State::is_next_faulty() const {
  if (faults.fail_call == 0) return false;
  return calls + 1 == faults.fail_call || (faults.fail_ever_after && calls + 1 > faults.fail_call);
}

Result<void> MemoryDisk::State::step(const std::string& path) {
  const bool faulty = is_next_faulty();
  ++calls;
  if (faulty) return fail_path(faults.fail_with, path, "injected fault");
  return {};
}

std::shared_ptr<Inode> MemoryDisk::State::find(const std::string& path) const {
  const auto it = names.find(path);
  return it == names.end() ? nullptr : it->second;
}

std::shared_ptr<Inode> MemoryDisk::State::make(const std::string& path, bool is_folder) {
  auto inode = std::make_shared<Inode>();
  inode->id = next_inode++;
  inode->is_folder = is_folder;
  change_names({.kind = NameChange::Kind::add, .path = path, .from = {}, .inode = inode});
  return inode;
}

bool MemoryDisk::State::has_parent(const std::string& path) const {
  const auto parent = find(parent_of(path));
  return parent && parent->is_folder;
}

bool MemoryDisk::State::is_empty(const std::string& folder) const {
  const auto next = names.upper_bound(folder == "/" ? folder : folder + "/");
  return next == names.end() || !is_below(next->first, folder);
}

void MemoryDisk::State::change_names(NameChange change) {
  change.sequence = ++sequence;
  carry_out(names, change);
  name_changes.push_back(std::move(change));
}

void MemoryDisk::State::unname(const std::string& path) {
  const auto inode = find(path);
  if (!inode) return;
  account(*inode, [&] { inode->is_named = false; });
}

std::uint64_t MemoryDisk::State::end_that_fits(const Inode& inode, std::uint64_t end) const {
  const std::uint64_t free = faults.capacity_bytes - std::min(used, faults.capacity_bytes);
  const std::uint64_t allocated = inode.allocated();
  return end <= allocated || end - allocated <= free ? end : allocated + free;
}

void MemoryDisk::State::write(Inode& inode, std::uint64_t offset, ByteView bytes) {
  if (bytes.empty()) return;
  Change change{
      .sequence = ++sequence, .is_truncate = false, .sync_failed = false, .offset = offset, .bytes = to_bytes(bytes)};
  account(inode, [&] { carry_out(inode.live, change); });
  inode.changes.push_back(std::move(change));
}

void MemoryDisk::State::truncate(Inode& inode, std::uint64_t bytes) {
  Change change{.sequence = ++sequence, .is_truncate = true, .sync_failed = false, .offset = bytes, .bytes = {}};
  account(inode, [&] {
    carry_out(inode.live, change);
    inode.reserved_end = 0;
  });
  inode.changes.push_back(std::move(change));
}

void MemoryDisk::State::sync_names(const std::string& folder) {
  std::vector<NameChange> rest;
  for (NameChange& change : name_changes) {
    if (!concerns(change, folder)) {
      rest.push_back(std::move(change));
      continue;
    }
    carry_out(durable_names, change);
    if (change.kind != NameChange::Kind::move) continue;
    for (NameChange& earlier : rest) {  // what was made in a folder that moved
      if (is_below(earlier.path, change.from)) earlier.path = change.path + earlier.path.substr(change.from.size());
      if (is_below(earlier.from, change.from)) earlier.from = change.path + earlier.from.substr(change.from.size());
    }
  }
  name_changes = std::move(rest);
}

class MemoryDisk::State::OpenFile : public File {
 public:
  OpenFile(std::shared_ptr<State> disk, std::shared_ptr<Inode> inode, std::string path, bool may_write)
      : disk_(std::move(disk)), inode_(std::move(inode)), path_(std::move(path)), may_write_(may_write) {}

  Result<std::size_t> read_at(std::uint64_t offset, MutableBytes out) override {
    std::lock_guard lock(disk_->mutex);
    const Bytes& content = inode_->live;
    if (offset >= content.size()) return std::size_t{0};
    const std::size_t count = std::min<std::size_t>(out.size(), content.size() - offset);
    std::copy_n(content.begin() + static_cast<std::ptrdiff_t>(offset), count, out.begin());
    return count;
  }
  Result<void> write_at(std::uint64_t offset, ByteView bytes) override {
    std::lock_guard lock(disk_->mutex);
    if (!may_write_) return fail_path(Errc::denied, path_, "open for reading only");
    if (auto ok = disk_->step(path_); !ok) {
      if (disk_->faults.short_write) disk_->write(*inode_, offset, bytes.first(bytes.size() / 2));
      return ok;
    }
    const std::uint64_t end = disk_->end_that_fits(*inode_, offset + bytes.size());
    if (end == offset + bytes.size()) {
      disk_->write(*inode_, offset, bytes);
      return {};
    }
    if (end > offset) disk_->write(*inode_, offset, bytes.first(end - offset));
    return fail_path(Errc::full, path_, "no space left on device");
  }
  Result<void> write_bulk(std::uint64_t offset, ByteView bytes) override {
    MHP_CHECK(offset % AlignedBuffer::kAlignment == 0 && bytes.size() % AlignedBuffer::kAlignment == 0);
    MHP_CHECK(reinterpret_cast<std::uintptr_t>(bytes.data()) % AlignedBuffer::kAlignment == 0);
    return write_at(offset, bytes);
  }
  Result<void> sync() override {
    std::lock_guard lock(disk_->mutex);
    if (auto ok = disk_->step(path_); !ok) {
      for (Change& change : inode_->changes) change.sync_failed = true;
      return ok;
    }
    make_durable();
    return {};
  }
  Result<void> reserve(std::uint64_t offset, std::uint64_t bytes) override {
    std::lock_guard lock(disk_->mutex);
    MHP_TRY_VOID(disk_->step(path_));
    const std::uint64_t end = offset + bytes;
    if (disk_->end_that_fits(*inode_, end) < end) return fail_path(Errc::full, path_, "no space left on device");
    disk_->account(*inode_, [&] { inode_->reserved_end = std::max(inode_->reserved_end, end); });
    return {};
  }
  Result<void> truncate(std::uint64_t bytes) override {
    std::lock_guard lock(disk_->mutex);
    if (!may_write_) return fail_path(Errc::denied, path_, "open for reading only");
    MHP_TRY_VOID(disk_->step(path_));
    disk_->truncate(*inode_, bytes);
    return {};
  }
  Result<std::uint64_t> size() override {
    std::lock_guard lock(disk_->mutex);
    return inode_->live.size();
  }

 private:
  /// Everything but what an earlier failed sync gave up; of that, what lies under a newer synced change is moot.
  void make_durable() {
    std::vector<Change> given_up;
    for (Change& change : inode_->changes) {
      if (change.sync_failed) {
        given_up.push_back(std::move(change));
        continue;
      }
      carry_out(inode_->durable, change);
      std::erase_if(given_up, [&](const Change& old) {
        if (old.is_truncate) return old.offset <= change.end();  // it cannot cut off what came later
        return change.is_truncate ? old.end() > change.offset : old.offset < change.end() && change.offset < old.end();
      });
    }
    inode_->changes = std::move(given_up);
  }

  const std::shared_ptr<State> disk_;
  const std::shared_ptr<Inode> inode_;
  const std::string path_;
  const bool may_write_;
};

class MemoryDisk::State::HeldLock : public FileLock {
 public:
  HeldLock(std::shared_ptr<State> disk, std::string path) : disk_(std::move(disk)), path_(std::move(path)) {}
  ~HeldLock() override {
    std::lock_guard lock(disk_->mutex);
    disk_->locks.erase(path_);
  }

 private:
  const std::shared_ptr<State> disk_;
  const std::string path_;
};

MemoryDisk::MemoryDisk() : state_(std::make_shared<State>()) {}
MemoryDisk::~MemoryDisk() = default;

void MemoryDisk::set_faults(const DiskFaults& faults) {
  std::lock_guard lock(state_->mutex);
  state_->faults = faults;
}

std::uint64_t MemoryDisk::calls() const {
  std::lock_guard lock(state_->mutex);
  return state_->calls;
}

std::unique_ptr<MemoryDisk> MemoryDisk::after_power_cut(std::uint64_t seed) const {
  auto fresh = std::make_unique<MemoryDisk>();
  std::lock_guard lock(state_->mutex);
  PowerCut cut(seed, state_->sequence);
  Names names = state_->durable_names;
  for (const NameChange& change : state_->name_changes) {
    if (cut.keeps(change)) carry_out(names, change);
  }
  State& to = *fresh->state_;
  for (const auto& [path, inode] : names) {  // a folder comes before what is in it
    if (path == "/" || !to.has_parent(path)) continue;
    auto copy = std::make_shared<Inode>();
    copy->id = inode->id;
    copy->is_folder = inode->is_folder;
    copy->durable = cut.content_of(*inode);
    copy->live = copy->durable;
    to.used += copy->allocated();
    to.names[path] = copy;
  }
  to.durable_names = to.names;
  to.next_inode = state_->next_inode;
  return fresh;
}

void MemoryDisk::flip_bit(const std::string& path, std::uint64_t bit) {
  std::lock_guard lock(state_->mutex);
  const auto inode = state_->find(normal(path));
  MHP_CHECK(inode && bit / 8 < inode->live.size());
  const auto mask = static_cast<std::byte>(1U << (bit % 8));
  inode->live[bit / 8] ^= mask;
  if (bit / 8 < inode->durable.size()) inode->durable[bit / 8] ^= mask;
}

Result<std::unique_ptr<File>> MemoryDisk::open(const std::string& raw_path, Open how) {
  const std::string path = normal(raw_path);
  std::lock_guard lock(state_->mutex);
  MHP_TRY_VOID(state_->step(path));
  auto inode = state_->find(path);
  const bool may_create = how == Open::create || how == Open::create_exclusive;
  if (inode && how == Open::create_exclusive) return fail_path(Errc::busy, path, "file exists");
  if (inode && inode->is_folder) return fail_path(Errc::unavailable, path, "is a directory");
  if (!inode && (!may_create || !state_->has_parent(path))) {
    return fail_path(Errc::not_found, path, "no such file or directory");
  }
  if (!inode) inode = state_->make(path, false);
  return std::make_unique<State::OpenFile>(state_, std::move(inode), path, how != Open::read);
}

Result<void> MemoryDisk::make_folder(const std::string& raw_path) {
  const std::string path = normal(raw_path);
  std::lock_guard lock(state_->mutex);
  MHP_TRY_VOID(state_->step(path));
  std::vector<std::string> missing;
  for (std::string at = path; !state_->find(at); at = parent_of(at)) missing.push_back(at);
  const std::string& deepest = missing.empty() ? path : parent_of(missing.back());
  if (!state_->find(deepest)->is_folder) {
    return missing.empty() ? fail_path(Errc::busy, path, "exists and is no folder")
                           : fail_path(Errc::not_found, path, "not a directory");
  }
  for (auto it = missing.rbegin(); it != missing.rend(); ++it) {
    state_->make(*it, true);
    if (*it != path) state_->sync_names(parent_of(*it));  // the caller syncs only the last one's parent
  }
  return {};
}

Result<void> MemoryDisk::sync_folder(const std::string& raw_path) {
  const std::string path = normal(raw_path);
  std::lock_guard lock(state_->mutex);
  MHP_TRY_VOID(state_->step(path));
  const auto folder = state_->find(path);
  if (!folder || !folder->is_folder) return fail_path(Errc::not_found, path, "no such file or directory");
  state_->sync_names(path);
  return {};
}

Result<void> MemoryDisk::rename(const std::string& raw_from, const std::string& raw_to) {
  const std::string from = normal(raw_from);
  const std::string to = normal(raw_to);
  std::lock_guard lock(state_->mutex);
  MHP_TRY_VOID(state_->step(from));
  const auto inode = state_->find(from);
  if (!inode || !state_->has_parent(to)) return fail_path(Errc::not_found, from, "no such file or directory");
  const auto old = state_->find(to);
  if (old == inode) return {};
  if (is_below(to, from)) return fail_path(Errc::unavailable, to, "invalid argument");
  if (is_below(from, to)) return fail_path(Errc::busy, to, "directory not empty");
  if (old && !old->is_folder && inode->is_folder) return fail_path(Errc::not_found, to, "not a directory");
  if (old && old->is_folder && !inode->is_folder) return fail_path(Errc::unavailable, to, "is a directory");
  if (old && !state_->is_empty(to)) return fail_path(Errc::busy, to, "directory not empty");
  state_->unname(to);
  state_->change_names({.kind = NameChange::Kind::move, .path = to, .from = from, .inode = nullptr});
  return {};
}

Result<void> MemoryDisk::remove(const std::string& raw_path) {
  const std::string path = normal(raw_path);
  std::lock_guard lock(state_->mutex);
  MHP_TRY_VOID(state_->step(path));
  if (!state_->find(path)) return fail_path(Errc::not_found, path, "no such file or directory");
  if (!state_->is_empty(path)) return fail_path(Errc::busy, path, "directory not empty");
  state_->unname(path);
  state_->change_names({.kind = NameChange::Kind::remove, .path = path, .from = {}, .inode = nullptr});
  return {};
}

Result<std::vector<std::string>> MemoryDisk::list(const std::string& raw_path) {
  const std::string path = normal(raw_path);
  std::lock_guard lock(state_->mutex);
  const auto folder = state_->find(path);
  if (!folder || !folder->is_folder) return fail_path(Errc::not_found, path, "no such file or directory");
  std::vector<std::string> names;
  const std::string prefix = path == "/" ? path : path + "/";
  for (auto it = state_->names.upper_bound(prefix); it != state_->names.end() && is_below(it->first, path); ++it) {
    const std::string name = it->first.substr(prefix.size());
    if (name.find('/') == std::string::npos) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<PathInfo> MemoryDisk::info(const std::string& raw_path) {
  const std::string path = normal(raw_path);
  std::lock_guard lock(state_->mutex);
  const auto inode = state_->find(path);
  if (!inode) return fail_path(Errc::not_found, path, "no such file or directory");
  return PathInfo{inode->is_folder, !inode->is_folder, inode->live.size(), 1, inode->id};
}

Result<SpaceInfo> MemoryDisk::space(const std::string& raw_path) {
  const std::string path = normal(raw_path);
  std::lock_guard lock(state_->mutex);
  if (!state_->find(path)) return fail_path(Errc::not_found, path, "no such file or directory");
  const std::uint64_t total = std::min(state_->faults.capacity_bytes, kUnboundedTotalBytes);
  return SpaceInfo{total, total - std::min(state_->used, total)};
}

Result<std::unique_ptr<FileLock>> MemoryDisk::lock(const std::string& raw_path, const std::string& note) {
  const std::string path = normal(raw_path);
  std::lock_guard guard(state_->mutex);
  MHP_TRY_VOID(state_->step(path));
  const auto held = state_->locks.find(path);
  if (held != state_->locks.end()) return fail(Errc::busy, path + ": held by " + held->second);
  auto inode = state_->find(path);
  if (!inode && !state_->has_parent(path)) return fail_path(Errc::not_found, path, "no such file or directory");
  if (!inode) inode = state_->make(path, false);
  if (inode->is_folder) return fail_path(Errc::unavailable, path, "is a directory");
  state_->truncate(*inode, 0);
  state_->write(*inode, 0, as_bytes(note));
  state_->locks[path] = note;
  return std::make_unique<State::HeldLock>(state_, path);
}

Result<std::string> MemoryDisk::absolute(const std::string& path) { return normal(path); }

}  // namespace mhp::platform
