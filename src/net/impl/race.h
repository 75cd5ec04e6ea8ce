// Several ways to the same, begun one after another; the first that leads there is taken.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/result.h"
#include "net/impl/bell.h"
#include "net/impl/within.h"

namespace mhp::net::impl {

/// What came of it.
template <class T>
struct Outcomes {
  std::optional<T> won;
  std::size_t winner = 0;                      // of those tried, where one has won
  std::vector<std::optional<Error>> failures;  // of each; none: it was not answered, or has won
  std::size_t begun = 0;                       // of those tried, the first so many
};

/// `Attempt`: a function object whose call with a number, 0 to `starts.size()` - 1, gives a Task<Result<T>>.
template <class T, class Attempt>
class Race {
 public:
  /// `starts`: when each begins, after the beginning, rising; at once where all before it have failed. `attempt` is
  /// borrowed until the task ends.
  Race(platform::Clock& clock, asio::any_io_executor executor, std::vector<std::chrono::nanoseconds> starts,
       Attempt& attempt)
      : clock_(clock), starts_(std::move(starts)), attempt_(attempt), failed_(executor), tries_(executor) {
    outcomes_.failures.resize(starts_.size());
  }
  Task<> run() {
    tries_.start(begin_all());
    co_await tries_.join();
  }
  Outcomes<T>& outcomes() { return outcomes_; }

 private:
  Task<> begin_all() {
    const auto begin = clock_.steady();
    for (std::size_t i = 0; i < starts_.size(); ++i) {
      while (running_ > 0 && clock_.steady() < begin + starts_[i]) {
        auto ring = rung(failed_);
        co_await within(clock_, begin + starts_[i] - clock_.steady(), std::move(ring));
      }
      if (outcomes_.won) co_return;
      ++running_;
      outcomes_.begun = i + 1;
      tries_.start(run_one(i));
    }
  }
  Task<> run_one(std::size_t which) {
    auto trying = attempt_(which);
    auto result = co_await std::move(trying);
    --running_;
    if (!result) {
      outcomes_.failures[which] = std::move(result.error());
      failed_.ring();
      co_return;
    }
    if (outcomes_.won) co_return;
    outcomes_.won.emplace(std::move(*result));
    outcomes_.winner = which;
    tries_.cancel();
  }

  platform::Clock& clock_;
  const std::vector<std::chrono::nanoseconds> starts_;
  Attempt& attempt_;
  Outcomes<T> outcomes_;
  std::size_t running_ = 0;
  Bell failed_;
  platform::Nursery tries_;
};

/// `starts` for `count` equal ways.
inline std::vector<std::chrono::nanoseconds> equal_starts(std::size_t count, std::chrono::nanoseconds head_start) {
  std::vector<std::chrono::nanoseconds> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back(static_cast<int>(i) * head_start);
  return out;
}

}  // namespace mhp::net::impl
