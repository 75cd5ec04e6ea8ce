// Files of statements: read, merged and replaced under a lock; what is in memory follows them.
#include "cloud/book.h"

#include <algorithm>
#include <asio/this_coro.hpp>
#include <optional>

namespace mhp::cloud {
namespace {

constexpr std::uint64_t kMaxFileBytes = wire::kMaxRosterBytes + 8 * wire::kMaxRosterStatements + 1_KiB;
constexpr std::chrono::milliseconds kLockPause{20};  // before a lock is tried again that another process holds
constexpr std::chrono::seconds kLockPatience{10};

/// Which file a name stands for. Only while the file is held open does nothing else get its number.
struct Stamp {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  friend bool operator==(const Stamp&, const Stamp&) = default;
};

struct Content {
  Bytes bytes;
  Stamp stamp;
  std::shared_ptr<platform::File> file;  // by who reads it and who remembers it
};

Result<Stamp> stamp_of(platform::Disk& disk, const std::string& path) {
  MHP_TRY(const platform::PathInfo info, disk.info(path));
  return Stamp{info.device, info.inode, info.size};
}

/// The file as it is: one that is replaced meanwhile is read again.
Result<Content> read_content(platform::Disk& disk, const std::string& path) {
  constexpr int kTries = 16;
  for (int i = 0; i < kTries; ++i) {
    MHP_TRY(const Stamp before, stamp_of(disk, path));
    if (before.size > kMaxFileBytes) return fail(Errc::corrupt, path + ": damaged (longer than any roster)");
    MHP_TRY(auto file, disk.open(path, platform::Open::read));
    Content out{Bytes(static_cast<std::size_t>(before.size)), before, std::move(file)};
    MHP_TRY(const std::size_t got, out.file->read_at(0, out.bytes));
    out.bytes.resize(got);
    MHP_TRY(const Stamp after, stamp_of(disk, path));
    if (before == after && got == before.size) return out;
  }
  return fail(Errc::busy, path + ": is replaced again and again");
}

/// A roster and what became of what was merged into it; `is_whole`: each statement of it could be read.
struct Opened {
  std::optional<Roster> roster;
  Merged merged;
  bool is_whole = true;
};

void take_in(Opened& into, const CloudId& cloud, std::span<const Bytes> statements) {
  for (const Bytes& encoded : statements) {
    if (into.roster) break;
    const auto envelope = wire::parse_signed(encoded, wire::kMaxStatementBytes);
    if (!envelope || wire::cloud_id_of(wire::statement_id(*envelope)) != cloud) continue;
    auto founded = Roster::found(encoded);
    if (founded) into.roster.emplace(std::move(*founded));
  }
  if (!into.roster) {
    into.is_whole = false;
    return;
  }
  into.merged = into.roster->merge(statements);
  const auto is_unread = [](const Refusal& refusal) { return refusal.id.is_zero(); };
  if (std::ranges::any_of(into.merged.refused, is_unread)) into.is_whole = false;
}

void take_in_file(Opened& into, const CloudId& cloud, const Bytes& content) {
  const auto parsed = wire::parse_statements(content);
  if (parsed) return take_in(into, cloud, parsed->statements);
  into.is_whole = false;
}

std::optional<CloudId> cloud_of_name(const std::string& name) {
  Bytes bytes;
  if (name.size() != 2 * CloudId::kSizeBytes || !from_hex(name, bytes)) return std::nullopt;
  const CloudId cloud = CloudId::from_bytes(bytes);
  return cloud.hex() == name ? std::optional(cloud) : std::nullopt;
}

Result<Bytes> encoded(const Roster& roster, const std::string& path) {
  Bytes out = wire::encode(roster.statements());
  if (out.size() > kMaxFileBytes) return fail(Errc::full, path + ": a roster that is too long");
  return out;
}

}  // namespace

/// One cloud, in memory.
struct Book::Entry {
  RosterPointer roster;                  // null: damaged, and nothing else is known
  Stamp stamp;                           // the file that it was read from, or written to
  std::shared_ptr<platform::File> file;  // that one, so that no other gets its number
  bool is_clean = false;                 // that file and its copy say all of `roster`, and nothing else
};

/// All that work on a cloud's files needs, also in another thread.
struct Book::Job {
  platform::Disk& disk;
  std::string folder;
  std::string path;
  std::string who;
  CloudId cloud;
  Entry known;
  bool was_there = false;  // in memory
  std::uint64_t drops = 0;

