// Any text as a recovery phrase: reading never crashes, and what is accepted is written back as the same phrase.
#include "base/check.h"
#include "primitives/phrase/phrase.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mhp::primitives;
  const std::string_view text = mhp::as_text(std::as_bytes(std::span(data, size)));
  if (const auto entropy = entropy_of(text)) {
    const auto again = entropy_of(phrase_of(*entropy));
    MHP_CHECK(again && *again == *entropy);
  } else {
    MHP_CHECK(entropy.error().detail.size() < 200);
  }
  if (size >= 32) {  // the other way round every input is good
    Key key;
    std::copy_n(std::as_bytes(std::span(data, size)).begin(), key.size(), key.begin());
    const auto back = entropy_of(phrase_of(key));
    MHP_CHECK(back && *back == key);
  }
  return 0;
}
