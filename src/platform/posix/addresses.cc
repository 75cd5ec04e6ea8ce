// From text to addresses and back, the list of interfaces, and error numbers of sockets.
#include "platform/posix/addresses.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <asio/error.hpp>
#include <cstring>

#include "platform/posix/system.h"

namespace mhp::platform {

namespace {

/// Nothing for families that are not the Internet's.
bool read_address(const sockaddr& from, asio::ip::address& out) {
  if (from.sa_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &from, sizeof v4);
    out = asio::ip::address_v4(ntohl(v4.sin_addr.s_addr));
    return true;
  }
  if (from.sa_family != AF_INET6) return false;
  sockaddr_in6 v6;
  std::memcpy(&v6, &from, sizeof v6);
  asio::ip::address_v6::bytes_type bytes;
  std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
  out = asio::ip::address_v6(bytes, v6.sin6_scope_id);
  return true;
}

Errc network_code_of(int error) {
  switch (error) {
    case EADDRINUSE:
      return Errc::busy;
    case EACCES:
      return Errc::denied;
    case ETIMEDOUT:
      return Errc::timed_out;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
      return Errc::exhausted;
    default:
      return Errc::unavailable;
  }
}

}  // namespace

Result<asio::ip::address> address_of(const std::string& text) {
  asio::error_code error;
  const auto address = asio::ip::make_address(text, error);
  if (error) return fail(Errc::invalid, "\"" + text + "\" is not an address");
  if (!address.is_v6()) return address;
  const auto v6 = address.to_v6();
  if (text.find('%') != std::string::npos && v6.scope_id() == 0) {
    return fail(Errc::unavailable, text + ": there is no such interface");
  }
  if (v6.is_v4_mapped()) return asio::ip::make_address_v4(asio::ip::v4_mapped, v6);
  return address;
}

Endpoint endpoint_of(const asio::ip::address& address, std::uint16_t port) {
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return {asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).to_string(), port};
  }
  return {address.to_string(), port};
}

Result<std::vector<Interface>> interfaces_up() {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return fail_errno(errno, "the interfaces of this computer");
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> all(first, &::freeifaddrs);
  std::vector<Interface> out;
  for (const ifaddrs* entry = first; entry != nullptr; entry = entry->ifa_next) {
    if ((entry->ifa_flags & IFF_UP) == 0) continue;
    const std::string name = entry->ifa_name;
    auto known = std::ranges::find(out, name, &Interface::name);
    if (known == out.end()) {
      const bool loopback = (entry->ifa_flags & IFF_LOOPBACK) != 0;
      const bool multicast = (entry->ifa_flags & IFF_MULTICAST) != 0;
      known = out.insert(out.end(), Interface{name, ::if_nametoindex(name.c_str()), loopback, multicast, {}});
    }
    asio::ip::address address;
    if (entry->ifa_addr != nullptr && read_address(*entry->ifa_addr, address)) known->addresses.push_back(address);
  }
  std::erase_if(out, [](const Interface& each) { return each.index == 0; });  // went away meanwhile
  return out;
}

tl::unexpected<Error> fail_network(const asio::error_code& error, const std::string& about,
                                   std::source_location where) {
  if (error.category() != asio::error::get_system_category()) return fail(Errc::unavailable, about + ": closed", where);
  return fail(network_code_of(error.value()), about + ": " + reason_of(error.value()), where);
}

}  // namespace mhp::platform
