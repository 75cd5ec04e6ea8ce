// The two halves of the real Trees.
#pragma once

#include <sys/stat.h>

#include "platform/posix/system.h"
#include "platform/tree.h"

namespace mhp::platform {

/// What lstat says, in our words.
NodeInfo node_info_of(const struct stat& found);
/// `/proc/self/fd/FD/NAME`: the child of an open folder, for calls that know no folders by descriptor. `name` may be
/// empty.
std::string path_below(int folder, const std::string& name);
/// One name in one folder: not empty, not "." or "..", without "/" and "\0".
bool is_plain_name(const std::string& name);
inline tl::unexpected<Error> fail_name() { return fail(Errc::invalid, "not a name of one file"); }

std::unique_ptr<SourceFolder> make_source_folder(Fd fd);
/// `root` is empty.
std::unique_ptr<TargetFolder> make_target_root(Fd root);

}  // namespace mhp::platform
