// Holds that a jumping clock cannot shorten, and the file that remembers them.
#include "home/impl/condemned.h"

#include <algorithm>

namespace mhp::home::impl {
namespace {

constexpr std::uint64_t kHourNs = 3'600'000'000'000;
constexpr std::uint64_t kDayNs = 24 * kHourNs;
constexpr std::uint64_t kMaxCreditNs = 10 * kDayNs;       // of one visit
constexpr std::uint64_t kCreditAfterStepBackNs = kDayNs;  // where that time may have been counted already
constexpr std::uint64_t kVisitsAtLeast = 3;               // till a hold is over, whatever the clock says

using Entry = wire::CondemnedFile::Entry;

/// b - a where a <= b, over the whole range of both.
std::uint64_t distance(std::int64_t a, std::int64_t b) {
  return static_cast<std::uint64_t>(b) - static_cast<std::uint64_t>(a);
}

auto find_in(auto& entries, const SegmentId& segment) {
  const auto at = std::ranges::lower_bound(entries, segment, {}, &Entry::segment);
  return at != entries.end() && at->segment == segment ? &*at : nullptr;
}

}  // namespace

/// What a visit adds to a hold when so much has passed since the last.
static std::uint64_t credit_of(const Entry& entry, std::uint64_t passed, bool stepped_back) {
  const std::uint64_t most = stepped_back ? kCreditAfterStepBackNs : kMaxCreditNs;
  const std::uint64_t share = (entry.hold_ns + kVisitsAtLeast - 1) / kVisitsAtLeast;
  return std::min({passed, most, share, entry.hold_ns - entry.held_ns});
}

bool visit(wire::CondemnedFile& file, std::int64_t now_ns, bool exactly) {
  if (now_ns == file.visited_ns) return false;
  const bool is_back = now_ns < file.visited_ns;
  const std::uint64_t passed = is_back ? distance(now_ns, file.visited_ns) : distance(file.visited_ns, now_ns);
  if (passed < kHourNs && !exactly) return false;
  if (!is_back) {
    for (Entry& entry : file.entries) entry.held_ns += credit_of(entry, passed, file.stepped_back);
  }
  file.visited_ns = now_ns;
  // Till a visit after a day or more: two short ones must not make the next jump forward believed.
  file.stepped_back = is_back || (file.stepped_back && passed < kDayNs);
  return true;
}

std::optional<std::int64_t> next_due(const wire::CondemnedFile& file, std::int64_t now_ns) {
  if (file.entries.empty()) return std::nullopt;
  const std::int64_t from = std::max(now_ns, file.visited_ns);
  std::uint64_t least = UINT64_MAX;
  for (const Entry& entry : file.entries) {
    const std::uint64_t counts_now = credit_of(entry, distance(file.visited_ns, from), file.stepped_back);
    least = std::min(least, entry.hold_ns - entry.held_ns - counts_now);
  }
  if (least > distance(from, INT64_MAX)) return INT64_MAX;
  return from + static_cast<std::int64_t>(least);
}

Entry* find_entry(wire::CondemnedFile& file, const SegmentId& segment) { return find_in(file.entries, segment); }

bool is_condemned(const wire::CondemnedFile& file, const SegmentId& segment) {
  return find_in(file.entries, segment) != nullptr;
}

std::uint32_t number_of_signer(wire::CondemnedFile& file, const DeviceId& signer) {
  const auto at = std::ranges::find(file.signers, signer) - file.signers.begin();
  if (static_cast<std::size_t>(at) == file.signers.size()) file.signers.push_back(signer);
  return static_cast<std::uint32_t>(at);
}

wire::CondemnedFile CondemnedFiles::empty(const VaultId& vault) const {
  wire::CondemnedFile file;
  file.home = home_;
  file.vault = vault;
  return file;
}

Result<wire::CondemnedFile> CondemnedFiles::read(const VaultId& vault) {
  auto bytes = platform::read_file(disk_, path(vault), wire::kMaxCondemnedFileBytes);
  if (!bytes && bytes.error().code == Errc::not_found) return empty(vault);
  if (!bytes && bytes.error().code != Errc::invalid) return pass(bytes);
  auto file =
      bytes ? wire::parse_condemned_file(*bytes) : Result<wire::CondemnedFile>(fail(Errc::corrupt, "it is too long"));
  if (!file || file->home != home_ || file->vault != vault) {
    return fail(Errc::corrupt, home_path_ + ": what is condemned of vault " + vault.short_hex() +
                                   " cannot be read (damaged): nothing of it is purged before it is condemned again");
  }
  return file;
}

Result<wire::CondemnedFile> CondemnedFiles::read_or_empty(const VaultId& vault) {
  auto file = read(vault);
  if (!file && file.error().code == Errc::corrupt) return empty(vault);
  return file;
}

Result<void> CondemnedFiles::write(const wire::CondemnedFile& file) {
  const Bytes bytes = wire::encode(file);
  if (bytes.size() > wire::kMaxCondemnedFileBytes) return fail(Errc::full, home_path_ + ": too much is condemned");
  const auto written = platform::replace_file(disk_, path(file.vault), bytes);
  std::lock_guard lock(mutex_);
  seen_.erase(file.vault);  // after a failure, too: the new one may be there
  return written;
}

Result<std::shared_ptr<const wire::CondemnedFile>> CondemnedFiles::seen(const VaultId& vault, bool fresh) {
  {
    std::lock_guard lock(mutex_);
    const auto known = seen_.find(vault);
    if (!fresh && known != seen_.end()) return known->second;
  }
  MHP_TRY(wire::CondemnedFile file, read_or_empty(vault));
  auto shared = std::make_shared<const wire::CondemnedFile>(std::move(file));
  std::lock_guard lock(mutex_);
  seen_[vault] = shared;
  return shared;
}

void CondemnedFiles::forget_seen() {
  std::lock_guard lock(mutex_);
  seen_.clear();
}

}  // namespace mhp::home::impl
