// Ends the process without asking for memory.
#include "base/exhausted.h"

#include <cstdio>
#include <cstdlib>

namespace mhp {

void end_exhausted(const char* what) noexcept {
  std::fputs("mhp: this computer ran out of ", stderr);
  std::fputs(what, stderr);
  std::fputs("; nothing that was saved is harmed. Close programs and try again.\n", stderr);
  std::_Exit(1);
}

void end_out_of_memory() noexcept { end_exhausted("memory"); }

}  // namespace mhp
