// Any bytes as a list of chunks: whole ids or an error, and no byte is left over.
#include <algorithm>
#include <cstdint>

#include "base/check.h"
#include "snapshot/page_reader.h"

using namespace mhp;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView bytes = std::as_bytes(std::span(data, size));
  const auto list = snapshot::parse_chunk_list(bytes);
  if (!list) return 0;
  Bytes again;
  for (const ChunkId& id : *list) again.insert(again.end(), id.bytes().begin(), id.bytes().end());
  MHP_CHECK(std::ranges::equal(again, bytes));
  return 0;
}
