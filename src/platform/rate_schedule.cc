// Reading and writing schedules of rates.
#include "platform/rate_schedule.h"

#include <charconv>
#include <cstdio>

namespace mhp::platform {

namespace {

using std::chrono::minutes;

constexpr std::size_t kMaxScheduleBytes = 1000;
constexpr minutes kDay{24 * 60};
constexpr std::string_view kUnlimited = "unlimited";
constexpr std::string_view kElse = "else";

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

std::string_view trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

/// 0 for what is no unit.
double unit_factor(std::string_view unit) {
  if (unit.ends_with("/s")) unit.remove_suffix(2);
  if (unit.ends_with('B')) unit.remove_suffix(1);
  const double step = unit.ends_with('i') ? 1024 : 1000;
  if (unit.ends_with('i') && unit.size() != 2) return 0;
  if (unit.empty()) return 1;
  if (unit.size() > 2 || (unit.size() == 2 && unit[1] != 'i')) return 0;
  if (unit[0] == 'k' || unit[0] == 'K') return step;
  if (unit[0] == 'M') return step * step;
  return unit[0] == 'G' ? step * step * step : 0;
}

Result<Rate> parse_rate(std::string_view text) {
  if (text == kUnlimited) return Rate{};
  constexpr double kMost = 1e15;
  double value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  const auto unit = trim({end, static_cast<std::size_t>(text.data() + text.size() - end)});
  const double factor = unit_factor(unit);
  if (problem != std::errc() || factor == 0) {
    return fail(Errc::usage, quoted(text) + " is no rate: write 500k, 1.5M, 2MiB/s or unlimited");
  }
  const double bytes = value * factor;
  if (!(bytes >= 1 && bytes <= kMost)) {
    return fail(Errc::usage, quoted(text) + " is no rate: at least 1 byte a second, at most 10^15");
  }
  return Rate{static_cast<std::uint64_t>(bytes)};
}

/// "8:05" or "08:05"; 24:00 at most.
Result<minutes> parse_time(std::string_view text) {
  const auto bad = [text] { return fail(Errc::usage, quoted(text) + " is no time of day: write 08:00"); };
  const auto colon = text.find(':');
  if (colon == std::string_view::npos || colon < 1 || colon > 2 || text.size() != colon + 3) return bad();
  for (const char c : text) {
    if (c != ':' && (c < '0' || c > '9')) return bad();
  }
  int hour = 0;
  int minute = 0;
  std::from_chars(text.data(), text.data() + colon, hour);
  const auto [end, problem] = std::from_chars(text.data() + colon + 1, text.data() + text.size(), minute);
  const minutes out{hour * 60 + minute};
  if (problem != std::errc() || end != text.data() + text.size() || minute > 59 || out > kDay) return bad();
  return out;
}

Result<RatePeriod> parse_period(std::string_view text) {
  const auto space = text.find(' ');
  const auto dash = text.find('-');
  if (space == std::string_view::npos || dash == std::string_view::npos || dash > space) {
    return fail(Errc::usage, quoted(text) + " is no period: write 08:00-18:00 1M, or else 1M");
  }
  RatePeriod out;
  MHP_TRY(out.begin, parse_time(text.substr(0, dash)));
  MHP_TRY(out.end, parse_time(text.substr(dash + 1, space - dash - 1)));
  MHP_TRY(out.rate, parse_rate(trim(text.substr(space))));
  if (out.begin == kDay) out.begin = minutes(0);
  if (out.begin == out.end) return fail(Errc::usage, quoted(text) + " ends when it begins");
  return out;
}

/// "1M" and "else 1M".
bool is_otherwise(std::string_view part) {
  return part.starts_with("else ") || part.find(':') == std::string_view::npos;
}

Result<Rate> parse_otherwise(std::string_view part, bool alone) {
  if (part.starts_with("else ")) return parse_rate(trim(part.substr(kElse.size())));
  if (!alone) return fail(Errc::usage, quoted(part) + ": a rate without a time stands alone, or after \"else\"");
  return parse_rate(part);
}

std::string time_text(minutes time) {
  char text[16];
  std::snprintf(text, sizeof text, "%02d:%02d", static_cast<int>(time.count() / 60),
                static_cast<int>(time.count() % 60));
  return text;
}

}  // namespace

Result<RateSchedule> parse_rate_schedule(std::string_view text) {
  if (text.size() > kMaxScheduleBytes) return fail(Errc::usage, "that schedule of rates is too long");
  RateSchedule out;
  for (std::size_t begin = 0;;) {
    const auto comma = text.find(',', begin);
    const auto part = trim(text.substr(begin, comma == std::string_view::npos ? comma : comma - begin));
    const bool last = comma == std::string_view::npos;
    if (part.empty()) return fail(Errc::usage, "a schedule of rates has an empty part: " + quoted(text));
    if (is_otherwise(part)) {
      if (!last) return fail(Errc::usage, quoted(part) + " must be the last part");
      MHP_TRY(out.otherwise, parse_otherwise(part, out.periods.empty()));
      return out;
    }
    if (out.periods.size() == RateSchedule::kMaxPeriods) return fail(Errc::usage, "more than 24 periods of a day");
    MHP_TRY(auto period, parse_period(part));
    out.periods.push_back(period);
    if (last) return out;
    begin = comma + 1;
  }
}

std::string to_string(Rate rate) {
  if (rate.unlimited()) return std::string(kUnlimited);
  std::uint64_t value = rate.bytes_per_second;
  const char* units[] = {"", "k", "M", "G"};
  std::size_t unit = 0;
  for (; unit < 3 && value % 1000 == 0; ++unit) value /= 1000;
  return std::to_string(value) + units[unit];
}

std::string to_string(const RateSchedule& schedule) {
  if (schedule.periods.empty()) return to_string(schedule.otherwise);
  std::string out;
  for (const auto& each : schedule.periods) {
    out += time_text(each.begin) + "-" + time_text(each.end) + " " + to_string(each.rate) + ", ";
  }
  return out + std::string(kElse) + " " + to_string(schedule.otherwise);
}

Rate rate_at(const RateSchedule& schedule, std::chrono::seconds time_of_day) {
  for (const auto& each : schedule.periods) {
    const bool after = time_of_day >= each.begin;
    const bool before = time_of_day < each.end;
    if (each.begin < each.end ? after && before : after || before) return each.rate;
  }
  return schedule.otherwise;
}

}  // namespace mhp::platform
