// Endpoints as text, and what people write for a host.
#include "platform/network.h"

#include <algorithm>
#include <asio/ip/address.hpp>
#include <charconv>

namespace mhp::platform {

namespace {

constexpr std::size_t kMaxHostTextBytes = 300;
constexpr std::size_t kMaxNameBytes = 253;  // RFC 1035, written out without the last dot
constexpr std::size_t kMaxZoneBytes = 15;   // IFNAMSIZ of Linux without its end

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_'; }
bool is_word_or_dot(char c) { return is_word(c) || c == '.'; }

/// With or without a zone.
bool is_v6(std::string_view text) {
  const auto percent = text.find('%');
  if (percent != std::string_view::npos) {
    const auto zone = text.substr(percent + 1);
    if (zone.empty() || zone.size() > kMaxZoneBytes || !std::ranges::all_of(zone, is_word_or_dot)) return false;
  }
  const auto number = text.substr(0, percent);
  if (number.find('\0') != std::string_view::npos) return false;  // asio reads up to it
  asio::error_code error;
  asio::ip::make_address_v6(std::string(number), error);
  return !error;
}

bool is_v4(std::string_view text) {
  asio::error_code error;
  asio::ip::make_address_v4(std::string(text), error);
  return !error;
}

/// Parts of letters, digits, "-" and "_" between dots; the last dot may be there.
bool is_name(std::string_view text) {
  if (text.ends_with('.')) text.remove_suffix(1);
  if (text.empty() || text.size() > kMaxNameBytes || !std::ranges::all_of(text, is_word_or_dot)) return false;
  return !text.starts_with('.') && !text.ends_with('.') && text.find("..") == std::string_view::npos;
}

Result<std::string> host_of(std::string_view text) {
  if (text.empty()) return fail(Errc::invalid, "no host is given");
  const bool number = std::ranges::all_of(text, [](char c) { return is_digit(c) || c == '.'; });
  // "10.1" and "1.2.3.04" are read in several ways by several systems: not at all is safer.
  if (number && !is_v4(text)) return fail(Errc::invalid, "\"" + std::string(text) + "\" is not an IPv4 address");
  if (!number && !is_name(text)) {
    const bool foreign = std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
    return fail(Errc::invalid, foreign ? "a host's name has letters of ASCII only (write its form that starts xn--)"
                                       : "\"" + std::string(text) + "\" is not the name of a host");
  }
  return std::string(text);
}

Result<std::uint16_t> port_of(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size()) {
    return fail(Errc::invalid, "\"" + std::string(text) + "\" is not a port (0 to 65535)");
  }
  return port;
}

}  // namespace

std::string to_string(const Endpoint& endpoint) {
  const bool v6 = endpoint.address.find(':') != std::string::npos;
  return (v6 ? "[" + endpoint.address + "]" : endpoint.address) + ":" + std::to_string(endpoint.port);
}

Result<HostAndPort> parse_host_and_port(std::string_view text, std::uint16_t default_port) {
  if (text.size() > kMaxHostTextBytes) return fail(Errc::invalid, "the address of a host is too long");
  HostAndPort out{{}, default_port};
  const auto colon = text.find(':');
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return fail(Errc::invalid, "\"" + std::string(text) + "\" lacks its \"]\"");
    const auto host = text.substr(1, close - 1);
    const auto rest = text.substr(close + 1);
    if (!is_v6(host)) return fail(Errc::invalid, "\"" + std::string(host) + "\" is not an IPv6 address");
    out.host = host;
    if (rest.empty()) return out;
    if (!rest.starts_with(':')) return fail(Errc::invalid, "after \"]\" comes \":\" and a port");
    MHP_TRY(out.port, port_of(rest.substr(1)));
    return out;
  }
  if (colon != std::string_view::npos && text.find(':', colon + 1) != std::string_view::npos) {
    if (!is_v6(text)) return fail(Errc::invalid, "\"" + std::string(text) + "\" is not an IPv6 address");
    out.host = text;
    return out;
  }
  MHP_TRY(out.host, host_of(text.substr(0, colon)));
  if (colon == std::string_view::npos) return out;
  MHP_TRY(out.port, port_of(text.substr(colon + 1)));
  return out;
}

}  // namespace mhp::platform
