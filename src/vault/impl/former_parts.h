// What this device has proven, and no index lists any more, as parts of an index.
#pragma once

#include <vector>

#include "vault/state.h"
#include "wire/index.h"

namespace mhp::vault::impl {

/// Their names; the parts themselves are in the cache beside this list. What is lost there is not looked for. Not for
/// two threads at once.
class FormerParts {
 public:
  static constexpr const char* kFileName = "former-parts";

  explicit FormerParts(const State& state) : state_(state) { read(); }

  /// Anew from the file: another process of this device may have written it.
  void read();
  const std::vector<wire::PhysicalRef>& refs() const { return refs_; }
  /// These instead. A full disk does not matter. Blocking, small.
  void set(std::vector<wire::PhysicalRef> refs);
  /// These too, each once.
  void add(const std::vector<wire::PhysicalRef>& refs);

 private:
  std::string path() const { return state_.cache_folder() + "/" + kFileName; }
  const State& state_;
  std::vector<wire::PhysicalRef> refs_;
};

}  // namespace mhp::vault::impl
