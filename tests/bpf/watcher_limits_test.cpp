// SPDX-License-Identifier: Apache-2.0
// What the watcher may cost and what it tells when something is missing: allowances, taken registers, full maps,
// processes that are gone; and that nothing stays behind.
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "daemon/kernel/calibrate.h"
#include "daemon/kernel/watch_events.h"
#include "daemon/plan/armed_time.h"
#include "raceguard/unique_fd.h"
#include "tests/bpf/watched.h"

namespace raceguard::test {
namespace {

// All touches on one CPU.
class WatchedAllowance : public Watched {
 protected:
  WatchedAllowance() {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<unsigned>(kernel::online_cpus().value().back()), &one);
    if (::sched_setaffinity(racer_.pid(), sizeof one, &one) != 0) {
      throw std::runtime_error("cannot pin the racer");
    }
  }
};

TEST_F(WatchedAllowance, IsTakenExactlyAndCanBeRenewed) {
  arm(0, order("counter"));
  racer_.run("touch 100");
  EXPECT_EQ(figures().hits, 0U) << "armed, and not allowed yet";
  require(watcher_.allow(0, 10));
  EXPECT_EQ(watcher_.remaining(0).value(), 10U * watcher_.cpus());
  racer_.run("touch 100");
  EXPECT_EQ(figures().hits, 10U);
  EXPECT_EQ(watcher_.remaining(0).value(), 10U * (watcher_.cpus() - 1));
  require(watcher_.allow(0, 10));
  racer_.run("touch 100");
  EXPECT_EQ(figures().hits, 20U);
  const auto seen = sites();
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].site.count, 20U);
  EXPECT_EQ(seen[0].site.other_tid, 0U);
  drain();
  EXPECT_EQ(records(RG_ACCESS_FIRST_SEEN).size(), 1U);
  EXPECT_EQ(records_.size(), 1U);
}

TEST_F(WatchedAllowance, OfAnEarlierOrderCountsIn) {
  arm(0, order("counter"));
  require(watcher_.allow(0, 50));
  racer_.run("touch 20");
  arm(0, order("counter"));
  require(watcher_.allow(0, 40));
  racer_.run("touch 100");
  EXPECT_EQ(figures().hits, 60U);
}

TEST_F(WatchedAllowance, IsBackAfterDisarm) {
  arm(0, order("counter"));
  require(watcher_.allow(0, 50));
  require(watcher_.disarm(0));
  EXPECT_EQ(watcher_.remaining(0).value(), 0U);
  racer_.run("touch 20");
  EXPECT_EQ(figures().hits + figures().foreign_hits, 0U);
}

TEST_F(WatchedAllowance, SlotsAreApart) {
  for (unsigned slot = 0; slot < watcher_.slots(); ++slot) {
    arm(slot, order(slot == 1 ? "counter" : "other_counter"));
    require(watcher_.allow(slot, 100));
  }
  racer_.run("touch 30");
  for (unsigned slot = 0; slot < watcher_.slots(); ++slot) {
    EXPECT_EQ(figures(slot).hits, slot == 1 ? 30U : 0U) << slot;
  }
}

TEST_F(WatchedAllowance, AnotherProcessAtTheAddressIsForeign) {
  auto watch = order("counter");
  watch.tgid = ::getpid();
  arm(0, watch);
  require(watcher_.allow(0, 100));
  racer_.run("touch 30");
  EXPECT_EQ(figures().hits, 0U);
  EXPECT_EQ(figures().foreign_hits, 30U);
  EXPECT_TRUE(sites().empty());
}

TEST_F(Watched, LocksAreKnownInAnotherPidNamespace) {
  TargetProcess outer(RG_BPF_RACER, "namespace");
  std::ifstream children("/proc/" + std::to_string(outer.pid()) + "/task/" + std::to_string(outer.pid()) + "/children");
  kernel::WatchOrder watch{.generation = 1, .tgid = 0, .address = 0, .length = 8, .locks = {}};
  ASSERT_TRUE(children >> watch.tgid);
  watch.address = static_cast<std::uint64_t>(outer.run("address counter"));
  watch.locks = {{.address = static_cast<rg_u64>(outer.run("address mutex")), .kind = RG_LOCK_PTHREAD_MUTEX, .pad = 0}};
  generation_ = watch.generation;
  outer.run("start locked");
  arm(0, watch);
  ASSERT_TRUE(watch_until(0, 64, [this] { return figures().hits >= 200; }));
  outer.run("stop");
  for (const auto& [key, site] : sites()) {
    EXPECT_EQ(site.held[0], site.count);
  }
}

class WatchedFull : public Watched {
 protected:
  WatchedFull() : Watched({.ring_bytes = 4096, .max_sites = 1}) {}
};

TEST_F(WatchedFull, WhatIsFullIsCounted) {
  racer_.run("start reader_writer");
  arm(0, order("counter"));
  ASSERT_TRUE(watch_until(0, 64, [this] { return dropped(RG_DROP_SITES_FULL) > 0; }));
  EXPECT_EQ(sites().size(), 1U);
  EXPECT_GE(dropped(RG_DROP_RING_FULL), 1U) << "a record with its stack is larger";
  EXPECT_TRUE(records_.empty());
}

TEST_F(Watched, SitesAreForgottenWithTheirOrder) {
  arm(0, order("counter"));
  require(watcher_.allow(0, 100));
  racer_.run("touch 10");
  ASSERT_EQ(sites().size(), 1U);
  require(watcher_.tell_access_mode(sites()[0].key, RG_ACCESS_MODE_READ));
  require(watcher_.forget_sites(generation_ + 1));
  EXPECT_EQ(sites().size(), 1U);
  require(watcher_.forget_sites(generation_));
  EXPECT_TRUE(sites().empty());
}

