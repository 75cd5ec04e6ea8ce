// Layouts of a folder home's own files.
#include "wire/home_log.h"

#include <algorithm>

#include "base/check.h"
#include "wire/impl/fixed.h"

namespace mhp::wire {
namespace {

constexpr std::size_t kMagicBytes = 8;
constexpr std::string_view kHomeMagic{"mhphome\0", kMagicBytes};
constexpr std::string_view kLogMagic{"mhplog\0\0", kMagicBytes};
constexpr std::string_view kMarkMagic{"mhpmark\0", kMagicBytes};
constexpr std::string_view kIndexMagic{"mhpindx\0", kMagicBytes};
constexpr std::string_view kHeadsMagic{"mhphead\0", kMagicBytes};
constexpr std::string_view kCondemnedMagic{"mhpcond\0", kMagicBytes};
constexpr std::string_view kFormerMagic{"mhpform\0", kMagicBytes};
constexpr std::size_t kHashBytes = 32;

tl::unexpected<Error> bad(const char* what, const std::string& why) {
  return fail(Errc::invalid, std::string(what) + ": " + why);
}

/// Every layout here begins with magic (8), format (2), and zeros or its own fields.
void begin(MutableBytes out, std::string_view magic) {
  impl::put_bytes(out, 0, as_bytes(magic));
  impl::put(out, kMagicBytes, kFormat);
}

Result<void> check_beginning(ByteView bytes, std::string_view magic, const char* what) {
  if (bytes.size() < kMagicBytes + 2) return bad(what, "cut short");
  if (as_text(bytes.first(kMagicBytes)) != magic) return bad(what, "some other file");
  const std::string foreign = impl::foreign_format(impl::get<std::uint16_t>(bytes, kMagicBytes));
  return foreign.empty() ? Result<void>() : bad(what, foreign);
}

primitives::Hash seal_hash(std::string_view context, ByteView bytes) {
  return primitives::Blake3::derived(context).update(bytes).finish();
}

void put_seal(MutableBytes out, std::size_t at, std::string_view context) {
  impl::put_bytes(out, at, seal_hash(context, out.first(at)));
}

/// The last 32 bytes of `bytes` are the hash of the rest.
Result<void> check_seal(ByteView bytes, std::string_view context, const char* what) {
  if (bytes.size() < kHashBytes) return bad(what, "cut short");
  const ByteView body = bytes.first(bytes.size() - kHashBytes);
  if (!std::ranges::equal(seal_hash(context, body), bytes.last(kHashBytes)))
    return fail(Errc::corrupt, std::string(what) + ": it has changed since it was written");
  return {};
}

template <class Array>
Array array_at(ByteView bytes, std::size_t at) {
  Array out;
  std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), out.size(), out.begin());
  return out;
}

/// Appends numbers and bytes.
class Writer {
 public:
  template <class Number>
  void number(Number value) {
    const std::size_t at = out_.size();
    out_.resize(at + sizeof(Number));
    impl::put(MutableBytes(out_), at, value);
  }
  void bytes(ByteView view) { out_.insert(out_.end(), view.begin(), view.end()); }
  void zeros(std::size_t count) { out_.resize(out_.size() + count); }
  void seal(std::string_view context) { bytes(seal_hash(context, out_)); }
  void reserve(std::size_t bytes) { out_.reserve(bytes); }
  Bytes take() { return std::move(out_); }

 private:
  Bytes out_;
};

