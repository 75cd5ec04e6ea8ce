// Which homes of clouds a vault uses, and taking them on its list.
#include "app/cloud_homes.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "app/text.h"
#include "cloud/book.h"
#include "cloud/computer.h"
#include "dispersal/plan.h"
#include "primitives/hash/blake3.h"

namespace mhp::app {
namespace {

/// The same for every computer of the vault, another for each vault, so that owners spread over homes.
primitives::Hash lot(const VaultId& vault, ByteView id) {
  Bytes both = to_bytes(vault.bytes());
  both.insert(both.end(), id.begin(), id.end());
  return primitives::blake3_derive("mhp order of homes", both);
}

std::array<std::byte, 32> array_of(ByteView id) {
  std::array<std::byte, 32> out;
  std::copy_n(id.begin(), out.size(), out.begin());
  return out;
}

/// A home that is lent in one of the clouds.
struct Offer {
  HomeId id;
  const CloudNow* from;
  const cloud::Home* home;
  bool is_own() const { return home->member == from->self; }
};

class Decision {
 public:
  explicit Decision(const HomesNow& now) : now_(now) {
    for (const CloudNow& cloud : now.clouds) {
      if (!cloud.view.members.contains(cloud.self)) continue;  // removed: nobody there takes anything from the owner
      for (const auto& [id, home] : cloud.view.homes) {
        const bool is_lent = home.lend_bytes > 0 && cloud.view.members.contains(home.member);
        if (is_lent) offers_.try_emplace(id, Offer{.id = id, .from = &cloud, .home = &home});
      }
    }
  }

  HomesDecided decide() {
    out_.homes = now_.homes;
    for (wire::HomeEntry& entry : out_.homes) judge(entry);
    for (const wire::HomeEntry& entry : out_.homes)
      if (offers_.contains(entry.id) && refuses_here(entry.id)) out_.refusing.insert(entry.id);
    std::size_t used = 0;
    for (const wire::HomeEntry& entry : out_.homes)
      used += entry.cloud != kNone && !out_.leaving.contains(entry.id) ? 1 : 0;
    for (const Offer& offer : free_offers()) {
      if (used >= dispersal::kMaxHomesPerSegment || out_.homes.size() >= wire::kMaxHomes) break;
      if (addresses_for(*offer.home).empty()) {
        out_.never_up.push_back(free_name(offer));
        continue;
      }
      add(offer);
      ++used;
    }
    return std::move(out_);
  }

  Result<std::optional<wire::HomeEntry>> named(const std::string& which) {
    out_.homes = now_.homes;
    std::optional<wire::HomeEntry> found;
    for (const auto& [id, offer] : offers_) {
      const bool is_listed = std::ranges::find(now_.homes, id, &wire::HomeEntry::id) != now_.homes.end();
      if (is_listed || now_.here == id) continue;
      wire::HomeEntry entry = entry_of(offer);
      const bool by_id = which.size() >= 4 && id.hex().starts_with(which);
      if (!by_id && offer.home->name != which && entry.name != which) continue;
      if (found) {
        return fail(
            Errc::usage, Subject::home,
            fmt::format("several homes of your clouds are called '{}': say the first letters of the id", which));
      }
      found = std::move(entry);
    }
    return found;
  }

 private:
  static constexpr std::array<std::byte, 32> kNone{};

  bool is_known_cloud(const std::array<std::byte, 32>& cloud) const {
    const CloudId id = CloudId::from_array(cloud);
    return now_.left.contains(id) || std::ranges::find(now_.clouds, id, &CloudNow::cloud) != now_.clouds.end();
  }

  /// In each of the clouds that lend it. It takes what it is asked to keep where one of them takes this computer.
  bool refuses_here(const HomeId& home) const {
    return std::ranges::none_of(now_.clouds, [&](const CloudNow& cloud) {
      return !cloud.refuses_here && cloud.view.members.contains(cloud.self) && cloud.view.homes.contains(home);
    });
  }

  /// A home that is on the list: where it is now, or that it goes.
  void judge(wire::HomeEntry& entry) {
    if (entry.kind != wire::HomeKind::computer) return;
    const auto offer = offers_.find(entry.id);
    if (offer != offers_.end()) return update(entry, offer->second);
    if (entry.cloud != kNone && is_known_cloud(entry.cloud)) out_.leaving.insert(entry.id);
  }

