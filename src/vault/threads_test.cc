// A vault on real folders with real threads: what other tests do in one thread of a simulated machine, for
// ThreadSanitizer to look at.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "home/folder_home.h"
#include "platform/memory/memory_platform.h"
#include "platform/nursery.h"
#include "platform/posix/temp_folder.h"
#include "primitives/sign/sign.h"
#include "vault/vault.h"

namespace mhp::vault {
namespace {

constexpr unsigned kThreadHomes = 6;
constexpr unsigned kWriters = 4;
constexpr std::size_t kChunks = 24;  // of each writer in each snapshot

/// A computer with a vault on folder homes, opened.
class Computer {
 public:
  Computer() {
    primitives::init_sodium();
    make_homes();
    record_ = make_first_record(root_, device_, content_, machine_->random(), machine_->clock().unix_ns());
    EXPECT_TRUE(state_.create(device_, record_));
    homes_ = std::make_unique<dispersal::HomeSet>(*machine_, root_.vault(), members());
    EXPECT_EQ(run(publish_records(*homes_, record_)).size(), kThreadHomes);
    auto opened = run(Vault::open(*machine_, *homes_, state_, device_, record_));
    EXPECT_TRUE(opened) << opened.error().detail;
    if (opened) vault_ = std::move(*opened);
  }

  template <class T>
  T run(Task<T> task) {
    return platform::run_task(*machine_, std::move(task));
  }
  Vault& vault() { return *vault_; }
  platform::Platform& machine() { return *machine_; }
  std::string home_path(unsigned number) const { return folder_.path() + "/home " + std::to_string(number); }

  /// Nothing of an older life is held: a new session of the same computer.
  void open_again() {
    vault_.reset();
    homes_ = std::make_unique<dispersal::HomeSet>(*machine_, root_.vault(), members());
    auto opened = run(Vault::open(*machine_, *homes_, state_, device_, record_));
    ASSERT_TRUE(opened) << opened.error().detail;
    vault_ = std::move(*opened);
  }

 private:
  void make_homes() {
    content_.name = "test";
    for (unsigned i = 0; i < kThreadHomes; ++i) {
      const auto id = home::create_folder_home(machine_->disk(), machine_->random(), home_path(i));
      ASSERT_TRUE(id) << id.error().detail;
      wire::HomeEntry entry;
      entry.id = *id;
      entry.name = "home " + std::to_string(i);
      entry.path = home_path(i);
      content_.homes.push_back(entry);
    }
  }

  std::vector<dispersal::Member> members() {
    std::vector<dispersal::Member> out;
    for (unsigned i = 0; i < kThreadHomes; ++i) {
      dispersal::Member member;
      member.id = content_.homes[i].id;
      member.name = content_.homes[i].name;
      member.domain = i;
      auto home = home::open_folder_home(*machine_, home_path(i), member.id, {.min_free_bytes = 1});
      EXPECT_TRUE(home) << home.error().detail;
      if (home) member.home = std::move(*home);
      out.push_back(std::move(member));
    }
    return out;
  }

