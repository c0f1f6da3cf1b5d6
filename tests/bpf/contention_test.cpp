// SPDX-License-Identifier: Apache-2.0
// Futex waits on the running kernel, by each way to see them.
#include <pthread.h>
#include <signal.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <map>

#include <gmock/gmock.h>

#include "daemon/kernel/feature_object.h"
#include "daemon/kernel/tracepoint.h"
#include "raceguard/clock.h"
#include "tests/bpf/attached.h"
#include "tests/bpf/target_process.h"

namespace raceguard::test {
namespace {

constexpr std::array kHooks{kernel::FutexHook::kFunction, kernel::FutexHook::kTracepoint,
                            kernel::FutexHook::kRawTracepoint};

// Those that this kernel takes, found cheaply: this runs whenever the program starts, to list its tests too.
std::vector<kernel::FutexHook> hooks_of_this_kernel() {
  const std::array<std::string, 1> fentry{"rg_try_fentry"};
  std::vector<kernel::FutexHook> hooks{kernel::FutexHook::kRawTracepoint};
  if (kernel::TraceFs::open()) {
    hooks.push_back(kernel::FutexHook::kTracepoint);
  }
  if (kernel::load_features(fentry)) {
    hooks.push_back(kernel::FutexHook::kFunction);
  }
  return hooks;
}

TEST(FutexHooks, AreThoseThatAnAttachmentCanUse) {
  std::vector<kernel::FutexHook> used;
  for (const kernel::FutexHook hook : kHooks) {
    kernel::AttachmentOptions options = small_options();
    options.first_futex_hook = hook;
    if (open_or_throw(options).futex_hook() == hook) {
      used.push_back(hook);
    }
  }
  EXPECT_THAT(hooks_of_this_kernel(), testing::UnorderedElementsAreArray(used));
  if (std::getenv("KERNEL") != nullptr) {  // tests/vm: Debian's kernels have all
    EXPECT_EQ(used.size(), kHooks.size());
  }
}

class Contention : public testing::TestWithParam<kernel::FutexHook> {
 protected:
  static kernel::AttachmentOptions options() {
    kernel::AttachmentOptions options = small_options();
    options.first_futex_hook = GetParam();
    return options;
  }
  void watch(TargetProcess& target) {
    plan::PlanDifference difference;
    difference.add_targets = {target_entry(target.pid())};
    const auto errors = attachment_.apply(difference);
    ASSERT_TRUE(errors.empty()) << all_of(errors);
  }
  std::vector<rg_record_stack> stacks() {
    std::vector<rg_record_stack> found;
    const auto drained = attachment_.drain([&found](std::span<const std::byte> record) {
      rg_u32 type = 0;
      std::memcpy(&type, record.data(), sizeof(type));
      if (type == RG_RECORD_STACK) {
        rg_record_stack stack{};
        std::memcpy(&stack, record.data(), record.size());
        EXPECT_EQ(record.size(), RG_STACK_HEADER_BYTES + stack.stack_bytes);
        found.push_back(stack);
      }
    });
    EXPECT_TRUE(drained.has_value());
    return found;
  }

