// Extended attributes (user, security, ACLs) of one file, folder or link.
#pragma once

#include <string>
#include <vector>

#include "platform/tree.h"

namespace mhp::platform {

/// All that this process may see; none where the file system has no such thing. One call where there are none.
Result<std::vector<Xattr>> xattrs_of_fd(int fd);
/// The same of `path` itself, which may be a symbolic link.
Result<std::vector<Xattr>> xattrs_of_path(const std::string& path);

}  // namespace mhp::platform
