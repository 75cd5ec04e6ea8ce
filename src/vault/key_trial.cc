// Where vault records disagree about the vault's keys: what was sealed shows which are right.
#include <algorithm>
#include <map>
#include <set>

#include "primitives/aead/box.h"
#include "primitives/hash/blake3.h"
#include "vault/impl/vault_impl.h"

namespace mhp::vault::impl {
namespace {

using primitives::Key;

/// What opened how much: one device's word counts once, then the number of its heads.
struct Proof {
  std::set<DeviceId> devices;
  std::size_t heads = 0;
  auto rank() const { return std::pair(devices.size(), heads); }
};

/// Puts one of the other keys in the place of the believed one of its epoch.
void believe(OpenRecord& record, const wire::EpochKey& right) {
  auto believed = std::ranges::find(record.keys.epochs, right.epoch, &wire::EpochKey::epoch);
  auto other = std::ranges::find(record.others.epochs, right);
  if (other == record.others.epochs.end() || believed == record.keys.epochs.end()) return;
  std::swap(*believed, *other);
  record.is_due = true;
}

void believe(OpenRecord& record, const Key& dedup) {
  auto other = std::ranges::find(record.others.secrets, dedup, &Secrets::dedup);
  if (record.keys.dedup_secret == dedup || other == record.others.secrets.end()) return;
  std::swap(record.keys.dedup_secret, other->dedup);
  std::swap(record.keys.chunker_secret, other->chunker);
  record.is_due = true;
}

/// Where nothing is better proven than what is believed, that stays.
template <class T>
const T* best_of(const std::map<T, Proof>& proofs, const T& believed) {
  const T* best = &believed;
  auto rank = [&](const T& one) {
    const auto known = proofs.find(one);
    return known == proofs.end() ? Proof().rank() : known->second.rank();
  };
  for (const auto& [one, proof] : proofs) {
    if (proof.rank() > rank(*best)) best = &one;
  }
  return best;
}

}  // namespace

/// By the roots in heads, which are at hand.
void VaultImpl::try_record_keys() {
  std::set<std::uint32_t> disputed;
  for (const wire::EpochKey& key : record_.others.epochs) disputed.insert(key.epoch);
  for (const std::uint32_t epoch : disputed) {
    std::map<Key, Proof> proofs;
    const auto keys = keys_of_epoch(record_, epoch);
    for (const BelievedDevice* history : all_histories()) {
      for (const CheckedHead& head : history->chain) {
        if (head.head.epoch != epoch) continue;
        const Bytes context = root_context(head.head);
        std::set<Key> opening;
        for (const wire::EpochKey* key : keys) {
          if (primitives::open_box(key->record_key, context, head.head.sealed_root)) opening.insert(key->record_key);
        }
        for (const Key& key : opening) {
          proofs[key].devices.insert(history->device);
          proofs[key].heads += 1;
        }
      }
    }
    const Key right = *best_of(proofs, keys.front()->record_key);
    if (right == keys.front()->record_key) continue;
    believe(record_, **std::ranges::find(keys, right, [](const wire::EpochKey* key) { return key->record_key; }));
  }
}

Task<> VaultImpl::try_keys() {
  if (record_.others.empty()) co_return;
  try_record_keys();
  std::map<std::pair<std::uint32_t, Key>, Proof> data_keys;
  std::map<Key, Proof> secrets;
  for (const BelievedDevice* history : all_histories()) {
    const auto root = open_root(history->newest());
    if (!root) continue;
    auto opening = co_await reader_.keys_that_open(root->segment);
    for (const wire::EpochKey& key : opening ? *opening : std::vector<wire::EpochKey>()) {
      Proof& proof = data_keys[{key.epoch, key.data_key}];
      proof.devices.insert(history->device);
      proof.heads = 1;
    }
    auto top = co_await objects_.load(*root);
    if (!top) continue;
    std::vector<Secrets> candidates = record_.others.secrets;
    candidates.push_back({.dedup = record_.keys.dedup_secret, .chunker = record_.keys.chunker_secret});
    for (const Secrets& one : candidates) {
      if (ChunkId::from_array(primitives::blake3_keyed(one.dedup, *top)) != root->chunk) continue;
      secrets[one.dedup].devices.insert(history->device);
    }
  }
  std::vector<wire::EpochKey> right;
  for (const wire::EpochKey& believed : record_.keys.epochs) {
    std::map<Key, Proof> proofs;
    for (const auto& [name, proof] : data_keys) {
      if (name.first == believed.epoch) proofs[name.second] = proof;
    }
    right.push_back(
        {.epoch = believed.epoch, .data_key = *best_of(proofs, believed.data_key), .record_key = believed.record_key});
  }
  for (const wire::EpochKey& key : right) believe(record_, key);
  const Key dedup = *best_of(secrets, record_.keys.dedup_secret);
  believe(record_, dedup);
}

Result<void> VaultImpl::renew_record() {
  const bool is_member = record_.record.device == device_.id;
  if (!is_member || !record_.is_due) return {};
  MHP_TRY(OpenRecord next,
          next_record(record_, device_, record_.content, platform_.random(), platform_.clock().unix_ns()));
  MHP_TRY_VOID(state_.set_records(next));  // first here: this number is not to be used twice
  record_ = std::move(next);
  return {};
}

}  // namespace mhp::vault::impl
