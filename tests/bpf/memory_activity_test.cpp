// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/memory_activity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "tests/bpf/target_process.h"

namespace raceguard::test {
namespace {

using kernel::ChangedWord;
using kernel::MemoryActivity;
using kernel::MemoryRange;

class Activity : public testing::Test {
 protected:
  MemoryActivity open(kernel::ActivityOptions options = {}) {
    return MemoryActivity::open(racer_.pid(), options).value();
  }
  static std::vector<ChangedWord> step(MemoryActivity& activity, const std::vector<MemoryRange>& ranges = {}) {
    auto changed = activity.step(ranges);
    return changed ? std::move(*changed) : throw std::runtime_error(changed.error().to_string());
  }
  static const ChangedWord* find(const std::vector<ChangedWord>& words, std::uint64_t address) {
    const auto found =
        std::find_if(words.begin(), words.end(), [&](const ChangedWord& word) { return word.address == address; });
    return found == words.end() ? nullptr : &*found;
  }
  std::uint64_t run(const std::string& command) { return static_cast<std::uint64_t>(racer_.run(command)); }

  TargetProcess racer_{RG_BPF_RACER};
};

TEST_F(Activity, TellsTheWordsThatChangedAndNoOthers) {
  const std::uint64_t counter = run("address counter");
  const std::uint64_t other = run("address other_counter");
  const std::uint64_t heap = run("heap 65536");
  MemoryActivity activity = open();
  run("bump " + std::to_string(counter));
  run("bump " + std::to_string(heap + 40000));
  EXPECT_TRUE(step(activity).empty());
  run("bump " + std::to_string(counter));
  run("bump " + std::to_string(heap + 40000));
  const auto changed = step(activity);
  const ChangedWord* global = find(changed, counter);
  ASSERT_NE(global, nullptr);
  EXPECT_EQ(global->before, 1U);
  EXPECT_EQ(global->after, 2U);
  const ChangedWord* allocated = find(changed, heap + 40000);
  ASSERT_NE(allocated, nullptr);
  EXPECT_EQ(allocated->after, allocated->before + 1);
  EXPECT_EQ(find(changed, other), nullptr);
  EXPECT_EQ(find(changed, heap + 40008), nullptr);
  EXPECT_TRUE(std::is_sorted(changed.begin(), changed.end(),
                             [](const ChangedWord& a, const ChangedWord& b) { return a.address < b.address; }));
}

TEST_F(Activity, LooksAtTheGivenRangesOnly) {
  const std::uint64_t counter = run("address counter");
  const std::uint64_t heap = run("heap 1000000");
  const std::vector<MemoryRange> ranges{{heap, heap + 1'000'000}};
  MemoryActivity activity = open();
  for (int i = 0; i < 3; ++i) {
    run("bump " + std::to_string(counter));
    run("bump " + std::to_string(heap + 500'000));
    const auto changed = step(activity, ranges);
    EXPECT_EQ(find(changed, counter), nullptr);
    EXPECT_EQ(find(changed, heap + 500'000) != nullptr, i > 0) << i;
  }
}

TEST_F(Activity, WhatDoesNotFitTakesItsTurn) {
  constexpr std::uint64_t kBytes = 8U << 20U;
  constexpr std::uint64_t kRoom = 1U << 20U;
  const std::uint64_t heap = run("heap " + std::to_string(kBytes));
  MemoryActivity activity = open({.max_bytes = kRoom});
  const std::uint64_t late = heap + kBytes - 4096;
  bool found = false;
  for (int i = 0; i < 200 && !found; ++i) {
    run("bump " + std::to_string(late));
    found = find(step(activity, {{heap, heap + kBytes}}), late) != nullptr;
    EXPECT_LE(activity.bytes_kept(), kRoom);
  }
  EXPECT_TRUE(found);
}

TEST_F(Activity, AnswersAreBounded) {
  MemoryActivity activity = open({.max_words = 1});
  const std::uint64_t counter = run("address counter");
  const std::uint64_t other = run("address other_counter");
  for (int i = 0; i < 4; ++i) {
    run("bump " + std::to_string(counter));
    run("bump " + std::to_string(other));
    EXPECT_LE(step(activity).size(), 1U);
  }
}

TEST_F(Activity, AProcessThatIsGoneIsAnError) {
  MemoryActivity activity = open();
  step(activity);
  racer_.kill_and_wait();
  const auto changed = activity.step({});
  ASSERT_FALSE(changed);
  EXPECT_EQ(changed.error().code(), ErrorCode::kTargetGone) << changed.error().to_string();
  EXPECT_FALSE(MemoryActivity::open(racer_.pid(), {}));
}

TEST(SharedRanges, LeaveOutStacksReadOnlyAndSharedMappings) {
  std::istringstream maps(
      "1000-2000 r-xp 00000000 08:01 1 /usr/bin/x\n"
      "2000-3000 rw-p 00001000 08:01 1 /usr/bin/x\n"
      "3000-5000 rw-p 00000000 00:00 0 [heap]\n"
      "6000-7000 rw-s 00000000 00:01 2 /dev/shm/y\n"
      "10000-11000 ---p 00000000 00:00 0 \n"
      "11000-20000 rw-p 00000000 00:00 0 \n"
      "20000-24000 ---p 00000000 00:00 0 \n"
      "24000-28000 rw-p 00000000 00:00 0 \n"
      "30000-31000 ---p 00000000 00:00 0 \n"
      "31000-90000 rw-p 00000000 00:00 0 \n"
      "a0000-b0000 rw-p 00000000 00:00 0 [stack]\n");
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
  for (const MemoryRange& range : kernel::shared_ranges(maps, 0x10000)) {
    ranges.emplace_back(range.start, range.end);
  }
  EXPECT_THAT(ranges, testing::ElementsAre(std::pair{0x2000, 0x3000}, std::pair{0x3000, 0x5000},
                                           std::pair{0x24000, 0x28000}, std::pair{0x40000, 0x90000}));
}

}  // namespace
}  // namespace raceguard::test
