// SPDX-License-Identifier: Apache-2.0
#include "daemon/race_objects.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "raceguard/clock.h"

namespace raceguard::app {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::int64_t kRealtime = 1'000 * kNsPerSecond;  // how far CLOCK_REALTIME is ahead
constexpr std::uint64_t kObject = 0x5000;

class RaceObjectsTest : public ::testing::Test {
 protected:
  SeenObject seen(std::uint64_t address, std::int64_t seconds, bool with_order = true) const {
    return {.pid = 7, .order = with_order ? order : other, .address = address, .seen_ns = seconds * kNsPerSecond};
  }
  std::vector<detect::RaceFinding> found_at(std::int64_t seconds) const {
    detect::RaceFinding finding;
    finding.verdict = detect::Verdict::kProven;
    finding.variable = *objects.member_at(kObject + 24);
    finding.sites.resize(2);
    finding.first_seen_ns = finding.last_seen_ns = seconds * kNsPerSecond + kRealtime;
    return {finding};
  }

  int lookups = 0;
  std::shared_ptr<const ObjectOrder> order = std::make_shared<ObjectOrder>(
      ObjectOrder{.function = "deposit", .shown = "deposit", .argument = 0, .members = {"balance", "open"}});
  std::shared_ptr<const ObjectOrder> other =
      std::make_shared<ObjectOrder>(ObjectOrder{.function = "x", .shown = "x", .members = {}});
  RaceObjects objects{[this](const ObjectOrder& asked) -> Result<ObjectMembers> {
    ++lookups;
    if (asked.function != "deposit") {
      return fail(ErrorCode::kSymbolNotFound, "no such type");
    }
    detect::RaceVariable balance;
    balance.name = "account::balance";
    balance.address = 24;
    balance.size = 8;
    balance.object_of = "deposit";
    detect::RaceVariable open = balance;
    open.name = "account::open";
    open.address = 33;
    open.size = 1;
    return ObjectMembers{balance, open};
  }};
};

TEST_F(RaceObjectsTest, WatchesTheMembersWhereTheObjectIs) {
  const auto candidates = objects.see(seen(kObject, 1), kRealtime);
  ASSERT_THAT(candidates, SizeIs(2));
  EXPECT_EQ(candidates[0].address, kObject + 24);
  EXPECT_EQ(candidates[0].length, 8U);
  EXPECT_EQ(candidates[1].address, kObject + 33);
  EXPECT_EQ(candidates[1].length, 1U);
  EXPECT_EQ(objects.member_at(kObject + 24)->name, "account::balance");
  EXPECT_EQ(objects.member_at(kObject + 24)->address, kObject + 24);
  EXPECT_THAT(objects.see(seen(kObject, 1), kRealtime), IsEmpty()) << "it is watched";
  EXPECT_THAT(objects.see(seen(0x9000, 1), kRealtime), SizeIs(2));
  EXPECT_EQ(lookups, 1);
}

TEST_F(RaceObjectsTest, ItIsGivenUpASecondAfterItsLastCall) {
  static_cast<void>(objects.see(seen(kObject, 1), kRealtime));
  static_cast<void>(objects.see(seen(kObject, 2), kRealtime));
  EXPECT_THAT(objects.expire(2'900 * kNsPerMs), IsEmpty());
  EXPECT_THAT(objects.expire(3'000 * kNsPerMs), ElementsAre(kObject + 24, kObject + 33));
  EXPECT_FALSE(objects.member_at(kObject + 24));
  EXPECT_THAT(objects.expire(9 * kNsPerSecond), IsEmpty());
}

TEST_F(RaceObjectsTest, AFindingIsBelievedOnceTheObjectWasSeenBehindIt) {
  static_cast<void>(objects.see(seen(kObject, 1), kRealtime));
  auto findings = found_at(2);
  objects.doubt(findings);
  EXPECT_EQ(findings[0].verdict, detect::Verdict::kInfo);
  EXPECT_FALSE(findings[0].caveat.empty());

  findings = found_at(2);
  static_cast<void>(objects.see(seen(kObject, 3), kRealtime));
  objects.doubt(findings);
  EXPECT_EQ(findings[0].verdict, detect::Verdict::kProven);

  findings = found_at(5);  // the same race again: it is known to be one
  objects.doubt(findings);
  EXPECT_EQ(findings[0].verdict, detect::Verdict::kProven);
}

TEST_F(RaceObjectsTest, OtherFindingsAreNotDoubted) {
  std::vector<detect::RaceFinding> findings(1);
  findings[0].verdict = detect::Verdict::kProven;
  objects.doubt(findings);
  EXPECT_EQ(findings[0].verdict, detect::Verdict::kProven);
}

TEST_F(RaceObjectsTest, AnUnknownTypeIsANote) {
  EXPECT_THAT(objects.see(seen(kObject, 1, false), kRealtime), IsEmpty());
  EXPECT_THAT(objects.notes(), ElementsAre(::testing::HasSubstr("no such type")));
}

TEST_F(RaceObjectsTest, ThereIsRoomForSoMany) {
  std::size_t watched = 0;
  for (std::uint64_t i = 0; i < 1'000; ++i) {
    watched += objects.see(seen(kObject + 64 * i, 1), kRealtime).size();
  }
  EXPECT_EQ(watched, 2U * 64);
  EXPECT_THAT(objects.expire(2 * kNsPerSecond), SizeIs(watched));
  EXPECT_THAT(objects.see(seen(kObject, 3), kRealtime), SizeIs(2));
}

}  // namespace
}  // namespace raceguard::app
