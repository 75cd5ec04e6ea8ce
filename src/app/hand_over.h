// Homes that are to go off a vault's list: what they hold goes to the others first, or they stay.
#pragma once

#include <string>
#include <vector>

#include "app/session.h"

namespace mhp::app {

/// Which homes, and what a person is told where they cannot go.
struct Going {
  std::vector<std::size_t> members;
  std::string stays;         // "home 'a' stays"
  std::string forced;        // what --lost does: "takes it off"
  bool is_one_home = false;  // that `stays` names: then the reason says "it"
};

struct HandedOver {
  vault::RepairReport report = {};
  int margin_before = 0;
};

/// Makes on the other homes what these hold. `dry_run`: only says what would be made. Errors: of the subject homes
/// where something would be lost, or cannot be seen, or the others did not take it; denied of the subject home: a
/// backup has to come first; those of Vault::repair().
Task<Result<HandedOver>> hand_over(Session& session, Opened& opened, Going going, bool dry_run);

}  // namespace mhp::app
