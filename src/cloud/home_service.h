// Answers other computers' requests for what this computer's home keeps of their vaults (docs/protocol/home.md).
#pragma once

#include <functional>

#include "cloud/home_rights.h"
#include "home/shared_home.h"
#include "platform/platform.h"
#include "wire/record.h"

namespace mhp::cloud {

/// What this home lends, and to whom: as the cloud's rules say now. Called on the loop, never blocks.
struct Lending {
  /// Whether this computer is of a cloud here: others get nothing but what a vault's own keys open.
  std::function<Who(const net::Peer&)> who;
  /// Bytes of records that a vault may have here where this computer asks; 0: nothing of it is taken.
  std::function<std::uint64_t(const net::Peer&, const VaultId&)> quota_bytes;
  /// In words for its owner, why that is nothing, where there is more to say than that it is so. May be missing, as may
  /// all that follow.
  std::function<std::string(const net::Peer&)> why_nothing = {};
  /// Other vaults that these bytes are for as well: the same member's.
  std::function<std::vector<VaultId>(const net::Peer&, const VaultId&)> counted_with = {};
  /// This computer has shown that it speaks for the vault, and stores something of it, or lets it go. Where it fails,
  /// so does what is asked.
  std::function<Result<void>(const net::Peer&, const VaultId&)> note_owner = {};
  /// For how long what a vault's owner lets go is held at least, whatever its cards say; at most wire::kMaxHoldS.
  std::function<std::uint64_t(const VaultId&)> least_hold_s = {};
  /// Rows that this home has found damaged by itself, of segments of a vault after one, at most wire::kMaxScrubBad; and
  /// who is to know that rows were put.
  std::function<wire::ScrubResult(const VaultId&, const SegmentId&)> known_bad = {};
  std::function<void(const wire::RecordFront&)> was_put = {};
  std::chrono::nanoseconds between_collects = std::chrono::minutes(10);  // by the steady clock; sooner: busy
  std::size_t puts_at_once = 4;                                          // each takes its record's length of memory
};

/// Serves one home. Each connection shows for which vaults it speaks, and is given nothing of any other; what it may do
/// is asked anew at each request, so that a revocation counts at once. What is put counts for its vault, also while it
/// is under way. Replies are errors where a request is longer, or asks for more, than docs/protocol/home.md allows.
class HomeService {
 public:
  /// `platform` and `home` must outlive it.
  HomeService(platform::Platform& platform, home::SharedHome& home, Lending lending);
  ~HomeService();
  HomeService(const HomeService&) = delete;
  HomeService& operator=(const HomeService&) = delete;

  /// Must be gone before this.
  std::unique_ptr<net::Served> serve(const net::Peer& peer);
  /// Whether a connection of this computer has shown that it speaks for a vault that is held here: then it is no
  /// stranger, though it may be of no cloud (somebody who recovers).
  bool is_known(const HomeId& peer) const;

  struct State;

 private:
  std::unique_ptr<State> state_;
};

}  // namespace mhp::cloud
