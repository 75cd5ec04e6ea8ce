// What homes hold tells nothing: no plain bytes, nothing in common, and nothing opens below k rows.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <unordered_set>

#include "base/test_run.h"
#include "dispersal/encode.h"
#include "vault/impl/segment_seal.h"
#include "vault/testing/world.h"
#include "wire/fragment.h"

namespace mhp::vault {
namespace {

using testing::Files;
using testing::save;
using testing::World;

/// All bytes of all files beneath a folder, one file after the other.
void read_all(platform::Disk& disk, const std::string& path, Bytes& out) {
  auto names = disk.list(path);
  if (names) {
    for (const std::string& name : *names) read_all(disk, path + "/" + name, out);
    return;
  }
  auto content = platform::read_file(disk, path, 1_GiB);
  if (content) out.insert(out.end(), content->begin(), content->end());
}

Bytes homes_of(World& world) {
  world.settle();
  Bytes out;
  read_all(world.platform().disk(), "/homes", out);
  return out;
}

using Window = std::array<std::byte, 16>;
struct WindowHash {
  std::size_t operator()(const Window& window) const {
    std::size_t hash;
    std::memcpy(&hash, window.data(), sizeof hash);
    return hash;
  }
};
using Windows = std::unordered_set<Window, WindowHash>;

/// Every 16-byte string.
Windows windows_of(ByteView bytes) {
  Windows out;
  for (std::size_t at = 0; at + 16 <= bytes.size(); ++at) {
    Window window;
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), 16, window.begin());
    out.insert(window);
  }
  return out;
}

/// A 16-byte string of `windows` anywhere in `bytes`.
std::optional<std::size_t> find_any(ByteView bytes, const Windows& windows) {
  Window window;
  for (std::size_t at = 0; at + 16 <= bytes.size(); ++at) {
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), 16, window.begin());
    if (windows.contains(window)) return at;
  }
  return std::nullopt;
}

/// What a search for `secrets` finds in all that homes hold, with `planted` written beside it in a home's folder.
std::optional<std::size_t> find_with(World& world, const Windows& secrets, ByteView planted) {
  const std::string path = world.home_path(1) + "/logs/planted";
  EXPECT_TRUE(platform::replace_file(world.platform().disk(), path, planted));
  const auto hit = find_any(homes_of(world), secrets);
  EXPECT_TRUE(world.platform().disk().remove(path));
  return hit;
}

