// Endpoints as text, and what people write for a host.
#include <gtest/gtest.h>

#include "platform/network.h"

namespace mhp::platform {
namespace {

TEST(Endpoint, IsWrittenWithBracketsWhereItNeedsThem) {
  EXPECT_EQ(to_string(Endpoint{"192.0.2.1", 7070}), "192.0.2.1:7070");
  EXPECT_EQ(to_string(Endpoint{"2001:db8::1", 7070}), "[2001:db8::1]:7070");
  EXPECT_EQ(to_string(Endpoint{"fe80::1%eth0", 1}), "[fe80::1%eth0]:1");
}

TEST(HostAndPort, ReadsWhatPeopleWrite) {
  struct Case {
    const char* text;
    const char* host;
    std::uint16_t port;
  };
  const Case cases[] = {
      {"192.0.2.1", "192.0.2.1", 7070},
      {"192.0.2.1:1", "192.0.2.1", 1},
      {"example.org", "example.org", 7070},
      {"example.org.:65535", "example.org.", 65535},
      {"nas:0", "nas", 0},
      {"my_nas-2.local:80", "my_nas-2.local", 80},
      {"2001:db8::1", "2001:db8::1", 7070},
      {"::", "::", 7070},
      {"::ffff:192.0.2.1", "::ffff:192.0.2.1", 7070},
      {"fe80::1%eth0", "fe80::1%eth0", 7070},
      {"[2001:db8::1]", "2001:db8::1", 7070},
      {"[2001:db8::1]:9", "2001:db8::1", 9},
      {"[fe80::1%wlan0.5]:9", "fe80::1%wlan0.5", 9},
      {"xn--bcher-kva.example", "xn--bcher-kva.example", 7070},
      {"4nas", "4nas", 7070},
  };
  for (const auto& each : cases) {
    const auto parsed = parse_host_and_port(each.text, 7070);
    ASSERT_TRUE(parsed) << each.text << ": " << parsed.error().detail;
    EXPECT_EQ(parsed->host, each.host);
    EXPECT_EQ(parsed->port, each.port);
  }
}

TEST(HostAndPort, SaysWhatIsWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "no host is given"},
      {":7070", "no host is given"},
      {"nas:", "\"\" is not a port"},
      {"nas:65536", "\"65536\" is not a port"},
      {"nas:-1", "\"-1\" is not a port"},
      {"nas:7 ", "\"7 \" is not a port"},
      {"nas:0x10", "\"0x10\" is not a port"},
      {" nas", "\" nas\" is not the name of a host"},
      {"a b", "is not the name of a host"},
      {"a..b", "is not the name of a host"},
      {".a", "is not the name of a host"},
      {".", "\".\" is not an IPv4 address"},
      {"http://nas", "is not a port"},
      {"nas/x", "is not the name of a host"},
      {"b\xC3\xBC"
       "cher.example",
       "xn--"},
      {"1.2.3", "\"1.2.3\" is not an IPv4 address"},
      {"1.2.3.256", "is not an IPv4 address"},
      {"1.2.3.4.5", "is not an IPv4 address"},
      {"1:2:3", "\"1:2:3\" is not an IPv6 address"},
      {"2001:db8::g", "is not an IPv6 address"},
      {"fe80::1%", "is not an IPv6 address"},
      {"fe80::1%a b", "is not an IPv6 address"},
      {"fe80::1%sixteen-letters.", "is not an IPv6 address"},
      {"[2001:db8::1", "lacks its \"]\""},
      {"[nas]:1", "\"nas\" is not an IPv6 address"},
      {"[192.0.2.1]:1", "is not an IPv6 address"},
      {"[::1]1", "after \"]\" comes"},
      {"[::1]:", "is not a port"},
  };
  for (const auto& [text, words] : cases) {
    const auto parsed = parse_host_and_port(text, 7070);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, Errc::invalid);
    EXPECT_NE(parsed.error().detail.find(words), std::string::npos) << text << ": " << parsed.error().detail;
  }
  EXPECT_FALSE(parse_host_and_port(std::string(254, 'a'), 1));
  EXPECT_FALSE(parse_host_and_port(std::string(100'000, ':'), 1));
  EXPECT_FALSE(parse_host_and_port(std::string("a\0b", 3), 1));
}

}  // namespace
}  // namespace mhp::platform
