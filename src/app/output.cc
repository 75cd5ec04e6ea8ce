// Writing sentences, JSON and errors to the standard streams.
#include "app/output.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "app/text.h"

namespace mhp::app {

int exit_code_of(Errc code) {
  switch (code) {
    case Errc::unavailable:
    case Errc::timed_out:
      return kTooFew;
    case Errc::corrupt:
    case Errc::denied:
      return kRefused;
    case Errc::invalid:
      return kRefused;
    case Errc::usage:
      return kUsage;
    case Errc::canceled:
      return kInterrupted;
    case Errc::not_found:
    case Errc::full:
    case Errc::busy:
    case Errc::exhausted:
      return kFailed;
  }
  return kFailed;
}

nlohmann::json json_text(const std::string& bytes) {
  const std::string dumped = nlohmann::json(bytes).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return nlohmann::json::parse(dumped);
}

/// ASCII only, so that no name in it can steer a terminal.
static std::string line_of(const nlohmann::json& object) { return object.dump(-1, ' ', true); }

void Output::say(const std::string& sentence) const {
  if (!json && !quiet) fmt::print(stdout, "{}\n", sentence);
}

void Output::note(const std::string& sentence) const {
  std::fflush(stdout);
  fmt::print(stderr, "{}\n", sentence);
}

void Output::result(const nlohmann::json& object) const {
  if (json) fmt::print(stdout, "{}\n", line_of(object));
}

int Output::fail(const Error& error, const std::string& hint, int exit_code) const {
  std::fflush(stdout);
  if (json) {
    const nlohmann::json object = {
        {"error", json_text(error.detail)}, {"code", to_string(error.code)}, {"hint", json_text(hint)}};
    fmt::print(stderr, "{}\n", line_of(object));
  } else {
    fmt::print(stderr, "mhp: {}\n", printable(error.detail));
    if (!hint.empty()) fmt::print(stderr, "     {}\n", printable(hint));
  }
  return exit_code;
}

int Output::fail(const Error& error, const std::string& hint) const {
  if (state_folder.empty() || !error.detail.starts_with(state_folder + "/"))
    return fail(error, hint, exit_code_of(error.code));
  switch (error.code) {
    case Errc::corrupt:
      return fail(error,
                  fmt::format("What is on the homes is not touched. Run mhp recover: 'mhp recover --state NEW-FOLDER "
                              "--home DIR' with the 24 words; or move {} away and leave out --state.",
                              state_folder),
                  kRefused);
    case Errc::denied:
      return fail(error,
                  "This user may not use the state folder so. Run mhp as the user who made the vault, or make the "
                  "folder readable and writable again.",
                  kFailed);
    case Errc::unavailable:
      return fail(error, "The state folder's disk failed. Nothing on the homes was changed.", kFailed);
    default:
      return fail(error, hint, exit_code_of(error.code));
  }
}

bool Output::draws_progress() const { return !json && !quiet && isatty(STDERR_FILENO) == 1; }

}  // namespace mhp::app
