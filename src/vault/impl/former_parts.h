// What this device has proven, and no index lists any more, as parts of an index.
#pragma once

#include <vector>

#include "vault/state.h"
#include "wire/index.h"

namespace mhp::vault::impl {

/// Their names; the parts themselves are in the cache beside this list. What is lost there is not looked for. Another
/// process of this device may add to the same list. Not for two threads at once.
class FormerParts {
 public:
  static constexpr const char* kFileName = "former-parts";

  explicit FormerParts(const State& state) : state_(state) { read(); }

  /// Anew from the file.
  void read();
  const std::vector<wire::PhysicalRef>& refs() const { return refs_; }
  /// These instead of refs(), whatever others have added to the list meanwhile stays; under the lock of the state
  /// folder. A full disk does not matter. Blocking, small.
  void set(std::vector<wire::PhysicalRef> refs);
  /// These too, each once.
  void add(const std::vector<wire::PhysicalRef>& refs);

 private:
  std::string path() const { return state_.cache_folder() + "/" + kFileName; }
  std::vector<wire::PhysicalRef> in_file() const;
  void write(std::vector<wire::PhysicalRef> refs);
  const State& state_;
  std::vector<wire::PhysicalRef> refs_;
};

}  // namespace mhp::vault::impl
