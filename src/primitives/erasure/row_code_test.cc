// Any k rows give any other rows: every subset of small codes, random ones of large codes, against plain arithmetic.
#include "primitives/erasure/row_code.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <numeric>

#include "base/test_run.h"
#include "primitives/test_bytes.h"

namespace mhp::primitives {
namespace {

using Rows = std::vector<Bytes>;
using Numbers = std::vector<std::uint8_t>;

unsigned plain_multiply(unsigned a, unsigned b) {  // in GF(2^8) modulo x^8 + x^4 + x^3 + x^2 + 1
  unsigned product = 0;
  for (; b != 0; b >>= 1) {
    if (b & 1) product ^= a;
    a = a << 1 ^ (a & 0x80 ? 0x11d : 0);
  }
  return product;
}

unsigned plain_inverse(unsigned a) {
  for (unsigned b = 1; b < 256; ++b) {
    if (plain_multiply(a, b) == 1) return b;
  }
  return 0;
}

/// Rows 0 to n - 1 of the code over the given data rows, by its definition.
Rows plain_rows(const Rows& data, std::size_t n) {
  Rows rows = data;
  const std::size_t k = data.size();
  for (std::size_t r = k; r < n; ++r) {
    Bytes row(data[0].size());
    for (std::size_t j = 0; j < k; ++j) {
      const unsigned coefficient = plain_inverse(static_cast<unsigned>(r ^ j));
      std::array<std::byte, 256> times;
      for (unsigned v = 0; v < 256; ++v) times[v] = static_cast<std::byte>(plain_multiply(coefficient, v));
      for (std::size_t i = 0; i < row.size(); ++i) row[i] ^= times[std::to_integer<std::size_t>(data[j][i])];
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

Rows noise_rows(std::size_t k, std::size_t row_bytes, std::uint64_t seed) {
  Noise noise(seed);
  Rows rows;
  for (std::size_t i = 0; i < k; ++i) rows.push_back(noise.bytes(row_bytes));
  return rows;
}

Numbers numbers(std::size_t first, std::size_t count) {
  Numbers out(count);
  std::iota(out.begin(), out.end(), static_cast<std::uint8_t>(first));
  return out;
}

/// The rows `want` computed from the rows `have` of `all`, the same by every kernel that runs here.
Rows compute(const Rows& all, const Numbers& have, const Numbers& want) {
  const auto code = RowCode::make(have, want);
  EXPECT_TRUE(code);
  Rows out(want.size(), Bytes(all[0].size()));
  std::vector<const std::byte*> in;
  std::vector<std::byte*> to;
  for (std::uint8_t row : have) in.push_back(all[row].data());
  for (Bytes& row : out) to.push_back(row.data());
  if (!code) return out;
  code->apply_by(RowCode::Kernel::isa_l, all[0].size(), in, to);
  if (!RowCode::runs_here(RowCode::Kernel::gfni)) return out;
  const Rows by_isa_l = out;
  for (Bytes& row : out) std::ranges::fill(row, std::byte{0x5a});
  code->apply_by(RowCode::Kernel::gfni, all[0].size(), in, to);
  EXPECT_TRUE(out == by_isa_l) << have.size() << " rows at hand, " << want.size() << " wanted";
  return out;
}

void expect_rows(const Rows& all, const Numbers& have, const Numbers& want) {
  const Rows out = compute(all, have, want);
  for (std::size_t i = 0; i < want.size(); ++i) ASSERT_EQ(out[i], all[want[i]]) << "row " << int{want[i]};
}

TEST(RowCode, PlainArithmeticIsRight) {  // 0x53 * 0xca = 1 is AES's field; in this one the powers of 2 run through all
  unsigned power = 1;
  for (int i = 0; i < 255; ++i) {
    EXPECT_TRUE(i == 0 || power != 1);
    power = plain_multiply(power, 2);
  }
  EXPECT_EQ(power, 1u);
  EXPECT_EQ(plain_multiply(2, 0x80), 0x1du);
}

TEST(RowCode, EncodesByItsDefinitionAtAnyLengthAndAlignment) {
  for (std::size_t bytes : {1ul, 2ul, 15ul, 16ul, 31ul, 32ul, 33ul, 63ul, 64ul, 65ul, 127ul, 1000ul, 16383ul, 16384ul,
                            16385ul, 16400ul, 50001ul}) {
    const Rows all = plain_rows(noise_rows(12, bytes, bytes), 30);
    expect_rows(all, numbers(0, 12), numbers(12, 18));
    // Odd addresses, and nothing written behind the end.
    Bytes memory = Noise(1).bytes(13 * (bytes + 3) + 1);
    std::vector<const std::byte*> in;
    for (std::size_t i = 0; i < 12; ++i) {
      std::byte* at = memory.data() + 1 + i * (bytes + 3);
      std::ranges::copy(all[i], at);
      in.push_back(at);
    }
    std::byte* out = memory.data() + 1 + 12 * (bytes + 3);
    const Bytes behind(out + bytes, out + bytes + 3);
    const auto code = RowCode::make(numbers(0, 12), numbers(29, 1));
    code->apply(bytes, in, std::span(&out, 1));
    EXPECT_TRUE(std::equal(all[29].begin(), all[29].end(), out)) << bytes;
    EXPECT_TRUE(std::equal(behind.begin(), behind.end(), out + bytes)) << bytes;
  }
}

/// Each set of k rows of n brings all rows back: the given ones too, for a copy falls out of the matrix. How many.
std::uint64_t expect_every_subset(std::size_t n) {
  std::uint64_t subsets = 0;
  for (std::size_t k = 1; k <= n; ++k) {
    const Rows all = plain_rows(noise_rows(k, 35, n * 100 + k), n);
    for (unsigned subset = 0; subset < 1u << n; ++subset) {
      if (static_cast<std::size_t>(std::popcount(subset)) != k) continue;
      Numbers have;
      for (std::size_t i = 0; i < n; ++i) {
        if (subset >> i & 1) have.push_back(static_cast<std::uint8_t>(i));
      }
      expect_rows(all, have, numbers(0, n));
      ++subsets;
    }
  }
  return subsets;
}

TEST(RowCode, EverySubsetOfCodesOfUpTo15Rows) {
  std::uint64_t subsets = 0;
  for (std::size_t n = 1; n <= 15; ++n) subsets += expect_every_subset(n);
  test_run::tried(2, "sets of k rows: every one of codes up to 16 rows", subsets, 1);
}

TEST(RowCode, EverySubsetOfCodesOf16Rows) {
  test_run::tried(2, "sets of k rows: every one of codes up to 16 rows", expect_every_subset(16), 1);
}

/// Random sets of `k` of `n` rows, in any order; x 100 in the long run.
std::uint64_t random_subsets(std::size_t k, std::size_t n, std::uint64_t rounds) {
  if (test_run::is_long()) rounds *= 100;
  const Rows all = plain_rows(noise_rows(k, 100, n), n);
  const std::uint64_t first = test_run::seed();
  for (std::uint64_t seed = first; seed < first + rounds; ++seed) {
    SCOPED_TRACE("MHP_SEED=" + std::to_string(seed));
    Noise noise(seed);
    Numbers order = numbers(0, n);
    for (std::size_t i = n; i > 1; --i) std::swap(order[i - 1], order[noise.below(i)]);
    const Numbers have(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(k));  // in any order
    Numbers want = numbers(0, k);
    want.push_back(order[noise.below(n)]);
    expect_rows(all, have, want);
  }
  return rounds;
}

TEST(RowCode, RandomSubsetsOfEachPlan) {
  std::uint64_t tried = 0;
  for (std::size_t n : {18ul, 20ul, 24ul, 30ul, 32ul, 36ul, 40ul}) tried += random_subsets(12, n, 1000);
  tried += random_subsets(12, 255, 2000);
  test_run::tried(2, "sets of 12 rows: random ones of each plan and of 255 rows", tried, test_run::seed());
}
TEST(RowCode, RandomSubsetsOfWideCodes) {
  const std::uint64_t tried = random_subsets(1, 255, 100) + random_subsets(128, 255, 10);
  test_run::tried(2, "sets of 1 and of 128 rows: random ones of 255", tried, test_run::seed());
}

TEST(RowCode, KernelsAgreeOnEveryNumberOfWantedRows) {
  if (!RowCode::runs_here(RowCode::Kernel::gfni)) GTEST_SKIP() << "no GFNI on this processor: ISA-L alone is used";
  const Rows data = noise_rows(12, 257, 3);
  for (std::size_t want = 1; want <= 60; ++want) compute(data, numbers(0, 12), numbers(12, want));
}

TEST(RowCode, ARowDoesNotDependOnHowManyThereAre) {
  const Rows data = noise_rows(12, 64, 1);
  const Rows few = plain_rows(data, 18);
  EXPECT_EQ(compute(few, numbers(0, 12), {17})[0], compute(plain_rows(data, 255), numbers(0, 12), numbers(12, 243))[5]);
}

TEST(RowCode, RefusesWhatIsNoCode) {
  const auto refused = [](const Numbers& have, const Numbers& want) {
    const auto code = RowCode::make(have, want);
    return !code && code.error().code == Errc::invalid;
  };
  EXPECT_TRUE(refused({}, {1}));
  EXPECT_TRUE(refused({1, 1}, {2}));
  EXPECT_TRUE(refused({255}, {2}));
  EXPECT_TRUE(refused({1}, {255}));
  EXPECT_TRUE(refused(numbers(0, 129), {200}));
  EXPECT_TRUE(refused({1}, Numbers(256)));
  const auto nothing = RowCode::make(numbers(0, 3), {});
  ASSERT_TRUE(nothing);
  const std::byte data[3]{};
  nothing->apply(1, std::array{&data[0], &data[1], &data[2]}, {});
}

}  // namespace
}  // namespace mhp::primitives