  static void update(wire::HomeEntry& entry, const Offer& offer) {
    entry.cloud = array_of(offer.from->cloud.bytes());
    entry.member = offer.is_own() ? kNone : array_of(offer.home->member.bytes());
    const std::vector<std::string> addresses = addresses_for(*offer.home);
    if (!addresses.empty()) entry.addresses = addresses;
  }

  static std::vector<std::string> addresses_for(const cloud::Home& home) {
    std::vector<std::string> out;
    for (const std::string& address : home.addresses) {
      const bool fits = !address.empty() && address.size() <= wire::kMaxAddressBytes &&
                        address.find('\0') == std::string::npos && out.size() < wire::kMaxHomeAddresses;
      if (fits) out.push_back(address);
    }
    return out;
  }

  /// Those that are not on the list and may come there, the best first.
  std::vector<Offer> free_offers() const {
    std::map<MemberId, std::vector<Offer>> by_member;
    for (const auto& [id, offer] : offers_) {
      const bool is_listed = std::ranges::find(now_.homes, id, &wire::HomeEntry::id) != now_.homes.end();
      const auto removed = std::ranges::find(now_.removed, id, &wire::RemovedHome::id);
      const bool stays_off = removed != now_.removed.end() && removed->changed_ns > offer.from->joined_ns;
      if (!is_listed && !stays_off && now_.here != id && !refuses_here(id))
        by_member[offer.home->member].push_back(offer);
    }
    using Place = std::tuple<bool, bool, std::size_t, Attendance, primitives::Hash, HomeId>;
    std::vector<std::pair<Place, Offer>> placed;
    for (auto& [member, offers] : by_member) {
      std::ranges::sort(offers, {}, [this](const Offer& offer) {
        return std::tuple(attendance(offer), !offer.home->anchor, lot(now_.vault, offer.id.bytes()));
      });
      for (std::size_t i = 0; i < offers.size(); ++i) {
        const bool is_own = offers[i].is_own();
        const Attendance there = attendance(offers[i]);
        placed.emplace_back(Place(!is_own, !is_own && there == Attendance::rarely, is_own ? 0 : i, there,
                                  lot(now_.vault, member.bytes()), offers[i].id),
                            offers[i]);
      }
    }
    std::ranges::sort(placed, {}, [](const auto& one) { return one.first; });
    std::vector<Offer> out;
    for (const auto& [place, offer] : placed) out.push_back(offer);
    return out;
  }

  Attendance attendance(const Offer& offer) const { return attendance_of(now_.presences, offer.id); }

  void add(const Offer& offer) { out_.homes.push_back(entry_of(offer)); }

  wire::HomeEntry entry_of(const Offer& offer) const {
    wire::HomeEntry entry{.id = offer.id, .name = free_name(offer), .kind = wire::HomeKind::computer};
    update(entry, offer);
    return entry;
  }

  /// Nobody can tell homes of one name apart.
  std::string free_name(const Offer& offer) const {
    const std::string& member = offer.from->view.members.at(offer.home->member).name;
    std::string name = offer.home->name.empty() ? member + "'s home" : offer.home->name;
    const auto is_taken = [this](const std::string& text) {
      return std::ranges::find(out_.homes, text, &wire::HomeEntry::name) != out_.homes.end();
    };
    if (is_taken(name)) name = fmt::format("{} of {}", name, member);
    if (is_taken(name)) name = fmt::format("{} {}", name, offer.id.short_hex());
    const bool fits = name.size() <= wire::kMaxNameBytes && name.find('\0') == std::string::npos;
    return fits ? name : offer.id.short_hex();
  }

