// Any text as a host and a port: reading never crashes, and what is accepted is read back as the same.
#include "base/check.h"
#include "platform/network.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mhp::platform;
  const auto text = mhp::as_text(std::as_bytes(std::span(data, size)));
  const auto parsed = parse_host_and_port(text, 7070);
  if (!parsed) return 0;
  MHP_CHECK(!parsed->host.empty() && parsed->host.size() < 300);
  const auto again = parse_host_and_port(to_string(Endpoint{parsed->host, parsed->port}), 1);
  MHP_CHECK(again && again->host == parsed->host && again->port == parsed->port);
  return 0;
}
