// For tests: the seed of a run, whether it is the long one, and the counts that `./dev check` puts into its table.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace mhp::test_run {

/// MHP_SEED repeats a run; without it, what is given.
inline std::uint64_t seed(std::uint64_t usual = 1) {
  const char* wanted = std::getenv("MHP_SEED");
  return wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : usual;
}

/// `./dev check --long`: the same tests on more cases.
inline bool is_long() { return std::getenv("MHP_LONG") != nullptr; }

#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

/// Sweeps try all their cases where they run as people's programs do. Under sanitizers, where each takes ten times as
/// long, they try one of so many; the long run tries all in both, and MHP_WHOLE does that for one test.
inline std::uint64_t stride() { return kSanitized && !is_long() && std::getenv("MHP_WHOLE") == nullptr ? 8 : 1; }

/// Says how many cases of an item of tests/README.md this test has tried, and how to repeat it; adds it to the table of
/// `./dev check` (the file MHP_COUNTS).
inline void tried(int item, const std::string& what, std::uint64_t count, std::uint64_t seed_used) {
  const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
  std::printf("%llu %s; repeat: MHP_SEED=%llu ctest --test-dir build/dev -V -R %s.%s\n",
              static_cast<unsigned long long>(count), what.c_str(), static_cast<unsigned long long>(seed_used),
              test->test_suite_name(), test->name());
  const char* path = std::getenv("MHP_COUNTS");
  std::FILE* file = path != nullptr ? std::fopen(path, "a") : nullptr;
  if (file == nullptr) return;
  std::fprintf(file, "%d\t%s\t%llu\n", item, what.c_str(), static_cast<unsigned long long>(count));
  std::fclose(file);
}

/// The same of a sweep: what is tried under sanitizers is among what the release build tries and counts.
inline void tried_of_sweep(int item, const std::string& what, std::uint64_t count, std::uint64_t seed_used) {
  if (!kSanitized) return tried(item, what, count, seed_used);
  std::printf("%llu %s, counted by the release build\n", static_cast<unsigned long long>(count), what.c_str());
}

}  // namespace mhp::test_run
