// Opens the homes of a list, folders and other computers, all at once.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "app/session.h"

namespace mhp::app {

/// How to speak for the vault to homes that are computers: with this device's key.
cloud::VaultKey speaking_as(const vault::Device& device, const vault::OpenRecord& record);

/// Opens every home of a list, all at once; those that are away say why, also those that do not answer in time.
/// `key`: what computers among them are asked with.
Task<std::vector<dispersal::Member>> open_members(Session& session, std::vector<wire::HomeEntry> entries,
                                                  std::set<std::uint64_t> source_devices, cloud::VaultKey key);

/// Why a computer of which nobody has told an address is not there.
inline constexpr const char* kNeverUp = "has never been up yet";

/// What of a home Session::silent names, where it did not answer: it is not asked again in this run.
std::string silence_of(const wire::HomeEntry& entry);

/// Where a home is, for people: its path, or its addresses.
std::string place_of(const wire::HomeEntry& entry);

/// What each path is, all asked at once; nothing where it does not exist, or does not answer.
Task<std::vector<std::optional<platform::PathInfo>>> infos_of_paths(Session& session, std::vector<std::string> paths);

}  // namespace mhp::app
