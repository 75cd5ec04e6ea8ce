// Rising paths in a column: each is written as what it shares with the one before it and the rest.
#pragma once

#include <wire/sealed.pb.h>

#include <string_view>

#include "base/result.h"

namespace mhp::wire::impl {

/// Not empty, not absolute, no "", "." or ".." as a part, no NUL, not too long.
bool is_good_path(std::string_view path);

/// Appends paths; they must be given in their order (not checked here: parsing refuses others).
class PathsWriter {
 public:
  PathsWriter(proto::Paths& out, std::size_t count);
  void add(std::string_view path);

 private:
  proto::Paths& out_;
  std::string_view previous_;  // borrowed from the caller's structs
};

/// Gives the paths back one by one.
class PathsReader {
 public:
  /// `message` must outlive the reader. Errors: invalid, where there are not `count` paths, or columns do not fit.
  static Result<PathsReader> open(const proto::Paths& message, std::size_t count, const char* what);
  /// The next path. At most `count` calls. Errors: invalid (form, order, length, or more shared bytes than there are).
  Result<std::string> next();

 private:
  PathsReader(const proto::Paths& message, const char* what) : message_(&message), what_(what) {}
  const proto::Paths* message_;
  const char* what_;
  int at_ = 0;
  std::size_t rest_at_ = 0;
  std::uint64_t written_out_ = 0;
  std::string previous_;
};

}  // namespace mhp::wire::impl
