// A place where concurrent tasks live together: none outlives it, all can be canceled at once.
#pragma once

#include <cstddef>
#include <memory>

#include "platform/task.h"

namespace mhp::platform {

/// Children are started with start() and awaited with join(). A Nursery that dies with children running aborts the
/// program: nothing may throw or return between the first start() and join(). A child that ends by an exception other
/// than cancellation ends the program with a message (our code has no throw).
class Nursery {
 public:
  explicit Nursery(asio::any_io_executor executor);
  ~Nursery();
  Nursery(const Nursery&) = delete;
  Nursery& operator=(const Nursery&) = delete;

  /// The child begins once the caller waits, never before start() returns. A cancellation ends it where it sleeps,
  /// joins, takes a permit, begins a job or waits for the network; elsewhere it goes on.
  void start(Task<> child);
  /// Asks every running child to stop at its next await. Children started later run.
  void cancel();
  /// Waits until no child runs. If the caller itself is canceled, the children are canceled and then awaited.
  Task<> join();
  /// The same, but where the caller is canceled that ends here, and it goes on: true then.
  Task<bool> settle();
  std::size_t running() const;

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with the children's completion handlers, which may run last
};

/// Returns when the awaiting task is canceled, and takes that back: the task goes on, to end in order (a service that
/// was told to stop). What is canceled again after that ends as usual.
Task<> until_canceled(asio::any_io_executor executor);

/// Counts permits; take() waits in order of arrival. One loop thread only.
class Semaphore {
 public:
  Semaphore(asio::any_io_executor executor, std::size_t permits);
  ~Semaphore();
  Task<> take();
  void give();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Gives a taken permit back when it goes. A cancellation leaves a frame at any await, so a bare give() may never be
/// reached: `co_await permits.take(); Permit permit(permits);`
class Permit {
 public:
  explicit Permit(Semaphore& from) : from_(from) {}
  ~Permit() { from_.give(); }
  Permit(const Permit&) = delete;
  Permit& operator=(const Permit&) = delete;

 private:
  Semaphore& from_;
};

}  // namespace mhp::platform