/// Takes numbers and bytes off the front; past the end everything is zero and ok() is false.
class Reader {
 public:
  explicit Reader(ByteView bytes) : rest_(bytes) {}
  template <class Number>
  Number number() {
    const ByteView view = bytes(sizeof(Number));
    return view.empty() ? Number{} : impl::get<Number>(view, 0);
  }
  ByteView bytes(std::size_t count) {
    if (count > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const ByteView out = rest_.first(count);
    rest_ = rest_.subspan(count);
    return out;
  }
  template <class AnyId>
  AnyId id() {
    const ByteView view = bytes(AnyId::kSizeBytes);
    return view.empty() ? AnyId() : AnyId::from_bytes(view);
  }
  void zeros(std::size_t count) { ok_ = impl::all_zero(bytes(count)) && ok_; }
  bool ok() const { return ok_; }
  std::size_t left() const { return rest_.size(); }

 private:
  ByteView rest_;
  bool ok_ = true;
};

// mhp-home: magic, format, zeros, home (at 16), log key (48), zeros, hash (96)
constexpr std::string_view kHomeContext = "mhp 1 home file";
constexpr std::size_t kHomeIdAt = 16;
constexpr std::size_t kLogKeyAt = 48;
constexpr std::size_t kHomeHashAt = 96;

// log header: magic, format, zeros, log (12), home (16), log key (48), hash (80), zeros
constexpr std::string_view kLogContext = "mhp 1 log header";
constexpr std::size_t kLogNumberAt = 12;
constexpr std::size_t kLogHomeAt = 16;
constexpr std::size_t kLogHashAt = 80;
static_assert(kLogHashAt == kLogKeyAt + 32);

// commit mark: magic, format, flags (10), records (12), seq (16), begin (24), records hash (32), stamp (64), zeros
constexpr std::size_t kFlagsAt = 10;
constexpr std::size_t kRecordsAt = 12;
constexpr std::size_t kSeqAt = 16;
constexpr std::size_t kBeginAt = 24;
constexpr std::size_t kRecordsHashAt = 32;
constexpr std::size_t kMarkStampAt = 64;
constexpr std::uint16_t kRecheckFlag = 1;

constexpr std::string_view kIndexContext = "mhp 1 home index";
constexpr std::size_t kIndexHeadBytes = 64;  // magic, format, zeros, counts of logs, vaults, records; home
constexpr std::size_t kIndexLogBytes = 52;
constexpr std::size_t kIndexRecordBytes = 64;
constexpr std::size_t kIndexRowBytes = 9;

constexpr std::string_view kHeadsContext = "mhp 1 heads file";

constexpr std::string_view kCondemnedContext = "mhp 1 condemned file";
constexpr std::string_view kFormerContext = "mhp 1 former records file";
constexpr std::size_t kCondemnedEntryBytes = 52;
constexpr std::uint16_t kSteppedBackFlag = 1;

primitives::Hash stamp(const primitives::Key& log_key, ByteView what, LogPlace place) {
  std::array<std::byte, 12> where;
  impl::put(MutableBytes(where), 0, place.log);
  impl::put(MutableBytes(where), 4, place.offset);
  return primitives::Blake3::keyed(log_key).update(what).update(where).finish();
}

Result<void> check_record(const IndexedRecord& record, const HomeIndex& index) {
  const auto log = std::ranges::lower_bound(index.logs, record.place.log, {}, &HomeIndex::Log::log);
  if (log == index.logs.end() || log->log != record.place.log) return bad("home index", "a record of no log");
  const std::uint64_t end = record.place.offset + record.record_bytes;
  if (record.place.offset < kLogBlockBytes || record.place.offset > kMaxLogBytes || end > log->end)
    return bad("home index", "a record outside its log");
  if (record.vault >= index.vaults.size()) return bad("home index", "a record of no vault");
  if (record.front_bytes > record.record_bytes) return bad("home index", "a front outside its record");
  for (const RecordRow& row : record.rows) {
    if (row.row >= kMaxRows || row.bytes == 0 || std::uint64_t{row.offset} + row.bytes > record.record_bytes)
      return bad("home index", "a row outside its record");
  }
  return {};
}

Result<IndexedRecord> read_record(Reader& in, const HomeIndex& index) {
  IndexedRecord record;
  record.segment = in.id<SegmentId>();
  record.vault = in.number<std::uint32_t>();
  record.card_version = in.number<std::uint32_t>();
  record.place.log = in.number<std::uint32_t>();
  record.place.offset = in.number<std::uint64_t>();
  record.record_bytes = in.number<std::uint32_t>();
  record.front_bytes = in.number<std::uint32_t>();
  const std::size_t rows = in.number<std::uint32_t>();
  if (!in.ok() || rows > kMaxRows || rows * kIndexRowBytes > in.left()) return bad("home index", "number of rows");
  record.rows.resize(rows);
  for (RecordRow& row : record.rows) {
    row.row = in.number<std::uint8_t>();
    row.offset = in.number<std::uint32_t>();
    row.bytes = in.number<std::uint32_t>();
  }
  MHP_TRY_VOID(check_record(record, index));
  return record;
}

}  // namespace

Bytes encode(const HomeFile& file) {
  Bytes out(HomeFile::kSizeBytes);
  begin(out, kHomeMagic);
  impl::put_bytes(out, kHomeIdAt, file.home.bytes());
  impl::put_bytes(out, kLogKeyAt, file.log_key);
  put_seal(out, kHomeHashAt, kHomeContext);
  return out;
}

