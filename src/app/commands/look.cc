// `mhp snapshots | ls | find | diff`: looking into a vault without bringing anything back.
#include <fmt/format.h>

#include "app/commands/commands.h"
#include "app/notes.h"
#include "app/text.h"
#include "snapshot/tree.h"

namespace mhp::app {

namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : " ") + printable(word);
  return out;
}

/// "drwxr-xr-x"
std::string mode_text(const wire::TreeEntry& entry) {
  static constexpr std::string_view kKinds = "?-dlpcbs";
  std::string out(1, kKinds[static_cast<std::size_t>(entry.kind)]);
  for (int shift = 6; shift >= 0; shift -= 3) {
    const unsigned bits = entry.mode >> shift & 7;
    out += (bits & 4) != 0 ? 'r' : '-';
    out += (bits & 2) != 0 ? 'w' : '-';
    out += (bits & 1) != 0 ? 'x' : '-';
  }
  if ((entry.mode & 04000) != 0) out[3] = (entry.mode & 0100) != 0 ? 's' : 'S';
  if ((entry.mode & 02000) != 0) out[6] = (entry.mode & 0010) != 0 ? 's' : 'S';
  if ((entry.mode & 01000) != 0) out[9] = (entry.mode & 0001) != 0 ? 't' : 'T';
  return out;
}

const char* kind_word(wire::EntryKind kind) {
  static constexpr const char* kWords[] = {"?",    "file",        "folder",       "link",
                                           "fifo", "char_device", "block_device", "socket"};
  return kWords[static_cast<std::size_t>(kind)];
}

/// A path that is no UTF-8 is not told apart from others by its text.
void add_path_hex(nlohmann::json& object, const std::string& path) {
  if (!is_utf8(path)) object["path_hex"] = to_hex(as_bytes("/" + path));
}

nlohmann::json json_entry(const wire::TreeEntry& entry) {
  nlohmann::json object = {{"path", json_text("/" + entry.path)},
                           {"kind", kind_word(entry.kind)},
                           {"mode", entry.mode},
                           {"uid", entry.uid},
                           {"gid", entry.gid},
                           {"bytes", entry.size},
                           {"time", format_rfc3339(entry.mtime_ns)}};
  add_path_hex(object, entry.path);
  if (!entry.link_target.empty()) object["target"] = json_text(entry.link_target);
  return object;
}

void show_entry(Session& session, const wire::TreeEntry& entry, bool detailed) {
  if (session.out.json) {
    session.out.result(json_entry(entry));
    return;
  }
  const std::string path = "/" + printable(entry.path) + (entry.kind == wire::EntryKind::folder ? "/" : "");
  const std::string arrow = entry.link_target.empty() ? "" : " -> " + printable(entry.link_target);
  session.out.say(detailed ? fmt::format("{} {:>5} {:>5} {:>12} {} {}{}", mode_text(entry), entry.uid, entry.gid,
                                         entry.size, format_time(entry.mtime_ns), path, arrow)
                           : path);
}

OpenOptions only_reading() {
  OpenOptions options;
  options.only_reads = true;
  return options;
}

/// True where `path` lies right in `folder` (both as entries have them).
bool directly_in(std::string_view path, std::string_view folder) {
  if (!folder.empty()) {
    if (!path.starts_with(folder) || path.size() <= folder.size() || path[folder.size()] != '/') return false;
    path.remove_prefix(folder.size() + 1);
  }
  return path.find('/') == std::string_view::npos;
}

}  // namespace

