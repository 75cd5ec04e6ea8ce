// The words for all: ids do not mix, hexadecimal goes both ways, errors carry what happened.
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"

namespace mhp {
namespace {

static_assert(!std::is_convertible_v<HomeId, VaultId>);

TEST(Bytes, HexGoesBothWays) {
  Bytes out;
  ASSERT_TRUE(from_hex("00ff7Fa0", out));
  EXPECT_EQ(to_hex(out), "00ff7fa0");
  for (const char* bad : {"0", "0g", "zz", " 0"}) {
    EXPECT_FALSE(from_hex(bad, out)) << bad;
    EXPECT_TRUE(out.empty());
  }
}

TEST(Bytes, RoundUp) {
  EXPECT_EQ(round_up(0, 4096), 0u);
  EXPECT_EQ(round_up(1, 4096), 4096u);
  EXPECT_EQ(round_up(4096, 4096), 4096u);
}

TEST(Bytes, AlignedBufferIsAligned) {
  for (const std::size_t size : {1u, 4095u, 4096u, 100'000u}) {
    AlignedBuffer buffer(size);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.data()) % AlignedBuffer::kAlignment, 0u);
    EXPECT_EQ(buffer.bytes().size(), size);
  }
}

TEST(Bytes, WipeLeavesZeros) {
  Bytes secret(64, std::byte{7});
  wipe(secret);
  EXPECT_EQ(secret, Bytes(64));
}

TEST(Ids, OrderAndText) {
  Bytes raw(32);
  raw[0] = std::byte{0xab};
  const HomeId id = HomeId::from_bytes(raw);
  EXPECT_EQ(id.short_hex(), "ab000000");
  EXPECT_LT(HomeId(), id);
  EXPECT_TRUE(HomeId().is_zero());
  EXPECT_FALSE(id.is_zero());
}

Result<int> half(int x) {
  if (x % 2 != 0) return fail(Errc::invalid, "odd");
  return x / 2;
}

Result<int> quarter(int x) {
  MHP_TRY(const int h, half(x));
  MHP_TRY(const int q, half(h));
  return q;
}

TEST(Result, TryHandsErrorsOn) {
  EXPECT_EQ(*quarter(8), 2);
  const auto odd = quarter(6);
  ASSERT_FALSE(odd);
  EXPECT_EQ(odd.error().code, Errc::invalid);
  EXPECT_EQ(odd.error().detail, "odd");
}

TEST(Result, TheFirstToKnowSaysWhatAnErrorIsAbout) {
  const auto of_home = about(Subject::home, half(3));
  ASSERT_FALSE(of_home);
  EXPECT_EQ(of_home.error().subject, Subject::home);
  EXPECT_EQ(about(Subject::state, Result<int>(of_home)).error().subject, Subject::home);
  EXPECT_EQ(*about(Subject::home, half(4)), 2);
  EXPECT_EQ(half(3).error().subject, Subject::none);
}

TEST(Result, EverySubjectHasItsWord) {
  EXPECT_STREQ(to_string(Subject::none), "");
  for (auto subject = Subject::vault; subject <= Subject::phrase;) {
    EXPECT_STRNE(to_string(subject), "");
    subject = static_cast<Subject>(static_cast<int>(subject) + 1);
  }
}

TEST(Result, EveryCodeHasItsWord) {
  for (int code = 1; code <= 11; ++code) EXPECT_STRNE(to_string(static_cast<Errc>(code)), "unknown");
}

}  // namespace
}  // namespace mhp
