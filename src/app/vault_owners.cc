// A map, and a file of it.
#include "app/vault_owners.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "app/json_id.h"

namespace mhp::app {
namespace {

constexpr std::uint64_t kMaxOwnersFileBytes = 64_MiB;

bool is_same_owner(const VaultOwner& one, const VaultOwner& other) {
  return one.cloud == other.cloud && one.member == other.member;
}

std::size_t count_all(const OwnersByVault& owners) {
  std::size_t count = 0;
  for (const auto& [vault, all] : owners) count += all.size();
  return count;
}

bool take_owner(const nlohmann::json& json, OwnersByVault& into) {
  VaultId vault;
  VaultOwner owner;
  if (!json.is_object() || !read_id(json, "vault", vault) || !read_id(json, "cloud", owner.cloud) ||
      !read_id(json, "member", owner.member))
    return false;
  const auto hold = json.find("least_hold_s");
  if (hold == json.end() || !hold->is_number_unsigned() || hold->get<std::uint64_t>() > wire::kMaxHoldS) return false;
  owner.least_hold_s = hold->get<std::uint64_t>();
  into[vault].push_back(owner);
  return true;
}

}  // namespace

std::string to_text(const OwnersByVault& owners) {
  nlohmann::json list = nlohmann::json::array();
  for (const auto& [vault, all] : owners) {
    for (const VaultOwner& one : all)
      list.push_back({{"vault", vault.hex()},
                      {"cloud", one.cloud.hex()},
                      {"member", one.member.hex()},
                      {"least_hold_s", one.least_hold_s}});
  }
  return nlohmann::json{{"owners", std::move(list)}}.dump(1) + "\n";
}

Result<OwnersByVault> parse_vault_owners(std::string_view text) {
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  const auto list = json.is_object() ? json.find("owners") : json.end();
  const bool is_list = json.is_object() && list != json.end() && list->is_array();
  if (!is_list || list->size() > VaultOwners::kMaxOwners)
    return fail(Errc::corrupt, Subject::state, "this is no list of vaults' owners");
  OwnersByVault out;
  for (const nlohmann::json& one : *list) {
    if (!take_owner(one, out)) return fail(Errc::corrupt, Subject::state, "this is no list of vaults' owners");
  }
  return out;
}

VaultOwners::VaultOwners(platform::Disk& disk, std::string file) : disk_(disk), file_(std::move(file)) {
  const auto content = platform::read_file(disk_, file_, kMaxOwnersFileBytes);
  if (!content) {
    was_damaged_ = content.error().code != Errc::not_found;
    return;
  }
  auto kept = parse_vault_owners(as_text(*content));
  if (kept) owners_ = std::move(*kept);
  was_damaged_ = !kept;
}

Result<void> VaultOwners::save() const { return platform::replace_file(disk_, file_, as_bytes(to_text(owners_))); }

Result<void> VaultOwners::note(const VaultId& vault, const VaultOwner& owner) {
  const auto known = owners_.find(vault);
  const bool has_any = known != owners_.end();
  const bool is_known =
      has_any && std::ranges::any_of(known->second, [&](const auto& one) { return is_same_owner(one, owner); });
  if (is_known) return {};  // of its rule follow() hears
  if (vaults_of(owner.cloud, owner.member).size() >= kMaxOfMember)
    return fail(Errc::full, "this home keeps no more vaults of one member: it has " + std::to_string(kMaxOfMember));
  if (count_all(owners_) >= kMaxOwners) return fail(Errc::full, "this home keeps no more vaults");
  owners_[vault].push_back(owner);
  const auto saved = save();
  if (saved) return {};
  owners_[vault].pop_back();
  if (owners_[vault].empty()) owners_.erase(vault);
  return fail(saved.error().code, "this home cannot note whose a vault is");
}

Result<void> VaultOwners::follow(const CloudId& cloud, const cloud::View& view) {
  bool is_changed = false;
  for (auto& [vault, all] : owners_) {
    for (VaultOwner& one : all) {
      if (one.cloud != cloud || !view.members.contains(one.member)) continue;
      is_changed = is_changed || one.least_hold_s != view.rules.minimum_hold_s;
      one.least_hold_s = view.rules.minimum_hold_s;
    }
  }
  return is_changed ? save() : Result<void>();
}

std::vector<VaultId> VaultOwners::vaults_of(const CloudId& cloud, const MemberId& member) const {
  std::vector<VaultId> out;
  for (const auto& [vault, all] : owners_) {
    const auto is_of = [&](const VaultOwner& one) { return one.cloud == cloud && one.member == member; };
    if (std::ranges::any_of(all, is_of)) out.push_back(vault);
  }
  return out;
}

std::optional<std::uint64_t> VaultOwners::least_hold_s(const VaultId& vault) const {
  const auto known = owners_.find(vault);
  if (known == owners_.end()) return std::nullopt;
  return std::ranges::max(known->second, {}, &VaultOwner::least_hold_s).least_hold_s;
}

}  // namespace mhp::app
