// Blocking calls that may never come back (a dead network mount), with a limit of time.
#pragma once

#include "platform/platform.h"

namespace mhp::platform {

/// A lane for jobs that may hang: nobody waits for it unless it has been found idle.
class LooseLane {
 public:
  explicit LooseLane(Platform& platform) : pool_(platform.make_lane()) {}
  ~LooseLane() {
    if (!idle_) pool_->abandon();
  }
  LooseLane(const LooseLane&) = delete;
  LooseLane& operator=(const LooseLane&) = delete;
  WorkerPool& pool() { return *pool_; }
  void set_idle() { idle_ = true; }

 private:
  std::unique_ptr<WorkerPool> pool_;
  bool idle_ = false;
};

namespace impl {

template <class F, class T>
Task<> answer(LooseLane& lane, F job, std::optional<T>& into, Nursery& both) {
  into.emplace(co_await lane.pool().run_detachable(std::move(job)));
  lane.set_idle();
  both.cancel();
}

inline Task<> stop_after(Clock& clock, std::chrono::nanoseconds limit, Nursery& both) {
  co_await clock.sleep(limit);
  both.cancel();
}

}  // namespace impl

/// Runs `job` on a thread of its own: its value, or nothing where it takes longer than `limit`. Then, and when the
/// caller is canceled, the thread is left behind: `job` must own, or share, all that it uses (the platform's disk and
/// randomness live as long as such a thread).
template <class F>
Task<std::optional<std::invoke_result_t<F&>>> run_within(Platform& platform, std::chrono::nanoseconds limit, F job) {
  std::optional<std::invoke_result_t<F&>> result;
  LooseLane lane(platform);
  Nursery both(platform.executor());
  both.start(impl::answer(lane, std::move(job), result, both));
  both.start(impl::stop_after(platform.clock(), limit, both));
  co_await both.join();
  co_return result;
}

}  // namespace mhp::platform
