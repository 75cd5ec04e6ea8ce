// Invitations to bytes and to letters, and back.
#include "wire/invitation.h"

#include <wire/roster.pb.h>

#include "wire/impl/proto.h"

namespace mhp::wire {
namespace {

constexpr const char* kInvitation = "invitation";
constexpr std::string_view kLetters = "0123456789abcdefghjkmnpqrstvwxyz";  // by Crockford
constexpr std::string_view kMark = "mhp1";
constexpr std::size_t kGroup = 5;
constexpr std::size_t kChecksumBytes = 5;

ByteView checksum(const primitives::Hash& hash) { return ByteView(hash).first(kChecksumBytes); }
primitives::Hash hash_of(ByteView body) { return primitives::blake3_derive("mhp 1 invitation checksum", body); }

/// 5 bits a letter, highest first; the last letter is filled up with zeros.
std::string to_letters(ByteView bytes) {
  std::string out;
  unsigned held = 0;
  unsigned bits = 0;
  for (const std::byte byte : bytes) {
    held = held << 8 | std::to_integer<unsigned>(byte);
    for (bits += 8; bits >= 5; bits -= 5) out += kLetters[held >> (bits - 5) & 31];
  }
  if (bits > 0) out += kLetters[held << (5 - bits) & 31];
  return out;
}

/// Empty and false where the letters are not just what to_letters() makes of some bytes.
bool from_letters(std::string_view letters, Bytes& out) {
  unsigned held = 0;
  unsigned bits = 0;
  for (const char letter : letters) {
    held = held << 5 | static_cast<unsigned>(kLetters.find(letter));
    bits += 5;
    if (bits >= 8) out.push_back(static_cast<std::byte>(held >> (bits -= 8) & 0xff));
  }
  return bits < 5 && (held & ((1u << bits) - 1)) == 0;
}

/// The code's letters without what does not matter. Errors: invalid, where a sign cannot be in a code.
Result<std::string> plain_letters(std::string_view code) {
  if (code.size() > kMaxInvitationLetters) return impl::bad(kInvitation, "too long");
  std::string out;
  for (const char given : code) {
    char letter = given >= 'A' && given <= 'Z' ? static_cast<char>(given - 'A' + 'a') : given;
    if (letter == '-' || letter == ' ' || (letter >= '\t' && letter <= '\r')) continue;
    if (letter == 'i' || letter == 'l') letter = '1';
    if (letter == 'o') letter = '0';
    if (kLetters.find(letter) == std::string_view::npos)
      return fail(Errc::invalid, "invitation: sign " + std::to_string(out.size() + 1) + " is never in a code");
    out += letter;
  }
  return out;
}

Result<InvitedHome> take(const proto::InvitedHome& message) {
  InvitedHome out;
  MHP_TRY(out.home, impl::take_id<HomeId>(message.home(), kInvitation));
  if (message.addresses_size() > static_cast<int>(kMaxInvitedAddresses))
    return impl::bad(kInvitation, "too many addresses");
  for (const std::string& address : message.addresses()) {
    if (address.empty() || address.size() > kMaxNameBytes || impl::has_nul(address))
      return impl::bad(kInvitation, "an address is empty or too long");
    out.addresses.push_back(address);
  }
  return out;
}

}  // namespace

Bytes encode(const Invitation& invitation) {
  auto message = impl::make<proto::Invitation>();
  message.set_cloud(impl::to_field(invitation.cloud.bytes()));
  message.set_inviter(impl::to_field(invitation.inviter.bytes()));
  message.set_secret(impl::to_field(invitation.secret));
  message.set_expires_s(static_cast<std::uint64_t>(invitation.expires_s));
  message.set_role(static_cast<std::uint32_t>(invitation.role));
  message.set_lend_bytes(invitation.lend_bytes);
  for (const InvitedHome& home : invitation.homes) {
    auto& out = *message.add_homes();
    out.set_home(impl::to_field(home.home.bytes()));
    for (const std::string& address : home.addresses) out.add_addresses(address);
  }
  return impl::serialize(message);
}

Result<Invitation> parse_invitation(ByteView bytes) {
  const impl::Bounds bounds{.what = kInvitation, .bytes = kMaxInvitationBytes};
  MHP_TRY(const auto message, impl::read<proto::Invitation>(bytes, bounds));
  Invitation out;
  MHP_TRY(out.cloud, impl::take_id<CloudId>(message.cloud(), kInvitation));
  MHP_TRY(out.inviter, impl::take_id<MemberId>(message.inviter(), kInvitation));
  MHP_TRY(out.secret, impl::take_array<16>(message.secret(), kInvitation));
  if (message.expires_s() > static_cast<std::uint64_t>(INT64_MAX / 1'000'000'000))
    return impl::bad(kInvitation, "its end");
  out.expires_s = static_cast<std::int64_t>(message.expires_s());
  if (message.role() != 1 && message.role() != 2) return impl::bad(kInvitation, "no such role");
  out.role = static_cast<Role>(message.role());
  out.lend_bytes = message.lend_bytes();
  const int homes = message.homes_size();
  if (homes == 0 || homes > static_cast<int>(kMaxInvitedHomes)) return impl::bad(kInvitation, "number of homes");
  for (const auto& home : message.homes()) {
    MHP_TRY(InvitedHome taken, take(home));
    out.homes.push_back(std::move(taken));
  }
  return out;
}

std::string code_of(const Invitation& invitation) {
  Bytes bytes = encode(invitation);
  const auto hash = hash_of(bytes);
  bytes.insert(bytes.end(), checksum(hash).begin(), checksum(hash).end());
  const std::string letters = to_letters(bytes);
  std::string out(kMark);
  for (std::size_t at = 0; at < letters.size(); at += kGroup) out += "-" + letters.substr(at, kGroup);
  return out;
}

Result<Invitation> invitation_of(std::string_view code) {
  MHP_TRY(const std::string letters, plain_letters(code));
  if (!letters.starts_with(kMark)) return impl::bad(kInvitation, "a code begins with mhp1");
  Bytes bytes;
  const bool whole = from_letters(std::string_view(letters).substr(kMark.size()), bytes);
  if (!whole || bytes.size() <= kChecksumBytes) return impl::bad(kInvitation, "letters are missing, or too many");
  const ByteView body = ByteView(bytes).first(bytes.size() - kChecksumBytes);
  if (!std::ranges::equal(checksum(hash_of(body)), ByteView(bytes).last(kChecksumBytes)))
    return impl::bad(kInvitation, "a letter is wrong, missing or out of place");
  return parse_invitation(body);
}

}  // namespace mhp::wire
