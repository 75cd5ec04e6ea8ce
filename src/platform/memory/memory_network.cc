// The wires between simulated hosts: who reaches whom, when a byte is there, what a partition does.
#include "platform/memory/memory_network.h"

#include <algorithm>

#include "base/check.h"
#include "platform/memory/wires.h"

namespace mhp::platform {

namespace {

using std::chrono::nanoseconds;

constexpr nanoseconds kLoopbackLatency{0};

nanoseconds time_for(std::uint64_t bytes, std::uint64_t bytes_per_second) {
  if (bytes_per_second == 0) return nanoseconds(0);
  return nanoseconds(
      static_cast<std::int64_t>(static_cast<double>(bytes) * 1e9 / static_cast<double>(bytes_per_second)));
}

/// Since when nothing has passed, of what keeps it from passing now.
nanoseconds cut_since(const WireHost& a, const WireHost& b, const Wire& wire) {
  auto since = nanoseconds::max();
  if (wire.cut) since = std::min(since, wire.cut_since);
  if (!a.plugged) since = std::min(since, a.unplugged_since);
  if (!b.plugged) since = std::min(since, b.unplugged_since);
  return since;
}

}  // namespace

WireHost& MemoryNetwork::State::host(const std::string& address) {
  const auto found = hosts.find(address);
  MHP_CHECK(found != hosts.end());  // a test names a host that there is not
  return *found->second;
}

std::shared_ptr<WireHost> MemoryNetwork::State::find(const std::shared_ptr<WireHost>& from,
                                                     const std::string& address) {
  if (is_loopback(address)) return from;
  const auto found = hosts.find(address);
  return found == hosts.end() ? nullptr : found->second;
}

Wire& MemoryNetwork::State::wire(const WireHost& from, const WireHost& to) {
  return wires[{from.facts.address, to.facts.address}];
}

MemoryLink MemoryNetwork::State::link(const WireHost& from, const WireHost& to) {
  if (&from == &to) return {.latency = kLoopbackLatency};
  return wire(from, to).link.value_or(usual);
}

bool MemoryNetwork::State::is_cut(const WireHost& from, const WireHost& to) {
  if (&from == &to) return false;
  return !from.plugged || !to.plugged || wire(from, to).cut;
}

bool MemoryNetwork::State::may_connect(const WireHost& from, const WireHost& to) {
  const bool shut_out = !to.facts.router.empty() && to.facts.router != from.facts.router;
  return !shut_out && !is_cut(from, to) && !is_cut(to, from);
}

nanoseconds MemoryNetwork::State::arrival(WireHost& from, WireHost& to, std::size_t bytes) {
  const auto facts = link(from, to);
  auto gone = clock.steady();
  if (&from != &to) {
    gone = std::max(gone, from.upload_free) + time_for(bytes, from.facts.upload_bytes_per_second);
    from.upload_free = gone;
    auto& way = wire(from, to);
    gone = std::max(gone, way.free) + time_for(bytes, facts.bytes_per_second);
    way.free = gone;
  }
  return gone + facts.latency;
}

void MemoryNetwork::State::cut_for_long(const WireHost& a, const WireHost& b) {
  if (!is_cut(a, b)) return;
  if (clock.steady() - cut_since(a, b, wire(a, b)) < Stream::kDeadAfter) return;  // a later cut: its own event comes
  for (const auto& each : connections_between(a, b)) lose_both(*each, {Errc::timed_out, "connection timed out"});
}

void MemoryNetwork::State::add(const std::shared_ptr<Connection>& connection) {
  if (connections.size() >= most_connections) {
    std::erase_if(connections, [](const auto& each) { return each.expired(); });
    most_connections = std::max(most_connections, 2 * connections.size());
  }
  connections.push_back(connection);
}

std::vector<std::shared_ptr<Connection>> MemoryNetwork::State::connections_between(const WireHost& a,
                                                                                   const WireHost& b) {
  std::vector<std::shared_ptr<Connection>> out;
  for (const auto& each : connections) {
    const auto there = each.lock();
    if (!there) continue;
    const WireHost* first = there->hosts[0].get();
    const WireHost* second = there->hosts[1].get();
    if ((first == &a && second == &b) || (first == &b && second == &a)) out.push_back(there);
  }
  return out;
}

void MemoryNetwork::State::watch_cut(const std::shared_ptr<WireHost>& a, const std::shared_ptr<WireHost>& b) {
  clock.call_at(clock.steady() + Stream::kDeadAfter, [weak = weak_from_this(), a, b] {
    if (const auto state = weak.lock()) state->cut_for_long(*a, *b);
  });
}

void MemoryNetwork::State::mended(const WireHost& a, const WireHost& b) {
  for (const auto& each : connections_between(a, b)) {
    for (const int side : {0, 1}) pump(each, side);
  }
}

std::shared_ptr<WireHost> MemoryNetwork::State::shared_host(const std::string& address) {
  (void)host(address);
  return hosts.at(address);
}

void MemoryNetwork::set_default_link(const MemoryLink& link) { state_->usual = link; }

void MemoryNetwork::set_link(const std::string& from, const std::string& to, const MemoryLink& link) {
  state_->wire(state_->host(from), state_->host(to)).link = link;
}

void MemoryNetwork::cut(const std::string& a, const std::string& b) {
  const auto first = state_->shared_host(a);
  const auto second = state_->shared_host(b);
  for (Wire* wire : {&state_->wire(*first, *second), &state_->wire(*second, *first)}) {
    if (!wire->cut) wire->cut_since = state_->clock.steady();
    wire->cut = true;
  }
  state_->watch_cut(first, second);
}

void MemoryNetwork::mend(const std::string& a, const std::string& b) {
  WireHost& first = state_->host(a);
  WireHost& second = state_->host(b);
  state_->wire(first, second).cut = false;
  state_->wire(second, first).cut = false;
  state_->mended(first, second);
}

void MemoryNetwork::unplug(const std::string& host) {
  const auto gone = state_->shared_host(host);
  if (gone->plugged) gone->unplugged_since = state_->clock.steady();
  gone->plugged = false;
  for (const auto& [address, other] : state_->hosts) {
    if (other != gone) state_->watch_cut(gone, other);
  }
}

void MemoryNetwork::plug_in(const std::string& host) {
  WireHost& back = state_->host(host);
  back.plugged = true;
  for (const auto& [address, other] : state_->hosts) state_->mended(back, *other);
}

void MemoryNetwork::lose_connections(const std::string& a, const std::string& b) {
  for (const auto& each : state_->connections_between(state_->host(a), state_->host(b))) {
    state_->lose_both(*each, {Errc::unavailable, "connection reset by peer"});
  }
}

void MemoryNetwork::set_name(const std::string& name, std::vector<std::string> addresses) {
  if (addresses.empty()) {
    state_->names.erase(name);
  } else {
    state_->names[name] = std::move(addresses);
  }
}

std::uint64_t MemoryNetwork::carried_bytes(const std::string& from, const std::string& to) const {
  return state_->wire(state_->host(from), state_->host(to)).carried_bytes;
}

std::shared_ptr<MemoryNetwork::State> make_memory_network(asio::any_io_executor loop, SimulatedClock& clock,
                                                          std::uint64_t seed) {
  return std::make_shared<MemoryNetwork::State>(std::move(loop), clock, seed);
}

}  // namespace mhp::platform
