// From rosters to rights and relays.
#include "cloud/reach.h"

#include <algorithm>
#include <array>
#include <asio/ip/address_v6.hpp>
#include <charconv>

#include "cloud/claim.h"
#include "cloud/exchange.h"

namespace mhp::cloud {
namespace {

/// The four numbers of an IPv4 address; nothing where it is none.
std::optional<std::array<unsigned, 4>> parse_v4(std::string_view host) {
  std::array<unsigned, 4> out{};
  for (std::size_t part = 0; part < out.size(); ++part) {
    const auto [end, error] = std::from_chars(host.data(), host.data() + host.size(), out[part]);
    if (error != std::errc() || out[part] > 255) return std::nullopt;
    host.remove_prefix(static_cast<std::size_t>(end - host.data()));
    const bool is_last = part + 1 == out.size();
    if (is_last != host.empty() || (!is_last && host.front() != '.')) return std::nullopt;
    if (!is_last) host.remove_prefix(1);
  }
  return out;
}

bool is_public_v4(const std::array<unsigned, 4>& number) {
  const auto [a, b, c, d] = number;
  const bool is_private = a == 10 || (a == 172 && b >= 16 && b < 32) || (a == 192 && b == 168);
  const bool is_shared = a == 100 && b >= 64 && b < 128;
  const bool is_local = a == 127 || a == 0 || (a == 169 && b == 254) || a >= 224;
  return !is_private && !is_shared && !is_local;
}

bool is_public_v6(std::string_view host) {
  const auto begins = [host](std::string_view with) { return host.starts_with(with); };
  const bool is_unique_local = begins("fc") || begins("fd");
  const bool is_link_local = begins("fe8") || begins("fe9") || begins("fea") || begins("feb");
  return !is_unique_local && !is_link_local && host != "::1" && host != "::" && !begins("ff");
}

/// Of "HOST:PORT"; empty where it cannot be read.
std::string host_of(const std::string& address) {
  const auto parsed = platform::parse_host_and_port(address, kUsualPort);
  return parsed ? parsed->host : "";
}

/// What this home tells of itself in all of its clouds.
std::vector<std::string> told_addresses(const Book& book, const HomeId& home) {
  std::vector<std::string> out;
  for (const auto& one : book.belongings(home)) {
    const RosterPointer roster = book.find(one.cloud);
    if (!roster) continue;
    const auto& addresses = roster->view().homes.at(home).addresses;
    out.insert(out.end(), addresses.begin(), addresses.end());
  }
  return out;
}

/// Whether all of a relay's public addresses are in networks of `own`: then it says little of others that this computer
/// gets in there.
bool is_in(const std::set<std::string>& own, const Home& relay) {
  return std::ranges::all_of(relay.addresses, [&own](const std::string& address) {
    return !is_public_address(address) || own.contains(site_of(host_of(address)));
  });
}

}  // namespace

std::string site_of(const std::string& host) {
  if (const auto v4 = parse_v4(host)) return std::to_string((*v4)[0]) + "." + std::to_string((*v4)[1]);
  asio::error_code problem;
  const auto v6 = asio::ip::make_address_v6(host, problem);
  if (problem) return host;
  constexpr std::size_t kNetworkBytes = 6;
  auto bytes = v6.to_bytes();
  std::fill(bytes.begin() + kNetworkBytes, bytes.end(), std::uint8_t{0});
  return asio::ip::address_v6(bytes).to_string();
}

std::set<std::string> Reachable::hosts_told() const {
  std::set<std::string> out;
  for (const std::string& address : told_addresses(book_, own_)) {
    const std::string host = host_of(address);
    const bool is_v6 = host.find(':') != std::string::npos;
    if (is_public_address(address) && !is_v6) out.insert(host);
  }
  return out;
}

void Reachable::came(const HomeId& who, const std::string& address) {
  if (who == own_ || !book_.has_home(who) || !parse_v4(address) || !is_public_address(address)) return;
  std::set<std::string> here = hosts_told();
  const std::string theirs = site_of(address);
  const auto is_near = [&theirs](const std::string& host) { return site_of(host) == theirs; };
  if (here.empty() || std::ranges::any_of(here, is_near)) return;
  last_ = Visit{clock_.unix_ns() / 1'000'000'000, who, std::move(here)};
}

bool Reachable::is_reached() const {
  if (!last_) return false;
  const std::int64_t ago_s = clock_.unix_ns() / 1'000'000'000 - last_->at_s;
  return ago_s >= 0 && ago_s < kVisitCounts.count() && last_->here == hosts_told();
}

bool is_public_address(const std::string& address) {
  const auto parsed = platform::parse_host_and_port(address, kUsualPort);
  if (!parsed) return false;
  std::string host = parsed->host;
  std::ranges::transform(host, host.begin(),
                         [](char one) { return one >= 'A' && one <= 'Z' ? static_cast<char>(one + 32) : one; });
  if (host.find(':') != std::string::npos) return is_public_v6(host);
  if (const auto number = parse_v4(host)) return is_public_v4(*number);
  return host != "localhost" && !host.ends_with(".localhost") && !host.ends_with(".local");
}

std::vector<net::Relay> relays_of(const View& view) {
  std::vector<net::Relay> out;
  for (const auto& [id, home] : view.homes) {
    if (std::ranges::any_of(home.addresses, is_public_address)) out.push_back({id, addresses_of(home.addresses)});
  }
  return out;
}

bool CloudReach::may_call(const HomeId& caller, const HomeId& home) {
  const auto one = book_.belongings(caller);
  const auto other = book_.belongings(home);
  return std::ranges::any_of(one, [&other](const Book::Belonging& mine) {
    return std::ranges::find(other, mine.cloud, &Book::Belonging::cloud) != other.end();
  });
}

net::CallRight CloudReach::may_call_by(const net::Peer& caller, ByteView claim, const HomeId& home) {
  const auto envelope = wire::parse_signed(claim, wire::kMaxCloudClaimBytes);
  if (!envelope) return net::CallRight::none;
  const auto about = wire::parse_cloud_claim(envelope->body);
  if (!about) return net::CallRight::none;
  const RosterPointer roster = book_.find(about->cloud);
  if (!roster || !roster->view().homes.contains(own_) || !roster->view().homes.contains(home))
    return net::CallRight::none;
  const auto key = claimed_by({about->cloud, own_, caller.exporter}, claim);
  if (!key) return net::CallRight::none;
  if (speaks_for(roster->view(), *key, as_key(caller.key))) return net::CallRight::member;
  return is_former_member(roster->view(), *key, as_key(caller.key)) ? net::CallRight::former : net::CallRight::none;
}

void CloudReach::speak_as(const CloudId& cloud, const primitives::SigningKey& member) {
  members_.erase(cloud);
  members_.emplace(cloud, member);
}

void CloudReach::come_back_as(ComingBack as) {
  speak_as(as.roster->cloud(), as.member);
  coming_back_.push_back(std::move(as));
}

/// By a roster, or by the vault's list.
bool CloudReach::is_of(const CloudId& cloud, const HomeId& home) const {
  const auto names = [&](const RosterPointer& roster) { return roster && roster->view().homes.contains(home); };
  const auto comes_back = [&](const ComingBack& as) { return as.roster->cloud() == cloud && names(as.roster); };
  const auto listed = listed_.find(home);
  return names(book_.find(cloud)) || std::ranges::any_of(coming_back_, comes_back) ||
         (listed != listed_.end() && listed->second.cloud == cloud);
}

bool CloudReach::is_known(const HomeId& home) {
  const auto names = [&home](const ComingBack& as) { return as.roster->view().homes.contains(home); };
  return book_.has_home(home) || listed_.contains(home) || std::ranges::any_of(coming_back_, names);
}

bool CloudReach::is_coming_back_to(const CloudId& cloud) const {
  return std::ranges::any_of(coming_back_, [&cloud](const ComingBack& as) { return as.roster->cloud() == cloud; });
}

Bytes CloudReach::claim_for(const net::Peer& relay, const HomeId& home) {
  for (const auto& [cloud, member] : members_)
    if (is_of(cloud, relay.id) && is_of(cloud, home)) return make_claim(cloud, member, relay);
  return {};
}

std::vector<net::Relay> CloudReach::relays_for(const HomeId& home) {
  (void)book_.refresh();  // a roster that cannot be read has no relays
  std::vector<RosterPointer> rosters;
  for (const auto& theirs : book_.belongings(home)) rosters.push_back(book_.find(theirs.cloud));
  for (const ComingBack& as : coming_back_)
    if (as.roster->view().homes.contains(home)) rosters.push_back(as.roster);
  std::vector<net::Relay> out;
  const auto add = [&](net::Relay relay) {
    const bool is_there = std::ranges::find(out, relay.home, &net::Relay::home) != out.end();
    if (!is_there && relay.home != home) out.push_back(std::move(relay));
  };
  for (const RosterPointer& roster : rosters)
    for (net::Relay& relay : relays_of(roster->view())) add(std::move(relay));
  const auto here = listed_.find(home);
  if (here == listed_.end() || !members_.contains(here->second.cloud)) return out;
  for (const auto& [id, one] : listed_) {
    const bool is_relay = one.cloud == here->second.cloud && std::ranges::any_of(one.addresses, is_public_address);
    if (is_relay) add({id, addresses_of(one.addresses)});
  }
  return out;
}

std::vector<net::Relay> CloudReach::relays_to_wait_at(bool is_reached) const {
  std::vector<net::Relay> out;
  if (is_reached) return out;
  std::set<std::string> own;
  for (const std::string& address : told_addresses(book_, own_))
    if (is_public_address(address)) own.insert(site_of(host_of(address)));
  for (const auto& mine : book_.belongings(own_)) {
    const RosterPointer roster = book_.find(mine.cloud);
    if (!roster) continue;
    const View& view = roster->view();
    for (net::Relay& relay : relays_of(view)) {
      if (relay.home == own_ || std::ranges::find(out, relay.home, &net::Relay::home) != out.end()) continue;
      relay.is_near = is_in(own, view.homes.at(relay.home));
      out.push_back(std::move(relay));
    }
  }
  return out;
}

}  // namespace mhp::cloud
