// The messages about rosters to bytes and back: limits first, then what they carry.
#include "wire/cloud_calls.h"

#include <wire/cloud_calls.pb.h>

#include "wire/impl/proto.h"

namespace mhp::wire {
namespace {

constexpr std::uint64_t kMaxClaimBytes = 512;
constexpr std::uint64_t kMaxNewsBytes = kMaxRosterBytes + 16 * kMaxRosterStatements + 2_KiB;

}  // namespace

Bytes encode(const CloudClaim& claim) {
  auto message = impl::make<proto::CloudClaim>();
  message.set_cloud(impl::to_field(claim.cloud.bytes()));
  message.set_home(impl::to_field(claim.home.bytes()));
  message.set_exporter(impl::to_field(claim.exporter));
  return impl::serialize(message);
}

Result<CloudClaim> parse_cloud_claim(ByteView bytes) {
  const impl::Bounds bounds{.what = "cloud claim", .bytes = kMaxClaimBytes};
  MHP_TRY(const auto message, impl::read<proto::CloudClaim>(bytes, bounds));
  CloudClaim out;
  MHP_TRY(out.cloud, impl::take_id<CloudId>(message.cloud(), bounds.what));
  MHP_TRY(out.home, impl::take_id<HomeId>(message.home(), bounds.what));
  MHP_TRY(out.exporter, impl::take_array<32>(message.exporter(), bounds.what));
  return out;
}

Bytes encode(const JoinCall& call) {
  auto message = impl::make<proto::JoinCall>();
  message.set_request(impl::to_field(encode(call.request)));
  message.set_claim(impl::to_field(call.signed_claim));
  return impl::serialize(message);
}

Result<JoinCall> parse_join_call(ByteView bytes) {
  const impl::Bounds bounds{.what = "join call", .bytes = kMaxJoinCallBytes};
  MHP_TRY(const auto message, impl::read<proto::JoinCall>(bytes, bounds));
  if (message.claim().empty() || message.claim().size() > kMaxCloudClaimBytes)
    return impl::bad(bounds.what, "its claim has a wrong length");
  JoinCall out;
  MHP_TRY(out.request, parse_join_request(as_bytes(message.request())));
  out.signed_claim = to_bytes(as_bytes(message.claim()));
  return out;
}

Bytes encode(const RosterNews& news) {
  auto message = impl::make<proto::RosterNews>();
  message.set_digest(impl::to_field(encode(news.digest)));
  for (const Bytes& one : news.statements) message.add_statements(impl::to_field(one));
  return impl::serialize(message);
}

Result<RosterNews> parse_roster_news(ByteView bytes) {
  const impl::Bounds bounds{.what = "roster news", .bytes = kMaxNewsBytes, .fields = kMaxRosterStatements + 2};
  MHP_TRY(const auto message, impl::read<proto::RosterNews>(bytes, bounds));
  if (message.statements_size() > static_cast<int>(kMaxRosterStatements))
    return impl::bad(bounds.what, "too many statements");
  RosterNews out;
  MHP_TRY(out.digest, parse_roster_digest(as_bytes(message.digest())));
  out.statements.reserve(static_cast<std::size_t>(message.statements_size()));
  std::uint64_t total = 0;
  for (const std::string& one : message.statements()) {
    total += one.size();
    if (one.size() > kMaxStatementBytes || total > kMaxRosterBytes) return impl::bad(bounds.what, "too long");
    out.statements.push_back(to_bytes(as_bytes(one)));
  }
  return out;
}

}  // namespace mhp::wire
