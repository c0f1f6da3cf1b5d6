// SPDX-License-Identifier: Apache-2.0
#include "daemon/detect/suppressions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace raceguard::detect {
namespace {

RaceFinding finding() {
  RaceFinding made;
  made.variable.name = "shop::total";
  made.variable.global = true;
  RaceSite site;
  site.code.function = "shop::count(int)";
  site.code.binary = "/usr/bin/shop";
  site.code.source = symbols::SourceLine{.file = "/src/shop.cpp", .line = 7};
  symbols::CodeSite caller;
  caller.function = "serve";
  caller.binary = "/usr/lib/libserve.so";
  site.stack.frames = {site.code, caller};
  made.sites = {site};
  return made;
}

std::optional<std::string> match(const std::string& text) {
  const auto parsed = Suppressions::parse(text, "s.txt");
  EXPECT_TRUE(parsed) << parsed.error().to_string();
  return parsed ? parsed->match(finding()) : std::nullopt;
}

TEST(Suppressions, ARaceIsMatchedByFunctionFileBinaryAndVariable) {
  for (const char* pattern :
       {"shop::count", "shop.cpp", "/usr/bin/shop", "^shop::total$", "serve", "sh*::tot", "^serve$"}) {
    EXPECT_TRUE(match(std::string("race:") + pattern)) << pattern;
  }
  for (const char* pattern : {"^count", "total::", "shop::total2", "^erve"}) {
    EXPECT_FALSE(match(std::string("race:") + pattern)) << pattern;
  }
}

TEST(Suppressions, TheTopAloneAndTheLibraryAlone) {
  EXPECT_TRUE(match("race_top:shop::count"));
  EXPECT_FALSE(match("race_top:serve"));
  EXPECT_TRUE(match("called_from_lib:libserve.so"));
  EXPECT_FALSE(match("called_from_lib:serve("));
}

TEST(Suppressions, ItIsToldWhichLineSuppresses) {
  EXPECT_EQ(match("# known\n\n  race:nothing\nrace:shop::total  \r\n"), "s.txt:4 race:shop::total");
}

TEST(Suppressions, OtherKindsOfThreadSanitizerAreTaken) {
  EXPECT_FALSE(match("deadlock:shop\nthread:shop\nmutex:shop\nsignal:shop\n"));
}

TEST(Suppressions, AWrongLineIsAnErrorWithItsPlace) {
  for (const char* text : {"race", "race:", "# ok\nraces:x", "shop::total"}) {
    const auto parsed = Suppressions::parse(text, "s.txt");
    ASSERT_FALSE(parsed) << text;
    EXPECT_THAT(parsed.error().to_string(), testing::HasSubstr("s.txt:")) << text;
  }
}

TEST(Suppressions, AMissingFileIsAnError) { EXPECT_FALSE(Suppressions::read("/nonexistent/s.txt")); }

TEST(Suppressions, ManyStarsDoNotTakeForEver) {
  EXPECT_FALSE(suppression_matches(std::string(500, '*') + "b", std::string(100'000, 'a')));
}

TEST(Suppressions, TheProposedLineMatches) {
  const auto parsed = Suppressions::parse(suppression_for(finding()), "s.txt");
  ASSERT_TRUE(parsed);
  EXPECT_TRUE(parsed->match(finding()));
}

}  // namespace
}  // namespace raceguard::detect
