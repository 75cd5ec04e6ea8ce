// Tree pages and page lists: order of paths, round trips, and each bound refused.
#include "wire/tree_page.h"

#include <wire/sealed.pb.h>

#include "wire/test_support.h"

namespace mhp::wire {
namespace {

TEST(ComparePaths, FolderThenItsContentThenItsNeighbours) {
  const std::vector<std::string> rising{"a", "a/b", "a/b/c", "a/b.c", "a\x01", "a.b", "a0", "ab", "b", "b/a", "\xff"};
  for (std::size_t i = 0; i < rising.size(); ++i)
    for (std::size_t j = 0; j < rising.size(); ++j)
      EXPECT_EQ(compare_paths(rising[i], rising[j]), i < j ? -1 : i > j ? 1 : 0) << rising[i] << " " << rising[j];
}

TEST(TreePage, RoundTrips) {
  expect_round_trips(
      "TreePage", [](samples::Random& r) { return samples::tree_page(r, 1 + r.below(60)); }, parse_tree_page);
}
TEST(PageList, RoundTrips) {
  expect_round_trips(
      "PageList", [](samples::Random& r) { return samples::page_list(r, 1 + r.below(60)); }, parse_page_list);
}

TEST(TreePage, MayBeEmpty) {
  EXPECT_TRUE(parse_tree_page(encode(TreePage{})));
  EXPECT_TRUE(parse_page_list(encode(PageList{})));
}

TEST(TreePage, GuardsFormats) {
  samples::Random random(1);
  expect_guards_format(message_of<proto::TreePage>(samples::tree_page(random, 5)), parse_tree_page, kMaxPageBytes);
  expect_guards_format(message_of<proto::PageList>(samples::page_list(random, 5)), parse_page_list,
                       kMaxIndexObjectBytes);
}

TreePage page_of(std::initializer_list<const char*> paths) {
  TreePage page;
  for (const char* path : paths) page.entries.push_back({.path = path});
  return page;
}

TEST(TreePage, RefusesPathsOutOfOrderOrForm) {
  ASSERT_TRUE(parse_tree_page(encode(page_of({"a", "a/b", "a.b"}))));
  for (const auto& bad : {page_of({"a.b", "a/b"}), page_of({"a", "a"}), page_of({"b", "a"}), page_of({"a/b", "a"})})
    expect_refused(parse_tree_page(encode(bad)), Errc::invalid, "do not rise");
  for (const char* bad : {"/a", ".", "..", "a/", "a//b", "a/../b", "./a", "a/.", "a/.."}) {
    expect_refused(parse_tree_page(encode(page_of({bad}))), Errc::invalid, "'.'");
    expect_refused(check_entry({.path = bad}), Errc::invalid, "path");
  }
  expect_refused(parse_tree_page(encode(page_of({""}))), Errc::invalid, "do not rise");
  for (const char* good : {"...", ".a", "a..", "a/...", " ", "\xff\xfe"})
    EXPECT_TRUE(parse_tree_page(encode(page_of({good})))) << good;
  TreePage page;
  page.entries.push_back({.path = std::string("a\0b", 3)});
  expect_refused(parse_tree_page(encode(page)), Errc::invalid, "part");
  page.entries[0].path = std::string(kMaxPathBytes + 1, 'x');
  expect_refused(parse_tree_page(encode(page)), Errc::invalid, "too long");
}

TEST(TreePage, RefusesPathColumnsThatDoNotFit) {
  const auto refused = [&](auto spoil, const char* words) {
    auto bad = message_of<proto::TreePage>(page_of({"aa", "ab"}));
    spoil(*bad.mutable_paths());
    expect_refused(parse_tree_page(impl::serialize(bad)), Errc::invalid, words);
  };
  refused([](proto::Paths& p) { p.set_shared_bytes(1, 3); }, "shares more");
  refused([](proto::Paths& p) { p.set_shared_bytes(0, ~0u); }, "shares more");
  refused([](proto::Paths& p) { p.add_rest_bytes(1); }, "columns");
  refused([](proto::Paths& p) { p.set_rest_bytes(1, 2); }, "add up");
  refused([](proto::Paths& p) { p.set_rest_bytes(1, ~0u); }, "add up");
  refused([](proto::Paths& p) { p.set_shared_bytes(1, 0), p.set_rest_bytes(1, 2), p.set_rest("aaab"); }, "less than");
}

TEST(TreePage, LongPathsInFewBytesAreBounded) {
  // 1100 paths of 64 KiB that share all but their last byte: small on disk, 70 MiB written out.
  TreePage page;
  std::string path(60'000, 'x');
  for (int i = 0; i < 1200; ++i) {
    path[59'998] = static_cast<char>('0' + i / 64);
    path[59'999] = static_cast<char>('0' + i % 64);
    page.entries.push_back({.path = path});
  }
  const Bytes bytes = encode(page);
  EXPECT_LT(bytes.size(), 200'000u);
  expect_refused(parse_tree_page(bytes), Errc::invalid, "too long together");
}

TEST(TreePage, RefusesEachBoundOfAnEntry) {
  samples::Random random(2);
  TreeEntry good{.path = "m/n", .size = 100};
  ASSERT_TRUE(check_entry(good));
  const auto refused = [&](auto spoil, const char* words) {
    TreeEntry bad = good;
    spoil(bad);
    expect_refused(check_entry(bad), Errc::invalid, words);
    expect_refused(parse_tree_page(encode(TreePage{{bad}})), Errc::invalid, words);
  };
  refused([](TreeEntry& e) { e.kind = static_cast<EntryKind>(0); }, "unknown kind");
  refused([](TreeEntry& e) { e.kind = static_cast<EntryKind>(8); }, "unknown kind");
  refused([](TreeEntry& e) { e.kind = EntryKind::folder, e.chunks.resize(1); }, "not a file");
  refused([](TreeEntry& e) { e.chunks.resize(kMaxEntryChunks + 1); }, "too many chunks");
  refused([](TreeEntry& e) { e.link_target = "x"; }, "target");
  refused([](TreeEntry& e) { e.kind = EntryKind::symlink, e.link_target = std::string("a\0", 2); }, "target");
  refused([](TreeEntry& e) { e.hard_link_to = "m/n"; }, "hard link");
  refused([](TreeEntry& e) { e.hard_link_to = "z"; }, "hard link");
  refused([](TreeEntry& e) { e.hard_link_to = "../etc/passwd"; }, "hard link");
  refused([](TreeEntry& e) { e.xattrs.push_back({"", {}}); }, "name of an xattr");
  refused([](TreeEntry& e) { e.xattrs.push_back({std::string(256, 'x'), {}}); }, "name of an xattr");
  refused([](TreeEntry& e) { e.xattrs.assign(kMaxEntryXattrs + 1, {"a", {}}); }, "too many xattrs");
  refused([](TreeEntry& e) { e.xattrs.push_back({"a", Bytes(kMaxEntryXattrBytes)}); }, "xattrs are too long");
  refused([](TreeEntry& e) { e.extents = {{10, 0}}; }, "extents are not in order");
  refused([](TreeEntry& e) { e.extents = {{10, 10}, {19, 5}}; }, "extents are not in order");
  refused([](TreeEntry& e) { e.extents = {{90, 11}}; }, "passes the end");
  refused([](TreeEntry& e) { e.extents = {{50, ~0ull}}; }, "passes the end");
  refused([](TreeEntry& e) { e.extents = {{101, 1}}; }, "passes the end");
  refused([](TreeEntry& e) { e.extents.resize(kMaxEntryExtents + 1); }, "too many extents");
}

TEST(TreePage, TheGreatestEntryFitsAPage) {
  TreeEntry entry{.path = std::string(kMaxPathBytes, 'p'), .size = ~0ull};
  for (unsigned i = 0; i < kMaxEntryExtents; ++i)
    entry.extents.push_back({(1ull << 63) + 2 * i * (1ull << 46), 1ull << 46});
  entry.extents.resize(kMaxEntryExtents);
  for (EntryExtent& extent : entry.extents) extent.bytes = 1ull << 45;
  entry.chunks.resize(kMaxEntryChunks);
  const Bytes value(kMaxEntryXattrBytes / kMaxEntryXattrs - 4);
  for (unsigned i = 0; i < kMaxEntryXattrs; ++i) entry.xattrs.push_back({"name", value});
  entry.hard_link_to = std::string(kMaxPathBytes - 1, 'p');
  ASSERT_TRUE(check_entry(entry)) << check_entry(entry).error().detail;
  const Bytes bytes = encode(TreePage{{entry}});
  EXPECT_LE(bytes.size(), kMaxPageBytes);
  const auto page = parse_tree_page(bytes);
  ASSERT_TRUE(page) << page.error().detail;
  EXPECT_TRUE(page->entries[0] == entry);
}

TEST(TreePage, RefusesColumnsThatDoNotFit) {
  samples::Random random(4);
  TreePage page = page_of({"a", "b"});
  page.entries[0].chunks.push_back(random.id<ChunkId>());
  page.entries[1].rdev = 7;
  const auto refused = [&](auto spoil, const char* words) {
    auto bad = message_of<proto::TreePage>(page);
    spoil(bad);
    expect_refused(parse_tree_page(impl::serialize(bad)), Errc::invalid, words);
  };
  refused([](proto::TreePage& p) { p.add_mode(1); }, "columns");
  refused([](proto::TreePage& p) { p.mutable_inode()->RemoveLast(); }, "columns");
  refused([](proto::TreePage& p) { p.mutable_kind()->push_back(1); }, "columns");
  refused([](proto::TreePage& p) { p.clear_paths(); }, "columns");
  refused([](proto::TreePage& p) { p.set_chunk_count(1, 1); }, "chunks do not add up");
  refused([](proto::TreePage& p) { p.set_chunk_count(1, ~0u); }, "chunks do not add up");
  refused([](proto::TreePage& p) { p.mutable_extras(0)->set_entry(2); }, "extras");
  refused([](proto::TreePage& p) { p.add_extras()->set_entry(1); }, "extras");
  refused([](proto::TreePage& p) { p.mutable_extras(0)->add_xattr_name("x"); }, "columns");
  refused([](proto::TreePage& p) { p.mutable_kind()->resize(kMaxPageEntries + 1); }, "too many entries");
}

TEST(PageList, RefusesEachBound) {
  PageList list;
  list.pages = {{{}, "b"}, {{}, "a"}};
  expect_refused(parse_page_list(encode(list)), Errc::invalid, "do not rise");
  list.pages = {{{}, "../a"}};
  expect_refused(parse_page_list(encode(list)), Errc::invalid, "part");
  list.pages = {{{}, "a"}};
  auto message = message_of<proto::PageList>(list);
  message.mutable_page()->push_back('x');
  expect_refused(parse_page_list(impl::serialize(message)), Errc::invalid, "32 bytes");
  message.mutable_page()->resize(32 * (kMaxPages + 1));
  expect_refused(parse_page_list(impl::serialize(message)), Errc::invalid, "too many pages");
}

}  // namespace
}  // namespace mhp::wire
