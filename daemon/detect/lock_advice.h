// SPDX-License-Identifier: Apache-2.0
// From a lock's figures to what to change about it. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/detect/finding.h"
#include "raceguard/abi/race.h"

namespace raceguard::detect {

// What bursts saw of one lock. A section is what happens from an acquisition to its release.
struct LockUse {
  rg_lock_kind kind = RG_LOCK_PTHREAD_MUTEX;
  double seconds = 0;             // of bursts
  std::uint64_t reads = 0;        // rwlock: by the function; mutex: sections whose code writes nothing that is shared
  std::uint64_t writes = 0;       // rwlock: by the function; mutex: sections whose code does
  std::uint64_t unknown = 0;      // mutex: sections whose code does not tell
  std::uint64_t contended = 0;    // acquisitions that had to wait
  std::int64_t wait_ns = 0;       // of these, together
  Histogram hold;                 // as measured, with the probes' own time
  std::int64_t hold_ns = 0;       // the same, together
  std::int64_t max_hold_ns = 0;   // the same
  std::int64_t probe_ns = 0;      // what the probes add to each hold
  std::uint32_t paths = 0;        // places that take it
  std::uint32_t write_paths = 0;  // of these, those that take it to write
  double busiest_share = 0;       // of the acquisitions, those from the place that takes it most
  std::uint32_t busiest_stacks = 0;  // callers' stacks that were seen above that place
  bool many_threads = false;         // more than one thread took it
  bool replaces_whole = false;       // each writing section stores one pointer and nothing else

  [[nodiscard]] std::uint64_t acquisitions() const { return reads + writes + unknown; }
  [[nodiscard]] double read_share() const;  // of those that are known
  // Without the probes' time; not less than 0.
  [[nodiscard]] std::int64_t hold_quantile_ns(double q) const;
};

enum class LockChange { kTooFew, kKeep, kMutex, kReadWriteLock, kAtomicPointer, kSplit };
inline constexpr std::string_view kLockChangeNames[] = {"too_few_figures",    "keep",           "mutex",
                                                        "reader_writer_lock", "atomic_pointer", "split"};

struct LockAdvice {
  LockChange change = LockChange::kKeep;
  std::string text;  // with the figures behind it
};

struct LockAdviceRules {
  std::uint64_t fewest_acquisitions = 100;
  double read_share = 0.7;
  double reads_per_write = 5;
  std::int64_t short_hold_ns = 200;  // half of the holds are at most so long
  std::uint32_t few_paths = 3;
  double known_share = 0.8;      // of a mutex's sections, whose code tells whether it writes
  double contended_share = 0.1;  // from here on a lock is worth splitting
  double meeting_share = 0.8;    // of the acquisitions, from one place
  std::uint32_t many_stacks = 4;
};

// Never empty.
[[nodiscard]] std::vector<LockAdvice> advise(const LockUse& use, const LockAdviceRules& rules = {});

}  // namespace raceguard::detect
