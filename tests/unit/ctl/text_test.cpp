// SPDX-License-Identifier: Apache-2.0
#include "ctl/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ctl/invocation.h"

namespace raceguard::ctl {
namespace {

using ::testing::HasSubstr;

TEST(Duration, ReadsLikePeopleWriteIt) {
  EXPECT_EQ(duration(0), "0");
  EXPECT_EQ(duration(650e-9), "650 ns");
  EXPECT_EQ(duration(7.12e-6), "7.1 us");
  EXPECT_EQ(duration(0.005), "5.0 ms");
  EXPECT_EQ(duration(0.0999), "100 ms");
  EXPECT_EQ(duration(0.9999), "1.0 s");
  EXPECT_EQ(duration(59.4), "59 s");
  EXPECT_EQ(duration(200), "3m 20s");
  EXPECT_EQ(duration(7500), "2h 05m");
  EXPECT_EQ(duration(3 * 86400 + 4 * 3600), "3d 4h");
}

TEST(Duration, IsReadWithAUnitOnly) {
  EXPECT_DOUBLE_EQ(*parse_duration("10m"), 600);
  EXPECT_DOUBLE_EQ(*parse_duration("1.5h"), 5400);
  EXPECT_DOUBLE_EQ(*parse_duration("500ms"), 0.5);
  for (const char* wrong : {"", "10", "m", "-1s", "0s", "10 m", "1e999s", "nan", "5y"}) {
    EXPECT_FALSE(parse_duration(wrong)) << wrong;
  }
}

TEST(Figures, Counts) {
  EXPECT_EQ(count(999'999), "999999");
  EXPECT_EQ(count(1'234'567), "1.2 M");
  EXPECT_EQ(percent(0.004), "0.4 %");
  EXPECT_EQ(percent(0.62), "62 %");
  EXPECT_EQ(percent(0), "0 %");
  EXPECT_EQ(plural(1, "switch"), "1 switch");
  EXPECT_EQ(plural(2, "switch"), "2 switches");
  EXPECT_EQ(plural(2, "process"), "2 processes");
}

TEST(Cut, KeepsTheEndOfAPathAndWholeCharacters) {
  EXPECT_EQ(cut_middle("/usr/lib/x86_64-linux-gnu/libmariadbd.so.19", 20), "/usr/l..riadbd.so.19");
  EXPECT_EQ(columns_of(cut("Sägewerke und Mühlen", 8)), 8U);
  EXPECT_EQ(cut("Sägewerke", 4), "Sä..");
  EXPECT_EQ(cut_middle("short", 20), "short");
}

TEST(Wrap, BreaksBetweenWords) { EXPECT_EQ(wrap("one two three", 9, 2), "  one two\n  three\n"); }

TEST(Table, AlignsAndShrinksWhatMayShrink) {
  Table table({{"NAME", Align::kLeft, Shrink::kMiddle}, {"N", Align::kRight}}, {.width = 20, .colour = false});
  table.row({"short", "7"});
  table.row({"a-very-long-name-that-does-not-fit", "12345"});
  EXPECT_EQ(table.render(), "NAME               N\nshort              7\na-ve..not-fit  12345\n");
}

TEST(Table, ColourSurroundsWholeRows) {
  Table table({{"A"}}, {.width = 80, .colour = true});
  table.row({"x"}, Tone::kBad);
  EXPECT_THAT(table.render(), HasSubstr("\x1b[31mx\x1b[0m\n"));
}

}  // namespace
}  // namespace raceguard::ctl
