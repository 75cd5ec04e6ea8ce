// Sums over homes, and one sentence.
#include "app/trash.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/text.h"

namespace mhp::app {

void add_to(Trash& trash, const home::Usage& usage) {
  trash.condemned_bytes += usage.condemned_bytes;
  if (!usage.next_due_ns) return;
  trash.next_due_ns = std::min(trash.next_due_ns.value_or(*usage.next_due_ns), *usage.next_due_ns);
}

Task<Trash> trash_of(const dispersal::HomeSet& homes) {
  Trash trash;
  for (const dispersal::Member& member : homes.members()) {
    if (!member.home) continue;
    const auto usage = co_await member.home->usage();
    if (usage) add_to(trash, *usage);
  }
  co_return trash;
}

std::string trash_sentence(const Trash& trash, std::int64_t now_ns) {
  if (trash.condemned_bytes == 0) return "Nothing on the homes waits to be given back.";
  const bool over = trash.next_due_ns && *trash.next_due_ns <= now_ns;
  const std::string when = over ? "from now on"
                           : trash.next_due_ns
                               ? fmt::format("from {} on", format_time(*trash.next_due_ns).substr(0, 10))
                               : "later";
  return fmt::format(
      "{} on the homes are forgotten: given back {}, by a backup or forget, as soon as the greater part of a file that "
      "they lie in is forgotten.",
      format_bytes(trash.condemned_bytes), when);
}

}  // namespace mhp::app
