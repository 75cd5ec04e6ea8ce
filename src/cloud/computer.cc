// Reading and making this computer's key.
#include "cloud/computer.h"

#include "wire/state.h"

namespace mhp::cloud {

static std::string path_in(const std::string& state_folder) { return state_folder + "/computer"; }

Result<primitives::Key> known_computer_seed(platform::Disk& disk, const std::string& state_folder) {
  const std::string path = path_in(state_folder);
  auto bytes = platform::read_file(disk, path, wire::kMaxStateBytes);
  const bool is_too_big = !bytes && bytes.error().code == Errc::invalid;
  if (is_too_big) return fail(Errc::corrupt, Subject::state, path + ": damaged (" + bytes.error().detail + ")");
  if (!bytes) return about(Subject::state, Result<primitives::Key>(pass(bytes)));
  auto secret = wire::parse_computer_secret(*bytes);
  wipe(*bytes);
  if (secret) return secret->seed;
  return fail(
      Errc::corrupt, Subject::state,
      path + ": damaged (" + secret.error().detail +
          "). Others know this computer by the key in it: put the file back from a copy, or move it away and go "
          "on as a computer that they do not know yet");
}

/// While the lock is held.
static Result<primitives::Key> make_seed(platform::Disk& disk, platform::Random& random, const std::string& folder) {
  auto known = known_computer_seed(disk, folder);
  if (known || known.error().code != Errc::not_found) return known;
  wire::ComputerSecret secret{.seed = random.array<32>()};
  Bytes content = wire::encode(secret);
  auto written = platform::replace_file(disk, path_in(folder), content);
  wipe(content);
  if (!written) return pass(written);
  return secret.seed;
}

Result<primitives::Key> computer_seed(platform::Disk& disk, platform::Random& random, const std::string& state_folder) {
  auto known = known_computer_seed(disk, state_folder);
  if (known || known.error().code != Errc::not_found) return known;
  MHP_TRY_VOID(about(Subject::state, disk.make_folder(state_folder)));
  // Two that find none at one time must not both make one: others would meet a computer whose key is lost.
  MHP_TRY(const auto lock,
          about(Subject::state, disk.lock(path_in(state_folder) + ".lock", "makes this computer's key")));
  return about(Subject::state, make_seed(disk, random, state_folder));
}

HomeId computer_id(const primitives::Key& seed) {
  return primitives::home_id_of(primitives::SigningKey(seed).public_key());
}

}  // namespace mhp::cloud
