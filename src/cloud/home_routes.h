// What one computer can ask another's home for, and the paths that say it (docs/protocol/home.md).
#pragma once

#include <string_view>

#include "net/call.h"
#include "wire/home_calls.h"

namespace mhp::cloud {

enum class HomeCall : unsigned char {
  session,           // shows who is asking
  vault_records,     // those of the devices after `device`
  put_vault_record,  // the first of its author or a newer one
  former_record,     // of `device`, that of number `number`, counted from 0
  heads,             // those of the devices after `device`
  put_heads,         // of `device`
  tombstone,
  reprieve,
  list,  // `limit` segments after `segment`
  find,  // `segment`
  read,  // `bytes` of row `row` of `segment` from `offset`
  put,   // a record in wire layout
  commit,
  collect,
  usage,
  scrub,      // what `seed` draws of some segments after `segment`
  known_bad,  // rows that the home itself found damaged, of segments after `segment`
};

/// A request without its body. Fields that its call does not name are not sent.
struct HomeAsk {
  HomeCall call = HomeCall::usage;
  VaultId vault{};
  DeviceId device{};
  SegmentId segment{};
  std::uint8_t row = 0;      // below wire::kMaxRows
  std::uint64_t number = 0;  // below wire::kMaxFormerRecords
  std::uint64_t offset = 0;
  std::uint64_t bytes = wire::kMaxReadBytes;     // at least 1, at most that
  std::uint64_t limit = wire::kMaxPageSegments;  // at least 1, at most that
  std::uint64_t percent = 100;                   // at most that
  std::uint64_t seed = 0;
  friend bool operator==(const HomeAsk&, const HomeAsk&) = default;
};

net::Request to_request(const HomeAsk& ask, Bytes body);
/// Values that a path leaves out are as in HomeAsk. Errors: not_found (no such path), invalid (a value out of bounds).
Result<HomeAsk> parse_ask(net::Method method, std::string_view path);

}  // namespace mhp::cloud
