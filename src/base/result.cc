// The words of the error codes.
#include "base/result.h"

namespace mhp {

const char* to_string(Errc code) {
  switch (code) {
    case Errc::not_found:
      return "not_found";
    case Errc::unavailable:
      return "unavailable";
    case Errc::timed_out:
      return "timed_out";
    case Errc::corrupt:
      return "corrupt";
    case Errc::denied:
      return "denied";
    case Errc::full:
      return "full";
    case Errc::invalid:
      return "invalid";
    case Errc::canceled:
      return "canceled";
    case Errc::busy:
      return "busy";
    case Errc::usage:
      return "usage";
    case Errc::exhausted:
      return "exhausted";
  }
  return "unknown";
}

const char* to_string(Subject subject) {
  switch (subject) {
    case Subject::none:
      return "";
    case Subject::vault:
      return "vault";
    case Subject::homes:
      return "homes";
    case Subject::home:
      return "home";
    case Subject::state:
      return "state";
    case Subject::source:
      return "source";
    case Subject::target:
      return "target";
    case Subject::snapshot:
      return "snapshot";
    case Subject::entry:
      return "entry";
    case Subject::phrase:
      return "phrase";
    case Subject::clock:
      return "clock";
    case Subject::network:
      return "network";
    case Subject::cloud:
      return "cloud";
  }
  return "";
}

}  // namespace mhp
