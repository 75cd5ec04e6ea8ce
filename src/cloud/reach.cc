// From rosters to rights and relays.
#include "cloud/reach.h"

#include <algorithm>
#include <array>
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

}  // namespace

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

bool CloudReach::may_call_by(const net::Peer& caller, ByteView claim, const HomeId& home) {
  const auto envelope = wire::parse_signed(claim, wire::kMaxCloudClaimBytes);
  if (!envelope) return false;
  const auto about = wire::parse_cloud_claim(envelope->body);
  if (!about) return false;
  const RosterPointer roster = book_.find(about->cloud);
  if (!roster || !roster->view().homes.contains(own_) || !roster->view().homes.contains(home)) return false;
  const auto key = claimed_by({about->cloud, own_, caller.exporter}, claim);
  return key && speaks_for(roster->view(), *key, as_key(caller.key));
}

bool CloudReach::is_known(const HomeId& home) {
  const auto names = [&home](const ComingBack& as) { return as.roster->view().homes.contains(home); };
  return book_.has_home(home) || std::ranges::any_of(coming_back_, names);
}

bool CloudReach::is_coming_back_to(const CloudId& cloud) const {
  return std::ranges::any_of(coming_back_, [&cloud](const ComingBack& as) { return as.roster->cloud() == cloud; });
}

Bytes CloudReach::claim_for(const net::Peer& relay, const HomeId& home) {
  for (const ComingBack& as : coming_back_) {
    const auto& homes = as.roster->view().homes;
    if (homes.contains(relay.id) && homes.contains(home)) return make_claim(as.roster->cloud(), as.member, relay);
  }
  return {};
}

std::vector<net::Relay> CloudReach::relays_for(const HomeId& home) {
  (void)book_.refresh();  // a roster that cannot be read has no relays
  std::vector<RosterPointer> rosters;
  for (const auto& theirs : book_.belongings(home)) rosters.push_back(book_.find(theirs.cloud));
  for (const ComingBack& as : coming_back_)
    if (as.roster->view().homes.contains(home)) rosters.push_back(as.roster);
  std::vector<net::Relay> out;
  for (const RosterPointer& roster : rosters) {
    for (net::Relay& relay : relays_of(roster->view())) {
      const bool is_there = std::ranges::find(out, relay.home, &net::Relay::home) != out.end();
      if (!is_there && relay.home != home) out.push_back(std::move(relay));
    }
  }
  return out;
}

std::vector<net::Relay> CloudReach::relays_to_wait_at() const {
  std::vector<net::Relay> out;
  for (const auto& mine : book_.belongings(own_)) {
    const RosterPointer roster = book_.find(mine.cloud);
    if (!roster) continue;
    const View& view = roster->view();
    if (std::ranges::any_of(view.homes.at(own_).addresses, is_public_address)) return {};
    for (net::Relay& relay : relays_of(view)) {
      if (std::ranges::find(out, relay.home, &net::Relay::home) == out.end()) out.push_back(std::move(relay));
    }
  }
  return out;
}

}  // namespace mhp::cloud
