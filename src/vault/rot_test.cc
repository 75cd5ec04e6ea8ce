// Damage to what a home holds: reading every row finds all of it, reading works around it, repair makes it whole.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <set>

#include "base/test_run.h"
#include "vault/testing/scene.h"
#include "wire/fragment.h"
#include "wire/record.h"

namespace mhp::vault {
namespace {

using testing::Files;
using testing::Scene;

constexpr unsigned kRottingHomes = 4;
constexpr std::size_t kDamagesInARound = 20;

/// A row of a segment.
using RowName = std::pair<SegmentId, std::uint8_t>;
using RowNames = std::set<RowName>;

/// A stretch of a file of a home, as it was.
struct Stretch {
  std::string path;
  std::size_t offset = 0;
  Bytes bytes;
};

/// A fragment in a home, and the front of its record, without which nobody finds it who has lost the index.
struct Place {
  RowName row;
  Stretch fragment;
  Stretch front;
  Stretch mark;  // by which its record counts
};

class Rot {
 public:
  explicit Rot(std::uint64_t seed) : random_(seed), scene_(seed, kRottingHomes) {
    for (int i = 0; i < 3; ++i) scene_.save_files(testing::few_files(scene_.world));
    scene_.keep();
  }

  /// Some damages on one home: the very rows that were hit are found, and nothing of them is served.
  void round(std::uint64_t number) {
    scene_.reset();
    const auto home = static_cast<unsigned>(random_() % kRottingHomes);
    const std::string logs = scene_.world.home_path(home) + "/logs";
    const std::vector<Place> before = fragments_in(logs);
    ASSERT_GT(before.size(), 10u);
    for (std::size_t i = 0; i < kDamagesInARound; ++i) damages += damage(logs, before);
    const RowNames hit =
        rows_where(before, [](const Place& place, ByteView content) { return is_changed(place.fragment, content); });
    const RowNames without_record = rows_without_record(before);
    fragments_hit += hit.size();

    auto session = scene_.world.open("a");
    ASSERT_TRUE(session) << session.error().detail;
    auto report = scene_.world.run(session->vault->check(100, {}));
    ASSERT_TRUE(report) << report.error().detail;
    const RowNames found = found_by(*session, home, before);
    for (const RowName& row : hit) EXPECT_TRUE(found.contains(row)) << "not found: " << in_words(row);
    for (const RowName& row : found)
      EXPECT_TRUE(hit.contains(row) || without_record.contains(row)) << "whole, and called bad: " << in_words(row);
    EXPECT_EQ(report->rows_missing + report->rows_bad, found.size());
    EXPECT_EQ(report->unrestorable, 0u);
    session = fail(Errc::unavailable, "closed");
    EXPECT_EQ(scene_.check_all("a", scene_.saved), "");
    if (number % 10 == 0) repair();
  }

  std::uint64_t fragments_hit = 0;
  std::uint64_t damages = 0;  // that changed a fragment, or the front of a record

 private:
  void repair() {
    auto session = scene_.world.open("a");
    ASSERT_TRUE(session);
    auto done = scene_.world.run(session->vault->repair(true, {}, false, {}));
    ASSERT_TRUE(done) << done.error().detail;
    auto report = scene_.world.run(session->vault->check(100, {}));
    ASSERT_TRUE(report);
    EXPECT_EQ(report->rows_missing + report->rows_bad, 0u) << "after the repair";
  }

  std::vector<std::string> files_in(const std::string& folder) {
    auto names = scene_.disk().list(folder);
    std::vector<std::string> out;
    if (names) {
      for (const std::string& name : *names) out.push_back(folder + "/" + name);
    }
    return out;
  }
  Bytes content_of(const std::string& path) {
    auto bytes = platform::read_file(scene_.disk(), path, 1_GiB);
    return bytes ? *bytes : Bytes();
  }

  static std::string in_words(const RowName& row) {
    return "segment " + row.first.short_hex() + ", row " + std::to_string(row.second);
  }

