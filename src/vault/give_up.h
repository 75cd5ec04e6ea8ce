// A home that leaves the list is told that all it holds of the vault may go; one that comes back, that it stays.
#pragma once

#include <cstdint>

#include "dispersal/home_set.h"
#include "vault/keys.h"

namespace mhp::vault {

/// Who says it, and when.
struct Word {
  const VaultId vault;
  const Device& device;
  const std::int64_t now_ns;
};

/// A tombstone of everything that the home of `member` holds: how many segments. Where it is used again before their
/// hold is over, the next writing takes back what it needs. All is borrowed. Errors: those of the home.
Task<Result<std::uint64_t>> give_up(dispersal::HomeSet& homes, std::size_t member, const Word& word);
/// Takes that back: a reprieve of everything it holds.
Task<Result<std::uint64_t>> take_back(dispersal::HomeSet& homes, std::size_t member, const Word& word);

}  // namespace mhp::vault
