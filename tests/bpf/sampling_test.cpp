// SPDX-License-Identifier: Apache-2.0
// Where a running program's threads are, and which addresses that tells.
#include <algorithm>

#include "daemon/address_sampler.h"
#include "daemon/events/code_sample.h"
#include "daemon/targets/process_reader.h"
#include "tests/bpf/watched.h"

namespace raceguard::test {
namespace {

constexpr unsigned kHz = 199;

class WatchedSampling : public Watched {
 protected:
  // Calls `take` with each sample of the ring.
  void each_sample(const std::function<void(std::span<const std::byte>)>& take) {
    require(watcher_
                .drain([&](std::span<const std::byte> bytes) {
                  ASSERT_TRUE(events::is_code_sample(bytes));
                  take(bytes);
                })
                .map([](std::size_t) {}));
  }
  kernel::WatchOrder code_order(std::uint64_t address) {
    return {.generation = ++generation_, .tgid = racer_.pid(), .address = address, .locks = {}, .is_code = true};
  }
};

TEST_F(WatchedSampling, TheClockTellsWhereTheProcessRunsAndNoOther) {
  racer_.run("start racy");
  require(watcher_.start_sampling(racer_.pid(), kHz));
  std::vector<pid_t> threads;
  ASSERT_TRUE(eventually([&] {
    each_sample([&](std::span<const std::byte> bytes) {
      const auto sample = events::decode_code_sample(bytes);
      ASSERT_TRUE(sample) << sample.error().to_string();
      EXPECT_EQ(sample->source, RG_SAMPLE_CLOCK);
      EXPECT_EQ(sample->where.tgid, static_cast<rg_u32>(racer_.pid()));
      EXPECT_FALSE(sample->where.stack.empty());
      EXPECT_EQ(sample->red_zone.size(), std::size_t{RG_RED_ZONE_BYTES});
      EXPECT_TRUE(sample->read_stack(sample->where.registers[events::kStackPointerRegister]));
      if (std::find(threads.begin(), threads.end(), sample->where.tid) == threads.end()) {
        threads.push_back(static_cast<pid_t>(sample->where.tid));
      }
    });
    return threads.size() >= 2;
  }));
  require(watcher_.stop_sampling());
  const auto before = watcher_.read_sample_figures().value();
  EXPECT_GE(before.samples, 2U);
  EXPECT_GT(before.run_ns, 0U);
  racer_.run("touch 1000000");
  EXPECT_EQ(watcher_.read_sample_figures()->samples, before.samples);
}

TEST_F(WatchedSampling, AnInstructionIsMetBeforeItRunsAndOnlyAsOftenAsAllowed) {
  const std::uint64_t entry = address("increment");
  arm(0, code_order(entry + 1));  // inside an instruction: never met, and no harm
  require(watcher_.allow(0, 4));
  arm(1, code_order(entry));
  racer_.run("start racy");
  require(watcher_.allow(1, 1));
  std::vector<events::Registers> met;
  const auto take = [&](std::span<const std::byte> bytes) {
    const auto sample = events::decode_code_sample(bytes);
    ASSERT_TRUE(sample) << sample.error().to_string();
    EXPECT_EQ(sample->source, RG_SAMPLE_CODE);
    EXPECT_EQ(sample->generation, generation_);
    met.push_back(sample->where.registers);
  };
  ASSERT_TRUE(eventually([&] {
    each_sample(take);
    return !met.empty();
  }));
  for (int i = 0; i < 50; ++i) {
    racer_.run("touch 1000");  // both threads run on meanwhile
  }
  each_sample(take);
  EXPECT_LE(met.size(), watcher_.cpus());
  for (const events::Registers& registers : met) {
    EXPECT_EQ(registers[events::kInstructionRegister], entry);
  }
  EXPECT_EQ(figures(1).hits, met.size());
  EXPECT_EQ(figures(0).hits, 0U);
  EXPECT_EQ(figures(1).holds, 0U);
}

class WatchedAddresses : public WatchedSampling {
 protected:
  WatchedAddresses() {
    const targets::ProcessReader reader("/proc");
    binaries_ = reader.read_binaries(reader.read_identity(racer_.pid())->id).value();
    sampler_.follow();
  }
  // Until the word is among what the sampler would have watched as touched by two threads.
  bool finds(std::uint64_t word) {
    return eventually([&] {
      each_sample([&](std::span<const std::byte> bytes) { sampler_.add(bytes); });
      for (const plan::WatchCandidate& candidate : sampler_.take(SystemClock().monotonic_ns())) {
        EXPECT_EQ(candidate.source, plan::WatchSource::kSampled);
        found_ = found_ || (candidate.shared && candidate.address == word);
      }
      return found_;
    });
  }

