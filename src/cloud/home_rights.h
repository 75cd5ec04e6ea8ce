// Who may ask a home for what: pure decisions.
#pragma once

#include <memory>
#include <optional>

#include "cloud/home_routes.h"
#include "home/who_may_speak.h"

namespace mhp::cloud {

/// What the rosters of this home's clouds say of the computer that asks.
enum class Who : unsigned char {
  stranger,
  member,     // of one of the clouds at least
  taken_out,  // of one of them, and in none: it may be in the hands of a thief, and the vault's keys with it
};

/// What a connection has shown of itself when it asks about a vault.
struct Shown {
  Who computer = Who::stranger;
  bool speaks = false;  // for that vault: proved on this very connection, and by what is held now
};

/// Whether a call changes nothing of what is kept here. Opening a session does not either.
bool only_reads(HomeCall call);

/// A vault is for those who speak for it. Only a vault record comes from others, too, if they are members: it proves
/// itself, and is how a device comes in that can show no certificate. From a computer that was taken out nothing is
/// taken: it reads. Errors: denied.
Result<void> may(const Shown& shown, HomeCall call);

/// What follows from the vault records that the home holds; null where it holds none, not even a damaged one.
using HeldSpeakers = std::shared_ptr<const home::Speakers>;

/// Who a proof shows to be asking, where it was made for exactly this: `here` is the connection as this end knows it.
/// The identity proves itself. A device is one that the records held speak of, or one that the identity certified and
/// none of them revokes: this home may have slept when it was enrolled. Errors: invalid (does not parse), denied.
Result<primitives::PublicKey> prove_session(const wire::SessionProof& proof, const wire::SessionClaim& here,
                                            const HeldSpeakers& held);

/// Whether one who has proved to hold `key`, as prove_session() asks, still speaks for `vault`.
bool speaks(const primitives::PublicKey& key, const VaultId& vault, const HeldSpeakers& held);

}  // namespace mhp::cloud
