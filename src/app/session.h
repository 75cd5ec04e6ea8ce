// One run of the program: the machine, the state folder, what is said; and how a vault is opened for a command.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "app/network.h"
#include "app/out_of.h"
#include "app/output.h"
#include "cloud/remote_home.h"
#include "dispersal/home_set.h"
#include "platform/limited_network.h"
#include "platform/patience.h"
#include "platform/platform.h"
#include "snapshot/scan.h"
#include "vault/vault.h"

namespace mhp::app {

struct Session {
  platform::Platform& platform;
  Output out;
  std::string state_folder;
  std::string command = "mhp";         // for those who wait for its lock: "mhp backup"
  std::set<std::string> silent = {};   // places that did not answer in time: they are not asked again in this run
  bool told_words = false;             // where the phrase lies, see phrase_place.h
  std::set<CloudId> told_out = {};     // clouds of which the person knows in this run that the owner is out
  bool has_looked_for_clouds = false;  // in this run: see return_to_clouds()
  bool uses_reserve = false;  // what this run writes makes room: it may use a part of what other commands keep free
  bool is_guest = false;      // has no state folder yet: what others are shown of this computer is kept nowhere
  platform::Nursery* connections = nullptr;    // where connections to other computers run; none: none are made
  std::shared_ptr<Network> network = nullptr;  // what makes them, shared by copies of this: see network_of()
  // What holds for them, once it is known, and what keeps to it, shared likewise: see limits.h.
  std::optional<platform::NetworkLimits> limits = {};
  std::shared_ptr<platform::Network> limited = nullptr;
  std::chrono::nanoseconds patience = std::chrono::minutes(5);  // to wait for another mhp that writes
};

/// What main gives the loop: runs `work`, then ends the connections that it made. `session` outlives it.
Task<int> run_command(std::function<Task<int>(Session&)> work, Session& session);

/// Options that every command that opens a vault takes into account.
struct OpenOptions {
  /// Paths that are being backed up: homes on their disks do not count, unless they were added with --same-disk.
  std::vector<std::string> sources;
  bool read_index = true;  // false: homes only, `vault` stays null
  /// The command writes: it waits until no other mhp does, to this state folder or to any home, and keeps them out till
  /// it is done. What it sees is what the others have left.
  bool writes = false;
  /// With `writes`: what clouds change of the list of homes is signed and kept; else it is used in this run only.
  bool keeps_homes = false;
  /// The command writes nothing: where a newer state cannot be read from the homes at hand, an older one is shown.
  bool only_reads = false;
  bool tells_what_is_not_shown = true;
  /// What it says, or does, goes by how many homes may be lost: those on the disks of what was saved last do not count
  /// (beside those of `sources`), unless they were added with --same-disk. One rule for all commands.
  bool weighs_homes = false;
};

/// Everything a command works on. Order matters: what is below borrows what is above.
struct Opened {
  std::unique_ptr<vault::State> state;
  std::unique_ptr<platform::FileLock> lock;  // of the state folder, where the command writes
  std::unique_ptr<vault::Device> device;
  std::unique_ptr<vault::OpenRecord> record;
  std::set<HomeId> leaving;                    // homes on the list that are no longer lent: see cloud_homes.h
  std::set<HomeId> refusing;                   // lent to the owner, and not to this computer, which was taken out
  std::vector<std::string> never_up;           // lent in clouds, and not on the list, as nobody has ever reached them
  std::map<CloudId, std::string> cloud_names;  // of those of the owner's whose roster is at hand
  std::vector<OutOf> out;                      // clouds of the owner's that he, or this computer, was taken out of
  std::unique_ptr<dispersal::HomeSet> homes;
  std::unique_ptr<vault::Vault> vault;
};

/// State, device and vault record as this computer has them; no home is asked. Errors: not_found (no vault here; run
/// init or recover), corrupt (damaged state folder).
Result<Opened> open_records(Session& session);

/// Errors: as open_records(), and those of Vault::open; busy where another mhp writes for longer than the session is
/// patient.
Task<Result<Opened>> open_vault(Session& session, OpenOptions options);
/// Waits until no other mhp writes to the homes at hand, till `until` (steady), and keeps them out. Says for whom. A
/// home that is in use even then is left out of what is written.
Task<> lock_homes(Session& session, Opened& opened, std::chrono::nanoseconds until);

/// Members whose homes are leaving.
std::vector<std::size_t> members_leaving(const Opened& opened);
/// How long a drive may take to answer a first question about a path: it may have to start turning.
constexpr std::chrono::seconds kPathLimit{10};

/// Blocking work on the path of a home, or of a folder that is to be one: its value, or timed_out. `job` owns what it
/// uses, or takes it from the platform.
template <class F>
Task<std::invoke_result_t<F&>> on_path(Session& session, std::string path, F job) {
  if (session.silent.contains(path)) co_return fail(Errc::timed_out, Subject::home, path + ": does not answer");
  auto answer = co_await platform::run_within(session.platform, kPathLimit, std::move(job));
  if (!answer) {
    session.silent.insert(path);
    co_return fail(Errc::timed_out, Subject::home, path + ": does not answer");
  }
  co_return std::move(*answer);
}

/// Reports those that were not asked because they are away.
void report_away(dispersal::HomeSet& homes);

/// True where `path` is `folder` or lies below it. Both absolute.
bool is_within(const std::string& path, const std::string& folder);

/// MHP_HOME, XDG_STATE_HOME/mhp, ~/.local/state/mhp; empty where none of these is set.
std::string default_state_folder();

}  // namespace mhp::app
