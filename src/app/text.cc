// Turning numbers, sizes, times and names into a person's words.
#include "app/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <chrono>
#include <cmath>
#include <ctime>

namespace mhp::app {

std::string format_count(std::uint64_t count) {
  std::string digits = std::to_string(count);
  for (std::size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

std::string format_bytes(std::uint64_t bytes) {
  static constexpr std::array<const char*, 6> kUnits = {"kB", "MB", "GB", "TB", "PB", "EB"};
  if (bytes < 1000) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes) / 1000;
  std::size_t unit = 0;
  while (value >= 999.95 && unit + 1 < kUnits.size()) {
    value /= 1000;
    ++unit;
  }
  return value < 99.95 ? fmt::format("{:.1f} {}", value, kUnits[unit]) : fmt::format("{:.0f} {}", value, kUnits[unit]);
}

std::string format_seconds(double seconds) {
  if (seconds < 60) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<std::uint64_t>(seconds + 0.5);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

static std::string format_tm(std::int64_t unix_ns, const char* pattern, bool utc) {
  const std::time_t seconds = static_cast<std::time_t>(unix_ns / 1'000'000'000);
  std::tm parts{};
  if (utc) {
    gmtime_r(&seconds, &parts);
  } else {
    localtime_r(&seconds, &parts);
  }
  std::array<char, 64> out{};
  const std::size_t length = std::strftime(out.data(), out.size(), pattern, &parts);
  return {out.data(), length};
}

std::int64_t local_seconds(std::int64_t unix_s) {
  const std::time_t seconds = static_cast<std::time_t>(unix_s);
  std::tm parts{};
  localtime_r(&seconds, &parts);
  return unix_s + parts.tm_gmtoff;
}

std::string format_time(std::int64_t unix_ns) { return format_tm(unix_ns, "%Y-%m-%d %H:%M", false); }
std::string format_rfc3339(std::int64_t unix_ns) { return format_tm(unix_ns, "%Y-%m-%dT%H:%M:%SZ", true); }

/// The number that so many digits make.
static int digits_at(std::string_view text, std::size_t at, std::size_t count) {
  int value = 0;
  for (const char c : text.substr(at, count)) value = 10 * value + (c - '0');
  return value;
}

Result<std::int64_t> parse_date(std::string_view text) {
  constexpr std::string_view kDay = "dddd-dd-dd";
  constexpr std::string_view kMoment = "dddd-dd-ddTdd:dd:ddZ";
  const auto fits = [text](std::string_view pattern) {
    return std::ranges::equal(text, pattern, [](char c, char p) { return p == 'd' ? c >= '0' && c <= '9' : c == p; });
  };
  const auto bad = [text] {
    return fail(Errc::usage, fmt::format("not a date as 2026-11-22 or 2026-11-22T14:00:00Z: '{}'", printable(text)));
  };
  if (!fits(kDay) && !fits(kMoment)) return bad();
  const std::chrono::year_month_day day{std::chrono::year(digits_at(text, 0, 4)),
                                        std::chrono::month(static_cast<unsigned>(digits_at(text, 5, 2))),
                                        std::chrono::day(static_cast<unsigned>(digits_at(text, 8, 2)))};
  if (!day.ok()) return bad();
  const std::int64_t begin = std::int64_t{std::chrono::sys_days(day).time_since_epoch().count()} * 86'400;
  if (fits(kDay)) return begin + 86'399;
  const int hour = digits_at(text, 11, 2), minute = digits_at(text, 14, 2), second = digits_at(text, 17, 2);
  if (hour > 23 || minute > 59 || second > 59) return bad();
  return begin + 3'600 * hour + 60 * minute + second;
}

std::string format_margin(int margin) {
  return margin >= 1 ? fmt::format("any {} may be lost", margin) : "none may be lost";
}

std::string plural(std::uint64_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", format_count(count), count == 1 ? one : many);
}

/// The factor of "G", "GB", "GiB" ...; 0 where it is none. A bare letter is decimal, as on drives.
static double unit_factor(std::string unit) {
  for (char& c : unit) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (unit.empty() || unit == "b") return 1;
  static constexpr std::string_view kLetters = "kmgtp";
  const std::size_t power = kLetters.find(unit[0]);
  if (power == std::string_view::npos) return 0;
  const std::string rest = unit.substr(1);
  if (rest == "ib") return std::pow(1024.0, static_cast<double>(power + 1));
  return rest.empty() || rest == "b" ? std::pow(1000.0, static_cast<double>(power + 1)) : 0;
}

Result<std::uint64_t> parse_size(std::string_view text) {
  double value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  std::string unit(end, text.data() + text.size());
  while (!unit.empty() && unit.front() == ' ') unit.erase(unit.begin());
  const double factor = unit_factor(unit);
  const double bytes = value * factor;
  if (problem != std::errc() || factor == 0 || !(bytes >= 0) || bytes > 9e18) {
    return fail(Errc::usage, fmt::format("'{}' is no size: write 200G, 1.5TB or 500MiB", printable(text)));
  }
  return static_cast<std::uint64_t>(bytes);
}

/// Length of the valid UTF-8 sequence that starts `text`, 0 where there is none.
static std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  const bool overlong = (first == 0xE0 && byte(1) < 0xA0) || (first == 0xF0 && byte(1) < 0x90);
  const bool surrogate = first == 0xED && byte(1) >= 0xA0;
  const bool too_high = first == 0xF4 && byte(1) >= 0x90;
  return overlong || surrogate || too_high ? 0 : length;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

/// Control characters (C0, DEL, C1) and marks that turn the direction of text.
static bool steers_terminal(std::string_view sequence) {
  const auto first = static_cast<unsigned char>(sequence[0]);
  if (sequence.size() == 1) return first < 0x20 || first == 0x7F;
  if (sequence.size() == 2) return first == 0xC2 && static_cast<unsigned char>(sequence[1]) < 0xA0;
  const std::string_view turn_a("\xE2\x80", 2);
  const std::string_view turn_b("\xE2\x81", 2);
  const auto last = static_cast<unsigned char>(sequence[2]);
  return (sequence.substr(0, 2) == turn_a && last >= 0xA8 && last <= 0xAE) ||
         (sequence.substr(0, 2) == turn_b && last >= 0xA6 && last <= 0xA9);
}

Result<std::int64_t> parse_duration(std::string_view text) {
  constexpr std::int64_t kMost = 10 * 366 * 86'400LL;
  const auto wrong = [text] {
    return fail(Errc::usage, fmt::format("'{}' is no time: write 90s, 30m, 24h or 7d", printable(text)));
  };
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end + 1 != text.data() + text.size() || number < 1 || number > kMost) return wrong();
  constexpr std::string_view kUnits = "smhd";
  constexpr std::array<std::int64_t, 4> kSeconds = {1, 60, 3600, 86'400};
  const std::size_t unit = kUnits.find(*end);
  if (unit == std::string_view::npos || number > kMost / kSeconds[unit]) return wrong();
  return number * kSeconds[unit];
}

std::string printable(std::string_view name) {
  std::string out;
  while (!name.empty()) {
    const std::size_t length = utf8_length(name);
    const std::size_t step = length == 0 ? 1 : length;
    if (length == 0 || steers_terminal(name.substr(0, length))) {
      for (const char c : name.substr(0, step)) out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      out += name.substr(0, length);
    }
    name.remove_prefix(step);
  }
  return out;
}

std::string last_part(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  return slash == std::string::npos || slash + 1 == path.size() ? path : path.substr(slash + 1);
}

}  // namespace mhp::app
