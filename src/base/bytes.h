// The words for raw memory: views in, owned bytes out, and a big aligned buffer for bulk disk writes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mhp {

using ByteView = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;
using Bytes = std::vector<std::byte>;

constexpr std::uint64_t operator""_KiB(unsigned long long n) { return n << 10; }
constexpr std::uint64_t operator""_MiB(unsigned long long n) { return n << 20; }
constexpr std::uint64_t operator""_GiB(unsigned long long n) { return n << 30; }

inline ByteView as_bytes(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }
inline std::string_view as_text(ByteView bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
inline Bytes to_bytes(ByteView view) { return {view.begin(), view.end()}; }

/// Lower-case hexadecimal.
std::string to_hex(ByteView bytes);
/// The bytes of an even-length hexadecimal text of either case; empty and false where it is not one.
bool from_hex(std::string_view text, Bytes& out);

/// Overwrites secrets so that the compiler cannot leave it out.
void wipe(MutableBytes secret);

/// The next multiple of `step` (a power of two) at or above `value`. The sum must not pass 2^64.
constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t step) { return (value + step - 1) & ~(step - 1); }

/// Uninitialised memory that starts on a 4 KiB boundary, as direct disk writes need. Movable, not copyable.
class AlignedBuffer {
 public:
  static constexpr std::size_t kAlignment = 4096;
  AlignedBuffer() = default;
  explicit AlignedBuffer(std::size_t size);
  std::byte* data() { return data_.get(); }
  const std::byte* data() const { return data_.get(); }
  std::size_t size() const { return size_; }
  MutableBytes bytes() { return {data_.get(), size_}; }
  ByteView bytes() const { return {data_.get(), size_}; }

 private:
  struct Free {
    void operator()(std::byte* memory) const;
  };
  std::unique_ptr<std::byte, Free> data_;
  std::size_t size_ = 0;
};

}  // namespace mhp
