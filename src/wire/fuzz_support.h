// For fuzz targets: what parses is written back to bytes that parse to the same value, and to the same bytes again.
#pragma once

#include "base/bytes.h"
#include "base/check.h"

namespace mhp::wire {

template <class Parse>
void fuzz_parser(Parse parse, ByteView input) {
  const auto value = parse(input);
  if (!value) return;
  const Bytes bytes = encode(*value);
  const auto again = parse(ByteView(bytes));
  MHP_CHECK(again && *again == *value);
  MHP_CHECK(encode(*again) == bytes);
}

/// The first byte says which of several small parsers is meant.
struct FuzzInput {
  FuzzInput(const std::uint8_t* data, std::size_t size)
      : parser(size == 0 ? 0 : data[0]), bytes(std::as_bytes(std::span(data, size)).subspan(size == 0 ? 0 : 1)) {}
  unsigned parser;
  ByteView bytes;
};

}  // namespace mhp::wire
