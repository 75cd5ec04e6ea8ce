// That the owner, or only this computer, was taken out of a cloud: who did it, and what can be done, in words.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cloud/roster.h"

namespace mhp::app {

struct OutOf {
  CloudId cloud{};
  std::string name{};             // of the cloud
  std::vector<std::string> by{};  // names; empty: the owner, elsewhere
  std::vector<MemberId> by_ids{};
  bool is_computer = false;  // only this computer is out
  bool can_answer = false;   // removing all in `by` takes it back
  bool is_joining = false;   // by a new code, of which no home has heard yet
};

/// As the roster says; nothing: the member with this key and the computer are in, or never were. Pure.
std::optional<OutOf> out_of(const cloud::Roster& roster, const primitives::SigningKey& member, const KeyId& computer);

/// The same of a cloud that the owner takes himself for a member of: also that he is not in it yet. Pure.
std::optional<OutOf> not_in(const cloud::Roster& roster, const primitives::SigningKey& member, const KeyId& computer);

/// Whether the member is in the cloud again once it has removed all of `others`: that is said as
/// Roster::removal_in_answer(), of all at once.
bool can_answer(const cloud::Roster& roster, const primitives::SigningKey& member, const std::set<MemberId>& others);

/// "'ben', 'cat'"; who left says it of himself.
std::string names_of_removers(const OutOf& out);
/// What happened, and what to do.
std::string out_sentence(const OutOf& out);
/// The same for scripts; null where there is nothing.
nlohmann::json json_out(const std::optional<OutOf>& out);

}  // namespace mhp::app
