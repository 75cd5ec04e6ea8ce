// Codes and hashes a segment leaf by leaf while it is in the cache, straight into the records that go to the homes.
#include "dispersal/encode.h"

#include <algorithm>
#include <array>
#include <bit>
#include <bitset>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "primitives/erasure/row_code.h"
#include "primitives/merkle/fragment_tree.h"
#include "wire/fragment.h"

namespace mhp::dispersal {
namespace {

using primitives::Hash;
using primitives::kLeafBytes;
using RowSet = std::bitset<256>;

/// Of each row at a time: k + n of these stay in the second-level cache, and BLAKE3 has work for 16 lanes.
constexpr std::size_t kWindowBytes = 16_KiB;
constexpr std::uint64_t kMinimumHoldSeconds = 30ull * 24 * 3600;  // docs/threats.md: nothing is removed earlier

std::vector<std::uint8_t> to_list(const RowSet& rows) {
  std::vector<std::uint8_t> list;
  for (std::size_t row = 0; row < rows.size(); ++row) {
    if (rows[row]) list.push_back(static_cast<std::uint8_t>(row));
  }
  return list;
}

primitives::RowCode code_from_data(unsigned k, std::span<const std::uint8_t> want) {
  std::vector<std::uint8_t> data(k);
  for (unsigned i = 0; i < k; ++i) data[i] = static_cast<std::uint8_t>(i);
  auto code = primitives::RowCode::make(data, want);
  MHP_CHECK(code.has_value());  // row numbers are our own
  return std::move(*code);
}

/// The rows of one segment on their way into fragments that already have their place.
class Coder {
 public:
  Coder(const SegmentFacts& segment, const RowSet& rows)
      : segment_(segment),
        row_bytes_(row_bytes_of(segment.sealed_bytes, segment.k)),
        all_(to_list(rows)),
        parity_(to_list(rows & ~first_rows(segment.k))),
        code_(code_from_data(segment.k, parity_)) {}

  std::uint64_t fragment_bytes() const { return wire::fragment_bytes(row_bytes_); }
  void set_fragment(std::uint8_t row, std::byte* fragment) { fragments_[row] = fragment; }
  std::byte* fragment(std::uint8_t row) const { return fragments_[row]; }
  const FragmentId& id(std::uint8_t row) const { return ids_[row]; }
  const std::vector<std::uint8_t>& rows() const { return all_; }

  /// Data rows are slices of the sealed bytes; those that pass its end are copied with zeros behind.
  void take_data_from(ByteView sealed) {
    const std::size_t size = sealed.size();
    const std::size_t whole = size / row_bytes_;
    if (whole < segment_.k) padded_.resize((segment_.k - whole) * row_bytes_);
    for (std::size_t row = 0; row < segment_.k; ++row) {
      if (row < whole) {
        data_.push_back(sealed.data() + row * row_bytes_);
        continue;
      }
      std::byte* slot = padded_.data() + (row - whole) * row_bytes_;
      const std::size_t from = std::min(size, row * row_bytes_);
      std::copy_n(sealed.data() + from, std::min<std::size_t>(row_bytes_, size - from), slot);
      data_.push_back(slot);
    }
  }

  /// Data rows lie in their fragments, all of which have a place. Returns where the sealed bytes belong; what the last
  /// rows have beyond them becomes zero.
  std::vector<MutableBytes> take_data_in_place() {
    std::vector<MutableBytes> places;
    for (std::size_t row = 0; row < segment_.k; ++row) {
      MHP_CHECK(fragments_[row] != nullptr);
      std::byte* start = payload(static_cast<std::uint8_t>(row));
      const std::uint64_t from = std::min<std::uint64_t>(segment_.sealed_bytes, row * row_bytes_);
      const std::size_t used = std::min<std::uint64_t>(row_bytes_, segment_.sealed_bytes - from);
      std::fill_n(start + used, row_bytes_ - used, std::byte{0});
      data_.push_back(start);
      places.emplace_back(start, used);
    }
    return places;
  }

