// The program `mhp`: reads the command line, hands out the platform, ends with the command's exit code.
#include <new>

#include "app/commands/commands.h"
#include "base/exhausted.h"
#include "primitives/sign/sign.h"

namespace {

using namespace mhp::app;

void add_commands(Command& program) {
  add_init(program);
  add_recover(program);
  add_home(program);
  add_backup(program);
  add_snapshots(program);
  add_ls(program);
  add_find(program);
  add_diff(program);
  add_restore(program);
  add_forget(program);
  add_status(program);
  add_check(program);
  add_repair(program);
  add_cloud(program);
  add_invite(program);
  add_join(program);
  add_members(program);
  add_homes(program);
  add_up(program);
  add_lab(program);
  add_demo(program);
}

int run_asked(Asked asked) {
  if (!asked.work) return asked.exit_code;
  if (asked.state_folder.empty()) {
    return asked.out.fail({mhp::Errc::usage, "no place for the state folder: neither HOME nor MHP_HOME is set"},
                          "Name one with --state DIR.");
  }
  const auto platform = mhp::platform::make_posix_platform();
  Session session{
      .platform = *platform, .out = asked.out, .state_folder = asked.state_folder, .command = asked.command};
  const int code = platform->run(run_command(std::move(asked.work), session));
  auto written = asked.out.flush();
  if (written || code != kDone) return code;
  // A reader that has seen enough (head) is no trouble to tell of.
  if (written.error().code == mhp::Errc::canceled) return kFailed;
  const std::string& done = session.out.done;
  if (!done.empty()) written.error().detail += ", but " + done;
  return asked.out.fail(written.error(), "", kFailed);
}

}  // namespace

int main(int argc, char** argv) {
  std::set_new_handler(mhp::end_out_of_memory);
  mhp::primitives::init_sodium();
  return run_asked(read_command_line(argc, argv, add_commands));
}
