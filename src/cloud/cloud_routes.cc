// Five paths, read in both directions.
#include "cloud/cloud_routes.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace mhp::cloud {
namespace {

using net::Method;

constexpr std::string_view kClouds = "/v1/clouds/";

/// What follows the cloud's id.
struct CloudRoute {
  CloudCall call;
  Method method;
  std::string_view name;
};

constexpr std::array kCloudRoutes{
    CloudRoute{CloudCall::session, Method::post, "session"},   CloudRoute{CloudCall::join, Method::post, "join"},
    CloudRoute{CloudCall::ask_roster, Method::post, "roster"}, CloudRoute{CloudCall::put_roster, Method::put, "roster"},
    CloudRoute{CloudCall::removal, Method::post, "removal"},
};

}  // namespace

net::Request to_request(const CloudAsk& ask, Bytes body) {
  const auto route = std::ranges::find(kCloudRoutes, ask.call, &CloudRoute::call);
  MHP_CHECK(route != kCloudRoutes.end());
  return {route->method, std::string(kClouds) + ask.cloud.hex() + "/" + std::string(route->name), std::move(body)};
}

bool is_cloud_path(std::string_view path) { return path.starts_with(kClouds); }

Result<CloudAsk> parse_cloud_ask(Method method, std::string_view path) {
  if (!is_cloud_path(path)) return fail(Errc::not_found, "no such path");
  path.remove_prefix(kClouds.size());
  const std::size_t slash = std::min(path.find('/'), path.size());
  const std::string_view name = path.substr(std::min(slash + 1, path.size()));
  const auto is_meant = [&](const CloudRoute& route) { return route.method == method && route.name == name; };
  const auto route = std::ranges::find_if(kCloudRoutes, is_meant);
  if (route == kCloudRoutes.end()) return fail(Errc::not_found, "no such path");
  Bytes id;
  if (slash != 2 * CloudId::kSizeBytes || !from_hex(path.substr(0, slash), id))
    return fail(Errc::invalid, "a wrong value in the path");
  return CloudAsk{route->call, CloudId::from_bytes(id)};
}

}  // namespace mhp::cloud
