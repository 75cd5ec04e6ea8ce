// The recovery sheet: the 24 words for paper, with a QR code; QR codes for the terminal.
#pragma once

#include <string>

#include "base/ids.h"

namespace mhp::app {

/// Four columns of numbered words.
std::string phrase_table(const std::string& phrase);
/// A sheet to print, as HTML or plain text; the QR code holds the words.
std::string recovery_sheet(const std::string& name, const VaultId& vault, const std::string& phrase, bool html);

/// A QR code for a terminal; empty where the text is too long for one.
std::string qr_code_text(const std::string& text);

}  // namespace mhp::app