Result<HomeFile> parse_home_file(ByteView bytes) {
  MHP_TRY_VOID(check_beginning(bytes, kHomeMagic, "home file"));
  if (bytes.size() != HomeFile::kSizeBytes) return bad("home file", "its length");
  MHP_TRY_VOID(check_seal(bytes, kHomeContext, "home file"));
  if (!impl::all_zero(bytes.subspan(kMagicBytes + 2, 6)) || !impl::all_zero(bytes.subspan(80, 16)))
    return bad("home file", "unused bytes are not zero");
  HomeFile file;
  file.home = HomeId::from_bytes(bytes.subspan(kHomeIdAt, HomeId::kSizeBytes));
  file.log_key = array_at<primitives::Key>(bytes, kLogKeyAt);
  return file;
}

bool is_of_other_format(ByteView home_file) {
  if (home_file.size() < kMagicBytes + 2 + kHashBytes) return false;
  if (as_text(home_file.first(kMagicBytes)) != kHomeMagic) return false;
  if (impl::get<std::uint16_t>(home_file, kMagicBytes) == kFormat) return false;
  return check_seal(home_file, kHomeContext, "home file").has_value();
}

void write_log_header(const LogHeader& header, LogBlock out) {
  std::ranges::fill(out, std::byte{0});
  begin(out, kLogMagic);
  impl::put(MutableBytes(out), kLogNumberAt, header.log);
  impl::put_bytes(out, kLogHomeAt, header.home.bytes());
  impl::put_bytes(out, kLogKeyAt, header.log_key);
  put_seal(out, kLogHashAt, kLogContext);
}

Result<LogHeader> parse_log_header(ByteView block) {
  if (block.size() != kLogBlockBytes) return bad("log header", "its length");
  MHP_TRY_VOID(check_beginning(block, kLogMagic, "log header"));
  MHP_TRY_VOID(check_seal(block.first(kLogHashAt + kHashBytes), kLogContext, "log header"));
  if (!impl::all_zero(block.subspan(kMagicBytes + 2, 2))) return bad("log header", "unused bytes are not zero");
  LogHeader header;
  header.log = impl::get<std::uint32_t>(block, kLogNumberAt);
  header.home = HomeId::from_bytes(block.subspan(kLogHomeAt, HomeId::kSizeBytes));
  header.log_key = array_at<primitives::Key>(block, kLogKeyAt);
  return header;
}

primitives::Hash stamp_of_record(const primitives::Key& log_key, const primitives::Hash& front_hash, LogPlace place) {
  return stamp(log_key, front_hash, place);
}

void write_commit_mark(const CommitMark& mark, const primitives::Key& log_key, LogPlace place, LogBlock out) {
  std::ranges::fill(out, std::byte{0});
  const MutableBytes block = out;
  begin(block, kMarkMagic);
  impl::put(block, kFlagsAt, mark.recheck ? kRecheckFlag : std::uint16_t{0});
  impl::put(block, kRecordsAt, mark.records);
  impl::put(block, kSeqAt, mark.seq);
  impl::put(block, kBeginAt, mark.begin);
  impl::put_bytes(block, kRecordsHashAt, mark.records_hash);
  impl::put_bytes(block, kMarkStampAt, stamp(log_key, block.first(kMarkStampAt), place));
}

Result<CommitMark> parse_commit_mark(ByteView block, const primitives::Key& log_key, LogPlace place) {
  if (block.size() != kLogBlockBytes) return bad("commit mark", "its length");
  MHP_TRY_VOID(check_beginning(block, kMarkMagic, "commit mark"));
  if (!std::ranges::equal(stamp(log_key, block.first(kMarkStampAt), place), block.subspan(kMarkStampAt, kHashBytes)))
    return bad("commit mark", "its stamp");
  CommitMark mark;
  const auto flags = impl::get<std::uint16_t>(block, kFlagsAt);
  if ((flags & ~kRecheckFlag) != 0) return bad("commit mark", "its flags");
  mark.recheck = flags == kRecheckFlag;
  mark.records = impl::get<std::uint32_t>(block, kRecordsAt);
  mark.seq = impl::get<std::uint64_t>(block, kSeqAt);
  mark.begin = impl::get<std::uint64_t>(block, kBeginAt);
  mark.records_hash = array_at<primitives::Hash>(block, kRecordsHashAt);
  if (mark.begin > place.offset) return bad("commit mark", "it begins after its end");
  return mark;
}

