// Words from another computer, made harmless.
#pragma once

#include <string>

namespace mhp::net::impl {

/// Control characters become '?', also those of two bytes (U+0080 to U+009F): a terminal obeys them.
inline void make_printable(std::string& words) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto byte = static_cast<unsigned char>(words[i]);
    const auto next = i + 1 < words.size() ? static_cast<unsigned char>(words[i + 1]) : 0;
    if (byte < 0x20 || byte == 0x7f) words[i] = '?';
    if (byte == 0xc2 && next >= 0x80 && next <= 0x9f) words[i] = words[i + 1] = '?';
  }
}

}  // namespace mhp::net::impl
