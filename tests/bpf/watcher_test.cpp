// SPDX-License-Identifier: Apache-2.0
// Proofs of races on a running program, and none where something orders the accesses.
#include "daemon/kernel/watcher.h"

#include <sys/uio.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "daemon/events/access_decoder.h"
#include "daemon/events/names.h"
#include "daemon/targets/process_reader.h"
#include "tests/bpf/watched.h"

namespace raceguard::test {
namespace {

constexpr unsigned kHits = 64;
constexpr std::int64_t kHoldInterval = 2 * kNsPerMs;

TEST_F(Watched, ARaceIsProvenWithBothSides) {
  if (watcher_.cpus() == 1) {
    GTEST_SKIP() << "one CPU: nobody can come while a thread is held";
  }
  racer_.run("start racy");
  require(watcher_.set_hold_interval(kHoldInterval));
  arm(0, order("counter", {lock("mutex", RG_LOCK_PTHREAD_MUTEX)}));
  ASSERT_TRUE(watch_until(0, kHits, [this] { return figures().overlaps >= 5; }));
  racer_.run("stop");
  drain();

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
    EXPECT_EQ(state_of(held, 0), RG_LOCK_IS_FREE);
    EXPECT_EQ(held.registers[16], held.ip);
    EXPECT_GT(held.held_ns, 0U);
    stacks += held.stack_bytes > 0 && other->stack_bytes > 0 ? 1 : 0;
  }
  EXPECT_GE(stacks, 1U);
}

TEST_F(Watched, UnderAMutexNothingOverlapsAndEveryAccessHoldsIt) {
  racer_.run("start locked");
  require(watcher_.set_hold_interval(kHoldInterval));
  arm(0, order("counter", {lock("unrelated", RG_LOCK_PTHREAD_MUTEX), lock("mutex", RG_LOCK_PTHREAD_MUTEX)}));
  ASSERT_TRUE(watch_until(0, kHits, [this] { return figures().hits >= 2000 && figures().holds >= 50; }));
  racer_.run("stop");
  drain();

  EXPECT_EQ(figures().overlaps, 0U);
  EXPECT_EQ(figures().value_changes, 0U);
  EXPECT_TRUE(records(RG_ACCESS_HELD).empty());
  EXPECT_TRUE(records(RG_ACCESS_LOCK_BROKEN).empty());
  std::uint64_t count = 0;
  for (const auto& [key, site] : sites()) {
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

TEST_F(Watched, AccessesBesideALockThatAnotherHoldsAreTold) {
  racer_.run("pace 0");
  racer_.run("start half_locked");
  arm(0, order("counter", {lock("mutex", RG_LOCK_PTHREAD_MUTEX)}));
  ASSERT_TRUE(watch_until(0, kHits, [this] { return !records(RG_ACCESS_LOCK_BROKEN).empty(); }));
  racer_.run("stop");
  drain();
  for (const rg_record_access& record : records(RG_ACCESS_LOCK_BROKEN)) {
    EXPECT_EQ(state_of(record, 0), RG_LOCK_IS_OTHERS);
    EXPECT_EQ(record.lock, 0U);
    EXPECT_NE(record.lock_owner, 0U);
    EXPECT_NE(record.lock_owner, record.tid);
    EXPECT_GT(record.stack_bytes, 0U);
  }
  std::uint64_t broken = 0;
  std::uint64_t held = 0;
  for (const auto& [key, site] : sites()) {
    broken += site.broken[0];
    held += site.held[0];
  }
  EXPECT_GE(broken, 1U);
  EXPECT_GE(held, 1U);
  EXPECT_EQ(figures().holds, 0U) << "no interval was set";
}

// The readers take each hold that is due, all the time.
TEST_F(Watched, ARareWriterBesideReadersIsHeldWhenItComes) {
  racer_.run("pace 2000");
  racer_.run("start rarely_written");
  require(watcher_.set_hold_interval(kHoldInterval));
  arm(0, order("counter"));
  rg_access_site reader{};
  rg_access_site writer{};  // all its instructions together
  ASSERT_TRUE(watch_until(0, kHits, [&] {
    reader = writer = {};
    for (const auto& [key, site] : sites()) {
      rg_access_site& sum = reader.first_tid == 0 || site.first_tid == reader.first_tid ? reader : writer;
      sum.first_tid = site.first_tid;
      sum.count += site.count;
      sum.holds += site.holds;
    }
    if (reader.count < writer.count) {
      std::swap(reader, writer);
    }
    // A write that comes while a reader is held is not held itself.
    return writer.holds >= 1 && reader.holds >= 1 && reader.count > 8 * writer.count;
  }));
  racer_.run("stop");
  EXPECT_GT(writer.holds * reader.count, reader.holds * writer.count) << "of the writes a larger share is held";
}

// Locks of which the owner, or only the state, can be read; two that count readers.
struct LockCase {
  const char* work;
  const char* name;
  rg_lock_kind kind;
  std::vector<rg_lock_state> expected;
};
class WatchedLocks : public Watched, public testing::WithParamInterface<LockCase> {};

INSTANTIATE_TEST_SUITE_P(
    All, WatchedLocks,
    testing::Values(LockCase{"rwlock", "rwlock", RG_LOCK_PTHREAD_RWLOCK, {RG_LOCK_IS_MINE, RG_LOCK_IS_TAKEN}},
                    LockCase{"spin", "spinlock", RG_LOCK_PTHREAD_SPIN, {RG_LOCK_IS_TAKEN}},
                    LockCase{"word", "futex_word", RG_LOCK_FUTEX_WORD, {RG_LOCK_IS_TAKEN}}),
    [](const auto& one) { return std::string(one.param.work); });

TEST_P(WatchedLocks, OrderTheAccessesAndAreSeenHeld) {
  const LockCase& kind = GetParam();
  racer_.run(std::string("start ") + kind.work);
  require(watcher_.set_hold_interval(kHoldInterval));
  arm(0, order("counter", {lock(kind.name, kind.kind)}));
  ASSERT_TRUE(watch_until(0, kHits, [this] { return figures().hits >= 500 && figures().holds >= 10; }));
  racer_.run("stop");
  drain();
  EXPECT_EQ(figures().overlaps, 0U);
  for (const auto& [key, site] : sites()) {
    EXPECT_EQ(site.held[0], site.count);
  }
  for (const rg_record_access& record : records_) {
    EXPECT_NE(std::find(kind.expected.begin(), kind.expected.end(), state_of(record, 0)), kind.expected.end())
        << state_of(record, 0);
  }
}

TEST_F(Watched, OverlapsOfTwoReadsArePassedOverOnceTheDaemonSaysSo) {
  if (watcher_.cpus() == 1) {
    GTEST_SKIP() << "one CPU: nobody can come while a thread is held";
  }
  racer_.run("start readers");
  require(watcher_.set_hold_interval(kHoldInterval));
  arm(0, order("counter"));
  ASSERT_TRUE(watch_until(0, kHits, [this] { return figures().overlaps > 0; }));
  const auto seen = sites();
  ASSERT_EQ(seen.size(), 1U);
  require(watcher_.tell_access_mode(seen[0].key, RG_ACCESS_MODE_READ));
  const std::uint64_t before = figures().overlaps;
  ASSERT_TRUE(watch_until(0, kHits, [this] { return figures().harmless > 10; }));
  EXPECT_LE(figures().overlaps, before + RG_HOLD_MAX_OVERLAPS) << "of the hold that was under way";
}

TEST_F(Watched, AValueThatChangesUnseenIsTold) {
  racer_.run("start readers");
  require(watcher_.set_hold_interval(kHoldInterval));
  const auto watch = order("counter");
  arm(0, watch);
  // Another process's write does not go through the address that is watched.
  std::atomic<bool> writing{true};
  std::jthread writer([&, pid = racer_.pid()] {
    for (long value = 0; writing; ++value) {
      iovec from{&value, sizeof value};
      iovec to{reinterpret_cast<void*>(watch.address), sizeof value};
      static_cast<void>(::process_vm_writev(pid, &from, 1, &to, 1, 0));
    }
  });
  const bool told = watch_until(0, kHits, [this] { return figures().value_changes > 0; });
  writing = false;
  ASSERT_TRUE(told);
  drain();
  const auto held = records(RG_ACCESS_HELD);
  const auto change =
      std::find_if(held.begin(), held.end(), [](const rg_record_access& record) { return record.overlaps == 0; });
  ASSERT_NE(change, held.end());
  EXPECT_NE(change->value_before, change->value_after);
}

class MappingsOf final : public events::MappingSource {
 public:
  explicit MappingsOf(pid_t pid) : pid_(pid) { refresh(pid); }
  std::span<const targets::MappedBinary> mappings(pid_t) override { return binaries_; }
  bool refresh(pid_t) override {
    const targets::ProcessReader reader("/proc");
    binaries_ = reader.read_binaries(reader.read_identity(pid_).value().id).value();
    return true;
  }

 private:
  pid_t pid_;
  std::vector<targets::MappedBinary> binaries_;
};

TEST_F(Watched, RecordsBecomeEventsWithInstructionAndCallers) {
  racer_.run("start racy");
  arm(0, order("counter"));
  MappingsOf mappings(racer_.pid());
  symbols::Resolver resolver;
  events::ResolverSymboliser symboliser(resolver);
  events::AccessDecoder decoder(mappings, symboliser, resolver);
  std::vector<events::AccessEvent> seen;
  ASSERT_TRUE(eventually([&] {
    require(watcher_.allow(0, kHits));
    const auto drained = watcher_.drain([&](auto bytes) { seen.push_back(decoder.decode(bytes).value()); });
    return drained && !seen.empty();
  }));
  const events::AccessEvent& event = seen.front();
  EXPECT_EQ(event.role, RG_ACCESS_FIRST_SEEN);
  ASSERT_TRUE(event.instruction);
  ASSERT_EQ(event.instruction->accesses.size(), 1U);
  EXPECT_EQ(event.instruction->accesses[0].width_bytes, 8);
  EXPECT_EQ(event.stack.trust, events::StackTrust::kUnwound);
  EXPECT_TRUE(event.stack.complete);
  ASSERT_GE(event.stack.frames.size(), 2U);
  EXPECT_EQ(event.stack.frames[0].function, "increment");
  EXPECT_EQ(event.stack.frames[0].address, event.instruction->address);
  EXPECT_EQ(event.stack.frames[1].function, "racy");
}

}  // namespace
}  // namespace raceguard::test
