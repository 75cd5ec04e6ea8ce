// Multicast on the local network, over UDP.
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <asio/ip/udp.hpp>
#include <asio/ip/v6_only.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>

#include "platform/impl/waiter.h"
#include "platform/nursery.h"
#include "platform/posix/addresses.h"
#include "platform/posix/parts.h"
#include "platform/posix/system.h"

#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29  // Linux 4.20; headers of libc lack it
#endif

namespace mhp::platform {

namespace {

using asio::ip::udp;

/// Two sockets: one hears the group, on the group's port, which all programs here share; the other speaks, from a port
/// of its own, so that an answer to it comes to this program and not to another one that shares the group's port.
struct Group {
  explicit Group(const asio::any_io_executor& loop) : hears(loop), speaks(loop) {}
  udp::socket hears;
  udp::socket speaks;
  udp::endpoint group;
  std::string zone;  // the name of the only interface; empty: all that can

  bool v6() const { return group.address().is_v6(); }
};

template <class T>
bool set_option(udp::socket& socket, int level, int option, const T& value) {
  return ::setsockopt(socket.native_handle(), level, option, &value, sizeof value) == 0;
}

/// Again where it was joined before: an interface that came back must be joined anew, and nothing tells of that.
bool join_on(Group& group, unsigned interface_index) {
  group_req request{};
  request.gr_interface = interface_index;
  std::copy_n(reinterpret_cast<const char*>(group.group.data()), group.group.size(),
              reinterpret_cast<char*>(&request.gr_group));
  const int level = group.v6() ? IPPROTO_IPV6 : IPPROTO_IP;
  return set_option(group.hears, level, MCAST_JOIN_GROUP, request) || errno == EADDRINUSE;
}

bool speak_on(Group& group, unsigned interface_index) {
  if (group.v6()) return set_option(group.speaks, IPPROTO_IPV6, IPV6_MULTICAST_IF, static_cast<int>(interface_index));
  ip_mreqn request{};
  request.imr_ifindex = static_cast<int>(interface_index);
  return set_option(group.speaks, IPPROTO_IP, IP_MULTICAST_IF, request);
}

bool has_family(const Interface& interface, bool v6) {
  return std::ranges::any_of(interface.addresses, [v6](const auto& address) { return address.is_v6() == v6; });
}

/// Where nothing else can, the loopback: homes of one computer find each other without a network.
Result<std::vector<Interface>> interfaces_of(const Group& group) {
  MHP_TRY(auto all, interfaces_up());
  std::erase_if(all, [&group](const Interface& each) { return !has_family(each, group.v6()); });
  if (!group.zone.empty()) {
    std::erase_if(all, [&group](const Interface& each) { return each.name != group.zone; });
    return all;
  }
  const auto can = [](const Interface& each) { return each.multicast && !each.loopback; };
  if (std::ranges::any_of(all, can)) std::erase_if(all, [can](const Interface& each) { return !can(each); });
  return all;
}

Result<void> join_all(Group& group) {
  MHP_TRY(const auto interfaces, interfaces_of(group));
  bool any = false;
  int reason = ENODEV;
  for (const auto& each : interfaces) {
    const bool joined = join_on(group, each.index);
    if (!joined) reason = errno;
    any = any || joined;
  }
  if (!any)
    return fail(Errc::unavailable, "no interface of this computer can take part in a group: " + reason_of(reason));
  return {};
}

/// A full queue loses a datagram, as any router may.
bool was_sent(ssize_t result) { return result >= 0 || errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS; }

bool send_datagram(Group& group, const udp::endpoint& to, ByteView bytes) {
  auto call = [&] {
    return ::sendto(group.speaks.native_handle(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL, to.data(),
                    static_cast<socklen_t>(to.size()));
  };
  return was_sent(retry_interrupted(call));
}

Result<void> check_datagram(ByteView bytes) {
  if (bytes.size() > Datagrams::kMaxBytes) return fail(Errc::invalid, "a datagram is too long");
  return {};
}

/// Nothing where none is there.
std::optional<Datagram> take_datagram(udp::socket& socket) {
  std::array<std::byte, Datagrams::kMaxBytes + 1> buffer;
  for (;;) {
    udp::endpoint from;
    socklen_t from_size = static_cast<socklen_t>(from.capacity());
    auto call = [&] {
      return ::recvfrom(socket.native_handle(), buffer.data(), buffer.size(), MSG_DONTWAIT, from.data(), &from_size);
    };
    const auto count = retry_interrupted(call);
    if (count < 0) return std::nullopt;
    const auto size = static_cast<std::size_t>(count);
    if (size > Datagrams::kMaxBytes) continue;
    return Datagram{endpoint_of(from.address(), from.port()), to_bytes(ByteView(buffer).first(size))};
  }
}

Task<> wait_for_one(std::shared_ptr<Group> group, udp::socket& socket, Nursery& both) {
  co_await stop_if_canceled();
  asio::error_code ignored;
  co_await socket.async_wait(udp::socket::wait_read, asio::redirect_error(asio::use_awaitable, ignored));
  both.cancel();
}

Task<Result<Datagram>> receive_at(std::shared_ptr<Group> group) {
  for (;;) {
    co_await stop_if_canceled();
    if (auto found = take_datagram(group->hears)) co_return std::move(*found);
    if (auto found = take_datagram(group->speaks)) co_return std::move(*found);
    if (!group->hears.is_open()) co_return fail(Errc::unavailable, "closed here");
    Nursery both(co_await asio::this_coro::executor);
    both.start(wait_for_one(group, group->hears, both));
    both.start(wait_for_one(group, group->speaks, both));
    co_await both.join();
  }
}

Task<Result<void>> send_to_group(std::shared_ptr<Group> group, ByteView bytes) {
  co_await stop_if_canceled();
  MHP_CO_TRY_VOID(check_datagram(bytes));
  MHP_CO_TRY(const auto interfaces, interfaces_of(*group));
  bool any = false;
  int reason = ENODEV;
  for (const auto& each : interfaces) {
    (void)join_on(*group, each.index);
    const bool sent = speak_on(*group, each.index) && send_datagram(*group, group->group, bytes);
    if (!sent) reason = errno;
    any = any || sent;
  }
  if (!any) co_return fail(Errc::unavailable, "no interface of this computer sends to a group: " + reason_of(reason));
  co_return Result<void>();
}

Task<Result<void>> send_to_one(std::shared_ptr<Group> group, Endpoint to, ByteView bytes) {
  co_await stop_if_canceled();
  MHP_CO_TRY_VOID(check_datagram(bytes));
  MHP_CO_TRY(const auto address, address_of(to.address));
  if (address.is_v6() != group->v6())
    co_return fail(Errc::invalid, to.address + " is of another family than the group");
  const udp::endpoint there(address, to.port);
  if (!send_datagram(*group, there, bytes)) {
    co_return fail(Errc::unavailable, to_string(to) + ": " + reason_of(errno));
  }
  co_return Result<void>();
}

class UdpGroup : public Datagrams {
 public:
  explicit UdpGroup(std::shared_ptr<Group> group) : group_(std::move(group)) {}
  ~UdpGroup() override {
    asio::error_code ignored;
    group_->hears.close(ignored);
    group_->speaks.close(ignored);
  }
  UdpGroup(const UdpGroup&) = delete;
  UdpGroup& operator=(const UdpGroup&) = delete;
  Task<Result<void>> send(ByteView bytes) override { return send_to_group(group_, bytes); }
  Task<Result<void>> send_to(Endpoint to, ByteView bytes) override { return send_to_one(group_, std::move(to), bytes); }
  Task<Result<Datagram>> receive() override { return receive_at(group_); }

 private:
  std::shared_ptr<Group> group_;
};

asio::error_code open_sockets(Group& group) {
  asio::error_code error;
  const udp family = group.group.protocol();
  for (udp::socket* socket : {&group.hears, &group.speaks}) {
    const bool hears = socket == &group.hears;
    socket->open(family, error);
    if (error) return error;
    if (group.v6()) socket->set_option(asio::ip::v6_only(true), error);
    if (error) return error;
    if (hears) socket->set_option(udp::socket::reuse_address(true), error);
    if (error) return error;
    socket->bind(udp::endpoint(family, hears ? group.group.port() : std::uint16_t{0}), error);
    if (error) return error;
  }
  // Else it would hear every group that any program of this computer has joined.
  (void)set_option(group.hears, group.v6() ? IPPROTO_IPV6 : IPPROTO_IP,
                   group.v6() ? IPV6_MULTICAST_ALL : IP_MULTICAST_ALL, 0);
  return error;
}

}  // namespace

Result<std::unique_ptr<Datagrams>> join_posix_group(const asio::any_io_executor& loop, const Endpoint& at) {
  const auto percent = at.address.find('%');
  const std::string number = at.address.substr(0, percent);
  MHP_TRY(const auto address, address_of(number));
  if (!address.is_multicast() || at.port == 0) return fail(Errc::invalid, to_string(at) + " is no multicast group");
  const auto group = std::make_shared<Group>(loop);
  group->group = udp::endpoint(address, at.port);
  if (percent != std::string::npos) group->zone = at.address.substr(percent + 1);
  if (const auto error = open_sockets(*group)) return fail_network(error, to_string(at));
  MHP_TRY_VOID(join_all(*group));
  return std::make_unique<UdpGroup>(group);
}

}  // namespace mhp::platform
