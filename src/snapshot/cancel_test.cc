// Giving up: a backup or restore that is canceled at any point ends cleanly and leaves no snapshot.
#include <asio/post.hpp>

#include "platform/nursery.h"
#include "snapshot/test_tree.h"

namespace mhp::snapshot {
namespace {

Task<> cancel_after(int turns, platform::Nursery& scope) {
  for (int i = 0; i < turns; ++i) co_await asio::post(asio::use_awaitable);
  scope.cancel();
}

Task<> back_up(Bench& bench, BackupOptions options, bool& done) {
  Counters counters;
  auto report = co_await snapshot::backup(bench.platform, bench.vault, options, counters);
  done = report.has_value();
}

Task<> bring_back(Bench& bench, RestoreOptions options, bool& done) {
  Counters counters;
  auto report = co_await snapshot::restore(bench.platform, bench.vault, options, counters);
  done = report.has_value() && report->errors.empty();
}

Task<int> run_both(platform::Nursery& scope, Task<> work, int turns) {
  scope.start(std::move(work));
  scope.start(cancel_after(turns, scope));
  co_await scope.join();
  co_return 0;
}

/// Cancels after 0, 1, 2 ... turns of the loop until the work is done before that.
template <class Start>
int cancel_at_every_turn(Start start) {
  bool done = false;
  int turns = 0;
  for (; !done && turns < 5000; turns += 1 + turns / 20) start(turns, done);
  EXPECT_TRUE(done);
  return turns;
}

class Cancel : public testing::Test {
 protected:
  Cancel() : tree_(place_.path() + "/source") {
    tree_.folder("");
    for (int i = 0; i < 30; ++i) tree_.file(std::to_string(i), std::to_string(i));
    tree_.random_file("big", 20_MiB, 1);
  }
  platform::TempFolder place_;
  TestTree tree_;
};

TEST_F(Cancel, ABackupLeavesNoSnapshot) {
  cancel_at_every_turn([this](int turns, bool& done) {
    Bench bench;
    BackupOptions options;
    options.scan.paths = {tree_.at("")};
    platform::Nursery scope(bench.platform.executor());
    bench.platform.run(run_both(scope, back_up(bench, options, done), turns));
    EXPECT_EQ(bench.vault.snapshots().size(), done ? 1u : 0u) << turns;
  });
}

TEST_F(Cancel, ARestoreEnds) {
  Bench bench;
  RestoreOptions options;
  options.snapshot = bench.backup({tree_.at("")}).snapshot;
  cancel_at_every_turn([&](int turns, bool& done) {
    options.to = place_.path() + "/out " + std::to_string(turns);
    platform::Nursery scope(bench.platform.executor());
    bench.platform.run(run_both(scope, bring_back(bench, options, done), turns));
  });
}

}  // namespace
}  // namespace mhp::snapshot
