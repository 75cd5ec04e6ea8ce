// The file `phrase-place` of the state folder.
#include "app/phrase_place.h"

#include <fmt/format.h>

#include <utility>

#include "app/text.h"

namespace mhp::app {

constexpr std::uint64_t kMaxPlaceBytes = 4_KiB;

static std::string place_file(const Session& session) { return session.state_folder + "/phrase-place"; }

Result<void> keep_phrase_place(const Session& session, const std::string& phrase_file) {
  platform::Disk& disk = session.platform.disk();
  MHP_TRY(const std::string path, about(Subject::phrase, disk.absolute(phrase_file)));
  MHP_TRY_VOID(about(Subject::state, disk.make_folder(session.state_folder)));
  return about(Subject::state, platform::replace_file(disk, place_file(session), as_bytes(path)));
}

std::optional<std::string> phrase_place(const Session& session) {
  platform::Disk& disk = session.platform.disk();
  const auto kept = platform::read_file(disk, place_file(session), kMaxPlaceBytes);
  if (!kept) return std::nullopt;
  std::string path(as_text(*kept));
  const auto words = disk.info(path);
  if (words || words.error().code != Errc::not_found) return path;
  return std::nullopt;
}

void forget_phrase_place(const Session& session) { (void)session.platform.disk().remove(place_file(session)); }

std::string phrase_place_sentence(const std::string& phrase_file) {
  return fmt::format(
      "A vault was made for you on this computer. The 24 words that bring everything back are in {}: write them on "
      "paper, then delete that file.",
      printable(phrase_file));
}

void note_phrase_place(Session& session) {
  if (session.out.mute || std::exchange(session.told_words, true)) return;
  const auto place = phrase_place(session);
  if (place) session.out.note(phrase_place_sentence(*place));
}

}  // namespace mhp::app
