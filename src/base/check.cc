// How a bug is told before the program stops.
#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace mhp {

void check_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "mhp: a bug: %s is false at %s:%d\n", expression, file, line);
  std::abort();
}

}  // namespace mhp