TEST(Secrecy, HomesHoldNothingOfWhatWasSaved) {
  World world(testing::seed_of_run(), 3);
  world.init("a");
  const std::string name = "a name that stands out.txt";
  const Files files{{name, world.noise(3000)}, {"b", world.noise(100'000)}};
  ASSERT_TRUE(save(world, "a", files));
  const Bytes held = homes_of(world);
  ASSERT_GT(held.size(), 100'000u);
  auto session = world.open("a");
  ASSERT_TRUE(session);
  const wire::VaultKeys& keys = session->vault->keys();
  std::vector<Bytes> all{to_bytes(as_bytes(name))};
  for (const auto& [of, content] : files) all.push_back(content);
  for (const auto* key :
       {&keys.dedup_secret, &keys.chunker_secret, &keys.epochs[0].record_key, &keys.epochs[0].data_key})
    all.push_back(to_bytes(*key));
  all.push_back(to_bytes(session->device->secret.signing_seed));
  all.push_back(to_bytes(session->device->secret.x25519_secret));
  all.push_back(to_bytes(world.root().recovery_secret()));
  for (const auto& snapshot : session->vault->snapshots()) all.push_back(to_bytes(snapshot.page_list.bytes()));
  Windows secrets;
  for (const Bytes& secret : all) secrets.merge(windows_of(secret));
  const auto hit = find_any(held, secrets);
  EXPECT_FALSE(hit) << "at " << hit.value_or(0);

  // The same search finds each of them, whole and in part, where a home does hold it.
  EXPECT_FALSE(find_with(world, secrets, world.noise(1000))) << "noise is none of them";
  for (const Bytes& secret : all) {
    EXPECT_TRUE(find_with(world, secrets, secret)) << to_hex(ByteView(secret).first(16));
    Bytes part = world.noise(37);
    const ByteView middle = ByteView(secret).subspan(secret.size() / 2 - 8, 16);
    part.insert(part.end(), middle.begin(), middle.end());
    EXPECT_TRUE(find_with(world, secrets, part)) << to_hex(middle);
  }
}

/// All that the homes of a fresh vault hold after one backup.
Bytes homes_after(std::uint64_t seed, const std::string& phrase, const Files& files) {
  World world(seed, 2, phrase);
  world.init("a");
  EXPECT_TRUE(save(world, "a", files));
  return homes_of(world);
}

bool is_plain_pattern(const Window& window) {
  std::set<std::byte> values(window.begin(), window.end());
  return values.size() < 12;  // of random ones not one in a thousand: zeros, small numbers, words of the formats
}

TEST(Secrecy, TwoVaultsShareNothingForTheSameFile) {
  std::uint64_t seed = testing::seed_of_run();
  platform::MemoryPlatform platform(seed);
  Files same{{"same", Bytes(50'000)}, {"text", Bytes(20'000, std::byte{'x'})}};
  platform.random().fill(same["same"]);
  Files other{{"same", Bytes(50'000)}, {"text", Bytes(20'000, std::byte{'y'})}};
  platform.random().fill(other["same"]);
  Bytes in_one = homes_after(seed, "one", same);
  Bytes in_two = homes_after(seed + 1, "two", same);
  // What the formats themselves write (magic, lengths, field numbers) stands in a vault of other content just as well.
  const Windows formats = windows_of(homes_after(seed + 2, "three", other));
  Windows windows = windows_of(in_one);
  std::erase_if(windows, [&](const Window& window) { return formats.contains(window) || is_plain_pattern(window); });
  test_run::tried(3, "16-byte windows of one vault searched in another's", windows.size(), seed);
  auto hit = find_any(in_two, windows);
  EXPECT_FALSE(hit) << "at " << hit.value_or(0) << ": "
                    << to_hex(ByteView(in_two).subspan(hit.value_or(0), std::min<std::size_t>(64, in_two.size())));
}

TEST(Secrecy, TheDataKeyWithOneRowTooFewOpensNothing) {
  platform::MemoryPlatform platform(testing::seed_of_run());
  primitives::Key data_key = platform.random().array<32>();
  SegmentId id = SegmentId::from_array(platform.random().array<32>());
  std::vector<primitives::Hash> salts(12);
  for (auto& salt : salts) salt = platform.random().array<32>();
  Bytes plain(100'000, std::byte{'p'});
  Bytes sealed(impl::sealed_bytes_of(plain.size()));
  std::array<MutableBytes, 1> place{sealed};
  impl::SegmentKey(data_key, salts, id).seal(plain, place);
  ByteView commitment = ByteView(sealed).first(impl::kCommitmentBytes);
  EXPECT_TRUE(impl::SegmentKey(data_key, salts, id).matches(commitment));
  std::array<ByteView, 1> frames{ByteView(sealed).subspan(impl::kCommitmentBytes)};
  Bytes out(plain.size());
  for (std::size_t unknown = 0; unknown < salts.size(); ++unknown) {
    // All ciphertext at hand, and all salts but one, which is guessed.
    auto guessed = salts;
    guessed[unknown] = platform.random().array<32>();
    impl::SegmentKey key(data_key, guessed, id);
    EXPECT_FALSE(key.matches(commitment));
    EXPECT_FALSE(key.open(plain.size(), 0, frames, out));
    guessed[unknown][0] = salts[unknown][0] ^ std::byte{1};
    EXPECT_FALSE(impl::SegmentKey(data_key, guessed, id).matches(commitment));
  }
  // Nor does another data key, another segment, or the salts in another order.
  EXPECT_FALSE(impl::SegmentKey(platform.random().array<32>(), salts, id).matches(commitment));
  EXPECT_FALSE(impl::SegmentKey(data_key, salts, SegmentId()).matches(commitment));
  std::ranges::reverse(salts);
  EXPECT_FALSE(impl::SegmentKey(data_key, salts, id).matches(commitment));
}

/// Salts of all fragments in `held`, found by what stands at a fragment's start.
std::vector<primitives::Hash> salts_in(ByteView held) {
  std::vector<primitives::Hash> out;
  const ByteView magic = as_bytes("mhpfrag");
  auto at = held.begin();
  while ((at = std::search(at, held.end(), magic.begin(), magic.end())) != held.end()) {
    const ByteView rest = held.subspan(static_cast<std::size_t>(at - held.begin()));
    constexpr std::size_t kHeader = wire::FragmentHeader::kSizeBytes;
    if (rest.size() >= kHeader + 32 && wire::parse_fragment_header(rest.first(kHeader))) {
      std::copy_n(rest.begin() + kHeader, 32, out.emplace_back().begin());
    }
    ++at;
  }
  return out;
}

TEST(Secrecy, NoSaltIsUsedTwice) {
  World world(testing::seed_of_run(), 3);
  world.init("a");
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(save(world, "a", testing::few_files(world)));
  const auto salts = salts_in(homes_of(world));
  EXPECT_GE(salts.size(), 5u * 2 * 18);  // content and index, a row each
  EXPECT_EQ(std::set(salts.begin(), salts.end()).size(), salts.size());
}

/// Sum over all values of (seen - expected)^2 / expected: 255 give or take 23 for bytes without a pattern.
double chi_square(const std::array<std::uint64_t, 256>& seen) {
  std::uint64_t total = 0;
  for (const std::uint64_t count : seen) total += count;
  const double expected = static_cast<double>(total) / 256;
  double sum = 0;
  for (const std::uint64_t count : seen) {
    sum += (static_cast<double>(count) - expected) * (static_cast<double>(count) - expected) / expected;
  }
  return sum;
}

TEST(Secrecy, FewerThanKFragmentsAreFlat) {
  const std::uint64_t seed = testing::seed_of_run();
  platform::MemoryPlatform platform(seed);
  std::mt19937_64 random(seed);
  const int rounds = test_run::is_long() ? 200 : 6;
  std::uint64_t bytes = 0;
  for (int round = 0; round < rounds; ++round) {
    const Bytes plain(3'000'000, round % 2 == 0 ? std::byte{0} : std::byte{'a'});  // nothing but pattern
    std::vector<primitives::Hash> salts(12);
    for (auto& salt : salts) salt = platform.random().array<32>();
    const SegmentId id = SegmentId::from_array(platform.random().array<32>());
    Bytes sealed(impl::sealed_bytes_of(plain.size()));
    const std::array<MutableBytes, 1> all{sealed};
    impl::SegmentKey(platform.random().array<32>(), salts, id).seal(plain, all);
    std::vector<std::uint8_t> rows(24);
    for (std::size_t row = 0; row < rows.size(); ++row) rows[row] = static_cast<std::uint8_t>(row);
    dispersal::BufferPool pool;
    const std::vector<dispersal::RowsFor> wanted{{.home = 0, .rows = rows}};
    const auto encoded = dispersal::encode(
        {.id = id, .vault = {}, .epoch = 1, .k = 12, .sealed = sealed, .salts = salts}, wanted, nullptr, pool);
    std::shuffle(rows.begin(), rows.end(), random);
    std::array<std::uint64_t, 256> values{}, steps{}, pairs{};
    ByteView before;
    for (std::size_t i = 0; i < 11; ++i) {
      const wire::RecordRow& row = encoded.shipments[0].front.rows[rows[i]];
      const ByteView fragment = encoded.shipments[0].buffer.bytes().subspan(row.offset, row.bytes);
      const ByteView payload = fragment.subspan(fragment.size() - encoded.card.row_bytes);
      for (std::size_t at = 1; at < payload.size(); ++at) {
        ++values[std::to_integer<std::size_t>(payload[at])];
        ++steps[std::to_integer<std::size_t>(payload[at] ^ payload[at - 1])];
        if (!before.empty()) ++pairs[std::to_integer<std::size_t>(payload[at] ^ before[at])];
      }
      bytes += payload.size();
      before = payload;
    }
    for (const auto& seen : {values, steps, pairs}) {
      EXPECT_GT(chi_square(seen), 255 - 6 * 22.6) << "MHP_SEED=" << seed;
      EXPECT_LT(chi_square(seen), 255 + 7 * 22.6) << "MHP_SEED=" << seed;
    }
  }
  test_run::tried(3, "bytes of 11 fragments (k is 12) found flat", bytes, seed);
}

TEST(Secrecy, OneRowTooFewOnTheHomesOpensNothingThoughAllKeysAreThere) {
  World world(testing::seed_of_run(), 24);  // 12 of 30 or so: a row or two each
  world.init("a");
  auto committed = save(world, "a", testing::few_files(world));
  ASSERT_TRUE(committed);
  // Lose homes until nothing can be read, one by one: just below k rows.
  for (unsigned lost = 0; lost < 24; ++lost) {
    auto session = world.open("a");
    ASSERT_TRUE(session) << session.error().detail;
    auto back = world.run(testing::read_back(*session->vault, session->vault->snapshots().back()));
    if (back) {
      world.lose_home(lost);
      continue;
    }
    EXPECT_GT(lost, static_cast<unsigned>(committed->margin));
    EXPECT_EQ(back.error().code, Errc::unavailable);
    EXPECT_NE(back.error().detail.find("12 rows"), std::string::npos) << back.error().detail;
    return;
  }
  FAIL() << "all homes lost and still readable";
}

}  // namespace
}  // namespace mhp::vault
