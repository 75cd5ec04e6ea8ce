// Reading extended attributes with buffers that grow when they must.
#include "platform/posix/xattrs.h"

#include <sys/xattr.h>

#include <algorithm>
#include <array>

#include "platform/posix/system.h"

namespace mhp::platform {

namespace {

constexpr std::size_t kMaxBytes = 65536;  // of a value or of all names: XATTR_SIZE_MAX, XATTR_LIST_MAX
constexpr std::size_t kFirstTryBytes = 1024;
constexpr int kTries = 4;  // it may grow between the question for its size and the answer

/// Runs `get(buffer, size)` with a buffer that is big enough. Errors: as errno says.
template <class Get>
Result<Bytes> with_growing_buffer(Get get) {
  std::array<char, kFirstTryBytes> small;
  ssize_t got = get(small.data(), small.size());
  if (got >= 0) return to_bytes(as_bytes({small.data(), static_cast<std::size_t>(got)}));
  for (int i = 0; i < kTries && errno == ERANGE; ++i) {
    const ssize_t size = get(nullptr, 0);
    if (size < 0) break;
    Bytes big(std::clamp<std::size_t>(static_cast<std::size_t>(size), 1, kMaxBytes));
    got = get(reinterpret_cast<char*>(big.data()), big.size());
    if (got < 0) continue;
    big.resize(static_cast<std::size_t>(got));
    return big;
  }
  return fail_errno(errno);
}

template <class List, class Get>
Result<std::vector<Xattr>> read_all(List list, Get get) {
  std::vector<Xattr> xattrs;
  auto names = with_growing_buffer(list);
  if (!names && (errno == EOPNOTSUPP || errno == ENOSYS)) return xattrs;
  if (!names) return pass(names);
  std::string_view rest = as_text(*names);
  while (!rest.empty()) {
    const std::string name(rest.substr(0, rest.find('\0')));
    rest.remove_prefix(std::min(rest.size(), name.size() + 1));
    auto value = with_growing_buffer([&](char* out, std::size_t size) { return get(name.c_str(), out, size); });
    if (!value && (errno == ENODATA || errno == EOPNOTSUPP)) continue;  // gone meanwhile, or only listed
    if (!value) return pass(value);
    xattrs.push_back({name, std::move(*value)});
  }
  return xattrs;
}

}  // namespace

Result<std::vector<Xattr>> xattrs_of_fd(int fd) {
  return read_all([&](char* out, std::size_t size) { return ::flistxattr(fd, out, size); },
                  [&](const char* name, char* out, std::size_t size) { return ::fgetxattr(fd, name, out, size); });
}

Result<std::vector<Xattr>> xattrs_of_path(const std::string& path) {
  const char* file = path.c_str();
  return read_all([&](char* out, std::size_t size) { return ::llistxattr(file, out, size); },
                  [&](const char* name, char* out, std::size_t size) { return ::lgetxattr(file, name, out, size); });
}

}  // namespace mhp::platform
