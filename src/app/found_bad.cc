// A map, and a file of it.
#include "app/found_bad.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "app/json_id.h"

namespace mhp::app {
namespace {

constexpr std::uint64_t kMaxListBytes = 16_MiB;

bool take_rows(const nlohmann::json& json, std::set<std::uint8_t>& into) {
  const auto found = json.find("rows");
  if (found == json.end() || !found->is_array() || found->empty()) return false;
  for (const nlohmann::json& row : *found) {
    if (!row.is_number_unsigned() || row.get<std::uint64_t>() >= wire::kMaxRows) return false;
    into.insert(row.get<std::uint8_t>());
  }
  return true;
}

}  // namespace

std::string to_text(const BadBySegment& rows) {
  nlohmann::json list = nlohmann::json::array();
  for (const auto& [key, bad] : rows)
    list.push_back({{"vault", key.first.hex()}, {"segment", key.second.hex()}, {"rows", bad}});
  return nlohmann::json{{"bad", std::move(list)}}.dump(1) + "\n";
}

Result<BadBySegment> parse_found_bad(std::string_view text) {
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  const auto list = json.is_object() ? json.find("bad") : json.end();
  const bool is_list = json.is_object() && list != json.end() && list->is_array();
  if (!is_list || list->size() > FoundBad::kMaxSegments)
    return fail(Errc::corrupt, Subject::state, "this is no list of damaged rows");
  BadBySegment out;
  for (const nlohmann::json& one : *list) {
    VaultId vault;
    SegmentId segment;
    std::set<std::uint8_t> rows;
    const bool is_whole =
        one.is_object() && read_id(one, "vault", vault) && read_id(one, "segment", segment) && take_rows(one, rows);
    if (!is_whole) return fail(Errc::corrupt, Subject::state, "this is no list of damaged rows");
    out[{vault, segment}] = std::move(rows);
  }
  return out;
}

FoundBad::FoundBad(platform::Disk& disk, std::string file) : disk_(disk), file_(std::move(file)) {
  const auto content = platform::read_file(disk_, file_, kMaxListBytes);
  if (!content) return;
  auto kept = parse_found_bad(as_text(*content));
  if (kept) rows_ = std::move(*kept);
}

Result<void> FoundBad::save() { return platform::replace_file(disk_, file_, as_bytes(to_text(rows_))); }

Result<void> FoundBad::drop_between(const VaultId& vault, const SegmentId& after, const SegmentId* before) {
  const auto is_gone = [&](const auto& entry) {
    const auto& [of, segment] = entry.first;
    return of == vault && segment > after && (before == nullptr || segment < *before);
  };
  return std::erase_if(rows_, is_gone) > 0 ? save() : Result<void>();
}

Result<void> FoundBad::note(const VaultId& vault, const SegmentId& after, const SegmentId& segment,
                            const std::vector<std::uint8_t>& bad) {
  MHP_TRY_VOID(drop_between(vault, after, &segment));
  const auto known = rows_.find({vault, segment});
  const std::set<std::uint8_t> now(bad.begin(), bad.end());
  const bool is_known = known == rows_.end() ? now.empty() : known->second == now;
  if (is_known || (known == rows_.end() && rows_.size() == kMaxSegments)) return {};
  if (now.empty()) {
    rows_.erase(known);
  } else {
    rows_[{vault, segment}] = now;
  }
  return save();
}

Result<void> FoundBad::note_end(const VaultId& vault, const SegmentId& last) {
  return drop_between(vault, last, nullptr);
}

Result<void> FoundBad::keep_only(const std::vector<VaultId>& vaults) {
  const auto is_gone = [&](const auto& entry) { return std::ranges::find(vaults, entry.first.first) == vaults.end(); };
  return std::erase_if(rows_, is_gone) > 0 ? save() : Result<void>();
}

Result<void> FoundBad::were_put(const VaultId& vault, const SegmentId& segment, std::span<const std::uint8_t> rows) {
  const auto known = rows_.find({vault, segment});
  if (known == rows_.end()) return {};
  std::size_t mended = 0;
  for (const std::uint8_t row : rows) mended += known->second.erase(row);
  if (mended == 0) return {};
  if (known->second.empty()) rows_.erase(known);
  return save();
}

wire::ScrubResult FoundBad::page(const VaultId& vault, const SegmentId& after) const {
  wire::ScrubResult out;
  for (auto at = rows_.upper_bound({vault, after}); at != rows_.end() && at->first.first == vault; ++at) {
    if (out.bad.size() + at->second.size() > wire::kMaxScrubBad) {
      out.more = true;
      break;
    }
    for (const std::uint8_t row : at->second) out.bad.emplace_back(at->first.second, row);
    out.last = at->first.second;
  }
  return out;
}

std::size_t FoundBad::rows() const {
  std::size_t sum = 0;
  for (const auto& [key, bad] : rows_) sum += bad.size();
  return sum;
}

}  // namespace mhp::app
