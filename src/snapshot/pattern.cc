// Matching of gitignore patterns, without exponential time.
#include "snapshot/pattern.h"

#include <algorithm>
#include <cctype>
#include <optional>

namespace mhp::snapshot {
namespace {

bool in_class(std::string_view name, unsigned char c) {
  struct Named {
    std::string_view name;
    int (*test)(int);
  };
  static constexpr Named kClasses[] = {{"alnum", std::isalnum}, {"alpha", std::isalpha}, {"blank", std::isblank},
                                       {"cntrl", std::iscntrl}, {"digit", std::isdigit}, {"graph", std::isgraph},
                                       {"lower", std::islower}, {"print", std::isprint}, {"punct", std::ispunct},
                                       {"space", std::isspace}, {"upper", std::isupper}, {"xdigit", std::isxdigit}};
  auto found = std::ranges::find(kClasses, name, &Named::name);
  return found != std::end(kClasses) && found->test(c) != 0;
}

/// One item of a [set] at pattern[at]: a class, a range or a character; moves `at` past it. Empty where the set does
/// not end.
std::optional<bool> set_item(std::string_view pattern, std::size_t& at, unsigned char c) {
  if (pattern.substr(at, 2) == "[:") {
    std::size_t end = pattern.find(":]", at + 2);
    if (end == pattern.npos) return std::nullopt;
    bool fits = in_class(pattern.substr(at + 2, end - at - 2), c);
    at = end + 2;
    return fits;
  }
  auto one = [&]() -> std::optional<unsigned char> {
    if (at < pattern.size() && pattern[at] == '\\') ++at;
    if (at >= pattern.size()) return std::nullopt;
    return static_cast<unsigned char>(pattern[at++]);
  };
  auto low = one();
  if (!low) return std::nullopt;
  auto high = low;
  if (at + 1 < pattern.size() && pattern[at] == '-' && pattern[at + 1] != ']') {
    ++at;
    high = one();
    if (!high) return std::nullopt;
  }
  return *low <= c && c <= *high;
}

/// A [set] that starts at pattern[at]; moves `at` past its "]". A set that never ends fits nothing.
bool set_fits(std::string_view pattern, std::size_t& at, unsigned char c) {
  ++at;
  bool negated = at < pattern.size() && (pattern[at] == '!' || pattern[at] == '^');
  if (negated) ++at;
  bool fits = false;
  for (bool first = true; at < pattern.size() && (first || pattern[at] != ']'); first = false) {
    auto item = set_item(pattern, at, c);
    if (!item) return false;
    fits = fits || *item;
  }
  if (at >= pattern.size()) return false;
  ++at;
  return fits != negated;
}

/// The element of `pattern` at `at` that is no star, against one character; moves `at` past it.
bool one_fits(std::string_view pattern, std::size_t& at, unsigned char c) {
  if (pattern[at] == '[') return set_fits(pattern, at, c);
  if (pattern[at] == '?') return ++at, true;
  if (pattern[at] == '\\' && at + 1 < pattern.size()) ++at;
  return static_cast<unsigned char>(pattern[at++]) == c;
}

/// One name against one part. On a mismatch only the last star takes one character more: the earlier ones need not.
bool name_fits(std::string_view pattern, std::string_view name) {
  std::size_t p = 0, n = 0, star = pattern.npos, star_name = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_name = n;
      continue;
    }
    std::size_t next = p;
    if (p < pattern.size() && one_fits(pattern, next, static_cast<unsigned char>(name[n]))) {
      p = next;
      ++n;
      continue;
    }
    if (star == pattern.npos) return false;
    p = star + 1;
    n = ++star_name;
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

/// The first name of `path`, which loses it.
std::string_view take_name(std::string_view& path) {
  std::size_t slash = path.find('/');
  std::string_view name = path.substr(0, slash);
  path = slash == path.npos ? std::string_view() : path.substr(slash + 1);
  return name;
}

}  // namespace

Glob::Glob(std::string_view pattern) {
  while (!pattern.empty() && pattern.back() == '/') pattern.remove_suffix(1);
  name_only_ = pattern.find('/') == pattern.npos;
  if (pattern.starts_with('/')) pattern.remove_prefix(1);
  while (!pattern.empty()) {
    std::string part(take_name(pattern));
    if (part == "**" && !parts_.empty() && parts_.back() == "**") continue;
    parts_.push_back(std::move(part));
  }
  // "a/**" is for what is inside of a, not for a: at least one name.
  if (!name_only_ && !parts_.empty() && parts_.back() == "**") parts_.push_back("*");
}

bool Glob::matches(std::string_view path) const {
  if (parts_.empty()) return false;
  if (name_only_) return name_fits(parts_.front(), path.substr(path.rfind('/') + 1));
  // The same walk as in name_fits, over names instead of characters.
  std::size_t p = 0, star = parts_.size();
  std::string_view rest = path, star_rest;
  while (!rest.empty()) {
    if (p < parts_.size() && parts_[p] == "**") {
      star = p++;
      star_rest = rest;
      continue;
    }
    std::string_view next = rest;
    if (p < parts_.size() && name_fits(parts_[p], take_name(next))) {
      ++p;
      rest = next;
      continue;
    }
    if (star == parts_.size()) return false;
    p = star + 1;
    take_name(star_rest);
    rest = star_rest;
  }
  return p == parts_.size();
}

void IgnoreLines::add(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  while (line.ends_with(' ') && !line.ends_with("\\ ")) line.remove_suffix(1);
  if (line.empty() || line.front() == '#') return;
  const std::string text(line);
  bool takes_back = line.front() == '!';
  if (takes_back) line.remove_prefix(1);
  bool folders_only = line.ends_with('/');
  lines_.push_back({.glob = Glob(line), .text = text, .takes_back = takes_back, .folders_only = folders_only});
}

void IgnoreLines::add_text(std::string_view text) {
  while (!text.empty()) {
    std::size_t end = text.find('\n');
    add(text.substr(0, end));
    text = end == text.npos ? std::string_view() : text.substr(end + 1);
  }
}

bool IgnoreLines::ignores(std::string_view path, bool is_folder) {
  for (auto line = lines_.rbegin(); line != lines_.rend(); ++line) {
    if (line->folders_only && !is_folder) continue;
    if (!line->glob.matches(path)) continue;
    line->used = true;
    return !line->takes_back;
  }
  return false;
}

std::vector<std::string> IgnoreLines::unused() const {
  std::vector<std::string> texts;
  for (const Line& line : lines_) {
    if (!line.used) texts.push_back(line.text);
  }
  return texts;
}

}  // namespace mhp::snapshot
