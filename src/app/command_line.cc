// Declaring and reading the command line: the only file that knows the library for it.
#include "app/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <numeric>

namespace mhp::app {

namespace {

constexpr const char* kGlobalOptions =
    "\n\nEvery command takes:\n"
    "  --json        the result as JSON on standard output, an error as JSON on standard error\n"
    "  -q,--quiet    say nothing but problems\n"
    "  --state DIR   state folder (also: environment variable MHP_HOME)\n"
    "  --help        this text";

std::vector<std::string> names_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(command->get_name());
  return names;
}

/// "mhp home add"; `deepest` is the last command that was understood.
std::string chosen_name(const CLI::App& app, const CLI::App*& deepest) {
  std::string name = app.get_name();
  deepest = &app;
  while (!deepest->get_subcommands().empty()) {
    deepest = deepest->get_subcommands().front();
    name += " " + deepest->get_name();
  }
  return name;
}

std::string upper(std::string text) {
  std::ranges::transform(text, text.begin(), [](char c) { return c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c; });
  return text;
}

/// The first thing that is missing: "'mhp restore' needs --to (Folder to fill; must be empty or absent)".
std::string what_is_missing(const CLI::App& command, const std::string& so_far) {
  const auto missing =
      command.get_options([](const CLI::Option* option) { return option->get_required() && option->count() == 0; });
  if (missing.empty()) return fmt::format("'{}' needs more than was given", so_far);
  const CLI::Option& first = *missing.front();
  const std::string name = first.get_positional() ? upper(first.get_name()) : first.get_name();
  return fmt::format("'{}' needs {} ({})", so_far, name, first.get_description());
}

/// What the library has to say, in a sentence for a person. Where it is about an option, its words begin with that.
std::string in_words(const CLI::App& command, const std::string& so_far, const CLI::ParseError& problem) {
  const std::string said = problem.what();
  const std::size_t colon = said.find(": ");
  const std::string option = said.substr(0, colon);
  const std::string kind = problem.get_name();
  if (kind == "RequiredError") return what_is_missing(command, so_far);
  // The library gives this error the name of the command.
  const bool is_extra = problem.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError);
  if (is_extra && colon != std::string::npos) {
    const std::string extra = said.substr(colon + 2);
    const char* what = extra.starts_with('-') ? "has no option" : "does not know what to do with";
    return fmt::format("'{}' {} '{}'", so_far, what, extra);
  }
  if (kind == "ArgumentMismatch" && said.ends_with("missing")) return fmt::format("{} needs a value", option);
  if (kind == "ArgumentMismatch" && said.find("At Most") != std::string::npos)
    return fmt::format("{} may be given only once", option);
  if (kind == "ValidationError" && colon != std::string::npos)
    return fmt::format("{} {}", option, said.substr(colon + 2));  // as our own check says it
  return fmt::format("'{}' was not understood: {}", so_far, said);
}

int refuse(const Asked& asked, const CLI::App& app, const CLI::ParseError& problem) {
  const CLI::App* deepest = nullptr;
  const std::string so_far = chosen_name(app, deepest);
  const std::vector<std::string> known = names_of(*deepest);
  const std::vector<std::string> rest = app.remaining(true);
  const auto wrong = std::ranges::find_if(rest, [](const std::string& word) { return !word.starts_with('-'); });
  if (!known.empty() && rest.empty() && problem.get_name() == "RequiredError") {
    return asked.out.fail({Errc::usage, fmt::format("'{}' needs to be told what to do", so_far)},
                          fmt::format("It can do: {}. See '{} --help'.", fmt::join(known, ", "), so_far), kUsage);
  }
  if (known.empty() || wrong == rest.end()) {
    return asked.out.fail({Errc::usage, in_words(*deepest, so_far, problem)}, fmt::format("See '{} --help'.", so_far),
                          kUsage);
  }
  const std::string near = nearest_word(*wrong, known);
  return asked.out.fail(
      {Errc::usage, fmt::format("there is no command '{} {}'", so_far, *wrong)},
      near.empty() ? fmt::format("See '{} --help'.", so_far) : fmt::format("Perhaps '{} {}'?", so_far, near), kUsage);
}

}  // namespace

Command Command::add(const std::string& name, const std::string& what, const std::string& footer) {
  CLI::App* command = app_->add_subcommand(name, what);
  command->fallthrough();  // so that the options of every command may stand anywhere
  command->footer(footer + kGlobalOptions);
  app_->require_subcommand(1);
  return Command(*command, *chosen_);
}

