// Any lines on any path: matching ends, reads nothing outside its input, and a line with "!" takes back what it fits.
#include <algorithm>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "snapshot/pattern.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  std::size_t end = std::min(input.find('\0'), input.size());
  std::string_view lines = input.substr(0, end);
  std::string_view path = end == input.size() ? std::string_view() : input.substr(end + 1);
  mhp::snapshot::IgnoreLines ignore;
  ignore.add_text(lines);
  bool file = ignore.ignores(path, false);
  ignore.add("!**/*");
  ignore.add("!*");
  MHP_CHECK(!ignore.ignores(path, true) || path.empty());
  (void)file;
  return 0;
}
