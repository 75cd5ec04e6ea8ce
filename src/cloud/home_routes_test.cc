// Paths of the home protocol: there and back, and what is refused.
#include "cloud/home_routes.h"

#include <gtest/gtest.h>

namespace mhp::cloud {
namespace {

using net::Method;

template <class IdType>
IdType id(unsigned first) {
  typename IdType::Array out;
  for (unsigned i = 0; i < 32; ++i) out[i] = static_cast<std::byte>(first + i);
  return IdType::from_array(out);
}

HomeAsk ask_of(HomeCall call) {
  HomeAsk ask;
  ask.call = call;
  ask.vault = id<VaultId>(1);
  return ask;
}

TEST(HomeRoutes, EachComesBackAsItWas) {
  for (unsigned call = 0; call <= static_cast<unsigned>(HomeCall::known_bad); ++call) {
    HomeAsk ask = ask_of(static_cast<HomeCall>(call));
    const net::Request request = to_request(ask, Bytes(3));
    EXPECT_EQ(request.body.size(), 3U);
    const auto again = parse_ask(request.method, request.path);
    ASSERT_TRUE(again) << request.path << ": " << again.error().detail;
    EXPECT_EQ(*again, ask) << request.path;
  }
  HomeAsk former = ask_of(HomeCall::former_record);
  former.number = wire::kMaxFormerRecords - 1;
  EXPECT_EQ(*parse_ask(Method::get, to_request(former, {}).path), former);
  HomeAsk read = ask_of(HomeCall::read);
  read.segment = id<SegmentId>(2);
  read.row = 254;
  read.offset = UINT64_MAX;
  read.bytes = 1;
  const net::Request request = to_request(read, {});
  EXPECT_EQ(request.path, "/v1/vaults/" + read.vault.hex() + "/segments/" + read.segment.hex() +
                              "/rows/254?offset=18446744073709551615&bytes=1");
  EXPECT_EQ(*parse_ask(request.method, request.path), read);
}

TEST(HomeRoutes, WhatAPathLeavesOutHasItsUsualValue) {
  const auto ask = parse_ask(Method::get, "/v1/vaults/" + id<VaultId>(1).hex() + "/segments");
  ASSERT_TRUE(ask);
  EXPECT_EQ(*ask, ask_of(HomeCall::list));
}

TEST(HomeRoutes, RefusesOthers) {
  const std::string vault = "/v1/vaults/" + id<VaultId>(1).hex();
  const std::string rows = vault + "/segments/" + id<SegmentId>(2).hex() + "/rows/";
  const auto code_of = [](Method method, const std::string& path) {
    const auto ask = parse_ask(method, path);
    return ask ? Errc() : ask.error().code;
  };
  for (const std::string& path : {std::string(), std::string("/"), std::string("/v1/"), std::string("/v2") + vault,
                                  vault, vault + "/nothing", rows, rows + "1/2", "/v1" + vault + "/usage"})
    EXPECT_EQ(code_of(Method::get, path), Errc::not_found) << path;
  EXPECT_EQ(code_of(Method::put, vault + "/usage"), Errc::not_found);
  EXPECT_EQ(code_of(Method::get, vault + "/usage?" + std::string(1000, 'a')), Errc::not_found);
  for (const std::string& path :
       {rows + "255", rows + "-1", rows + "1x", rows + "1?bytes=0", rows + "1?bytes=4194305",
        rows + "1?offset=", rows + "1?offset=18446744073709551616", rows + "1?limit=1", rows + "1?bytes",
        vault + "/segments?limit=1001", vault + "/segments?after=00", std::string("/v1/vaults/00/usage"),
        vault + "/usage?a=b", vault + "/former-records/" + id<DeviceId>(2).hex() + "?number=32"})
    EXPECT_EQ(code_of(Method::get, path), Errc::invalid) << path;
  EXPECT_EQ(code_of(Method::post, vault + "/scrub?percent=101"), Errc::invalid);
}

}  // namespace
}  // namespace mhp::cloud
