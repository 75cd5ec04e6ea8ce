// Targets that fail: every call of a restore fails once, or from there on. What is not named as lost is right.
#include <algorithm>
#include <map>
#include <set>

#include "base/test_run.h"
#include "snapshot/test_tree.h"

namespace mhp::snapshot {
namespace {

/// Which call on the target fails, and how.
struct Plan {
  std::uint64_t fail_call = 0;  // from 1; 0: none
  bool ever_after = false;
  bool short_write = false;  // half of a failing write is there
  Errc with = Errc::unavailable;
  std::uint64_t calls = 0;

  Result<void> step() {
    ++calls;
    const bool fails = calls == fail_call || (ever_after && fail_call > 0 && calls > fail_call);
    if (fails) return fail(with, "injected fault");
    return {};
  }
};

class FaultFile : public platform::TargetFile {
 public:
  FaultFile(std::unique_ptr<platform::TargetFile> real, Plan& plan) : real_(std::move(real)), plan_(plan) {}
  Result<void> write_at(std::uint64_t offset, ByteView bytes) override {
    auto step = plan_.step();
    if (!step && plan_.short_write) (void)real_->write_at(offset, bytes.first(bytes.size() / 2));
    return step ? real_->write_at(offset, bytes) : step;
  }
  Result<void> set_size(std::uint64_t bytes) override {
    MHP_TRY_VOID(plan_.step());
    return real_->set_size(bytes);
  }
  Result<void> set_info(const platform::NodeInfo& info, const std::vector<platform::Xattr>& xattrs) override {
    MHP_TRY_VOID(plan_.step());
    return real_->set_info(info, xattrs);
  }

 private:
  std::unique_ptr<platform::TargetFile> real_;
  Plan& plan_;
};

class FaultFolder : public platform::TargetFolder {
 public:
  FaultFolder(std::unique_ptr<platform::TargetFolder> real, Plan& plan) : real_(std::move(real)), plan_(plan) {}
  Result<std::unique_ptr<platform::TargetFolder>> folder(const std::string& name) override {
    MHP_TRY_VOID(plan_.step());
    MHP_TRY(auto below, real_->folder(name));
    return std::make_unique<FaultFolder>(std::move(below), plan_);
  }
  Result<std::unique_ptr<platform::TargetFile>> file(const std::string& name) override {
    MHP_TRY_VOID(plan_.step());
    MHP_TRY(auto file, real_->file(name));
    return std::make_unique<FaultFile>(std::move(file), plan_);
  }
  Result<std::unique_ptr<platform::TargetFile>> reopen(const std::string& name) override {
    MHP_TRY_VOID(plan_.step());
    MHP_TRY(auto file, real_->reopen(name));
    return std::make_unique<FaultFile>(std::move(file), plan_);
  }
  Result<void> symlink(const std::string& name, const std::string& target) override {
    MHP_TRY_VOID(plan_.step());
    return real_->symlink(name, target);
  }
  Result<void> hard_link(const std::string& name, const std::string& existing_path) override {
    MHP_TRY_VOID(plan_.step());
    return real_->hard_link(name, existing_path);
  }
  Result<void> remove(const std::string& name) override {
    MHP_TRY_VOID(plan_.step());
    return real_->remove(name);
  }
  Result<void> special(const std::string& name, const platform::NodeInfo& info) override {
    MHP_TRY_VOID(plan_.step());
    return real_->special(name, info);
  }
  Result<void> set_info(const std::string& name, const platform::NodeInfo& info,
                        const std::vector<platform::Xattr>& xattrs) override {
    MHP_TRY_VOID(plan_.step());
    return real_->set_info(name, info, xattrs);
  }
  Result<void> sync_file_system() override { return plan_.step(); }  // the real one would only cost time

 private:
  std::unique_ptr<platform::TargetFolder> real_;
  Plan& plan_;
};

class FaultTrees : public platform::Trees {
 public:
  FaultTrees(platform::Trees& real, Plan& plan) : real_(real), plan_(plan) {}
  Result<Place> source(const std::string& path) override { return real_.source(path); }
  Result<std::unique_ptr<platform::TargetFolder>> target(const std::string& path) override {
    MHP_TRY_VOID(plan_.step());
    MHP_TRY(auto folder, real_.target(path));
    return std::make_unique<FaultFolder>(std::move(folder), plan_);
  }

 private:
  platform::Trees& real_;
  Plan& plan_;
};

class FaultPlatform : public platform::MemoryPlatform {
 public:
  explicit FaultPlatform(Plan& plan) : MemoryPlatform(1), trees_(MemoryPlatform::trees(), plan) {}
  platform::Trees& trees() override { return trees_; }

