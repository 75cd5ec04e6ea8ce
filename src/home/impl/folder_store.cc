// The lock and the order of a folder home: one writing call at a time, by who holds the lock.
#include "home/impl/folder_store.h"

#include <algorithm>

#include "base/check.h"

namespace mhp::home::impl {
namespace {

std::optional<std::int64_t> earlier(std::optional<std::int64_t> a, std::optional<std::int64_t> b) {
  return a && b ? std::min(a, b) : (a ? a : b);
}

}  // namespace

std::string identity_path(const std::string& home_path) { return home_path + "/" + kHomeFileName; }

/// What `mhp-home` said, by the first log whose header is whole: they all say it too.
static std::optional<wire::HomeFile> identity_in_logs(platform::Disk& disk, const std::string& home_path) {
  constexpr std::size_t kLogsLookedAt = 16;
  auto names = disk.list(home_path + "/logs");
  if (!names) return std::nullopt;
  if (names->size() > kLogsLookedAt) names->resize(kLogsLookedAt);
  for (const std::string& name : *names) {
    const auto file = disk.open(home_path + "/logs/" + name, platform::Open::read);
    Bytes block(wire::kLogBlockBytes);
    if (!file || !(*file)->read_at(0, block)) continue;
    const auto header = wire::parse_log_header(block);
    if (header) return wire::HomeFile{header->home, header->log_key};
  }
  return std::nullopt;
}

Result<wire::HomeFile> read_identity(platform::Disk& disk, const std::string& home_path) {
  const std::string path = identity_path(home_path);
  auto bytes = platform::read_file(disk, path, wire::kLogBlockBytes);
  if (!bytes) {
    if (bytes.error().code == Errc::not_found)
      bytes.error().detail = home_path + ": no home here (the drive may be away)";
    return pass(bytes);
  }
  auto identity = wire::parse_home_file(*bytes);
  if (identity) return identity;
  // Nothing of such a home is read, mended or put aside: who wrote it knows what is right in it.
  if (wire::is_of_other_format(*bytes)) return fail(Errc::unavailable, path + ": " + identity.error().detail);
  if (const auto in_logs = identity_in_logs(disk, home_path)) return *in_logs;
  return fail(Errc::corrupt, path + ": damaged: " + identity.error().detail);
}

FolderStore::FolderStore(platform::Disk& disk, platform::Clock& clock, std::string path, const wire::HomeFile& identity,
                         const FolderLimits& limits, std::uint64_t max_log_bytes)
    : disk_(disk),
      clock_(clock),
      path_(path),
      identity_(wire::encode(identity)),
      log_(disk, path, identity, limits, max_log_bytes),
      vaults_(disk, path),
      condemned_(disk, std::move(path), identity.home) {}

/// The lock is on the home as it is now: a drive that went away and came back is another opening of this program.
Result<void> FolderStore::become_writer(const std::string& who) {
  if (closed_) return fail(Errc::unavailable, path_ + ": the home is closed");
  if (lock_) return {};
  if (!disk_.info(identity_path(path_))) return fail(Errc::unavailable, path_ + ": the home is away");
  auto lock = disk_.lock(path_ + "/lock", who);
  if (!lock) return about(Subject::home, Result<void>(pass(lock)));
  MHP_TRY_VOID(mend_identity());
  lock_ = std::move(*lock);
  condemned_.forget_seen();
  count_time();
  return {};
}

/// Best effort: the logs say the same. Errors: unavailable (a newer program has made the home its own meanwhile).
Result<void> FolderStore::mend_identity() {
  const auto own = platform::read_file(disk_, identity_path(path_), wire::kLogBlockBytes);
  if (!own || *own == identity_) return {};
  if (wire::is_of_other_format(*own)) return fail(Errc::unavailable, path_ + ": was taken over by another mhp");
  (void)replace_damaged(disk_, identity_path(path_), identity_);
  return {};
}

/// Best effort: what is not counted now is counted later, or makes a hold longer.
void FolderStore::count_time() {
  const auto vaults = vaults_.vaults();
  if (!vaults) return;
  for (const VaultId& vault : *vaults) {
    auto file = condemned_.read(vault);
    if (file && !file->entries.empty() && visit(*file, clock_.unix_ns(), false)) (void)condemned_.write(*file);
  }
}

Result<void> FolderStore::begin_writing(const std::string& who) {
  std::lock_guard one(writing_);
  return become_writer(who);
}

Result<void> FolderStore::put(MutableBytes record) {
  std::lock_guard one(writing_);
  MHP_TRY_VOID(become_writer());
  wrote_records_ = true;
  MHP_TRY_VOID(about(Subject::home, log_.put(record)));
  const auto front = wire::parse_record_front(record);  // put() has taken it: it is a record
  if (!front) return {};
  MHP_TRY(const auto condemned, about(Subject::home, condemned_.seen(front->vault, false)));
  if (is_condemned(*condemned, front->segment)) put_[front->vault].push_back(front->segment);
  return {};
}

Result<void> FolderStore::commit() {
  std::lock_guard one(writing_);
  return commit_locked();
}

Result<void> FolderStore::commit_locked() {
  if (!wrote_records_) return {};
  MHP_TRY_VOID(become_writer());
  const auto done = log_.commit();
  if (!done) put_.clear();  // nothing that was put is kept
  return about(Subject::home, done ? reprieve_what_was_put() : done);
}

/// What is acknowledged now must not go because of what was said before. A failure leaves the list: the next commit
/// tries again.
Result<void> FolderStore::reprieve_what_was_put() {
  while (!put_.empty()) {
    auto& [vault, segments] = *put_.begin();
    std::ranges::sort(segments);
    MHP_TRY_VOID(reprieve(vault, segments));
    put_.erase(put_.begin());
  }
  return {};
}

/// `segments`: rising.
Result<void> FolderStore::reprieve(const VaultId& vault, std::span<const SegmentId> segments) {
  auto file = condemned_.read(vault);
  if (!file && file.error().code == Errc::corrupt) return {};  // then nothing is condemned
  if (!file) return pass(file);
  const auto is_named = [&](const wire::CondemnedFile::Entry& entry) {
    return std::ranges::binary_search(segments, entry.segment);
  };
  if (std::erase_if(file->entries, is_named) == 0) return condemned_.sync(vault);
  return condemned_.write(*file);
}

Result<void> FolderStore::put_tombstone(const Bytes& signed_tombstone, std::uint64_t least_hold_s) {
  MHP_CHECK(least_hold_s <= wire::kMaxHoldS);
  std::lock_guard one(writing_);
  MHP_TRY_VOID(become_writer());
  MHP_TRY(const VaultId vault, vault_of_tombstone(signed_tombstone));
  MHP_TRY(const Members known, members(vault));
  MHP_TRY(const wire::Tombstone tombstone, prove_tombstone(known, signed_tombstone));
  MHP_TRY(const auto holds, log_.minimum_holds(vault, tombstone.segments));
  MHP_TRY(wire::CondemnedFile file, condemned_.read_or_empty(vault));
  (void)visit(file, clock_.unix_ns(), true);  // so that what is added now begins now
  std::vector<wire::CondemnedFile::Entry> added;
  bool changed = false;
  for (const auto& [segment, seconds] : holds) {
    wire::CondemnedFile::Entry* there = find_entry(file, segment);
    if (there != nullptr && known.may_sign(file.signers[there->signer])) continue;
    const std::uint64_t hold_ns = std::max(seconds, least_hold_s) * 1'000'000'000;
    const wire::CondemnedFile::Entry entry{segment, 0, hold_ns, number_of_signer(file, tombstone.device)};
    changed = true;
    if (there != nullptr) *there = entry;
    if (there == nullptr) added.push_back(entry);
  }
  if (!changed) return condemned_.sync(vault);
  std::ranges::copy(added, std::back_inserter(file.entries));
  std::ranges::sort(file.entries, {}, &wire::CondemnedFile::Entry::segment);
  return condemned_.write(file);
}

Result<void> FolderStore::put_reprieve(const Bytes& signed_reprieve) {
  std::lock_guard one(writing_);
  MHP_TRY_VOID(become_writer());
  MHP_TRY(const VaultId vault, vault_of_reprieve(signed_reprieve));
  MHP_TRY(const Members known, members(vault));
  MHP_TRY(const wire::Reprieve proven_reprieve, prove_reprieve(known, signed_reprieve));
  return reprieve(vault, proven_reprieve.segments);
}

/// By whom signatures may be.
Result<Members> FolderStore::members(const VaultId& vault) {
  auto known = vaults_.members(vault);
  if (!known && known.error().code == Errc::not_found)
    return fail(Errc::denied, "a tombstone or reprieve of a vault whose record is not held");
  return known;
}

Result<CollectReport> FolderStore::collect() {
  std::lock_guard one(writing_);
  MHP_TRY_VOID(become_writer());
  wrote_records_ = true;
  MHP_TRY_VOID(commit_locked());  // and the logs are read anew where this is the first writing call
  CollectReport report;
  MHP_TRY(std::vector<wire::CondemnedFile> files, visit_condemned(report));
  std::vector<HeldKey> due;
  for (const wire::CondemnedFile& file : files) {
    MHP_TRY(const std::vector<SegmentId> some, due_of(file, report));
    for (const SegmentId& segment : some) due.push_back({file.vault, segment});
  }
  std::ranges::sort(due);
  MHP_TRY(FragmentLog::Purged purged, log_.purge(due));
  report.bytes_freed = purged.bytes_freed;
  std::ranges::move(purged.problems, std::back_inserter(report.problems));
  report.damaged = std::move(purged.damaged);
  for (wire::CondemnedFile& file : files) {
    MHP_TRY_VOID(forget_purged(file, due, report));
    report.next_due_ns = earlier(report.next_due_ns, next_due(file, clock_.unix_ns()));
  }
  return report;
}

/// Counts the time of each vault's holds, and says which of them cannot be read.
Result<std::vector<wire::CondemnedFile>> FolderStore::visit_condemned(CollectReport& report) {
  std::vector<wire::CondemnedFile> out;
  MHP_TRY(const auto vaults, vaults_.vaults());
  for (const VaultId& vault : vaults) {
    auto file = condemned_.read(vault);
    if (!file && file.error().code != Errc::corrupt) return pass(file);
    if (!file) {
      report.problems.push_back(std::move(file.error().detail));
      continue;
    }
    if (file->entries.empty()) continue;
    if (visit(*file, clock_.unix_ns(), true)) {
      MHP_TRY_VOID(condemned_.write(*file));
    }
    out.push_back(std::move(*file));
  }
  return out;
}

/// What may be purged now: its hold is over, and who condemned it may still sign.
Result<std::vector<SegmentId>> FolderStore::due_of(const wire::CondemnedFile& file, CollectReport& report) {
  std::vector<SegmentId> out;
  for (const auto& entry : file.entries) {
    if (is_due(entry)) out.push_back(entry.segment);
  }
  if (out.empty()) return out;
  auto known = vaults_.members(file.vault);
  if (!known && known.error().code != Errc::corrupt && known.error().code != Errc::not_found) return pass(known);
  if (!known) {
    report.problems.push_back(std::move(known.error().detail) + ": nothing of that vault is purged");
    return std::vector<SegmentId>();
  }
  MHP_TRY(const auto damaged, vaults_.damaged(file.vault));
  if (!damaged.empty()) {
    report.problems.push_back(path_ + ": the vault record of device " + damaged.front().short_hex() +
                              " is damaged, it may say who is shut out: nothing of that vault is purged");
    return std::vector<SegmentId>();
  }
  MHP_TRY(const auto bytes, log_.bytes_of(file.vault, out));
  std::vector<SegmentId> due;
  for (std::size_t i = 0, entry = 0; i < out.size(); ++i) {
    while (file.entries[entry].segment != out[i]) ++entry;
    if (bytes[i] > 0 && known->may_sign(file.signers[file.entries[entry].signer])) due.push_back(out[i]);
  }
  return due;
}

/// Takes what is not here any more off the list, and counts what is left.
Result<void> FolderStore::forget_purged(wire::CondemnedFile& file, std::span<const HeldKey> due,
                                        CollectReport& report) {
  std::vector<SegmentId> segments;
  for (const auto& entry : file.entries) segments.push_back(entry.segment);
  MHP_TRY(const auto bytes, log_.bytes_of(file.vault, segments));
  std::vector<wire::CondemnedFile::Entry> kept;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const bool was_due = std::ranges::binary_search(due, HeldKey{file.vault, segments[i]});
    if (bytes[i] > 0) kept.push_back(file.entries[i]);
    if (bytes[i] == 0 && was_due) report.segments_purged += 1;
    if (was_due) report.waiting_bytes += bytes[i];
  }
  report.condemned_segments += kept.size();
  if (kept.size() == file.entries.size()) return {};
  file.entries = std::move(kept);
  return condemned_.write(file);
}