  /// By the records that they stand in; each is found by what stands at its own start, too.
  std::vector<Place> fragments_in(const std::string& folder) {
    std::vector<Place> out;
    for (const std::string& path : files_in(folder)) {
      const Bytes content = content_of(path);
      for (std::size_t at = 0; at < content.size(); at += 4096) {
        const auto front = wire::parse_record_front(ByteView(content).subspan(at));
        if (!front) continue;
        const std::size_t end = end_of_group(content, at);
        const Stretch mark{path, end, to_bytes(ByteView(content).subspan(end, 4096))};
        const Stretch whole_front{path, at, to_bytes(ByteView(content).subspan(at, front->front_bytes))};
        for (const wire::RecordRow& row : front->rows) {
          const ByteView bytes = ByteView(content).subspan(at + row.offset, row.bytes);
          const auto header = wire::parse_fragment_header(bytes.first(wire::FragmentHeader::kSizeBytes));
          EXPECT_TRUE(header && header->segment == front->segment && header->row == row.row);
          out.push_back({{front->segment, row.row}, {path, at + row.offset, to_bytes(bytes)}, whole_front, mark});
        }
      }
    }
    return out;
  }

  /// Where their mark stands, behind records that follow each other from here.
  static std::size_t end_of_group(ByteView content, std::size_t at) {
    while (at < content.size()) {
      const auto front = wire::parse_record_front(content.subspan(at));
      if (!front) break;
      at += front->record_bytes;
    }
    return at;
  }

  static bool is_changed(const Stretch& stretch, ByteView content) {
    return stretch.offset + stretch.bytes.size() > content.size() ||
           !std::ranges::equal(stretch.bytes, content.subspan(stretch.offset, stretch.bytes.size()));
  }

  template <class Is>
  RowNames rows_where(const std::vector<Place>& before, Is is) {
    RowNames out;
    std::map<std::string, Bytes> now;
    for (const Place& place : before) {
      const std::string& path = place.fragment.path;
      if (!now.contains(path)) now[path] = content_of(path);
      if (is(place, now[path])) out.insert(place.row);
    }
    return out;
  }

  /// Their records are no records any more: the front has changed, or the mark.
  RowNames rows_without_record(const std::vector<Place>& before) {
    return rows_where(before, [](const Place& place, ByteView content) {
      return is_changed(place.front, content) || is_changed(place.mark, content);
    });
  }

  /// Of the rows that a home had those that the check has found bad, and those that the home does not list any more.
  RowNames found_by(testing::Session& session, unsigned home, const std::vector<Place>& before) {
    RowNames listed;
    const auto list = scene_.world.run(session.homes->list(home));
    EXPECT_TRUE(list);
    for (const home::HeldSegment& held : list ? *list : std::vector<home::HeldSegment>())
      for (const std::uint8_t row : held.rows) listed.emplace(held.segment, row);
    RowNames out;
    for (const Place& place : before)
      if (!listed.contains(place.row)) out.insert(place.row);
    for (const wire::BadHolding& bad : session.state->bad_rows().holdings) {
      EXPECT_EQ(bad.home, session.homes->members()[home].id) << "nothing was done to this home";
      for (std::size_t row = 0; row < bad.rows.size(); ++row)
        if (bad.rows[row]) out.emplace(bad.segment, static_cast<std::uint8_t>(row));
    }
    return out;
  }

  void write(const std::string& path, ByteView content) {
    ASSERT_TRUE(platform::replace_file(scene_.disk(), path, content));
  }

  /// True where it changed a fragment, or the front of a record.
  bool damage(const std::string& logs, const std::vector<Place>& before) {
    const auto files = files_in(logs);
    if (files.empty()) return false;
    const std::string& path = files[random_() % files.size()];
    const Bytes content = content_of(path);
    if (content.empty()) return false;
    spoil(path, content);
    const Bytes now = content_of(path);
    return std::ranges::any_of(before, [&](const Place& place) {
      return std::ranges::any_of(std::array{&place.fragment, &place.front}, [&](const Stretch* one) {
        if (one->path != path) return false;
        const Stretch as_it_was{path, one->offset, part_of(content, *one)};
        return is_changed(as_it_was, now);
      });
    });
  }