  platform::TempFolder folder_;
  std::unique_ptr<platform::Platform> machine_ = platform::make_posix_platform();
  Root root_{primitives::Key{}};
  wire::VaultPrivate content_;
  Device device_ = make_device(root_.vault(), machine_->random());
  State state_{machine_->disk(), folder_.path() + "/state"};
  OpenRecord record_;
  std::unique_ptr<dispersal::HomeSet> homes_;
  std::unique_ptr<Vault> vault_;
};

/// Chunk `number` of a writer: its own bytes, the same at every call.
Bytes chunk_of(unsigned snapshot, unsigned writer, std::size_t number) {
  Bytes out(300'000 + number * 1000);
  std::uint64_t state = snapshot * 1'000'003 + writer * 10'007 + number + 1;
  for (std::byte& b : out) {
    state = state * 6'364'136'223'846'793'005U + 1'442'695'040'888'963'407U;
    b = static_cast<std::byte>(state >> 56);
  }
  return out;
}

/// One of several that fill one write session side by side, each with a packer of its own in the worker pool.
Task<> write_share(platform::Platform& machine, Writer& writer, unsigned snapshot, unsigned number,
                   std::vector<ChunkId>& ids) {
  auto packer = writer.new_packer();
  for (std::size_t i = 0; i < kChunks; ++i) {
    auto job = [&]() -> std::optional<FinishedSegment> {
      const Bytes chunk = chunk_of(snapshot, number, i);
      std::optional<FinishedSegment> full;
      if (!packer->fits(chunk.size())) full = writer.seal(*packer);
      ids.push_back(packer->add(chunk));
      return full;
    };
    std::optional<FinishedSegment> segment = co_await machine.workers().run(job);
    if (!segment) continue;
    const auto stored = co_await writer.store(std::move(*segment));
    EXPECT_TRUE(stored) << stored.error().detail;
  }
  auto last = [&] { return writer.seal(*packer); };
  const auto stored = co_await writer.store(co_await machine.workers().run(last));
  EXPECT_TRUE(stored) << stored.error().detail;
}

using Shares = std::vector<std::vector<ChunkId>>;

/// A snapshot whose page list is the first chunk: nobody follows it here.
Task<Result<Shares>> save(platform::Platform& machine, Vault& vault, unsigned snapshot) {
  MHP_CO_TRY(auto writer, co_await vault.begin_write({}));
  Shares ids(kWriters);
  platform::Nursery nursery(co_await asio::this_coro::executor);
  for (unsigned i = 0; i < kWriters; ++i) nursery.start(write_share(machine, *writer, snapshot, i, ids[i]));
  co_await nursery.join();
  wire::SnapshotRecord record;
  record.time_ns = machine.clock().unix_ns();
  record.host = "host";
  record.paths = {"/data"};
  record.page_list = ids[0][0];
  MHP_CO_TRY_VOID(co_await writer->finish(record));
  co_return ids;
}

Task<> read_share(Vault& vault, unsigned snapshot, unsigned number, const std::vector<ChunkId>& ids) {
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto chunk = co_await vault.read(ids[i]);
    EXPECT_TRUE(chunk) << chunk.error().detail;
    if (chunk) EXPECT_TRUE(*chunk == chunk_of(snapshot, number, i)) << snapshot << " " << number << " " << i;
  }
}

Task<int> read_all(Vault& vault, unsigned snapshot, const Shares& ids) {
  platform::Nursery nursery(co_await asio::this_coro::executor);
  for (unsigned i = 0; i < kWriters; ++i) nursery.start(read_share(vault, snapshot, i, ids[i]));
  co_await nursery.join();
  co_return 0;
}

Task<Result<Collected>> forget_oldest(Vault& vault, const Shares& staying) {
  CollectOptions options;
  options.forget.push_back(vault.snapshots().front().id);
  MHP_CO_TRY(auto collector, co_await vault.begin_collect(options));
  for (const auto& share : staying) {
    for (const ChunkId& id : share) {
      auto marked = collector->mark(id, ChunkRole::content);
      if (!marked) co_return pass(marked);
    }
  }
  co_return co_await collector->finish(std::nullopt, Progress());
}

/// A byte in the middle of each log is another one.
void damage(const std::string& logs) {
  for (const auto& log : std::filesystem::directory_iterator(logs)) {
    std::fstream file(log.path(), std::ios::in | std::ios::out | std::ios::binary);
    const auto middle = static_cast<std::streamoff>(log.file_size() / 2);
    file.seekg(middle);
    const int byte = file.get();
    file.seekp(middle);
    file.put(static_cast<char>(byte ^ 1));
  }
}

TEST(VaultOnThreads, SavesReadsMendsAndForgets) {
  Computer computer;
  const auto first = computer.run(save(computer.machine(), computer.vault(), 1));
  ASSERT_TRUE(first) << first.error().detail;
  const auto second = computer.run(save(computer.machine(), computer.vault(), 2));
  ASSERT_TRUE(second) << second.error().detail;
  computer.run(read_all(computer.vault(), 1, *first));
  computer.open_again();
  const auto collected = computer.run(forget_oldest(computer.vault(), *second));
  ASSERT_TRUE(collected) << collected.error().detail;
  EXPECT_EQ(collected->forgotten, 1u);
  EXPECT_EQ(collected->held_back, "");
  EXPECT_GT(collected->segments_condemned, 0u);
  computer.open_again();
  const auto checked = computer.run(computer.vault().check(100, {}));
  ASSERT_TRUE(checked) << checked.error().detail;
  EXPECT_EQ(checked->rows_missing + checked->rows_bad, 0u);
  EXPECT_GT(checked->bytes_read, 1'000'000u);
  damage(computer.home_path(0) + "/logs");
  computer.open_again();
  const auto mended = computer.run(computer.vault().repair(true, {}, false, {}));
  ASSERT_TRUE(mended) << mended.error().detail;
  EXPECT_GT(mended->rows_made, 0u);
  computer.run(read_all(computer.vault(), 2, *second));
}

}  // namespace
}  // namespace mhp::vault
