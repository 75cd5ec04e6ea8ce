// Damage to the files of a home: never served as good by scrub, and what is not hit stays readable.
#include <gtest/gtest.h>

#include "base/test_run.h"
#include "home/impl/store_world_test.h"
#include "primitives/hash/blake3.h"

namespace mhp::home::impl {
namespace {

using platform::MemoryDisk;

const std::string kFirstLog = std::string(kPath) + "/logs/00000001.log";
const std::string kIndex = std::string(kPath) + "/index";

/// A home with every segment of the stock, three to a commit.
std::unique_ptr<MemoryDisk> full_home() {
  const Stock& stock = Stock::get();
  auto disk = std::make_unique<MemoryDisk>();
  make_home(*disk);
  auto store = open_store(*disk);
  for (std::size_t i = 0; i < Stock::kSegments; ++i) {
    AlignedBuffer record = stock.record(i, {0, 1, 2, 3});
    EXPECT_TRUE(store->put(record.bytes()));
    if (i % 3 == 2) EXPECT_TRUE(store->commit());
  }
  for (const Bytes& record : stock.vault_records) EXPECT_TRUE(store->put_vault_record(record));
  EXPECT_TRUE(store->put_heads(stock.owner.vault, stock.owner.device, stock.heads, 0));
  store->close();
  return disk;
}

Bytes content_of(platform::Disk& disk, const std::string& path) {
  const auto bytes = platform::read_file(disk, path, 1_GiB);
  EXPECT_TRUE(bytes) << path;
  return bytes ? *bytes : Bytes();
}

void set_content(platform::Disk& disk, const std::string& path, ByteView bytes) {
  ASSERT_TRUE(platform::replace_file(disk, path, bytes));
}

/// Segments of which a row that is claimed and that scrub calls good is not what was put: must be none.
/// `missing` counts segments that are not wholly there and good.
std::string check_no_lie(FolderStore& store, std::size_t& missing) {
  const Stock& stock = Stock::get();
  for (const samples::Segment& segment : stock.segments) {
    const SegmentId id = segment.card.segment;
    const auto report = store.log().scrub_segment({Stock::get().owner.vault, id}, 100, 0);
    const bool is_gone =
        !report && (report.error().code == Errc::not_found || report.error().code == Errc::unavailable);
    missing += is_gone;
    if (is_gone) continue;
    if (!report) return "scrub: " + report.error().detail;
    std::size_t good = 0;
    for (std::uint8_t row = 0; row < Stock::kRows; ++row) {
      const bool is_bad = std::ranges::find(report->bad, std::pair(id, row)) != report->bad.end();
      const auto bytes = store.log().read(id, row, 0, UINT32_MAX);
      if (!bytes || is_bad) continue;
      if (*bytes != segment.fragments[row]) return "wrong bytes that scrub calls good";
      ++good;
    }
    if (good < Stock::kRows || !store.log().find(id)) ++missing;
  }
  return {};
}

TEST(FolderStoreRot, AFlippedBitHitsOneSegmentAtMost) {
  const std::uint64_t seed = seed_or(3);
  std::mt19937_64 random(seed);
  const auto whole = full_home();
  const auto names = whole->list(std::string(kPath) + "/logs");
  ASSERT_TRUE(names);
  ASSERT_GT(names->size(), 2U);
  const std::uint64_t flips = 4'000 * long_factor() / test_run::stride();
  for (std::uint64_t i = 0; i < flips; ++i) {
    const auto disk = whole->after_power_cut(0);
    const std::string path = std::string(kPath) + "/logs/" + names->at(random() % names->size());
    const std::uint64_t bit = random() % (disk->info(path)->size * 8);
    disk->flip_bit(path, bit);
    const bool with_index = i % 2 == 0;
    if (!with_index) ASSERT_TRUE(disk->remove(kIndex));
    auto store = open_store(*disk);
    std::size_t missing = 0;
    ASSERT_EQ(check_no_lie(*store, missing), "") << path << " bit " << bit << ", MHP_SEED=" << seed;
    // The last mark of a log covers up to three; without the index nothing else says that they were committed.
    const bool is_last_mark = bit / 8 >= disk->info(path)->size - wire::kLogBlockBytes;
    EXPECT_LE(missing, !with_index && is_last_mark ? 3U : 1U) << path << " bit " << bit << ", MHP_SEED=" << seed;
  }
  test_run::tried_of_sweep(7, "bits flipped in a home's logs", flips, seed);
}

/// Cuts, zeros, exchanged blocks, exchanged or deleted files; the index too.
void damage(MemoryDisk& disk, std::mt19937_64& random) {
  const std::string logs = std::string(kPath) + "/logs/";
  const auto names = disk.list(logs);
  if (!names || names->empty()) return;
  const auto pick = [&] { return logs + names->at(random() % names->size()); };
  const std::string path = random() % 8 == 0 ? kIndex : pick();
  if (!disk.info(path)) return;
  Bytes content = content_of(disk, path);
  if (content.empty()) return;
  const std::size_t at = random() % content.size();
  switch (random() % 5) {
    case 0:
      return (void)disk.remove(path);
    case 1:
      content.resize(at);
      break;
    case 2:
      std::fill_n(content.begin() + static_cast<std::ptrdiff_t>(at),
                  std::min<std::size_t>(content.size() - at, random() % 20'000), std::byte{0});
      break;
    case 3: {
      const std::string other = pick();
      const Bytes in_other = content_of(disk, other);
      set_content(disk, other, content);
      content = in_other;
      break;
    }
    default: {
      const std::size_t blocks = std::max<std::size_t>(1, content.size() / wire::kLogBlockBytes);
      const std::size_t length = std::min<std::size_t>(content.size(), wire::kLogBlockBytes);
      const auto block = [&] {
        return content.begin() + static_cast<std::ptrdiff_t>(random() % blocks * wire::kLogBlockBytes);
      };
      const auto one = block(), two = block();
      if (one != two) std::swap_ranges(one, one + static_cast<std::ptrdiff_t>(length), two);
    }
  }
  set_content(disk, path, content);
}

TEST(FolderStoreRot, DamageOfAnyKindIsNeverCalledGood) {
  const std::uint64_t seed = seed_or(5);
  std::mt19937_64 random(seed);
  const auto whole = full_home();
  const std::uint64_t rounds = 1'000 * long_factor() / test_run::stride();
  for (std::uint64_t i = 0; i < rounds; ++i) {
    const auto disk = whole->after_power_cut(0);
    for (int n = 0; n < 4; ++n) damage(*disk, random);
    std::size_t missing = 0;
    ASSERT_EQ(check_no_lie(*open_store(*disk), missing), "") << "round " << i << ", MHP_SEED=" << seed;
  }
  test_run::tried_of_sweep(7, "files of a home cut, zeroed, exchanged or deleted", 4 * rounds, seed);
}

TEST(FolderStoreRot, AnIndexDoesNotHideThatALogIsShorter) {
  const auto whole = full_home();
  const auto names = whole->list(std::string(kPath) + "/logs");
  for (const std::string& name : *names) {
    const std::string path = std::string(kPath) + "/logs/" + name;
    const Bytes log = content_of(*whole, path);
    for (std::size_t length = wire::kLogBlockBytes; length < log.size(); length += 3 * wire::kLogBlockBytes) {
      const auto disk = whole->after_power_cut(0);
      set_content(*disk, path, ByteView(log).first(length));
      Rows claimed;
      ASSERT_EQ(check_claims(*open_store(*disk), claimed), "") << name << " cut to " << length;
      EXPECT_LT(claimed.size(), Stock::kSegments * Stock::kRows);
    }
  }
}

TEST(FolderStoreRot, DamagedVaultFilesAreNeverServed) {
  const Stock& stock = Stock::get();
  const std::uint64_t seed = seed_or(4);
  std::mt19937_64 random(seed);
  const auto whole = full_home();
  const std::string folder = std::string(kPath) + "/vaults/" + stock.owner.vault.hex();
  const auto names = whole->list(folder);
  ASSERT_TRUE(names);
  const std::uint64_t rounds = 200 * long_factor() / test_run::stride();
  for (std::uint64_t i = 0; i < rounds; ++i) {
    const auto disk = whole->after_power_cut(0);
    for (const std::string& name : *names)
      disk->flip_bit(folder + "/" + name, random() % (disk->info(folder + "/" + name)->size * 8));
    auto store = open_store(*disk);
    const auto records = store->vaults().records(stock.owner.vault);
    ASSERT_TRUE(records && records->size() == 1 && records->at(0).signed_record.empty()) << "MHP_SEED=" << seed;
    const auto shown = store->vaults().heads(stock.owner.vault);
    ASSERT_TRUE(shown && shown->size() == 1 && shown->at(0).chain.empty()) << "MHP_SEED=" << seed;
    const auto former = store->vaults().former_records(stock.owner.vault, stock.owner.device);
    ASSERT_TRUE(!former && former.error().code == Errc::corrupt) << "MHP_SEED=" << seed;
    // All can be given anew; the former ones begin with what is replaced next.
    ASSERT_TRUE(store->put_vault_record(stock.vault_records[0]));
    ASSERT_TRUE(store->put_vault_record(stock.vault_records.back()));
    ASSERT_TRUE(store->put_heads(stock.owner.vault, stock.owner.device, stock.heads, 0));
    Acknowledged all;
    all.vault_records = stock.vault_records.size();
    all.heads = stock.heads.size();
    EXPECT_EQ(check_vault(*store, all), "");
    for (const std::string& name : *names) EXPECT_TRUE(disk->info(folder + "/" + name + ".damaged-1")) << name;
  }
  test_run::tried_of_sweep(7, "bits flipped in a home's vault files", rounds * names->size(), seed);
}

TEST(FolderStoreRot, OfDamagedFormerRecordsWhatIsWholeIsKeptWhenTheNewestIsGivenAgain) {
  const Stock& stock = Stock::get();
  const auto disk = full_home();
  const std::string path =
      std::string(kPath) + "/vaults/" + stock.owner.vault.hex() + "/former-" + stock.owner.device.hex();
  const Bytes whole = content_of(*disk, path);
  const Bytes& first = stock.vault_records[0];
  const auto at = static_cast<std::size_t>(std::ranges::search(whole, first).begin() - whole.begin());
  ASSERT_LT(at, whole.size());
  const std::uint64_t in_hash = (whole.size() - 1) * 8;
  const std::uint64_t in_record = (at + first.size() / 2) * 8;
  for (const std::uint64_t bit : {in_hash, in_record}) {
    set_content(*disk, path, whole);
    disk->flip_bit(path, bit);
    auto store = open_store(*disk);
    ASSERT_FALSE(store->vaults().former_records(stock.owner.vault, stock.owner.device));
    ASSERT_TRUE(store->put_vault_record(stock.vault_records.back()));
    const auto former = store->vaults().former_records(stock.owner.vault, stock.owner.device);
    ASSERT_TRUE(former) << former.error().detail;
    ASSERT_EQ(former->records.size(), 1u);
    EXPECT_EQ(former->records[0].signed_record, bit == in_hash ? first : stock.vault_records.back());
    store->close();
  }
  EXPECT_TRUE(disk->info(path + ".damaged-1") && disk->info(path + ".damaged-2"));
}

TEST(FolderStoreRot, AVaultFileThatCannotBeReadIsSetAsideToo) {
  const Stock& stock = Stock::get();
  const auto disk = full_home();
  const std::string record =
      std::string(kPath) + "/vaults/" + stock.owner.vault.hex() + "/record-" + stock.owner.device.hex();
  ASSERT_TRUE(disk->remove(record));
  ASSERT_TRUE(disk->make_folder(record + "/in the way"));
  auto store = open_store(*disk);
  const auto damaged = store->vaults().records(stock.owner.vault);
  ASSERT_TRUE(damaged && damaged->size() == 1);
  EXPECT_TRUE(damaged->at(0).signed_record.empty());
  ASSERT_TRUE(store->put_vault_record(stock.vault_records.back()));
  const auto mended = store->vaults().records(stock.owner.vault);
  ASSERT_TRUE(mended && mended->size() == 1);
  EXPECT_EQ(mended->at(0).signed_record, stock.vault_records.back());
  EXPECT_TRUE(disk->info(record + ".damaged-1/in the way"));
}

TEST(FolderStoreRot, AWriterMendsADamagedIdentity) {
  const Stock& stock = Stock::get();
  const auto disk = full_home();
  const Bytes whole = content_of(*disk, identity_path(kPath));
  disk->flip_bit(identity_path(kPath), 400);
  {
    auto store = open_store(*disk);
    ASSERT_TRUE(store->put_vault_record(stock.vault_records.back()));
  }
  EXPECT_EQ(content_of(*disk, identity_path(kPath)), whole);
  EXPECT_TRUE(disk->info(identity_path(kPath) + ".damaged-1"));
}

TEST(FolderStoreRot, ABadRowIsReplacedByAFreshCopy) {
  const Stock& stock = Stock::get();
  const auto disk = full_home();
  const samples::Segment& segment = stock.segments[4];
  const Bytes log = content_of(*disk, kFirstLog);
  const Bytes& fragment = segment.fragments[2];
  const auto at = std::ranges::search(log, fragment).begin() - log.begin();
  ASSERT_LT(static_cast<std::size_t>(at), log.size());
  disk->flip_bit(kFirstLog, (static_cast<std::uint64_t>(at) + fragment.size() - 5) * 8);
  auto store = open_store(*disk);
  auto report = store->log().scrub_segment({segment.card.vault, segment.card.segment}, 100, 0);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->bad, (std::vector{std::pair(segment.card.segment, std::uint8_t{2})}));
  AlignedBuffer repaired = stock.record(4, {2});
  ASSERT_TRUE(store->put(repaired.bytes()));
  ASSERT_TRUE(store->commit());
  report = store->log().scrub_segment({segment.card.vault, segment.card.segment}, 100, 0);
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->bad.empty());
  EXPECT_EQ(*store->log().read(segment.card.segment, 2, 0, UINT32_MAX), fragment);
}

TEST(FolderStoreRot, AScanGoesOnBehindDamage) {
  const auto disk = full_home();
  ASSERT_TRUE(disk->remove(kIndex));
  Bytes log = content_of(*disk, kFirstLog);
  ASSERT_GT(log.size(), 5 * wire::kLogBlockBytes);
  // The log's header and the first record's front: only that record goes.
  std::fill_n(log.begin(), wire::kLogBlockBytes + 300, std::byte{0x5a});
  set_content(*disk, kFirstLog, log);
  std::size_t missing = 0;
  EXPECT_EQ(check_no_lie(*open_store(*disk), missing), "");
  EXPECT_EQ(missing, 1U);
}

TEST(FolderStoreRot, ALostDamagedOrOldIndexCostsNothing) {
  const Stock& stock = Stock::get();
  const auto disk = full_home();
  const Bytes index = content_of(*disk, kIndex);
  Acknowledged all;
  for (std::size_t i = 0; i < Stock::kSegments; ++i) {
    for (std::uint8_t row = 0; row < Stock::kRows; ++row) all.committed.emplace(i, row);
  }
  Bytes cut = index;
  cut.resize(cut.size() / 2);
  Bytes flipped = index;
  flipped[index.size() / 2] ^= std::byte{4};
  MemoryDisk other;
  make_home(other);
  wire::HomeIndex foreign;
  foreign.home = HomeId::from_array(samples::array_of<HomeId::Array>(99));
  for (const Bytes& bad : {cut, flipped, Bytes(), wire::encode(foreign)}) {
    set_content(*disk, kIndex, bad);
    EXPECT_EQ(check_state(*open_store(*disk), all), "");
  }
  // An old one: the home went on after it was written.
  set_content(*disk, kIndex, index);
  const samples::Segment more = samples::make_segment(stock.owner, 500, 2, 1000);
  AlignedBuffer record = samples::make_record(stock.owner, more, {1});
  {
    auto store = open_store(*disk);
    ASSERT_TRUE(store->put(record.bytes()));
    ASSERT_TRUE(store->commit());
    store->close();
  }
  set_content(*disk, kIndex, index);
  EXPECT_TRUE(open_store(*disk)->log().find(more.card.segment));
  // One that says more than there is: a log was taken back.
  ASSERT_TRUE(disk->remove(kFirstLog));
  const auto held = open_store(*disk)->log().find(stock.segments[0].card.segment);
  ASSERT_FALSE(held);
  EXPECT_EQ(held.error().code, Errc::not_found);
  EXPECT_TRUE(open_store(*disk)->log().find(more.card.segment));
}

/// A copy of the home goes another way, and its log is put under the first one's index: what is in the log counts.
TEST(FolderStoreRot, AnIndexIsNotBelievedOfExchangedLogs) {
  const Stock& stock = Stock::get();
  const auto disk = full_home();
  const auto names = disk->list(std::string(kPath) + "/logs");
  ASSERT_TRUE(names);
  const std::string last = std::string(kPath) + "/logs/" + names->back();
  const auto go_on = [&](platform::MemoryDisk& on, std::uint8_t seed) {
    const samples::Segment segment = samples::make_segment(stock.owner, 500u + seed, 2, 1000);
    AlignedBuffer record = samples::make_record(stock.owner, segment, {1});
    auto store = open_store(on);
    EXPECT_TRUE(store->put(record.bytes()));
    EXPECT_TRUE(store->commit());
    store->close();
    return segment.card.segment;
  };
  const auto copy = disk->after_power_cut(0);
  const SegmentId ours = go_on(*disk, 1);
  const SegmentId theirs = go_on(*copy, 2);
  ASSERT_EQ(content_of(*disk, last).size(), content_of(*copy, last).size());
  set_content(*disk, last, content_of(*copy, last));
  auto store = open_store(*disk);
  EXPECT_FALSE(store->log().find(ours));
  EXPECT_TRUE(store->log().find(theirs));
  for (const samples::Segment& segment : stock.segments) EXPECT_TRUE(store->log().find(segment.card.segment));
}

/// The index is a witness where the last mark alone is damaged: and once written again, it is believed at once.
TEST(FolderStoreRot, ADamagedLastMarkLosesNothingThatTheIndexLists) {
  const Stock& stock = Stock::get();
  const auto disk = full_home();
  const auto names = disk->list(std::string(kPath) + "/logs");
  ASSERT_TRUE(names);
  for (const std::string& name : *names) {
    const std::string path = std::string(kPath) + "/logs/" + name;
    disk->flip_bit(path, (disk->info(path)->size - wire::kLogBlockBytes + 20) * 8);
  }
  Acknowledged all;
  for (std::size_t i = 0; i < Stock::kSegments; ++i) {
    for (std::uint8_t row = 0; row < Stock::kRows; ++row) all.committed.emplace(i, row);
  }
  EXPECT_EQ(check_state(*open_store(*disk), all), "");
  {
    auto store = open_store(*disk);
    AlignedBuffer record = samples::make_record(stock.owner, samples::make_segment(stock.owner, 500, 2, 1000), {1});
    ASSERT_TRUE(store->put(record.bytes()));
    ASSERT_TRUE(store->commit());
    store->close();
  }
  std::size_t missing = 0;
  EXPECT_EQ(check_no_lie(*open_store(*disk), missing), "");
  EXPECT_EQ(missing, 0U);
}

TEST(FolderStoreRot, ADamagedIdentityStandsInEveryLog) {
  const auto disk = full_home();
  const Bytes whole = content_of(*disk, std::string(kPath) + "/mhp-home");
  const auto before = read_identity(*disk, kPath);
  ASSERT_TRUE(before);
  Bytes number_changed = whole;
  number_changed[8] = std::byte{7};
  for (const Bytes& bad :
       {Bytes(), Bytes(whole.size(), std::byte{1}), Bytes(whole.begin(), whole.begin() + 50), number_changed}) {
    set_content(*disk, std::string(kPath) + "/mhp-home", bad);
    const auto again = read_identity(*disk, kPath);
    ASSERT_TRUE(again);
    EXPECT_EQ(*again, *before);
  }
  platform::MemoryPlatform machine(1);
  EXPECT_EQ(*create_folder_home(*disk, machine.random(), kPath), before->home);
  EXPECT_EQ(content_of(*disk, std::string(kPath) + "/mhp-home"), whole) << "written anew";
}

/// A newer program says so in `mhp-home` before it writes anything else that this one would take for damage.
TEST(FolderStoreRot, AHomeOfANewerFormatIsLeftAlone) {
  const auto disk = full_home();
  const std::string path = std::string(kPath) + "/mhp-home";
  auto open_before = open_store(*disk);
  Bytes newer = content_of(*disk, path);
  newer.resize(200);
  newer[8] = std::byte{7};
  newer.resize(200 - 32);
  const auto hash = primitives::Blake3::derived("mhp 1 home file").update(newer).finish();
  newer.insert(newer.end(), hash.begin(), hash.end());
  set_content(*disk, path, newer);
  const auto identity = read_identity(*disk, kPath);
  ASSERT_FALSE(identity);
  EXPECT_EQ(identity.error().code, Errc::unavailable);
  EXPECT_NE(identity.error().detail.find("written by a newer mhp: format 7"), std::string::npos);
  platform::MemoryPlatform machine(1);
  EXPECT_FALSE(create_folder_home(*disk, machine.random(), kPath));
  AlignedBuffer record = Stock::get().record(0, {0, 1, 2, 3});
  EXPECT_FALSE(open_before->put(record.bytes())) << "it was raised while this program had it open";
  EXPECT_EQ(content_of(*disk, path), newer);
}

TEST(FolderStoreRot, ATornTailIsCutOff) {
  const Stock& stock = Stock::get();
  const auto whole = full_home();
  ASSERT_TRUE(whole->remove(kIndex));
  const auto names = whole->list(std::string(kPath) + "/logs");
  const std::string last = std::string(kPath) + "/logs/" + names->back();
  const Bytes log = content_of(*whole, last);
  for (std::size_t length = wire::kLogBlockBytes; length < log.size(); length += 512) {
    const auto disk = whole->after_power_cut(0);
    set_content(*disk, last, ByteView(log).first(length));
    auto store = open_store(*disk);
    Rows claimed;
    ASSERT_EQ(check_claims(*store, claimed), "") << length;
    AlignedBuffer record = stock.record(23, {0, 1, 2, 3});
    ASSERT_TRUE(store->put(record.bytes())) << length;
    ASSERT_TRUE(store->commit());
    store.reset();  // as a crash: no index
    Rows after;
    ASSERT_EQ(check_claims(*open_store(*disk), after), "") << length;
    EXPECT_TRUE(std::ranges::includes(after, claimed));
    EXPECT_TRUE(after.contains({23, 3}));
  }
}

/// A vault's owner decides what is in a payload: it must never pass for a record of the home.
TEST(FolderStoreRot, BytesInAPayloadAreNoRecord) {
  const samples::Owner thief(9);
  MemoryDisk disk;
  const wire::HomeFile identity = make_home(disk);
  const samples::Segment inner = samples::make_segment(thief, 1, 2, 500);
  AlignedBuffer smuggled = samples::make_record(thief, inner, {0});
  samples::Segment outer = samples::make_segment(thief, 2, 2, 60'000);
  AlignedBuffer record = samples::make_record(thief, outer, {0});
  // On every block of the payload a whole record, its stamp guessed for that very place without the key.
  for (std::size_t at = 8192; at + smuggled.size() < record.size(); at += 4096) {
    const auto hash = wire::record_front_hash(smuggled.bytes());
    const auto stamp = wire::stamp_of_record({}, hash, {1, wire::kLogBlockBytes + at});
    std::ranges::copy(stamp, wire::record_stamp(smuggled.bytes()).begin());
    std::ranges::copy(smuggled.bytes(), record.bytes().begin() + static_cast<std::ptrdiff_t>(at));
  }
  {
    auto store = open_store(disk);
    ASSERT_TRUE(store->put(record.bytes()));
    ASSERT_TRUE(store->commit());
  }
  disk.flip_bit(kFirstLog, wire::kLogBlockBytes * 8 + 100);  // its front is damaged: the scan looks into it
  EXPECT_EQ(open_store(disk)->log().find(inner.card.segment).error().code, Errc::not_found);
  EXPECT_NE(identity.log_key, primitives::Key{});
}

}  // namespace
}  // namespace mhp::home::impl
