// Errors as statuses and as bodies of replies.
#include "net/call.h"

#include <array>

#include "wire/calls.h"

namespace mhp::net {
namespace {

struct Pair {
  Errc code;
  unsigned status;
};
/// No two alike, so that the way back is one. 500 and 502 stay free: programs between give them for reasons of theirs.
constexpr std::array kStatuses{Pair{Errc::not_found, 404}, Pair{Errc::unavailable, 503}, Pair{Errc::timed_out, 504},
                               Pair{Errc::corrupt, 422},   Pair{Errc::denied, 403},      Pair{Errc::full, 507},
                               Pair{Errc::invalid, 400},   Pair{Errc::canceled, 499},    Pair{Errc::busy, 423},
                               Pair{Errc::usage, 409},     Pair{Errc::exhausted, 429}};

}  // namespace

unsigned status_of(Errc code) {
  for (const Pair& pair : kStatuses)
    if (pair.code == code) return pair.status;
  return 500;
}

Errc errc_of(unsigned status) {
  for (const Pair& pair : kStatuses)
    if (pair.status == status) return pair.code;
  return status >= 500 ? Errc::unavailable : Errc::invalid;
}

Reply error_reply(const Error& error) {
  const wire::CallError body{error.code, error.detail.substr(0, wire::kMaxErrorDetailBytes)};
  return {status_of(error.code), encode(body)};
}

}  // namespace mhp::net