  /// Every row's fragment must have a place, and the data must have been taken.
  void run(std::span<const Hash> data_salts) {
    for (std::uint8_t row : all_) leaves_[row].resize(primitives::leaf_count(row_bytes_));
    for (std::size_t at = 0; at < row_bytes_; at += kLeafBytes) {
      code_leaf(at, std::min<std::size_t>(kLeafBytes, row_bytes_ - at));
    }
    std::vector<Hash> salts = code_salts(data_salts);
    for (std::uint8_t row : all_) finish(row, salts[row]);
  }

 private:
  static RowSet first_rows(unsigned k) {
    RowSet rows;
    for (unsigned i = 0; i < k; ++i) rows.set(i);
    return rows;
  }

  std::byte* payload(std::uint8_t row) const { return fragments_[row] + wire::fragment_payload_offset(row_bytes_); }

  /// Columns [at, at + bytes) of every row: one leaf of each.
  void code_leaf(std::size_t at, std::size_t bytes) {
    std::vector<primitives::LeafHash> hashes(all_.size());
    for (std::size_t done = 0; done < bytes; done += kWindowBytes) {
      code_window(at + done, std::min(kWindowBytes, bytes - done), hashes);
    }
    const auto number = static_cast<std::uint32_t>(1 + at / kLeafBytes);
    for (std::size_t i = 0; i < all_.size(); ++i) leaves_[all_[i]][number] = hashes[i].finish(number);
  }

  /// Codes a part of a leaf and hashes it while it is near. `hashes`: of all_, in order.
  void code_window(std::size_t at, std::size_t bytes, std::vector<primitives::LeafHash>& hashes) {
    std::array<const std::byte*, 256> in;
    std::array<std::byte*, 256> out;
    for (std::size_t i = 0; i < data_.size(); ++i) in[i] = data_[i] + at;
    for (std::size_t i = 0; i < parity_.size(); ++i) out[i] = payload(parity_[i]) + at;
    code_.apply(bytes, std::span(in).first(data_.size()), std::span(out).first(parity_.size()));
    for (std::size_t i = 0; i < all_.size(); ++i) {
      const std::uint8_t row = all_[i];
      if (row < segment_.k && in[row] != payload(row) + at) std::memcpy(payload(row) + at, in[row], bytes);
      hashes[i].update({payload(row) + at, bytes});
    }
  }

  /// By row number; only wanted rows are filled in.
  std::vector<Hash> code_salts(std::span<const Hash> data_salts) const {
    std::vector<Hash> salts(256);
    std::vector<const std::byte*> in;
    std::vector<std::byte*> out;
    for (const Hash& salt : data_salts) in.push_back(salt.data());
    for (std::uint8_t row : parity_) out.push_back(salts[row].data());
    code_.apply(sizeof(Hash), in, out);
    std::copy(data_salts.begin(), data_salts.end(), salts.begin());
    return salts;
  }

  /// What wire::finish_fragment does, with the payload hashed already.
  void finish(std::uint8_t row, const Hash& salt) {
    const MutableBytes fragment(fragments_[row], fragment_bytes());
    const wire::FragmentHeader header{.format = wire::kFormat,
                                      .row = row,
                                      .k = static_cast<std::uint8_t>(segment_.k),
                                      .epoch = segment_.epoch,
                                      .row_bytes = row_bytes_,
                                      .sealed_bytes = segment_.sealed_bytes,
                                      .segment = segment_.id};
    wire::write_fragment_header(header, fragment.first<wire::FragmentHeader::kSizeBytes>());
    std::memcpy(fragment.data() + wire::FragmentHeader::kSizeBytes, salt.data(), salt.size());
    std::vector<Hash>& leaves = leaves_[row];
    leaves[0] = primitives::leaf_hash(0, fragment.first(wire::kLeafZeroBytes));
    std::memcpy(fragment.data() + wire::kLeafZeroBytes, leaves.data(), leaves.size() * sizeof(Hash));
    ids_[row] = primitives::root_of(leaves);
  }

