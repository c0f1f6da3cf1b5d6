// SPDX-License-Identifier: Apache-2.0
#include "daemon/events/decoder.h"

#include <gtest/gtest.h>

#include "daemon/events/lock_functions.h"
#include "tests/unit/events/blocked_thread.h"
#include "tests/unit/events/raw_bytes.h"

namespace raceguard::events {
namespace {

using WaitKind = LockStackEvent::WaitKind;

// Knows the mappings only after the first refresh, as with a library that was loaded after the last look.
class LateMappings final : public MappingSource {
 public:
  explicit LateMappings(std::span<const targets::MappedBinary> mappings) : mappings_(mappings) {}
  std::span<const targets::MappedBinary> mappings(pid_t) override {
    return refreshes > 0 ? mappings_ : std::span<const targets::MappedBinary>{};
  }
  bool refresh(pid_t) override { return ++refreshes > 0; }
  int refreshes = 0;

 private:
  std::span<const targets::MappedBinary> mappings_;
};

class FileNames final : public Symboliser {
 public:
  symbols::CodeSite resolve(const targets::MappedBinary& binary, std::uint64_t address, bool) override {
    symbols::CodeSite site;
    site.binary = binary.path;
    site.address = address;
    return site;
  }
};

TEST(Decoder, ARealWaitBecomesAnEventWithItsStack) {
  const BlockedThread thread(blocker_program("stripped"), "mutex");
  LateMappings mappings(thread.mappings());
  FileNames names;
  Decoder decoder(mappings, names);
  const auto raw = thread.record();
  const auto event = decoder.decode(raw);
  ASSERT_TRUE(event);
  const auto& sample = std::get<LockStackEvent>(*event);
  EXPECT_EQ(sample.pid, thread.pid());
  EXPECT_EQ(sample.tid, thread.tid());
  EXPECT_EQ(sample.lock_address, thread.word());
  EXPECT_EQ(sample.wait_ns, 5'000'000);
  EXPECT_EQ(sample.stack.trust, StackTrust::kUnwound);
  EXPECT_TRUE(sample.stack.complete);
  EXPECT_EQ(mappings.refreshes, 1);
  EXPECT_EQ(decoder.counters().unwound, 1U);
  EXPECT_EQ(decoder.counters().untrusted, 0U);
}

TEST(Decoder, AProcessThatIsGoneIsAskedForOnceASecond) {
  LateMappings nothing({});
  FileNames names;
  Decoder decoder(nothing, names);
  rg_record_stack record = raw::stack(RG_STACK_WAITER, 1);
  for (const rg_u64 time_ns : {1'000'000'000ULL, 1'500'000'000ULL, 2'100'000'000ULL}) {
    record.time_ns = time_ns;
    const auto event = decoder.decode(raw::bytes(record));
    ASSERT_TRUE(event);
    EXPECT_EQ(std::get<LockStackEvent>(*event).stack.trust, StackTrust::kUntrusted);
  }
  EXPECT_EQ(nothing.refreshes, 2);
  EXPECT_EQ(decoder.counters().unknown_process, 3U);
}

TEST(Decoder, MalformedRecordsAreCounted) {
  LateMappings nothing({});
  FileNames names;
  Decoder decoder(nothing, names);
  EXPECT_FALSE(decoder.decode({}));
  EXPECT_EQ(decoder.counters().malformed, 1U);
  EXPECT_EQ(decoder.counters().decoded, 0U);
}

TEST(WaitKind, IsToldByTheNamesOfFunctions) {
  EXPECT_EQ(wait_kind_of("pthread_mutex_lock@@GLIBC_2.2.5"), WaitKind::kLock);
  EXPECT_EQ(wait_kind_of("___pthread_mutex_lock"), WaitKind::kLock);
  EXPECT_EQ(wait_kind_of("__lll_lock_wait"), WaitKind::kLock);
  EXPECT_EQ(wait_kind_of("__GI___lll_lock_wake"), WaitKind::kLock);
  EXPECT_EQ(wait_kind_of("__"), std::nullopt);
  EXPECT_EQ(wait_kind_of("std::mutex::lock()"), WaitKind::kLock);
  EXPECT_EQ(wait_kind_of("ssux_lock_impl<true>::wr_wait(unsigned int)"), WaitKind::kLock);
  EXPECT_EQ(wait_kind_of("std::sys::sync::mutex::futex::Mutex::lock_contended"), WaitKind::kLock);
  EXPECT_EQ(wait_kind_of("pthread_cond_timedwait"), WaitKind::kCondition);
  EXPECT_EQ(wait_kind_of("std::condition_variable::wait(std::unique_lock<std::mutex>&)"), WaitKind::kCondition);
  EXPECT_EQ(wait_kind_of("sem_wait"), WaitKind::kCondition);
  EXPECT_EQ(wait_kind_of("sem_waiting_room()"), std::nullopt);
  EXPECT_EQ(wait_kind_of("shop::restock(int)"), std::nullopt);
  EXPECT_EQ(wait_kind_of(""), std::nullopt);
}

TEST(WaitKind, OverrulesTheKernelsGuess) {
  const auto judged = [](std::vector<std::string> functions, rg_wait_class by_value) {
    Stack stack;
    for (const std::string& function : functions) {
      stack.frames.emplace_back().function = function;
    }
    stack.reliable_frames = stack.frames.size();
    StackRecord record;
    record.wait_class = by_value;
    return lock_stack_event(record, stack).wait_kind;
  };
  EXPECT_EQ(judged({"", "pthread_cond_wait", "queue()"}, RG_WAIT_LOCK), WaitKind::kCondition);
  EXPECT_EQ(judged({"", "pthread_mutex_lock", "queue()"}, RG_WAIT_CONDITION), WaitKind::kLock);
  EXPECT_EQ(judged({"", "unknown()"}, RG_WAIT_CONDITION), WaitKind::kCondition);
  EXPECT_EQ(judged({"", "unknown()"}, RG_WAIT_LOCK), WaitKind::kLock);
}

}  // namespace
}  // namespace raceguard::events
