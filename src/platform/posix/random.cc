// Randomness from the kernel.
#include <sys/random.h>

#include <cerrno>

#include "base/check.h"
#include "platform/posix/parts.h"

namespace mhp::platform {

namespace {

class SystemRandom : public Random {
 public:
  void fill(MutableBytes out) override {
    while (!out.empty()) {
      const ssize_t got = ::getrandom(out.data(), out.size(), 0);
      if (got < 0 && errno == EINTR) continue;
      MHP_CHECK(got > 0);  // without randomness no key may be made
      out = out.subspan(static_cast<std::size_t>(got));
    }
  }
};

}  // namespace

std::unique_ptr<Random> make_system_random() { return std::make_unique<SystemRandom>(); }

}  // namespace mhp::platform
