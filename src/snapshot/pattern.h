// Patterns in gitignore syntax: which paths a backup leaves out, and which `find` shows.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mhp::snapshot {

/// One pattern for a path: * and ? within a name, [a-z] [!a-z] [[:alpha:]], \x for x itself, and ** for any number of
/// folders. Without "/" it is for the last name, at any depth; with one (not counting a last one) for the whole path.
/// Time is at most length of pattern x length of path, squared for **.
class Glob {
 public:
  explicit Glob(std::string_view pattern);
  /// `path` without a leading "/".
  bool matches(std::string_view path) const;

 private:
  std::vector<std::string> parts_;  // "**" is any number of folders
  bool name_only_ = false;
};

/// Lines of a gitignore file. Of the lines that fit a path the last decides.
class IgnoreLines {
 public:
  /// One line; blank ones and comments count for nothing.
  void add(std::string_view line);
  /// All lines of a text.
  void add_text(std::string_view text);
  /// Whether `path` (relative to where the lines hold, without a leading "/") is to be left out. What is below a folder
  /// that is left out is never asked for, so nothing there can be taken back.
  bool ignores(std::string_view path, bool is_folder);
  /// Lines that have decided on no path so far: one with a slip in it leaves nothing out, and nobody sees it.
  std::vector<std::string> unused() const;

 private:
  struct Line {
    Glob glob;
    std::string text;
    bool takes_back = false;
    bool folders_only = false;
    bool used = false;
  };
  std::vector<Line> lines_;
};

}  // namespace mhp::snapshot