  Result<Outcome> look() const;
  Result<Outcome> update(std::span<const Bytes> statements, bool may_make) const;
  Result<void> write(Outcome& outcome) const;
};

struct Book::Outcome {
  Entry entry;
  bool is_gone = false;  // there is no file
  Merged merged;
};

/// What the files say, together with what is known. Errors: not_found goes as is_gone; those of the disk.
Result<Book::Outcome> Book::Job::look() const {
  Outcome out;
  const auto stamp = stamp_of(disk, path);
  out.is_gone = !stamp && stamp.error().code == Errc::not_found;
  if (out.is_gone) return out;
  if (!stamp) return fail(stamp.error().code, stamp.error().detail);
  out.entry = known;
  if (known.file && *stamp == known.stamp) return out;  // also where it is known to be damaged
  Opened opened;
  if (known.roster) opened.roster = *known.roster;
  auto content = read_content(disk, path);
  if (content) {
    take_in_file(opened, cloud, content->bytes);
    out.entry.stamp = content->stamp;
    out.entry.file = std::move(content->file);
  } else if (content.error().code != Errc::corrupt) {
    return pass(content);
  }
  // A file that says less than it did looks like one that is whole: so its bytes are held against what they say.
  const bool is_whole =
      content && opened.is_whole && opened.roster && wire::encode(opened.roster->statements()) == content->bytes;
  const auto copy = platform::read_file(disk, path + ".copy", kMaxFileBytes);
  if (copy && !is_whole) take_in_file(opened, cloud, *copy);
  out.entry.is_clean = is_whole && copy && *copy == content->bytes;
  out.entry.roster = nullptr;
  if (!opened.roster) return out;
  const bool is_known = known.roster && known.roster->statements() == opened.roster->statements();
  out.entry.roster = is_known ? known.roster : std::make_shared<const Roster>(std::move(*opened.roster));
  return out;
}

/// Both files are replaced, the first one first: it is the one that counts.
Result<void> Book::Job::write(Outcome& outcome) const {
  MHP_TRY(const Bytes content, encoded(*outcome.entry.roster, path));
  MHP_TRY_VOID(platform::replace_file(disk, path, content));
  MHP_TRY_VOID(platform::replace_file(disk, path + ".copy", content));
  MHP_TRY(auto file, disk.open(path, platform::Open::read));
  MHP_TRY(outcome.entry.stamp, stamp_of(disk, path));
  outcome.entry.file = std::move(file);
  outcome.entry.is_clean = true;
  return {};
}

/// Adds statements to the files. `may_make`: also where there is no such cloud yet.
Result<Book::Outcome> Book::Job::update(std::span<const Bytes> statements, bool may_make) const {
  if (may_make) {
    MHP_TRY_VOID(disk.make_folder(folder));
    MHP_TRY_VOID(disk.sync_folder(platform::parent_of(folder)));
  }
  const auto gone = [&] { return fail(Errc::not_found, path + ": this computer is not in this cloud"); };
  if (!may_make && !disk.info(path)) return gone();  // no lock is to be left behind there
  MHP_TRY(const auto lock, disk.lock(path + ".lock", who));
  MHP_TRY(Outcome out, look());
  if (out.is_gone && !may_make) return gone();
  Opened opened;
  if (out.entry.roster) opened.roster = *out.entry.roster;
  take_in(opened, cloud, statements);
  if (!opened.roster) return fail(Errc::corrupt, path + ": damaged, and so is its copy");
  out.is_gone = false;
  out.merged = std::move(opened.merged);
  if (out.entry.roster && out.merged.fresh.empty() && out.entry.is_clean) return out;
  out.entry.roster = std::make_shared<const Roster>(std::move(*opened.roster));
  MHP_TRY_VOID(write(out));
  return out;
}

/// What one look at the folder found.
struct Book::Found {
  Job job;
  Result<Outcome> outcome;
};

Book::Book(platform::Disk& disk, std::string folder, std::string who)
    : disk_(disk), folder_(std::move(folder)), who_(std::move(who)) {}

Book::~Book() = default;

Book::Job Book::job_of(const CloudId& cloud) const {
  Job job{.disk = disk_,
          .folder = folder_,
          .path = folder_ + "/" + cloud.hex(),
          .who = who_,
          .cloud = cloud,
          .known = {},
          .was_there = false,
          .drops = drops_};
  const auto found = entries_.find(cloud);
  job.was_there = found != entries_.end();
  if (job.was_there) job.known = *found->second;
  return job;
}

void Book::note_change() {
  changes_ += 1;
  for (platform::Semaphore* waiter : waiters_) waiter->give();
}

/// What a job found becomes what is known, unless that has become something else meanwhile: then it is joined with it.
void Book::install(const CloudId& cloud, const Job& job, Outcome& outcome) {
  const auto found = entries_.find(cloud);
  const bool is_there = found != entries_.end();
  if (!is_there && (outcome.is_gone || job.drops != drops_)) return;
  if (outcome.is_gone) {
    if (!job.was_there) return;  // it was added meanwhile
    entries_.erase(found);
    return note_change();
  }
  auto entry = is_there ? found->second->roster : RosterPointer();
  if (is_there && entry != job.known.roster && entry && outcome.entry.roster) {
    auto joined = std::make_shared<Roster>(*entry);
    joined->merge(outcome.entry.roster->statements().statements);
    outcome.entry = Entry{.roster = std::move(joined), .stamp = {}, .file = nullptr, .is_clean = false};
  }
  const bool is_new = !is_there || outcome.entry.roster != entry;
  entries_[cloud] = std::make_unique<Entry>(std::move(outcome.entry));
  if (is_new) note_change();
}

std::vector<Book::Job> Book::jobs() const {
  std::vector<Job> out;
  for (const auto& [cloud, entry] : entries_) out.push_back(job_of(cloud));
  return out;
}

/// Looks at what is known (`jobs`) and at what else is there. `another`: a job of nothing that is known.
Result<std::vector<Book::Found>> Book::survey(const std::vector<Job>& jobs, const Job& another) {
  auto names = another.disk.list(another.folder);
  if (!names && names.error().code != Errc::not_found) return pass(names);
  std::vector<Found> out;
  for (const Job& job : jobs) out.push_back({job, job.look()});
  for (const std::string& name : names ? *names : std::vector<std::string>()) {
    const auto cloud = cloud_of_name(name);
    if (!cloud || std::ranges::find(jobs, *cloud, &Job::cloud) != jobs.end()) continue;
    Job job = another;
    job.cloud = *cloud;
    job.path = job.folder + "/" + name;
    out.push_back({job, job.look()});
  }
  return out;
}

/// Gives the first problem, after all that is good has been taken in.
Result<void> Book::install_all(Result<std::vector<Found>> all) {
  if (!all) return about(Subject::state, Result<void>(pass(all)));
  Result<void> out;
  for (Found& found : *all) {
    if (!found.outcome) {
      if (out) out = pass(found.outcome);
      continue;
    }
    const bool is_damaged = !found.outcome->is_gone && !found.outcome->entry.roster;
    install(found.job.cloud, found.job, *found.outcome);
    if (out && is_damaged) out = fail(Errc::corrupt, found.job.path + ": damaged, and so is its copy");
  }
  return about(Subject::state, std::move(out));
}

Result<void> Book::refresh() { return install_all(survey(jobs(), job_of({}))); }

Task<Result<void>> Book::refresh_aside(platform::Platform& platform) {
  const auto known = jobs();
  const Job another = job_of({});
  const auto look = [&] { return survey(known, another); };
  co_return install_all(co_await platform.workers().run(look));
}

std::vector<CloudId> Book::clouds() const {
  std::vector<CloudId> out;
  for (const auto& [cloud, entry] : entries_) out.push_back(cloud);
  return out;
}

RosterPointer Book::find(const CloudId& cloud) const {
  const auto found = entries_.find(cloud);
  return found == entries_.end() ? nullptr : found->second->roster;
}

std::vector<CloudId> Book::damaged() const {
  std::vector<CloudId> out;
  for (const auto& [cloud, entry] : entries_)
    if (!entry->roster) out.push_back(cloud);
  return out;
}

Result<Merged> Book::merge(const CloudId& cloud, std::span<const Bytes> statements) {
  const Job job = job_of(cloud);
  auto outcome = job.update(statements, false);
  if (!outcome) return about(Subject::state, Result<Merged>(pass(outcome)));
  install(cloud, job, *outcome);
  return std::move(outcome->merged);
}

Task<Result<Merged>> Book::update_aside(platform::Platform& platform, CloudId cloud, std::vector<Bytes> statements,
                                        bool may_make) {
  const auto until = platform.clock().steady() + kLockPatience;
  for (;;) {
    const Job job = job_of(cloud);
    const auto work = [&] { return job.update(statements, may_make); };
    auto outcome = co_await platform.workers().run(work);
    if (outcome) {
      install(cloud, job, *outcome);
      co_return std::move(outcome->merged);
    }
    const bool may_wait = outcome.error().code == Errc::busy && platform.clock().steady() < until;
    if (!may_wait) co_return about(Subject::state, Result<Merged>(pass(outcome)));
    co_await platform.clock().sleep(kLockPause);
  }
}

Task<Result<Merged>> Book::merge_aside(platform::Platform& platform, CloudId cloud, std::vector<Bytes> statements) {
  return update_aside(platform, cloud, std::move(statements), false);
}

Result<void> Book::add(const Roster& roster) {
  const Job job = job_of(roster.cloud());
  auto outcome = job.update(roster.statements().statements, true);
  if (!outcome) return about(Subject::state, Result<void>(pass(outcome)));
  install(roster.cloud(), job, *outcome);
  return {};
}

Task<Result<void>> Book::add_aside(platform::Platform& platform, Roster roster) {
  MHP_CO_TRY_VOID(co_await update_aside(platform, roster.cloud(), roster.statements().statements, true));
  co_return Result<void>();
}

Task<Result<void>> Book::drop_aside(platform::Platform& platform, CloudId cloud) {
  const auto until = platform.clock().steady() + kLockPatience;
  for (;;) {
    auto done = drop(cloud);
    if (done || done.error().code != Errc::busy || platform.clock().steady() >= until) co_return done;
    co_await platform.clock().sleep(kLockPause);
  }
}

/// The copy goes first: one without its file would be of no cloud.
Result<void> Book::drop(const CloudId& cloud) {
  const std::string path = folder_ + "/" + cloud.hex();
  const auto remove = [&]() -> Result<void> {
    MHP_TRY_VOID(disk_.info(path));
    MHP_TRY(const auto lock, disk_.lock(path + ".lock", who_));
    for (const char* suffix : {".copy", "", ".lock"}) {
      const auto removed = disk_.remove(path + suffix);
      if (!removed && removed.error().code != Errc::not_found) return removed;
    }
    return disk_.sync_folder(folder_);
  };
  auto done = about(Subject::state, remove());
  if (!done && done.error().code != Errc::not_found) return done;
  drops_ += 1;
  if (entries_.erase(cloud) > 0) note_change();
  return done;
}

std::vector<Book::Belonging> Book::belongings(const HomeId& home) const {
  std::vector<Belonging> out;
  for (const auto& [cloud, entry] : entries_) {
    if (!entry->roster) continue;
    const auto& homes = entry->roster->view().homes;
    const auto found = homes.find(home);
    if (found != homes.end()) out.push_back({cloud, found->second.member});
  }
  return out;
}

bool Book::has_home(const HomeId& home) const {
  const auto names = [&](const auto& entry) {
    return entry.second->roster && entry.second->roster->view().homes.contains(home);
  };
  return std::ranges::any_of(entries_, names);
}

bool Book::was_taken_out(const KeyId& computer) const {
  const auto names = [&](const auto& entry) {
    if (!entry.second->roster) return false;
    const auto& keys = entry.second->roster->view().removed_keys;
    const auto first = keys.lower_bound({computer, MemberId()});
    return first != keys.end() && first->first == computer;
  };
  return std::ranges::any_of(entries_, names);
}

Task<> Book::changed(std::uint64_t seen) {
  while (changes_ <= seen) {
    platform::Semaphore rung(co_await asio::this_coro::executor, 0);
    struct Waiting {  // also where a cancellation leaves this frame
      Waiters& all;
      Waiters::iterator place;
      ~Waiting() { all.erase(place); }
    } waiting{waiters_, waiters_.insert(waiters_.end(), &rung)};
    co_await rung.take();
  }
}

}  // namespace mhp::cloud
