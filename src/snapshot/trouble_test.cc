// Sources that give trouble: files that may not be read, vanish, or change while they are read. Tests run as root too,
// so a double of the trees refuses and meddles.
#include <algorithm>
#include <functional>
#include <map>

#include "snapshot/test_tree.h"

namespace mhp::snapshot {
namespace {

/// What happens to a path when it is opened or listed: an error, or something done to the tree (each time).
struct Trouble {
  std::map<std::string, Error> refused;
  std::map<std::string, std::function<void()>> before_open;
  std::map<std::string, std::function<void()>> while_read;  // behind the first read of a file
  std::map<std::string, int> opened;
};

class TroubledFile : public platform::SourceFile {
 public:
  TroubledFile(std::unique_ptr<platform::SourceFile> real, std::string path, Trouble& trouble)
      : real_(std::move(real)), path_(std::move(path)), trouble_(trouble) {}
  Result<platform::NodeInfo> info() override { return real_->info(); }
  Result<std::size_t> read_at(std::uint64_t offset, MutableBytes out) override {
    auto refused = trouble_.refused.find(path_ + " read");
    if (refused != trouble_.refused.end()) return tl::unexpected<Error>(refused->second);
    auto got = real_->read_at(offset, out);
    auto meddle = trouble_.while_read.find(path_);
    if (meddle != trouble_.while_read.end()) meddle->second();
    return got;
  }
  Result<std::vector<platform::Extent>> extents() override { return real_->extents(); }
  Result<std::vector<platform::Xattr>> xattrs() override { return real_->xattrs(); }

 private:
  std::unique_ptr<platform::SourceFile> real_;
  std::string path_;
  Trouble& trouble_;
};

class TroubledFolder : public platform::SourceFolder {
 public:
  TroubledFolder(std::unique_ptr<platform::SourceFolder> real, std::string path, Trouble& trouble)
      : real_(std::move(real)), path_(std::move(path)), trouble_(trouble) {}
  Result<platform::NodeInfo> info() override { return real_->info(); }
  Result<std::vector<std::string>> names() override {
    MHP_TRY_VOID(check(path_ + " names"));
    return real_->names();
  }
  Result<platform::NodeInfo> info_of(const std::string& name) override {
    MHP_TRY_VOID(check(at(name) + " info"));
    return real_->info_of(name);
  }
  Result<std::unique_ptr<platform::SourceFolder>> folder(const std::string& name) override {
    MHP_TRY_VOID(check(at(name)));
    MHP_TRY(auto below, real_->folder(name));
    return std::make_unique<TroubledFolder>(std::move(below), at(name), trouble_);
  }
  Result<std::unique_ptr<platform::SourceFile>> file(const std::string& name) override {
    ++trouble_.opened[at(name)];
    MHP_TRY_VOID(check(at(name)));
    MHP_TRY(auto file, real_->file(name));
    return std::make_unique<TroubledFile>(std::move(file), at(name), trouble_);
  }
  Result<std::string> link_target(const std::string& name) override {
    MHP_TRY_VOID(check(at(name)));
    return real_->link_target(name);
  }
  Result<std::vector<platform::Xattr>> xattrs_of(const std::string& name) override { return real_->xattrs_of(name); }
  Result<std::vector<platform::Xattr>> xattrs() override { return real_->xattrs(); }

 private:
  std::string at(const std::string& name) const { return (path_ == "/" ? "" : path_) + "/" + name; }
  Result<void> check(const std::string& what) {
    auto meddle = trouble_.before_open.find(what);
    if (meddle != trouble_.before_open.end()) meddle->second();
    auto refused = trouble_.refused.find(what);
    if (refused != trouble_.refused.end()) return tl::unexpected<Error>(refused->second);
    return {};
  }
  std::unique_ptr<platform::SourceFolder> real_;
  std::string path_;
  Trouble& trouble_;
};

class TroubledTrees : public platform::Trees {
 public:
  TroubledTrees(platform::Trees& real, Trouble& trouble) : real_(real), trouble_(trouble) {}
  Result<Place> source(const std::string& path) override {
    MHP_TRY(Place place, real_.source(path));
    std::string parent = path.substr(0, path.rfind('/'));
    place.folder = std::make_unique<TroubledFolder>(std::move(place.folder), parent.empty() ? "/" : parent, trouble_);
    return place;
  }
  Result<std::unique_ptr<platform::TargetFolder>> target(const std::string& path) override {
    return real_.target(path);
  }

 private:
  platform::Trees& real_;
  Trouble& trouble_;
};

class TroubledPlatform : public platform::MemoryPlatform {
 public:
  explicit TroubledPlatform(Trouble& trouble) : MemoryPlatform(1), trees_(MemoryPlatform::trees(), trouble) {}
  platform::Trees& trees() override { return trees_; }

