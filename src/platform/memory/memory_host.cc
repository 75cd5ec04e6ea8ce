// The network as one simulated host sees it: connecting, listening, names, datagrams.
#include <algorithm>
#include <asio/ip/address.hpp>

#include "base/check.h"
#include "platform/memory/wires.h"

namespace mhp::platform {

namespace {

using State = MemoryNetwork::State;
using std::chrono::nanoseconds;

constexpr nanoseconds kLongestWait = std::chrono::hours(24 * 365);
constexpr nanoseconds kTryAgain = std::chrono::seconds(1);  // whoever gets no answer asks again, as TCP does

nanoseconds clamp_limit(nanoseconds limit) { return std::clamp(limit, nanoseconds(0), kLongestWait); }

bool is_any(const std::string& address) { return address == "0.0.0.0" || address == "::"; }
bool is_v6(const std::string& address) { return address.find(':') != std::string::npos; }

/// Whether a listener at `own` hears those who connect to `to`.
bool covers(const std::string& own, const std::string& to) {
  return own == to || own == "::" || (own == "0.0.0.0" && !is_v6(to));
}

/// Whether two listeners cannot have the same port.
bool overlap(const std::string& a, const std::string& b) {
  return covers(a, b) || covers(b, a) || (is_any(a) && is_any(b));
}

class MemoryListener : public Listener {
 public:
  explicit MemoryListener(std::shared_ptr<MemoryDoor> door) : door_(std::move(door)) {}
  ~MemoryListener() override { close(); }
  MemoryListener(const MemoryListener&) = delete;
  MemoryListener& operator=(const MemoryListener&) = delete;
  Task<Result<std::unique_ptr<Stream>>> accept() override { return accept_at(door_); }
  const Endpoint& local() const override { return door_->local; }
  void close() override {
    door_->closed = true;
    door_->queue.clear();
    door_->arrived.wake();
  }

 private:
  static Task<Result<std::unique_ptr<Stream>>> accept_at(std::shared_ptr<MemoryDoor> door);
  std::shared_ptr<MemoryDoor> door_;
};

Task<Result<std::unique_ptr<Stream>>> MemoryListener::accept_at(std::shared_ptr<MemoryDoor> door) {
  for (;;) {
    co_await stop_if_canceled();
    if (door->closed) co_return fail(Errc::unavailable, to_string(door->local) + ": closed here");
    if (!door->queue.empty()) {
      auto stream = std::move(door->queue.front());
      door->queue.pop_front();
      co_return stream;
    }
    co_await door->arrived.wait();
  }
}

class MemoryHostNetwork : public Network {
 public:
  MemoryHostNetwork(std::shared_ptr<State> state, std::shared_ptr<WireHost> host)
      : state_(std::move(state)), host_(std::move(host)) {}
  ~MemoryHostNetwork() override { host_->taken = false; }
  MemoryHostNetwork(const MemoryHostNetwork&) = delete;
  MemoryHostNetwork& operator=(const MemoryHostNetwork&) = delete;
  Task<Result<std::unique_ptr<Stream>>> connect(Endpoint to, nanoseconds limit) override;
  Result<std::unique_ptr<Listener>> listen(const Endpoint& at) override;
  Task<Result<std::vector<Endpoint>>> resolve(HostAndPort name, nanoseconds limit) override;
  Result<std::unique_ptr<Datagrams>> join_group(const Endpoint& group) override {
    return join_memory_group(state_, host_, group);
  }
  Result<std::vector<std::string>> own_addresses() override { return std::vector<std::string>{host_->facts.address}; }

 private:
  /// Once the question has come to `target`: the connection, or that nobody listens there; null: no answer.
  Result<std::unique_ptr<Stream>> knock(const std::shared_ptr<WireHost>& target, const Endpoint& to);