primitives::Hash hash_of_mark(ByteView block) { return primitives::blake3(block.first(kMarkStampAt + kHashBytes)); }

Bytes encode(const HomeIndex& index) {
  Writer out;
  out.reserve(kIndexHeadBytes + index.records.size() * (kIndexRecordBytes + 6 * kIndexRowBytes));
  out.bytes(as_bytes(kIndexMagic));
  out.number(kFormat);
  out.zeros(2);
  out.number(static_cast<std::uint32_t>(index.logs.size()));
  out.number(static_cast<std::uint32_t>(index.vaults.size()));
  out.number(static_cast<std::uint32_t>(index.records.size()));
  out.zeros(8);
  out.bytes(index.home.bytes());
  for (const HomeIndex::Log& log : index.logs) {
    out.number(log.log);
    out.number(log.end);
    out.number(log.seq);
    out.bytes(log.mark);
  }
  for (const VaultId& vault : index.vaults) out.bytes(vault.bytes());
  for (const IndexedRecord& record : index.records) {
    out.bytes(record.segment.bytes());
    out.number(record.vault);
    out.number(record.card_version);
    out.number(record.place.log);
    out.number(record.place.offset);
    out.number(record.record_bytes);
    out.number(record.front_bytes);
    out.number(static_cast<std::uint32_t>(record.rows.size()));
    for (const RecordRow& row : record.rows) {
      out.number(row.row);
      out.number(row.offset);
      out.number(row.bytes);
    }
  }
  out.seal(kIndexContext);
  return out.take();
}

Result<HomeIndex> parse_home_index(ByteView bytes) {
  MHP_TRY_VOID(check_beginning(bytes, kIndexMagic, "home index"));
  if (bytes.size() > kMaxHomeIndexBytes || bytes.size() < kIndexHeadBytes + kHashBytes)
    return bad("home index", "its length");
  MHP_TRY_VOID(check_seal(bytes, kIndexContext, "home index"));
  Reader in(bytes.first(bytes.size() - kHashBytes).subspan(kMagicBytes + 2));
  in.zeros(2);
  const std::size_t logs = in.number<std::uint32_t>();
  const std::size_t vaults = in.number<std::uint32_t>();
  const std::size_t records = in.number<std::uint32_t>();
  in.zeros(8);
  HomeIndex index;
  index.home = in.id<HomeId>();
  const std::uint64_t least = logs * kIndexLogBytes + vaults * VaultId::kSizeBytes + records * kIndexRecordBytes;
  if (!in.ok() || least > in.left()) return bad("home index", "its counts");
  index.logs.resize(logs);
  for (HomeIndex::Log& log : index.logs) {
    log.log = in.number<std::uint32_t>();
    log.end = in.number<std::uint64_t>();
    log.seq = in.number<std::uint64_t>();
    std::ranges::copy(in.bytes(log.mark.size()), log.mark.begin());
    const bool has_mark = log.end > kLogBlockBytes;
    if (has_mark != (log.seq > 0) || (!has_mark && log.mark != primitives::Hash{}))
      return bad("home index", "the last mark of a log");
    if (log.end > kMaxLogBytes || log.end % kLogBlockBytes != 0) return bad("home index", "the end of a log");
    if (&log != index.logs.data() && (&log - 1)->log >= log.log) return bad("home index", "order of its logs");
  }
  index.vaults.resize(vaults);
  for (VaultId& vault : index.vaults) vault = in.id<VaultId>();
  index.records.reserve(records);
  for (std::size_t i = 0; i < records; ++i) {
    MHP_TRY(IndexedRecord record, read_record(in, index));
    index.records.push_back(std::move(record));
  }
  if (!in.ok() || in.left() != 0) return bad("home index", "its length");
  return index;
}

// heads: magic, format, zeros (2), count (4), vault, device, then each: received (8), length (4), bytes; hash
Bytes encode(const HeadsFile& file) {
  MHP_CHECK(!file.chain.empty() && file.chain.size() <= kMaxHeadsHeld);
  Writer out;
  out.bytes(as_bytes(kHeadsMagic));
  out.number(kFormat);
  out.zeros(2);
  out.number(static_cast<std::uint32_t>(file.chain.size()));
  out.bytes(file.vault.bytes());
  out.bytes(file.device.bytes());
  for (const HeldHead& head : file.chain) {
    MHP_CHECK(head.signed_bytes.size() <= kMaxHeadBytes);
    MHP_CHECK(is_home_time(head.received_s));
    out.number(static_cast<std::uint64_t>(head.received_s));
    out.number(static_cast<std::uint32_t>(head.signed_bytes.size()));
    out.bytes(head.signed_bytes);
  }
  out.seal(kHeadsContext);
  return out.take();
}

