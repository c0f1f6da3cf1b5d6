// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/switch_markers.h"

#include <gmock/gmock.h>

#include "tests/unit/symbols/programs.h"

namespace raceguard::symbols {
namespace {

using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;

void expect_markers(const ElfFile& file, const std::vector<std::string>& names) {
  const SwitchMarkers found = find_switch_markers(file);
  std::vector<std::string> seen;
  for (const SwitchMarker& marker : found.markers) {
    seen.push_back(marker.name);
    EXPECT_NE(marker.marker_offset, marker.semaphore_offset);
    // The marker is the nop, and the word starts at zero.
    EXPECT_EQ(file.source().read_struct<std::uint8_t>(marker.marker_offset), 0x90) << marker.name;
    EXPECT_EQ(file.source().read_struct<std::uint16_t>(marker.semaphore_offset), 0) << marker.name;
  }
  EXPECT_EQ(seen, names);
  ASSERT_EQ(found.rejected.size(), 1U);
  EXPECT_EQ(found.rejected[0].code(), ErrorCode::kSwitchWord);
  EXPECT_THAT(found.rejected[0].what(), HasSubstr("\"unbacked\""));
  EXPECT_THAT(found.rejected[0].remedy(), HasSubstr(".bss"));
}

TEST(SwitchMarkers, AreReadFromNotesAndSymbols) {
  expect_markers(open_program("switches"), {"by_symbols", "checkout", "recommend"});
}

TEST(SwitchMarkers, SurviveStrip) {
  const ScratchDirectory scratch;
  const std::string stripped = scratch.path() / "stripped";
  run({"strip", "-o", stripped, program_path("switches")});
  const auto file = ElfFile::open(stripped);
  ASSERT_TRUE(file);
  expect_markers(*file, {"checkout", "recommend"});
}

TEST(SwitchMarkers, NoneInAProgramWithoutSwitches) {
  const SwitchMarkers found = find_switch_markers(open_program("shop_O2"));
  EXPECT_TRUE(found.markers.empty());
  EXPECT_TRUE(found.rejected.empty());
}

}  // namespace
}  // namespace raceguard::symbols