  SegmentFacts segment_;
  std::uint32_t row_bytes_;
  std::vector<std::uint8_t> all_;     // wanted rows, rising
  std::vector<std::uint8_t> parity_;  // those that are not data
  primitives::RowCode code_;
  Bytes padded_;
  std::vector<const std::byte*> data_;
  std::array<std::byte*, 256> fragments_{};
  std::array<std::vector<Hash>, 256> leaves_;
  std::array<FragmentId, 256> ids_;
};

wire::Card card_of(const SegmentFacts& segment, const Coder& coder, const wire::Card* known) {
  wire::Card card;
  if (known != nullptr) {
    card = *known;
    MHP_CHECK(card.segment == segment.id && card.k == segment.k && card.sealed_bytes == segment.sealed_bytes);
  } else {
    card = {.segment = segment.id,
            .vault = segment.vault,
            .version = 1,
            .k = segment.k,
            .epoch = segment.epoch,
            .sealed_bytes = segment.sealed_bytes,
            .row_bytes = row_bytes_of(segment.sealed_bytes, segment.k),
            .minimum_hold_s = kMinimumHoldSeconds,
            .fragments = {}};
  }
  const std::uint32_t before = card.n();
  for (std::uint8_t row : coder.rows()) {
    if (row < before) continue;
    MHP_CHECK(row == card.n());  // a card lists rows without gaps
    card.fragments.push_back(coder.id(row));
  }
  if (known != nullptr && card.n() > before) ++card.version;
  MHP_CHECK(card.n() >= card.k);
  return card;
}

/// A row that comes out unlike the card's was coded wrong when it was first made (memory that lies): it must not
/// spread.
void drop_unlike(const Coder& coder, const wire::Card& card, wire::RecordFront& front) {
  std::erase_if(front.rows, [&](const wire::RecordRow& row) { return coder.id(row.row) != card.fragments[row.row]; });
}

RowSet rows_in(std::span<const RowsFor> wanted) {
  RowSet rows;
  for (const RowsFor& home : wanted) {
    for (std::uint8_t row : home.rows) rows.set(row);
  }
  MHP_CHECK(!rows[255]);
  return rows;
}

/// The records of one segment: first a place in one of them for each row that is coded, then the rows that several
/// homes get, and the card.
class Records {
 public:
  Records(const SegmentFacts& segment, std::span<const RowsFor> wanted, const wire::Card* known, Coder& coder,
          BufferPool& buffers) {
    std::uint32_t n = known != nullptr ? known->n() : 0;
    for (std::uint8_t row : coder.rows()) n = std::max<std::uint32_t>(n, row + 1u);
    for (const RowsFor& home : wanted) {
      Shipment shipment{.home = home.home,
                        .front = wire::plan_record(segment.vault, segment.id, home.rows, coder.fragment_bytes(),
                                                   wire::signed_card_capacity(n)),
                        .buffer = {}};
      shipment.buffer = buffers.take(shipment.front.record_bytes);
      for (const wire::RecordRow& row : shipment.front.rows) {
        std::byte* place = shipment.buffer.data() + row.offset;
        if (coder.fragment(row.row) == nullptr)
          coder.set_fragment(row.row, place);
        else
          copies_.emplace_back(row.row, place);
      }
      out_.shipments.push_back(std::move(shipment));
    }
  }

  /// Empty after finish().
  std::vector<Shipment>& shipments() { return out_.shipments; }

  /// All rows must have been coded.
  EncodedSegment finish(const SegmentFacts& segment, const wire::Card* known, const Coder& coder) {
    for (const auto& [row, place] : copies_) std::memcpy(place, coder.fragment(row), coder.fragment_bytes());
    out_.card = card_of(segment, coder, known);
    for (Shipment& shipment : out_.shipments) drop_unlike(coder, out_.card, shipment.front);
    return std::exchange(out_, {});
  }

