// SPDX-License-Identifier: Apache-2.0
// Bursts on a real program: tests/e2e/programs/lock_mix.cpp.
#include "daemon/kernel/lock_probes.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "daemon/plan/lock_sites.h"
#include "daemon/targets/process_reader.h"
#include "tests/bpf/attached.h"
#include "tests/bpf/target_process.h"

namespace raceguard::test {
namespace {

using kernel::BurstLock;
using kernel::BurstReading;
using kernel::LockProbes;

struct Seen {
  BurstReading reading;
  rg_burst_figures figures{};
};

Seen burst_of(const std::string& mode, const kernel::LockProbesOptions& options = {}, std::uint64_t max_hits = 5000) {
  TargetProcess target(RG_LOCK_MIX, mode);
  const targets::ProcessReader reader("/proc");
  const auto id = reader.read_identity(target.pid()).value().id;
  const auto sites = plan::find_lock_sites(reader.read_binaries(id).value(), "/").value();
  auto probes = LockProbes::open(options).value();
  EXPECT_TRUE(probes.attach(target.pid(), sites.sites).has_value());
  probes.begin(max_hits);
  EXPECT_TRUE(eventually([&] { return !probes.is_on(); })) << "the limit of hits ends the burst";
  probes.detach();
  return {probes.take().value(), probes.figures().value()};
}

const BurstLock& busiest(const BurstReading& reading) {
  return *std::max_element(reading.locks.begin(), reading.locks.end(), [](const BurstLock& a, const BurstLock& b) {
    return a.figures.reads + a.figures.writes < b.figures.reads + b.figures.writes;
  });
}

class LockProbesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto probes = LockProbes::open(); !probes && probes.error().code() == ErrorCode::kKernelUnsupported) {
      GTEST_SKIP() << probes.error().to_string();
    }
  }
};

void expect_half_reads(const Seen& seen) {
  ASSERT_FALSE(seen.reading.locks.empty());
  const rg_burst_lock& lock = busiest(seen.reading).figures;
  EXPECT_EQ(lock.kind, RG_LOCK_PTHREAD_RWLOCK);
  EXPECT_GT(lock.reads, 500U);
  EXPECT_NEAR(static_cast<double>(lock.reads) / static_cast<double>(lock.reads + lock.writes), 0.5, 0.02);
  EXPECT_GE(lock.holds + 2, lock.reads + lock.writes) << "each hold ends, but for those of two threads at the end";
}

TEST_F(LockProbesTest, CountsReadsAndWritesOfARwlock) { expect_half_reads(burst_of("writeheavy")); }

// In a burst of milliseconds on a busy machine perhaps one of the two runs.
TEST_F(LockProbesTest, TellsThatTwoThreadsTakeALock) {
  EXPECT_TRUE(eventually([] {
    const Seen seen = burst_of("writeheavy");
    return !seen.reading.locks.empty() && busiest(seen.reading).figures.other_tid != 0;
  }));
}

TEST_F(LockProbesTest, TheSameWithoutSessions) {
  const Seen seen = burst_of("writeheavy", {.allow_session = false});
  expect_half_reads(seen);
  EXPECT_GT(seen.figures.returns, 500U) << "each call has its return probe";
}

TEST_F(LockProbesTest, ACallThatGetsItsLockAtOnceHasNoReturnProbe) {
  if (!LockProbes::open().value().has_sessions()) {
    GTEST_SKIP() << "this kernel has no uprobe sessions (6.13)";
  }
  const Seen seen = burst_of("ordered");
  EXPECT_LT(seen.figures.returns, seen.figures.hits / 10);
}

TEST_F(LockProbesTest, OrdersCarryTheirGate) {
  const Seen seen = burst_of("gate");
  std::size_t gated = 0;
  for (const kernel::BurstOrder& order : seen.reading.orders) {
    gated += order.figures.gates[0] != 0 ? 1 : 0;
  }
  EXPECT_GE(seen.reading.orders.size(), 3U) << "gate to either lock, and the two among themselves";
  EXPECT_GE(gated, 1U);
}

TEST_F(LockProbesTest, NobodyElseIsHit) { EXPECT_EQ(burst_of("ordered").figures.foreign_hits, 0U); }

TEST_F(LockProbesTest, AProcessThatIsGone) {
  auto probes = LockProbes::open().value();
  pid_t pid = 0;
  plan::LockSites sites;
  {
    TargetProcess target(RG_LOCK_MIX, "ordered");
    const targets::ProcessReader reader("/proc");
    const auto id = reader.read_identity(target.pid()).value().id;
    sites = plan::find_lock_sites(reader.read_binaries(id).value(), "/").value();
    pid = target.pid();
  }
  const auto attached = probes.attach(pid, sites.sites);
  ASSERT_FALSE(attached.has_value());
  EXPECT_EQ(attached.error().code(), ErrorCode::kTargetGone) << attached.error().to_string();
}

}  // namespace
}  // namespace raceguard::test
