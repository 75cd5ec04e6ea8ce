// What homes hold tells nothing: no plain bytes, nothing in common, and nothing opens below k rows.
#include <gtest/gtest.h>

#include <algorithm>
#include <unordered_set>

#include "vault/impl/segment_seal.h"
#include "vault/testing/world.h"

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

bool is_plain_pattern(const Window& window) {
  std::set<std::byte> values(window.begin(), window.end());
  return values.size() < 12;  // of random ones not one in a thousand: zeros, small numbers, words of the formats
}

/// Every 16-byte string that starts at a multiple of `step`.
Windows windows_of(ByteView bytes, std::size_t step) {
  Windows out;
  for (std::size_t at = 0; at + 16 <= bytes.size(); at += step) {
    Window window;
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), 16, window.begin());
    if (!is_plain_pattern(window)) out.insert(window);
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

TEST(Secrecy, HomesHoldNothingOfWhatWasSaved) {
  World world(testing::seed_of_run(), 3);
  world.init("a");
  Files files{{"a name that stands out.txt", world.noise(3000)}, {"b", world.noise(100'000)}};
  ASSERT_TRUE(save(world, "a", files));
  Bytes held = homes_of(world);
  ASSERT_GT(held.size(), 100'000u);
  Bytes plain = to_bytes(as_bytes("a name that stands out.txt"));
  for (const auto& [name, content] : files) plain.insert(plain.end(), content.begin(), content.end());
  Windows secrets = windows_of(plain, 1);
  auto session = world.open("a");
  ASSERT_TRUE(session);
  const wire::VaultKeys& keys = session->vault->keys();
  for (const auto* key :
       {&keys.dedup_secret, &keys.chunker_secret, &keys.epochs[0].record_key, &keys.epochs[0].data_key}) {
    secrets.merge(windows_of(*key, 16));
  }
  secrets.merge(windows_of(session->device->secret.signing_seed, 16));
  secrets.merge(windows_of(session->device->secret.x25519_secret, 16));
  secrets.merge(windows_of(world.root().recovery_secret(), 16));
  for (const auto& snapshot : session->vault->snapshots()) secrets.merge(windows_of(snapshot.page_list.bytes(), 1));
  secrets.merge(windows_of(as_bytes("/homes/0 is a path of a home"), 1));
  auto hit = find_any(held, secrets);
  EXPECT_FALSE(hit) << "at " << hit.value_or(0);
}

/// All that the homes of a fresh vault hold after one backup.
Bytes homes_after(std::uint64_t seed, const std::string& phrase, const Files& files) {
  World world(seed, 2, phrase);
  world.init("a");
  EXPECT_TRUE(save(world, "a", files));
  return homes_of(world);
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
  Windows formats = windows_of(homes_after(seed + 2, "three", other), 1);
  Windows windows;
  for (const Window& window : windows_of(in_one, 1)) {
    if (!formats.contains(window)) windows.insert(window);
  }
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