 private:
  EncodedSegment out_;
  std::vector<std::pair<std::uint8_t, std::byte*>> copies_;  // of rows that several homes get
};

}  // namespace

AlignedBuffer BufferPool::take(std::size_t bytes) {
  // Segments differ a little in size: rounded up, any buffer of a kind serves for each. What is not touched costs no
  // memory.
  bytes = std::bit_ceil(bytes);
  const std::lock_guard lock(mutex_);
  auto best = free_.end();
  for (auto at = free_.begin(); at != free_.end(); ++at) {
    if (at->size() >= bytes && (best == free_.end() || at->size() < best->size())) best = at;
  }
  if (best == free_.end()) {
    // One that is too small makes room, so that there are never more buffers than were in use at once.
    if (!free_.empty()) free_.pop_back();
    return AlignedBuffer(bytes);
  }
  AlignedBuffer buffer = std::move(*best);
  free_.erase(best);
  return buffer;
}

void BufferPool::give(AlignedBuffer buffer) {
  const std::lock_guard lock(mutex_);
  if (buffer.size() > 0 && free_.size() < kMaxKept) free_.push_back(std::move(buffer));
}

std::uint32_t row_bytes_of(std::uint64_t sealed_bytes, unsigned k) {
  MHP_CHECK(sealed_bytes > 0 && k > 0 && (sealed_bytes + k - 1) / k <= UINT32_MAX);
  return static_cast<std::uint32_t>((sealed_bytes + k - 1) / k);
}

EncodedSegment encode(const SealedSegment& segment, std::span<const RowsFor> wanted, const wire::Card* known,
                      BufferPool& buffers) {
  MHP_CHECK(segment.salts.size() == segment.k);
  const SegmentFacts facts{.id = segment.id,
                           .vault = segment.vault,
                           .epoch = segment.epoch,
                           .k = segment.k,
                           .sealed_bytes = segment.sealed.size()};
  Coder coder(facts, rows_in(wanted));
  Records records(facts, wanted, known, coder, buffers);
  coder.take_data_from(segment.sealed);
  coder.run(segment.salts);
  return records.finish(facts, known, coder);
}

struct NewSegment::Parts {
  Parts(const SegmentFacts& new_facts, std::span<const RowsFor> wanted, BufferPool& pool)
      : facts(new_facts),
        buffers(pool),
        coder(facts, rows_in(wanted)),
        records(facts, wanted, nullptr, coder, buffers),
        places(coder.take_data_in_place()) {}

  const SegmentFacts facts;
  BufferPool& buffers;
  Coder coder;
  Records records;
  std::vector<MutableBytes> places;
};

NewSegment::NewSegment(const SegmentFacts& facts, std::span<const RowsFor> wanted, BufferPool& buffers)
    : parts_(std::make_unique<Parts>(facts, wanted, buffers)) {}

NewSegment::~NewSegment() {
  for (Shipment& shipment : parts_->records.shipments()) parts_->buffers.give(std::move(shipment.buffer));
}

std::span<const MutableBytes> NewSegment::places() const { return parts_->places; }

EncodedSegment NewSegment::encode(std::span<const primitives::Hash> salts) {
  MHP_CHECK(salts.size() == parts_->facts.k);
  parts_->coder.run(salts);
  return parts_->records.finish(parts_->facts, nullptr, parts_->coder);
}

void attach_card(EncodedSegment& encoded, ByteView signed_card) {
  for (Shipment& shipment : encoded.shipments) {
    shipment.front.card_version = encoded.card.version;
    shipment.front.signed_card = to_bytes(signed_card);
    wire::write_record_front(shipment.front, shipment.buffer.bytes().first(shipment.front.record_bytes));
  }
}

}  // namespace mhp::dispersal
