// Tree pages and page lists to bytes and back, in columns.
#include "wire/tree_page.h"

#include <wire/sealed.pb.h>

#include "wire/impl/paths.h"
#include "wire/impl/proto.h"

namespace mhp::wire {
namespace {

constexpr const char* kPage = "tree page";

bool has_extra(const TreeEntry& entry) {
  return !entry.link_target.empty() || !entry.hard_link_to.empty() || entry.rdev != 0 || !entry.xattrs.empty() ||
         !entry.extents.empty() || entry.chunks_are_lists;
}

void put_extra(const TreeEntry& entry, std::uint32_t number, proto::EntryExtra& out) {
  out.set_entry(number);
  out.set_link_target(entry.link_target);
  out.set_hard_link_to(entry.hard_link_to);
  out.set_rdev(entry.rdev);
  for (const EntryXattr& xattr : entry.xattrs) {
    out.add_xattr_name(xattr.name);
    out.add_xattr_value(impl::to_field(xattr.value));
  }
  for (const EntryExtent& extent : entry.extents) {
    out.add_extent_offset(extent.offset);
    out.add_extent_bytes(extent.bytes);
  }
  out.set_chunks_are_lists(entry.chunks_are_lists);
}

Result<void> take_extra(const proto::EntryExtra& extra, TreeEntry& entry) {
  entry.link_target = extra.link_target();
  entry.hard_link_to = extra.hard_link_to();
  entry.rdev = extra.rdev();
  entry.chunks_are_lists = extra.chunks_are_lists();
  const int xattrs = extra.xattr_name_size();
  const int extents = extra.extent_offset_size();
  if (extra.xattr_value_size() != xattrs || extra.extent_bytes_size() != extents)
    return impl::bad(kPage, "columns differ in length");
  if (xattrs > static_cast<int>(kMaxEntryXattrs)) return impl::bad(kPage, "too many xattrs");
  if (extents > static_cast<int>(kMaxEntryExtents)) return impl::bad(kPage, "too many extents");
  entry.xattrs.reserve(static_cast<std::size_t>(xattrs));
  for (int i = 0; i < xattrs; ++i)
    entry.xattrs.push_back({extra.xattr_name(i), to_bytes(as_bytes(extra.xattr_value(i)))});
  entry.extents.reserve(static_cast<std::size_t>(extents));
  for (int i = 0; i < extents; ++i) entry.extents.push_back({extra.extent_offset(i), extra.extent_bytes(i)});
  return {};
}

/// Every column as long as the column of kinds; the chunk ids as long as the counts say.
Result<void> check_columns(const proto::TreePage& page) {
  const std::size_t count = page.kind().size();
  if (count > kMaxPageEntries) return impl::bad(kPage, "too many entries");
  for (const int size : {page.mode_size(), page.uid_size(), page.gid_size(), page.mtime_ns_size(), page.size_size(),
                         page.chunk_count_size(), page.ctime_ns_size(), page.device_size(), page.inode_size()})
    if (static_cast<std::size_t>(size) != count) return impl::bad(kPage, "columns differ in length");
  std::uint64_t chunks = 0;
  for (const std::uint32_t of_entry : page.chunk_count()) chunks += of_entry;
  if (page.chunks().size() != 32 * chunks) return impl::bad(kPage, "chunks do not add up");
  std::size_t next = 0;
  for (const proto::EntryExtra& extra : page.extras()) {
    if (extra.entry() < next || extra.entry() >= count) return impl::bad(kPage, "extras are not in order");
    next = std::size_t{extra.entry()} + 1;
  }
  return {};
}

/// The columns of entry `i` but for its path and extra; `chunk_at` counts chunk ids.
Result<void> take_columns(const proto::TreePage& page, int i, std::size_t& chunk_at, TreeEntry& entry) {
  entry.kind = static_cast<EntryKind>(page.kind()[static_cast<std::size_t>(i)]);
  entry.mode = page.mode(i);
  entry.uid = page.uid(i);
  entry.gid = page.gid(i);
  entry.mtime_ns = page.mtime_ns(i);
  entry.size = page.size(i);
  entry.ctime_ns = page.ctime_ns(i);
  entry.device = page.device(i);
  entry.inode = page.inode(i);
  const std::uint32_t chunks = page.chunk_count(i);
  if (chunks > kMaxEntryChunks) return impl::bad(kPage, "too many chunks in an entry");
  entry.chunks.reserve(chunks);
  for (std::uint32_t c = 0; c < chunks; ++c) entry.chunks.push_back(impl::id_at<ChunkId>(page.chunks(), chunk_at++));
  return {};
}

Result<void> check_xattrs(const TreeEntry& entry) {
  if (entry.xattrs.size() > kMaxEntryXattrs) return impl::bad(kPage, "too many xattrs");
  std::uint64_t bytes = 0;
  for (const EntryXattr& xattr : entry.xattrs) {
    if (xattr.name.empty() || xattr.name.size() > kMaxNameBytes || impl::has_nul(xattr.name))
      return impl::bad(kPage, "name of an xattr");
    bytes += xattr.name.size() + xattr.value.size();
  }
  if (bytes > kMaxEntryXattrBytes) return impl::bad(kPage, "xattrs are too long");
  return {};
}

/// Rising, not empty, apart from each other, inside the file.
Result<void> check_extents(const TreeEntry& entry) {
  if (entry.extents.size() > kMaxEntryExtents) return impl::bad(kPage, "too many extents");
  std::uint64_t free_from = 0;
  for (const EntryExtent& extent : entry.extents) {
    if (extent.offset < free_from || extent.bytes == 0) return impl::bad(kPage, "extents are not in order");
    if (extent.offset > entry.size || extent.bytes > entry.size - extent.offset)
      return impl::bad(kPage, "an extent passes the end of its file");
    free_from = extent.offset + extent.bytes;
  }
  return {};
}

/// All but the path itself.
Result<void> check_rest(const TreeEntry& entry) {
  if (entry.kind < EntryKind::file || entry.kind > EntryKind::socket) return impl::bad(kPage, "unknown kind of entry");
  if (entry.chunks.size() > kMaxEntryChunks) return impl::bad(kPage, "too many chunks in an entry");
  if (entry.kind != EntryKind::file && (!entry.chunks.empty() || !entry.extents.empty()))
    return impl::bad(kPage, "content in what is not a file");
  if (!entry.link_target.empty() && (entry.kind != EntryKind::symlink || entry.link_target.size() > kMaxPathBytes ||
                                     impl::has_nul(entry.link_target)))
    return impl::bad(kPage, "target of a link");
  if (!entry.hard_link_to.empty() &&
      (!impl::is_good_path(entry.hard_link_to) || compare_paths(entry.hard_link_to, entry.path) >= 0))
    return impl::bad(kPage, "a hard link does not point to an earlier path");
  MHP_TRY_VOID(check_xattrs(entry));
  return check_extents(entry);
}

}  // namespace

Result<void> check_entry(const TreeEntry& entry) {
  if (!impl::is_good_path(entry.path)) return impl::bad(kPage, "path");
  return check_rest(entry);
}

Bytes encode(const TreePage& page) {
  auto message = impl::make<proto::TreePage>();
  const std::size_t count = page.entries.size();
  const auto columns = static_cast<int>(count);
  impl::PathsWriter paths(*message.mutable_paths(), count);
  message.mutable_kind()->reserve(count);
  for (auto* column :
       {message.mutable_mode(), message.mutable_uid(), message.mutable_gid(), message.mutable_chunk_count()})
    column->Reserve(columns);
  for (auto* column : {message.mutable_mtime_ns(), message.mutable_ctime_ns()}) column->Reserve(columns);
  for (auto* column : {message.mutable_size(), message.mutable_device(), message.mutable_inode()})
    column->Reserve(columns);
  std::uint32_t number = 0;
  for (const TreeEntry& entry : page.entries) {
    paths.add(entry.path);
    message.mutable_kind()->push_back(static_cast<char>(entry.kind));
    message.add_mode(entry.mode);
    message.add_uid(entry.uid);
    message.add_gid(entry.gid);
    message.add_mtime_ns(entry.mtime_ns);
    message.add_size(entry.size);
    message.add_chunk_count(static_cast<std::uint32_t>(entry.chunks.size()));
    for (const ChunkId& chunk : entry.chunks) impl::append(*message.mutable_chunks(), chunk.bytes());
    message.add_ctime_ns(entry.ctime_ns);
    message.add_device(entry.device);
    message.add_inode(entry.inode);
    if (has_extra(entry)) put_extra(entry, number, *message.add_extras());
    ++number;
  }
  return impl::serialize(message);
}

Result<TreePage> parse_tree_page(ByteView bytes) {
  const impl::Bounds bounds{.what = kPage, .bytes = kMaxPageBytes, .fields = kMaxPageEntries + 64};
  MHP_TRY(const auto message, impl::read<proto::TreePage>(bytes, bounds));
  MHP_TRY_VOID(check_columns(message));
  const std::size_t count = message.kind().size();
  MHP_TRY(auto paths, impl::PathsReader::open(message.paths(), count, kPage));
  TreePage page;
  page.entries.resize(count);
  std::size_t chunk_at = 0;
  int extra = 0;
  for (std::size_t i = 0; i < count; ++i) {
    TreeEntry& entry = page.entries[i];
    MHP_TRY(entry.path, paths.next());
    MHP_TRY_VOID(take_columns(message, static_cast<int>(i), chunk_at, entry));
    if (extra < message.extras_size() && message.extras(extra).entry() == i) {
      MHP_TRY_VOID(take_extra(message.extras(extra++), entry));
    }
    MHP_TRY_VOID(check_rest(entry));
  }
  return page;
}

Bytes encode(const PageList& list) {
  auto message = impl::make<proto::PageList>();
  impl::PathsWriter paths(*message.mutable_first_paths(), list.pages.size());
  message.mutable_page()->reserve(32 * list.pages.size());
  for (const PageRef& ref : list.pages) {
    impl::append(*message.mutable_page(), ref.page.bytes());
    paths.add(ref.first_path);
  }
  return impl::serialize(message);
}

Result<PageList> parse_page_list(ByteView bytes) {
  const impl::Bounds bounds{.what = "page list", .bytes = kMaxIndexObjectBytes};
  MHP_TRY(const auto message, impl::read<proto::PageList>(bytes, bounds));
  const std::size_t count = message.page().size() / 32;
  if (message.page().size() % 32 != 0) return impl::bad(bounds.what, "an id is not 32 bytes long");
  if (count > kMaxPages) return impl::bad(bounds.what, "too many pages");
  MHP_TRY(auto paths, impl::PathsReader::open(message.first_paths(), count, bounds.what));
  PageList list;
  list.pages.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    list.pages[i].page = impl::id_at<ChunkId>(message.page(), i);
    MHP_TRY(list.pages[i].first_path, paths.next());
  }
  return list;
}

}  // namespace mhp::wire