Result<HeadsFile> parse_heads_file(ByteView bytes) {
  MHP_TRY_VOID(check_beginning(bytes, kHeadsMagic, "heads file"));
  if (bytes.size() > kMaxHeadsFileBytes) return bad("heads file", "its length");
  MHP_TRY_VOID(check_seal(bytes, kHeadsContext, "heads file"));
  Reader in(bytes.first(bytes.size() - kHashBytes).subspan(kMagicBytes + 2));
  in.zeros(2);
  const std::size_t count = in.number<std::uint32_t>();
  HeadsFile file;
  file.vault = in.id<VaultId>();
  file.device = in.id<DeviceId>();
  if (!in.ok() || count == 0 || count > kMaxHeadsHeld) return bad("heads file", "number of heads");
  for (std::size_t i = 0; i < count; ++i) {
    const auto received_s = static_cast<std::int64_t>(in.number<std::uint64_t>());
    const std::size_t length = in.number<std::uint32_t>();
    if (!is_home_time(received_s)) return bad("heads file", "a time of receipt");
    if (length == 0 || length > kMaxHeadBytes || length > in.left()) return bad("heads file", "length of a head");
    file.chain.push_back({.signed_bytes = to_bytes(in.bytes(length)), .received_s = received_s});
  }
  if (!in.ok() || in.left() != 0) return bad("heads file", "its length");
  return file;
}

// former records: magic, format, zeros (2), count (4), vault, device, since (8), then each: taken (8), replaced (8),
// length (4), bytes; hash
Bytes encode(const FormerRecordsFile& file) {
  MHP_CHECK(!file.records.empty() && file.records.size() <= kMaxFormerRecords);
  Writer out;
  out.bytes(as_bytes(kFormerMagic));
  out.number(kFormat);
  out.zeros(2);
  out.number(static_cast<std::uint32_t>(file.records.size()));
  out.bytes(file.vault.bytes());
  out.bytes(file.device.bytes());
  MHP_CHECK(is_home_time(file.since_s));
  out.number(static_cast<std::uint64_t>(file.since_s));
  for (const FormerRecord& record : file.records) {
    MHP_CHECK(record.signed_bytes.size() <= kMaxVaultRecordBytes);
    MHP_CHECK(is_home_time(record.taken_s) && is_home_time(record.replaced_s));
    out.number(static_cast<std::uint64_t>(record.taken_s));
    out.number(static_cast<std::uint64_t>(record.replaced_s));
    out.number(static_cast<std::uint32_t>(record.signed_bytes.size()));
    out.bytes(record.signed_bytes);
  }
  out.seal(kFormerContext);
  return out.take();
}

Result<FormerRecordsFile> parse_former_records_file(ByteView bytes) {
  constexpr const char* kWhat = "former records file";
  MHP_TRY_VOID(check_beginning(bytes, kFormerMagic, kWhat));
  if (bytes.size() > kMaxFormerRecordsBytes) return bad(kWhat, "its length");
  MHP_TRY_VOID(check_seal(bytes, kFormerContext, kWhat));
  Reader in(bytes.first(bytes.size() - kHashBytes).subspan(kMagicBytes + 2));
  in.zeros(2);
  const std::size_t count = in.number<std::uint32_t>();
  FormerRecordsFile file;
  file.vault = in.id<VaultId>();
  file.device = in.id<DeviceId>();
  file.since_s = static_cast<std::int64_t>(in.number<std::uint64_t>());
  if (!in.ok() || count == 0 || count > kMaxFormerRecords) return bad(kWhat, "number of records");
  if (!is_home_time(file.since_s)) return bad(kWhat, "a time");
  for (std::size_t i = 0; i < count; ++i) {
    FormerRecord record;
    record.taken_s = static_cast<std::int64_t>(in.number<std::uint64_t>());
    record.replaced_s = static_cast<std::int64_t>(in.number<std::uint64_t>());
    const std::size_t length = in.number<std::uint32_t>();
    if (!is_home_time(record.taken_s) || !is_home_time(record.replaced_s)) return bad(kWhat, "a time");
    if (length == 0 || length > kMaxVaultRecordBytes || length > in.left()) return bad(kWhat, "length of a record");
    record.signed_bytes = to_bytes(in.bytes(length));
    file.records.push_back(std::move(record));
  }
  if (!in.ok() || in.left() != 0) return bad(kWhat, "its length");
  return file;
}

