// Rows known to be bad, as this computer remembers them: looked at by survey, check and repair.
#pragma once

#include <bitset>
#include <map>

#include "dispersal/home_set.h"
#include "vault/state.h"

namespace mhp::vault::impl {

/// Loaded when made; what was learned is written by save(). Borrows the state.
class BadRows {
 public:
  using Rows = std::bitset<256>;

  explicit BadRows(State& state);

  /// Bad rows of a segment in a home.
  Rows of(const HomeId& home, const SegmentId& segment) const;
  /// These rows were read, and found `bad` or whole.
  void learn(const HomeId& home, const SegmentId& segment, const std::vector<std::uint8_t>& rows, bool bad);
  /// Writes what was learned since the last time over what is in the file by now (another run may have written).
  Result<void> save();

 private:
  using Key = std::pair<HomeId, SegmentId>;
  void read();

  State& state_;
  std::map<Key, Rows> rows_;
  std::map<Key, std::pair<Rows, Rows>> learned_;  // bad, whole; never both
};

/// Keeps what reading from the homes has found wrong, at once: whoever asks how safe the vault is has to know of it.
/// Blocking, small; nothing where nothing was found.
void remember_wrong_rows(dispersal::HomeSet& homes, State& state);

}  // namespace mhp::vault::impl
