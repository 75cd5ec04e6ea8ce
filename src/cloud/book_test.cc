// The book of rosters: several users of one folder, damage, and what wakes those who wait.
#include "cloud/book.h"

#include <gtest/gtest.h>

#include "cloud/test_cloud.h"
#include "platform/memory/memory_platform.h"

namespace mhp::cloud {
namespace {

const std::string kBookFolder = "/state/clouds";

class Books : public ::testing::Test {
 protected:
  platform::MemoryDisk& disk() { return machine_.memory_disk(); }
  CloudId id() const { return cloud_.roster.cloud(); }
  std::string path() const { return kBookFolder + "/" + id().hex(); }
  /// As another process would see it.
  std::unique_ptr<Book> open() {
    auto book = std::make_unique<Book>(disk(), kBookFolder);
    EXPECT_TRUE(book->refresh());
    return book;
  }
  std::vector<Bytes> all() const { return cloud_.roster.statements().statements; }
  /// A statement that the cloud knows and no book yet.
  std::vector<Bytes> news(const std::string& address) {
    const auto before = cloud_.roster.digest();
    cloud_.tell_address(ann(), address);
    return cloud_.roster.missing_of(before).statements;
  }
  void expect_all_in(const Book& book) {
    ASSERT_TRUE(book.find(id()));
    EXPECT_EQ(book.find(id())->statements(), cloud_.roster.statements());
  }
  Bytes content(const std::string& of) {
    const auto read = platform::read_file(disk(), of, 5_MiB);
    EXPECT_TRUE(read) << of;
    return read.value_or(Bytes());
  }

