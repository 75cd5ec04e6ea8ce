// The recovery phrase against the published vectors of BIP-39 and against people's slips.
#include "primitives/phrase/phrase.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/test_run.h"
#include "primitives/test_bytes.h"

namespace mhp::primitives {
namespace {

struct PhraseVector {
  std::string_view entropy, phrase;
};

// The 256-bit vectors of the BIP's reference implementation (Trezor, vectors.json).
constexpr PhraseVector kPhraseVectors[] = {
    {"0000000000000000000000000000000000000000000000000000000000000000",
     "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon "
     "abandon abandon abandon abandon abandon abandon abandon abandon abandon art"},
    {"7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f",
     "legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth useful legal winner "
     "thank year wave sausage worth title"},
    {"8080808080808080808080808080808080808080808080808080808080808080",
     "letter advice cage absurd amount doctor acoustic avoid letter advice cage absurd amount doctor acoustic avoid "
     "letter advice cage absurd amount doctor acoustic bless"},
    {"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
     "zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo vote"},
    {"68a79eaca2324873eacc50cb9c6eca8cc68ea5d936f98787c60c7ebc74e6ce7c",
     "hamster diagram private dutch cause delay private meat slide toddler razor book happy fancy gospel tennis maple "
     "dilemma loan word shrug inflict delay length"},
    {"f585c11aec520db57dd353c69554b21a89b20fb0650966fa0a9d6f74fd989d8f",
     "void come effort suffer camp survey warrior heavy shoot primary clutch crush open amazing screen patrol group "
     "space point ten exist slush involve unfold"},
};

/// The detail of the error when word `place` (from 1) of a good phrase is replaced.
std::string detail_with(std::size_t place, const std::string& word) {
  std::string phrase;
  for (std::size_t i = 1; i <= 24; ++i) phrase += (i == place ? word : i == 24 ? "art" : "abandon") + " ";
  const auto result = entropy_of(phrase);
  return result ? "accepted" : result.error().detail;
}

TEST(Phrase, PublishedVectorsBothWays) {
  for (const PhraseVector& vector : kPhraseVectors) {
    EXPECT_EQ(phrase_of(hex_array<32>(vector.entropy)), vector.phrase);
    const auto entropy = entropy_of(vector.phrase);
    ASSERT_TRUE(entropy) << entropy.error().detail;
    EXPECT_EQ(to_hex(*entropy), vector.entropy);
  }
  test_run::tried(1, "published vectors of primitives", std::size(kPhraseVectors), 0);
}

TEST(Phrase, AnyEntropyComesBack) {
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    Key entropy;
    std::ranges::copy(Noise(seed).bytes(entropy.size()), entropy.begin());
    const auto back = entropy_of(phrase_of(entropy));
    ASSERT_TRUE(back) << "seed " << seed;
    EXPECT_EQ(*back, entropy) << "seed " << seed;
  }
}

TEST(Phrase, CaseAndWhiteSpaceDoNotMatter) {
  std::string phrase = "\n\t ";
  for (const char c : kPhraseVectors[4].phrase) {
    if (c == ' ')
      phrase += " \r\n\t";
    else
      phrase += static_cast<char>(c - 'a' + 'A');
  }
  const auto entropy = entropy_of(phrase + "\n");
  ASSERT_TRUE(entropy) << entropy.error().detail;
  EXPECT_EQ(to_hex(*entropy), kPhraseVectors[4].entropy);
}

TEST(Phrase, SaysWhatIsWrong) {
  EXPECT_EQ(entropy_of("").error().detail, "recovery phrase: 0 words; it has 24");
  EXPECT_EQ(entropy_of("abandon art").error().detail, "recovery phrase: 2 words; it has 24");
  EXPECT_EQ(detail_with(3, "xyzzy"), "recovery phrase: word 3 is not in the list");
  EXPECT_EQ(detail_with(4, "aband"), "recovery phrase: word 4 is not in the list; perhaps 'abandon'");
  EXPECT_EQ(detail_with(24, "zo"), "recovery phrase: word 24 is not in the list; perhaps 'zoo'");
  EXPECT_EQ(detail_with(1, "leagl"), "recovery phrase: word 1 is not in the list; perhaps 'legal'");
  EXPECT_EQ(detail_with(1, "wiinner"), "recovery phrase: word 1 is not in the list; perhaps 'winner'");
  EXPECT_EQ(detail_with(2, "hamstre"), "recovery phrase: word 2 is not in the list; perhaps 'hamster'");
  EXPECT_EQ(detail_with(2, "ab\xc3\xa4ndon").substr(0, 42), "recovery phrase: word 2 is not in the list");
  EXPECT_NE(detail_with(7, "zoo").find("checksum"), std::string::npos);
  EXPECT_EQ(entropy_of(std::string(100'000, 'a')).error().code, Errc::invalid);
}

TEST(Phrase, OneWrongWordIsNoticedNearlyAlways) {
  std::size_t accepted = 0;
  for (std::string_view word : {"zoo", "legal", "winner", "thank", "year", "wave", "sausage", "worth"}) {
    for (std::size_t place = 1; place <= 23; ++place) accepted += detail_with(place, std::string(word)) == "accepted";
  }
  EXPECT_LE(accepted, 4u);  // of 184; an 8-bit checksum lets one in 256 pass
}

TEST(Phrase, WordsOfAHashAreThoseOfAPhrase) {
  for (const PhraseVector& vector : kPhraseVectors) {
    const Hash hash = hex_array<32>(vector.entropy);
    const std::string words = words_of(hash, 23);
    EXPECT_TRUE(vector.phrase.starts_with(words + " ")) << words;
    EXPECT_TRUE(words.starts_with(words_of(hash, 4) + " "));
    EXPECT_EQ(std::ranges::count(words_of(hash, 4), ' '), 3);
  }
}

}  // namespace
}  // namespace mhp::primitives
