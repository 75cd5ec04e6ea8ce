// Vault record: what recovery starts from. Each device writes its own; every home has those of all.
#pragma once

#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "primitives/sign/sign.h"
#include "wire/limits.h"

namespace mhp::wire {

/// Signed by the identity (kSignDevice).
struct DeviceCertificate {
  VaultId vault{};
  DeviceId device{};  // Ed25519 public key
  primitives::PublicKey x25519{};
  std::int64_t created_ns = 0;
  friend bool operator==(const DeviceCertificate&, const DeviceCertificate&) = default;
};

/// Signed by the identity (kSignRevocation). Heads after the last good one are not believed.
struct Revocation {
  VaultId vault{};
  DeviceId device{};
  std::uint64_t last_good_seq = 0;  // 0: none
  HeadHash last_good{};
  std::int64_t time_ns = 0;
  bool distrusted = false;  // what came after the last good head is an enemy's: not taken in, whatever is asked
  friend bool operator==(const Revocation&, const Revocation&) = default;
};

/// The vault's keys, sealed to one recipient.
struct KeyWrap {
  primitives::PublicKey recipient{};  // the recovery key or a device's X25519 key
  Bytes sealed{};                     // a VaultKeys, by seal_to with context role || vault || epoch
  std::uint32_t epoch = 0;            // newest epoch inside
  bool for_recovery = false;
  friend bool operator==(const KeyWrap&, const KeyWrap&) = default;
};

/// Signed by the device that wrote it (kSignVaultRecord), of which it holds the certificate.
/// vault = BLAKE3("mhp 1 vault id", identity): a record proves itself.
struct VaultRecord {
  VaultId vault{};
  DeviceId device{};          // the author
  std::uint64_t version = 0;  // 1, 2, 3 ... of this device
  primitives::PublicKey identity{};
  primitives::PublicKey recovery_x25519{};
  std::vector<Bytes> devices{};      // signed DeviceCertificates, as bytes
  std::vector<Bytes> revocations{};  // signed Revocations
  std::vector<KeyWrap> wraps{};
  Bytes sealed_private{};   // a VaultPrivate in a box under the record key of `epoch`
  std::uint32_t epoch = 0;  // that the author writes with, from 1
  std::int64_t time_ns = 0;
  std::string later{};  // as in HomeEntry
  friend bool operator==(const VaultRecord&, const VaultRecord&) = default;
};

/// Of two records of one device: whether the one of version `next` takes the place of that of `held`. The newer one
/// does; but where they are kMaxVersionStep or more apart, nobody came to the higher one honestly, and the lower one
/// counts: so whoever signs the highest number there is locks nobody out.
constexpr bool takes_place_of(std::uint64_t next, std::uint64_t held) {
  return next > held ? next - held < kMaxVersionStep : held - next >= kMaxVersionStep;
}

struct EpochKey {
  std::uint32_t epoch = 0;
  primitives::Key data_key{};    // of segments
  primitives::Key record_key{};  // of VaultPrivate and of the roots in heads
  friend bool operator==(const EpochKey&, const EpochKey&) = default;
};

struct VaultKeys {
  std::vector<EpochKey> epochs{};  // rising
  primitives::Key dedup_secret{};
  primitives::Key chunker_secret{};
  friend bool operator==(const VaultKeys&, const VaultKeys&) = default;
};

/// Values that are not listed here are kept: they are of a newer program, and no other may lose them.
enum class HomeKind : std::uint8_t { folder = 1, computer = 2 };

/// A home as the owner sees it; sealed, because names, paths and addresses tell about a person.
struct HomeEntry {
  HomeId id{};
  std::string name{};
  HomeKind kind = HomeKind::folder;
  std::string path{};                // absolute
  bool same_disk = false;            // trial: counts although it shares a device
  std::uint64_t max_used_bytes = 0;  // 0: no bound but min_free
  std::uint64_t min_free_bytes = 0;
  std::array<std::byte, 32> member{};    // who lends it, in the roster of `cloud`; zeros: the owner's own
  std::array<std::byte, 32> cloud{};     // where it was met; zeros: none
  std::vector<std::string> addresses{};  // where it was last reached, "HOST:PORT", the best first
  std::int64_t changed_ns = 0;           // of all records the newest change of a home counts
  std::string later{};                   // fields of a newer program, as they came; written back
  friend bool operator==(const HomeEntry&, const HomeEntry&) = default;
};

struct RemovedHome {
  HomeId id{};
  std::int64_t changed_ns = 0;
  friend bool operator==(const RemovedHome&, const RemovedHome&) = default;
};

/// A cloud that the owner is a member of. The key comes back with the vault, so that who recovers is the same member.
struct Membership {
  CloudId cloud{};
  primitives::Key member_secret{};  // seed of the member's Ed25519 key
  std::string name{};               // of the member there
  std::int64_t changed_ns = 0;      // of all records the newest change of a cloud counts
  std::string later{};              // as in HomeEntry
  friend bool operator==(const Membership&, const Membership&) = default;
};

struct LeftCloud {
  CloudId cloud{};
  std::int64_t changed_ns = 0;
  friend bool operator==(const LeftCloud&, const LeftCloud&) = default;
};

struct VaultPrivate {
  std::string name{};      // of the owner or vault, as given to init
  std::uint8_t level = 1;  // dispersal::Level
  std::vector<HomeEntry> homes{};
  std::int64_t name_changed_ns = 0;
  std::int64_t level_changed_ns = 0;
  std::vector<RemovedHome> removed{};  // none of them is in `homes`
  std::vector<Membership> clouds{};
  std::vector<LeftCloud> left_clouds{};  // none of them is in `clouds`
  std::string later{};                   // as in HomeEntry
  friend bool operator==(const VaultPrivate&, const VaultPrivate&) = default;
};

/// The vault that an identity key stands for. Whoever trusts a record compares; parse_vault_record does not.
VaultId vault_id_of(const primitives::PublicKey& identity);

Bytes encode(const DeviceCertificate&);
Bytes encode(const Revocation&);
Bytes encode(const VaultRecord&);
Bytes encode(const VaultKeys&);
Bytes encode(const VaultPrivate&);
Result<DeviceCertificate> parse_device_certificate(ByteView bytes);
Result<Revocation> parse_revocation(ByteView bytes);
Result<VaultRecord> parse_vault_record(ByteView bytes);
Result<VaultKeys> parse_vault_keys(ByteView bytes);
Result<VaultPrivate> parse_vault_private(ByteView bytes);

}  // namespace mhp::wire
