// Reading and writing reached.json.
#include "app/reached.h"

#include <limits>

#include "app/json_id.h"

namespace mhp::app {
namespace {

constexpr std::uint64_t kMaxReachedBytes = 1_MiB;
constexpr std::size_t kMaxHosts = 256;

std::string reached_path(const std::string& state_folder) { return state_folder + "/reached.json"; }

bool read_moment(const nlohmann::json& json, const char* name, std::int64_t& into) {
  std::uint64_t count = 0;
  if (!read_count(json, name, count) || count > std::numeric_limits<std::int64_t>::max()) return false;
  into = static_cast<std::int64_t>(count);
  return true;
}

bool read_visit(const nlohmann::json& json, cloud::Reachable::Visit& into) {
  const auto hosts = json.is_object() ? json.find("here") : json.end();
  const bool is_whole = json.is_object() && read_moment(json, "at_s", into.at_s) && read_id(json, "by", into.by) &&
                        hosts != json.end() && hosts->is_array() && hosts->size() <= kMaxHosts;
  if (!is_whole) return false;
  for (const nlohmann::json& host : *hosts) {
    if (!host.is_string()) return false;
    into.here.insert(host.get<std::string>());
  }
  return true;
}

}  // namespace

std::string to_text(const ReachKnown& reached) {
  nlohmann::json json = {{"homes", nlohmann::json::array()}};
  for (const auto& [home, times] : reached.homes)
    json["homes"].push_back({{"home", home.hex()}, {"reached_s", times.reached_s}, {"failed_s", times.failed_s}});
  if (const auto& visit = reached.visit)
    json["visit"] = {{"at_s", visit->at_s}, {"by", visit->by.hex()}, {"here", visit->here}};
  return json.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

Result<ReachKnown> parse_reached(std::string_view text) {
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  const auto damaged = [] {
    return fail(Errc::corrupt, Subject::state, "this does not say which computers were reached");
  };
  const auto homes = json.is_object() ? json.find("homes") : json.end();
  if (!json.is_object() || homes == json.end() || !homes->is_array()) return damaged();
  if (homes->size() > net::Dialed::kMostHomes) return damaged();
  ReachKnown out;
  for (const nlohmann::json& one : *homes) {
    HomeId home;
    net::Dialed::Times times;
    const bool is_whole = one.is_object() && read_id(one, "home", home) &&
                          read_moment(one, "reached_s", times.reached_s) &&
                          read_moment(one, "failed_s", times.failed_s);
    if (!is_whole) return damaged();
    out.homes[home] = times;
  }
  const auto visit = json.find("visit");
  if (visit == json.end()) return out;
  if (!read_visit(*visit, out.visit.emplace(cloud::Reachable::Visit{}))) return damaged();
  return out;
}

ReachKnown read_reached(platform::Disk& disk, const std::string& state_folder) {
  const auto content = platform::read_file(disk, reached_path(state_folder), kMaxReachedBytes);
  if (!content) return {};
  auto reached = parse_reached(as_text(*content));
  return reached ? std::move(*reached) : ReachKnown{};
}

Result<void> keep_reached(platform::Disk& disk, const std::string& state_folder, const ReachKnown& reached) {
  return platform::replace_file(disk, reached_path(state_folder), as_bytes(to_text(reached)));
}

}  // namespace mhp::app
