// SPDX-License-Identifier: Apache-2.0
#include "daemon/race_watch.h"

#include <poll.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>

#include <fmt/format.h>

#include "daemon/process_cpu.h"
#include "daemon/symbols/access.h"
#include "daemon/symbols/atomic_function.h"
#include "daemon/symbols/read_modify_write.h"

namespace raceguard::app {
namespace {

constexpr std::int64_t kArmedPauseNs = 8 * kNsPerMs;
constexpr std::int64_t kWindowPauseNs = 4 * kNsPerMs;
constexpr std::int64_t kLongestPauseNs = 60 * kNsPerMs;  // what is sampled is read and followed meanwhile
constexpr std::int64_t kFollowPeriodNs = kNsPerSecond;   // new mappings
constexpr std::int64_t kActivityPeriodNs = 500 * kNsPerMs;
constexpr std::int64_t kActivityRest = 200;  // times as long as a snapshot took: half a percent of one CPU at most
constexpr std::uint64_t kBesideLock = 64;    // bytes on either side of a contended lock
constexpr double kHoldShare = 0.6;           // of the budget; the rest is for the hits

std::string thread_name(pid_t pid, pid_t tid) {
  std::ifstream file(fmt::format("/proc/{}/task/{}/comm", pid, tid));
  std::string name;
  std::getline(file, name);
  return name;
}

// Whether a byte of the candidate is one that changed: two small variables may share the word.
bool touches(const kernel::ChangedWord& word, const plan::WatchCandidate& candidate) {
  const std::uint64_t differs = word.before ^ word.after;
  for (unsigned byte = 0; byte < sizeof(differs); ++byte) {
    const std::uint64_t address = word.address + byte;
    if ((differs >> 8 * byte & 0xffU) != 0 && address >= candidate.address &&
        address - candidate.address < candidate.length) {
      return true;
    }
  }
  return false;
}

}  // namespace

RaceWatch::RaceWatch(const RaceWatchOptions& options, WatchRegisters& registers, const Clock& clock,
                     targets::ProcessId id)
    : options_(options),
      clock_(clock),
      registers_(registers),
      id_(id),
      symboliser_(resolver_),
      decoder_(mappings_, symboliser_, resolver_),
      subjects_(resolver_),
      objects_([this](const ObjectOrder& order) { return subjects_.members(order); }),
      judge_(judge_options()),
      slots_(registers.watcher.slots()),
      armed_time_(options.cost.string_slowdown, options.budget) {}

RaceWatch::~RaceWatch() { static_cast<void>(stop_sampling()); }

detect::RaceJudgeOptions RaceWatch::judge_options() {
  detect::RaceJudgeOptions options;
  options.facts = [this](const events::AccessEvent& event) { return facts(event); };
  options.thread_name = [this](pid_t tid) { return thread_name(id_.pid, tid); };
  return options;
}

detect::AccessFacts RaceWatch::facts(const events::AccessEvent& event) const {
  detect::AccessFacts facts;
  if (event.stack.frames.empty() || !event.instruction) {
    return facts;
  }
  const symbols::CodeSite& code = event.stack.frames.front();
  // Functions inlined there are frames of their own at the same address.
  facts.atomic_function = std::any_of(event.stack.frames.begin(), event.stack.frames.end(), [&](const auto& frame) {
    return frame.address == code.address && !symbols::atomic_frame(frame).empty();
  });
  if (const symbols::ElfFile* file = subjects_.file(code.binary)) {
    facts.part_of_update = symbols::writes_what_it_read(*file, *event.instruction);
  }
  return facts;
}

Result<std::unique_ptr<RaceWatch>> RaceWatch::open(const RaceWatchOptions& options, WatchRegisters& registers,
                                                   const Clock& clock) {
  const targets::ProcessReader reader("/proc");
  const auto identity = reader.read_identity(options.pid);
  if (!identity) {
    return fail(identity.error());
  }
  std::unique_ptr<RaceWatch> watch(new RaceWatch(options, registers, clock, identity->id));
  if (auto started = watch->start(); !started) {
    return fail(std::move(started.error()));
  }
  return watch;
}

Result<void> RaceWatch::start() {
  pidfd_ = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, id_.pid, 0)));
  if (!pidfd_) {
    return fail_errno(ErrorCode::kTargetGone, fmt::format("cannot watch process {}", id_.pid), errno);
  }
  if (auto followed = follow_process(); !followed) {
    return followed;
  }
  const std::int64_t now_ns = clock_.monotonic_ns();
  unfound_ = options_.variables;
  if (auto named = look_for_names(now_ns); !named) {
    return named;
  }
  if (options_.automatic && options_.changes) {
    auto activity = kernel::MemoryActivity::open(id_.pid, {});
    if (activity) {
      activity_ = std::move(*activity);
      look_for_changes(now_ns);  // the first snapshot
    } else {
      activity_note_ = activity.error().to_string();
    }
  }
  if (options_.automatic && options_.samples) {
    sampler_.emplace(id_.pid, subjects_, resolver_, mappings_.binaries);
    sampler_->follow();
  }
  started_ns_ = now_ns;
  next_activity_ns_ = now_ns + 50 * kNsPerMs;
  cpu_at_start_ns_ = process_cpu_ns(id_.pid);
  return {};
}

