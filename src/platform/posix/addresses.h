// Addresses, interfaces and errors of the network: as Asio and Linux have them, in our words.
#pragma once

#include <asio/error_code.hpp>
#include <asio/ip/address.hpp>
#include <string>
#include <vector>

#include "platform/network.h"

namespace mhp::platform {

/// IPv4 written as IPv6 ("::ffff:192.0.2.1") becomes IPv4. Errors: invalid; unavailable (no interface of that name).
Result<asio::ip::address> address_of(const std::string& text);
/// The other way; such IPv4 addresses in IPv4 too.
Endpoint endpoint_of(const asio::ip::address& address, std::uint16_t port);

struct Interface {
  std::string name;
  unsigned index = 0;
  bool loopback = false;
  bool multicast = false;
  std::vector<asio::ip::address> addresses;
};
/// Those that are up, each once.
Result<std::vector<Interface>> interfaces_up();

/// An Error of `error` with the detail "ABOUT: reason". Codes: busy, denied (rights; of listening alone), timed_out,
/// exhausted, else unavailable.
tl::unexpected<Error> fail_network(const asio::error_code& error, const std::string& about,
                                   std::source_location where = std::source_location::current());

}  // namespace mhp::platform
