// The files of the state folder: small ones are replaced whole, the journal is appended to.
#include "vault/state.h"

#include <algorithm>

#include "primitives/hash/blake3.h"
#include "vault/impl/context.h"

namespace mhp::vault {
namespace {

constexpr std::uint64_t kMaxJournalBytes = 1_GiB;
constexpr std::uint64_t kMaxHeadFileBytes = 16_MiB;
constexpr std::size_t kFrameBytes = 4 + 32;  // length, BLAKE3; as in wire/state.h

/// Length of the frame at the start of `bytes`, with its head; 0 where it is torn or broken.
std::size_t frame_at(ByteView bytes) {
  if (bytes.size() < kFrameBytes) return 0;
  std::size_t length = impl::from_little_endian<std::uint32_t>(bytes.first(4));
  if (length > bytes.size() - kFrameBytes) return 0;
  auto hash = primitives::blake3(bytes.subspan(kFrameBytes, length));
  if (!std::ranges::equal(hash, bytes.subspan(4, 32))) return 0;
  return kFrameBytes + length;
}

/// Where the first broken frame starts.
std::size_t whole_frames(ByteView bytes) {
  std::size_t end = 0;
  while (std::size_t length = frame_at(bytes.subspan(end))) end += length;
  return end;
}

Bytes framed(ByteView bytes) {
  auto hash = primitives::blake3(bytes);
  return impl::joined({impl::little_endian(static_cast<std::uint32_t>(bytes.size())), hash, bytes});
}

/// What is wrong with a file of ours that was read: it is damaged, or missing where it has to be.
tl::unexpected<Error> damaged(const std::string& path, const Error& error) {
  if (error.code == Errc::not_found) return fail(Errc::corrupt, Subject::state, path + ": is missing");
  if (error.code == Errc::invalid)
    return fail(Errc::corrupt, Subject::state, path + ": damaged (" + error.detail + ")");
  return fail(error.code, Subject::state, error.detail);
}

}  // namespace

State::State(platform::Disk& disk, std::string folder, std::string who)
    : disk_(disk), folder_(std::move(folder)), who_(std::move(who)) {}

Result<bool> State::exists() const {
  for (const char* name : {"device", "head"}) {  // who has written heads was a device, even where its secret is lost
    const auto found = disk_.info(path(name));
    if (found) return true;
    if (found.error().code != Errc::not_found) return fail(found.error().code, Subject::state, found.error().detail);
  }
  return false;
}

Result<void> State::create(const Device& device, const OpenRecord& record) {
  MHP_TRY(const bool there, exists());
  if (there) return fail(Errc::busy, Subject::vault, folder_ + ": there is a vault already");
  MHP_TRY_VOID(about(Subject::state, disk_.make_folder(folder_)));
  MHP_TRY_VOID(set_records(record));
  Bytes secret = wire::encode(device.secret);
  auto written = replace("device", secret);  // last: it is what makes the vault exist
  wipe(secret);
  MHP_TRY_VOID(written);
  return about(Subject::state, disk_.sync_folder(platform::parent_of(folder_)));
}

Result<Device> State::device() const {
  auto bytes = platform::read_file(disk_, path("device"), wire::kMaxStateBytes);
  if (!bytes) return damaged(path("device"), bytes.error());
  auto secret = wire::parse_device_secret(*bytes);
  wipe(*bytes);
  if (!secret) return damaged(path("device"), secret.error());
  return open_device(*secret);
}

Result<std::vector<Bytes>> State::records_in(const char* name) const {
  auto bytes = platform::read_file(disk_, path(name), wire::kMaxKnownRecordsBytes);
  if (!bytes) return damaged(path(name), bytes.error());
  auto known = wire::parse_known_records(*bytes);
  if (!known) return damaged(path(name), known.error());
  return std::move(known->records);
}

Result<std::vector<Bytes>> State::records() const { return records_in("vault-records"); }
Result<std::vector<Bytes>> State::records_copy() const { return records_in("vault-records.copy"); }

Result<void> State::set_records(const OpenRecord& record) {
  wire::KnownRecords known;
  for (const auto& one : record.records) known.records.push_back(one.signed_record);
  const Bytes content = wire::encode(known);
  MHP_TRY_VOID(replace("vault-records", content));
  return replace("vault-records.copy", content);
}

Result<wire::SeenHeads> State::seen() const {
  auto bytes = platform::read_file(disk_, path("seen"), wire::kMaxStateBytes);
  if (!bytes && bytes.error().code == Errc::not_found) return wire::SeenHeads{};
  if (!bytes) return damaged(path("seen"), bytes.error());
  auto seen = wire::parse_seen_heads(*bytes);
  if (!seen) return damaged(path("seen"), seen.error());
  return seen;
}

Result<void> State::set_seen(const wire::SeenHeads& seen) { return replace("seen", wire::encode(seen)); }

Result<wire::TakenHeads> State::taken() const {
  MHP_TRY(Bytes bytes, platform::read_file(disk_, path("taken"), wire::kMaxStateBytes));
  return wire::parse_taken_heads(bytes);
}

Result<void> State::set_taken(const wire::TakenHeads& taken) { return replace("taken", wire::encode(taken)); }

wire::BadRows State::bad_rows() const {
  auto bytes = platform::read_file(disk_, path("bad-rows"), wire::kMaxBadRowsBytes);
  if (!bytes) return {};
  return wire::parse_bad_rows(*bytes).value_or(wire::BadRows{});  // damaged: the next reading finds them again
}

Result<void> State::set_bad_rows(const wire::BadRows& bad) { return replace("bad-rows", wire::encode(bad)); }

wire::UnlistedSeen State::unlisted_seen() const {
  auto bytes = platform::read_file(disk_, path("unlisted"), wire::kMaxUnlistedBytes);
  if (!bytes) return {};
  return wire::parse_unlisted_seen(*bytes).value_or(wire::UnlistedSeen{});
}

Result<void> State::set_unlisted_seen(wire::UnlistedSeen seen) {
  auto order = [](const wire::UnlistedSegment& one) { return std::pair(one.first_seen_ns, one.segment); };
  std::ranges::sort(seen.segments, {}, order);
  if (seen.segments.size() > wire::kMaxUnlisted) seen.segments.resize(wire::kMaxUnlisted);
  if (seen == unlisted_seen()) return {};
  return platform::replace_file(disk_, path("unlisted"), wire::encode(seen));
}

Result<std::vector<Bytes>> State::own_heads() const {
  std::vector<Bytes> chain;
  auto bytes = platform::read_file(disk_, path("head"), kMaxHeadFileBytes);
  if (!bytes && bytes.error().code == Errc::not_found) return chain;
  if (!bytes) return damaged(path("head"), bytes.error());
  ByteView rest = *bytes;
  while (std::size_t length = frame_at(rest)) {
    chain.push_back(to_bytes(rest.subspan(kFrameBytes, length - kFrameBytes)));
    rest = rest.subspan(length);
  }
  if (!rest.empty()) return fail(Errc::corrupt, Subject::state, path("head") + ": damaged");
  return chain;
}

Result<void> State::set_own_heads(const std::vector<Bytes>& chain) {
  Bytes content;
  std::size_t first = chain.size() > kOwnHeadsKept ? chain.size() - kOwnHeadsKept : 0;
  for (std::size_t i = first; i < chain.size(); ++i) {
    Bytes frame = framed(chain[i]);
    content.insert(content.end(), frame.begin(), frame.end());
  }
  return replace("head", content);
}

Result<std::vector<wire::JournalEntry>> State::journal() const {
  MHP_TRY(Bytes bytes, about(Subject::state, platform::read_file(disk_, path("journal"), kMaxJournalBytes)));
  return wire::parse_journal(bytes);
}

Result<void> State::append_journal(const std::vector<wire::JournalEntry>& entries) {
  return about(Subject::state, append(entries));
}

Result<void> State::append(const std::vector<wire::JournalEntry>& entries) {
  Bytes content;
  for (const auto& entry : entries) {
    Bytes frame = wire::encode(entry);
    content.insert(content.end(), frame.begin(), frame.end());
  }
  auto written = write_journal(content);
  if (!written) journal_end_.reset();  // what is there now is not known
  return written;
}

Result<void> State::write_journal(ByteView content) {
  if (!journal_end_) {
    auto old = platform::read_file(disk_, path("journal"), kMaxJournalBytes);
    if (!old && old.error().code == Errc::not_found) return platform::replace_file(disk_, path("journal"), content);
    if (!old) return pass(old);
    journal_end_ = whole_frames(*old);  // what follows is torn: it is written over
  }
  MHP_TRY(auto file, disk_.open(path("journal"), platform::Open::write));
  MHP_TRY(std::uint64_t size, file->size());
  if (size > *journal_end_) {
    MHP_TRY_VOID(file->truncate(*journal_end_));
  }
  MHP_TRY_VOID(file->write_at(*journal_end_, content));
  *journal_end_ += content.size();
  return file->sync();
}

Result<void> State::clear_journal() {
  journal_end_.reset();
  return replace("journal", {});
}

Result<void> State::replace(const char* name, ByteView content) {
  return about(Subject::state, platform::replace_file(disk_, path(name), content));
}

Result<std::unique_ptr<platform::FileLock>> State::lock(const std::string& what) const {
  return about(Subject::state, disk_.lock(path("lock"), what));
}

}  // namespace mhp::vault