  Cloud cloud_{ann()};
  platform::MemoryPlatform machine_{1};
};

TEST_F(Books, KeepWhatTheyWereGiven) {
  Book book(disk(), kBookFolder);
  EXPECT_TRUE(book.refresh());
  EXPECT_TRUE(book.clouds().empty());
  EXPECT_EQ(book.merge(id(), all()).error().code, Errc::not_found);
  EXPECT_EQ(book.drop(id()).error().code, Errc::not_found);
  ASSERT_TRUE(book.add(cloud_.roster));
  expect_all_in(book);
  const auto fresh = news("later.example:1");
  const auto merged = book.merge(id(), fresh);
  ASSERT_TRUE(merged) << merged.error().detail;
  EXPECT_EQ(merged->fresh.size(), 1U);
  EXPECT_EQ(book.clouds(), std::vector{id()});
  expect_all_in(*open());
}

TEST_F(Books, WriteNothingWhereNothingIsNew) {
  Book book(disk(), kBookFolder);
  ASSERT_TRUE(book.add(cloud_.roster));
  const std::uint64_t changes = book.changes();
  const auto before = disk().info(path());
  EXPECT_TRUE(book.merge(id(), all())->fresh.empty());
  EXPECT_TRUE(book.merge(id(), {})->fresh.empty());
  EXPECT_TRUE(book.refresh());
  EXPECT_TRUE(book.add(cloud_.roster));
  EXPECT_EQ(disk().info(path())->inode, before->inode);
  EXPECT_EQ(book.changes(), changes);
}

TEST_F(Books, SeeWhatOthersWrote) {
  Book one(disk(), kBookFolder);
  const auto other = open();
  ASSERT_TRUE(one.add(cloud_.roster));
  EXPECT_EQ(other->find(id()), nullptr);
  ASSERT_TRUE(other->refresh());
  expect_all_in(*other);
  const std::uint64_t changes = one.changes();
  ASSERT_TRUE(other->merge(id(), news("later.example:1")));
  ASSERT_TRUE(one.refresh());
  EXPECT_EQ(one.changes(), changes + 1);
  expect_all_in(one);
  ASSERT_TRUE(other->drop(id()));
  ASSERT_TRUE(one.refresh());
  EXPECT_TRUE(one.clouds().empty());
  EXPECT_EQ(one.changes(), changes + 2);
  EXPECT_EQ(one.merge(id(), all()).error().code, Errc::not_found);
  EXPECT_TRUE(disk().list(kBookFolder)->empty());
  ASSERT_TRUE(one.add(cloud_.roster));
  expect_all_in(*open());
}

TEST_F(Books, LoseNothingWhereTwoWriteInTurns) {
  Book one(disk(), kBookFolder);
  ASSERT_TRUE(one.add(cloud_.roster));
  const auto two = open();
  for (unsigned i = 0; i < 20; ++i) {
    const Person person("Person " + std::to_string(i));
    const auto before = cloud_.roster.digest();
    cloud_.let_in(ann(), person);
    Book& book = i % 2 == 0 ? one : *two;
    ASSERT_TRUE(book.merge(id(), cloud_.roster.missing_of(before).statements));
  }
  ASSERT_TRUE(one.refresh());
  expect_all_in(one);
  expect_all_in(*open());
}

TEST_F(Books, KnowWhoseAHomeIs) {
  cloud_.let_in(ann(), ben());
  Book book(disk(), kBookFolder);
  ASSERT_TRUE(book.add(cloud_.roster));
  EXPECT_EQ(book.belongings(ben().home_id()), (std::vector{Book::Belonging{id(), ben().id()}}));
  EXPECT_TRUE(book.has_home(ben().home_id()));
  const auto before = cloud_.roster.digest();
  cloud_.remove(ann(), ben());
  ASSERT_TRUE(book.merge(id(), cloud_.roster.missing_of(before).statements));
  EXPECT_TRUE(book.belongings(ben().home_id()).empty());
  EXPECT_FALSE(book.has_home(ben().home_id()));
  // In another cloud it is as before.
  Cloud other(ann(), {.open = true});
  other.let_in(ann(), ben());
  ASSERT_TRUE(book.add(other.roster));
  EXPECT_TRUE(book.has_home(ben().home_id()));
}

TEST_F(Books, HealDamageFromTheCopy) {
  cloud_.let_in(ann(), ben());
  ASSERT_TRUE(Book(disk(), kBookFolder).add(cloud_.roster));
  const Bytes good = content(path());
  ASSERT_EQ(content(path() + ".copy"), good);
  for (std::uint64_t bit = 0; bit < 8 * good.size(); bit += 97) {
    disk().flip_bit(path(), bit);
    const auto book = open();
    expect_all_in(*book);
    ASSERT_TRUE(book->merge(id(), {}));
    ASSERT_EQ(content(path()), good) << bit;
  }
}

TEST_F(Books, HealDamageFromMemory) {
  Book book(disk(), kBookFolder);
  ASSERT_TRUE(book.add(cloud_.roster));
  const Bytes good = content(path());
  for (const char* suffix : {"", ".copy"})
    ASSERT_TRUE(platform::replace_file(disk(), path() + suffix, Bytes(10, std::byte{'x'})));
  EXPECT_TRUE(book.refresh());
  expect_all_in(book);
  ASSERT_TRUE(book.merge(id(), {}));
  EXPECT_EQ(content(path()), good);
  EXPECT_EQ(content(path() + ".copy"), good);
}

TEST_F(Books, NameWhatIsDamagedAndHealItFromOthers) {
  Cloud other(ben());
  Book first(disk(), kBookFolder);
  ASSERT_TRUE(first.add(cloud_.roster));
  ASSERT_TRUE(first.add(other.roster));
  for (const char* suffix : {"", ".copy"})
    ASSERT_TRUE(platform::replace_file(disk(), path() + suffix, Bytes(10, std::byte{'x'})));
  Book book(disk(), kBookFolder);
  for (unsigned i = 0; i < 2; ++i) {
    const auto refreshed = book.refresh();
    ASSERT_FALSE(refreshed);
    EXPECT_EQ(refreshed.error().code, Errc::corrupt);
    EXPECT_EQ(refreshed.error().subject, Subject::state);
    EXPECT_TRUE(refreshed.error().detail.starts_with(path())) << refreshed.error().detail;
  }
  EXPECT_EQ(book.damaged(), std::vector{id()});
  EXPECT_EQ(book.find(id()), nullptr);
  EXPECT_TRUE(book.find(other.roster.cloud()));
  EXPECT_EQ(book.merge(id(), {}).error().code, Errc::corrupt);
  ASSERT_TRUE(book.merge(id(), all()));
  EXPECT_TRUE(book.damaged().empty());
  EXPECT_TRUE(book.refresh());
  expect_all_in(*open());
}

TEST_F(Books, TooLongAFileIsDamaged) {
  Book book(disk(), kBookFolder);
  ASSERT_TRUE(book.add(cloud_.roster));
  ASSERT_TRUE(platform::replace_file(disk(), path(), Bytes(6_MiB)));
  expect_all_in(*open());
}

Task<> give_back_after(platform::Clock& clock, std::chrono::nanoseconds time,
                       std::unique_ptr<platform::FileLock> lock) {
  co_await clock.sleep(time);
  lock.reset();
}

Task<Result<Merged>> merge_while_locked(platform::Platform& machine, Book& book, CloudId cloud,
                                        std::vector<Bytes> statements, std::unique_ptr<platform::FileLock> lock) {
  platform::Nursery scope(machine.executor());
  scope.start(give_back_after(machine.clock(), std::chrono::seconds(2), std::move(lock)));
  auto merging = book.merge_aside(machine, cloud, std::move(statements));
  auto merged = co_await std::move(merging);
  co_await scope.join();
  co_return merged;
}

TEST_F(Books, WaitForWhoeverWrites) {
  Book book(disk(), kBookFolder);
  ASSERT_TRUE(book.add(cloud_.roster));
  const auto fresh = news("later.example:1");
  auto lock = disk().lock(path() + ".lock", "another");
  ASSERT_TRUE(lock);
  EXPECT_EQ(book.merge(id(), fresh).error().code, Errc::busy);
  EXPECT_TRUE(book.refresh()) << "who reads waits for nobody";
  const auto merged = run_task(machine_, merge_while_locked(machine_, book, id(), fresh, std::move(*lock)));
  ASSERT_TRUE(merged) << merged.error().detail;
  EXPECT_EQ(merged->fresh.size(), 1U);
  lock = disk().lock(path() + ".lock", "another");
  const auto before = machine_.clock().steady();
  EXPECT_EQ(run_task(machine_, book.merge_aside(machine_, id(), all())).error().code, Errc::busy);
  EXPECT_GE(machine_.clock().steady() - before, std::chrono::seconds(10));
}

Task<> merge_one(platform::Platform& machine, Book& book, CloudId cloud, std::vector<Bytes> statements) {
  auto merging = book.merge_aside(machine, cloud, std::move(statements));
  EXPECT_TRUE(co_await std::move(merging));
}
Task<> refresh_one(platform::Platform& machine, Book& book) { EXPECT_TRUE(co_await book.refresh_aside(machine)); }

Task<int> merge_all(platform::Platform& machine, std::vector<Book*> books, CloudId cloud,
                    std::vector<Bytes> statements) {
  platform::Nursery scope(machine.executor());
  for (std::size_t i = 0; i < statements.size(); ++i) {
    std::vector<Bytes> one{statements[i]};
    scope.start(merge_one(machine, *books[i % books.size()], cloud, std::move(one)));
    scope.start(refresh_one(machine, *books[(i + 1) % books.size()]));
  }
  co_await scope.join();
  co_return 0;
}

TEST_F(Books, ManyAtOnceLoseNothing) {
  Book one(disk(), kBookFolder);
  ASSERT_TRUE(one.add(cloud_.roster));
  const auto two = open();
  const auto before = cloud_.roster.digest();
  for (unsigned i = 0; i < 8; ++i) cloud_.let_in(ann(), Person("Person " + std::to_string(i)));
  std::vector<Bytes> added = cloud_.roster.missing_of(before).statements;
  std::vector<Bytes> known = all();
  // In an order in which each may be said: what came first is told first.
  std::vector<Bytes> ordered;
  Roster growing = *one.find(id());
  while (ordered.size() < added.size()) {
    for (const Bytes& statement : added)
      if (!take(growing, statement).fresh.empty()) ordered.push_back(statement);
  }
  EXPECT_EQ(run_task(machine_, merge_all(machine_, {&one, two.get()}, id(), ordered)), 0);
  for (unsigned round = 0; round < 2; ++round)  // what came too early was refused, as in any exchange
    EXPECT_EQ(run_task(machine_, merge_all(machine_, {&one, two.get()}, id(), ordered)), 0);
  ASSERT_TRUE(one.refresh() && two->refresh());
  expect_all_in(one);
  expect_all_in(*two);
}

Task<> note_change(Book& book, std::uint64_t seen, bool& into) {
  co_await book.changed(seen);
  into = true;
}

Task<int> wait_for_news(platform::Platform& machine, Book& book, const Roster& roster) {
  bool first = false, second = false, never = false;
  const std::uint64_t seen = book.changes();
  platform::Nursery scope(machine.executor());
  platform::Nursery other(machine.executor());
  scope.start(note_change(book, seen, first));
  scope.start(note_change(book, seen, second));
  other.start(note_change(book, seen + 1, never));
  co_await machine.clock().sleep(std::chrono::seconds(1));
  EXPECT_FALSE(first || second);
  EXPECT_TRUE(book.add(roster));
  co_await scope.join();
  EXPECT_TRUE(first && second && !never);
  other.cancel();
  co_await other.join();
  EXPECT_FALSE(never);
  co_await book.changed(seen);  // at once
  co_return 0;
}

TEST_F(Books, WakeThoseWhoWaitForNews) {
  Book book(disk(), kBookFolder);
  EXPECT_EQ(run_task(machine_, wait_for_news(machine_, book, cloud_.roster)), 0);
}

}  // namespace
}  // namespace mhp::cloud
