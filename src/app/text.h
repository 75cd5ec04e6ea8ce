// Numbers, sizes, times and names in a person's words.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mhp::app {

std::string format_count(std::uint64_t count);  // 12,431
std::string format_bytes(std::uint64_t bytes);  // 3.1 GB
std::string format_seconds(double seconds);     // 4.2 s, 3 min 20 s, 2 h 5 min
std::string format_time(std::int64_t unix_ns);  // 2026-11-22 15:04 (local time)
/// "2026-11-22" (the end of that day, UTC) or "2026-11-22T14:04:05Z" -> Unix seconds. Errors: usage.
Result<std::int64_t> parse_date(std::string_view text);
/// Unix seconds to seconds of the local clock on the wall, as if that were UTC.
std::int64_t local_seconds(std::int64_t unix_s);
std::string format_rfc3339(std::int64_t unix_ns);                                      // 2026-11-22T14:04:05Z
std::string plural(std::uint64_t count, std::string_view one, std::string_view many);  // "1 file", "12,431 files"

/// "any 2 may be lost", "none may be lost".
std::string format_margin(int margin);

/// "200G", "1.5 GiB", "500M", "4096": bytes. Errors: usage.
Result<std::uint64_t> parse_size(std::string_view text);

/// "30m", "24h", "7d", "90s": seconds, at least 1, at most ten years. Errors: usage.
Result<std::int64_t> parse_duration(std::string_view text);

/// Safe for a terminal: control characters and bytes that are not UTF-8 become \xNN, the backslash itself is doubled
/// only then.
std::string printable(std::string_view name);
bool is_utf8(std::string_view text);

/// What a home is called where nobody gave it a name.
std::string last_part(const std::string& path);

}  // namespace mhp::app
