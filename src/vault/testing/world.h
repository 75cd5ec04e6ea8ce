// A world for this room's tests: folder homes on a disk of memory, computers with a state folder each, one phrase.
#pragma once

#include <map>
#include <set>
#include <string>

#include "home/folder_home.h"
#include "platform/memory/memory_platform.h"
#include "vault/testing/bad_home.h"
#include "vault/vault.h"

namespace mhp::vault::testing {

/// MHP_SEED repeats a run.
std::uint64_t seed_of_run();

using Files = std::map<std::string, Bytes>;

/// A vault opened by one computer. Order matters: what is below borrows what is above.
struct Session {
  std::unique_ptr<State> state;
  std::unique_ptr<Device> device;
  std::unique_ptr<OpenRecord> record;
  std::unique_ptr<dispersal::HomeSet> homes;
  std::unique_ptr<Vault> vault;
};

class World {
 public:
  explicit World(std::uint64_t seed, unsigned homes = 6, std::string phrase = "one");
  ~World();

  platform::MemoryPlatform& platform() { return platform_; }
  const Root& root() const { return root_; }
  unsigned homes() const { return static_cast<unsigned>(homes_.size()); }
  bool is_lost(unsigned number) const { return lost_.contains(number); }
  std::string home_path(unsigned number) const { return "/homes/" + std::to_string(number); }
  std::string state_path(const std::string& computer) const { return "/computers/" + computer; }

  /// `init` on a computer: homes made, record on all of them.
  void init(const std::string& computer);
  /// Another home, in the record from now on.
  void add_home(const std::string& computer);
  /// A folder that is not there any more.
  void lose_home(unsigned number) { lost_.insert(number); }
  void find_home(unsigned number) { lost_.erase(number); }
  /// All files of a home, to set it back to later.
  Files copy_home(unsigned number);
  void set_home_back(unsigned number, const Files& copy) { set_back(home_path(number), copy); }
  /// The same of a computer's state folder.
  Files copy_state(const std::string& computer);
  void set_state_back(const std::string& computer, const Files& copy) { set_back(state_path(computer), copy); }
  void spoil_home(unsigned number, Fault fault) { faults_[number] = fault; }
  void hang_home_after(unsigned number, std::size_t answers) {
    spoil_home(number, Fault::hangs_later);
    answers_left_ = answers;
  }
  /// Of the home that hangs after some: 0, it hangs now.
  std::size_t answers_left() const { return answers_left_; }
  /// Every home gives wrong bytes of it: it is beyond repair.
  void spoil_segment(const SegmentId& segment) { rotten_.insert(segment); }
  void lose_computer(const std::string& computer);
  /// From the phrase and one home.
  void recover(const std::string& computer, unsigned from_home, Earlier earlier = Earlier::shut_out);
  /// From the phrase and all homes that are not lost. What could not be read of the newest state.
  /// `older`: is given what of the vault records was not believed.
  Result<std::vector<UnreadHead>> try_recover(const std::string& computer, OpenHow how = {.newest_readable = true},
                                              std::vector<OlderRecord>* older = nullptr);

  Result<Session> open(const std::string& computer);
  /// Homes as the members of a set, those lost are away.
  std::vector<dispersal::Member> members(const std::vector<wire::HomeEntry>& entries);
  /// Lets jobs run that closing left behind.
  void settle();
  /// A machine without power: what was not synced is up to `seed`. No session may be open.
  void cut_power(std::uint64_t seed);

  template <class T>
  T run(Task<T> task) {
    return platform::run_task(platform_, std::move(task));
  }
  Bytes noise(std::size_t bytes);
  void pass_time(std::chrono::nanoseconds time);
  /// What all homes that are there have used on their disks by what counts.
  std::uint64_t used_bytes();

 private:
  wire::VaultPrivate content() const;
  void read_tree(const std::string& folder, Files& into);
  Files copy_folder(const std::string& folder);
  void set_back(const std::string& folder, const Files& copy);

  platform::MemoryPlatform platform_;
  Root root_;
  std::vector<HomeId> homes_;
  std::set<unsigned> lost_;
  std::map<unsigned, Fault> faults_;
  std::size_t answers_left_ = 0;
  std::set<SegmentId> rotten_;
};

/// A snapshot of files, each a chunk (or several of at most 4 MiB); its page_list is a chunk of our own making.
Task<Result<Committed>> back_up(platform::Platform& platform, Vault& vault, Files files, WriteOptions options = {});
/// The same, up to finish(): as when the power goes.
Task<Result<void>> back_up_without_end(platform::Platform& platform, Vault& vault, Files files,
                                       WriteOptions options = {});
/// Forgets snapshots of such a kind, and collects.
Task<Result<Collected>> forget(Vault& vault, CollectOptions options);
Task<Result<Files>> read_back(Vault& vault, wire::SnapshotRecord snapshot);

/// About 10 MB in 44 files, and two small files; different ones at each call.
Files some_files(World& world);
Files few_files(World& world);
/// A whole backup by a computer.
Result<Committed> save(World& world, const std::string& computer, const Files& files);
/// By a computer, snapshots by their numbers, counted from 0, oldest first.
Result<Collected> forget(World& world, const std::string& computer, const std::vector<std::size_t>& numbers,
                         bool repack = true);
/// Counts, and reads so many percent of the segments.
CheckReport check(World& world, const std::string& computer, unsigned read_percent = 0);
/// EXPECTs that a snapshot, counted from 0, oldest first, is `files` as `computer` sees it.
void expect_snapshot(World& world, const std::string& computer, std::size_t number, const Files& files);

}  // namespace mhp::vault::testing