Result<HeldPage> FolderStore::list(const VaultId& vault, const SegmentId& after, std::size_t limit) {
  MHP_TRY(HeldPage page, log_.list(vault, after, limit));
  if (page.segments.empty()) return page;
  MHP_TRY(const auto condemned, condemned_.seen(vault, after.is_zero()));
  for (HeldSegment& held : page.segments) held.condemned = is_condemned(*condemned, held.segment);
  return page;
}

Result<Usage> FolderStore::usage() {
  MHP_TRY(Usage usage, log_.usage());
  MHP_TRY(const auto vaults, vaults_.vaults());
  for (const VaultId& vault : vaults) {
    MHP_TRY_VOID(add_condemned(vault, usage));
  }
  return usage;
}

Result<Usage> FolderStore::usage_of(const VaultId& vault) {
  MHP_TRY(Usage usage, log_.usage_of(vault));
  MHP_TRY_VOID(add_condemned(vault, usage));
  return usage;
}

Result<void> FolderStore::add_condemned(const VaultId& vault, Usage& usage) {
  MHP_TRY(const auto condemned, condemned_.seen(vault, true));
  std::vector<SegmentId> segments;
  for (const auto& entry : condemned->entries) segments.push_back(entry.segment);
  MHP_TRY(const auto bytes, log_.bytes_of(vault, segments));
  for (const std::uint64_t one : bytes) usage.condemned_bytes += one;
  usage.next_due_ns = earlier(usage.next_due_ns, next_due(*condemned, clock_.unix_ns()));
  return {};
}

Result<void> FolderStore::put_vault_record(const Bytes& signed_record) {
  std::lock_guard one(writing_);
  MHP_TRY_VOID(become_writer());
  const auto done = vaults_.put_record(signed_record, clock_.unix_ns() / 1'000'000'000);
  ++record_changes_;
  return done;
}

Result<void> FolderStore::put_heads(const VaultId& vault, const DeviceId& device, std::vector<Bytes> chain,
                                    std::int64_t now_s) {
  std::lock_guard one(writing_);
  MHP_TRY_VOID(become_writer());
  return vaults_.put_heads(vault, device, std::move(chain), now_s);
}

void FolderStore::close_locked() {
  if (closed_) return;
  closed_ = true;
  log_.finish();
  lock_.reset();
}

void FolderStore::close() {
  std::lock_guard one(writing_);
  close_locked();
}

void FolderStore::close_if_idle() {
  std::unique_lock one(writing_, std::try_to_lock);
  if (one.owns_lock()) close_locked();
}

}  // namespace mhp::home::impl
