// The rosters of the clouds that this computer is in, in files that several processes of it use at once.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cloud/roster.h"
#include "platform/platform.h"

namespace mhp::cloud {

/// Shared with whoever looks at it while a newer one takes its place.
using RosterPointer = std::shared_ptr<const Roster>;

/// One folder with two files for each cloud, <cloud id> and a copy (RosterStatements, docs/formats/roster.md). Whoever
/// writes holds the cloud's lock, reads what another process wrote meanwhile, merges, and replaces both files. So
/// nothing that was acknowledged is lost, and every process comes to the same roster. One thread (the loop): what ends
/// in _aside does its work in the worker pool.
/// A file that is damaged is made whole, by the next writing, from its copy or from what is in memory. Where neither is
/// there, its cloud is in damaged(): add() the roster again, as exchange() does. Errors have Subject::state and name
/// the file. busy: another process is writing (those in _aside wait for it, up to 10 s); corrupt.
class Book {
 public:
  /// `folder` need not exist. `disk` must outlive it. `who`: a note in the locks, as in vault::State.
  Book(platform::Disk& disk, std::string folder, std::string who = "mhp");
  ~Book();
  Book(const Book&) = delete;
  Book& operator=(const Book&) = delete;

  /// Takes in what another process wrote, added or dropped; cheap where nothing did. To be called once at first. Where
  /// one cloud cannot be read the others are taken in all the same.
  Result<void> refresh();
  Task<Result<void>> refresh_aside(platform::Platform& platform);

  std::vector<CloudId> clouds() const;
  /// Null: not one of clouds(), or damaged.
  RosterPointer find(const CloudId& cloud) const;
  /// Of whose roster nothing can be read, though there is one.
  std::vector<CloudId> damaged() const;

  /// Durable when it returns. Errors: not_found (this computer is not in it, or has left); as refresh().
  Result<Merged> merge(const CloudId& cloud, std::span<const Bytes> statements);
  Task<Result<Merged>> merge_aside(platform::Platform& platform, CloudId cloud, std::vector<Bytes> statements);
  /// A cloud that was founded or joined; merged with what is there already. Durable.
  Result<void> add(const Roster& roster);
  Task<Result<void>> add_aside(platform::Platform& platform, Roster roster);
  /// Forgets a cloud that was left. Durable. Errors: not_found.
  Result<void> drop(const CloudId& cloud);
  /// The same; waits some seconds for who holds its lock, as `mhp up` does for moments.
  Task<Result<void>> drop_aside(platform::Platform& platform, CloudId cloud);

  struct Belonging {
    CloudId cloud;
    MemberId member;
    friend bool operator==(const Belonging&, const Belonging&) = default;
  };
  /// In which clouds a computer is, and whose it is there.
  std::vector<Belonging> belongings(const HomeId& home) const;
  /// Whether it is in any.
  bool has_home(const HomeId& home) const;
  /// Whether the computer of that key was taken out of any, by itself: not with a member who was removed.
  bool was_taken_out(const KeyId& computer) const;

  /// Rises whenever a roster changes here, whoever changed it.
  std::uint64_t changes() const { return changes_; }
  /// Returns once changes() is above `seen`: at once where it is. Something must call refresh() for what other
  /// processes write. The book outlives the task.
  Task<> changed(std::uint64_t seen);

 private:
  struct Entry;
  struct Outcome;
  struct Job;
  struct Found;
  using Waiters = std::list<platform::Semaphore*>;

  Job job_of(const CloudId& cloud) const;
  std::vector<Job> jobs() const;
  static Result<std::vector<Found>> survey(const std::vector<Job>& jobs, const Job& another);
  Result<void> install_all(Result<std::vector<Found>> all);
  Task<Result<Merged>> update_aside(platform::Platform& platform, CloudId cloud, std::vector<Bytes> statements,
                                    bool may_make);
  void install(const CloudId& cloud, const Job& job, Outcome& outcome);
  void note_change();

  platform::Disk& disk_;
  const std::string folder_;
  const std::string who_;
  std::map<CloudId, std::unique_ptr<Entry>> entries_;
  std::uint64_t changes_ = 0;
  std::uint64_t drops_ = 0;
  Waiters waiters_;
};

}  // namespace mhp::cloud
