// Reading and writing up.json.
#include "app/up_settings.h"

#include <nlohmann/json.hpp>

#include "base/bytes.h"

namespace mhp::app {

constexpr std::uint64_t kMaxSettingsBytes = 64_KiB;

std::string up_settings_path(const std::string& state_folder) { return state_folder + "/up.json"; }

Result<UpSettings> read_up_settings(platform::Disk& disk, const std::string& state_folder) {
  const std::string path = up_settings_path(state_folder);
  MHP_TRY(const Bytes content, platform::read_file(disk, path, kMaxSettingsBytes));
  const auto json = nlohmann::json::parse(as_text(content), nullptr, /*allow_exceptions=*/false);
  const auto damaged = [&path](const std::string& what) {
    return fail(Errc::corrupt, Subject::state, path + ": " + what);
  };
  if (!json.is_object()) return damaged("is not a JSON object");
  UpSettings settings;
  const auto text = [&json](const char* name, std::string& into) {
    const auto found = json.find(name);
    if (found == json.end() || !found->is_string()) return false;
    into = found->get<std::string>();
    return true;
  };
  const auto lend = json.find("lend_bytes");
  if (lend == json.end() || !lend->is_number_unsigned()) return damaged("lend_bytes is not a number of bytes");
  settings.lend_bytes = lend->get<std::uint64_t>();
  for (const auto& [name, into] :
       {std::pair{"home", &settings.home}, std::pair{"name", &settings.name}, std::pair{"listen", &settings.listen}}) {
    if (!text(name, *into)) return damaged(std::string(name) + " is not a text");
  }
  if (json.contains("metrics") && !text("metrics", settings.metrics)) return damaged("metrics is not a text");
  const auto anchor = json.find("anchor");
  settings.anchor = anchor != json.end() && anchor->is_boolean() && anchor->get<bool>();
  for (const auto& [name, into] :
       {std::pair{"limit_up", &settings.limits.up}, std::pair{"limit_down", &settings.limits.down}}) {
    std::string written;
    if (!json.contains(name)) continue;
    if (!text(name, written)) return damaged(std::string(name) + " is not a text");
    auto schedule = platform::parse_rate_schedule(written);
    if (!schedule) return damaged(std::string(name) + ": " + schedule.error().detail);
    *into = std::move(*schedule);
  }
  const auto addresses = json.find("addresses");
  if (addresses == json.end()) return settings;
  if (!addresses->is_array()) return damaged("addresses is not a list");
  for (const auto& one : *addresses) {
    if (!one.is_string()) return damaged("addresses has something that is no text");
    settings.addresses.push_back(one.get<std::string>());
  }
  return settings;
}

Result<void> keep_up_settings(platform::Disk& disk, const std::string& state_folder, const UpSettings& settings) {
  const nlohmann::json json = {{"lend_bytes", settings.lend_bytes},
                               {"home", settings.home},
                               {"name", settings.name},
                               {"listen", settings.listen},
                               {"addresses", settings.addresses},
                               {"anchor", settings.anchor},
                               {"metrics", settings.metrics},
                               {"limit_up", platform::to_string(settings.limits.up)},
                               {"limit_down", platform::to_string(settings.limits.down)}};
  const std::string content = json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  return platform::replace_file(disk, up_settings_path(state_folder), as_bytes(content));
}

std::uint64_t default_lend_bytes(const platform::SpaceInfo& space) {
  constexpr std::uint64_t kUnit = 1'000'000'000;
  return space.free_bytes / 10 / kUnit * kUnit;
}

std::uint64_t lent_min_free_bytes(const platform::SpaceInfo& space) { return space.total_bytes / 10; }

}  // namespace mhp::app
