// A vault whose disk can be set back again and again: for tests that do the same thing with another fault each time.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>

#include "vault/testing/world.h"

namespace mhp::vault::testing {

/// Before: a world made ready. `keep()` remembers its disk, `reset()` brings it back.
class Scene {
 public:
  Scene(std::uint64_t seed, unsigned homes) : world(seed, homes) { world.init("a"); }

  World world;
  std::vector<Files> saved;  // acknowledged snapshots, oldest first

  platform::MemoryDisk& disk() { return world.platform().memory_disk(); }
  Files save_files(Files files) {
    auto done = save(world, "a", files);
    EXPECT_TRUE(done) << done.error().detail;
    saved.push_back(files);
    return files;
  }
  void keep() {
    world.settle();
    EXPECT_TRUE(disk().sync_folder("/homes"));
    kept_ = disk().after_power_cut(0);
    kept_saved_ = saved;
    reset();
  }
  void reset() {
    world.settle();
    world.platform().set_disk(kept_->after_power_cut(0));
    saved = kept_saved_;
  }

  /// "" where `computer` finds every acknowledged snapshot, bit by bit, and none that nobody began.
  std::string check_all(const std::string& computer, const std::vector<Files>& begun) {
    auto session = world.open(computer);
    if (!session) return "open: " + session.error().detail;
    std::vector<Files> found;
    for (const auto& snapshot : session->vault->snapshots()) {
      auto back = world.run(read_back(*session->vault, snapshot));
      if (!back) return "a snapshot cannot be read: " + back.error().detail;
      found.push_back(std::move(*back));
    }
    for (const Files& files : saved) {
      if (std::ranges::find(found, files) == found.end()) return "an acknowledged snapshot is lost";
    }
    for (const Files& files : found) {
      if (std::ranges::find(begun, files) == begun.end()) return "a snapshot that nobody made";
    }
    return {};
  }

 private:
  std::unique_ptr<platform::MemoryDisk> kept_;
  std::vector<Files> kept_saved_;
};

}  // namespace mhp::vault::testing
