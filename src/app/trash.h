// What homes hold that is forgotten, and when they give it back.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "dispersal/home_set.h"

namespace mhp::app {

/// Over all homes that answer.
struct Trash {
  std::uint64_t condemned_bytes = 0;
  std::optional<std::int64_t> next_due_ns;  // when the first of it goes, at the earliest
};

/// Adds what one home says.
void add_to(Trash& trash, const home::Usage& usage);
Task<Trash> trash_of(const dispersal::HomeSet& homes);
/// "2.1 GB on the homes are forgotten: given back from 2026-12-12 on, by a backup or forget, as soon as ..."
std::string trash_sentence(const Trash& trash, std::int64_t now_ns);

}  // namespace mhp::app