// The pace of holds is the watcher's: each search has its own.
Result<void> RaceWatch::take_registers() {
  refilled_ns_ = stepped_ns_ = clock_.monotonic_ns();
  const double holds_a_second = options_.budget * kHoldShare * kNsPerSecond / static_cast<double>(options_.hold_ns);
  registers_.watcher.set_hold(options_.hold_ns);
  // Closer together where watchpoints are armed for a part of the time only: the mean is the same.
  const auto interval_ns = static_cast<std::int64_t>(armed_time_.share() * kNsPerSecond / holds_a_second);
  return registers_.watcher.set_hold_interval(std::max(interval_ns, 2 * options_.hold_ns));
}

Result<void> RaceWatch::look_for_names(std::int64_t now_ns) {
  unfound_notes_.clear();
  for (auto name = unfound_.begin(); name != unfound_.end();) {
    const auto candidates = subjects_.named(*name);
    if (!candidates) {
      if (!options_.missing_is_noted) {
        return fail(candidates.error());
      }
      unfound_notes_.push_back(candidates.error().to_string());
      ++name;
      continue;
    }
    for (const plan::WatchCandidate& candidate : *candidates) {
      rotation_.offer(candidate, now_ns);
    }
    if (const auto lock = options_.guarded_by.find(*name); lock != options_.guarded_by.end()) {
      if (const auto known = subjects_.guard(*candidates, lock->second); !known) {
        lock_notes_.push_back(known.error().to_string());
      }
    }
    name = unfound_.erase(name);
  }
  return {};
}

// The words around it, but for the lock's own: what it guards often lies beside it in one object.
void RaceWatch::add_lock(detect::CandidateLock lock) {
  constexpr std::uint64_t kWord = 8;
  const std::uint64_t begin = (lock.address - std::min(lock.address, kBesideLock)) & ~(kWord - 1);
  const std::uint64_t end = lock.address + sizeof(pthread_mutex_t) + kBesideLock;
  const std::int64_t now_ns = clock_.monotonic_ns();
  for (std::uint64_t word = begin; options_.automatic && word < end; word += kWord) {
    if (word + kWord > lock.address && word < lock.address + sizeof(pthread_mutex_t)) {
      continue;
    }
    for (plan::WatchCandidate candidate : subjects_.in_word(word)) {
      candidate.source = plan::WatchSource::kNearLock;
      rotation_.offer(candidate, now_ns);
    }
  }
  subjects_.add_lock(std::move(lock));
}

Result<void> RaceWatch::follow_process() {
  const targets::ProcessReader reader("/proc");
  auto binaries = reader.read_binaries(id_);
  if (!binaries) {
    return fail(std::move(binaries.error()));
  }
  mappings_.binaries = std::move(*binaries);
  const std::size_t known = subjects_.writable_ranges().size();
  subjects_.follow(mappings_.binaries);
  if (sampler_) {
    sampler_->follow();
  }
  if (subjects_.writable_ranges().size() == known) {
    return {};
  }
  if (options_.automatic && options_.globals) {
    for (const plan::WatchCandidate& candidate : subjects_.globals()) {
      rotation_.offer(candidate, clock_.monotonic_ns());
    }
  }
  return unfound_.empty() ? Result<void>{} : look_for_names(clock_.monotonic_ns());
}

