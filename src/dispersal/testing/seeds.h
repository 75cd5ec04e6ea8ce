// The seed of a test run: MHP_SEED repeats a run, without it a fixed one is used; every test says it in its failures.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>

namespace mhp::dispersal::testing {

inline std::uint64_t seed_of_run(std::uint64_t otherwise = 1) {
  const char* text = std::getenv("MHP_SEED");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

}  // namespace mhp::dispersal::testing
