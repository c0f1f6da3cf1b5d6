// SPDX-License-Identifier: Apache-2.0
// Proofs of races on a running program, and none where a lock orders the accesses.
#include "daemon/kernel/watcher.h"

#include "tests/bpf/watched.h"

namespace raceguard::test {
namespace {

constexpr unsigned kHits = 64;

TEST_F(Watched, ARaceIsProvenWithBothSides) {
  if (watcher_.cpus() == 1) {
    GTEST_SKIP() << "one CPU: nobody can come while a thread is held";
  }
  racer_.run("start racy");
  require(watcher_.set_hold_interval(2 * kNsPerMs));
  arm(0, order("counter", {lock("mutex", RG_LOCK_PTHREAD_MUTEX)}));
  ASSERT_TRUE(watch_until(0, kHits, [this] { return records(RG_ACCESS_HELD).size() >= 5; }));
  racer_.run("stop");
  drain();

  EXPECT_GE(figures().overlaps, 5U);
  const auto others = records(RG_ACCESS_OVERLAPS);
  std::size_t stacks = 0;
  for (const rg_record_access& held : records(RG_ACCESS_HELD)) {
    if (held.overlaps == 0) {
      continue;
    }
    const auto other =
        std::find_if(others.begin(), others.end(), [&](const auto& one) { return one.pair == held.pair; });
    ASSERT_NE(other, others.end()) << "pair " << held.pair;
    EXPECT_NE(other->tid, held.tid);
    EXPECT_EQ(other->tgid, static_cast<rg_u32>(racer_.pid()));
    EXPECT_GE(other->time_ns, held.time_ns);
    EXPECT_EQ(state_of(held, 0), RG_LOCK_IS_FREE);
    EXPECT_EQ(held.registers[16], held.ip);
    EXPECT_GT(held.held_ns, 0U);
    stacks += held.stack_bytes > 0 && other->stack_bytes > 0 ? 1 : 0;
  }
  EXPECT_GE(stacks, 1U);
  EXPECT_LE(stacks, 2U * RG_PAIR_STACKS) << "an update has at most two instructions behind it";
}

TEST_F(Watched, UnderAMutexNothingOverlapsAndEveryAccessHoldsIt) {
  racer_.run("start locked");
  require(watcher_.set_hold_interval(2 * kNsPerMs));
  const auto watch = order("counter", {lock("unrelated", RG_LOCK_PTHREAD_MUTEX), lock("mutex", RG_LOCK_PTHREAD_MUTEX)});
  arm(0, watch);
  ASSERT_TRUE(watch_until(0, kHits, [this] { return figures().hits >= 4000 && figures().holds >= 100; }));
  racer_.run("stop");
  drain();

  EXPECT_EQ(figures().overlaps, 0U);
  EXPECT_EQ(figures().value_changes, 0U);
  EXPECT_TRUE(records(RG_ACCESS_HELD).empty());
  EXPECT_TRUE(records(RG_ACCESS_LOCK_BROKEN).empty());
  std::uint64_t count = 0;
  const auto seen = sites();
  for (const auto& [key, site] : seen) {
    count += site.count;
    EXPECT_EQ(site.held[1], site.count);
    EXPECT_EQ(site.held[0], 0U);
    EXPECT_EQ(site.broken[1], 0U);
    EXPECT_NE(site.first_tid, site.other_tid);
  }
  EXPECT_EQ(count, figures().hits);
  for (const rg_record_access& record : records_) {
    EXPECT_EQ(state_of(record, 0), RG_LOCK_IS_FREE);
    EXPECT_EQ(state_of(record, 1), RG_LOCK_IS_MINE);
  }
}

}  // namespace
}  // namespace raceguard::test