  std::shared_ptr<State> state_;
  std::shared_ptr<WireHost> host_;
};

/// The accepted end comes into the listener's queue; where that has gone meanwhile, the other end is lost.
void arrive(State& state, const std::shared_ptr<MemoryDoor>& door, const std::shared_ptr<Connection>& connection) {
  if (door->closed) {
    connection->closed[1] = true;
    state.send(connection, 1, Pipe::Kind::reset, {});
    return;
  }
  door->queue.push_back(make_memory_stream(state.shared_from_this(), connection, 1));
  door->arrived.wake();
}

Result<std::unique_ptr<Stream>> MemoryHostNetwork::knock(const std::shared_ptr<WireHost>& target, const Endpoint& to) {
  const auto door = target->door_at(to);
  if (!door) return fail(Errc::unavailable, to_string(to) + ": connection refused");
  if (door->queue.size() >= MemoryDoor::kMaxQueued) return nullptr;
  auto connection = std::make_shared<Connection>(state_->loop);
  connection->hosts = {host_, target};
  const std::string& own = is_loopback(to.address) ? to.address : host_->facts.address;
  const bool outside = host_->facts.router != target->facts.router && !host_->facts.router.empty();
  connection->local = {Endpoint{own, host_->free_port()}, to};
  connection->remote = {to, Endpoint{outside ? host_->facts.router : own, connection->local[0].port}};
  state_->add(connection);
  auto stream = make_memory_stream(state_, connection, 0);
  const auto when = state_->clock.steady() + state_->link(*host_, *target).latency;
  state_->clock.call_at(when, [weak = std::weak_ptr(state_), door, connection] {
    if (const auto state = weak.lock()) arrive(*state, door, connection);
  });
  return stream;
}

Task<Result<std::unique_ptr<Stream>>> MemoryHostNetwork::connect(Endpoint to, nanoseconds limit) {
  co_await stop_if_canceled();
  MHP_CO_TRY(to.address, normal_address(to.address));
  const auto deadline = state_->clock.steady() + clamp_limit(limit);
  for (;;) {
    const auto target = state_->find(host_, to.address);
    const bool open = target && state_->may_connect(*host_, *target);
    auto wait = kTryAgain;
    if (open) wait = state_->link(*host_, *target).latency + state_->link(*target, *host_).latency;
    if (state_->clock.steady() + wait > deadline) break;
    co_await state_->clock.sleep(wait);
    if (!open || !state_->may_connect(*host_, *target)) continue;
    auto answer = knock(target, to);
    if (!answer || *answer) co_return answer;
    co_await state_->clock.sleep(std::min(kTryAgain, deadline - state_->clock.steady()));
  }
  co_await state_->clock.sleep(deadline - state_->clock.steady());
  co_return fail(Errc::timed_out, to_string(to) + ": no answer");
}

Result<std::unique_ptr<Listener>> MemoryHostNetwork::listen(const Endpoint& at) {
  MHP_TRY(auto address, normal_address(at.address));
  if (!is_any(address) && !is_loopback(address) && address != host_->facts.address) {
    return fail(Errc::unavailable, to_string(at) + ": cannot assign requested address");
  }
  auto door = std::make_shared<MemoryDoor>(state_->loop);
  door->local = {std::move(address), at.port == 0 ? host_->free_port() : at.port};
  std::erase_if(host_->doors, [](const auto& each) { return each.expired() || each.lock()->closed; });
  for (const auto& each : host_->doors) {
    const Endpoint taken = each.lock()->local;
    if (taken.port != door->local.port || !overlap(taken.address, door->local.address)) continue;
    return fail(Errc::busy, to_string(at) + ": address already in use");
  }
  host_->doors.push_back(door);
  return std::make_unique<MemoryListener>(std::move(door));
}

Task<Result<std::vector<Endpoint>>> MemoryHostNetwork::resolve(HostAndPort name, nanoseconds limit) {
  co_await stop_if_canceled();
  std::vector<Endpoint> out;
  auto number = normal_address(name.host);
  if (!number && name.host == "localhost") number = std::string("127.0.0.1");
  if (number) {
    out.push_back({*number, name.port});
    co_return out;
  }
  const auto answer_after = 2 * state_->usual.latency;
  if (!host_->plugged || answer_after > limit) {
    co_await state_->clock.sleep(clamp_limit(limit));
    co_return fail(Errc::timed_out, name.host + ": no answer about that name");
  }
  co_await state_->clock.sleep(answer_after);
  const auto found = state_->names.find(name.host);
  if (found == state_->names.end()) co_return fail(Errc::not_found, name.host + ": there is no host of that name");
  for (const auto& address : found->second) out.push_back({address, name.port});
  co_return out;
}

}  // namespace

std::uint16_t WireHost::free_port() {
  const auto is_taken = [this](std::uint16_t port) {
    return std::ranges::any_of(doors, [port](const auto& each) {
      const auto door = each.lock();
      return door && !door->closed && door->local.port == port;
    });
  };
  for (;;) {
    const std::uint16_t port = next_port;
    next_port = port == UINT16_MAX ? kFirstFreePort : static_cast<std::uint16_t>(port + 1);
    if (!is_taken(port)) return port;
  }
}

std::shared_ptr<MemoryDoor> WireHost::door_at(const Endpoint& at) const {
  for (const auto& each : doors) {
    auto door = each.lock();
    if (door && !door->closed && door->local.port == at.port && covers(door->local.address, at.address)) return door;
  }
  return nullptr;
}

bool is_loopback(const std::string& address) { return address == "127.0.0.1" || address == "::1"; }

Result<std::string> normal_address(const std::string& address) {
  asio::error_code error;
  const auto number = asio::ip::make_address(address, error);
  if (error) return fail(Errc::invalid, "\"" + address + "\" is not an address");
  return number.to_string();
}

std::unique_ptr<Network> plug_in_host(const std::shared_ptr<State>& state, MemoryHost host, std::string& address) {
  for (std::uint32_t number = 0x0A000001; host.address.empty(); ++number) {
    const auto next = asio::ip::address_v4(number).to_string();
    if (!state->hosts.contains(next)) host.address = next;
  }
  const auto normal = normal_address(host.address);
  MHP_CHECK(normal && !is_loopback(*normal));
  host.address = *normal;
  address = host.address;
  auto& wired = state->hosts[address];
  if (!wired) wired = std::make_shared<WireHost>();
  MHP_CHECK(wired->facts.address.empty() || !wired->taken);  // two machines with one address
  wired->facts = std::move(host);
  wired->taken = true;
  return std::make_unique<MemoryHostNetwork>(state, wired);
}

}  // namespace mhp::platform
