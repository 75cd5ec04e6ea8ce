// Any bytes as a tree page or a page list.
#include "wire/tree_page.h"

#include "wire/fuzz_support.h"

using namespace mhp;
using namespace mhp::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const FuzzInput input(data, size);
  if (input.parser % 2 == 0) fuzz_parser(parse_tree_page, input.bytes);
  if (input.parser % 2 == 1) fuzz_parser(parse_page_list, input.bytes);
  return 0;
}
