// SPDX-License-Identifier: Apache-2.0
#include "daemon/detect/access_pair.h"

#include <gtest/gtest.h>

#include "tests/unit/detect/access_samples.h"

namespace raceguard::detect {
namespace {

using samples::access;
using samples::AccessSample;
using samples::bytes;
using symbols::AccessMode;
using symbols::VariableKind;

constexpr AccessSample kWrite{.ip = 0x1010, .mode = AccessMode::kWrite, .tid = 11};
constexpr AccessSample kRead{.ip = 0x2020, .mode = AccessMode::kRead, .tid = 12};

PairJudgement judge(const AccessSample& a, const AccessSample& b, const WatchedBytes& watched, AccessFacts facts_a = {},
                    AccessFacts facts_b = {}) {
  const auto first = access(a);
  const auto second = access(b);
  return judge_pair({&first, facts_a}, {&second, facts_b}, watched);
}

AccessSample with(AccessSample sample, auto change) {
  change(sample);
  return sample;
}

TEST(AccessPair, APlainWriteBesideAReadOfAPlainVariableIsProven) {
  const auto judgement = judge(kWrite, kRead, bytes(VariableKind::kPlain));
  EXPECT_EQ(judgement.outcome, PairOutcome::kRace);
  EXPECT_EQ(judgement.verdict, Verdict::kProven);
  EXPECT_EQ(judgement.caveat, "");
}

TEST(AccessPair, TwoReadsAreNone) {
  EXPECT_EQ(judge(kRead, with(kRead, [](auto& s) { s.tid = 13; }), bytes(VariableKind::kPlain)).outcome,
            PairOutcome::kBothRead);
}

TEST(AccessPair, TwoAtomicsAreNone) {
  const auto atomic = with(kWrite, [](auto& s) { s.atomic = true; });
  EXPECT_EQ(judge(atomic, atomic, bytes(VariableKind::kPlain)).outcome, PairOutcome::kBothAtomic);
}

TEST(AccessPair, APlainMoveInAnAtomicsFunctionIsAtomic) {
  EXPECT_EQ(
      judge(kWrite, kRead, bytes(VariableKind::kPlain), {.atomic_function = true}, {.atomic_function = true}).outcome,
      PairOutcome::kBothAtomic);
  EXPECT_EQ(judge(kWrite, kRead, bytes(VariableKind::kPlain), {.atomic_function = true}).outcome, PairOutcome::kRace);
}

TEST(AccessPair, AnAtomicTypeMakesPlainMovesAtomic) {
  EXPECT_EQ(judge(kWrite, kRead, bytes(VariableKind::kAtomic)).outcome, PairOutcome::kBothAtomic);
}

TEST(AccessPair, NeighboursInOneWordDoNotConflict) {
  const auto low = with(kWrite, [](auto& s) { s.width = 4; });
  const auto high = with(kRead, [](auto& s) {
    s.width = 4;
    s.address += 4;
  });
  EXPECT_EQ(judge(low, high, bytes(VariableKind::kUnknown)).outcome, PairOutcome::kOtherBytes);
}

TEST(AccessPair, ALostAddressCoversTheWatchOnlyIfTheAccessIsAsWide) {
  const auto lost = with(kRead, [](auto& s) {
    s.lost = true;
    s.width = 4;
  });
  EXPECT_EQ(judge(kWrite, lost, bytes(VariableKind::kPlain, 4)).outcome, PairOutcome::kRace);
  const auto narrow_write = with(kWrite, [](auto& s) { s.width = 4; });
  EXPECT_EQ(judge(narrow_write, lost, bytes(VariableKind::kPlain, 8)).outcome, PairOutcome::kUnknown);
}

TEST(AccessPair, WithoutATypeAPlainStoreAndLoadAreNotProven) {
  const auto judgement = judge(kWrite, kRead, bytes(VariableKind::kUnknown));
  EXPECT_EQ(judgement.outcome, PairOutcome::kRace);
  EXPECT_EQ(judgement.verdict, Verdict::kInfo);
  EXPECT_NE(judgement.caveat, "");
}

TEST(AccessPair, WithoutATypeAStoreInTheMiddleOfAnUpdateIsProven) {
  const AccessFacts update{.part_of_update = true};
  const auto unknown = bytes(VariableKind::kUnknown);
  EXPECT_EQ(judge(kRead, kWrite, unknown, update, update).verdict, Verdict::kProven);
  EXPECT_EQ(judge(kWrite, kRead, unknown, update, update).verdict, Verdict::kInfo)
      << "a ticket lock's holder lets it go by such a store, and the next one has it and reads, to let it go too";
  EXPECT_EQ(judge(kWrite, kWrite, unknown, update, update).verdict, Verdict::kInfo) << "or has let it go already";
  EXPECT_EQ(judge(kRead, kWrite, unknown, update, {}).verdict, Verdict::kInfo);
}

TEST(AccessPair, WithoutATypeTwoUpdatesInOneInstructionEachAreProvenUnlessSomebodyWaitsForTheValue) {
  const AccessSample update{.ip = 0x3030, .mode = AccessMode::kUpdate, .tid = 13};
  auto watched = bytes(VariableKind::kUnknown);
  EXPECT_EQ(judge(update, with(update, [](auto& s) { s.tid = 14; }), watched).verdict, Verdict::kProven);
  watched.plain_read_seen = true;
  EXPECT_EQ(judge(update, with(update, [](auto& s) { s.tid = 14; }), watched).verdict, Verdict::kInfo);
}

TEST(AccessPair, WithoutATypeOneThatCountsBesideAReaderIsNotProven) {
  EXPECT_EQ(judge(kWrite, kRead, bytes(VariableKind::kUnknown), {.part_of_update = true}).verdict, Verdict::kInfo)
      << "one writer that counts and a reader may be relaxed atomics";
}

TEST(AccessPair, WithoutATypeACopyIsProven) {
  const auto copy = with(kRead, [](auto& s) { s.string_instruction = true; });
  EXPECT_EQ(judge(kWrite, copy, bytes(VariableKind::kUnknown)).verdict, Verdict::kProven);
}

TEST(AccessPair, WhatIsAtomicElsewhereIsNotProvenByPlainMoves) {
  auto watched = bytes(VariableKind::kPlain);
  watched.atomic_access_seen = true;
  EXPECT_EQ(judge(kWrite, kRead, watched).verdict, Verdict::kInfo);
}

TEST(AccessPair, AnUpdateWithoutALockPrefixBesideAnAtomicOneIsProven) {
  auto watched = bytes(VariableKind::kPlain);
  watched.atomic_access_seen = true;
  const AccessSample update{.ip = 0x3030, .mode = AccessMode::kUpdate, .tid = 13};
  const auto atomic = with(update, [](auto& s) { s.atomic = true; });
  EXPECT_EQ(judge(update, atomic, watched).verdict, Verdict::kProven);
  EXPECT_EQ(judge(kRead, atomic, watched, {.part_of_update = true}).verdict, Verdict::kProven);
  EXPECT_EQ(judge(kWrite, atomic, watched, {.part_of_update = true}).verdict, Verdict::kInfo)
      << "may be how a lock is let go, and the other one takes it";
  EXPECT_EQ(judge(kWrite, atomic, watched).verdict, Verdict::kInfo) << "may be an atomic store";
  EXPECT_EQ(judge(atomic, atomic, watched).outcome, PairOutcome::kBothAtomic);
}

TEST(AccessPair, AnUnknownInstructionIsNotJudged) {
  auto first = access(kWrite);
  const auto second = access(kRead);
  first.instruction.reset();
  EXPECT_EQ(judge_pair({&first, {}}, {&second, {}}, bytes(VariableKind::kPlain)).outcome, PairOutcome::kUnknown);
}

TEST(AccessPair, OfSeveralAccessesTheOneAtTheWatchCounts) {
  auto event = access(kWrite);
  auto other = event.instruction->accesses.front();
  other.where.displacement = 0x100;
  other.mode = AccessMode::kRead;
  event.instruction->accesses.insert(event.instruction->accesses.begin(), other);
  const auto watched = watched_access(event, bytes(VariableKind::kPlain));
  ASSERT_TRUE(watched);
  EXPECT_EQ(watched->access.mode, AccessMode::kWrite);
}

}  // namespace
}  // namespace raceguard::detect
