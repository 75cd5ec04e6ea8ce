// Which homes of other people count as one person's: those of one member, and those of one network.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "wire/vault_record.h"

namespace mhp::app {

/// The network that a home with this address is in, as far as its address tells: of IPv4 the address itself (a router's
/// that several homes share), of IPv6 what a provider gives one customer at most (56 bits). Empty where it is private,
/// or a name.
std::string network_of(const std::string& address);

/// A number for each entry, as dispersal::make_plan() takes it: 0 for the owner's own homes; all homes of one member
/// have one number, and so have those of members who share a network. Where fewer than three would be left, networks
/// are passed over: then nothing could be dispersed at all, and people of one house could not keep each other's
/// backups.
std::vector<std::uint32_t> owner_numbers(std::span<const wire::HomeEntry> entries);

}  // namespace mhp::app
