// Opens a vault from what its homes show: the steps, and what of the answers is wrong.
#include "vault/vault.h"

#include <algorithm>

#include "vault/impl/vault_impl.h"

namespace mhp::vault {
namespace impl {

using dispersal::TroubleKind;

VaultImpl::VaultImpl(platform::Platform& platform, dispersal::HomeSet& homes, State& state, const Device& device,
                     const OpenRecord& record, OpenHow how)
    : platform_(platform),
      homes_(homes),
      state_(state),
      device_(device),
      record_(record),
      how_(how),
      reader_(platform, homes, state, record_),
      objects_(platform, reader_, state, record_),
      claims_(state),
      former_parts_(state) {}

static std::string why_none_answers(const dispersal::HomeSet& homes) {
  const auto& troubles = homes.troubles();
  const bool refuse = std::ranges::any_of(
      troubles, [](const dispersal::Trouble& trouble) { return trouble.kind == TroubleKind::refused; });
  if (!refuse) return "none of the vault's homes answers";
  return "the vault's homes do not let this computer read: was its owner removed from their cloud, or this computer "
         "shut out?";
}

Task<Result<void>> VaultImpl::load() {
  if (homes_.reachable() == 0) co_return homes_.too_few("none of the vault's homes is reachable");
  forget_index();
  views_ = co_await ask_homes(homes_, record_.record.vault, &platform_.clock());
  bool answered = std::ranges::any_of(views_, [](const HomeView& view) { return view.answered; });
  if (!answered) co_return homes_.too_few(why_none_answers(homes_));
  MHP_CO_TRY_VOID(take_records());
  homes_.trust(card_signers(record_.record));
  home::Home::DeviceHeads own{.device = device_.id, .chain = {}};
  look_at_state();
  auto chain = state_.own_heads();
  auto seen = state_.seen();
  // What cannot be read for want of open files is not lost.
  if (!chain && chain.error().code == Errc::exhausted) co_return pass(chain);
  if (!seen && seen.error().code == Errc::exhausted) co_return pass(seen);
  if (chain) own.chain = std::move(*chain);  // else the homes' own copies have to do
  undelivered_.clear();
  if (seen) set_undelivered_aside(own.chain, *seen);
  heads_ = judge_heads(record_.record, shown_heads(views_), own, seen.value_or(wire::SeenHeads()), how_.with_late);
  if (how_.as_of_s && !heads_.devices.empty()) {
    keep_as_of(heads_, *how_.as_of_s);
    // To shut every device out at nothing would be for ever.
    if (heads_.devices.empty())
      co_return fail(Errc::not_found, "no home at hand still has anything that it took by then");
  }
  late_.clear();
  report_findings();
  co_await try_keys();
  MHP_CO_TRY_VOID(co_await load_state());
  co_await settle_branches();
  note_late();
  note_hidden();
  // Where nothing says any more what this device signed last, homes that are away may know.
  const bool is_blind = !seen && !chain && homes_.reachable() < homes_.members().size();
  if (!is_blind) remember_seen();
  co_return Result<void>{};
}

Result<void> VaultImpl::take_records() {
  std::vector<Bytes> seen;
  for (const auto& own : record_.records) seen.push_back(own.signed_record);
  const std::size_t known = seen.size();
  for (std::size_t i = 0; i < views_.size(); ++i) {
    for (const auto& held : views_[i].records) {
      if (std::ranges::find(seen, held.signed_record) != seen.end() || held.signed_record.empty()) continue;
      const auto checked = check_record(held.signed_record, record_.record.vault);
      if (!checked) homes_.report(i, TroubleKind::wrong_record, "gives a vault record that is not genuine");
      if (checked && checked->recovery_x25519 != record_.record.recovery_x25519)
        homes_.report(i, TroubleKind::wrong_record, "gives a vault record with another recovery key");
      if (checked) seen.push_back(held.signed_record);
    }
  }
  // Who recovers is no device of the vault yet, and has joined all there is.
  const bool is_member = record_.record.device == device_.id;
  if (is_member && seen.size() > known) {
    MHP_TRY(OpenRecord joined, join_records(seen, device_));
    const bool is_new = joined.records != record_.records;
    record_ = std::move(joined);
    if (is_new) (void)state_.set_records(record_);  // copies: a full disk does not matter here
  }
  name_bad_records();
  return {};
}

void VaultImpl::name_bad_records() {
  const auto revocations = revocations_of(record_.record);
  for (std::size_t i = 0; i < views_.size(); ++i) {
    for (const auto& held : views_[i].records) {
      if (is_refused(held, record_)) {
        homes_.report(i, TroubleKind::wrong_record,
                      "has a vault record of device " + held.device.short_hex() +
                          " that does not open, or gives other keys than its earlier ones: it is not believed, nor "
                          "given to other homes (is that computer in wrong hands?)");
      }
      if (!held.signed_record.empty() || highest_of(revocations, held.device) != nullptr) continue;
      homes_.report(i, TroubleKind::damaged,
                    "its file with the vault record of device " + held.device.short_hex() +
                        " cannot be read: without it the home does not count");
    }
  }
}

std::vector<OlderRecord> VaultImpl::older_records() const {
  std::vector<OlderRecord> out;
  for (const home::Home::DeviceRecord& used : record_.records) {
    const auto record = check_record(used.signed_record, record_.record.vault);
    OlderRecord older{.device = used.device, .used_ns = record ? record->time_ns : 0, .members = {}};
    bool is_newest_somewhere = false;
    for (std::size_t i = 0; i < views_.size(); ++i) {
      const auto held = std::ranges::find(views_[i].records, used.device, &home::Home::DeviceRecord::device);
      if (held == views_[i].records.end()) continue;
      is_newest_somewhere = is_newest_somewhere || *held == used;
      if (held->signed_record.empty() || is_refused(*held, record_)) older.members.push_back(i);
    }
    if (!is_newest_somewhere && !older.members.empty()) out.push_back(std::move(older));
  }
  return out;
}

void VaultImpl::report_findings() {
  for (const HeadFinding& finding : heads_.findings) {
    const bool is_old = finding.kind == TroubleKind::old_heads;
    if (is_old && homes_.members()[finding.member].refuses) continue;  // nothing newer was given to it from here
    const bool cannot_follow = is_old && homes_.members()[finding.member].read_only;
    if (cannot_follow) {
      homes_.report(finding.member, TroubleKind::read_only, "it cannot be given the newest heads");
    } else {
      homes_.report(finding.member, finding.kind, finding.detail);
    }
  }
}

/// A damaged file of the state folder is made anew from what homes have; that it was is said.
void VaultImpl::look_at_state() {
  damaged_files_.clear();
  if (record_.record.device != device_.id) return;  // a recovery has none yet
  auto note = [this](const auto& read, const char* instead) {
    if (!read && read.error().code == Errc::corrupt) damaged_files_.push_back(read.error().detail + instead);
  };
  note(state_.own_heads(), ": what homes have of it is used");
  note(state_.seen(), ": it begins anew with what homes show now");
  auto copy = state_.records_copy();
  auto is_genuine = [this](const Bytes& one) { return check_record(one, record_.record.vault).has_value(); };
  if (copy && !std::ranges::all_of(*copy, is_genuine))
    copy = fail(Errc::corrupt, state_.records_path() + ".copy: damaged");
  note(copy, ": it is made again");
  if (!copy) (void)state_.set_records(record_);
}

}  // namespace impl

Task<Result<std::unique_ptr<Vault>>> Vault::open(platform::Platform& platform, dispersal::HomeSet& homes, State& state,
                                                 const Device& device, const OpenRecord& record, OpenHow how) {
  auto vault = std::make_unique<impl::VaultImpl>(platform, homes, state, device, record, how);
  MHP_CO_TRY_VOID(co_await vault->load());
  co_return std::unique_ptr<Vault>(std::move(vault));
}

}  // namespace mhp::vault
