// One signed list of segments after the other, each as long as it may be.
#include "vault/give_up.h"

#include <algorithm>

#include "wire/signed.h"
#include "wire/tombstone.h"

namespace mhp::vault {
namespace {

using Put = Task<Result<void>> (home::Home::*)(Bytes);

template <class Statement>
Task<Result<std::uint64_t>> say_of_all(dispersal::HomeSet& homes, std::size_t member, const Word& word,
                                       std::string_view context, Put put) {
  MHP_CO_TRY(const auto held, co_await homes.list(member));
  home::Home& home = *homes.members()[member].home;
  Statement statement;
  statement.vault = word.vault;
  statement.device = DeviceId::from_array(word.device.signing.public_key());
  statement.time_ns = word.now_ns;
  for (std::size_t i = 0; i < held.size(); ++i) {
    statement.segments.push_back(held[i].segment);
    if (statement.segments.size() < wire::kMaxTombstoneSegments && i + 1 < held.size()) continue;
    std::ranges::sort(statement.segments);
    Bytes bytes = wire::encode(wire::sign(word.device.signing, context, wire::encode(statement)));
    MHP_CO_TRY_VOID(co_await (home.*put)(std::move(bytes)));
    statement.segments.clear();
  }
  co_return held.size();
}

}  // namespace

Task<Result<std::uint64_t>> give_up(dispersal::HomeSet& homes, std::size_t member, const Word& word) {
  return say_of_all<wire::Tombstone>(homes, member, word, wire::kSignTombstone, &home::Home::put_tombstone);
}

Task<Result<std::uint64_t>> take_back(dispersal::HomeSet& homes, std::size_t member, const Word& word) {
  return say_of_all<wire::Reprieve>(homes, member, word, wire::kSignReprieve, &home::Home::put_reprieve);
}

}  // namespace mhp::vault