 private:
  TroubledTrees trees_;
};

class TroubledBackup : public testing::Test {
 protected:
  TroubledBackup() : tree_(place_.path()) {
    for (const char* file : {"a", "b", "d/c", "d/e", "f"}) {
      if (std::string(file).starts_with("d")) tree_.folder("d");
      tree_.file(file, std::string("content of ") + file);
    }
  }
  void refuse(const std::string& what, Errc code = Errc::denied, std::string reason = "permission denied") {
    trouble_.refused.emplace(what, Error{code, std::move(reason)});
  }
  Result<BackupReport> try_backup() {
    BackupOptions options;
    options.scan.paths = {place_.path()};
    Counters counters;
    return platform::run_task(machine_, snapshot::backup(machine_, bench_.vault, options, counters));
  }
  BackupReport backup() {
    auto report = try_backup();
    if (!report) ADD_FAILURE() << report.error().detail;
    return report ? std::move(*report) : BackupReport();
  }
  /// Below the folder, in order.
  std::vector<std::string> paths(const BackupReport& report) {
    std::vector<std::string> out;
    for (const std::string& path : bench_.paths(report.snapshot)) {
      if (("/" + path).starts_with(place_.path() + "/")) out.push_back(("/" + path).substr(place_.path().size() + 1));
    }
    return out;
  }
  wire::TreeEntry entry(const BackupReport& report, const std::string& path) {
    return bench_.entries(report.snapshot, tree_.at(path)).at(0);
  }
  std::string content(const wire::TreeEntry& entry) {
    std::string out;
    for (const ChunkId& id : entry.chunks) {
      auto bytes = platform::run_task(bench_.platform, bench_.vault.read(id));
      out += as_text(*bytes);
    }
    return out;
  }

  platform::TempFolder place_;
  TestTree tree_;
  Trouble trouble_;
  TroubledPlatform machine_{trouble_};
  Bench bench_;
};

using Paths = std::vector<std::string>;

TEST_F(TroubledBackup, WhatMayNotBeReadIsNamedTheRestIsSaved) {
  refuse(tree_.at("b"));
  refuse(tree_.at("d/c read"), Errc::unavailable, "input/output error");
  auto report = backup();
  EXPECT_EQ(paths(report), (Paths{"a", "d", "d/e", "f"}));
  ASSERT_EQ(report.errors.size(), 2u);
  EXPECT_EQ(report.errors[0].path, tree_.at("b"));
  EXPECT_EQ(report.errors[0].reason, "permission denied");
  EXPECT_EQ(report.errors[1].path, tree_.at("d/c"));
  EXPECT_EQ(report.errors[1].reason, "input/output error");
  EXPECT_EQ(report.snapshot.unreadable, 2u);
  EXPECT_EQ(report.snapshot.files, 3u);
}

TEST_F(TroubledBackup, AnExhaustedComputerIsNoFaultOfItsFiles) {
  tree_.symlink("d/link", "c");
  for (std::string what : {"b", "b read", "d", "d names", "d/c", "d/e info", "d/link"}) {
    SCOPED_TRACE(what);
    trouble_.refused.clear();
    refuse(tree_.at(what), Errc::exhausted, "too many open files");
    auto report = try_backup();
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().code, Errc::exhausted);
    EXPECT_EQ(report.error().detail, tree_.at(what.substr(0, what.find(' '))) + ": too many open files");
  }
  trouble_.refused.clear();
  EXPECT_EQ(paths(backup()), (Paths{"a", "b", "d", "d/c", "d/e", "d/link", "f"}));
}

TEST_F(TroubledBackup, AFolderThatMayNotBeReadIsKeptEmpty) {
  refuse(tree_.at("d"));
  auto report = backup();
  EXPECT_EQ(paths(report), (Paths{"a", "b", "d", "f"}));
  ASSERT_EQ(report.errors.size(), 1u);
  EXPECT_EQ(report.errors[0].path, tree_.at("d"));
}

TEST_F(TroubledBackup, AFolderThatCannotBeListedIsNamed) {
  refuse(tree_.at("d names"), Errc::unavailable, "input/output error");
  auto report = backup();
  EXPECT_EQ(paths(report), (Paths{"a", "b", "d", "f"}));
  EXPECT_EQ(report.errors.size(), 1u);
}

TEST_F(TroubledBackup, AFolderAboveThePathNeedsNoReading) {
  refuse(place_.path());
  BackupOptions options;
  options.scan.paths = {tree_.at("d")};
  Counters counters;
  auto report = platform::run_task(machine_, snapshot::backup(machine_, bench_.vault, options, counters));
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->errors.empty());
  EXPECT_EQ(paths(*report), (Paths{"d", "d/c", "d/e"}));
}

