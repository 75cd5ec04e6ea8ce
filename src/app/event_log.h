// The log of a program that runs for long: one line an event, for people and for programs that read logs.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "platform/clock.h"

namespace mhp::app {

/// On standard error: "2026-11-22T14:04:05Z info home_reached home=3f2a91bc", or with `json` an object a line. Names of
/// events are words_with_underscores; values are ids, numbers and reasons, never content, keys or names of files.
class EventLog {
 public:
  EventLog(platform::Clock& clock, bool json) : clock_(clock), json_(json) {}

  using Fields = std::initializer_list<std::pair<std::string_view, std::string>>;
  void info(std::string_view event, Fields fields = {}) const { write("info", event, fields); }
  void warn(std::string_view event, Fields fields = {}) const { write("warn", event, fields); }

 private:
  void write(std::string_view level, std::string_view event, Fields fields) const;

  platform::Clock& clock_;
  bool json_;
};

}  // namespace mhp::app
