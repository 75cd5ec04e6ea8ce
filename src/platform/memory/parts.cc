// Time that moves by events, and numbers from a seed.
#include "platform/memory/parts.h"

#include <algorithm>
#include <cstring>

#include "platform/impl/waiter.h"

namespace mhp::platform {

namespace {

/// Any fixed day: 2026-01-01 00:00 UTC.
constexpr std::int64_t kFirstUnixNs = 1'767'225'600'000'000'000;

}  // namespace

std::int64_t SimulatedClock::unix_ns() const { return kFirstUnixNs + now_.count(); }

Task<> SimulatedClock::sleep(std::chrono::nanoseconds duration) {
  co_await stop_if_canceled();
  Waiter alarm(loop_.get_executor());
  const auto at = now_ + std::max(duration, std::chrono::nanoseconds(0));
  const auto place = events_.emplace(at, [&alarm] { alarm.wake(); });
  try {
    co_await alarm.wait();
  } catch (...) {
    events_.erase(place);  // advance() takes out only whom it wakes
    throw;
  }
}

void SimulatedClock::call_at(std::chrono::nanoseconds time, std::function<void()> event) {
  events_.emplace(std::max(time, now_), std::move(event));
}

bool SimulatedClock::advance() {
  const auto first = events_.begin();
  if (first == events_.end()) return false;
  now_ = first->first;
  const auto event = std::move(first->second);
  events_.erase(first);
  event();
  return true;
}

void SeededRandom::fill(MutableBytes out) {
  std::lock_guard lock(mutex_);
  for (std::size_t at = 0; at < out.size(); at += sizeof(std::uint64_t)) {
    const std::uint64_t word = next();
    std::memcpy(out.data() + at, &word, std::min(sizeof word, out.size() - at));
  }
}

std::uint64_t SeededRandom::number() {
  std::lock_guard lock(mutex_);
  return next();
}

std::uint64_t SeededRandom::next() {
  state_ += 0x9E3779B97F4A7C15;
  std::uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

}  // namespace mhp::platform
