// Where the 24 words lie of a vault that was made on the way to something else, until its owner has been told.
#pragma once

#include <optional>
#include <string>

#include "app/session.h"

namespace mhp::app {

/// Before the vault is there, so that no crash leaves one whose words nobody knows of. Durable. Blocking, shortly.
/// Errors: those of the state folder.
Result<void> keep_phrase_place(const Session& session, const std::string& phrase_file);
/// Where the words lie; none: the owner has been told, or the file is not there any more.
std::optional<std::string> phrase_place(const Session& session);
/// The owner has been told.
void forget_phrase_place(const Session& session);

/// "The 24 words ... are in FILE".
std::string phrase_place_sentence(const std::string& phrase_file);
/// Says so on standard error, once in a run, where the owner has not been told in another way.
void note_phrase_place(Session& session);

}  // namespace mhp::app
