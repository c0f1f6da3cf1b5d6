// SPDX-License-Identifier: Apache-2.0
// What was detected. Later kinds (race, lock order, runtime rules) add to Kind.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/events/event.h"
#include "raceguard/abi/histogram.h"

namespace raceguard::detect {

// Durations counted in the buckets of raceguard/abi/histogram.h.
struct Histogram {
  std::array<std::uint64_t, RG_HISTOGRAM_BUCKETS> counts{};
  [[nodiscard]] std::uint64_t total() const;
  // The upper bound of the bucket that holds the q-quantile (0 < q <= 1); 0 if empty. At most 25 % above the true
  // value; the last bucket is open, so 8.6 s means 7.5 s or longer.
  [[nodiscard]] std::int64_t quantile_ns(double q) const;
  Histogram& operator+=(const Histogram& other);
  // What was added since `earlier`; a bucket that shrank (slot reused) counts as new.
  [[nodiscard]] Histogram since(const Histogram& earlier) const;
};

struct FunctionFigures {
  std::uint32_t function_id = 0;
  std::string guard;
  std::string name;    // of the FunctionGuard
  std::string symbol;  // demangled
  std::uint64_t calls = 0;
  std::uint64_t returns = 0;  // that were seen: of all calls, or of a sample; so are errors, slow, total, latency
  std::uint64_t errors = 0;
  std::uint64_t slow = 0;
  std::uint64_t in_flight = 0;  // estimated from the sample
  double return_share = 1;      // of the calls, those whose return is seen now
  std::int64_t total_ns = 0;
  std::int64_t max_ns = 0;
  Histogram latency;
  std::uint64_t foreign = 0;  // entries by processes that are no target
  std::int64_t cost_ns = 0;   // that its probes took of its callers' time, calibrated
  double cost_share = 0;      // of the targets' CPU time in the last ten seconds
  std::int64_t added_ns = 0;  // to each call, by its probes
};

// A code site with how often it was seen and, for waiters, how long it waited.
struct RankedSite {
  std::shared_ptr<const events::Stack> stack;  // never null; shared with the snapshots, which are many
  std::uint64_t count = 0;
  std::int64_t total_wait_ns = 0;
  pid_t last_tid = 0;
};

struct LockFigures {
  pid_t pid = 0;
  std::uint64_t address = 0;
  std::string guard;
  std::string name;  // symbol, member of a type, or "lock first taken in F"
  events::LockStackEvent::WaitKind wait_kind = events::LockStackEvent::WaitKind::kLock;
  std::uint64_t waits = 0;
  std::uint64_t wakes = 0;
  std::uint32_t waiting_now = 0;
  std::int64_t total_wait_ns = 0;
  std::int64_t longest_wait_ns = 0;
  Histogram wait;
  std::vector<RankedSite> waiters;  // dearest first
  std::vector<RankedSite> holders;  // most frequent first
  std::uint64_t other_waiters = 0;  // samples of sites that are not in the list (bounded memory)
  std::uint64_t other_holders = 0;
};

enum class Verdict { kProven, kLikely, kInfo };
inline constexpr std::array<std::string_view, 3> kVerdictNames{"proven", "likely", "info"};  // by Verdict

struct Deadlock;      // daemon/detect/deadlock_finding.h
struct OrderedLocks;  // daemon/detect/lock_order_finding.h

struct Finding {
  enum class Kind { kContention, kSlowFunction, kFailingFunction, kDeadlock, kLockOrder };
  Kind kind = Kind::kContention;
  Verdict verdict = Verdict::kInfo;
  std::string guard;
  std::string subject;             // the lock's or the function's name
  std::string text;                // one sentence for people
  std::int64_t first_seen_ns = 0;  // CLOCK_REALTIME
  std::int64_t last_seen_ns = 0;
  std::uint64_t count = 0;
  std::shared_ptr<const Deadlock> deadlock;        // kDeadlock only
  std::shared_ptr<const OrderedLocks> lock_order;  // kLockOrder only
};

}  // namespace raceguard::detect
