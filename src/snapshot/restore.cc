// The restore itself: plans windows of chunks, fetches each segment once, writes side by side.
#include "snapshot/restore.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "base/check.h"
#include "snapshot/page_reader.h"
#include "snapshot/restore_files.h"

namespace mhp::snapshot {
namespace {

/// What is planned together: chunks are then fetched segment by segment, each once.
constexpr std::size_t kWindowPieces = 4096;
constexpr std::uint64_t kWindowBytes = 64_MiB;
constexpr std::size_t kWindowOpenFiles = 100;  // those with several pieces
/// Hard links wait for their files up to this number.
constexpr std::size_t kMaxWaitingLinks = 10'000;

struct Window {
  std::vector<Piece> pieces;
  std::uint64_t bytes = 0;
  std::size_t open_files = 0;
  bool full() const {
    return pieces.size() >= kWindowPieces || bytes >= kWindowBytes || open_files >= kWindowOpenFiles;
  }
};

/// A bundle is opened once, so that what is written from it may go in path order: few changes of the folder.
void sort_by_place(std::vector<Piece>& pieces) {
  std::ranges::sort(pieces, [](const Piece& a, const Piece& b) {
    return std::tie(a.place.segment, a.place.bundle, a.number) < std::tie(b.place.segment, b.place.bundle, b.number);
  });
}

/// Takes the pieces of the first one's segment away from the front.
std::vector<Piece> take_segment(std::vector<Piece>& pieces) {
  const std::uint32_t segment = pieces.front().place.segment;
  auto end = std::ranges::find_if(pieces, [&](const Piece& piece) { return piece.place.segment != segment; });
  std::vector<Piece> out(std::make_move_iterator(pieces.begin()), std::make_move_iterator(end));
  pieces.erase(pieces.begin(), end);
  return out;
}

struct WaitingLink {
  wire::TreeEntry entry;
  std::string path;  // both relative to the target
  std::string target;
};

/// A file whose chunks are being planned; over several windows where it is big.
struct FilePlan {
  std::shared_ptr<FileInRestore> file;
  std::vector<ChunkId> lists;  // still to be read, the next one last
  std::vector<ChunkId> chunks;
  std::size_t next = 0;
  std::uint64_t data_offset = 0;
  bool needs_list() const { return next == chunks.size() && !lists.empty(); }
};

/// One restore. A coroutine reads the tree and plans windows; for each segment of a window another one fetches it and
/// writes.
class RestoreRun {
 public:
  RestoreRun(platform::Platform& platform, vault::Vault& vault, const RestoreOptions& options, Counters& counters)
      : platform_(platform),
        vault_(vault),
        options_(options),
        prefix_(entry_path(options.path)),
        reader_(vault),
        outcome_(counters),
        nursery_(platform.executor()),
        slot_count_(platform.workers().threads() + 1),
        slots_(platform.executor(), slot_count_) {
    if (!prefix_.empty()) return;
    counters.files_total = options.snapshot.files;
    counters.bytes_total = options.snapshot.bytes;
  }
  Task<Result<RestoreReport>> run();

 private:
  Task<Result<void>> open();
  Task<> restore_all();
  Task<> plan_window(Window& window);
  Task<bool> next_page();
  Task<Result<void>> resolve_outer_links();
  Task<> load_list();
  Task<> dispatch(Window window);
  Task<> restore_segment(std::vector<Piece> pieces);
  Task<std::vector<Piece>> write_from_segment(std::vector<Piece> pieces);
  Task<> drain();
  Task<> make_links();

  // In workers, one at a time:
  void collect(Window& window);
  void make(wire::TreeEntry entry, Window& window);
  void make_folder(wire::TreeEntry entry);
  Result<void> make_other(const wire::TreeEntry& entry, const std::string& path);
  void plan_file(wire::TreeEntry entry, Window& window);
  void collect_chunks(Window& window);
  void end_plan();
  std::vector<Piece> look_elsewhere(std::vector<UnusablePiece> unusable, PieceWriter& writer);
  void link_all();
  void finish_folders();
  void sync();
  void count_only(const wire::TreeEntry& entry);

