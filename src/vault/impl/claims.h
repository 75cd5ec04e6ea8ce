// What this device knows of claims: of what indexes, of whichever device, say of segments.
#pragma once

#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "base/ids.h"
#include "vault/state.h"
#include "wire/index.h"

namespace mhp::vault::impl {

/// Hash of an IndexedSegment. One segment has more than one claim where indexes contradict each other.
using ClaimId = Id<struct ClaimIdTag>;
ClaimId claim_of(const wire::IndexedSegment& segment);

enum class Trust : std::uint8_t {
  unknown = 0,
  is_false = 1,   // the segment's own directory says otherwise
  confirmed = 2,  // that says the same: by the word of whoever sealed the segment
  proven = 3,     // this device sealed it, or read and compared every chunk
  untrue = 4      // read and compared: the segment holds something else than it says itself
};

/// What was found out, kept in the cache: what is lost there is found out again. Another process of this device may
/// read and write the same file. Not for two threads at once.
class KnownClaims {
 public:
  explicit KnownClaims(const State& state) : state_(state) { read(); }
  /// Anew from the file, where it is whole, with what was learned since. Blocking.
  void read();

  Trust of(const ClaimId& claim) const;
  void learn(const ClaimId& claim, Trust trust);
  /// Forgets all but these; not what others write meanwhile.
  void keep_only(const std::unordered_set<ClaimId, IdHash>& claims);
  /// Writes what was learned and forgotten since the last time over what is in the file by now. A full disk does not
  /// matter. Blocking.
  void save();
  static constexpr const char* kFileName = "claims";

 private:
  using TrustOf = std::unordered_map<ClaimId, Trust, IdHash>;
  std::string path() const { return state_.cache_folder() + "/" + kFileName; }
  /// Nothing where it is not there, or not whole.
  std::optional<TrustOf> in_file() const;
  Bytes encoded() const;

  const State& state_;
  TrustOf trust_;
  TrustOf learned_;
  std::unordered_set<ClaimId, IdHash> forgotten_;
};

}  // namespace mhp::vault::impl
