// SPDX-License-Identifier: Apache-2.0
#include "daemon/address_sampler.h"

#include <algorithm>
#include <array>

#include "daemon/kernel/process_memory.h"
#include "raceguard/clock.h"

namespace raceguard::app {
namespace {

constexpr double kShareOfBudget = 0.1;
constexpr double kLeastHz = 5;
constexpr double kMostHz = 199;
constexpr double kMostTimes = 4;
constexpr std::size_t kMostFrames = 6;  // whose code is followed
constexpr unsigned kReadsOfOne = 16;    // 2 us each
constexpr std::int64_t kTurnPeriodNs = 20 * kNsPerMs;
constexpr unsigned kMostDoublings = 6;  // of that, while no thread comes to any of the instructions
constexpr std::int64_t kTurnRest = 4;   // times as long as a turn took: a fifth of one address register

// What a function keeps for its caller (System V x86-64 ABI, figure 3.4), by DWARF number: rbx rbp rsp r12..r15.
constexpr std::array<std::size_t, 7> kKept = {3, 6, 7, 12, 13, 14, 15};

symbols::KnownRegisters known(const events::Registers& registers, bool innermost) {
  symbols::KnownRegisters result;
  for (std::size_t i = 0; i < result.size(); ++i) {
    if (innermost || std::find(kKept.begin(), kKept.end(), i) != kKept.end()) {
      result.at(i) = registers.at(i);
    }
  }
  return result;
}

// Of the C library only what it does to the memory that it is given: copies and searches. The rest is its own.
bool is_of_the_caller(const symbols::MemoryAccess& access) { return access.vector || access.string_instruction; }

}  // namespace

unsigned AddressSampler::rate_hz(double budget, double sample_cost_ns, unsigned cpus) {
  const double hz = budget * kShareOfBudget * static_cast<double>(kNsPerSecond) / (sample_cost_ns * cpus);
  return static_cast<unsigned>(std::clamp(hz, kLeastHz, kMostHz));
}

unsigned AddressSampler::adapted_hz(unsigned hz, unsigned least_hz, double samples_a_second, unsigned cpus) {
  const double allowed = static_cast<double>(least_hz) * cpus;
  const double wanted = hz * allowed / std::max(samples_a_second, 1.0);
  const double most = std::max(std::min(kMostTimes * least_hz, kMostHz), static_cast<double>(least_hz));
  const auto next = static_cast<unsigned>(std::clamp(wanted, static_cast<double>(least_hz), most));
  const bool much_the_same = next < 2 * hz && hz < 2 * next;  // a new rate opens the clocks anew
  return much_the_same ? hz : next;
}

void AddressSampler::follow() {
  if (auto ranges = kernel::shared_ranges(pid_)) {
    ranges_ = std::move(*ranges);
  }
}

bool AddressSampler::is_shared_memory(std::uint64_t address) const {
  const auto next =
      std::upper_bound(ranges_.begin(), ranges_.end(), address,
                       [](std::uint64_t at, const kernel::MemoryRange& range) { return at < range.start; });
  return next != ranges_.begin() && address < std::prev(next)->end;
}

void AddressSampler::add(std::span<const std::byte> record) {
  const auto sample = events::decode_code_sample(record);
  if (!sample || static_cast<pid_t>(sample->where.tgid) != pid_) {
    return;
  }
  reads_left_ = kReadsOfOne;
  std::vector<events::Registers> registers;
  const events::UnwoundStack stack = unwinder_.unwind(sample->where, binaries_, registers);
  // A turn's hit is about its own instruction; its callers are what the clock sees all the time.
  const std::size_t frames = sample->source == RG_SAMPLE_CODE ? 1 : std::min(stack.frames.size(), kMostFrames);
  for (std::size_t i = 0; i < frames; ++i) {
    add_frame(*sample, stack.frames[i], registers[i], i == 0);
  }
}

void AddressSampler::add_frame(const events::CodeSample& sample, const events::Frame& frame,
                               const events::Registers& registers, bool innermost) {
  const bool is_system = frame.binary != nullptr && RaceSubjects::is_system_library(frame.binary->path);
  if (frame.binary == nullptr || frame.address == 0 || (is_system && !innermost)) {
    return;
  }
  const auto file = resolver_.file(frame.binary->host_path);
  if (!file) {
    return;
  }
  const std::uint64_t bias = frame.ip - frame.address;
  const auto touched = symbols::touched_next(**file, frame.address, known(registers, innermost), bias,
                                             [&](std::uint64_t address) { return read_word(sample, address); });
  for (const symbols::TouchedAddress& one : touched) {
    if (!is_system) {
      turns_.know(one.instruction + bias);
    }
    if (!is_shared_memory(one.address) || (is_system && !is_of_the_caller(one.access))) {
      continue;
    }
    const std::uint64_t words = words_.words();
    words_.add(one.address, one.access.width_bytes, static_cast<pid_t>(sample.where.tid),
               one.access.mode != symbols::AccessMode::kRead, sample.where.time_ns);
    (sample.source == RG_SAMPLE_CLOCK ? figures_.words_by_clock : figures_.words_by_turn) += words_.words() - words;
  }
  if (!is_system) {
    see_function(**file, frame);
  }
}

void AddressSampler::see_function(const symbols::ElfFile& file, const events::Frame& frame) {
  const auto start = symbols::function_start(file, frame.address);
  const std::uint64_t bias = frame.ip - frame.address;
  if (!start || turns_.see(*start + bias)) {
    return;
  }
  std::vector<std::uint64_t> instructions = symbols::memory_instructions(file, *start);
  for (std::uint64_t& instruction : instructions) {
    instruction += bias;
  }
  turns_.add(*start + bias, std::move(instructions));
}

// The thread's stack as it was; other memory as it is by now.
std::optional<std::uint64_t> AddressSampler::read_word(const events::CodeSample& sample, std::uint64_t address) {
  if (const auto word = sample.read_stack(address)) {
    return word;
  }
  if (reads_left_ == 0 || !is_shared_memory(address)) {
    return std::nullopt;
  }
  --reads_left_;
  std::uint64_t word = 0;
  const std::size_t got = kernel::read_memory(pid_, address, std::as_writable_bytes(std::span(&word, 1)));
  return got == sizeof word ? std::optional(word) : std::nullopt;
}

std::vector<plan::WatchCandidate> AddressSampler::take(std::int64_t now_ns) {
  std::vector<plan::WatchCandidate> candidates;
  for (const plan::SampledWord& word : words_.take(now_ns)) {
    for (plan::WatchCandidate candidate : subjects_.in_word(word.address)) {
      candidate.source = plan::WatchSource::kSampled;
      candidate.shared = word.shared;
      candidates.push_back(candidate);
    }
  }
  figures_.shared_words = words_.shared();
  return candidates;
}

std::optional<std::uint64_t> AddressSampler::next_instruction(std::int64_t now_ns) {
  if (now_ns < next_turn_ns_) {
    return std::nullopt;
  }
  next_turn_ns_ = now_ns + kTurnPeriodNs;
  return turns_.next();
}

void AddressSampler::visited(bool hit, std::int64_t took_ns, std::int64_t now_ns) {
  ++figures_.turns;
  figures_.turns_hit += hit ? 1 : 0;
  missed_turns_ = hit ? 0 : missed_turns_ + 1;
  const std::int64_t period_ns = kTurnPeriodNs << std::min(missed_turns_ / 8, kMostDoublings);
  next_turn_ns_ = now_ns + std::max(period_ns, kTurnRest * took_ns);
}

}  // namespace raceguard::app