std::vector<FormerRecord> salvage_former_records(ByteView bytes) {
  constexpr std::size_t kFirstAt = kMagicBytes + 2 + 2 + 4 + 32 + 32 + 8;
  std::vector<FormerRecord> out;
  if (bytes.size() < kFirstAt + kHashBytes || bytes.size() > kMaxFormerRecordsBytes) return out;
  Reader in(bytes.first(bytes.size() - kHashBytes).subspan(kFirstAt));
  while (out.size() < kMaxFormerRecords && in.left() > 0) {
    (void)in.number<std::uint64_t>();
    const auto replaced_s = static_cast<std::int64_t>(in.number<std::uint64_t>());
    const std::size_t length = in.number<std::uint32_t>();
    if (!in.ok() || length == 0 || length > kMaxVaultRecordBytes || length > in.left()) break;
    out.push_back(
        {.signed_bytes = to_bytes(in.bytes(length)), .replaced_s = is_home_time(replaced_s) ? replaced_s : 0});
  }
  return out;
}

// condemned: magic, format, flags (2), counts of signers and entries (4 each), zeros (4), visited (8), home, vault;
// signers (32 each); entries: segment, held, hold (8 each), signer (4); hash
Bytes encode(const CondemnedFile& file) {
  Writer out;
  out.reserve(128 + file.signers.size() * DeviceId::kSizeBytes + file.entries.size() * kCondemnedEntryBytes);
  out.bytes(as_bytes(kCondemnedMagic));
  out.number(kFormat);
  out.number(file.stepped_back ? kSteppedBackFlag : std::uint16_t{0});
  out.number(static_cast<std::uint32_t>(file.signers.size()));
  out.number(static_cast<std::uint32_t>(file.entries.size()));
  out.zeros(4);
  out.number(static_cast<std::uint64_t>(file.visited_ns));
  out.bytes(file.home.bytes());
  out.bytes(file.vault.bytes());
  for (const DeviceId& signer : file.signers) out.bytes(signer.bytes());
  for (const CondemnedFile::Entry& entry : file.entries) {
    out.bytes(entry.segment.bytes());
    out.number(entry.held_ns);
    out.number(entry.hold_ns);
    out.number(entry.signer);
  }
  out.seal(kCondemnedContext);
  return out.take();
}

Result<CondemnedFile> parse_condemned_file(ByteView bytes) {
  constexpr const char* kWhat = "condemned file";
  MHP_TRY_VOID(check_beginning(bytes, kCondemnedMagic, kWhat));
  if (bytes.size() > kMaxCondemnedFileBytes) return bad(kWhat, "its length");
  MHP_TRY_VOID(check_seal(bytes, kCondemnedContext, kWhat));
  Reader in(bytes.first(bytes.size() - kHashBytes).subspan(kMagicBytes + 2));
  const auto flags = in.number<std::uint16_t>();
  const std::size_t signers = in.number<std::uint32_t>();
  const std::size_t entries = in.number<std::uint32_t>();
  in.zeros(4);
  CondemnedFile file;
  file.stepped_back = flags == kSteppedBackFlag;
  file.visited_ns = static_cast<std::int64_t>(in.number<std::uint64_t>());
  file.home = in.id<HomeId>();
  file.vault = in.id<VaultId>();
  if (!in.ok() || signers * DeviceId::kSizeBytes + entries * kCondemnedEntryBytes != in.left())
    return bad(kWhat, "its counts");
  if ((flags & ~kSteppedBackFlag) != 0) return bad(kWhat, "its flags");
  file.signers.resize(signers);
  for (DeviceId& signer : file.signers) signer = in.id<DeviceId>();
  file.entries.resize(entries);
  for (CondemnedFile::Entry& entry : file.entries) {
    entry.segment = in.id<SegmentId>();
    entry.held_ns = in.number<std::uint64_t>();
    entry.hold_ns = in.number<std::uint64_t>();
    entry.signer = in.number<std::uint32_t>();
    if (entry.signer >= signers) return bad(kWhat, "an entry of no signer");
    if (entry.hold_ns > kMaxHoldS * 1'000'000'000 || entry.held_ns > entry.hold_ns) return bad(kWhat, "a hold");
    if (&entry != file.entries.data() && (&entry - 1)->segment >= entry.segment)
      return bad(kWhat, "order of its segments");
  }
  return file;
}

}  // namespace mhp::wire