  std::string target_path(const std::string& path) const;

  platform::Platform& platform_;
  vault::Vault& vault_;
  const RestoreOptions& options_;
  std::string prefix_;
  bool prefix_is_folder_ = true;
  PageReader reader_;
  RestoreOutcome outcome_;
  platform::Nursery nursery_;
  std::size_t slot_count_;
  platform::Semaphore slots_;

  std::shared_ptr<platform::TargetFolder> root_;
  std::unique_ptr<PieceWriter> writer_;  // of the planner's jobs
  std::shared_ptr<wire::TreePage> page_;
  std::size_t at_ = 0;
  bool at_end_ = false;
  std::optional<Error> tree_error_;  // the tree could not be read on: what was read before is brought back
  std::optional<FilePlan> plan_;
  std::vector<wire::TreeEntry> folders_;  // paths relative to the target; their metadata comes last
  std::vector<WaitingLink> links_;
  std::map<std::string, std::string>
      outer_links_;  // first name, outside of what is restored -> the name restored instead
};

std::string RestoreRun::target_path(const std::string& path) const {
  if (prefix_.empty()) return path;
  if (!prefix_is_folder_) return std::string(name_of(path));
  return path.size() == prefix_.size() ? std::string() : path.substr(prefix_.size() + 1);
}

Task<Result<void>> RestoreRun::open() {
  MHP_CO_TRY_VOID(co_await reader_.open(options_.snapshot, prefix_));
  MHP_CO_TRY(page_, co_await reader_.next());
  if (!prefix_.empty()) {
    if (!page_ || page_->entries.front().path != prefix_)
      co_return fail(Errc::not_found, Subject::entry, "/" + prefix_ + ": not in this snapshot");
    prefix_is_folder_ = page_->entries.front().kind == wire::EntryKind::folder;
    MHP_CO_TRY_VOID(co_await resolve_outer_links());
  }
  at_end_ = page_ == nullptr;
  if (options_.dry_run) co_return Result<void>();
  auto make_target = [this] { return platform_.trees().target(options_.to); };
  MHP_CO_TRY(root_, about(Subject::target, co_await platform_.workers().run(make_target)));
  writer_ = std::make_unique<PieceWriter>(root_, vault_.keys().dedup_secret, outcome_);
  co_return Result<void>();
}

Task<Result<RestoreReport>> RestoreRun::run() {
  MHP_CO_TRY_VOID(co_await open());
  nursery_.start(restore_all());
  co_await nursery_.join();
  co_return outcome_.take();
}

Task<> RestoreRun::restore_all() {
  while (!outcome_.stopped()) {
    Window window;
    co_await plan_window(window);
    co_await dispatch(std::move(window));
    if (links_.size() >= kMaxWaitingLinks) co_await make_links();
    if (at_end_ && !plan_) break;
  }
  co_await make_links();
  auto finish = [this] {
    if (plan_) end_plan();
    if (!options_.dry_run) finish_folders();
    if (!options_.dry_run && options_.sync && !outcome_.stopped()) sync();
    if (tree_error_) outcome_.stop(std::move(*tree_error_));
  };
  co_await platform_.workers().run(finish);
}

Task<> RestoreRun::plan_window(Window& window) {
  auto collect_job = [&] { collect(window); };
  while (!outcome_.stopped() && !window.full()) {
    co_await platform_.workers().run(collect_job);
    if (plan_ && plan_->needs_list()) {
      co_await load_list();
    } else if (!window.full()) {
      bool more = co_await next_page();
      if (!more) co_return;
    }
  }
}

/// Replaces page_, all of which was planned.
Task<bool> RestoreRun::next_page() {
  auto page = co_await reader_.next();
  at_ = 0;
  page_ = nullptr;
  if (!page) tree_error_ = std::move(page.error());
  if (page) page_ = std::move(*page);
  if (page_ && !prefix_.empty()) {
    auto resolved = co_await resolve_outer_links();
    if (!resolved) tree_error_ = std::move(resolved.error());
    if (!resolved) page_ = nullptr;
  }
  at_end_ = page_ == nullptr;
  co_return !at_end_;
}

/// Where a part of a snapshot is restored, the name that has a hard link's content may lie outside of it.
Task<Result<void>> RestoreRun::resolve_outer_links() {
  for (wire::TreeEntry& entry : page_->entries) {
    if (entry.hard_link_to.empty() || (prefix_is_folder_ && lies_in(entry.hard_link_to, prefix_))) continue;
    auto [known, is_first] = outer_links_.try_emplace(entry.hard_link_to, entry.path);
    if (!is_first) {
      entry.hard_link_to = known->second;
      continue;
    }
    MHP_CO_TRY(wire::TreeEntry first, co_await read_entry(vault_, options_.snapshot, entry.hard_link_to));
    first.path = entry.path;
    entry = std::move(first);
  }
  co_return Result<void>();
}

Task<> RestoreRun::load_list() {
  ChunkId id = plan_->lists.back();
  plan_->lists.pop_back();
  auto bytes = co_await vault_.read(id);
  Result<std::vector<ChunkId>> ids;
  if (bytes) ids = parse_chunk_list(*bytes);
  if (bytes && ids) {
    plan_->chunks = std::move(*ids);
    plan_->next = 0;
    co_return;
  }
  plan_->lists.clear();
  writer_->fail(*plan_->file, bytes ? std::move(ids.error()) : std::move(bytes.error()));
}

Task<> RestoreRun::dispatch(Window window) {
  auto& pieces = window.pieces;
  sort_by_place(pieces);
  for (std::size_t begin = 0; begin < pieces.size();) {
    std::size_t end = begin;
    while (end < pieces.size() && pieces[end].place.segment == pieces[begin].place.segment) ++end;
    std::vector<Piece> group(std::make_move_iterator(pieces.begin() + static_cast<std::ptrdiff_t>(begin)),
                             std::make_move_iterator(pieces.begin() + static_cast<std::ptrdiff_t>(end)));
    co_await slots_.take();
    nursery_.start(restore_segment(std::move(group)));
    begin = end;
  }
}

/// Of one segment; what that does not give comes from others where they have the same chunks, one after the other.
Task<> RestoreRun::restore_segment(std::vector<Piece> pieces) {
  while (!pieces.empty()) {
    std::vector<Piece> group = take_segment(pieces);
    auto left = co_await write_from_segment(std::move(group));
    std::ranges::move(left, std::back_inserter(pieces));
    sort_by_place(pieces);
  }
  slots_.give();
}

/// All of one segment. Those that are to be had from another one, with their place there.
Task<std::vector<Piece>> RestoreRun::write_from_segment(std::vector<Piece> pieces) {
  Result<std::shared_ptr<const vault::OpenSegment>> segment;
  if (!outcome_.stopped()) {
    std::vector<std::uint32_t> bundles;
    for (const Piece& piece : pieces) {
      if (bundles.empty() || bundles.back() != piece.place.bundle) bundles.push_back(piece.place.bundle);
    }
    segment = co_await vault_.fetch(pieces.front().place.segment, std::move(bundles));
  }
  std::vector<Piece> left;
  auto write = [&] {
    PieceWriter writer(root_, vault_.keys().dedup_secret, outcome_);
    std::vector<UnusablePiece> unusable;
    if (segment && *segment) unusable = writer.write_all(**segment, pieces);
    for (Piece& piece : pieces) {
      if (!segment) unusable.push_back({std::move(piece), segment.error()});
      if (segment && !*segment) writer.done_with_piece(*piece.file);
    }
    left = look_elsewhere(std::move(unusable), writer);
  };
  co_await platform_.workers().run(write);
  co_return left;
}

/// Gives each another place of its chunk; where there is none, its file fails.
std::vector<Piece> RestoreRun::look_elsewhere(std::vector<UnusablePiece> unusable, PieceWriter& writer) {
  std::vector<Piece> left;
  for (auto& [piece, error] : unusable) {
    piece.tried.push_back(piece.place.segment);
    const bool goes_on = error.code != Errc::exhausted && !outcome_.stopped() && !piece.file->failed;
    Result<vault::ChunkPlace> other = fail(Errc::canceled, "not looked for");
    if (goes_on) other = vault_.other_place_of(piece.id, piece.tried);
    if (other && other->bytes == piece.place.bytes) {
      piece.place = *other;
      left.push_back(std::move(piece));
      continue;
    }
    writer.fail(*piece.file, std::move(error));
    writer.done_with_piece(*piece.file);
  }
  return left;
}

/// Waits until every segment that was started is written.
Task<> RestoreRun::drain() {
  for (std::size_t i = 0; i < slot_count_; ++i) co_await slots_.take();
  for (std::size_t i = 0; i < slot_count_; ++i) slots_.give();
}

Task<> RestoreRun::make_links() {
  co_await drain();
  if (links_.empty() || outcome_.stopped()) co_return;
  auto link = [this] { link_all(); };
  co_await platform_.workers().run(link);
}

void RestoreRun::collect(Window& window) {
  while (!outcome_.stopped() && !window.full()) {
    if (plan_) {
      collect_chunks(window);
      if (window.full() || plan_->needs_list()) return;
      end_plan();
    }
    if (!page_ || at_ == page_->entries.size()) return;
    wire::TreeEntry& entry = page_->entries[at_++];
    if (options_.dry_run) {
      count_only(entry);
    } else {
      make(std::move(entry), window);
    }
  }
}

void RestoreRun::count_only(const wire::TreeEntry& entry) {
  if (entry.kind == wire::EntryKind::folder) return outcome_.restored_folder();
  bool all = std::ranges::all_of(entry.chunks, [this](const ChunkId& chunk) { return vault_.has(chunk); });
  if (all) return outcome_.restored_file(entry);
  outcome_.failed(entry.path, Error{Errc::corrupt, "content is missing from the index"});
}

void RestoreRun::make(wire::TreeEntry entry, Window& window) {
  std::string path = target_path(entry.path);
  if (entry.kind == wire::EntryKind::folder) return make_folder(std::move(entry));
  if (!entry.hard_link_to.empty()) {
    std::string target = target_path(entry.hard_link_to);
    links_.push_back({std::move(entry), std::move(path), std::move(target)});
    return;
  }
  if (entry.kind == wire::EntryKind::file) return plan_file(std::move(entry), window);
  auto made = make_other(entry, path);
  if (!made) return outcome_.failed(entry.path, about(Subject::target, std::move(made)).error());
  outcome_.restored_file(entry);
}

void RestoreRun::make_folder(wire::TreeEntry entry) {
  std::string path = target_path(entry.path);
  auto made = writer_->walk().folder(path);
  if (!made) return outcome_.failed(entry.path, about(Subject::target, std::move(made)).error());
  outcome_.restored_folder();
  folders_.push_back(std::move(entry));
}

/// Symbolic link, fifo, device, socket.
Result<void> RestoreRun::make_other(const wire::TreeEntry& entry, const std::string& path) {
  MHP_TRY(auto folder, writer_->walk().folder(folder_of(path)));
  std::string name(name_of(path));
  bool is_link = entry.kind == wire::EntryKind::symlink;
  MHP_TRY_VOID(is_link ? folder->symlink(name, entry.link_target) : folder->special(name, info_of(entry)));
  auto set = folder->set_info(name, info_of(entry), xattrs_of(entry));
  if (!set) outcome_.warn(entry.path, set.error().detail);
  return {};
}

void RestoreRun::plan_file(wire::TreeEntry entry, Window& window) {
  FilePlan plan;
  plan.file = std::make_shared<FileInRestore>();
  FileInRestore& file = *plan.file;
  plan.chunks = std::move(entry.chunks);
  if (entry.chunks_are_lists) {
    plan.lists.assign(plan.chunks.rbegin(), plan.chunks.rend());
    plan.chunks.clear();
  }
  file.path = target_path(entry.path);
  file.entry = std::move(entry);
  file.entry.chunks.clear();
  file.has_content = !plan.chunks.empty() || !plan.lists.empty();
  if (!file.has_content && file.entry.extents.empty()) return writer_->write_empty(file);
  if (plan.chunks.size() != 1) {
    writer_->open(file);
    ++window.open_files;
  }
  plan_ = std::move(plan);
}

/// Plans chunks of plan_ until they end, a list must be read, or the window is full.
void RestoreRun::collect_chunks(Window& window) {
  FilePlan& plan = *plan_;
  for (; plan.next < plan.chunks.size() && !window.full(); ++plan.next) {
    if (plan.file->failed) {
      plan.lists.clear();
      plan.next = plan.chunks.size();
      return;
    }
    const ChunkId& id = plan.chunks[plan.next];
    auto place = vault_.place_of(id);
    if (!place) {
      const bool missing = place.error().code == Errc::not_found;
      writer_->fail(*plan.file, missing ? Error{Errc::corrupt, "content is missing from the index"} : place.error());
      continue;
    }
    plan.file->left.fetch_add(1);
    window.pieces.push_back({*place, id, plan.data_offset, window.pieces.size(), plan.file});
    window.bytes += place->bytes;
    plan.data_offset += place->bytes;
  }
}

/// All chunks of plan_ are planned: they must be as long as the file.
void RestoreRun::end_plan() {
  FileInRestore& file = *plan_->file;
  if (!file.failed && plan_->data_offset != data_bytes_of(file.entry))
    writer_->fail(file, Error{Errc::corrupt, "its content is not as long as the file was"});
  writer_->done_with_piece(file);
  plan_.reset();
}

void RestoreRun::link_all() {
  for (const WaitingLink& link : links_) {
    auto linked = [&]() -> Result<void> {
      MHP_TRY(auto folder, writer_->walk().folder(folder_of(link.path)));
      return folder->hard_link(std::string(name_of(link.path)), link.target);
    }();
    if (linked) outcome_.restored_file(link.entry);
    if (!linked)
      outcome_.failed(link.entry.path,
                      Error{linked.error().code, "its first name: " + linked.error().detail, Subject::target});
  }
  links_.clear();
}

/// The deepest last entries first, so that what is set for a folder is not changed by what is still made in it, and a
/// folder that may not be written to is closed when all is in it.
void RestoreRun::finish_folders() {
  for (auto entry = folders_.rbegin(); entry != folders_.rend() && !outcome_.stopped(); ++entry) {
    std::string path = target_path(entry->path);
    auto set = [&]() -> Result<void> {
      MHP_TRY(auto folder, writer_->walk().folder(folder_of(path)));
      return folder->set_info(std::string(name_of(path)), info_of(*entry), xattrs_of(*entry));
    }();
    if (!set) outcome_.warn(entry->path, set.error().detail);
  }
}

/// The system keeps what is written in memory for a while: a power cut, or a drive that is pulled out, would lose it.
void RestoreRun::sync() {
  auto synced = root_->sync_file_system();
  if (synced) return;
  outcome_.stop(Error{synced.error().code,
                      options_.to + ": what was brought back may not have reached the disk: " + synced.error().detail,
                      Subject::target});
}

}  // namespace

Task<Result<RestoreReport>> restore(platform::Platform& platform, vault::Vault& vault, const RestoreOptions& options,
                                    Counters& counters) {
  RestoreRun run(platform, vault, options, counters);
  co_return co_await run.run();
}

}  // namespace mhp::snapshot