TEST_F(Watched, OrdersThatCannotBeAreRefused) {
  const auto refused = [this](auto&& spoil) {
    auto watch = order("counter");
    spoil(watch);
    const auto armed = watcher_.arm(0, watch);
    return armed ? std::string("armed") : armed.error().to_string();
  };
  using Order = kernel::WatchOrder;
  EXPECT_THAT(refused([](Order& watch) { watch.length = 3; }), testing::HasSubstr("RG-A107"));
  EXPECT_THAT(refused([](Order& watch) { watch.length = 16; }), testing::HasSubstr("RG-A107"));
  EXPECT_THAT(refused([](Order& watch) { watch.address += 1; }), testing::HasSubstr("aligned"));
  EXPECT_THAT(refused([](Order& watch) { watch.generation = 0; }), testing::HasSubstr("order 0"));
  EXPECT_THAT(refused([](Order& watch) { watch.locks.resize(RG_CANDIDATE_LOCKS + 1); }), testing::HasSubstr("locks"));
  EXPECT_THAT(refused([](Order& watch) { watch.address = 0xffffffff81000000; }), testing::HasSubstr("cannot move"));
  EXPECT_FALSE(watcher_.arm(watcher_.slots(), order("counter")));
  const auto watch = order("counter");
  racer_.kill_and_wait();
  const auto armed = watcher_.arm(0, watch);
  ASSERT_FALSE(armed);
  EXPECT_EQ(armed.error().code(), ErrorCode::kTargetGone);
}

alignas(8) std::uint64_t watched = 0;

UniqueFd open_watchpoint(bool armed, pid_t pid, int cpu) {
  perf_event_attr attributes{};
  attributes.type = PERF_TYPE_BREAKPOINT;
  attributes.size = sizeof(attributes);
  attributes.bp_type = HW_BREAKPOINT_W;
  attributes.bp_addr = reinterpret_cast<std::uintptr_t>(&watched);
  attributes.bp_len = HW_BREAKPOINT_LEN_8;
  attributes.exclude_kernel = 1;
  attributes.disabled = armed ? 0 : 1;
  return UniqueFd(static_cast<int>(::syscall(SYS_perf_event_open, &attributes, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC)));
}

// A register of the first CPU, as a debugger would take it.
UniqueFd take_register() { return open_watchpoint(false, -1, 0); }

void wait_for_all_registers() {
  ASSERT_TRUE(eventually([] {
    const auto watcher = kernel::Watcher::open({});
    return watcher && watcher->slots() == RG_WATCH_SLOTS;
  })) << "another program on this machine uses address registers";
}

TEST(WatchedRegisters, ThatOthersHaveAreToldAndTheRestIsUsed) {
  wait_for_all_registers();
  std::vector<UniqueFd> taken;
  for (unsigned count = 1; count < RG_WATCH_SLOTS; ++count) {
    taken.push_back(take_register());
    ASSERT_TRUE(taken.back());
    const auto watcher = kernel::Watcher::open({});
    ASSERT_TRUE(watcher) << watcher.error().to_string();
    EXPECT_EQ(watcher->slots(), RG_WATCH_SLOTS - count);
    EXPECT_THAT(watcher->shortfall(), testing::HasSubstr(std::to_string(count) + " of 4 address registers are taken"));
  }
  taken.push_back(take_register());
  const auto none = kernel::Watcher::open({});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code(), ErrorCode::kKernelAttach);
  EXPECT_THAT(none.error().remedy(), testing::HasSubstr("gdb"));
  taken.clear();
  EXPECT_EQ(kernel::Watcher::open({})->shortfall(), "");
}

TEST(WatchedRegisters, TheirPriceIsTheSameWhileAnotherHasOneArmed) {
  wait_for_all_registers();
  const auto alone = kernel::calibrate().watchpoint().string_slowdown;
  const UniqueFd armed = open_watchpoint(true, 0, -1);
  ASSERT_TRUE(armed) << std::strerror(errno);
  const auto beside = kernel::calibrate().watchpoint().string_slowdown;
  ASSERT_TRUE(alone && beside);
  EXPECT_EQ(*alone > plan::ArmedTime::kBearableSlowdown, *beside > plan::ArmedTime::kBearableSlowdown)
      << *alone << " times slower, then " << *beside;
}

TEST(WatchedRegisters, TheirPriceIsNotKnownWhereNoneIsFree) {
  wait_for_all_registers();
  std::vector<UniqueFd> taken;
  for (unsigned i = 0; i < RG_WATCH_SLOTS; ++i) {
    taken.push_back(take_register());
  }
  const kernel::Calibration calibration = kernel::calibrate();
  EXPECT_FALSE(calibration.watchpoint().string_slowdown);
  EXPECT_THAT(calibration.failures, testing::SizeIs(1));
}

TEST(WatchedRegisters, AreFreeAgainAfterwards) {
  const auto descriptors = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator());
  };
  const auto before = descriptors();
  wait_for_all_registers();
  EXPECT_EQ(descriptors(), before);
  std::vector<UniqueFd> taken;
  for (unsigned i = 0; i < RG_WATCH_SLOTS; ++i) {
    EXPECT_TRUE(eventually([&] {
      taken.push_back(take_register());
      return taken.back().valid();
    }));
  }
}

}  // namespace
}  // namespace raceguard::test
