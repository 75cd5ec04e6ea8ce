// The program `mhp`: reads the command line, hands out the platform, ends with the command's exit code.
#include <fmt/format.h>

#include <cstdio>

#include "app/commands/commands.h"
#include "primitives/sign/sign.h"

namespace {

void add_commands(CLI::App& app, mhp::app::Work& work) {
  using namespace mhp::app;
  add_init(app, work);
  add_recover(app, work);
  add_home(app, work);
  add_backup(app, work);
  add_snapshots(app, work);
  add_ls(app, work);
  add_find(app, work);
  add_diff(app, work);
  add_restore(app, work);
  add_status(app, work);
  add_check(app, work);
  add_repair(app, work);
  add_demo(app, work);
}

mhp::Task<int> run(mhp::app::Work work, mhp::app::Session& session) { co_return co_await work(session); }

}  // namespace

int main(int argc, char** argv) {
  mhp::primitives::init_sodium();
  CLI::App app("Keeps your files safe on many homes: broken apart, sealed, spread; 24 words bring everything back.",
               "mhp");
  app.require_subcommand(1);
  app.fallthrough();
  app.set_version_flag("--version", "mhp " MHP_VERSION);
  app.footer("A first backup:\n  mhp init \"Ann\"\n  mhp home add /media/drive-a\n  mhp backup ~/Photos\n  mhp status");

  mhp::app::Output out;
  std::string state = mhp::app::default_state_folder();
  app.add_flag("--json", out.json,
               "For scripts: the result as JSON on standard output, an error as JSON on standard error");
  app.add_flag("-q,--quiet", out.quiet, "Say nothing but problems");
  app.add_option("--state", state, "State folder (also: environment variable MHP_HOME)");
  mhp::app::Work work;
  add_commands(app, work);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& problem) {
    if (problem.get_exit_code() == 0) return app.exit(problem);  // --help, --version
    return out.fail({mhp::Errc::invalid, problem.what()}, "See 'mhp --help' or 'mhp COMMAND --help'.",
                    mhp::app::kUsage);
  }
  const auto platform = mhp::platform::make_posix_platform();
  mhp::app::Session session{.platform = *platform,
                            .out = out,
                            .state_folder = state,
                            .command = "mhp " + app.get_subcommands().front()->get_name()};
  return platform->run(run(std::move(work), session));
}
