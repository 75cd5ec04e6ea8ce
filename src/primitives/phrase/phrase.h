// Numbers as words: the recovery phrase (24 words for 256 bits, with a checksum), and short ones to compare.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "primitives/hash/blake3.h"

namespace mhp::primitives {

/// 24 words of the BIP-39 English list, single spaces. @source BIP-39.
std::string phrase_of(const Key& entropy);
/// Accepts upper case and any run of white space. Errors: invalid; the detail says which word (by its number and, where
/// one is near, the word that was perhaps meant), how many words there are, or that the checksum does not fit.
Result<Key> entropy_of(std::string_view phrase);

/// The first `count` words (at most 23) that the bits of `hash` give, 11 bits each: for two people to compare.
std::string words_of(const Hash& hash, std::size_t count);

}  // namespace mhp::primitives