static Task<int> run_snapshots(Session& session) {
  auto opened = co_await open_vault(session, only_reading());
  if (!opened) co_return session.out.fail(opened.error(), hint_for(opened.error()));
  name_troubles(session, *opened->homes);
  nlohmann::json list = nlohmann::json::array();
  for (const wire::SnapshotRecord& snapshot : opened->vault->snapshots()) {
    list.push_back({{"id", snapshot.id.hex()},
                    {"time", format_rfc3339(snapshot.time_ns)},
                    {"paths", json_texts(snapshot.paths)},
                    {"files", snapshot.files},
                    {"bytes", snapshot.bytes},
                    {"host", json_text(snapshot.host)},
                    {"tags", json_texts(snapshot.tags)},
                    {"unreadable", snapshot.unreadable}});
    std::string notes = snapshot.tags.empty() ? "" : "  [" + joined(snapshot.tags) + "]";
    if (snapshot.unreadable > 0)
      notes +=
          fmt::format("  in part: {} unreadable", plural(snapshot.unreadable, "file or folder", "files or folders"));
    session.out.say(fmt::format("{}  {}  {:>14}  {:>8}  {}: {}{}", snapshot.id.short_hex(),
                                format_time(snapshot.time_ns), plural(snapshot.files, "file", "files"),
                                format_bytes(snapshot.bytes), printable(snapshot.host), joined(snapshot.paths), notes));
  }
  note_wrong_clocks(session, opened->vault->snapshots());
  if (list.empty()) session.out.say("No snapshot yet. Make one with 'mhp backup PATH'.");
  session.out.result(list);
  co_return may_lack_newest(*opened) ? kPartly : kDone;
}

struct LsArgs {
  std::string where;
  bool detailed = false;
  bool recursive = false;
};

static Task<int> run_ls(Session& session, LsArgs args) {
  const auto named = split_snapshot_path(args.where);
  if (!named) co_return session.out.fail(named.error(), hint_for(named.error()));
  const auto& [name, path] = *named;
  auto opened = co_await open_vault(session, only_reading());
  if (!opened) co_return session.out.fail(opened.error(), hint_for(opened.error()));
  auto chosen = snapshot::choose_snapshot(opened->vault->snapshots(), name);
  if (!chosen) co_return session.out.fail(chosen.error(), hint_for(chosen.error()));
  const std::string folder = entry_path(path);
  bool found = folder.empty();
  const snapshot::Visit show = [&](const wire::TreeEntry& entry) {
    const bool itself = entry.path == folder;
    found = true;
    const bool wanted =
        itself ? entry.kind != wire::EntryKind::folder : args.recursive || directly_in(entry.path, folder);
    if (wanted) show_entry(session, entry, args.detailed);
    return true;
  };
  const auto walked = co_await snapshot::walk(*opened->vault, *chosen, folder, show);
  name_troubles(session, *opened->homes);
  if (!walked) co_return session.out.fail(walked.error(), hint_for(walked.error()));
  if (!found) {
    const Error missing{Errc::not_found, fmt::format("{}: not in this snapshot", path), Subject::entry};
    co_return session.out.fail(missing, hint_for(missing));
  }
  co_return may_lack_newest(*opened, name) ? kPartly : kDone;
}

struct FindArgs {
  std::string pattern;
  std::string snapshot;
  bool detailed = false;
};

/// Who types a part of a name gets told how to ask for one.
static std::string nothing_fits(const std::string& pattern) {
  const bool has_wildcard = pattern.find_first_of("*?[") != std::string::npos;
  const bool from_the_top = pattern.find('/') != std::string::npos && !pattern.starts_with("**/") && pattern[0] != '/';
  if (from_the_top) {
    return fmt::format("Nothing fits '{}'. A pattern with a '/' begins at the top: for one anywhere write '**/{}'.",
                       printable(pattern), printable(pattern));
  }
  return fmt::format("Nothing fits '{}'.{}", printable(pattern),
                     has_wildcard ? "" : fmt::format(" For a part of a name write '*{}*'.", printable(pattern)));
}

static Task<int> run_find(Session& session, FindArgs args) {
  if (args.pattern.empty()) {
    co_return session.out.fail({Errc::usage, "an empty pattern fits nothing"}, "For all files write '*'.");
  }
  auto opened = co_await open_vault(session, only_reading());
  if (!opened) co_return session.out.fail(opened.error(), hint_for(opened.error()));
  std::vector<wire::SnapshotRecord> searched = opened->vault->snapshots();
  if (!args.snapshot.empty()) {
    auto chosen = snapshot::choose_snapshot(searched, args.snapshot);
    if (!chosen) co_return session.out.fail(chosen.error(), hint_for(chosen.error()));
    searched = {*chosen};
  }
  bool found = false;
  snapshot::Search search(*opened->vault, args.pattern);
  for (const wire::SnapshotRecord& record : searched) {
    bool first = true;
    const auto show = [&](const wire::TreeEntry& entry) {
      if (first)
        session.out.say(
            fmt::format("{}{}  {}:", found ? "\n" : "", record.id.short_hex(), format_time(record.time_ns)));
      found = true;
      first = false;
      if (session.out.json) {
        nlohmann::json object = json_entry(entry);
        object["snapshot"] = record.id.hex();
        session.out.result(object);
      } else {
        show_entry(session, entry, args.detailed);
      }
    };
    const auto done = co_await search.in(record, show);
    if (!done) co_return session.out.fail(done.error(), hint_for(done.error()));
  }
  name_troubles(session, *opened->homes);
  if (!found) session.out.say(nothing_fits(args.pattern));
  co_return may_lack_newest(*opened, args.snapshot) ? kPartly : kDone;
}

