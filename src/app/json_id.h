// Ids and counts in the JSON files that `mhp up` keeps.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/bytes.h"

namespace mhp::app {

/// Takes the id that stands in hexadecimal digits under `name`; false where it is missing or none.
template <class IdType>
bool read_id(const nlohmann::json& json, const char* name, IdType& into) {
  const auto found = json.find(name);
  Bytes bytes;
  if (found == json.end() || !found->is_string() || !from_hex(found->get<std::string>(), bytes)) return false;
  if (bytes.size() != IdType::kSizeBytes) return false;
  into = IdType::from_bytes(bytes);
  return true;
}

/// The same for a number that is not negative.
inline bool read_count(const nlohmann::json& json, const char* name, std::uint64_t& into) {
  const auto found = json.find(name);
  if (found == json.end() || !found->is_number_unsigned()) return false;
  into = found->get<std::uint64_t>();
  return true;
}

}  // namespace mhp::app
