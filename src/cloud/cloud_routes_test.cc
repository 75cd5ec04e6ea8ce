// Paths about clouds: there and back, and what is refused.
#include "cloud/cloud_routes.h"

#include <gtest/gtest.h>

namespace mhp::cloud {
namespace {

using net::Method;

CloudId some_cloud() {
  CloudId::Array out;
  for (unsigned i = 0; i < 32; ++i) out[i] = static_cast<std::byte>(i + 160);
  return CloudId::from_array(out);
}

TEST(CloudRoutes, EachComesBackAsItWas) {
  for (const CloudCall call :
       {CloudCall::session, CloudCall::join, CloudCall::ask_roster, CloudCall::put_roster, CloudCall::removal}) {
    const CloudAsk ask{call, some_cloud()};
    const net::Request request = to_request(ask, Bytes(3));
    EXPECT_EQ(request.body.size(), 3U);
    EXPECT_TRUE(is_cloud_path(request.path));
    const auto again = parse_cloud_ask(request.method, request.path);
    ASSERT_TRUE(again) << request.path << ": " << again.error().detail;
    EXPECT_EQ(*again, ask) << request.path;
  }
  EXPECT_EQ(to_request({CloudCall::join, some_cloud()}, {}).path, "/v1/clouds/" + some_cloud().hex() + "/join");
}

TEST(CloudRoutes, RefusesOthers) {
  const std::string cloud = "/v1/clouds/" + some_cloud().hex();
  const auto code_of = [](Method method, const std::string& path) {
    const auto ask = parse_cloud_ask(method, path);
    return ask ? Errc() : ask.error().code;
  };
  for (const std::string& path : {std::string(), std::string("/v1/clouds/"), std::string("/v2") + cloud, cloud,
                                  cloud + "/", cloud + "/join/", cloud + "/nothing", cloud + "/join?a=b"})
    EXPECT_EQ(code_of(Method::post, path), Errc::not_found) << path;
  EXPECT_EQ(code_of(Method::get, cloud + "/roster"), Errc::not_found);
  EXPECT_EQ(code_of(Method::put, cloud + "/join"), Errc::not_found);
  for (const std::string& path :
       {std::string("/v1/clouds/join"), std::string("/v1/clouds//join"), std::string("/v1/clouds/00/join"),
        "/v1/clouds/" + some_cloud().hex() + "00/join", "/v1/clouds/z" + some_cloud().hex().substr(1) + "/join"})
    EXPECT_NE(code_of(Method::post, path), Errc()) << path;
  EXPECT_EQ(code_of(Method::post, "/v1/clouds/00/join"), Errc::invalid);
}

}  // namespace
}  // namespace mhp::cloud
