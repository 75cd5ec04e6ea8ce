// Which heads to believe, and which homes show old or forked ones. Pure.
#pragma once

#include <functional>
#include <map>
#include <optional>
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
  std::optional<std::int64_t> received_s = {};  // earliest that any home says it took it, by the home's clock
};

/// What one home that answered shows.
struct ShownHeads {
  std::size_t member = 0;
  /// Of the vault records it has, by author. None: it is new to this vault, and may well have no heads.
  std::map<DeviceId, std::uint64_t> record_versions;
  std::vector<home::Home::DeviceHeads> devices;
};

struct BelievedDevice {
  DeviceId device;
  bool revoked = false;
  bool forked = false;  // it has another history, in HeadsView::branches
  /// Of a branch: it has another head of one number than the believed history. Else its newest lies where that has a
  /// gap: homes thin out old heads, so that it may be of either; what tops were made from has to tell.
  bool contradicts = false;
  std::vector<CheckedHead> chain;    // all heads at hand that fit the newest; rising, may have gaps; never empty
  unsigned homes_agree = 0;          // that show this newest head
  std::vector<std::size_t> members;  // those
  const CheckedHead& newest() const { return chain.back(); }
};

/// How others name a head of it.
wire::SeenHead seen_of(const BelievedDevice& device, const CheckedHead& head);

struct HeadFinding {
  std::size_t member = 0;
  dispersal::TroubleKind kind = dispersal::TroubleKind::old_heads;
  std::string detail;
};

/// What a device that is shut out signed after its last good head, or beside it, and no home took before it was: not
/// believed, but it may be what its owner saved while that home was away.
struct LateHeads {
  /// The newest that one home shows.
  struct Shown {
    std::size_t member = 0;
    wire::SeenHead head;
    std::int64_t time_ns = 0;
  };
  DeviceId device;
  bool distrusted = false;  // an enemy's, by the word of the owner
  std::vector<Shown> shown;
};

/// A device that has signed more than is at hand.
struct HiddenHeads {
  DeviceId device;
  bool is_unnamed = false;             // no vault record at hand names it
  std::vector<wire::SeenHead> missed;  // seen by this computer, or called good by a recovery; no home shows it now
  std::vector<std::size_t> members;    // that have a file of its heads which cannot be read, and nobody else shows any
};

struct HeadsView {
  std::vector<BelievedDevice> devices;
  /// Where a device's state was put back from a copy it signed two histories. The one that is not believed is nobody's
  /// lie: it is followed as another device's would be, but given to no home.
  std::vector<BelievedDevice> branches;
  std::vector<LateHeads> late;
  std::vector<HiddenHeads> hidden;
  std::vector<HeadFinding> findings;
};

/// True where both are of one history for certain: the newest of the older one is in the other, or just before what is.
bool is_same_history(const std::vector<CheckedHead>& a, const std::vector<CheckedHead>& b);

/// Rising heads signed by their device, each linked to the one before where no number is missing between them. Errors:
/// denied, corrupt, invalid. `received_s`: of each, as far as it is known.
Result<std::vector<CheckedHead>> check_chain(const std::vector<Bytes>& chain, const VaultId& vault,
                                             const DeviceId& device, const std::vector<std::int64_t>& received_s = {});

/// `own`: this device's chain as its state folder has it; counts like a home's, but nobody is blamed. `with_late`: late
/// heads are believed, unless they are distrusted.
HeadsView judge_heads(const wire::VaultRecord& record, const std::vector<ShownHeads>& shown,
                      const home::Home::DeviceHeads& own, const wire::SeenHeads& seen, bool with_late = false);

/// Takes up branches that only lie in a gap of the believed history as part of it where `is_same` says so.
void settle_branches(HeadsView& view, const std::function<bool(const BelievedDevice&)>& is_same);

/// Drops what no home took by then, and devices of which nothing is left: who wrote it could give it any time of its
/// own, but not the homes' time.
void keep_as_of(HeadsView& view, std::int64_t unix_s);

/// The heads of `chain` that a home lacks whose newest is `held_seq` (0: it has none).
std::vector<Bytes> heads_after(const std::vector<CheckedHead>& chain, std::uint64_t held_seq);

}  // namespace mhp::vault::impl
