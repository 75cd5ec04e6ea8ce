// Which homes could be dialed from here, and when: an address that looks reachable may lead nowhere.
#pragma once

#include <map>

#include "base/ids.h"
#include "platform/clock.h"

namespace mhp::net {

/// Found out by trying, and remembered: most routers give the computers behind them public IPv6 addresses and let
/// nobody in. Only the order of attempts depends on it, never whether one is made. One loop thread.
class Dialed {
 public:
  static constexpr std::size_t kMostHomes = 1024;  // remembered; of more the latest
  static constexpr std::chrono::seconds kReachedCounts = std::chrono::days(30);
  static constexpr std::chrono::seconds kFailedCounts = std::chrono::hours(1);
  static constexpr std::chrono::seconds kNoted = std::chrono::hours(24);  // of these times that is_news() is about

  /// The last times, Unix seconds; 0: never.
  struct Times {
    std::int64_t reached_s = 0;
    std::int64_t failed_s = 0;
    friend bool operator==(const Times&, const Times&) = default;
  };
  using All = std::map<HomeId, Times>;
  /// What is tried first comes first.
  enum class Standing : unsigned char { reached, fails_now, unknown, fails };

  /// `clock` outlives it.
  explicit Dialed(const platform::Clock& clock) : clock_(clock) {}

  void note_reached(const HomeId& home);
  void note_failed(const HomeId& home);
  Standing standing(const HomeId& home) const;
  /// Whether it was reached at that time (Unix seconds) or later.
  bool was_reached_since(const HomeId& home, std::int64_t since_s) const;
  std::int64_t now_s() const;

  const All& all() const { return all_; }
  /// What was remembered elsewhere, or before: of each the latest times. Times in the future do not count.
  void recall(const All& others);
  /// Whether anything was noted since the last recall() that others would act by.
  bool is_news() const { return is_news_; }

 private:
  void note(const HomeId& home, std::int64_t Times::* which);

  const platform::Clock& clock_;
  All all_;
  bool is_news_ = false;
};

}  // namespace mhp::net
