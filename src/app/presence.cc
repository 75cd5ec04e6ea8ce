// Counts of answers, and a file of them.
#include "app/presence.h"

#include <nlohmann/json.hpp>

#include "app/json_id.h"

namespace mhp::app {
namespace {

constexpr std::uint32_t kHalveAt = 128;  // times
constexpr std::uint32_t kFew = 8;
constexpr std::size_t kMaxHomes = 10'000;
constexpr std::uint64_t kMaxFileBytes = 4_MiB;

std::string path_in(const std::string& state_folder) { return state_folder + "/presence"; }

}  // namespace

void note_asked(Presences& presences, const HomeId& home, bool was_there) {
  if (presences.size() >= kMaxHomes && !presences.contains(home)) return;
  Presence& presence = presences[home];
  presence.asked += 1;
  presence.there += was_there ? 1 : 0;
  if (presence.asked < kHalveAt) return;
  presence.asked /= 2;
  presence.there /= 2;
}

Attendance attendance_of(const Presences& presences, const HomeId& home) {
  const auto known = presences.find(home);
  if (known == presences.end() || known->second.asked < kFew) return Attendance::unknown;
  const auto& [asked, there] = known->second;
  if (4 * there >= 3 * asked) return Attendance::mostly;
  return 4 * there < asked ? Attendance::rarely : Attendance::unknown;
}

std::string to_text(const Presences& presences) {
  nlohmann::json list = nlohmann::json::array();
  for (const auto& [home, presence] : presences)
    list.push_back({{"home", home.hex()}, {"asked", presence.asked}, {"there", presence.there}});
  return nlohmann::json{{"homes", std::move(list)}}.dump(1) + "\n";
}

Result<Presences> parse_presences(std::string_view text) {
  const auto damaged = [] { return fail(Errc::corrupt, Subject::state, "this is no list of homes that were asked"); };
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  const auto list = json.is_object() ? json.find("homes") : json.end();
  if (!json.is_object() || list == json.end() || !list->is_array() || list->size() > kMaxHomes) return damaged();
  Presences out;
  for (const nlohmann::json& one : *list) {
    HomeId home;
    std::uint64_t asked = 0, there = 0;
    const bool is_whole = one.is_object() && read_id(one, "home", home) && read_count(one, "asked", asked) &&
                          read_count(one, "there", there);
    if (!is_whole || asked >= kHalveAt || there > asked) return damaged();
    out[home] = {static_cast<std::uint32_t>(asked), static_cast<std::uint32_t>(there)};
  }
  return out;
}

Presences read_presences(platform::Disk& disk, const std::string& state_folder) {
  const auto content = platform::read_file(disk, path_in(state_folder), kMaxFileBytes);
  return content ? parse_presences(as_text(*content)).value_or(Presences()) : Presences();
}

Result<void> keep_presences(platform::Disk& disk, const std::string& state_folder, const Presences& presences) {
  return platform::replace_file(disk, path_in(state_folder), as_bytes(to_text(presences)));
}

}  // namespace mhp::app