  static Bytes part_of(ByteView content, const Stretch& stretch) {
    const std::size_t from = std::min(stretch.offset, content.size());
    return to_bytes(content.subspan(from, std::min(stretch.bytes.size(), content.size() - from)));
  }

  /// A flipped bit mostly; else a file cut, two blocks exchanged, a stretch of zeros, or a file gone.
  void spoil(const std::string& path, Bytes content) {
    const std::uint64_t kind = random_() % 40;
    const std::size_t at = random_() % content.size();
    if (kind == 0) return (void)scene_.disk().remove(path);
    if (kind == 1) {
      content.resize(at);
    } else if (kind == 2) {
      std::fill_n(content.begin() + static_cast<std::ptrdiff_t>(at),
                  std::min<std::size_t>(content.size() - at, 1 + random_() % 9000), std::byte{0});
    } else if (kind == 3) {
      const std::size_t blocks = content.size() / 4096;
      if (blocks < 2) return;
      const auto one = content.begin() + static_cast<std::ptrdiff_t>(random_() % blocks * 4096);
      std::swap_ranges(one, one + 4096, content.begin() + static_cast<std::ptrdiff_t>(random_() % blocks * 4096));
    } else {
      return scene_.disk().flip_bit(path, random_() % (content.size() * 8));
    }
    write(path, content);
  }

  std::mt19937_64 random_;
  Scene scene_;
};

TEST(Rot, IsFoundAndWorkedAround) {
  const std::uint64_t seed = test_run::seed();
  const std::uint64_t rounds = (test_run::is_long() ? 10'000 : 100) / test_run::stride();
  Rot rot(seed);
  for (std::uint64_t i = 0; i < rounds && !::testing::Test::HasFailure(); ++i) {
    SCOPED_TRACE("round " + std::to_string(i) + ", repeat with MHP_SEED=" + std::to_string(seed));
    rot.round(i);
  }
  EXPECT_GT(rot.fragments_hit, rounds);
  EXPECT_GT(rot.damages, 5 * rounds);
  test_run::tried_of_sweep(7, "damages to a home of a vault that hit something", rot.damages, seed);
}

/// By another home's card and the home's index such rows are whole: until the index is lost, or nobody else has a card.
TEST(Rot, OfCardsInMostHomesIsFoundByACheckThatReadsAndMended) {
  Scene scene(test_run::seed(), kRottingHomes);
  scene.save_files(testing::few_files(scene.world));
  constexpr std::uint64_t kInFirstFront = 4096 + 4;
  for (unsigned home = 1; home < kRottingHomes; ++home)
    scene.disk().flip_bit(scene.world.home_path(home) + "/logs/00000001.log", 8 * kInFirstFront);
  {
    auto session = scene.world.open("a");
    ASSERT_TRUE(session);
    const auto report = scene.world.run(session->vault->check(100, {}));
    ASSERT_TRUE(report) << report.error().detail;
    EXPECT_GE(report->rows_bad, 3 * 6u);
    EXPECT_EQ(report->unrestorable, 1u);
    EXPECT_EQ(report->mendable, 1u);
    const auto would = scene.world.run(session->vault->repair(false, {}, true, {}));
    ASSERT_TRUE(would) << would.error().detail;
    EXPECT_EQ(would->unrestorable, 0u);
    EXPECT_GE(would->rows_made, 3 * 6u);
    const auto done = scene.world.run(session->vault->repair(true, {}, false, {}));
    ASSERT_TRUE(done) << done.error().detail;
  }
  for (unsigned home = 0; home < kRottingHomes; ++home)
    ASSERT_TRUE(scene.disk().remove(scene.world.home_path(home) + "/index"));
  auto session = scene.world.open("a");
  ASSERT_TRUE(session);
  const auto report = scene.world.run(session->vault->check(100, {}));
  ASSERT_TRUE(report) << report.error().detail;
  EXPECT_EQ(report->rows_missing + report->rows_bad, 0u);
  session = fail(Errc::unavailable, "closed");
  EXPECT_EQ(scene.check_all("a", scene.saved), "");
}

}  // namespace
}  // namespace mhp::vault
