// The backup itself: scan, compare, read, pack and write pages, side by side with bounded memory.
#include "snapshot/backup.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "base/check.h"
#include "snapshot/batch.h"
#include "snapshot/page_writer.h"

namespace mhp::snapshot {
namespace {

/// Batches that are scanned while an earlier one is still being read: what waits in memory for its turn.
constexpr std::size_t kBatchesAhead = 32;
/// Finished segments on their way to the homes.
constexpr std::size_t kSegmentsInFlight = 2;
/// Pages wait for each other up to this size, so that a small backup has them in its one segment and a big one has them
/// together.
constexpr std::size_t kPagesTogether = 4_MiB;
/// Folders that all batches together hold open.
constexpr std::size_t kOpenFolders = 400;

/// One backup. Workers are coroutines on the loop that send one job after the other to the pool: scan (one at a time),
/// compare and read (side by side), cut pages (one at a time, in the order of the scan).
class BackupRun {
 public:
  BackupRun(platform::Platform& platform, vault::Vault& vault, const BackupOptions& options, Counters& counters)
      : platform_(platform),
        vault_(vault),
        options_(options),
        counters_(counters),
        nursery_(platform.executor()),
        turn_(platform.executor(), 1),
        ahead_(platform.executor(), kBatchesAhead),
        slots_(platform.executor(), kSegmentsInFlight),
        packers_(platform.executor(), 1),
        earlier_(platform, vault, nursery_),
        chunker_(vault.keys().chunker_secret),
        pages_(primitives::blake3_derive("mhp 1 tree page cuts", vault.keys().chunker_secret)) {}

  Task<Result<BackupReport>> run();

 private:
  Task<Result<void>> prepare();
  Task<> worker();
  Task<bool> next_batch(BatchWork& work);
  Task<> process(BatchWork& work, FileReader& reader);
  Task<> read_changed(BatchWork& work, FileReader& reader);
  Task<> deliver(BatchWork work);
  bool can_store(const wire::TreeEntry& entry, BatchWork& work) const;
  void merge(BatchWork& work);
  Task<> store_pages();
  Task<> finish_pages();
  Task<> seal_the_rest();
  Task<> seal_and_store(vault::Packer& packer);
  Task<> store_one(vault::FinishedSegment segment, std::unique_ptr<platform::Permit> slot);
  Task<> seal_and_give_back(vault::Packer* packer);
  vault::Packer* take_packer();
  void give_packer(vault::Packer* packer);
  void allow_packers();
  void note(Error error) {
    if (!failed_) failed_ = std::move(error);
  }

  platform::Platform& platform_;
  vault::Vault& vault_;
  const BackupOptions& options_;
  Counters& counters_;
  BackupReport report_;
  std::optional<Error> failed_;  // the first; all workers stop at it

  platform::Nursery nursery_;
  platform::Semaphore turn_;  // to scan
  platform::Semaphore ahead_;
  platform::Semaphore slots_;    // of segments in flight
  platform::Semaphore packers_;  // one, until there is more than one segment's work
  std::size_t packers_allowed_ = 1;
  std::atomic<std::uint64_t> added_bytes_{0};

  std::unique_ptr<Scanner> scanner_;
  bool scanned_ = false;
  std::size_t workers_left_ = 0;
  EarlierTree earlier_;
  std::int64_t earlier_ns_ = 0;  // when the run that made it began
  primitives::Chunker chunker_;

  std::unique_ptr<vault::Writer> writer_;
  std::vector<std::unique_ptr<vault::Packer>> all_packers_;
  std::vector<vault::Packer*> free_packers_;