  const HomesNow& now_;
  std::map<HomeId, Offer> offers_;
  HomesDecided out_;
};

/// Whose rosters this computer has; an error where the book as a whole cannot be read. `out_of_clouds`: gets those that
/// the owner, or this computer, is out of.
Result<std::vector<CloudNow>> rosters_of(const Session& session, const std::vector<wire::Membership>& memberships,
                                         std::vector<OutOf>* out_of_clouds = nullptr) {
  cloud::Book book(session.platform.disk(), session.state_folder + "/clouds", session.command);
  if (const auto read = book.refresh(); !read && book.clouds().empty()) return tl::unexpected<Error>(read.error());
  std::vector<CloudNow> out;
  for (const wire::Membership& membership : memberships) {
    const auto roster = book.find(membership.cloud);
    if (!roster) continue;
    const primitives::SigningKey key(membership.member_secret);
    out.push_back({.cloud = membership.cloud,
                   .self = cloud::as_member(key.public_key()),
                   .view = roster->view(),
                   .joined_ns = membership.changed_ns});
    auto out_of_it = not_in(*roster, key, known_own_key(session));
    out.back().refuses_here = out_of_it && out_of_it->is_computer;
    if (out_of_it && out_of_clouds != nullptr) out_of_clouds->push_back(std::move(*out_of_it));
  }
  return out;
}

}  // namespace

HomesDecided decide_homes(const HomesNow& now) { return Decision(now).decide(); }

Result<std::optional<wire::HomeEntry>> lent_home(const HomesNow& now, const std::string& which) {
  return Decision(now).named(which);
}

static HomesNow homes_now(const Session& session, const Opened& opened) {
  const wire::VaultPrivate& content = opened.record->content;
  HomesNow now{.vault = opened.record->record.vault,
               .homes = content.homes,
               .removed = content.removed,
               .left = {},
               .here = std::nullopt,
               .presences = read_presences(session.platform.disk(), session.state_folder)};
  for (const wire::LeftCloud& left : content.left_clouds) now.left.insert(left.cloud);
  const auto seed = cloud::known_computer_seed(session.platform.disk(), session.state_folder);
  if (seed) now.here = cloud::computer_id(*seed);
  return now;
}

Result<std::optional<wire::HomeEntry>> find_lent_home(const Session& session, const Opened& opened,
                                                      const std::string& which) {
  HomesNow now = homes_now(session, opened);
  MHP_TRY(now.clouds, rosters_of(session, opened.record->content.clouds));
  return lent_home(now, which);
}

Result<std::set<HomeId>> leaving_without(const Session& session, const Opened& opened, const CloudId& cloud) {
  HomesNow now = homes_now(session, opened);
  auto memberships = opened.record->content.clouds;
  std::erase_if(memberships, [&](const wire::Membership& one) { return one.cloud == cloud; });
  MHP_TRY(now.clouds, rosters_of(session, memberships));
  now.left.insert(cloud);
  return decide_homes(now).leaving;
}

Result<void> follow_clouds(const Session& session, Opened& opened, bool keep) {
  const wire::VaultPrivate& content = opened.record->content;
  opened.leaving.clear();
  opened.refusing.clear();
  opened.never_up.clear();
  opened.cloud_names.clear();
  opened.out.clear();
  if (content.clouds.empty() && content.left_clouds.empty()) return {};
  HomesNow now = homes_now(session, opened);
  auto rosters = rosters_of(session, content.clouds, &opened.out);
  if (!rosters && !session.out.mute) {
    session.out.note(fmt::format("who lends homes in your clouds cannot be read here: {}. Homes stay as they are.",
                                 printable(rosters.error().detail)));
  }
  if (rosters) now.clouds = std::move(*rosters);
  for (const CloudNow& one : now.clouds) opened.cloud_names.emplace(one.cloud, one.view.name);
  HomesDecided decided = decide_homes(now);
  opened.leaving = std::move(decided.leaving);
  opened.refusing = std::move(decided.refusing);
  opened.never_up = std::move(decided.never_up);
  if (decided.homes == content.homes) return {};
  if (!keep) {
    opened.record->content.homes = std::move(decided.homes);
    return {};
  }
  wire::VaultPrivate changed = content;
  changed.homes = std::move(decided.homes);
  auto next = vault::next_record(*opened.record, *opened.device, std::move(changed), session.platform.random(),
                                 session.platform.clock().unix_ns());
  if (!next) return pass(next);
  MHP_TRY_VOID(opened.state->set_records(*next));
  *opened.record = std::move(*next);
  return {};
}

}  // namespace mhp::app
