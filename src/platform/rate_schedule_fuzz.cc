// Any text as a schedule of rates: reading never crashes, and what is accepted is written back as the same schedule.
#include "base/bytes.h"
#include "base/check.h"
#include "platform/rate_schedule.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mhp::platform;
  const auto text = mhp::as_text(std::as_bytes(std::span(data, size)));
  const auto schedule = parse_rate_schedule(text);
  if (!schedule) return 0;
  const auto again = parse_rate_schedule(to_string(*schedule));
  MHP_CHECK(again && *again == *schedule);
  for (int minute = 0; minute < 24 * 60; minute += 7) (void)rate_at(*schedule, std::chrono::minutes(minute));
  return 0;
}