TEST_F(TroubledBackup, WhatVanishesBeforeItIsReadIsNamed) {
  trouble_.before_open[tree_.at("b")] = [this] { tree_.remove("b"); };
  trouble_.before_open[tree_.at("d/c info")] = [this] { tree_.remove("d/c"); };  // gone before it was met: no error
  auto report = backup();
  EXPECT_EQ(paths(report), (Paths{"a", "d", "d/e", "f"}));
  ASSERT_EQ(report.errors.size(), 1u);
  EXPECT_EQ(report.errors[0].path, tree_.at("b"));
}

TEST_F(TroubledBackup, AFileThatChangesOnceIsReadAgain) {
  trouble_.while_read[tree_.at("b")] = [this] {
    if (trouble_.opened[tree_.at("b")] == 1) tree_.file("b", "new content, longer");
  };
  auto report = backup();
  EXPECT_TRUE(report.warnings.empty());
  EXPECT_TRUE(report.errors.empty());
  EXPECT_EQ(content(entry(report, "b")), "new content, longer");
  EXPECT_EQ(trouble_.opened[tree_.at("b")], 2);
}

TEST_F(TroubledBackup, AFileThatNeverRestsIsStoredAsRead) {
  int writes = 0;
  trouble_.while_read[tree_.at("b")] = [&] {
    tree_.file("b", std::string(static_cast<std::size_t>(100 + ++writes), 'x'));
  };
  auto report = backup();
  ASSERT_EQ(report.warnings.size(), 1u);
  EXPECT_EQ(report.warnings[0].path, tree_.at("b"));
  EXPECT_EQ(report.warnings[0].reason, "changed while it was read");
  auto saved = entry(report, "b");
  EXPECT_EQ(content(saved).size(), saved.size);
  EXPECT_TRUE(report.errors.empty());
}

TEST_F(TroubledBackup, AFileThatShrinksKeepsWhatWasRead) {
  tree_.random_file("b", 20_MiB, 1);
  trouble_.while_read[tree_.at("b")] = [&] { tree_.random_file("b", 10_MiB, 1); };
  trouble_.before_open[tree_.at("b")] = [&] { tree_.random_file("b", 20_MiB, 1); };
  auto report = backup();
  EXPECT_EQ(report.warnings.size(), 1u);
  auto saved = entry(report, "b");
  EXPECT_EQ(saved.size, 10_MiB);
  EXPECT_EQ(content(saved).size(), saved.size);
  auto out = place_.path() + "/../" + place_.path().substr(place_.path().rfind('/') + 1) + "/out";
  EXPECT_TRUE(bench_.restore(report.snapshot, out, tree_.at("b")).errors.empty());
}

TEST_F(TroubledBackup, AFileThatShrinksWithHolesStaysReadable) {
  tree_.sparse_file(
      "b", 30_MiB,
      {{0, std::string(1_MiB, 'a')}, {10_MiB, std::string(1_MiB, 'b')}, {20_MiB, std::string(1_MiB, 'c')}});
  auto shrink = [&] {
    tree_.sparse_file("b", 10_MiB + 100, {{0, std::string(1_MiB, 'a')}, {10_MiB, std::string(100, 'b')}});
  };
  trouble_.while_read[tree_.at("b")] = shrink;
  trouble_.before_open[tree_.at("b")] = [&] {
    tree_.sparse_file(
        "b", 30_MiB,
        {{0, std::string(1_MiB, 'a')}, {10_MiB, std::string(1_MiB, 'b')}, {20_MiB, std::string(1_MiB, 'c')}});
  };
  auto report = backup();
  EXPECT_EQ(report.warnings.size(), 1u);
  auto saved = entry(report, "b");
  EXPECT_EQ(saved.size, 10_MiB + 100);
  EXPECT_TRUE(bench_.restore(report.snapshot, place_.path() + "/out", tree_.at("b")).errors.empty());
}

TEST_F(TroubledBackup, OtherNamesOfAnUnreadableFileAreNamedToo) {
  tree_.hard_link("z", "b");
  refuse(tree_.at("b"));
  auto report = backup();
  EXPECT_EQ(paths(report), (Paths{"a", "d", "d/c", "d/e", "f"}));
  ASSERT_EQ(report.errors.size(), 2u);
  EXPECT_EQ(report.errors[1].path, tree_.at("z"));
}

}  // namespace
}  // namespace mhp::snapshot
