// Other programs that this one starts: real processes, which end when it does.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "platform/task.h"

namespace mhp::platform {

/// A process that was started. When this goes, and when this program dies, it is killed.
class Child {
 public:
  virtual ~Child() = default;
  virtual int number() const = 0;  // the process id
  /// Asks it to end (SIGTERM). Nothing where it has ended.
  virtual void stop() = 0;
  /// Ends it on the spot (SIGKILL).
  virtual void kill() = 0;
  /// Its exit code, once it has ended; 128 and the signal's number where a signal ended it. One at a time.
  virtual Task<int> ended() = 0;
};

struct Program {
  std::vector<std::string> words;  // its path, then its arguments; no secrets: every user can see them
  std::string output;              // file for standard output, made anew; empty: nowhere
  std::string errors;              // file for standard error, added to; empty: nowhere
  std::string input = {};          // file for standard input; empty: nothing to read
};

/// Errors: not_found (no such program or file), exhausted, unavailable.
Result<std::unique_ptr<Child>> start_program(asio::any_io_executor executor, const Program& program);

/// The path of the program that is running. Errors: unavailable.
Result<std::string> own_program();

}  // namespace mhp::platform
