// The list is written as an IndexTop: a damaged one names nothing, or what is not there.
#include "vault/impl/former_parts.h"

#include <algorithm>

namespace mhp::vault::impl {

void FormerParts::read() {
  refs_.clear();
  auto bytes = platform::read_file(state_.disk(), path(), wire::kMaxIndexObjectBytes);
  auto top = bytes ? wire::parse_index_top(*bytes) : fail(Errc::not_found, "none");
  if (top) refs_ = std::move(top->parts);
}

void FormerParts::set(std::vector<wire::PhysicalRef> refs) {
  if (refs == refs_) return;
  refs_ = std::move(refs);
  if (state_.disk().make_folder(state_.cache_folder()))
    (void)platform::replace_file(state_.disk(), path(), wire::encode(wire::IndexTop{.parts = refs_}));
}

void FormerParts::add(const std::vector<wire::PhysicalRef>& refs) {
  std::vector<wire::PhysicalRef> all = refs_;
  for (const wire::PhysicalRef& ref : refs) {
    if (std::ranges::find(all, ref) == all.end()) all.push_back(ref);
  }
  set(std::move(all));
}

}  // namespace mhp::vault::impl
