// SPDX-License-Identifier: Apache-2.0
#include "daemon/detect/lock_advice.h"

#include <algorithm>

#include <fmt/format.h>

#include "daemon/detect/site_text.h"

namespace raceguard::detect {
namespace {

std::string share_text(double share) { return fmt::format("{:.0f} %", share * 100); }

std::string mix_text(const LockUse& use) {
  return fmt::format("{} of {} acquisitions read ({} reads, {} writes)", share_text(use.read_share()),
                     use.acquisitions(), use.reads, use.writes);
}

std::string hold_text(const LockUse& use) {
  const std::int64_t half_ns = use.hold_quantile_ns(0.5);
  return half_ns == 0
             ? fmt::format("half of the holds are shorter than the probes can tell ({})", duration_text(use.probe_ns))
             : fmt::format("half of the holds take up to {}", duration_text(half_ns));
}

bool is_short(const LockUse& use, const LockAdviceRules& rules) {
  return use.hold_quantile_ns(0.5) <= rules.short_hold_ns;
}

bool is_read_mostly(const LockUse& use, const LockAdviceRules& rules) {
  return use.read_share() >= rules.read_share &&
         static_cast<double>(use.reads) >= rules.reads_per_write * static_cast<double>(use.writes + use.unknown);
}

LockAdvice advise_read_mostly(const LockUse& use, const LockAdviceRules& rules) {
  const bool is_rwlock = use.kind == RG_LOCK_PTHREAD_RWLOCK;
  if (is_short(use, rules)) {
    if (use.replaces_whole) {
      return {LockChange::kAtomicPointer,
              fmt::format("publish the data by an atomic pointer (RCU, std::atomic<std::shared_ptr>): {}, {}, and who "
                          "writes only replaces a pointer",
                          mix_text(use), hold_text(use))};
    }
    return {LockChange::kKeep,
            fmt::format("read-mostly, but {}: taking a reader-writer lock costs as much as that. If "
                        "the data can be replaced whole, an atomic pointer does without the lock ({})",
                        hold_text(use), mix_text(use))};
  }
  if (is_rwlock) {
    return {LockChange::kKeep,
            fmt::format("a reader-writer lock is right here: {}, {}", mix_text(use), hold_text(use))};
  }
  if (use.write_paths > rules.few_paths) {
    return {LockChange::kKeep, fmt::format("read-mostly, but {} places write: too many to be sure of each ({})",
                                           use.write_paths, mix_text(use))};
  }
  return {LockChange::kReadWriteLock,
          fmt::format("make it a reader-writer lock: {}, {}, and {} to write", mix_text(use), hold_text(use),
                      use.write_paths == 1   ? std::string("one place takes it")
                      : use.write_paths == 0 ? std::string("no place took it")
                                             : fmt::format("{} places take it", use.write_paths))};
}

LockAdvice advise_mode(const LockUse& use, const LockAdviceRules& rules) {
  const bool is_rwlock = use.kind == RG_LOCK_PTHREAD_RWLOCK;
  const double known = 1 - static_cast<double>(use.unknown) / static_cast<double>(use.acquisitions());
  if (known < rules.known_share) {
    return {LockChange::kKeep,
            fmt::format("whether its sections read or write is known of {} of {} acquisitions only: their code calls "
                        "other functions, or is out of sight",
                        share_text(known), use.acquisitions())};
  }
  if (is_read_mostly(use, rules)) {
    return advise_read_mostly(use, rules);
  }
  if (is_rwlock && use.read_share() < rules.read_share) {
    return {LockChange::kMutex, fmt::format("make it a mutex: only {}; a reader-writer lock costs more than it gives "
                                            "below {}",
                                            mix_text(use), share_text(rules.read_share))};
  }
  return {LockChange::kKeep, fmt::format("{} is right here: {}, {}", is_rwlock ? "a reader-writer lock" : "a mutex",
                                         mix_text(use), hold_text(use))};
}

}  // namespace

double LockUse::read_share() const {
  return reads + writes == 0 ? 0 : static_cast<double>(reads) / static_cast<double>(reads + writes);
}

std::int64_t LockUse::hold_quantile_ns(double q) const {
  return std::max<std::int64_t>(std::min(hold.quantile_ns(q), max_hold_ns) - probe_ns, 0);
}

std::vector<LockAdvice> advise(const LockUse& use, const LockAdviceRules& rules) {
  if (use.acquisitions() < rules.fewest_acquisitions) {
    return {{LockChange::kTooFew,
             fmt::format("too few figures: {} in {} of bursts, {} are needed",
                         count_text(use.acquisitions(), "acquisition"),
                         duration_text(static_cast<std::int64_t>(use.seconds * 1e9)), rules.fewest_acquisitions)}};
  }
  if (!use.many_threads) {
    return {{LockChange::kKeep,
             fmt::format("one thread alone took it, {} times: nobody waits for it", use.acquisitions())}};
  }
  std::vector<LockAdvice> advice{advise_mode(use, rules)};
  const double contended = static_cast<double>(use.contended) / static_cast<double>(use.acquisitions());
  if (contended >= rules.contended_share && use.busiest_share >= rules.meeting_share &&
      use.busiest_stacks >= rules.many_stacks) {
    advice.push_back({LockChange::kSplit,
                      fmt::format("split it (by key, or a lock for each part): {} of its acquisitions waited, and {} "
                                  "come from one place, which at least {} different stacks call",
                                  share_text(contended), share_text(use.busiest_share), use.busiest_stacks)});
  }
  return advice;
}

}  // namespace raceguard::detect
