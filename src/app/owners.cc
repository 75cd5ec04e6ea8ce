// Members, and the networks that their homes' addresses name.
#include "app/owners.h"

#include <arpa/inet.h>

#include <array>
#include <map>
#include <set>

#include "cloud/exchange.h"
#include "cloud/reach.h"

namespace mhp::app {
namespace {

using MemberBytes = std::array<std::byte, 32>;
constexpr MemberBytes kOwn{};
constexpr std::size_t kCustomerBytes = 7;  // of an IPv6 address

/// Each member, and the one that stands for all of its network.
class Groups {
 public:
  explicit Groups(std::span<const wire::HomeEntry> entries) {
    std::map<std::string, MemberBytes> by_network;
    for (const wire::HomeEntry& entry : entries) {
      if (entry.member == kOwn) continue;
      parents_.try_emplace(entry.member, entry.member);
      for (const std::string& address : entry.addresses) {
        const std::string network = network_of(address);
        if (network.empty()) continue;
        const auto [known, is_new] = by_network.try_emplace(network, entry.member);
        if (!is_new) parents_[top(entry.member)] = top(known->second);
      }
    }
  }

  MemberBytes top(MemberBytes member) const {
    while (parents_.at(member) != member) member = parents_.at(member);
    return member;
  }

  std::size_t number() const {
    std::set<MemberBytes> tops;
    for (const auto& [member, parent] : parents_) tops.insert(top(member));
    return tops.size();
  }

 private:
  std::map<MemberBytes, MemberBytes> parents_;
};

}  // namespace

std::string network_of(const std::string& address) {
  const auto parsed = platform::parse_host_and_port(address, cloud::kUsualPort);
  if (!parsed || !cloud::is_public_address(address)) return "";
  std::array<char, 16> bytes{};
  if (inet_pton(AF_INET, parsed->host.c_str(), bytes.data()) == 1) return std::string(bytes.data(), 4);
  if (inet_pton(AF_INET6, parsed->host.c_str(), bytes.data()) == 1) return std::string(bytes.data(), kCustomerBytes);
  return "";
}

std::vector<std::uint32_t> owner_numbers(std::span<const wire::HomeEntry> entries) {
  constexpr std::size_t kEnough = 3;
  const Groups groups(entries);
  std::size_t own = 0;
  for (const wire::HomeEntry& entry : entries) own += entry.member == kOwn ? 1 : 0;
  const bool by_network = groups.number() + own >= kEnough;
  std::map<MemberBytes, std::uint32_t> numbers = {{kOwn, 0}};
  std::vector<std::uint32_t> out;
  for (const wire::HomeEntry& entry : entries) {
    const MemberBytes who = by_network && entry.member != kOwn ? groups.top(entry.member) : entry.member;
    out.push_back(numbers.try_emplace(who, static_cast<std::uint32_t>(numbers.size())).first->second);
  }
  return out;
}

}  // namespace mhp::app
