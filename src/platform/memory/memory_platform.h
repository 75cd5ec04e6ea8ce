// Machines made of memory and one seed: simulated clock, seeded randomness, disks that can lose, tear and refuse
// writes, a network between them.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "platform/memory/memory_network.h"
#include "platform/platform.h"

namespace mhp::platform {

/// What the fault disk does wrong. Counters count calls of that kind over the whole disk, from 1; 0 = never.
struct DiskFaults {
  std::uint64_t fail_call = 0;   // this call (open, write, sync, rename, ... any that changes) fails with `fail_with`
  bool fail_ever_after = false;  // ... and every later one
  Errc fail_with = Errc::unavailable;         // unavailable = EIO, full = ENOSPC
  bool short_write = false;                   // the failing write leaves its first half
  std::uint64_t capacity_bytes = UINT64_MAX;  // ENOSPC past it
};

/// A Disk in memory that remembers what was synced. Thread-safe.
class MemoryDisk : public Disk {
 public:
  MemoryDisk();
  ~MemoryDisk() override;
  void set_faults(const DiskFaults& faults);
  /// Number of calls so far that could have failed.
  std::uint64_t calls() const;
  /// A power cut: a new disk with what was synced, and of each un-synced write (in 512-byte or 4 KiB parts) and
  /// un-synced name change a choice made by `seed`: kept, lost, or torn. Un-synced writes to one place keep no order.
  /// Files whose folder was not synced may be absent. seed 0 = everything un-synced is lost.
  std::unique_ptr<MemoryDisk> after_power_cut(std::uint64_t seed) const;
  /// Flips one bit / reads and writes raw content, for bit-rot tests.
  void flip_bit(const std::string& path, std::uint64_t bit);

  Result<std::unique_ptr<File>> open(const std::string& path, Open how) override;
  Result<void> make_folder(const std::string& path) override;
  Result<void> sync_folder(const std::string& path) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> remove(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& path) override;
  Result<PathInfo> info(const std::string& path) override;
  Result<SpaceInfo> space(const std::string& path) override;
  Result<std::unique_ptr<FileLock>> lock(const std::string& path, const std::string& note) override;
  Result<std::string> absolute(const std::string& path) override;

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with open files
};

/// What several machines in memory share: one loop, one clock, the wires between them.
class MemoryWorld {
 public:
  explicit MemoryWorld(std::uint64_t seed);
  ~MemoryWorld();
  MemoryWorld(const MemoryWorld&) = delete;
  MemoryWorld& operator=(const MemoryWorld&) = delete;
  Clock& clock();
  MemoryNetwork& wires();
  asio::any_io_executor executor();
  /// Runs `main`, which may use every machine of this world, until it is done: its exit code.
  int run(Task<int> main);

 private:
  friend class MemoryPlatform;
  struct State;
  std::unique_ptr<State> state_;
};

/// Deterministic: jobs run on the loop, time moves only when nothing else can run. trees() is the real one of the host
/// (tests give it folders of their own). Streams, listeners and groups of its network go before it does.
class MemoryPlatform : public Platform {
 public:
  /// In a world of its own.
  explicit MemoryPlatform(std::uint64_t seed);
  /// One machine more of `world`, which outlives it; its randomness comes from the world's seed. A machine may get the
  /// address of one that has gone: the same computer after a start.
  explicit MemoryPlatform(MemoryWorld& world, MemoryHost host = {});
  ~MemoryPlatform() override;
  /// The wires of its world, and its name there.
  MemoryNetwork& wires();
  const std::string& address() const;
  Clock& clock() override;
  Random& random() override;
  Disk& disk() override;
  MemoryDisk& memory_disk();
  /// Replaces the disk (after a power cut).
  void set_disk(std::unique_ptr<MemoryDisk> disk);
  Trees& trees() override;
  Network& network() override;
  WorkerPool& workers() override;
  std::unique_ptr<WorkerPool> make_lane() override;
  asio::any_io_executor executor() override;
  int run(Task<int> main) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Runs one coroutine to its end on a platform (or a MemoryWorld) and gives its value, for tests:
/// `auto x = run_task(p, f(p))`.
template <class Runs, class T>
T run_task(Runs& platform, Task<T> task) {
  std::optional<T> out;
  auto wrap = [](Task<T> inner, std::optional<T>& into) -> Task<int> {
    into.emplace(co_await std::move(inner));
    co_return 0;
  };
  platform.run(wrap(std::move(task), out));
  return std::move(*out);
}

}  // namespace mhp::platform
