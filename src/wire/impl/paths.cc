// The order of paths, and their column.
#include "wire/impl/paths.h"

#include "wire/impl/proto.h"
#include "wire/tree_page.h"

namespace mhp::wire {

int compare_paths(std::string_view a, std::string_view b) {
  const auto [at_a, at_b] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  if (at_a == a.end() || at_b == b.end()) return static_cast<int>(at_b == b.end()) - static_cast<int>(at_a == a.end());
  // The separator stands before every other byte (a NUL is in no path), so what a folder holds follows it at once.
  const unsigned rank_a = *at_a == '/' ? 0 : static_cast<unsigned char>(*at_a);
  const unsigned rank_b = *at_b == '/' ? 0 : static_cast<unsigned char>(*at_b);
  return rank_a < rank_b ? -1 : 1;
}

namespace impl {

bool is_good_path(std::string_view path) {
  if (path.empty() || path.size() > kMaxPathBytes || has_nul(path)) return false;
  for (std::size_t start = 0; start <= path.size();) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    const std::string_view part = path.substr(start, end - start);
    if (part.empty() || part == "." || part == "..") return false;
    start = end + 1;
  }
  return true;
}

PathsWriter::PathsWriter(proto::Paths& out, std::size_t count) : out_(out) {
  out_.mutable_shared_bytes()->Reserve(static_cast<int>(count));
  out_.mutable_rest_bytes()->Reserve(static_cast<int>(count));
}

void PathsWriter::add(std::string_view path) {
  const auto same = std::mismatch(previous_.begin(), previous_.end(), path.begin(), path.end()).first;
  const auto shared = static_cast<std::size_t>(same - previous_.begin());
  out_.add_shared_bytes(static_cast<std::uint32_t>(shared));
  out_.add_rest_bytes(static_cast<std::uint32_t>(path.size() - shared));
  out_.mutable_rest()->append(path.substr(shared));
  previous_ = path;
}

Result<PathsReader> PathsReader::open(const proto::Paths& message, std::size_t count, const char* what) {
  if (static_cast<std::size_t>(message.shared_bytes_size()) != count ||
      static_cast<std::size_t>(message.rest_bytes_size()) != count)
    return bad(what, "columns differ in length");
  std::uint64_t rest = 0;
  for (const std::uint32_t bytes : message.rest_bytes()) rest += bytes;
  if (rest != message.rest().size()) return bad(what, "lengths of paths do not add up");
  return PathsReader(message, what);
}

Result<std::string> PathsReader::next() {
  const std::size_t shared = message_->shared_bytes(at_);
  const std::size_t rest_bytes = message_->rest_bytes(at_);
  ++at_;
  if (shared > previous_.size()) return bad(what_, "a path shares more than there is");
  if (shared + rest_bytes > kMaxPathBytes) return bad(what_, "a path is too long");
  written_out_ += shared + rest_bytes;
  if (written_out_ > kMaxPathsBytes) return bad(what_, "the paths are too long together");
  const std::string_view rest = std::string_view(message_->rest()).substr(rest_at_, rest_bytes);
  rest_at_ += rest_bytes;
  // Where paths rise and no shared byte is written twice, the first byte of the rest decides.
  if (rest.empty() || compare_paths(std::string_view(previous_).substr(shared), rest) >= 0)
    return bad(what_, "paths do not rise");
  if (shared < previous_.size() && previous_[shared] == rest[0]) return bad(what_, "a path shares less than it could");
  previous_.resize(shared);
  previous_.append(rest);
  if (!is_good_path(previous_)) return bad(what_, "a path is absolute, empty or has '.' or '..' as a part");
  return previous_;
}

}  // namespace impl
}  // namespace mhp::wire
