// The key by which this computer is known to others: a file of the state folder.
#pragma once

#include <string>

#include "platform/platform.h"
#include "primitives/sign/sign.h"

namespace mhp::cloud {

/// The seed of this computer's Ed25519 key (net::Identity), from STATE/computer (docs/formats/state.md). It is drawn
/// and written, durably, where the file is missing, and never replaced. Blocking. Errors, all with Subject::state and
/// the file's path: corrupt (damaged), busy (another mhp is making it at this moment), those of the disk.
Result<primitives::Key> computer_seed(platform::Disk& disk, platform::Random& random, const std::string& state_folder);

/// The same, made by nobody. Errors: also not_found.
Result<primitives::Key> known_computer_seed(platform::Disk& disk, const std::string& state_folder);

/// What others call the computer of that key, and the home that it serves.
HomeId computer_id(const primitives::Key& seed);

}  // namespace mhp::cloud
