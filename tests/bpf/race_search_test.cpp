// SPDX-License-Identifier: Apache-2.0
// The whole search on a stripped program, with one source of addresses at a time.
#include <algorithm>

#include "daemon/race_watch.h"
#include "tests/bpf/watched.h"

namespace raceguard::test {
namespace {

class WatchedSearch : public testing::Test {
 protected:
  // Until a race on the word is proven.
  bool proves(app::RaceWatchOptions options, std::uint64_t word) {
    options.pid = racer_.pid();
    auto search = app::RaceWatch::open(options, registers_, clock_);
    if (!search) {
      throw std::runtime_error(search.error().to_string());
    }
    const bool found = eventually([&] {
      require((*search)->step());
      const auto findings = (*search)->findings();
      return std::any_of(findings.begin(), findings.end(), [&](const detect::RaceFinding& finding) {
        return finding.verdict == detect::Verdict::kProven && finding.variable.address == word;
      });
    });
    sampled_ = (*search)->sampled();
    cost_ = (*search)->cost();
    return found;
  }

  SystemClock clock_;
  TargetProcess racer_{RG_BPF_RACER_STRIPPED};
  app::WatchRegisters registers_{.watcher = open_watcher({.hold_ns = kernel::kLongestHoldNs})};
  detect::SamplerFigures sampled_;
  detect::RaceCost cost_;
};

TEST_F(WatchedSearch, ARaceOnTheHeapOfAStrippedProgramIsProvenFromItsCodeAlone) {
  if (registers_.watcher.cpus() == 1) {
    GTEST_SKIP() << "one CPU: nobody can come while a thread is held";
  }
  const auto heap = static_cast<std::uint64_t>(racer_.run("address heap"));
  racer_.run("pace 5000");
  racer_.run("start on_heap");
  EXPECT_TRUE(proves(
      {.hold_ns = kernel::kLongestHoldNs, .budget = 0.2, .globals = false, .changes = false, .samples = true}, heap));
  EXPECT_GT(sampled_.samples, 0U);
  EXPECT_GT(sampled_.words_by_clock, 0U);
  EXPECT_EQ(cost_.samples, sampled_.samples);
  EXPECT_GE(cost_.charged_ns,
            cost_.hold_ns + static_cast<std::int64_t>(static_cast<double>(cost_.samples) * cost_.hit_cost_ns));
  const auto after = registers_.watcher.read_sample_figures()->samples;
  racer_.run("touch 1000000");
  EXPECT_EQ(registers_.watcher.read_sample_figures()->samples, after) << "it goes on after the search";
}

}  // namespace
}  // namespace raceguard::test
