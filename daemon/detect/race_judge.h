// SPDX-License-Identifier: Apache-2.0
// From accesses to findings. One order is one address watched for a while; the judge keeps what its accesses told, and
// what was ever told of the address (an atomic access seen once speaks for all later orders). Bounded.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "daemon/detect/access_pair.h"
#include "daemon/detect/race_finding.h"
#include "daemon/events/access_event.h"
#include "raceguard/abi/race.h"

namespace raceguard::detect {

struct CandidateLock {
  std::string name;
  std::uint64_t address = 0;
  rg_lock_kind kind = RG_LOCK_NONE;
};

// What one order watches.
struct WatchSubject {
  RaceVariable variable;
  std::uint64_t address = 0;
  std::uint32_t length = 8;
  std::vector<CandidateLock> locks;  // in the order of the kernel's candidates
};

// What the kernel counted for one instruction under one order.
struct SiteCounts {
  std::uint64_t ip = 0;
  std::uint64_t count = 0;
  std::uint32_t threads = 1;  // 1, or 2 for two and more
  std::array<std::uint64_t, RG_CANDIDATE_LOCKS> held{};
  std::array<std::uint64_t, RG_CANDIDATE_LOCKS> broken{};
};

struct RaceJudgeOptions {
  std::function<AccessFacts(const events::AccessEvent&)> facts;  // of an access's code; asked once a site
  std::function<std::string(pid_t tid)> thread_name;
  std::size_t max_findings = 512;
  // A lock is the variable's lock when it is held at this share of its accesses, of at least so many ...
  double lock_share = 0.95;
  std::uint64_t lock_accesses = 200;
  // ... and is reported as missed after so many accesses without it beside another thread's with it.
  std::uint64_t lock_broken = 3;
  std::uint64_t value_changes = 2;  // so many before they are reported
};

struct RaceJudgeCounters {
  std::uint64_t pairs = 0;  // of accesses that overlapped
  std::uint64_t races = 0;
  std::uint64_t both_read = 0;
  std::uint64_t both_atomic = 0;
  std::uint64_t other_bytes = 0;
  std::uint64_t unknown = 0;
  std::uint64_t findings_lost = 0;  // beyond max_findings
};

class RaceJudge {
 public:
  explicit RaceJudge(RaceJudgeOptions options);

  void begin(std::uint64_t generation, WatchSubject subject);
  // An access of an order that has begun and is not forgotten; others are ignored.
  void add(const events::AccessEvent& event, std::int64_t realtime_ns);
  // What the instruction does to the watched bytes, for the kernel to pass over overlaps that are no race.
  [[nodiscard]] rg_access_mode mode_of(const events::AccessEvent& event);
  // The order's figures, at its end or before; judges the locks. An instruction that was never decoded counts.
  void judge_locks(std::uint64_t generation, const std::vector<SiteCounts>& sites, std::int64_t realtime_ns);
  // No more events of this order will come; its address was under watch for so long.
  void end(std::uint64_t generation, std::int64_t armed_ns = 0);

  // Proven first, then likely, then info; by count. The untyped ones of an address that turned out atomic are gone.
  [[nodiscard]] std::vector<RaceFinding> findings() const;
  [[nodiscard]] const RaceJudgeCounters& counters() const { return counters_; }
  // A proof of the order's variable was had: no more holds are needed for it.
  [[nodiscard]] bool proven(std::uint64_t generation) const;
  // The order's address is accessed atomically, and no plain instruction was seen to write it.
  [[nodiscard]] bool harmless(std::uint64_t generation) const;
  // A plain instruction was seen to write it.
  [[nodiscard]] bool written(std::uint64_t generation) const;

 private:
  struct Pair {
    std::vector<events::AccessEvent> held;      // none or one
    std::vector<events::AccessEvent> overlaps;  // that came before the held one was told
  };
  struct Order {
    WatchSubject subject;
    std::map<std::uint64_t, Pair> pairs;                   // by pair id
    std::map<std::uint64_t, events::AccessEvent> seen;     // one access of each instruction, by ip
    std::map<std::uint64_t, std::uint64_t> value_changes;  // by ip of the held access
    bool proven = false;
    bool plain_write = false;
    bool undecoded = false;
  };
  struct Entry {
    RaceFinding finding;
    bool certain = false;  // stays what it is when an atomic access to the address is seen later
  };
  // Two sites, a name where it stands for one address, the evidence.
  using Key = std::tuple<std::uint64_t, std::uint64_t, std::string, RaceEvidence>;

  void remember(Order& order, const events::AccessEvent& event);
  void pair_up(Order& order, const events::AccessEvent& event, std::int64_t realtime_ns);
  void judge_overlap(Order& order, const events::AccessEvent& held, const events::AccessEvent& other,
                     std::int64_t realtime_ns);
  void judge_value_change(Order& order, const events::AccessEvent& held, std::int64_t realtime_ns);
  void judge_lock(Order& order, const std::vector<SiteCounts>& sites, std::size_t lock, std::int64_t realtime_ns);
  void put(Entry entry, std::int64_t realtime_ns);
  [[nodiscard]] WatchedBytes bytes(const Order& order) const;
  // As far as the type holds for one of the two: then that one is not atomic, whatever the other is.
  [[nodiscard]] WatchedBytes bytes(const Order& order, const events::AccessEvent& one,
                                   const events::AccessEvent& other) const;
  [[nodiscard]] RaceSite site(const Order& order, const events::AccessEvent& event);
  [[nodiscard]] AccessFacts facts(const events::AccessEvent& event);

  RaceJudgeOptions options_;
  std::map<std::uint64_t, Order> orders_;
  std::set<std::uint64_t> atomic_addresses_;
  std::set<std::uint64_t> read_addresses_;  // some access only read them
  std::map<Key, Entry> findings_;
  std::map<std::uint64_t, AccessFacts> facts_;  // by ip
  RaceJudgeCounters counters_;
};

}  // namespace raceguard::detect
