// Counting tasks from the moment they are promised.
#pragma once

#include <cstddef>
#include <utility>

namespace mhp::net::impl {

/// One more task that runs, as long as it lives: counted from the moment it is promised, since a peer may send and give
/// up a thousand requests before the first of their tasks begins, and a task that is canceled before it begins never
/// runs.
class InFlight {
 public:
  explicit InFlight(std::size_t& count) : count_(&count) { ++count; }
  InFlight(InFlight&& other) noexcept : count_(std::exchange(other.count_, nullptr)) {}
  InFlight& operator=(InFlight&&) = delete;
  ~InFlight() { end(); }
  void end() {
    if (count_ != nullptr) --*std::exchange(count_, nullptr);
  }

 private:
  std::size_t* count_;
};

}  // namespace mhp::net::impl
