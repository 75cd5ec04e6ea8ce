// How an error travels to another computer.
#pragma once

#include <string>

#include "base/result.h"
#include "wire/limits.h"

namespace mhp::wire {

constexpr std::uint64_t kMaxCallErrorBytes = 2_KiB;
constexpr std::uint64_t kMaxErrorDetailBytes = 1_KiB;

/// The body of a reply that is no answer. What it says is the other computer's word, nothing more: `detail` may hold
/// any bytes.
struct CallError {
  Errc code = Errc::unavailable;
  std::string detail{};  // at most kMaxErrorDetailBytes
  friend bool operator==(const CallError&, const CallError&) = default;
};

Bytes encode(const CallError& error);
/// Errors: invalid (also a code that this program does not know).
Result<CallError> parse_call_error(ByteView bytes);

}  // namespace mhp::wire
