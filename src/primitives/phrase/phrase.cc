// BIP-39 for 256 bits: 24 words of 11 bits each, the last 8 bits a checksum.
#include "primitives/phrase/phrase.h"

#include <english_words.h>  // made by cmake/MhpWords.cmake
#include <sodium.h>

#include <algorithm>
#include <bitset>
#include <vector>

#include "base/check.h"

namespace mhp::primitives {
namespace {

constexpr std::size_t kWords = 24;
constexpr std::size_t kBitsPerWord = 11;
constexpr std::size_t kPrefixLetters = 4;  // no two words of the list begin with the same four

using PhraseBytes = std::array<std::byte, 33>;  // entropy and checksum: 24 * 11 bits

std::byte checksum_of(const Key& entropy) {
  std::array<unsigned char, crypto_hash_sha256_BYTES> digest;
  crypto_hash_sha256(digest.data(), reinterpret_cast<const unsigned char*>(entropy.data()), entropy.size());
  return std::byte{digest[0]};
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// The words in lower case.
std::vector<std::string> split(std::string_view phrase) {
  std::vector<std::string> words;
  bool inside = false;
  for (const char c : phrase) {
    const bool space = c == ' ' || (c >= '\t' && c <= '\r');
    if (!space && !inside) words.emplace_back();
    if (!space) words.back() += lower(c);
    inside = !space;
  }
  return words;
}

/// True where one letter added, left out or changed, or two neighbours swapped, make one word of the other.
bool one_slip_apart(std::string_view a, std::string_view b) {
  while (!a.empty() && !b.empty() && a.front() == b.front()) {
    a.remove_prefix(1);
    b.remove_prefix(1);
  }
  while (!a.empty() && !b.empty() && a.back() == b.back()) {
    a.remove_suffix(1);
    b.remove_suffix(1);
  }
  if (a.size() <= 1 && b.size() <= 1) return true;
  return a.size() == 2 && b.size() == 2 && a[0] == b[1] && a[1] == b[0];
}

/// The word of the list that was perhaps meant; empty where none is near.
std::string_view perhaps_meant(std::string_view word) {
  for (std::string_view known : kEnglishWords) {
    if (word.size() < kPrefixLetters) break;
    if (word.substr(0, kPrefixLetters) == known.substr(0, kPrefixLetters)) return known;
  }
  for (std::string_view known : kEnglishWords) {
    if (one_slip_apart(word, known)) return known;
  }
  return {};
}

Result<std::size_t> index_of(std::string_view word, std::size_t place) {
  const auto found = std::lower_bound(kEnglishWords.begin(), kEnglishWords.end(), word);
  if (found != kEnglishWords.end() && *found == word) return static_cast<std::size_t>(found - kEnglishWords.begin());
  std::string detail = "recovery phrase: word " + std::to_string(place) + " is not in the list";
  if (const std::string_view meant = perhaps_meant(word); !meant.empty())
    detail += "; perhaps '" + std::string(meant) + "'";
  return fail(Errc::invalid, detail);
}

/// 11 bits a word, highest first.
std::string words(ByteView bytes, std::size_t count) {
  std::string out;
  for (std::size_t word = 0; word < count; ++word) {
    std::size_t index = 0;
    for (std::size_t bit = word * kBitsPerWord; bit < (word + 1) * kBitsPerWord; ++bit) {
      index = index << 1 | (std::to_integer<unsigned>(bytes[bit / 8]) >> (7 - bit % 8) & 1);
    }
    if (word != 0) out += ' ';
    out += kEnglishWords[index];
  }
  return out;
}

}  // namespace

std::string phrase_of(const Key& entropy) {
  PhraseBytes bytes;
  std::copy(entropy.begin(), entropy.end(), bytes.begin());
  bytes.back() = checksum_of(entropy);
  std::string phrase = words(bytes, kWords);
  wipe(bytes);
  return phrase;
}

Result<Key> entropy_of(std::string_view phrase) {
  const std::vector<std::string> words = split(phrase);
  if (words.size() != kWords) {
    return fail(Errc::invalid, "recovery phrase: " + std::to_string(words.size()) + " words; it has 24");
  }
  PhraseBytes bytes{};
  for (std::size_t word = 0; word < kWords; ++word) {
    MHP_TRY(const std::size_t index, index_of(words[word], word + 1));
    for (std::size_t i = 0; i < kBitsPerWord; ++i) {
      const std::size_t bit = word * kBitsPerWord + i;
      if (index >> (kBitsPerWord - 1 - i) & 1) bytes[bit / 8] |= std::byte{0x80} >> (bit % 8);
    }
  }
  Key entropy;
  std::copy_n(bytes.begin(), entropy.size(), entropy.begin());
  if (bytes.back() != checksum_of(entropy)) {
    return fail(Errc::invalid, "recovery phrase: the checksum does not fit; a word is wrong or out of place");
  }
  wipe(bytes);
  return entropy;
}

std::string words_of(const Hash& hash, std::size_t count) {
  MHP_CHECK(count * kBitsPerWord <= 8 * hash.size());
  return words(hash, count);
}

}  // namespace mhp::primitives
