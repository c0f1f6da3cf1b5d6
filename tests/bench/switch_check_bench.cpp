// SPDX-License-Identifier: Apache-2.0
// What an application pays for asking a switch. "Loop" is the harness itself: subtract it.
//   closed, word only (rg_switch_is_open)   goal: 1 ns or less
//   closed, word and page (rg_allow)        goal: 1 ns or less
//   open / half-open by the page            reads the clock for the heartbeat, and a slot by seqlock
#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>

#include "daemon/switches/switch_page.h"
#include "raceguard/clock.h"
#include "raceguard/switch.h"

RG_SWITCH_DEFINE(bench, "bench.switch");

namespace raceguard::switches {
namespace {

// The page that rg_allow of this program reads, for as long as a benchmark runs.
class PageOnDisk {
 public:
  explicit PageOnDisk(breaker::State state, double share) {
    std::string pattern = (std::filesystem::temp_directory_path() / "raceguard-bench-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
    page_ = std::make_unique<SwitchPage>(
        SwitchPage::create(directory_, 60 * kNsPerSecond, SystemClock().monotonic_ns()).value());
    path_ = page_->path();
    (void)page_->write({.name = "bench.switch", .state = state, .allow_share = share, .reason = {}});
    (void)rg_page_open(path_.c_str(), &rg_default_page);
    raceguard_switch_bench.slot = rg_page_find(&rg_default_page, "bench.switch");
    raceguard_switch_bench.slot_epoch = rg_default_page.epoch;
  }
  PageOnDisk(const PageOnDisk&) = delete;
  PageOnDisk& operator=(const PageOnDisk&) = delete;
  ~PageOnDisk() {
    page_.reset();
    raceguard_switch_bench.slot = &rg_closed_slot;
    rg_page_close(&rg_default_page);
    std::filesystem::remove_all(directory_);
  }

 private:
  std::filesystem::path directory_;
  std::string path_;
  std::unique_ptr<SwitchPage> page_;
};

void Loop(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::ClobberMemory();
  }
}
BENCHMARK(Loop);

void ClosedByWord(benchmark::State& state) {
  for (auto _ : state) {
    if (rg_switch_is_open(bench)) {
      state.SkipWithError("the switch is open");
    }
    benchmark::ClobberMemory();
  }
}
BENCHMARK(ClosedByWord);

void ask(benchmark::State& state) {
  for (auto _ : state) {
    int allowed = rg_allow(bench);
    benchmark::DoNotOptimize(allowed);
    benchmark::ClobberMemory();
  }
}

void ClosedByWordAndPage(benchmark::State& state) {
  const PageOnDisk page(breaker::State::kClosed, 1);
  ask(state);
}
BENCHMARK(ClosedByWordAndPage);

void ClosedWithoutADaemon(benchmark::State& state) {
  ::setenv("RACEGUARD_PAGE", "/nonexistent/raceguard", 1);
  ask(state);
  rg_page_close(&rg_default_page);
}
BENCHMARK(ClosedWithoutADaemon);

void OpenByPage(benchmark::State& state) {
  const PageOnDisk page(breaker::State::kOpen, 0);
  ask(state);
}
BENCHMARK(OpenByPage);

void HalfOpenByPage(benchmark::State& state) {
  const PageOnDisk page(breaker::State::kHalfOpen, 0.1);
  ask(state);
}
BENCHMARK(HalfOpenByPage);

void DaemonWritesASlot(benchmark::State& state) {
  std::string pattern = (std::filesystem::temp_directory_path() / "raceguard-bench-XXXXXX").string();
  const std::filesystem::path directory = ::mkdtemp(pattern.data());
  {
    SwitchPage page = SwitchPage::create(directory, kNsPerSecond, SystemClock().monotonic_ns()).value();
    for (auto _ : state) {
      (void)page.write({.name = "bench.switch", .reason = "slow_ratio 0.42 reached 0.25 in 310 calls"});
    }
  }
  std::filesystem::remove_all(directory);
}
BENCHMARK(DaemonWritesASlot);

}  // namespace
}  // namespace raceguard::switches

BENCHMARK_MAIN();
