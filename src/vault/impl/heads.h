// Which heads to believe, and which homes show old or forked ones. Pure.
#pragma once

#include <string>
#include <vector>

#include "dispersal/home_set.h"
#include "home/home.h"
#include "vault/keys.h"
#include "wire/head.h"

namespace mhp::vault::impl {

struct CheckedHead {
  wire::Head head;
  Bytes signed_bytes;
  HeadHash hash;
};

/// What one home that answered shows.
struct ShownHeads {
  std::size_t member = 0;
  std::uint64_t record_version = 0;  // 0: it has none, is new to this vault, and may well have no heads
  std::vector<home::Home::DeviceHeads> devices;
};

struct BelievedDevice {
  DeviceId device;
  bool revoked = false;
  std::vector<CheckedHead> chain;  // the longest run of heads at hand, newest last; never empty
  unsigned homes_agree = 0;        // that show this newest head
  const CheckedHead& newest() const { return chain.back(); }
};

struct HeadFinding {
  std::size_t member = 0;
  dispersal::TroubleKind kind = dispersal::TroubleKind::old_heads;
  std::string detail;
};

struct HeadsView {
  std::vector<BelievedDevice> devices;
  std::vector<HeadFinding> findings;
};

/// A chain whose newest head is signed by its device and whose heads link, rising without gaps. Errors: denied,
/// corrupt, invalid.
Result<std::vector<CheckedHead>> check_chain(const std::vector<Bytes>& chain, const VaultId& vault,
                                             const DeviceId& device);

/// `own`: this device's chain as its state folder has it; counts like a home's, but nobody is blamed.
HeadsView judge_heads(const wire::VaultRecord& record, const std::vector<ShownHeads>& shown,
                      const home::Home::DeviceHeads& own, const wire::SeenHeads& seen);

/// The heads of `chain` that a home lacks whose newest is `held_seq` (0: it has none).
std::vector<Bytes> heads_after(const std::vector<CheckedHead>& chain, std::uint64_t held_seq);

}  // namespace mhp::vault::impl