 private:
  FaultTrees trees_;
};

using Lines = std::map<std::string, std::string>;  // path -> all that it has

class FailingTarget : public testing::Test {
 protected:
  FailingTarget() : tree_(place_.path() + "/source") {
    tree_.folder("");
    tree_.folder("d", 0750);
    tree_.folder("d/deep");
    tree_.file("d/deep/empty", "");
    tree_.file("d/deep/small", "small", 0600);
    tree_.random_file("d/one chunk", 100'000, 1);
    tree_.random_file("many chunks", 2'500'000, 2);
    tree_.hard_link("z link", "d/one chunk");
    tree_.symlink("symlink", "d");
    tree_.fifo("fifo");
    tree_.sparse_file("sparse", 3_MiB, {{0, "start"}, {1_MiB, std::string(70'000, 'b')}});
    tree_.xattr("d/deep/small", "user.note", "a note");
    snapshot_ = bench_.backup({tree_.at("")}).snapshot;
    wanted_ = lines_of(tree_.at(""));
  }

  Lines lines_of(const std::string& path) {
    Lines out;
    for (const std::string& line : describe_tree(bench_.platform.trees(), path)) {
      out[line.substr(0, line.find(" kind "))] = line;
    }
    return out;
  }

  Result<RestoreReport> restore_to(const std::string& to, Plan& plan) {
    FaultPlatform machine(plan);
    RestoreOptions options;
    options.snapshot = snapshot_;
    options.to = to;
    options.path = tree_.at("");
    options.sync = true;
    Counters counters;
    return platform::run_task(machine, snapshot::restore(machine, bench_.vault, options, counters));
  }

  /// One restore into a fresh folder with one fault. False where the restore was over before it.
  bool restore_with(Plan plan) {
    const platform::TempFolder place;
    const std::string to = place.path() + "/out";
    auto report = restore_to(to, plan);
    const bool came = plan.calls >= plan.fail_call;
    if (!report) {
      EXPECT_TRUE(report.error().code == plan.with || report.error().code == Errc::unavailable)
          << report.error().detail;
      EXPECT_TRUE(came);
      if (!plan.ever_after && plan.fail_call > 1) expect_nothing_wrong(to);
      return came;
    }
    std::set<std::string> named;
    for (const auto& list : {report->errors, report->warnings}) {
      for (const SourceError& error : list) named.insert(error.path.substr(tree_.at("").size()));
    }
    EXPECT_EQ(came, !named.empty()) << "a fault is told, and only a fault";
    const Lines got = lines_of(to);
    for (const auto& [path, line] : wanted_) {
      const auto is_of_named = [&](const std::string& name) {  // the same file by another name
        const auto other = wanted_.find(name);  // a name of this file that could not be made: the file has one fewer
        return line.find(" same as " + name + " ") != line.npos ||
               (other != wanted_.end() && other->second.find(" same as " + path + " ") != other->second.npos);
      };
      if (named.contains(path) || std::ranges::any_of(named, is_of_named)) continue;
      const auto at = got.find(path);
      EXPECT_TRUE(at != got.end() && at->second == line) << path << " is not told and not as it was";
    }
    return came;
  }

  /// Where a restore gave up, what is there is right as far as it goes.
  void expect_nothing_wrong(const std::string& to) {
    for (const auto& [path, line] : lines_of(to)) {
      const auto size = line.find(" size ");
      if (size == line.npos) continue;  // no file
      EXPECT_TRUE(wanted_.contains(path) && wanted_[path].ends_with(line.substr(size))) << path << " is wrong";
    }
  }

  platform::TempFolder place_;
  TestTree tree_;
  Bench bench_;
  wire::SnapshotRecord snapshot_;
  Lines wanted_;
};

TEST_F(FailingTarget, WhatDidNotReachTheDiskIsNoSuccess) {
  const platform::TempFolder place;
  Plan plan;
  ASSERT_TRUE(restore_to(place.path() + "/whole", plan));
  Plan last{.fail_call = plan.calls};  // the sync
  auto report = restore_to(place.path() + "/not synced", last);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().subject, Subject::target);
  EXPECT_NE(report.error().detail.find("may not have reached the disk"), std::string::npos) << report.error().detail;
}

TEST_F(FailingTarget, AtEveryCallNamesWhatIsNotBack) {
  std::uint64_t faults = 0;
  for (const Errc with : {Errc::unavailable, Errc::full, Errc::exhausted, Errc::denied}) {
    for (const bool ever_after : {false, true}) {
      for (std::uint64_t call = 1; !HasFailure(); ++call) {
        SCOPED_TRACE("call " + std::to_string(call) + " fails with " + std::string(to_string(with)) +
                     (ever_after ? ", ever after" : ""));
        if (!restore_with({.fail_call = call, .ever_after = ever_after, .short_write = call % 2 == 0, .with = with}))
          break;
        ++faults;
      }
    }
  }
  EXPECT_GT(faults, 100u);
  test_run::tried(6, "faults injected into a restore's target", faults, 1);
}

}  // namespace
}  // namespace mhp::snapshot