void Command::needs(const std::string& name, std::string& value, const std::string& help) {
  app_->add_option(name, value, help)->required();
}

void Command::needs(const std::string& name, std::vector<std::string>& values, const std::string& help) {
  app_->add_option(name, values, help)->required()->allow_extra_args(!name.starts_with('-'));
}

void Command::takes(const std::string& name, std::string& value, const std::string& help) {
  CLI::Option* option = app_->add_option(name, value, help);
  if (!value.empty()) option->capture_default_str();
}

void Command::takes(const std::string& name, std::vector<std::string>& values, const std::string& help) {
  app_->add_option(name, values, help)->allow_extra_args(!name.starts_with('-'));
}

void Command::takes(const std::string& name, int& value, int least, int most, const std::string& help) {
  const auto check = [least, most](const std::string& text) {
    return CLI::Range(least, most)(text).empty()
               ? std::string()
               : fmt::format("takes a number from {} to {}, not '{}'", least, most, text);
  };
  CLI::Option* option = app_->add_option(name, value, help)->check(check, fmt::format("{} to {}", least, most));
  option->capture_default_str();
}

void takes_wait(Command& command, int& minutes) {
  constexpr int kWeek = 7 * 24 * 60;
  command.takes("--wait", minutes, 0, kWeek, "Minutes to wait where another mhp is writing (0: fail at once)");
}

void Command::takes_with_value_or_without(const std::string& name, bool& given, std::string& value,
                                          const std::string& help) {
  const CLI::Option* option = app_->add_option(name, value, help)->expected(0, 1);
  app_->parse_complete_callback([&given, option] { given = option->count() > 0; });
}

void Command::flag(const std::string& name, bool& value, const std::string& help) { app_->add_flag(name, value, help); }

void Command::runs(Work work) {
  app_->callback([work = std::move(work), chosen = chosen_] { *chosen = work; });
}

void Command::runs_alone_too(Work work) {
  app_->require_subcommand(0, 1);
  app_->callback([work = std::move(work), chosen = chosen_, app = app_] {
    if (app->get_subcommands().empty()) *chosen = work;
  });
}

Asked read_command_line(int argc, char** argv, const std::function<void(Command&)>& add_commands) {
  Asked asked;
  asked.state_folder = default_state_folder();
  CLI::App app("Keeps your files safe on many homes: broken apart, sealed, spread; 24 words bring everything back.",
               "mhp");
  app.set_version_flag("--version", "mhp " MHP_VERSION);
  app.footer("A first backup:\n  mhp init \"Ann\"\n  mhp home add /media/drive-a\n  mhp backup ~/Photos\n  mhp status");
  app.add_flag("--json", asked.out.json,
               "For scripts: the result as JSON on standard output, an error as JSON on standard error");
  app.add_flag("-q,--quiet", asked.out.quiet, "Say nothing but problems");
  app.add_option("--state", asked.state_folder, "State folder (also: environment variable MHP_HOME)");
  Command program(app, asked.work);
  add_commands(program);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& problem) {
    asked.work = nullptr;
    if (problem.get_exit_code() == 0) {  // --help, --version
      asked.exit_code = app.exit(problem);
      return asked;
    }
    asked.out.json = std::any_of(argv, argv + argc, [](const char* word) { return word == std::string("--json"); });
    asked.exit_code = refuse(asked, app, problem);
    return asked;
  }
  const CLI::App* deepest = nullptr;
  asked.command = chosen_name(app, deepest);
  asked.out.state_folder = asked.state_folder;
  return asked;
}

std::string nearest_word(const std::string& word, const std::vector<std::string>& known) {
  constexpr std::size_t kMostSlips = 2;
  std::string nearest;
  std::size_t best = kMostSlips + 1;
  for (const std::string& candidate : known) {
    std::vector<std::size_t> slips(candidate.size() + 1);  // edit distance, row by row
    std::iota(slips.begin(), slips.end(), 0);
    for (std::size_t i = 0; i < word.size(); ++i) {
      std::size_t diagonal = slips[0]++;
      for (std::size_t j = 0; j < candidate.size(); ++j) {
        const std::size_t changed = diagonal + (word[i] == candidate[j] ? 0 : 1);
        diagonal = slips[j + 1];
        slips[j + 1] = std::min({changed, slips[j] + 1, diagonal + 1});
      }
    }
    if (slips.back() < best && slips.back() < candidate.size()) {
      best = slips.back();
      nearest = candidate;
    }
  }
  return nearest;
}

}  // namespace mhp::app
