// One table of paths, read in both directions.
#include "cloud/home_routes.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <vector>

#include "base/check.h"

namespace mhp::cloud {
namespace {

using net::Method;

constexpr std::size_t kMaxPathBytes = 512;
constexpr std::string_view kVersion = "/v1/";

/// In a path V stands for a vault, S for a segment, D for a device, R for a row; `query` lists names.
struct HomeRoute {
  HomeCall call;
  Method method;
  std::string_view path;
  std::string_view query;
};

constexpr std::array kHomeRoutes{
    HomeRoute{HomeCall::session, Method::post, "vaults/V/session", ""},
    HomeRoute{HomeCall::vault_records, Method::get, "vaults/V/vault-records", "device"},
    HomeRoute{HomeCall::put_vault_record, Method::put, "vaults/V/vault-records", ""},
    HomeRoute{HomeCall::former_record, Method::get, "vaults/V/former-records/D", "number"},
    HomeRoute{HomeCall::heads, Method::get, "vaults/V/heads", "device"},
    HomeRoute{HomeCall::put_heads, Method::put, "vaults/V/heads/D", ""},
    HomeRoute{HomeCall::tombstone, Method::post, "vaults/V/tombstones", ""},
    HomeRoute{HomeCall::reprieve, Method::post, "vaults/V/reprieves", ""},
    HomeRoute{HomeCall::list, Method::get, "vaults/V/segments", "after limit"},
    HomeRoute{HomeCall::find, Method::get, "vaults/V/segments/S", ""},
    HomeRoute{HomeCall::read, Method::get, "vaults/V/segments/S/rows/R", "offset bytes"},
    HomeRoute{HomeCall::put, Method::put, "vaults/V/records", ""},
    HomeRoute{HomeCall::commit, Method::post, "vaults/V/commit", ""},
    HomeRoute{HomeCall::collect, Method::post, "vaults/V/collect", ""},
    HomeRoute{HomeCall::usage, Method::get, "vaults/V/usage", ""},
    HomeRoute{HomeCall::scrub, Method::post, "vaults/V/scrub", "after percent seed"},
    HomeRoute{HomeCall::known_bad, Method::get, "vaults/V/bad-rows", "after"},
};

std::vector<std::string_view> split(std::string_view text, char by) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(by), text.size());
    out.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

bool is_variable(std::string_view part) { return part.size() == 1 && part[0] >= 'A' && part[0] <= 'Z'; }

template <class IdType>
bool take_id(std::string_view text, IdType& out) {
  Bytes bytes;
  if (text.size() != 2 * IdType::kSizeBytes || !from_hex(text, bytes)) return false;
  out = IdType::from_bytes(bytes);
  return true;
}

template <class Number>
bool take_number(std::string_view text, std::uint64_t least, std::uint64_t most, Number& out) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least || value > most) return false;
  out = static_cast<Number>(value);
  return true;
}

/// The value of a variable, or of a name in a query.
bool take(std::string_view name, std::string_view text, HomeAsk& ask) {
  if (name == "V") return take_id(text, ask.vault);
  if (name == "D" || name == "device") return take_id(text, ask.device);
  if (name == "S" || name == "after") return take_id(text, ask.segment);
  if (name == "R") return take_number(text, 0, wire::kMaxRows - 1, ask.row);
  if (name == "number") return take_number(text, 0, wire::kMaxFormerRecords - 1, ask.number);
  if (name == "offset") return take_number(text, 0, UINT64_MAX, ask.offset);
  if (name == "bytes") return take_number(text, 1, wire::kMaxReadBytes, ask.bytes);
  if (name == "limit") return take_number(text, 1, wire::kMaxPageSegments, ask.limit);
  if (name == "percent") return take_number(text, 0, 100, ask.percent);
  if (name == "seed") return take_number(text, 0, UINT64_MAX, ask.seed);
  return false;
}

std::string give(std::string_view name, const HomeAsk& ask) {
  if (name == "V") return ask.vault.hex();
  if (name == "D" || name == "device") return ask.device.hex();
  if (name == "S" || name == "after") return ask.segment.hex();
  if (name == "R") return std::to_string(ask.row);
  if (name == "number") return std::to_string(ask.number);
  if (name == "offset") return std::to_string(ask.offset);
  if (name == "bytes") return std::to_string(ask.bytes);
  if (name == "limit") return std::to_string(ask.limit);
  if (name == "percent") return std::to_string(ask.percent);
  return std::to_string(ask.seed);
}

bool has_form(const HomeRoute& route, const std::vector<std::string_view>& parts) {
  const auto form = split(route.path, '/');
  return std::ranges::equal(form, parts, [](std::string_view expected, std::string_view part) {
    return is_variable(expected) || expected == part;
  });
}

}  // namespace

net::Request to_request(const HomeAsk& ask, Bytes body) {
  const auto route = std::ranges::find(kHomeRoutes, ask.call, &HomeRoute::call);
  MHP_CHECK(route != kHomeRoutes.end());
  std::string path(kVersion.substr(0, kVersion.size() - 1));
  for (const std::string_view part : split(route->path, '/'))
    path += "/" + (is_variable(part) ? give(part, ask) : std::string(part));
  char joint = '?';
  for (const std::string_view name : split(route->query, ' ')) {
    path += joint + std::string(name) + "=" + give(name, ask);
    joint = '&';
  }
  return {route->method, std::move(path), std::move(body)};
}

Result<HomeAsk> parse_ask(Method method, std::string_view path) {
  if (path.size() > kMaxPathBytes || !path.starts_with(kVersion)) return fail(Errc::not_found, "no such path");
  path.remove_prefix(kVersion.size());
  const std::size_t mark = std::min(path.find('?'), path.size());
  const auto parts = split(path.substr(0, mark), '/');
  const auto is_meant = [&](const HomeRoute& route) { return route.method == method && has_form(route, parts); };
  const auto route = std::ranges::find_if(kHomeRoutes, is_meant);
  if (route == kHomeRoutes.end()) return fail(Errc::not_found, "no such path");
  HomeAsk ask;
  ask.call = route->call;
  const auto form = split(route->path, '/');
  for (std::size_t i = 0; i < form.size(); ++i) {
    if (is_variable(form[i]) && !take(form[i], parts[i], ask)) return fail(Errc::invalid, "a wrong value in the path");
  }
  const auto names = split(route->query, ' ');
  for (const std::string_view pair : split(path.substr(std::min(mark + 1, path.size())), '&')) {
    const std::size_t equals = std::min(pair.find('='), pair.size());
    const std::string_view name = pair.substr(0, equals);
    const bool is_known = std::ranges::find(names, name) != names.end();
    if (!is_known || !take(name, pair.substr(std::min(equals + 1, pair.size())), ask))
      return fail(Errc::invalid, "a wrong value in the query");
  }
  return ask;
}

}  // namespace mhp::cloud
