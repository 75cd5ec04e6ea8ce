// Error numbers of Linux in our words.
#include "platform/posix/system.h"

#include <unistd.h>

#include <system_error>

namespace mhp::platform {

Fd::~Fd() {
  if (number_ >= 0) ::close(number_);
}

Errc code_of(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return Errc::full;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return Errc::exhausted;
    case EACCES:
    case EPERM:
    case EROFS:
      return Errc::denied;
    case ENOENT:
    case ENOTDIR:
      return Errc::not_found;
    case EEXIST:
    case ENOTEMPTY:
      return Errc::busy;
    case ENAMETOOLONG:
      return Errc::invalid;
    case EFBIG:  // the disk has room: this file system, or a limit of this process, has no files of that size
      return Errc::usage;
    default:
      return Errc::unavailable;
  }
}

std::string reason_of(int error) {
  if (error == EMFILE) return "too many open files in this process (raise the limit: ulimit -n)";
  if (error == ENFILE) return "too many open files in this system";
  if (error == ENOMEM) return "too little memory in this computer";
  if (error == EFBIG) return "a file of that size is not allowed here (by the file system, or ulimit -f)";
  std::string text = std::generic_category().message(error);
  if (!text.empty() && text[0] >= 'A' && text[0] <= 'Z') text[0] = static_cast<char>(text[0] - 'A' + 'a');
  return text;
}

tl::unexpected<Error> fail_errno(int error, const std::string& path, std::source_location where) {
  return fail(code_of(error), path.empty() ? reason_of(error) : path + ": " + reason_of(error), where);
}

}  // namespace mhp::platform
