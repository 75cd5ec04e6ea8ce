// What a reading found is kept until a later one, or a repair, says otherwise.
#include "vault/impl/bad_rows.h"

namespace mhp::vault::impl {

BadRows::BadRows(State& state) : state_(state) { read(); }

void BadRows::read() {
  rows_.clear();
  for (const wire::BadHolding& holding : state_.bad_rows().holdings) {
    rows_[Key(holding.home, holding.segment)] |= holding.rows;
  }
}

BadRows::Rows BadRows::of(const HomeId& home, const SegmentId& segment) const {
  auto found = rows_.find(Key(home, segment));
  return found == rows_.end() ? Rows() : found->second;
}

void BadRows::learn(const HomeId& home, const SegmentId& segment, const std::vector<std::uint8_t>& rows, bool bad) {
  Rows set;
  for (std::uint8_t row : rows) set.set(row);
  Key key(home, segment);
  Rows before = of(home, segment);
  Rows now = bad ? before | set : before & ~set;
  if (now == before) return;
  auto& [found_bad, found_whole] = learned_[key];
  found_bad = bad ? found_bad | set : found_bad & ~set;
  found_whole = bad ? found_whole & ~set : found_whole | set;
  rows_[key] = now;
}

Result<void> BadRows::save() {
  if (learned_.empty()) return {};
  read();
  wire::BadRows out;
  for (const auto& [key, found] : learned_) rows_[key] = (rows_[key] | found.first) & ~found.second;
  for (const auto& [key, rows] : rows_) {
    if (rows.none() || out.holdings.size() == wire::kMaxBadHoldings) continue;
    out.holdings.push_back({.home = key.first, .segment = key.second, .rows = rows});
  }
  MHP_TRY_VOID(state_.set_bad_rows(out));
  learned_.clear();
  return {};
}

void remember_wrong_rows(dispersal::HomeSet& homes, State& state) {
  const auto found = homes.take_wrong_rows();
  if (found.empty()) return;
  BadRows memory(state);
  for (const dispersal::WrongRow& wrong : found) {
    memory.learn(homes.members()[wrong.member].id, wrong.segment, {wrong.row}, true);
  }
  (void)memory.save();  // a full disk here must not keep anybody from reading
}

}  // namespace mhp::vault::impl
