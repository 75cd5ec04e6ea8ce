// What the program says: sentences for people, or JSON for scripts; never both on one stream.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace mhp::app {

/// Exit codes, as documented in the manual page.
enum Exit : int { kDone = 0, kFailed = 1, kUsage = 2, kPartly = 3, kTooFew = 4, kRefused = 5, kInterrupted = 130 };

/// The exit code for an error that stopped a command. Only what was asked for wrongly is wrong usage; bytes that make
/// no sense, a recovery phrase among them, are refused.
int exit_code_of(const Error& error);

/// JSON text of bytes that need not be UTF-8: broken bytes become U+FFFD.
nlohmann::json json_text(const std::string& bytes);
nlohmann::json json_texts(const std::vector<std::string>& texts);
/// RFC 3339; null where there is none.
nlohmann::json json_time(std::optional<std::int64_t> unix_ns);

class Output {
 public:
  bool json = false;
  bool quiet = false;  // problems only
  bool mute = false;   // not even these: another speaks for this command (the demo)
  /// Named in advice.
  std::string state_folder;
  /// What the command has done for good ("the snapshot 3f2a was made"): said where its answer cannot be written.
  std::string done;

  /// A sentence for a person, on standard output; nothing with --json.
  void say(const std::string& sentence) const;
  /// Something the person should know although work goes on: on standard error. With --json it waits: an error is one
  /// object, which has the notes in it; where all went well they follow as lines at the end (flush).
  void note(const std::string& sentence) const;
  /// The result for scripts, on one line; nothing without --json.
  void result(const nlohmann::json& object) const;
  /// The error that ends a command, and what to do about it. Gives the exit code. Trouble with the state folder is this
  /// computer's matter and no home's: it gets its own advice.
  int fail(const Error& error, const std::string& hint = "") const;
  int fail(const Error& error, const std::string& hint, int exit_code) const;
  /// Writes out what was said, notes that waited too. Errors: unavailable where standard output did not take all of it
  /// (a full disk, a closed stream), canceled where its reader has gone.
  Result<void> flush() const;
  /// Standard error is a terminal and a progress line may be drawn there.
  bool draws_progress() const;

 private:
  /// Shared, as copies of an Output speak on the same streams.
  std::shared_ptr<std::vector<std::string>> waiting_ = std::make_shared<std::vector<std::string>>();
};

}  // namespace mhp::app
