// `mhp init`: makes a vault and its 24 words.
#include <fmt/format.h>

#include "app/commands/commands.h"
#include "app/sheet.h"
#include "app/text.h"
#include "primitives/phrase/phrase.h"

namespace mhp::app {

/// A new file, 0600, durable. Errors: busy where it exists: a phrase file is never overwritten.
static Result<void> write_secret_file(platform::Disk& disk, const std::string& path, const std::string& content) {
  auto file = disk.open(path, platform::Open::create_exclusive);
  if (!file) {
    if (file.error().code == Errc::busy)
      return fail(Errc::busy, fmt::format("{} exists already; it is not overwritten", printable(path)));
    return pass(file);
  }
  MHP_TRY_VOID((*file)->write_at(0, as_bytes(content)));
  MHP_TRY_VOID((*file)->sync());
  return disk.sync_folder(platform::parent_of(path));
}

Task<Result<InitDone>> do_init(Session& session, InitArgs args) {
  MHP_CO_TRY(const dispersal::Level level, dispersal::parse_level(args.level));
  vault::State state(session.platform.disk(), session.state_folder);
  if (state.exists()) {
    co_return fail(Errc::busy, fmt::format("there is a vault on this computer already (in {}); nothing was changed",
                                           printable(session.state_folder)));
  }
  platform::Random& random = session.platform.random();
  primitives::Key entropy = random.array<32>();
  const vault::Root root(entropy);
  InitDone done{.vault = root.vault(), .phrase = primitives::phrase_of(entropy)};
  wipe(entropy);
  // The phrase is kept safe before the vault exists: a vault without its phrase would be a trap.
  if (!args.phrase_file.empty()) {
    MHP_CO_TRY_VOID(write_secret_file(session.platform.disk(), args.phrase_file, done.phrase + "\n"));
  }
  if (!args.sheet_file.empty()) {
    const std::string sheet = recovery_sheet(args.name, done.vault, done.phrase, args.sheet_file.ends_with(".html"));
    MHP_CO_TRY_VOID(write_secret_file(session.platform.disk(), args.sheet_file, sheet));
  }
  const vault::Device device = vault::make_device(done.vault, random);
  const vault::OpenRecord record = vault::make_first_record(
      root, device, {.name = args.name, .level = static_cast<std::uint8_t>(level), .homes = {}}, random,
      session.platform.clock().unix_ns());
  MHP_CO_TRY_VOID(state.create(device, record));
  co_return done;
}

static Task<int> run_init(Session& session, InitArgs args) {
  auto done = co_await do_init(session, args);
  if (!done) {
    co_return session.out.fail(done.error(), done.error().code == Errc::busy
                                                 ? "Use another state folder with --state DIR to start a second vault."
                                                 : "");
  }
  const bool shown = args.phrase_file.empty();
  if (session.out.json) {
    nlohmann::json object = {
        {"vault", done->vault.hex()}, {"state", json_text(session.state_folder)}, {"level", args.level}};
    if (shown) object["phrase"] = done->phrase;
    if (!shown) object["phrase_file"] = json_text(args.phrase_file);
    session.out.result(object);
    co_return kDone;
  }
  session.out.say(fmt::format("Your vault is made (level: {}). Its keys are in {}.\n", args.level,
                              printable(session.state_folder)));
  if (shown) {
    session.out.say(
        "These 24 words bring everything back when this computer is gone. Write them on paper; they are shown only "
        "now,\n"
        "and nobody can replace them:\n");
    session.out.say(phrase_table(done->phrase));
  } else {
    session.out.say(
        fmt::format("The 24 words are in {}. Print it or write it down, then keep the file away from this computer.",
                    printable(args.phrase_file)));
  }
  if (!args.sheet_file.empty())
    session.out.say(fmt::format("A sheet to print is in {}. It holds the words: delete it after printing.",
                                printable(args.sheet_file)));
  session.out.say(
      "Next: add a home with 'mhp home add DIR' (a drive, a folder, a mounted share), then 'mhp backup PATH'.");
  co_return kDone;
}

void add_init(CLI::App& app, Work& work) {
  auto args = std::make_shared<InitArgs>();
  CLI::App* command = app.add_subcommand("init", "Make a vault and its 24-word recovery phrase");
  command->add_option("name", args->name, "Your name, or the vault's");
  command->add_option("--level", args->level, "How much to spend on safety: thrifty, normal or strong")
      ->capture_default_str();
  command->add_option("--phrase-file", args->phrase_file,
                      "Write the words into this new file (mode 0600) instead of showing them");
  command->add_option("--sheet", args->sheet_file,
                      "Also write a recovery sheet to print: FILE.html or FILE.txt, with a QR code");
  command->footer("Example:\n  mhp init \"Ann\" --sheet sheet.html");
  command->callback([args, &work] { work = [args](Session& session) { return run_init(session, *args); }; });
}

}  // namespace mhp::app
