// What to do when this computer has no memory or threads left: say so and end; it is no bug.
#pragma once

namespace mhp {

/// Prints `what` ran out and ends the process with exit code 1, freeing nothing and asking for nothing. What is on
/// disks and homes is then as after a crash, which everything that is stored there stands.
[[noreturn]] void end_exhausted(const char* what) noexcept;

/// The same for memory: the handler that `operator new` calls (std::set_new_handler).
[[noreturn]] void end_out_of_memory() noexcept;

}  // namespace mhp
