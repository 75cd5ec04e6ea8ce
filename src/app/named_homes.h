// Homes that are named by who has no list of them: folders, addresses of computers, codes of invitations.
#pragma once

#include <string>
#include <vector>

#include "app/session.h"

namespace mhp::app {

/// A home named on the command line.
struct NamedHome {
  HomeId id;
  std::string path = {};
  std::vector<std::string> addresses = {};  // where it is a computer
  bool is_invited = false;                  // a code names it: it may well have nothing to do with this vault
};

/// Of what is named, the homes that are there; one is enough, and the others are said. `computers`: HOST:PORT, where
/// whoever answers is believed to be a home, or an invitation, whose homes have to prove who they are. Errors: usage
/// (no such text); not_found, unavailable, timed_out (none is there).
Task<Result<std::vector<NamedHome>>> find_named(Session& session, std::vector<std::string> folders,
                                                std::vector<std::string> computers);
/// As a list of homes has it.
wire::HomeEntry entry_of(const NamedHome& named);
/// The list, with the places where the named homes are now, and those of them that it lacks, but for those that only a
/// code names.
std::vector<wire::HomeEntry> with_named(std::vector<wire::HomeEntry> entries, const std::vector<NamedHome>& named);
std::string place_of(const NamedHome& home);

}  // namespace mhp::app