  symbols::Resolver resolver_;
  app::RaceSubjects subjects_{resolver_};
  std::vector<targets::MappedBinary> binaries_;
  app::AddressSampler sampler_{racer_.pid(), subjects_, resolver_, binaries_};
  bool found_ = false;
};

TEST_F(WatchedAddresses, AHeapWordOfTwoThreadsIsFoundByTheClockAlone) {
  racer_.run("start on_heap");
  require(watcher_.start_sampling(racer_.pid(), kHz));
  EXPECT_TRUE(finds(address("heap")));
  EXPECT_GT(sampler_.figures().words_by_clock, 0U);
}

TEST_F(WatchedAddresses, AnAddressThatCannotBeComputedIsFoundByTheInstructionsTurn) {
  const std::uint64_t cells = address("heap") + 64;
  racer_.run("start hashed");
  // The clock tells the functions, and is then put off.
  require(watcher_.start_sampling(racer_.pid(), kHz));
  ASSERT_TRUE(eventually([&] {
    each_sample([&](std::span<const std::byte> bytes) { sampler_.add(bytes); });
    return watcher_.read_sample_figures()->samples >= 20;
  }));
  require(watcher_.stop_sampling());
  each_sample([&](std::span<const std::byte> bytes) { sampler_.add(bytes); });
  static_cast<void>(sampler_.take(SystemClock().monotonic_ns()));
  std::int64_t turn_ns = 0;
  EXPECT_TRUE(eventually([&] {
    const std::int64_t now_ns = SystemClock().monotonic_ns();
    if (turn_ns == 0) {
      if (const auto instruction = sampler_.next_instruction(now_ns)) {
        arm(0, code_order(*instruction));
        require(watcher_.allow(0, 1));
        turn_ns = now_ns;
      }
    } else if (watcher_.remaining(0).value() < watcher_.cpus() || now_ns - turn_ns > 20 * kNsPerMs) {
      require(watcher_.disarm(0));
      sampler_.visited(true, now_ns - turn_ns, now_ns);
      turn_ns = 0;
    }
    each_sample([&](std::span<const std::byte> bytes) { sampler_.add(bytes); });
    for (const plan::WatchCandidate& candidate : sampler_.take(now_ns)) {
      found_ = found_ || (candidate.address >= cells && candidate.address < cells + 256);
    }
    return found_ && sampler_.figures().words_by_turn > 0;
  }));
}

TEST(SamplingRate, TakesATenthOfTheBudgetAndMoreOnlyOfTheSeldomRunning) {
  using app::AddressSampler;
  const double cost_ns = AddressSampler::sample_cost_ns(10'000);
  const unsigned least = AddressSampler::rate_hz(0.01, cost_ns, 2);
  EXPECT_LE(2 * least * cost_ns, 0.001 * kNsPerSecond);
  EXPECT_GE(2 * (least + 1) * cost_ns, 0.001 * kNsPerSecond);
  EXPECT_GE(AddressSampler::rate_hz(0.01, cost_ns, 1000), 1U);
  EXPECT_EQ(AddressSampler::adapted_hz(least, least, 2.0 * least, 2), least) << "it has both CPUs";
  EXPECT_EQ(AddressSampler::adapted_hz(least, least, 0, 2), 4 * least) << "it sleeps";
  EXPECT_EQ(AddressSampler::adapted_hz(4 * least, least, 8.0 * least, 2), least) << "it woke up";
  EXPECT_EQ(AddressSampler::adapted_hz(100, 100, 0, 2), 100U) << "199 is the most, and a small change is none";
}

}  // namespace
}  // namespace raceguard::test
