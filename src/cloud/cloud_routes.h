// What one computer can ask another about a cloud, and the paths that say it (docs/protocol/cloud.md).
#pragma once

#include <string_view>

#include "net/call.h"

namespace mhp::cloud {

enum class CloudCall : unsigned char {
  session,     // a signed wire::CloudClaim -> nothing
  join,        // wire::JoinCall -> wire::Statements
  ask_roster,  // wire::RosterDigest -> wire::RosterNews
  put_roster,  // wire::Statements -> nothing
  removal,     // a signed wire::CloudClaim -> wire::Statements
};

struct CloudAsk {
  CloudCall call = CloudCall::session;
  CloudId cloud{};
  friend bool operator==(const CloudAsk&, const CloudAsk&) = default;
};

net::Request to_request(const CloudAsk& ask, Bytes body);
/// Whether a path is of a cloud at all; what it says is another question.
bool is_cloud_path(std::string_view path);
/// Errors: not_found (no such path), invalid (no cloud's id in it).
Result<CloudAsk> parse_cloud_ask(net::Method method, std::string_view path);

}  // namespace mhp::cloud
