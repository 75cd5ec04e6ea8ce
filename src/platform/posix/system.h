// Descriptors that close themselves and error numbers as Errors, for everything that calls Linux.
#pragma once

#include <cerrno>
#include <string>
#include <utility>

#include "base/result.h"

namespace mhp::platform {

/// An open file descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int number) : number_(number) {}
  Fd(Fd&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Fd();
  int get() const { return number_; }
  explicit operator bool() const { return number_ >= 0; }

 private:
  int number_ = -1;
};

/// What the caller can do about an errno.
Errc code_of(int error);
/// "permission denied": the system's words, in lower case.
std::string reason_of(int error);

/// An Error of `error` (an errno) with the detail "PATH: reason", or the reason alone for an empty path.
tl::unexpected<Error> fail_errno(int error, const std::string& path = {},
                                 std::source_location where = std::source_location::current());

/// The call again as long as a signal interrupts it.
template <class Call>
auto retry_interrupted(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

}  // namespace mhp::platform
