// Writing sentences, JSON and errors to the standard streams.
#include "app/output.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "app/text.h"

namespace mhp::app {

int exit_code_of(const Error& error) {
  const bool of_homes = error.subject == Subject::homes && error.code != Errc::exhausted;
  if (of_homes) return kTooFew;  // whatever kept them: full, in use, write-protected, away
  const bool of_a_place = error.subject == Subject::state || error.subject == Subject::target ||
                          error.subject == Subject::home || error.subject == Subject::phrase ||
                          error.subject == Subject::clock || error.subject == Subject::network;
  switch (error.code) {
    case Errc::unavailable:
    case Errc::timed_out:
      return of_a_place ? kFailed : kTooFew;
    case Errc::denied:
      return of_a_place ? kFailed : kRefused;
    case Errc::corrupt:
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

nlohmann::json json_time(std::optional<std::int64_t> unix_ns) {
  return unix_ns ? nlohmann::json(format_rfc3339(*unix_ns)) : nlohmann::json();
}

nlohmann::json json_text(const std::string& bytes) {
  const std::string dumped = nlohmann::json(bytes).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return nlohmann::json::parse(dumped);
}

nlohmann::json json_texts(const std::vector<std::string>& texts) {
  nlohmann::json list = nlohmann::json::array();
  for (const std::string& text : texts) list.push_back(json_text(text));
  return list;
}

/// ASCII only, so that no name in it can steer a terminal.
/// Unlike fmt::print it does not throw: what could not be written is found by flush().
static void put_line(std::FILE* stream, const std::string& line) {
  std::fwrite(line.data(), 1, line.size(), stream);
  std::fputc('\n', stream);
}

static std::string line_of(const nlohmann::json& object) { return object.dump(-1, ' ', true); }

void Output::say(const std::string& sentence) const {
  if (!json && !quiet) put_line(stdout, sentence);
}

void Output::note(const std::string& sentence) const {
  if (json) return waiting_->push_back(sentence);
  std::fflush(stdout);
  put_line(stderr, sentence);
}

Result<void> Output::flush() const {
  for (const std::string& note : *waiting_) put_line(stderr, note);
  waiting_->clear();
  errno = 0;
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return {};
  if (errno == EPIPE) return mhp::fail(Errc::canceled, "nobody reads standard output any more");
  return mhp::fail(Errc::unavailable, "standard output did not take the whole answer");
}

void Output::result(const nlohmann::json& object) const {
  if (json) put_line(stdout, line_of(object));
}

int Output::fail(const Error& error, const std::string& hint, int exit_code) const {
  std::fflush(stdout);
  if (json) {
    nlohmann::json object = {
        {"error", json_text(error.detail)}, {"code", to_string(error.code)}, {"hint", json_text(hint)}};
    if (error.subject != Subject::none) object["subject"] = to_string(error.subject);
    if (!waiting_->empty()) object["notes"] = json_texts(*waiting_);
    waiting_->clear();
    put_line(stderr, line_of(object));
  } else {
    put_line(stderr, "mhp: " + printable(error.detail));
    if (!hint.empty()) put_line(stderr, "     " + printable(hint));
  }
  return exit_code;
}

static std::string state_hint(const Error& error, const std::string& folder, const std::string& otherwise) {
  switch (error.code) {
    case Errc::corrupt:
      return fmt::format(
          "What is on the homes is not touched. Run mhp recover: 'mhp recover --state NEW-FOLDER --home DIR' with the "
          "24 "
          "words; or move {} away and leave out --state.",
          folder);
    case Errc::denied:
      return "This user may not use the state folder so. Run mhp as the user who made the vault, or make the folder "
             "readable and writable again.";
    case Errc::full:
      return fmt::format(
          "No home is to blame: make space on the disk of {}. Earlier snapshots are whole, and the next "
          "run goes on from here.",
          folder);
    case Errc::busy:
      return "Wait until it is done, or end it, and try again.";
    case Errc::unavailable:
      return "The state folder's disk failed. Earlier snapshots on the homes are whole.";
    default:
      return otherwise;
  }
}

int Output::fail(const Error& error, const std::string& hint) const {
  const bool of_state = error.subject == Subject::state;
  return fail(error, of_state ? state_hint(error, state_folder, hint) : hint, exit_code_of(error));
}

bool Output::draws_progress() const { return !json && !quiet && isatty(STDERR_FILENO) == 1; }

}  // namespace mhp::app
