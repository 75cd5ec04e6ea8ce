// All of the machine that the program may touch, in one place: made by main, or by a test.
#pragma once

#include <memory>

#include "platform/clock.h"
#include "platform/disk.h"
#include "platform/network.h"
#include "platform/nursery.h"
#include "platform/random.h"
#include "platform/task.h"
#include "platform/tree.h"
#include "platform/worker_pool.h"

namespace mhp::platform {

class Platform {
 public:
  virtual ~Platform() = default;
  virtual Clock& clock() = 0;
  virtual Random& random() = 0;
  virtual Disk& disk() = 0;
  virtual Trees& trees() = 0;
  virtual Network& network() = 0;
  /// CPU work: one thread a core.
  virtual WorkerPool& workers() = 0;
  /// A thread of its own for one home's blocking disk calls, so that a hanging drive hangs nobody else.
  virtual std::unique_ptr<WorkerPool> make_lane() = 0;
  virtual asio::any_io_executor executor() = 0;
  /// Runs `main` on the loop until it is done and gives its exit code. SIGINT, SIGTERM and SIGHUP cancel it (130).
  virtual int run(Task<int> main) = 0;
};

/// The real one: Linux.
std::unique_ptr<Platform> make_posix_platform();

}  // namespace mhp::platform
