// One run of the program: the machine, the state folder, what is said; and how a vault is opened for a command.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "app/output.h"
#include "dispersal/home_set.h"
#include "platform/platform.h"
#include "vault/vault.h"

namespace mhp::app {

struct Session {
  platform::Platform& platform;
  Output out;
  std::string state_folder;
  std::string command = "mhp";  // for those who wait for its lock: "mhp backup"
};

/// Options that every command that opens a vault takes into account.
struct OpenOptions {
  /// Paths that are being backed up: homes on their disks do not count, unless they were added with --same-disk.
  std::vector<std::string> sources;
  bool read_index = true;  // false: homes only, `vault` stays null
};

/// Everything a command works on. Order matters: what is below borrows what is above.
struct Opened {
  std::unique_ptr<vault::State> state;
  std::unique_ptr<vault::Device> device;
  std::unique_ptr<vault::OpenRecord> record;
  std::unique_ptr<dispersal::HomeSet> homes;
  std::unique_ptr<vault::Vault> vault;
};

/// Errors: not_found (no vault here; run init or recover), and those of Vault::open.
Task<Result<Opened>> open_vault(Session& session, OpenOptions options);

/// Opens every home of a list; those that are away say why.
std::vector<dispersal::Member> open_members(platform::Platform& platform, const std::vector<wire::HomeEntry>& entries,
                                            const std::set<std::uint64_t>& source_devices);

/// The disks (device numbers) that hold these paths; what does not exist is left out.
std::set<std::uint64_t> devices_of_paths(platform::Disk& disk, const std::vector<std::string>& paths);

/// Keys whose cards the homes' answers are checked against.
std::vector<primitives::PublicKey> card_signers(const wire::VaultRecord& record);

/// Names each home that was away, failed or lied, on standard error. True where any lied.
bool name_troubles(const Session& session, const dispersal::HomeSet& homes);

/// What to do about an error of a command on the vault, in a person's words.
std::string hint_for(const Error& error);

/// The state folder: --state, MHP_HOME, XDG_STATE_HOME/mhp, ~/.local/state/mhp.
std::string default_state_folder();

}  // namespace mhp::app
