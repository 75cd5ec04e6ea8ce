// The world of this room's tests: see world.h.
#include "vault/testing/world.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "base/check.h"
#include "primitives/hash/blake3.h"
#include "vault/impl/context.h"

namespace mhp::vault::testing {
namespace {

primitives::Key entropy_of(const std::string& phrase) { return primitives::blake3(as_bytes(phrase)); }

std::vector<ByteView> chunks_of(ByteView content) {
  std::vector<ByteView> out;
  for (std::size_t at = 0; at < content.size(); at += 4_MiB) {
    out.push_back(content.subspan(at, std::min<std::size_t>(4_MiB, content.size() - at)));
  }
  return out;
}

Task<Result<void>> seal_and_store(platform::Platform& platform, Writer& writer, Packer& packer) {
  auto job = [&] { return writer.seal(packer); };
  FinishedSegment segment = co_await platform.workers().run(job);
  co_return co_await writer.store(std::move(segment));
}

Task<Result<ChunkId>> add(platform::Platform& platform, Writer& writer, Packer& packer, ByteView chunk) {
  if (!packer.fits(chunk.size())) {
    MHP_CO_TRY_VOID(co_await seal_and_store(platform, writer, packer));
  }
  co_return packer.add(chunk);
}

/// name NUL count of chunks (4 bytes) ids.
Task<Result<ChunkId>> add_all(platform::Platform& platform, Writer& writer, const Files& files) {
  auto packer = writer.new_packer();
  Bytes list;
  for (const auto& [name, content] : files) {
    auto chunks = chunks_of(content);
    Bytes entry = impl::joined(
        {as_bytes(name), std::array<std::byte, 1>{}, impl::little_endian(static_cast<std::uint32_t>(chunks.size()))});
    for (ByteView chunk : chunks) {
      MHP_CO_TRY(ChunkId id, co_await add(platform, writer, *packer, chunk));
      entry.insert(entry.end(), id.bytes().begin(), id.bytes().end());
    }
    list.insert(list.end(), entry.begin(), entry.end());
  }
  list.push_back(std::byte{0});
  MHP_CO_TRY(ChunkId id, co_await add(platform, writer, *packer, list));
  if (!packer->empty()) {
    MHP_CO_TRY_VOID(co_await seal_and_store(platform, writer, *packer));
  }
  co_return id;
}

/// What add_all() wrote.
std::map<std::string, std::vector<ChunkId>> chunks_by_name(ByteView list) {
  std::map<std::string, std::vector<ChunkId>> out;
  std::size_t at = 0;
  while (list[at] != std::byte{0}) {
    std::string name(reinterpret_cast<const char*>(list.data() + at));
    at += name.size() + 1;
    auto count = impl::from_little_endian<std::uint32_t>(list.subspan(at, 4));
    at += 4;
    auto& chunks = out[name];
    for (std::uint32_t i = 0; i < count; ++i, at += 32) chunks.push_back(ChunkId::from_bytes(list.subspan(at, 32)));
  }
  return out;
}

}  // namespace

Files some_files(World& world) {
  Files files;
  for (int i = 0; i < 40; ++i) files["small " + std::to_string(i)] = world.noise(static_cast<std::size_t>(1 + i * 97));
  files["text"] = Bytes(300'000, std::byte{'a'});
  files["middle"] = world.noise(700'000);
  files["large"] = world.noise(9'000'000);
  files["empty"] = {};
  return files;
}

Files few_files(World& world) { return {{"one", world.noise(1000)}, {"two", world.noise(70'000)}}; }

Result<Committed> save(World& world, const std::string& computer, const Files& files) {
  MHP_TRY(Session session, world.open(computer));
  return world.run(back_up(world.platform(), *session.vault, files));
}

CheckReport check(World& world, const std::string& computer, unsigned read_percent) {
  auto session = world.open(computer);
  EXPECT_TRUE(session) << session.error().detail;
  if (!session) return {};
  auto report = world.run(session->vault->check(read_percent, {}));
  EXPECT_TRUE(report);
  return report ? *report : CheckReport{};
}

void expect_snapshot(World& world, const std::string& computer, std::size_t number, const Files& files) {
  auto session = world.open(computer);
  ASSERT_TRUE(session) << session.error().detail;
  ASSERT_GT(session->vault->snapshots().size(), number);
  auto back = world.run(read_back(*session->vault, session->vault->snapshots()[number]));
  ASSERT_TRUE(back) << back.error().detail;
  EXPECT_TRUE(*back == files);
}

std::uint64_t seed_of_run() {
  const char* text = std::getenv("MHP_SEED");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : 1;
}

World::World(std::uint64_t seed, unsigned homes, std::string phrase) : platform_(seed), root_(entropy_of(phrase)) {
  primitives::init_sodium();
  MHP_CHECK(platform_.disk().make_folder("/homes"));
  for (unsigned i = 0; i < homes; ++i) {
    MHP_CHECK(platform_.disk().make_folder(home_path(i)));
    auto id = home::create_folder_home(platform_.disk(), platform_.random(), home_path(i));
    MHP_CHECK(id);
    homes_.push_back(*id);
  }
  MHP_CHECK(platform_.disk().sync_folder("/homes"));
  MHP_CHECK(platform_.disk().sync_folder("/"));
}

World::~World() { settle(); }

wire::VaultPrivate World::content() const {
  wire::VaultPrivate content;
  content.name = "test";
  for (unsigned i = 0; i < homes_.size(); ++i) {
    wire::HomeEntry entry;
    entry.id = homes_[i];
    entry.name = "home " + std::to_string(i);
    entry.path = home_path(i);
    content.homes.push_back(entry);
  }
  return content;
}

void World::init(const std::string& computer) {
  Device device = make_device(root_.vault(), platform_.random());
  OpenRecord record = make_first_record(root_, device, content(), platform_.random(), platform_.clock().unix_ns());
  State state(platform_.disk(), state_path(computer));
  ASSERT_TRUE(state.create(device, record));
  dispersal::HomeSet homes(platform_, root_.vault(), members(record.content.homes));
  auto took = run(publish_records(homes, record));
  EXPECT_EQ(took.size(), homes_.size() - lost_.size());
}

void World::add_home(const std::string& computer) {
  auto number = static_cast<unsigned>(homes_.size());
  ASSERT_TRUE(platform_.disk().make_folder(home_path(number)));
  auto id = home::create_folder_home(platform_.disk(), platform_.random(), home_path(number));
  ASSERT_TRUE(id);
  homes_.push_back(*id);
  State state(platform_.disk(), state_path(computer));
  auto device = state.device();
  auto known = state.records();
  ASSERT_TRUE(device && known);
  auto record = join_records(*known, *device);
  ASSERT_TRUE(record);
  auto next = next_record(*record, *device, content(), platform_.random(), platform_.clock().unix_ns());
  ASSERT_TRUE(next);
  ASSERT_TRUE(state.set_records(*next));
  dispersal::HomeSet homes(platform_, root_.vault(), members(next->content.homes));
  run(publish_records(homes, *next));
}

void World::lose_computer(const std::string& computer) {
  auto& disk = platform_.disk();
  for (const std::string& folder : {state_path(computer) + "/cache", state_path(computer)}) {
    auto names = disk.list(folder);
    if (!names) continue;
    for (const std::string& name : *names) EXPECT_TRUE(disk.remove(folder + "/" + name)) << name;
  }
}

void World::recover(const std::string& computer, unsigned from_home, Earlier earlier) {
  auto first = home::open_folder_home(platform_, home_path(from_home), homes_[from_home], {});
  ASSERT_TRUE(first);
  std::vector<home::Home*> at_hand{first->get()};
  auto record = join_records(run(seen_records(at_hand, root_.vault(), nullptr, Ask::former_too)).records, root_);
  ASSERT_TRUE(record) << record.error().detail;
  first->reset();

  State state(platform_.disk(), state_path(computer));
  Device device = make_device(root_.vault(), platform_.random());
  dispersal::HomeSet homes(platform_, root_.vault(), members(record->content.homes));
  std::vector<wire::SeenHead> heads;
  {
    auto vault = run(Vault::open(platform_, homes, state, device, *record));
    ASSERT_TRUE(vault) << vault.error().detail;
    heads = (*vault)->believed_heads();
    record = (*vault)->record();
  }
  auto next = recovered_record(*record, root_, device, heads, platform_.random(), platform_.clock().unix_ns(), earlier);
  ASSERT_TRUE(next) << next.error().detail;
  ASSERT_TRUE(state.create(device, *next));
  auto took = run(publish_records(homes, *next));
  EXPECT_EQ(took.size(), homes.reachable());
}

void World::read_tree(const std::string& folder, Files& into) {
  auto& disk = platform_.disk();
  auto names = disk.list(folder);
  ASSERT_TRUE(names);
  for (const std::string& name : *names) {
    const std::string path = folder + "/" + name;
    auto info = disk.info(path);
    ASSERT_TRUE(info);
    if (info->is_folder) {
      read_tree(path, into);
    } else if (auto content = platform::read_file(disk, path, 1_GiB)) {
      into[path] = std::move(*content);
    }
  }
}

Files World::copy_folder(const std::string& folder) {
  settle();
  Files copy;
  read_tree(folder, copy);
  return copy;
}

Files World::copy_home(unsigned number) { return copy_folder(home_path(number)); }

Files World::copy_state(const std::string& computer) { return copy_folder(state_path(computer)); }

void World::set_back(const std::string& folder, const Files& copy) {
  for (const auto& [path, content] : copy_folder(folder)) {
    if (!copy.contains(path)) ASSERT_TRUE(platform_.disk().remove(path));
  }
  for (const auto& [path, content] : copy) ASSERT_TRUE(platform::replace_file(platform_.disk(), path, content));
}

Result<std::vector<UnreadHead>> World::try_recover(const std::string& computer, OpenHow how,
                                                   std::vector<OlderRecord>* older) {
  settle();
  Result<OpenRecord> record = fail(Errc::not_found, "no home");
  {
    std::vector<dispersal::Member> all = members(content().homes);
    std::vector<home::Home*> at_hand;
    for (const auto& member : all) {
      if (member.home) at_hand.push_back(member.home.get());
    }
    const SeenRecords seen = run(seen_records(at_hand, root_.vault(), nullptr, Ask::former_too));
    record = join_records(seen.records, root_, how.as_of_s ? seen.taken_after(*how.as_of_s) : std::set<RecordHash>());
  }
  MHP_TRY(OpenRecord opened, record);
  State state(platform_.disk(), state_path(computer));
  Device device = make_device(root_.vault(), platform_.random());
  dispersal::HomeSet homes(platform_, root_.vault(), members(opened.content.homes));
  std::vector<wire::SeenHead> heads;
  std::vector<UnreadHead> unread;
  {
    MHP_TRY(auto vault, run(Vault::open(platform_, homes, state, device, opened, how)));
    heads = vault->believed_heads();
    unread = vault->unread_heads();
    if (older != nullptr) *older = vault->older_records();
    opened = vault->record();
  }
  const std::int64_t now_ns = how.as_of_s ? *how.as_of_s * 1'000'000'000 : platform_.clock().unix_ns();
  MHP_TRY(OpenRecord next, recovered_record(opened, root_, device, heads, platform_.random(), now_ns,
                                            how.as_of_s ? Earlier::distrusted : Earlier::shut_out));
  run(publish_records(homes, next));
  MHP_TRY_VOID(state.create(device, next));
  return unread;
}

std::vector<dispersal::Member> World::members(const std::vector<wire::HomeEntry>& entries) {
  std::vector<dispersal::Member> out;
  for (unsigned i = 0; i < entries.size(); ++i) {
    dispersal::Member member;
    member.id = entries[i].id;
    member.name = entries[i].name;
    member.domain = i;
    auto home = home::open_folder_home(platform_, entries[i].path, entries[i].id, {});
    if (home && !lost_.contains(i)) {
      member.home = std::make_unique<BadHome>(platform_, std::move(*home), faults_[i], rotten_, answers_left_);
    } else {
      member.away_reason = home ? "lost" : home.error().detail;
    }
    out.push_back(std::move(member));
  }
  return out;
}

Result<Session> World::open(const std::string& computer) {
  settle();
  Session out;
  out.state = std::make_unique<State>(platform_.disk(), state_path(computer));
  MHP_TRY(Device device, out.state->device());
  out.device = std::make_unique<Device>(device);
  MHP_TRY(const std::vector<Bytes> known, out.state->records());
  MHP_TRY(OpenRecord record, join_records(known, device));
  out.record = std::make_unique<OpenRecord>(std::move(record));
  out.homes = std::make_unique<dispersal::HomeSet>(platform_, root_.vault(), members(out.record->content.homes));
  MHP_TRY(out.vault, run(Vault::open(platform_, *out.homes, *out.state, *out.device, *out.record)));
  return out;
}

void World::settle() {
  auto nothing = []() -> Task<int> { co_return 0; };
  platform_.run(nothing());
}

void World::cut_power(std::uint64_t seed) {
  settle();
  platform_.set_disk(platform_.memory_disk().after_power_cut(seed));
}

void World::pass_time(std::chrono::nanoseconds time) {
  auto wait = [](platform::Platform& platform, std::chrono::nanoseconds of) -> Task<int> {
    co_await platform.clock().sleep(of);
    co_return 0;
  };
  run(wait(platform_, time));
}

std::uint64_t World::used_bytes() {
  settle();
  std::uint64_t bytes = 0;
  for (unsigned i = 0; i < homes_.size(); ++i) {
    auto home = home::open_folder_home(platform_, home_path(i), homes_[i], {});
    if (!home || lost_.contains(i)) continue;
    auto usage = run((*home)->usage());
    EXPECT_TRUE(usage);
    if (usage) bytes += usage->used_bytes;
  }
  return bytes;
}

Bytes World::noise(std::size_t bytes) {
  Bytes out(bytes);
  platform_.random().fill(out);
  return out;
}

Task<Result<Committed>> back_up(platform::Platform& platform, Vault& vault, Files files, WriteOptions options) {
  co_await platform.clock().sleep(std::chrono::seconds(1));  // snapshots are ordered by their times
  MHP_CO_TRY(auto writer, co_await vault.begin_write(options));
  wire::SnapshotRecord record;
  MHP_CO_TRY(record.page_list, co_await add_all(platform, *writer, files));
  record.time_ns = platform.clock().unix_ns();
  record.host = "host";
  record.paths = {"/data"};
  record.files = files.size();
  co_return co_await writer->finish(record);
}

Task<Result<void>> back_up_without_end(platform::Platform& platform, Vault& vault, Files files, WriteOptions options) {
  MHP_CO_TRY(auto writer, co_await vault.begin_write(options));
  auto list = co_await add_all(platform, *writer, files);
  if (!list) co_return pass(list);
  co_return Result<void>{};
}

Task<Result<Files>> read_back(Vault& vault, wire::SnapshotRecord snapshot) {
  Files out;
  MHP_CO_TRY(Bytes list, co_await vault.read(snapshot.page_list));
  for (const auto& [name, chunks] : chunks_by_name(list)) {
    Bytes& content = out[name];
    for (const ChunkId& id : chunks) {
      MHP_CO_TRY(Bytes chunk, co_await vault.read(id));
      content.insert(content.end(), chunk.begin(), chunk.end());
    }
  }
  co_return out;
}

/// All staying snapshots. Nothing, or why they cannot be followed.
static Task<std::optional<Error>> mark_all(Vault& vault, Collector& collector) {
  for (const auto& snapshot : collector.staying()) {
    auto marked = collector.mark(snapshot.page_list, ChunkRole::page_list);
    if (!marked) co_return marked.error();
    auto list = co_await vault.read(snapshot.page_list);
    if (!list) co_return list.error();
    for (const auto& [name, chunks] : chunks_by_name(*list)) {
      for (const ChunkId& id : chunks) {
        marked = collector.mark(id, ChunkRole::content);
        if (!marked) co_return marked.error();
      }
    }
  }
  co_return std::nullopt;
}

Task<Result<Collected>> forget(Vault& vault, CollectOptions options) {
  MHP_CO_TRY(auto collector, co_await vault.begin_collect(std::move(options)));
  auto problem = co_await mark_all(vault, *collector);
  co_return co_await collector->finish(std::move(problem), Progress());
}

Result<Collected> forget(World& world, const std::string& computer, const std::vector<std::size_t>& numbers,
                         bool repack) {
  MHP_TRY(Session session, world.open(computer));
  CollectOptions options;
  options.repack = repack;
  for (std::size_t number : numbers) {
    if (number >= session.vault->snapshots().size()) return fail(Errc::not_found, "no such snapshot");
    options.forget.push_back(session.vault->snapshots()[number].id);
  }
  return world.run(forget(*session.vault, options));
}

}  // namespace mhp::vault::testing