void RaceWatch::look_for_changes(std::int64_t now_ns) {
  auto changed = activity_->step({});
  if (!changed) {
    activity_note_ = changed.error().to_string();
    activity_.reset();
    return;
  }
  for (const kernel::ChangedWord& word : *changed) {
    for (const plan::WatchCandidate& candidate : subjects_.in_word(word.address)) {
      if (touches(word, candidate)) {
        rotation_.offer(candidate, now_ns);
      }
    }
  }
}

Result<void> RaceWatch::drain() {
  const std::int64_t realtime_ns = clock_.realtime_ns();
  std::vector<events::AccessEvent> first_seen;
  auto drained = registers_.watcher.drain([&](std::span<const std::byte> bytes) {
    if (events::is_code_sample(bytes)) {
      if (sampler_) {
        sampler_->add(bytes);
      }
      return;
    }
    const auto event = decoder_.decode(bytes);
    if (!event) {
      return;  // counted by the decoder
    }
    judge_.add(*event, realtime_ns);
    if (event->role == RG_ACCESS_FIRST_SEEN) {
      first_seen.push_back(*event);
    }
  });
  if (!drained) {
    return fail(std::move(drained.error()));
  }
  for (const events::AccessEvent& event : first_seen) {
    const rg_access_mode mode = judge_.mode_of(event);
    if (mode == RG_ACCESS_MODE_UNKNOWN) {
      continue;
    }
    if (auto told = registers_.watcher.tell_access_mode({.generation = event.generation, .ip = event.ip}, mode);
        !told) {
      return told;
    }
  }
  return {};
}

Result<void> RaceWatch::step() {
  pollfd ended{.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
  if (::poll(&ended, 1, 0) > 0) {
    static_cast<void>(drain());
    return fail(ErrorCode::kTargetGone, fmt::format("process {} ended", id_.pid));
  }
  const std::int64_t now_ns = clock_.monotonic_ns();
  if (refilled_ns_ == 0) {  // at the start, and after a pause
    if (auto taken = take_registers(); !taken) {
      return taken;
    }
  }
  if (auto drained = drain(); !drained) {
    return drained;
  }
  if (now_ns >= next_follow_ns_) {
    next_follow_ns_ = now_ns + kFollowPeriodNs;
    if (auto followed = follow_process(); !followed) {
      return followed;
    }
  }
  if (activity_ && now_ns >= next_activity_ns_) {
    look_for_changes(now_ns);
    const std::int64_t took_ns = clock_.monotonic_ns() - now_ns;
    next_activity_ns_ = now_ns + std::max(kActivityPeriodNs, kActivityRest * took_ns);
  }
  if (auto forgotten = forget_objects(now_ns); !forgotten) {
    return forgotten;
  }
  if (auto sampled = step_sampling(now_ns); !sampled) {
    return sampled;
  }
  follow_time(now_ns);
  for (unsigned index = 0; index < slots_.size(); ++index) {
    if (auto stepped = step_slot(index, now_ns); !stepped) {
      return stepped;
    }
  }
  return may_arm_ ? spend(now_ns) : rest();
}

std::int64_t RaceWatch::pause_ns() const {
  if (!armed_time_.is_limited()) {
    return kArmedPauseNs;
  }
  return may_arm_ ? kWindowPauseNs : std::clamp(armed_time_.until_open_ns(), kWindowPauseNs, kLongestPauseNs);
}

Result<void> RaceWatch::pause() {
  const std::int64_t now_ns = clock_.monotonic_ns();
  for (unsigned index = 0; index < slots_.size(); ++index) {
    if (slots_[index].candidate) {
      if (auto given = give_back(index, now_ns); !given) {
        return given;
      }
    } else if (slots_[index].is_code) {
      if (auto ended = end_code(index); !ended) {
        return ended;
      }
    }
  }
  refilled_ns_ = 0;
  resting_ = true;
  armed_time_.pause(now_ns);
  return stop_sampling();
}

}  // namespace raceguard::app