  TargetProcess target_;
  kernel::Attachment attachment_ = open_or_throw(options());
};

INSTANTIATE_TEST_SUITE_P(EachHook, Contention, testing::ValuesIn(hooks_of_this_kernel()), [](const auto& hook) {
  return hook.param == kernel::FutexHook::kFunction     ? "Function"
         : hook.param == kernel::FutexHook::kTracepoint ? "Tracepoint"
                                                        : "RawTracepoint";
});

TEST_P(Contention, AConvoyOnAMutexIsALockWithWaitsHoldersAndStacks) {
  watch(target_);
  const std::int64_t address = target_.run("convoy 25 2000");
  const rg_lock_counters lock = lock_at(attachment_, target_.pid(), address);
  EXPECT_GE(lock.waits, 50U) << "of 100 holds by four threads";
  EXPECT_LE(lock.waits, 200U);
  EXPECT_GE(lock.wakes, 50U);
  EXPECT_LE(lock.waiters, missed(attachment_));
  EXPECT_EQ(lock.wait_class, static_cast<rg_u32>(RG_WAIT_LOCK));
  EXPECT_GE(lock.max_ns, static_cast<rg_u64>(2 * kNsPerMs));
  EXPECT_NE(lock.last_owner_tid, 0U);
  std::uint64_t in_buckets = 0;
  for (const auto count : lock.histogram) {
    in_buckets += count;
  }
  EXPECT_EQ(in_buckets, lock.waits);

  std::map<rg_u32, unsigned> roles;
  for (const rg_record_stack& stack : stacks()) {
    if (stack.address != static_cast<rg_u64>(address)) {
      continue;
    }
    ++roles[stack.role];
    EXPECT_EQ(stack.tgid, static_cast<rg_u32>(target_.pid()));
    EXPECT_GT(stack.stack_bytes, 0U);
    EXPECT_NE(stack.registers[16], 0U) << "rip";
    EXPECT_GE(stack.frame_count, 1U);
    EXPECT_EQ(stack.frame_pointer_ips[0], stack.registers[16]);
  }
  EXPECT_GE(roles[RG_STACK_WAITER], 1U);
  EXPECT_GE(roles[RG_STACK_HOLDER], 1U);
  EXPECT_EQ(lock.samples, roles[RG_STACK_WAITER] + roles[RG_STACK_HOLDER]);
  EXPECT_EQ(dropped(attachment_, RG_DROP_STACK_FAULT), 0U);
}

TEST_P(Contention, AConditionVariablesWaitIsNoLock) {
  watch(target_);
  const auto condition = static_cast<rg_u64>(target_.run("consume 50"));
  std::uint64_t waits = 0;
  for (const kernel::LockReading& reading : all_locks(attachment_)) {
    if (reading.key.address - condition < sizeof(pthread_cond_t)) {  // it has two futex words, used in turns
      waits += reading.counters.waits;
      EXPECT_EQ(reading.counters.wait_class, static_cast<rg_u32>(RG_WAIT_CONDITION));
    }
  }
  EXPECT_TRUE(all_seen_or_missed(attachment_, waits, 50))
      << waits << ", lost: " << testing::PrintToString(attachment_.read_drops().value());
}

TEST_P(Contention, ThreadsThatDieInAWaitAreNoWaitersAnyMore) {
  watch(target_);
  const std::int64_t address = target_.run("block 3");
  EXPECT_TRUE(eventually([&] {
    const rg_u32 waiters = lock_at(attachment_, target_.pid(), address).waiters;
    return waiters > 0 && all_seen_or_missed(attachment_, waiters, 3);
  })) << lock_at(attachment_, target_.pid(), address).waiters
      << " waiters, missed " << missed(attachment_);
  const pid_t pid = target_.pid();
  target_.kill_and_wait();
  EXPECT_TRUE(eventually([&] { return lock_at(attachment_, pid, address).waiters <= missed(attachment_); }));
  EXPECT_GE(attachment_.forget_process(pid).value(), 1U);
  EXPECT_EQ(lock_at(attachment_, pid, address).waits, 0U);
}

TEST_P(Contention, ALockForgottenDuringAWaitIsCounted) {
  watch(target_);
  const std::int64_t address = target_.run("block 1");
  ASSERT_TRUE(eventually([&] { return lock_at(attachment_, target_.pid(), address).waiters == 1; }));
  ASSERT_EQ(attachment_.forget_process(target_.pid()).value(), 1U);
  target_.run("unblock");
  EXPECT_TRUE(
      eventually([&] { return all_seen_or_missed(attachment_, dropped(attachment_, RG_DROP_LOCK_FORGOTTEN), 1); }));
}

// The wait under way ends unseen, and the next ones too: none of them may be taken for one that lasted until later.
TEST_P(Contention, APauseForgetsTheWaitsUnderWayAndKeepsTheFigures) {
  watch(target_);
  const std::int64_t address = target_.run("block 1");
  ASSERT_TRUE(eventually([&] { return lock_at(attachment_, target_.pid(), address).waiters == 1; }));
  ASSERT_TRUE(attachment_.pause_contention().has_value());
  EXPECT_EQ(lock_at(attachment_, target_.pid(), address).waiters, 0U);
  target_.run("unblock");
  target_.run("consume 20");
  EXPECT_EQ(all_locks(attachment_).size(), 1U) << "a lock was seen in the pause";

  ASSERT_TRUE(attachment_.resume_contention().has_value());
  ASSERT_TRUE(attachment_.resume_contention().has_value()) << "nothing to do";
  target_.run("consume 20");
  std::uint64_t waits = 0;
  for (const kernel::LockReading& reading : all_locks(attachment_)) {
    waits += reading.counters.waits;
  }
  EXPECT_GT(waits + missed(attachment_), 0U);
  EXPECT_EQ(lock_at(attachment_, target_.pid(), address).waits, 0U);
}

TEST_P(Contention, CallsAndWaitsOfATargetAreChargedToItsGroup) {
  plan::PlanDifference difference;
  difference.add_targets = {target_entry(target_.pid())};
  difference.add_targets[0].guard_index = 2;
  ASSERT_TRUE(attachment_.apply(difference).empty());
  const rg_lock_counters lock = lock_at(attachment_, target_.pid(), target_.run("convoy 25 1000"));
  const auto counted = attachment_.read_contention(3).value();
  ASSERT_EQ(counted.size(), 3U);
  EXPECT_EQ(counted[0].calls.runs, 0U);
  EXPECT_GE(counted[2].calls.runs, lock.waits + lock.wakes);
  EXPECT_GE(counted[2].waits.runs, lock.waits);
  EXPECT_GE(counted[2].calls.timed, 1U) << "the first call on a CPU is one of those that are timed";
  EXPECT_GT(counted[2].calls.timed_ns, 0U);
  EXPECT_LE(counted[2].calls.timed_ns, counted[2].calls.timed * RG_TIMED_MAX_NS);
  EXPECT_EQ(counted[2].resting_calls, 0U);
}

TEST_P(Contention, WhileTheWatchRestsCallsAreOnlyCounted) {
  plan::PlanDifference difference;
  difference.add_targets = {target_entry(target_.pid())};
  difference.add_targets[0].guard_index = 0;
  difference.add_targets[0].contention_rests = true;
  ASSERT_TRUE(attachment_.apply(difference).empty());
  target_.run("convoy 5 1000");
  const rg_contention_counters counted = attachment_.read_contention(1).value()[0];
  EXPECT_GT(counted.resting_calls + missed(attachment_), 0U);
  EXPECT_EQ(counted.calls.runs, 0U);
  EXPECT_TRUE(all_locks(attachment_).empty());
}

TEST_P(Contention, AnotherProcessIsNotCounted) {
  TargetProcess other;
  watch(target_);
  const std::int64_t address = other.run("convoy 5 500");
  EXPECT_EQ(lock_at(attachment_, other.pid(), address).waits, 0U);
  for (const kernel::LockReading& reading : all_locks(attachment_)) {
    EXPECT_EQ(reading.key.tgid, static_cast<rg_u32>(target_.pid()));
  }
}

TEST_P(Contention, NoSamplesWhenTheRateIsZeroAndTheLossIsCounted) {
  kernel::AttachmentOptions none = options();
  none.stack_samples_per_second = 0;
  attachment_ = open_or_throw(none);
  watch(target_);
  const rg_lock_counters lock = lock_at(attachment_, target_.pid(), target_.run("convoy 5 1000"));
  EXPECT_TRUE(stacks().empty());
  EXPECT_GE(dropped(attachment_, RG_DROP_SAMPLED_OUT), lock.waits + lock.wakes);
}

// Three threads wait where one wait and one lock fit.
TEST_P(Contention, FullMapsOfWaitsAndLocksAreCountedExactly) {
  kernel::AttachmentOptions tiny = options();
  tiny.max_waits = 1;
  attachment_ = open_or_throw(tiny);
  watch(target_);
  target_.run("block 3");
  EXPECT_TRUE(eventually([&] { return all_seen_or_missed(attachment_, dropped(attachment_, RG_DROP_WAITS_FULL), 2); }))
      << dropped(attachment_, RG_DROP_WAITS_FULL) << ", missed " << missed(attachment_);
  EXPECT_EQ(dropped(attachment_, RG_DROP_MAP_BUSY), 0U);

  TargetProcess second;
  kernel::AttachmentOptions one_lock = options();
  one_lock.max_locks = 1;
  attachment_ = open_or_throw(one_lock);
  watch(second);
  second.run("block 1");
  ASSERT_TRUE(eventually([&] { return all_locks(attachment_).size() == 1; }));
  ASSERT_EQ(dropped(attachment_, RG_DROP_LOCKS_FULL), 0U);
  second.run("exit_threads 1");  // a join waits on the thread's own word, if the thread is slow enough to be waited for
  second.run("consume 4");
  EXPECT_GE(dropped(attachment_, RG_DROP_LOCKS_FULL) + missed(attachment_), 4U);
}

TEST_P(Contention, AFullRingIsCountedExactly) {
  kernel::AttachmentOptions tiny = options();
  tiny.ring_bytes = 4096;  // less than one stack record with its copy needs, or just one
  attachment_ = open_or_throw(tiny);
  watch(target_);
  const std::int64_t address = target_.run("convoy 40 1000");
  const rg_lock_counters lock = lock_at(attachment_, target_.pid(), address);
  EXPECT_GT(dropped(attachment_, RG_DROP_RING_FULL), 0U);
  std::uint64_t samples = 0;
  std::uint64_t events = 0;
  for (const kernel::LockReading& reading : all_locks(attachment_)) {
    samples += reading.counters.samples;
    events += reading.counters.waits + reading.counters.wakes;
  }
  EXPECT_EQ(stacks().size(), samples);
  // Every wait and every wake is a sample sent, one that the rate forbade, or one that found the ring full; execs of
  // other programs on this machine may add to the last.
  EXPECT_GE(samples + dropped(attachment_, RG_DROP_SAMPLED_OUT) + dropped(attachment_, RG_DROP_RING_FULL), events);
  EXPECT_GT(lock.waits, 0U);
}

}  // namespace
}  // namespace raceguard::test
