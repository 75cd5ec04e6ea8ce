// `mhp init`: makes a vault and its 24 words.
#include <fmt/format.h>

#include "app/commands/commands.h"
#include "app/notes.h"
#include "app/phrase_place.h"
#include "app/sheet.h"
#include "app/text.h"
#include "primitives/phrase/phrase.h"

namespace mhp::app {

static tl::unexpected<Error> exists_already(const std::string& path) {
  return fail(Errc::busy, Subject::phrase, path + ": exists already; it is not overwritten");
}

/// A new file, 0600, durable; nothing is left of it where that fails. Errors: busy where it exists: a phrase file is
/// never overwritten.
static Result<void> write_secret_file(platform::Disk& disk, const std::string& path, const std::string& content) {
  auto file = disk.open(path, platform::Open::create_exclusive);
  if (!file && file.error().code == Errc::busy) return exists_already(path);
  if (!file) return about(Subject::phrase, Result<void>(pass(file)));
  auto written = (*file)->write_at(0, as_bytes(content));
  if (written) written = (*file)->sync();
  if (written) written = disk.sync_folder(platform::parent_of(path));
  if (!written) (void)disk.remove(path);
  return about(Subject::phrase, std::move(written));
}

/// The words on paper before the vault exists: a vault without its phrase would be a trap.
static Result<void> write_phrase(platform::Disk& disk, const InitArgs& args, const InitDone& done) {
  if (!args.phrase_file.empty()) {
    MHP_TRY_VOID(write_secret_file(disk, args.phrase_file, done.phrase + "\n"));
  }
  if (args.sheet_file.empty()) return {};
  const std::string sheet = recovery_sheet(args.name, done.vault, done.phrase, args.sheet_file.ends_with(".html"));
  auto written = write_secret_file(disk, args.sheet_file, sheet);
  if (!written && !args.phrase_file.empty()) (void)disk.remove(args.phrase_file);
  return written;
}

/// Before there is a vault: one whose words nobody has seen would be lost with this computer.
static Result<void> show_phrase(const Session& session, const InitArgs& args, const InitDone& done) {
  if (!args.show_phrase) return {};
  if (session.out.json) {
    session.out.result({{"vault", done.vault.hex()},
                        {"state", json_text(session.state_folder)},
                        {"level", args.level},
                        {"phrase", done.phrase}});
  } else {
    // Even with --quiet: they are what was asked for.
    Output out = session.out;
    out.quiet = false;
    out.say(
        "These 24 words bring everything back when this computer is gone. Write them on paper; they are shown only "
        "now,\nand nobody can replace them:\n");
    out.say(phrase_table(done.phrase));
  }
  const auto written = session.out.flush();
  if (written) return {};
  return fail(Errc::exhausted, "the 24 words could not be shown (standard output took them not), so no vault was made");
}

/// A phrase without a vault helps nobody, and would be taken for one that does.
static void take_phrase_back(platform::Disk& disk, const InitArgs& args) {
  for (const std::string& path : {args.phrase_file, args.sheet_file}) {
    if (!path.empty()) (void)disk.remove(path);
  }
}

Task<Result<InitDone>> do_init(Session& session, InitArgs args) {
  MHP_CO_TRY(const dispersal::Level level, dispersal::parse_level(args.level));
  platform::Disk& disk = session.platform.disk();
  vault::State state(disk, session.state_folder);
  MHP_CO_TRY(const bool there, state.exists());
  if (there) {
    note_phrase_place(session);
    co_return fail(Errc::busy, Subject::vault,
                   fmt::format("there is a vault on this computer already (in {}); nothing was changed",
                               printable(session.state_folder)));
  }
  for (const std::string& path : {args.phrase_file, args.sheet_file}) {
    if (!path.empty() && disk.info(path)) co_return exists_already(path);
  }
  if (args.dry_run) co_return InitDone();
  platform::Random& random = session.platform.random();
  primitives::Key entropy = random.array<32>();
  const vault::Root root(entropy);
  InitDone done{.vault = root.vault(), .phrase = primitives::phrase_of(entropy)};
  wipe(entropy);
  MHP_CO_TRY_VOID(write_phrase(disk, args, done));
  MHP_CO_TRY_VOID(show_phrase(session, args, done));
  if (args.tells_later) {
    MHP_CO_TRY_VOID(keep_phrase_place(session, args.phrase_file));
  }
  const vault::Device device = vault::make_device(done.vault, random);
  const vault::OpenRecord record = vault::make_first_record(
      root, device, {.name = args.name, .level = static_cast<std::uint8_t>(level), .homes = {}}, random,
      session.platform.clock().unix_ns());
  auto created = state.create(device, record);
  if (!created) {
    take_phrase_back(disk, args);
    forget_phrase_place(session);
    co_return pass(created);
  }
  co_return done;
}

static std::string init_hint(const Session& session, const InitArgs& args, const Error& error) {
  if (error.code != Errc::busy) return hint_for(error);
  if (error.subject == Subject::vault) return "Use another state folder with --state DIR to start a second vault.";
  const std::string& path = error.detail.starts_with(args.phrase_file + ":") ? args.phrase_file : args.sheet_file;
  return fmt::format(
      "Name another file. There is no vault in {}: if a 'mhp init' that was interrupted left {} there, no vault "
      "belongs "
      "to it, and you can delete it and run init again.",
      session.state_folder, path);
}

static Task<int> run_init(Session& session, InitArgs args) {
  args.show_phrase = args.phrase_file.empty();
  auto done = co_await do_init(session, args);
  if (!done) {
    co_return session.out.fail(done.error(), init_hint(session, args, done.error()));
  }
  if (args.dry_run) {
    session.out.result({{"dry_run", true}, {"state", json_text(session.state_folder)}, {"level", args.level}});
    session.out.say(fmt::format("Would make a vault (level: {}) with its keys in {}{}. Nothing was made.", args.level,
                                printable(session.state_folder),
                                args.phrase_file.empty()
                                    ? " and show its 24 words"
                                    : fmt::format(" and its 24 words in {}", printable(args.phrase_file))));
    co_return kDone;
  }
  if (!args.show_phrase) {
    session.out.result({{"vault", done->vault.hex()},
                        {"state", json_text(session.state_folder)},
                        {"level", args.level},
                        {"phrase_file", json_text(args.phrase_file)}});
  }
  session.out.say(
      fmt::format("Your vault is made (level: {}). Its keys are in {}.", args.level, printable(session.state_folder)));
  if (!args.show_phrase) {
    session.out.say(fmt::format(
        "The 24 words are in {}. Print them or write them down, then keep the file away from this computer.",
        printable(args.phrase_file)));
  }
  if (!args.sheet_file.empty())
    session.out.say(fmt::format("A sheet to print is in {}. It holds the words: delete it after printing.",
                                printable(args.sheet_file)));
  session.out.say(
      "Next: add a home with 'mhp home add DIR' (a drive, a folder, a mounted share), then 'mhp backup PATH'.");
  co_return kDone;
}

void add_init(Command& program) {
  auto args = std::make_shared<InitArgs>();
  Command command = program.add("init", "Make a vault and its 24-word recovery phrase",
                                "Example:\n  mhp init \"Ann\" --sheet sheet.html");
  command.takes("name", args->name, "Your name, or the vault's");
  command.takes("--level", args->level, "How much to spend on safety: thrifty, normal or strong");
  command.takes("--phrase-file", args->phrase_file,
                "Write the words into this new file (mode 0600) instead of showing them");
  command.takes("--sheet", args->sheet_file,
                "Also write a recovery sheet to print: FILE.html or FILE.txt, with a QR code");
  command.flag("--dry-run", args->dry_run, "Say what would be made, make nothing");
  command.runs([args](Session& session) { return run_init(session, *args); });
}

}  // namespace mhp::app
