// Drawing the recovery sheet: words in columns and a QR code, as HTML or text.
#include "app/sheet.h"

#include <fmt/format.h>
#include <qrencode.h>

#include <memory>
#include <sstream>
#include <vector>

namespace mhp::app {

namespace {

struct FreeCode {
  void operator()(QRcode* code) const { QRcode_free(code); }
};
using Code = std::unique_ptr<QRcode, FreeCode>;

Code encode_qr(const std::string& text) {
  return Code(QRcode_encodeString(text.c_str(), 0, QR_ECLEVEL_M, QR_MODE_8, 1));
}

/// A dark square of the code; outside of it is light.
bool dark(const QRcode& code, int x, int y) {
  const bool inside = x >= 0 && y >= 0 && x < code.width && y < code.width;
  return inside && (code.data[y * code.width + x] & 1) != 0;
}

/// Two rows of squares a line, by half blocks; a light margin of two squares.
std::string qr_text(const QRcode& code) {
  std::string out;
  for (int y = -2; y < code.width + 2; y += 2) {
    for (int x = -2; x < code.width + 2; ++x) {
      const bool upper = dark(code, x, y);
      const bool lower = dark(code, x, y + 1);
      out += upper && lower ? "\u2588" : upper ? "\u2580" : lower ? "\u2584" : " ";
    }
    out += '\n';
  }
  return out;
}

std::string qr_svg(const QRcode& code) {
  const int side = code.width + 8;
  std::string path;
  for (int y = 0; y < code.width; ++y) {
    for (int x = 0; x < code.width; ++x) {
      if (dark(code, x, y)) path += fmt::format("M{} {}h1v1h-1z", x + 4, y + 4);
    }
  }
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {0}\" width=\"280\" height=\"280\" "
      "shape-rendering=\"crispEdges\"><rect width=\"{0}\" height=\"{0}\" fill=\"#fff\"/><path d=\"{1}\"/></svg>",
      side, path);
}

std::string html_escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::vector<std::string> words_of(const std::string& phrase) {
  std::istringstream in(phrase);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

constexpr const char* kExplain =
    "These 24 words bring back everything in this vault on any computer: install mhp, connect one of the homes "
    "(drives), "
    "run 'mhp recover --home DIR' and type the words. Whoever has the words and the homes can read everything: keep "
    "this sheet "
    "where you keep what is precious, not beside the computer.";

std::string html_sheet(const std::string& name, const VaultId& vault, const std::string& phrase,
                       const std::string& code) {
  std::string cells;
  std::size_t number = 0;
  for (const std::string& word : words_of(phrase)) cells += fmt::format("<li value=\"{}\">{}</li>\n", ++number, word);
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Recovery sheet</title>\n"
      "<style>body{{font:16px/1.5 sans-serif;max-width:44em;margin:2em auto;padding:0 1em}}ol{{columns:3;font:18px/1.9 "
      "monospace}}"
      "@media print{{body{{margin:0}}}}</style>\n"
      "<h1>Recovery sheet{}</h1>\n<p>{}</p>\n<ol>\n{}</ol>\n{}\n<p>Vault {} &middot; MHP, multi-homed "
      "protection</p>\n</html>\n",
      name.empty() ? "" : ": " + html_escaped(name), kExplain, cells, code, vault.short_hex());
}

}  // namespace

std::string phrase_table(const std::string& phrase) {
  const std::vector<std::string> words = words_of(phrase);
  constexpr std::size_t kColumns = 4;
  const std::size_t rows = (words.size() + kColumns - 1) / kColumns;
  std::string out;
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t at = row; at < words.size(); at += rows) out += fmt::format("  {:>2} {:<10}", at + 1, words[at]);
    out += '\n';
  }
  return out;
}

std::string qr_code_text(const std::string& text) {
  const Code code = encode_qr(text);
  return code ? qr_text(*code) : "";
}

std::string recovery_sheet(const std::string& name, const VaultId& vault, const std::string& phrase, bool html) {
  const Code code = encode_qr(phrase);
  if (html) return html_sheet(name, vault, phrase, code ? qr_svg(*code) : "");
  return fmt::format("RECOVERY SHEET {}\n\n{}\n\n{}\n{}\nVault {} - MHP, multi-homed protection\n", name, kExplain,
                     phrase_table(phrase), code ? qr_text(*code) : "", vault.short_hex());
}

}  // namespace mhp::app