struct DiffArgs {
  std::string older;
  std::string newer;
};

static Task<int> run_diff(Session& session, DiffArgs args) {
  static constexpr std::string_view kMarks[] = {"+", "-", "M", "m", "T"};
  static constexpr const char* kWords[] = {"added", "removed", "content", "metadata", "kind"};
  auto opened = co_await open_vault(session, only_reading());
  if (!opened) co_return session.out.fail(opened.error(), hint_for(opened.error()));
  auto older = snapshot::choose_snapshot(opened->vault->snapshots(), args.older);
  auto newer = snapshot::choose_snapshot(opened->vault->snapshots(), args.newer);
  if (!older || !newer) {
    const Error& error = older ? newer.error() : older.error();
    co_return session.out.fail(error, hint_for(error));
  }
  const auto changes = co_await snapshot::diff(*opened->vault, *older, *newer);
  name_troubles(session, *opened->homes);
  if (!changes) co_return session.out.fail(changes.error(), hint_for(changes.error()));
  for (const snapshot::Change& change : *changes) {
    const auto kind = static_cast<std::size_t>(change.kind);
    nlohmann::json object = {{"change", kWords[kind]}, {"path", json_text("/" + change.path)}};
    add_path_hex(object, change.path);
    session.out.result(object);
    session.out.say(fmt::format("{}  /{}", kMarks[kind], printable(change.path)));
  }
  if (changes->empty()) session.out.say("Both snapshots hold the same.");
  const bool lacks_some = args.older == "latest" || args.newer == "latest";
  co_return lacks_some&& may_lack_newest(*opened) ? kPartly : kDone;
}

void add_snapshots(Command& program) {
  program.add("snapshots", "List the snapshots in the vault", "Example:\n  mhp snapshots --json").runs(run_snapshots);
}

void add_ls(Command& program) {
  auto args = std::make_shared<LsArgs>();
  Command command = program.add("ls", "List what is in a snapshot", "Example:\n  mhp ls -l latest:/home/ann/Photos");
  command.needs("where", args->where, "SNAPSHOT or SNAPSHOT:PATH");
  command.flag("-l,--long", args->detailed, "With mode, owner, size and time");
  command.flag("-r,--recursive", args->recursive, "With everything below");
  command.runs([args](Session& session) { return run_ls(session, *args); });
}

void add_find(Command& program) {
  auto args = std::make_shared<FindArgs>();
  Command command = program.add("find", "Find files by name in the snapshots", "Example:\n  mhp find 'thesis*.odt'");
  command.needs("pattern", args->pattern,
                "A name or pattern: '*.jpg', '**/Photos/2025/**' (one with a '/' begins at the top)");
  command.takes("--snapshot", args->snapshot, "Search this one only");
  command.flag("-l,--long", args->detailed, "With mode, owner, size and time");
  command.runs([args](Session& session) { return run_find(session, *args); });
}

void add_diff(Command& program) {
  auto args = std::make_shared<DiffArgs>();
  Command command = program.add("diff", "Show what differs between two snapshots",
                                "Example:\n  mhp diff 3f2a latest\n  + added, - removed, M content, m owner, mode, "
                                "time or attributes, T another kind");
  command.needs("older", args->older, "A snapshot");
  command.needs("newer", args->newer, "Another");
  command.runs([args](Session& session) { return run_diff(session, *args); });
}

}  // namespace mhp::app
