// Any text as the path of a request about a cloud: what is understood is written back to a path that says the same.
#include "base/check.h"
#include "cloud/cloud_routes.h"

using namespace mhp;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto method = static_cast<net::Method>(data[0] % 3);
  const auto ask = cloud::parse_cloud_ask(method, as_text(std::as_bytes(std::span(data, size)).subspan(1)));
  if (!ask) return 0;
  const net::Request request = cloud::to_request(*ask, {});
  MHP_CHECK(request.method == method);
  const auto again = cloud::parse_cloud_ask(request.method, request.path);
  MHP_CHECK(again && *again == *ask);
  return 0;
}
