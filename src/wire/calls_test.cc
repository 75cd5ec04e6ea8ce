// Errors of calls: round trip, golden bytes, and each bound refused.
#include "wire/calls.h"

#include <wire/calls.pb.h>

#include "wire/golden_support.h"
#include "wire/test_support.h"

namespace mhp::wire {
namespace {

CallError call_error(samples::Random& random) {
  CallError out;
  out.code = static_cast<Errc>(1 + random.below(11));
  out.detail = random.text(kMaxErrorDetailBytes - 1);
  return out;
}

TEST(CallError, RoundTrips) { expect_round_trips("CallError", call_error, parse_call_error); }

TEST(CallError, GuardsItsFormat) {
  samples::Random random(1);
  expect_guards_format(message_of<proto::CallError>(call_error(random)), parse_call_error, kMaxCallErrorBytes);
}

TEST(CallError, KeepsItsBytes) {
  expect_golden("call_error", CallError{Errc::full, "12 GB are taken, and that is all there is"}, parse_call_error);
}

TEST(CallError, RefusesEachBound) {
  CallError error{Errc::exhausted, std::string(kMaxErrorDetailBytes, 'x')};
  EXPECT_TRUE(parse_call_error(encode(error)));
  error.detail += 'x';
  expect_refused(parse_call_error(encode(error)), Errc::invalid, "too long");
  expect_refused(parse_call_error(encode(CallError{static_cast<Errc>(0), "x"})), Errc::invalid, "unknown code");
  expect_refused(parse_call_error(encode(CallError{static_cast<Errc>(12), "x"})), Errc::invalid, "unknown code");
}

}  // namespace
}  // namespace mhp::wire
