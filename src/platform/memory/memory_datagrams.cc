// Multicast groups of the simulated network.
#include <asio/ip/address.hpp>

#include "platform/memory/wires.h"

namespace mhp::platform {

namespace {

using State = MemoryNetwork::State;

class MemoryDatagrams : public Datagrams {
 public:
  MemoryDatagrams(std::shared_ptr<State> state, std::shared_ptr<WireHost> host, std::shared_ptr<MemoryGroup> group)
      : state_(std::move(state)), host_(std::move(host)), group_(std::move(group)) {}
  ~MemoryDatagrams() override {
    group_->closed = true;
    group_->arrived.wake();
  }
  MemoryDatagrams(const MemoryDatagrams&) = delete;
  MemoryDatagrams& operator=(const MemoryDatagrams&) = delete;
  Task<Result<void>> send(ByteView bytes) override;
  Task<Result<void>> send_to(Endpoint to, ByteView bytes) override;
  Task<Result<Datagram>> receive() override { return receive_at(group_); }

 private:
  static Task<Result<Datagram>> receive_at(std::shared_ptr<MemoryGroup> group);
  /// To `member` of `to`, unless it gets lost.
  void carry(const std::shared_ptr<WireHost>& to, const std::shared_ptr<MemoryGroup>& member, ByteView bytes);

  std::shared_ptr<State> state_;
  std::shared_ptr<WireHost> host_;
  std::shared_ptr<MemoryGroup> group_;
};

void MemoryDatagrams::carry(const std::shared_ptr<WireHost>& to, const std::shared_ptr<MemoryGroup>& member,
                            ByteView bytes) {
  const auto link = state_->link(*host_, *to);
  const double drawn = static_cast<double>(state_->random.number() >> 11) * 0x1p-53;
  if (state_->is_cut(*host_, *to) || drawn < link.datagram_loss) return;
  Datagram datagram{{host_->facts.address, group_->port}, to_bytes(bytes)};
  state_->clock.call_at(state_->clock.steady() + link.latency,
                        [weak = std::weak_ptr(member), datagram = std::move(datagram)] {
                          const auto there = weak.lock();
                          if (!there || there->queue.size() >= MemoryGroup::kMaxQueued) return;
                          there->queue.push_back(datagram);
                          there->arrived.wake();
                        });
}

Result<void> check_size(ByteView bytes) {
  if (bytes.size() > Datagrams::kMaxBytes) return fail(Errc::invalid, "a datagram is too long");
  return {};
}

Task<Result<void>> MemoryDatagrams::send(ByteView bytes) {
  co_await stop_if_canceled();
  MHP_CO_TRY_VOID(check_size(bytes));
  for (const auto& [address, host] : state_->hosts) {
    if (host->facts.router != host_->facts.router || (group_->loopback_only && host != host_)) continue;
    std::erase_if(host->groups, [](const auto& each) { return each.expired(); });
    for (const auto& each : host->groups) {
      const auto member = each.lock();
      const bool hears = !member->loopback_only || host == host_;
      if (hears && member->group == group_->group) carry(host, member, bytes);
    }
  }
  co_return Result<void>();
}

Task<Result<void>> MemoryDatagrams::send_to(Endpoint to, ByteView bytes) {
  co_await stop_if_canceled();
  MHP_CO_TRY_VOID(check_size(bytes));
  MHP_CO_TRY(const auto address, normal_address(to.address));
  const auto found = state_->hosts.find(address);
  if (found == state_->hosts.end() || found->second->facts.router != host_->facts.router) co_return Result<void>();
  for (const auto& each : found->second->groups) {
    const auto member = each.lock();
    if (member && member->port == to.port) carry(found->second, member, bytes);
  }
  co_return Result<void>();
}

Task<Result<Datagram>> MemoryDatagrams::receive_at(std::shared_ptr<MemoryGroup> group) {
  for (;;) {
    co_await stop_if_canceled();
    if (group->closed) co_return fail(Errc::unavailable, "closed here");
    if (!group->queue.empty()) {
      auto first = std::move(group->queue.front());
      group->queue.pop_front();
      co_return first;
    }
    co_await group->arrived.wait();
  }
}

}  // namespace

Result<std::unique_ptr<Datagrams>> join_memory_group(const std::shared_ptr<State>& state,
                                                     const std::shared_ptr<WireHost>& host, const Endpoint& group) {
  const auto percent = group.address.find('%');
  MHP_TRY(const auto address, normal_address(group.address.substr(0, percent)));
  if (!asio::ip::make_address(address).is_multicast() || group.port == 0) {
    return fail(Errc::invalid, to_string(group) + " is no multicast group");
  }
  const auto member = std::make_shared<MemoryGroup>(state->loop);
  member->group = {address, group.port};
  member->loopback_only = percent != std::string::npos && group.address.substr(percent + 1) == "lo";
  member->port = host->free_port();
  host->groups.push_back(member);
  return std::make_unique<MemoryDatagrams>(state, host, member);
}

}  // namespace mhp::platform
