# The English BIP-39 list as a C++ array: english_words.h in the folder `out`, from the package python3-mnemonic.

function(mhp_english_words out)
  set(list /usr/lib/python3/dist-packages/mnemonic/wordlist/english.txt)
  if(NOT EXISTS ${list})
    message(FATAL_ERROR "BIP-39 word list not found (${list}): install python3-mnemonic (./dev does)")
  endif()
  file(SHA256 ${list} sum)
  if(NOT sum MATCHES "^2f5eed53a4727b4b")
    message(FATAL_ERROR "${list} is not the English BIP-39 list: its sha256 is ${sum}")
  endif()
  file(STRINGS ${list} words)
  list(LENGTH words count)
  list(JOIN words "\",\n    \"" joined)
  file(CONFIGURE OUTPUT ${out}/english_words.h CONTENT
"// The English BIP-39 list; generated from ${list}.
#pragma once
#include <array>
#include <string_view>
namespace mhp::primitives {
inline constexpr std::array<std::string_view, ${count}> kEnglishWords = {
    \"${joined}\"};
}  // namespace mhp::primitives
")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${list})
endfunction()
