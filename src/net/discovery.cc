// Beacons in the local network: called out, heard, answered and forgotten.
#include "net/discovery.h"

#include <algorithm>

#include "net/impl/bell.h"
#include "net/impl/within.h"

namespace mhp::net {
namespace {

using std::chrono::nanoseconds;

constexpr std::int64_t kDayNs = 86'400'000'000'000;
constexpr int kDaysOff = 1;  // clocks differ: beacons of yesterday and tomorrow are heard too

}  // namespace

const std::vector<platform::Endpoint> kBeaconGroups{{"239.255.77.72", 7717}, {"ff12::4d48:5001", 7717}};

struct Neighbours::Group {
  Group(platform::Endpoint where, asio::any_io_executor executor) : at(std::move(where)), asked(std::move(executor)) {}
  const platform::Endpoint at;
  std::unique_ptr<platform::Datagrams> line;  // while it takes part
  bool ask = true;                            // the next beacon asks for answers
  impl::Bell asked;
};

Neighbours::Neighbours(Station station, platform::Network& network, platform::Random& random, Interest& interest,
                       std::uint16_t port, const NeighbourLimits& limits)
    : station_(station),
      network_(network),
      random_(random),
      interest_(interest),
      port_(port),
      limits_(limits),
      answers_({limits.answers_per_second}, limits.answers_at_once),
      hearing_({limits.heard_per_second}, limits.heard_at_once) {
  for (const auto& at : kBeaconGroups) groups_.push_back(std::make_unique<Group>(at, station.executor));
}

Neighbours::~Neighbours() = default;

Task<> Neighbours::run() {
  platform::Nursery all(station_.executor);
  for (const auto& group : groups_) all.start(take_part(*group));
  co_await all.join();
}

void Neighbours::ask() {
  for (const auto& group : groups_) {
    group->ask = true;
    group->asked.ring();
  }
}

Task<> Neighbours::take_part(Group& group) {
  for (;;) {
    auto line = network_.join_group(group.at);
    if (line) {
      group.line = std::move(*line);
      struct Leave {  // also where a cancellation leaves this frame
        Group& group;
        ~Leave() { group.line.reset(); }
      } leave{group};
      group.ask = true;
      platform::Nursery both(station_.executor);
      both.start(listen(group, both));
      both.start(call_out(group, both));
      co_await both.join();
    }
    co_await station_.clock.sleep(limits_.rejoin);
  }
}

Task<> Neighbours::call_out(Group& group, platform::Nursery& both) {
  for (;;) {
    const bool asks = std::exchange(group.ask, false);
    const auto beacon = own_beacon(asks);
    if (!beacon.tags.empty() && (asks || port_ != 0)) {
      const Bytes bytes = wire::encode(beacon);
      if (!co_await group.line->send(bytes)) break;
    }
    const auto draw = std::to_integer<unsigned>(random_.array<1>()[0]);
    const nanoseconds pause = limits_.every + nanoseconds(limits_.jitter) / 256 * draw;
    auto ring = impl::rung(group.asked);
    (void)co_await impl::within(station_.clock, pause, std::move(ring));
    forget_old();
  }
  both.cancel();
}

Task<> Neighbours::listen(Group& group, platform::Nursery& both) {
  for (;;) {
    auto datagram = co_await group.line->receive();
    if (!datagram) break;
    const auto now = station_.clock.steady();
    if (hearing_.take(now, 1).count() > 0) {
      hearing_.give_back(1);
      ++dropped_;
      continue;
    }
    auto hearing = hear(group, std::move(*datagram));
    co_await std::move(hearing);
  }
  both.cancel();
}

Task<> Neighbours::hear(Group& group, platform::Datagram datagram) {
  const auto beacon = wire::parse_beacon(datagram.bytes);
  if (!beacon || beacon->home == station_.tls.id() || !is_ours(*beacon)) co_return;
  if (beacon->port != 0) remember(*beacon, datagram.from);
  if (!beacon->asks || port_ == 0) co_return;
  if (answers_.take(station_.clock.steady(), 1).count() > 0) {
    answers_.give_back(1);
    co_return;
  }
  const Bytes answer = wire::encode(own_beacon(false));
  (void)co_await group.line->send_to(datagram.from, answer);  // it may be gone already
}

void Neighbours::remember(const wire::Beacon& beacon, const platform::Endpoint& from) {
  if (!interest_.is_known(beacon.home)) return;
  forget_old();
  if (!heard_.contains(beacon.home) && heard_.size() >= limits_.homes) return;
  auto& addresses = heard_[beacon.home];
  const auto now = station_.clock.steady();
  const auto found = std::ranges::find_if(addresses, [&](const Heard& heard) {
    return heard.address.host == from.address && heard.address.port == beacon.port;
  });
  if (found != addresses.end())
    found->at = now;
  else if (addresses.size() < limits_.addresses)  // who is there already is not pushed out by whoever comes
    addresses.push_back({{from.address, beacon.port}, now});
}

void Neighbours::forget_old() {
  const auto oldest = station_.clock.steady() - limits_.keep_time;
  for (auto at = heard_.begin(); at != heard_.end();) {
    std::erase_if(at->second, [oldest](const Heard& heard) { return heard.at < oldest; });
    at = at->second.empty() ? heard_.erase(at) : std::next(at);
  }
}

std::vector<Address> Neighbours::addresses_of(const HomeId& home) const {
  const auto found = heard_.find(home);
  if (found == heard_.end()) return {};
  auto all = found->second;
  std::erase_if(all, [this](const Heard& heard) { return heard.at < station_.clock.steady() - limits_.keep_time; });
  std::ranges::sort(all, std::ranges::greater{}, &Heard::at);
  std::vector<Address> out;
  for (Heard& heard : all) out.push_back(std::move(heard.address));
  return out;
}

std::vector<HomeId> Neighbours::homes() const {
  std::vector<HomeId> out;
  for (const auto& [home, addresses] : heard_) out.push_back(home);
  std::erase_if(out, [this](const HomeId& home) { return addresses_of(home).empty(); });
  return out;
}

std::int64_t Neighbours::today() const { return station_.clock.unix_ns() / kDayNs; }

wire::Beacon Neighbours::own_beacon(bool asks) {
  wire::Beacon beacon{.port = port_, .asks = asks};
  if (port_ != 0) beacon.home = station_.tls.id();
  for (const CloudId& cloud : interest_.clouds()) {
    if (beacon.tags.size() < wire::kMaxBeaconTags) beacon.tags.push_back(wire::beacon_tag(cloud, today()));
  }
  return beacon;
}

bool Neighbours::is_ours(const wire::Beacon& beacon) {
  for (const CloudId& cloud : interest_.clouds()) {
    for (int off = -kDaysOff; off <= kDaysOff; ++off) {
      if (std::ranges::find(beacon.tags, wire::beacon_tag(cloud, today() + off)) != beacon.tags.end()) return true;
    }
  }
  return false;
}

}  // namespace mhp::net
