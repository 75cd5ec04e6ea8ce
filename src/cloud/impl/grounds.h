// Why a statement counts: the others that give its signer the right to say it.
#pragma once

#include "cloud/impl/authority.h"

namespace mhp::cloud::impl {

/// `wanted` (places of statements that count by `counts`, as judge() gave it) and, of all others that count, those
/// without which they would not: who made its signer a member, an admin, a device, and so on up to the founding.
std::set<std::size_t> grounds_of(const Facts& facts, const std::vector<bool>& counts, std::vector<std::size_t> wanted);

}  // namespace mhp::cloud::impl
