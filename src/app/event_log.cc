// One line an event.
#include "app/event_log.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "app/output.h"
#include "app/text.h"

namespace mhp::app {

/// Readable as it is where it is one word; else in quotes, with what would end it or the line made harmless.
static std::string value_text(const std::string& value) {
  const std::string shown = printable(value);
  if (!shown.empty() && shown.find_first_of(" \"=") == std::string::npos) return shown;
  std::string out = "\"";
  for (const char one : shown) {
    if (one == '"') out += '\\';
    out += one;
  }
  return out + "\"";
}

void EventLog::write(std::string_view level, std::string_view event, Fields fields) const {
  const std::string time = format_rfc3339(clock_.unix_ns());
  std::string line;
  if (json_) {
    nlohmann::json object = {{"time", time}, {"level", level}, {"event", event}};
    for (const auto& [name, value] : fields) object[std::string(name)] = json_text(value);
    line = object.dump();
  } else {
    line = time + " " + std::string(level) + " " + std::string(event);
    for (const auto& [name, value] : fields) line += " " + std::string(name) + "=" + value_text(value);
  }
  line += "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);  // unbuffered: whole lines, also where several programs write
}

}  // namespace mhp::app
