// The lock and the order of a folder home: one writing call at a time, by who holds the lock.
#include "home/impl/folder_store.h"

#include <algorithm>

namespace mhp::home::impl {

std::string identity_path(const std::string& home_path) { return home_path + "/" + kHomeFileName; }

/// What `mhp-home` said, by the first log whose header is whole: they all say it too.
static std::optional<wire::HomeFile> identity_in_logs(platform::Disk& disk, const std::string& home_path) {
  constexpr std::size_t kLogsLookedAt = 16;
  auto names = disk.list(home_path + "/logs");
  if (!names) return std::nullopt;
  if (names->size() > kLogsLookedAt) names->resize(kLogsLookedAt);
  for (const std::string& name : *names) {
    const auto file = disk.open(home_path + "/logs/" + name, platform::Open::read);
    Bytes block(wire::kLogBlockBytes);
    if (!file || !(*file)->read_at(0, block)) continue;
    const auto header = wire::parse_log_header(block);
    if (header) return wire::HomeFile{header->home, header->log_key};
  }
  return std::nullopt;
}

/// Whole but of another format: then it is not damaged.
static bool is_of_other_format(ByteView bytes) {
  constexpr std::size_t kMagicBytes = 8;
  const Bytes ours = wire::encode(wire::HomeFile());
  return bytes.size() >= kMagicBytes + 2 &&
         std::ranges::equal(bytes.first(kMagicBytes), ByteView(ours).first(kMagicBytes)) &&
         !std::ranges::equal(bytes.first(kMagicBytes + 2), ByteView(ours).first(kMagicBytes + 2));
}

Result<wire::HomeFile> read_identity(platform::Disk& disk, const std::string& home_path) {
  const std::string path = identity_path(home_path);
  auto bytes = platform::read_file(disk, path, wire::kLogBlockBytes);
  if (!bytes) {
    if (bytes.error().code == Errc::not_found)
      bytes.error().detail = home_path + ": no home here (the drive may be away)";
    return pass(bytes);
  }
  auto identity = wire::parse_home_file(*bytes);
  if (identity) return identity;
  if (!is_of_other_format(*bytes)) {
    if (const auto in_logs = identity_in_logs(disk, home_path)) return *in_logs;
  }
  return fail(Errc::corrupt, path + ": damaged: " + identity.error().detail);
}

FolderStore::FolderStore(platform::Disk& disk, std::string path, const wire::HomeFile& identity,
                         const FolderLimits& limits, std::uint64_t max_log_bytes)
    : disk_(disk),
      path_(path),
      identity_(wire::encode(identity)),
      log_(disk, path, identity, limits, max_log_bytes),
      vaults_(disk, std::move(path)) {}

/// The lock is on the home as it is now: a drive that went away and came back is another opening of this program.
Result<void> FolderStore::become_writer() {
  if (closed_) return fail(Errc::unavailable, path_ + ": the home is closed");
  if (lock_) return {};
  if (!disk_.info(identity_path(path_))) return fail(Errc::unavailable, path_ + ": the home is away");
  auto lock = disk_.lock(path_ + "/lock", "mhp");
  if (!lock) return about(Subject::home, Result<void>(pass(lock)));
  lock_ = std::move(*lock);
  mend_identity();
  return {};
}

/// Best effort: the logs say the same.
void FolderStore::mend_identity() {
  const auto own = platform::read_file(disk_, identity_path(path_), wire::kLogBlockBytes);
  if (own && *own != identity_) (void)replace_damaged(disk_, identity_path(path_), identity_);
}

Result<void> FolderStore::put(MutableBytes record) {
  std::lock_guard one(writing_);
  MHP_TRY_VOID(become_writer());
  wrote_records_ = true;
  return about(Subject::home, log_.put(record));
}

Result<void> FolderStore::commit() {
  std::lock_guard one(writing_);
  if (!wrote_records_) return {};
  MHP_TRY_VOID(become_writer());
  return about(Subject::home, log_.commit());
}

Result<void> FolderStore::put_vault_record(const Bytes& signed_record) {
  std::lock_guard one(writing_);
  MHP_TRY_VOID(become_writer());
  return vaults_.put_record(signed_record);
}

Result<void> FolderStore::put_heads(const VaultId& vault, const DeviceId& device, std::vector<Bytes> chain,
                                    std::int64_t now_s) {
  std::lock_guard one(writing_);
  MHP_TRY_VOID(become_writer());
  return vaults_.put_heads(vault, device, std::move(chain), now_s);
}

void FolderStore::close_locked() {
  if (closed_) return;
  closed_ = true;
  log_.finish();
  lock_.reset();
}

void FolderStore::close() {
  std::lock_guard one(writing_);
  close_locked();
}

void FolderStore::close_if_idle() {
  std::unique_lock one(writing_, std::try_to_lock);
  if (one.owns_lock()) close_locked();
}

}  // namespace mhp::home::impl
