// The list is written as an IndexTop: a damaged one names nothing, or what is not there.
#include "vault/impl/former_parts.h"

#include <algorithm>
#include <utility>

namespace mhp::vault::impl {
namespace {

void add_new(std::vector<wire::PhysicalRef>& to, const std::vector<wire::PhysicalRef>& refs) {
  for (const wire::PhysicalRef& ref : refs) {
    if (std::ranges::find(to, ref) == to.end()) to.push_back(ref);
  }
}

}  // namespace

std::vector<wire::PhysicalRef> FormerParts::in_file() const {
  auto bytes = platform::read_file(state_.disk(), path(), wire::kMaxIndexObjectBytes);
  auto top = bytes ? wire::parse_index_top(*bytes) : fail(Errc::not_found, "none");
  return top ? std::move(top->parts) : std::vector<wire::PhysicalRef>();
}

void FormerParts::read() { refs_ = in_file(); }

void FormerParts::write(std::vector<wire::PhysicalRef> refs) {
  if (refs == refs_) return;
  refs_ = std::move(refs);
  if (state_.disk().make_folder(state_.cache_folder()))
    (void)platform::replace_file(state_.disk(), path(), wire::encode(wire::IndexTop{.parts = refs_}));
}

void FormerParts::set(std::vector<wire::PhysicalRef> refs) {
  std::vector<wire::PhysicalRef> added = in_file();
  std::erase_if(added, [this](const auto& ref) { return std::ranges::find(refs_, ref) != refs_.end(); });
  read();
  add_new(refs, added);
  write(std::move(refs));
}

void FormerParts::add(const std::vector<wire::PhysicalRef>& refs) {
  read();
  std::vector<wire::PhysicalRef> all = refs_;
  add_new(all, refs);
  write(std::move(all));
}

}  // namespace mhp::vault::impl