  std::map<std::uint64_t, BatchWork> ready_;
  std::uint64_t next_ready_ = 0;
  bool delivering_ = false;
  PageWriter pages_;
  std::unique_ptr<vault::Packer> page_packer_;
  std::set<std::string> lost_links_;  // first names of hard links that could not be read
};

Task<Result<void>> BackupRun::prepare() {
  ScanOptions scan = options_.scan;
  MHP_CO_TRY(scan.paths, normal_paths(platform_.disk(), scan.paths));
  wire::SnapshotRecord& record = report_.snapshot;
  record.time_ns = platform_.clock().unix_ns();
  record.host = options_.host;
  record.paths = scan.paths;
  record.tags = options_.tags;

  std::size_t workers = platform_.workers().threads();
  BatchLimits limits;
  limits.folders = std::clamp<std::size_t>(kOpenFolders / workers, 8, limits.folders);
  auto start = [&] { return Scanner::start(platform_.trees(), platform_.disk(), scan, limits, &platform_.workers()); };
  MHP_CO_TRY(scanner_, co_await platform_.workers().run(start));

  for (const std::string& path : scanner_->given_links()) {
    report_.warnings.push_back(
        {path, "is a link, and only the link was saved; with a '/' at its end what it leads to is saved"});
  }
  const wire::SnapshotRecord* earlier = earlier_snapshot(vault_.snapshots(), record.host, record.paths);
  if (earlier != nullptr) {
    auto opened = co_await earlier_.open(*earlier);
    if (opened) {  // else all is read again, which is right, only slower
      counters_.files_total = earlier->files;
      counters_.bytes_total = earlier->bytes;
      earlier_ns_ = earlier->time_ns;
    }
  }
  if (!options_.dry_run) {
    MHP_CO_TRY(writer_, co_await vault_.begin_write(options_.write));
    report_.adopted_segments = writer_->adopted_segments();
  }
  co_return Result<void>();
}

Task<Result<BackupReport>> BackupRun::run() {
  MHP_CO_TRY_VOID(co_await prepare());
  workers_left_ = std::max<std::size_t>(platform_.workers().threads(), 1);
  for (std::size_t i = workers_left_; i > 0; --i) nursery_.start(worker());
  co_await nursery_.join();
  if (failed_) co_return tl::unexpected<Error>(std::move(*failed_));
  wire::SnapshotRecord& record = report_.snapshot;
  record.unreadable = report_.errors.size();
  report_.unused_excludes = scanner_->unused_excludes();
  if (!options_.dry_run) {
    MHP_CO_TRY(report_.committed, co_await writer_->finish(record));
    record.id = report_.committed.snapshot;
  }
  co_return std::move(report_);
}

Task<> BackupRun::worker() {
  FileReader reader(chunker_);
  for (;;) {
    co_await ahead_.take();
    co_await turn_.take();
    BatchWork work;
    bool more = co_await next_batch(work);
    turn_.give();
    if (!more) {
      ahead_.give();
      break;
    }
    co_await process(work, reader);
    co_await deliver(std::move(work));
  }
  if (--workers_left_ == 0 && !failed_ && !options_.dry_run) co_await finish_pages();
}

Task<bool> BackupRun::next_batch(BatchWork& work) {
  if (scanned_ || failed_) co_return false;
  auto scan = [this] { return scanner_->next(); };
  work.batch = co_await platform_.workers().run(scan);
  const auto& items = work.batch.items;
  if (work.batch.failed) note(std::move(*work.batch.failed));
  scanned_ = failed_ || (items.empty() && work.batch.errors.empty());
  if (!scanned_ && !items.empty()) work.earlier = co_await earlier_.take(items.front().path, items.back().path);
  co_return !scanned_;
}

Task<> BackupRun::process(BatchWork& work, FileReader& reader) {
  auto compare_all = [&] { compare(work, vault_, options_, earlier_ns_, counters_); };
  co_await platform_.workers().run(compare_all);
  if (!work.to_read.empty() && !failed_ && !work.batch.failed) co_await read_changed(work, reader);
  if (work.batch.failed) note(std::move(*work.batch.failed));
  for (ScanItem& item : work.batch.items) item.folder.reset();  // it may wait long for its turn
}

Task<> BackupRun::read_changed(BatchWork& work, FileReader& reader) {
  co_await packers_.take();
  vault::Packer* packer = take_packer();
  auto read = [&] { return read_files(work, reader, *packer, counters_, added_bytes_); };
  for (bool more = true; more && !failed_;) {
    FileReader::Step step = co_await platform_.workers().run(read);
    allow_packers();
    more = step != FileReader::Step::done;
    if (step != FileReader::Step::packer_full) continue;
    if (packer->empty()) note(Error{Errc::invalid, "segments are too small for a chunk"});
    nursery_.start(seal_and_give_back(packer));  // reading goes on with another one
    co_await packers_.take();
    packer = take_packer();
  }
  give_packer(packer);
}

Task<> BackupRun::seal_and_give_back(vault::Packer* packer) {
  co_await seal_and_store(*packer);
  give_packer(packer);
}

/// Those that have something in them first, so that few are left to be sealed half empty.
vault::Packer* BackupRun::take_packer() {
  if (free_packers_.empty()) {
    all_packers_.push_back(writer_->new_packer());
    return all_packers_.back().get();
  }
  auto begun = std::ranges::find_if(free_packers_, [](const vault::Packer* packer) { return !packer->empty(); });
  if (begun == free_packers_.end()) --begun;
  vault::Packer* packer = *begun;
  free_packers_.erase(begun);
  return packer;
}

void BackupRun::give_packer(vault::Packer* packer) {
  free_packers_.push_back(packer);
  packers_.give();
}

/// One packer for each segment's worth of bytes so far, up to one for each thread; two where there is one thread. A
/// worker whose packer is being sealed waits for one: its thread does the sealing.
void BackupRun::allow_packers() {
  const std::size_t most = std::max<std::size_t>(platform_.workers().threads(), 2);
  while (packers_allowed_ < most && added_bytes_ > packers_allowed_ * options_.write.segment_bytes) {
    ++packers_allowed_;
    packers_.give();
  }
}

Task<> BackupRun::seal_and_store(vault::Packer& packer) {
  if (packer.empty() || failed_) co_return;
  co_await slots_.take();
  auto slot = std::make_unique<platform::Permit>(slots_);
  auto seal = [&] { return writer_->seal(packer); };
  vault::FinishedSegment segment = co_await platform_.workers().run(seal);
  nursery_.start(store_one(std::move(segment), std::move(slot)));
}

/// `slot` goes with it, also where it is canceled: a child that was started after the cancellation waits for one.
Task<> BackupRun::store_one(vault::FinishedSegment segment, std::unique_ptr<platform::Permit> slot) {
  auto stored = co_await writer_->store(std::move(segment));
  slot.reset();
  if (!stored) note(std::move(stored.error()));
}

/// Hands in what was read. Whoever finds that the next in order is there hands on all that follow.
Task<> BackupRun::deliver(BatchWork work) {
  std::uint64_t seq = work.batch.seq;
  ready_.emplace(seq, std::move(work));
  if (delivering_) co_return;
  delivering_ = true;
  while (!ready_.empty() && ready_.begin()->first == next_ready_) {
    auto next = ready_.extract(ready_.begin());
    ++next_ready_;
    auto merge_it = [&] { merge(next.mapped()); };
    co_await platform_.workers().run(merge_it);
    if (pages_.waiting_bytes() >= kPagesTogether) co_await store_pages();
    ahead_.give();
  }
  delivering_ = false;
}

/// False where the entry cannot be stored; why is among the errors.
bool BackupRun::can_store(const wire::TreeEntry& entry, BatchWork& work) const {
  std::string reason;
  auto good = wire::check_entry(entry);
  if (!good) reason = "cannot be written down: " + good.error().detail;
  if (!entry.hard_link_to.empty() && lost_links_.contains(entry.hard_link_to))
    reason = "is the same file as /" + entry.hard_link_to + ", which could not be read";
  if (reason.empty()) return true;
  work.batch.errors.push_back({"/" + entry.path, std::move(reason)});
  return false;
}

/// In the order of the scan: counts, and entries to pages.
void BackupRun::merge(BatchWork& work) {
  for (std::size_t i = 0; i < work.entries.size(); ++i) {
    wire::TreeEntry& entry = work.entries[i];
    if (work.lost[i] || !can_store(entry, work)) {
      if (work.batch.items[i].info.links > 1) lost_links_.insert(entry.path);
      continue;
    }
    if (entry.kind != wire::EntryKind::folder) ++report_.snapshot.files;
    if (entry.hard_link_to.empty()) report_.snapshot.bytes += entry.size;
    if (!options_.dry_run) pages_.add(std::move(entry), work.origins[i]);
  }
  report_.files_new += work.files_new;
  report_.files_changed += work.files_changed;
  report_.files_unchanged += work.files_unchanged;
  report_.folders += work.folders;
  std::ranges::move(work.batch.errors, std::back_inserter(report_.errors));
  std::ranges::move(work.warnings, std::back_inserter(report_.warnings));
}

/// A big tree has a packer of its own for its pages, so that they lie together.
Task<> BackupRun::store_pages() {
  if (!page_packer_) page_packer_ = writer_->new_packer();
  auto store = [this] { return pages_.store(*page_packer_); };
  while (!failed_) {
    bool all = co_await platform_.workers().run(store);
    if (all) co_return;
    co_await seal_and_store(*page_packer_);
  }
}

/// Pages of a small tree go where its content is. What is still open is sealed at the end.
Task<> BackupRun::finish_pages() {
  for (std::size_t i = 0; i < packers_allowed_; ++i) co_await packers_.take();  // none is being sealed any more
  if (!page_packer_ && !all_packers_.empty()) {
    page_packer_ = std::move(all_packers_.back());
    all_packers_.pop_back();
  }
  auto end = [this] { pages_.end(); };
  co_await platform_.workers().run(end);
  co_await store_pages();
  if (failed_) co_return;
  Bytes list = wire::encode(pages_.list());
  if (list.size() > wire::kMaxChunkBytes) {
    note(Error{Errc::usage, "too many files for one snapshot: back up fewer paths at once"});
    co_return;
  }
  if (!page_packer_->fits(list.size())) co_await seal_and_store(*page_packer_);
  if (failed_) co_return;
  auto add = [&] { return page_packer_->add(list); };
  report_.snapshot.page_list = co_await platform_.workers().run(add);
  co_await seal_the_rest();
}

/// What is still open, side by side, in as few segments as it takes.
Task<> BackupRun::seal_the_rest() {
  std::vector<vault::Packer*> rest{page_packer_.get()};
  for (auto& packer : all_packers_) {
    if (!packer->empty()) rest.push_back(packer.get());
  }
  auto join = [&] {
    for (std::size_t i = 0; i < rest.size(); ++i) {
      for (std::size_t other = rest.size(); --other > i;) {
        if (rest[i]->take_in(*rest[other])) rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(other));
      }
    }
  };
  co_await platform_.workers().run(join);
  for (vault::Packer* packer : rest) nursery_.start(seal_and_store(*packer));
}

}  // namespace

Task<Result<BackupReport>> backup(platform::Platform& platform, vault::Vault& vault, const BackupOptions& options,
                                  Counters& counters) {
  BackupRun run(platform, vault, options, counters);
  co_return co_await run.run();
}

}  // namespace mhp::snapshot
