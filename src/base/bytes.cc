// Hexadecimal, wiping of secrets, aligned memory.
#include "base/bytes.h"

#include <cstdlib>

#include "base/check.h"
#include "base/exhausted.h"

namespace mhp {

std::string to_hex(ByteView bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (std::byte b : bytes) {
    out += kDigits[std::to_integer<unsigned>(b) >> 4];
    out += kDigits[std::to_integer<unsigned>(b) & 15];
  }
  return out;
}

static int digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool from_hex(std::string_view text, Bytes& out) {
  out.clear();
  if (text.size() % 2 != 0) return false;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = digit_value(text[i]);
    const int low = digit_value(text[i + 1]);
    if (high < 0 || low < 0) {
      out.clear();
      return false;
    }
    out.push_back(static_cast<std::byte>(high * 16 + low));
  }
  return true;
}

void wipe(MutableBytes secret) {
  volatile std::byte* at = secret.data();
  for (std::size_t i = 0; i < secret.size(); ++i) at[i] = std::byte{0};
}

AlignedBuffer::AlignedBuffer(std::size_t size) : size_(size) {
  if (size == 0) return;
  void* memory = std::aligned_alloc(kAlignment, round_up(size, kAlignment));
  if (memory == nullptr) end_out_of_memory();
  data_.reset(static_cast<std::byte*>(memory));
}

void AlignedBuffer::Free::operator()(std::byte* memory) const { std::free(memory); }

}  // namespace mhp
