// SPDX-License-Identifier: Apache-2.0
// The part of the search that learns addresses from running code (docs/adr/0005-address-sampling.md).
#include "daemon/race_watch.h"

#include <algorithm>

namespace raceguard::app {
namespace {

// A hot instruction is met in microseconds; one that is not by then would keep the register from watching a variable.
constexpr std::int64_t kTurnNs = 10 * kNsPerMs;
constexpr unsigned kTurnHits = 1;  // per CPU

}  // namespace

// Sampling is on from the first step after open() or pause().
Result<void> RaceWatch::step_sampling(std::int64_t now_ns) {
  if (!sampler_) {
    return {};
  }
  const auto figures = registers_.watcher.read_sample_figures();
  if (!figures) {
    return fail(figures.error());
  }
  if (!sampling_) {
    sampling_hz_ = std::max(sampling_hz_, least_hz());
    if (auto started = registers_.watcher.start_sampling(id_.pid, sampling_hz_); !started) {
      sampler_note_ = started.error().to_string();
      sampler_.reset();
      return {};
    }
    sampling_ = true;
    samples_seen_ = samples_rated_ = figures->samples;
    rated_ns_ = now_ns;
  }
  const std::uint64_t samples = figures->samples - samples_seen_;
  samples_seen_ = figures->samples;
  cost_.samples += samples;
  tokens_ns_ -= static_cast<double>(samples) * AddressSampler::sample_cost_ns(options_.cost.hit_ns);
  for (const plan::WatchCandidate& candidate : sampler_->take(now_ns)) {
    rotation_.offer(candidate, now_ns);
  }
  return adapt_rate(now_ns);
}

unsigned RaceWatch::least_hz() const {
  return AddressSampler::rate_hz(options_.budget, AddressSampler::sample_cost_ns(options_.cost.hit_ns),
                                 registers_.watcher.cpus());
}

Result<void> RaceWatch::adapt_rate(std::int64_t now_ns) {
  const std::int64_t elapsed_ns = now_ns - rated_ns_;
  if (elapsed_ns < kNsPerSecond) {
    return {};
  }
  const double samples_a_second = static_cast<double>(samples_seen_ - samples_rated_) *
                                  static_cast<double>(kNsPerSecond) / static_cast<double>(elapsed_ns);
  rated_ns_ = now_ns;
  samples_rated_ = samples_seen_;
  const unsigned hz = AddressSampler::adapted_hz(sampling_hz_, least_hz(), samples_a_second, registers_.watcher.cpus());
  if (hz == sampling_hz_) {
    return {};
  }
  sampling_hz_ = hz;
  return registers_.watcher.start_sampling(id_.pid, hz);
}

Result<void> RaceWatch::stop_sampling() {
  if (!sampling_) {
    return {};
  }
  sampling_ = false;
  return registers_.watcher.stop_sampling();
}

// An execution breakpoint slows nothing down but its instruction: where the time of the others is limited, one register
// is kept for code.
bool RaceWatch::is_for_code(unsigned index) const {
  return armed_time_.is_limited() && sampler_ && index > 0 && index + 1 == slots_.size();
}

// One at a time, and only of what the budget has left.
bool RaceWatch::code_has_turn(unsigned index) const {
  return sampler_ && tokens_ns_ > 0 &&
         (armed_time_.is_limited()
              ? is_for_code(index)
              : std::none_of(slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.is_code; }));
}

Result<void> RaceWatch::arm_code(unsigned index, std::uint64_t instruction, std::int64_t now_ns) {
  Slot& slot = slots_[index];
  const kernel::WatchOrder order{.generation = registers_.next_generation++,
                                 .tgid = id_.pid,
                                 .address = instruction,
                                 .locks = {},
                                 .is_code = true};
  if (auto armed = registers_.watcher.arm(index, order); !armed) {
    return armed;
  }
  const auto figures = registers_.watcher.read_figures(index);
  if (!figures) {
    return fail(figures.error());
  }
  slot = Slot{.candidate = std::nullopt,
              .generation = order.generation,
              .since_ns = now_ns,
              .armed_ns = 0,
              .looked_ns = now_ns,
              .at_arm = *figures,
              .last = *figures,
              .outcome = {},
              .is_code = true};
  return registers_.watcher.allow(index, kTurnHits);
}

Result<void> RaceWatch::step_code(unsigned index, std::int64_t now_ns) {
  Slot& slot = slots_[index];
  const auto figures = registers_.watcher.read_figures(index);
  if (!figures) {
    return fail(figures.error());
  }
  charge(slot, *figures);
  const bool hit = figures->hits != slot.at_arm.hits;
  const std::int64_t took_ns = now_ns - slot.since_ns;
  if (!hit && took_ns < kTurnNs) {
    return {};
  }
  sampler_->visited(hit, took_ns, now_ns);
  if (auto ended = end_code(index); !ended) {
    return ended;
  }
  return arm(index, now_ns);
}

Result<void> RaceWatch::end_code(unsigned index) {
  slots_[index] = Slot{};
  return registers_.watcher.disarm(index);
}

detect::SamplerFigures RaceWatch::sampled() const {
  detect::SamplerFigures figures = sampler_ ? sampler_->figures() : detect::SamplerFigures{};
  figures.samples = cost_.samples;
  return figures;
}

}  // namespace raceguard::app
