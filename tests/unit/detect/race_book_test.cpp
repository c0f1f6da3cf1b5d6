// SPDX-License-Identifier: Apache-2.0
#include "daemon/detect/race_book.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/detect/race_name.h"

namespace raceguard::detect {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr targets::ProcessId kFirst{.pid = 100, .start_ticks = 1};
constexpr targets::ProcessId kSecond{.pid = 200, .start_ticks = 2};

RaceSite site(const std::string& function, std::uint64_t offset) {
  RaceSite made;
  made.code.function = function;
  made.code.function_offset = offset;
  made.code.binary = "/usr/bin/shop";
  made.code.source = symbols::SourceLine{.file = "/src/shop.cpp", .line = 7};
  return made;
}

RaceFinding race(const std::string& variable, Verdict verdict, std::uint64_t count = 1, std::int64_t seen_ns = 1000) {
  RaceFinding made;
  made.verdict = verdict;
  made.variable.name = variable;
  made.variable.global = true;
  made.variable.binary = "/usr/bin/shop";
  made.sites = {site("put(int)", 0x10), site("get()", 0x20)};
  made.count = count;
  made.first_seen_ns = made.last_seen_ns = seen_ns;
  return made;
}

Suppressions rules(const std::string& text) { return *Suppressions::parse(text, "s.supp"); }

TEST(RaceName, DoesNotHangOnTheProcessOrTheOrderOfSites) {
  RaceFinding one = race("total", Verdict::kProven);
  RaceFinding other = race("total", Verdict::kLikely, 9);
  std::swap(other.sites[0], other.sites[1]);
  other.variable.address = 0x1234;
  other.sites[0].tid = 77;
  other.variable.binary = "/proc/7/root/usr/bin/shop";
  EXPECT_EQ(race_id(one), race_id(other));
  EXPECT_EQ(race_id(one).size(), 12U);
}

TEST(RaceName, TellsVariablesSitesAndEvidenceApart) {
  const RaceFinding one = race("total", Verdict::kProven);
  RaceFinding other = race("sum", Verdict::kProven);
  EXPECT_NE(race_id(one), race_id(other));
  other = one;
  other.sites[1].code.function_offset = 0x24;
  EXPECT_NE(race_id(one), race_id(other));
  other = one;
  other.evidence = RaceEvidence::kBrokenLock;
  EXPECT_NE(race_id(one), race_id(other));
}

TEST(RaceName, MemoryWithoutANameIsToldApartBySites) {
  RaceFinding one = race("word at 0x10", Verdict::kProven);
  one.variable.global = false;
  RaceFinding other = race("word at 0x20", Verdict::kProven);
  other.variable.global = false;
  EXPECT_EQ(race_id(one), race_id(other));
}

TEST(RaceName, SentenceHasBothSites) {
  RaceFinding finding = race("shop::total", Verdict::kProven);
  finding.sites[0].mode = symbols::AccessMode::kUpdate;
  EXPECT_EQ(race_sentence(finding),
            "proven data race on shop::total: update in put() at shop.cpp:7, read in get() at shop.cpp:7");
}

TEST(RaceBook, KeepsApartWhatEachProcessSaw) {
  RaceBook book;
  RaceFinding one = race("total", Verdict::kProven, 3);
  one.watched_ns = 50;
  const std::uint64_t hash = race_hash(one);
  book.merge("shop", kFirst, {one});
  static_cast<void>(book.take_seen("shop"));
  one.watched_ns = 90;
  book.merge("shop", kFirst, {one});
  EXPECT_THAT(book.take_seen("shop").proven, IsEmpty()) << "it was watched, not seen";
  book.merge("shop", kSecond, {race("total", Verdict::kProven, 7)});
  EXPECT_EQ(book.find("shop", hash)->finding.count, 10U);
  EXPECT_EQ(book.in_process("shop", hash, kFirst)->count, 3U);
  EXPECT_EQ(book.in_process("shop", hash, kFirst)->watched_ns, 90);
  EXPECT_EQ(book.in_process("shop", hash, kSecond)->count, 7U);
  book.forget_process(kFirst);
  EXPECT_FALSE(book.in_process("shop", hash, kFirst));
  EXPECT_EQ(book.find("mail", hash), nullptr);
}

TEST(RaceBook, TellsARaceOnceAndCountsIt) {
  RaceBook book;
  EXPECT_THAT(book.merge("shop", kFirst, {race("total", Verdict::kProven, 1)}), SizeIs(1));
  EXPECT_THAT(book.merge("shop", kFirst, {race("total", Verdict::kProven, 5, 2000)}), IsEmpty());
  ASSERT_THAT(book.list(), SizeIs(1));
  EXPECT_EQ(book.list()[0]->finding.count, 5U);
  EXPECT_EQ(book.list()[0]->finding.first_seen_ns, 1000);
  EXPECT_EQ(book.list()[0]->finding.last_seen_ns, 2000);
  EXPECT_EQ(book.list()[0]->guard, "shop");
  EXPECT_EQ(book.counters("shop").found[0], 1U);
}

TEST(RaceBook, ARaceOfTwoProcessesIsOneAndOutlivesThem) {
  RaceBook book;
  book.merge("shop", kFirst, {race("total", Verdict::kProven, 3)});
  EXPECT_THAT(book.merge("shop", kSecond, {race("total", Verdict::kProven, 2, 5000)}), IsEmpty());
  book.forget_process(kFirst);
  book.forget_process(kSecond);
  ASSERT_THAT(book.list(), SizeIs(1));
  EXPECT_EQ(book.list()[0]->finding.count, 5U);
  EXPECT_EQ(book.list()[0]->pid, 200);
  book.merge("shop", kFirst, {race("total", Verdict::kProven, 1)});
  EXPECT_EQ(book.list()[0]->finding.count, 6U) << "a new search counts from nothing";
}

TEST(RaceBook, ABetterVerdictIsNews) {
  RaceBook book;
  EXPECT_THAT(book.merge("shop", kFirst, {race("total", Verdict::kInfo)}), IsEmpty()) << "info is not told";
  EXPECT_THAT(book.merge("shop", kFirst, {race("total", Verdict::kLikely)}), SizeIs(1));
  EXPECT_THAT(book.merge("shop", kFirst, {race("total", Verdict::kProven)}), SizeIs(1));
  EXPECT_THAT(book.merge("shop", kFirst, {race("total", Verdict::kLikely)}), IsEmpty());
  EXPECT_THAT(book.counters("shop").found, ElementsAre(1, 1, 1));
}

TEST(RaceBook, SaysWhatWasSeenSinceItWasAsked) {
  RaceBook book;
  book.merge("shop", kFirst, {race("a", Verdict::kProven), race("b", Verdict::kLikely), race("c", Verdict::kInfo)});
  const RacesSeen seen = book.take_seen("shop");
  EXPECT_THAT(seen.proven, ElementsAre(race_hash(race("a", Verdict::kProven))));
  EXPECT_THAT(seen.likely, ElementsAre(race_hash(race("b", Verdict::kProven))));
  EXPECT_THAT(book.take_seen("shop").proven, IsEmpty());
  book.merge("shop", kFirst, {race("a", Verdict::kProven, 1)});
  EXPECT_THAT(book.take_seen("shop").proven, IsEmpty()) << "the same figures again";
  book.merge("shop", kFirst, {race("a", Verdict::kProven, 2)});
  EXPECT_THAT(book.take_seen("shop").proven, SizeIs(1));
}

TEST(RaceBook, SuppressedRacesAreNeitherToldNorCounted) {
  RaceBook book;
  book.set_suppressions("shop", rules("race:^total$"));
  EXPECT_THAT(book.merge("shop", kFirst, {race("total", Verdict::kProven)}), IsEmpty());
  EXPECT_THAT(book.merge("other", kSecond, {race("total", Verdict::kProven)}), SizeIs(1)) << "another guard's rules";
  EXPECT_THAT(book.take_seen("shop").proven, IsEmpty());
  EXPECT_THAT(book.list(), SizeIs(1));
  EXPECT_EQ(book.suppressed("shop"), 1U);
  EXPECT_EQ(book.counters("shop").found[0], 0U);
}

TEST(RaceBook, SuppressionsChangeWhatIsKnown) {
  RaceBook book;
  book.merge("shop", kFirst, {race("total", Verdict::kProven)});
  const std::string id = book.list()[0]->id;
  book.set_suppressions("shop", rules("race:^total$"));
  EXPECT_THAT(book.list(), IsEmpty());
  ASSERT_THAT(book.find(id), SizeIs(1));
  EXPECT_EQ(book.find(id)[0]->finding.suppressed_by, "s.supp:1 race:^total$");
  book.set_suppressions("shop", {});
  EXPECT_THAT(book.list(), SizeIs(1));
}

TEST(RaceBook, WhatAReaderHoldsDoesNotChange) {
  RaceBook book;
  book.merge("shop", kFirst, {race("total", Verdict::kLikely, 1)});
  const BookedRacePtr held = book.list()[0];
  book.merge("shop", kFirst, {race("total", Verdict::kProven, 2)});
  EXPECT_EQ(held->finding.count, 1U);
  EXPECT_EQ(held->finding.verdict, Verdict::kLikely);
}

TEST(RaceBook, TheLeastSureMakesRoom) {
  RaceBook book(2);
  book.merge("shop", kFirst, {race("a", Verdict::kProven, 1, 1), race("b", Verdict::kInfo, 1, 9)});
  book.merge("shop", kFirst, {race("c", Verdict::kLikely, 1, 5)});
  ASSERT_THAT(book.list(), SizeIs(2));
  EXPECT_EQ(book.list()[0]->finding.variable.name, "a");
  EXPECT_EQ(book.list()[1]->finding.variable.name, "c");
}

TEST(RaceBook, ForgetsGuardsThatAreGone) {
  RaceBook book;
  book.merge("shop", kFirst, {race("a", Verdict::kProven)});
  book.keep_guards({"other"});
  EXPECT_THAT(book.list(), IsEmpty());
}

}  // namespace
}  // namespace raceguard::detect
