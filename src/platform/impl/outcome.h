// How tasks at the root of a coroutine stack begin and end: shared by Nursery and the platforms' run().
#pragma once

#include <exception>

#include "platform/task.h"

namespace mhp::platform {

enum class Outcome { done, canceled, failed };

/// What the exception a task ended with means; none means done.
Outcome outcome_of(const std::exception_ptr& error);

/// Prints what `error` says and aborts: our own code has no throw, so nobody could go on sensibly.
[[noreturn]] void die_of(const std::exception_ptr& error);

/// `task` as every root runs it: it begins by way of the loop, so that who starts it goes on first; once it runs, a
/// cancellation ends it only where it suspends in this room (sleep, join, take, run, the network). Otherwise a caller
/// canceled just before join() would never enter join(), and its children would be left alone with its dead frame.
Task<> run_as_root(Task<> task);

}  // namespace mhp::platform
