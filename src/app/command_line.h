// The command line: each command says here, in words of our own, what it may be given. The library that reads it is
// known to command_line.cc alone.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "app/session.h"

namespace CLI {
class App;
}

namespace mhp::app {

/// What was chosen: main runs it on the loop and ends with its exit code.
using Work = std::function<Task<int>(Session&)>;

/// A command as it is declared (or the program itself, which commands are added to). A name with dashes ("-l,--long")
/// is an option, one without is known by its place. What is bound has to live until the command has run: bind parts of
/// an object that the work shares. A default that is not empty is shown in the help.
class Command {
 public:
  Command(CLI::App& app, Work& chosen) : app_(&app), chosen_(&chosen) {}
  /// A command below this one. `footer` stands below its help: examples, exit codes.
  Command add(const std::string& name, const std::string& what, const std::string& footer);

  void needs(const std::string& name, std::string& value, const std::string& help);
  void needs(const std::string& name, std::vector<std::string>& values, const std::string& help);  // one or more
  void takes(const std::string& name, std::string& value, const std::string& help);
  /// Once for each time that it is given.
  void takes(const std::string& name, std::vector<std::string>& values, const std::string& help);
  /// A number, from `least` to `most`.
  void takes(const std::string& name, int& value, int least, int most, const std::string& help);
  /// `value` may be left out ("--read-data", "--read-data=10"); `given` says whether the option was there.
  /// At most one option of a command.
  void takes_with_value_or_without(const std::string& name, bool& given, std::string& value, const std::string& help);
  void flag(const std::string& name, bool& value, const std::string& help);
  void runs(Work work);
  /// For a command with others below it, that also does something without them. After they were added.
  void runs_alone_too(Work work);

 private:
  CLI::App* app_;
  Work* chosen_;
};

/// How long a command that writes waits for another mhp that does, where nothing else is said.
constexpr int kWaitMinutes = 5;
/// "--wait MINUTES".
void takes_wait(Command& command, int& minutes);

/// What a command line asks for.
struct Asked {
  Work work;            // none: help was shown, or the usage was wrong; end with `exit_code`
  std::string command;  // "mhp home add"
  std::string state_folder;
  Output out;
  int exit_code = kDone;
};

/// Reads the command line of a program whose commands `add_commands` adds. Help goes to standard output; wrong usage is
/// said on standard error.
Asked read_command_line(int argc, char** argv, const std::function<void(Command&)>& add_commands);

/// The word of `known` that `word` was perhaps meant to be: at most two letters differ. Empty where none is near.
std::string nearest_word(const std::string& word, const std::vector<std::string>& known);

}  // namespace mhp::app
