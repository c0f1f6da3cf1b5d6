// SPDX-License-Identifier: Apache-2.0
// Locks and functions as metric series with a bounded number of labels that never run backwards.
//
// The figures of a lock vanish when its process ends, and several locks share one name; sums over what is there now
// would fall, and Prometheus takes a falling counter for a restart and counts everything again. So each source's growth
// since the last look is added to the series that it belongs to at that moment.
//
// Who gets an own series: at each look the heaviest sources beyond those that have one, while fewer than `top_k` do. A
// name once given stays while the series has a source: without that, a lock near the boundary would flicker. It is
// freed when all its sources are gone. All others are summed as "other", per guard, so that sums over a guard are
// exact. A lock that gets its name late starts at what it grew from then on; its past stays in "other".
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "daemon/detect/finding.h"

namespace raceguard::exporting {

// Upper bounds of the exported histograms: 2^12 ns (4 us) to 2^32 ns (4.3 s) and 7.5 s, where the last bucket begins.
// All are borders of the ABI's buckets, so the counts are exact (a value equal to a border counts above it: 1 ns of
// difference).
inline constexpr std::size_t kBoundCount = 22;
inline constexpr std::uint32_t kFirstBoundExponent = 12;
[[nodiscard]] std::uint64_t bound_ns(std::size_t index);

// What grows, in the form in which it is exported: 22 counts and not 128, for 8192 locks.
struct Growing {
  std::array<std::uint64_t, kBoundCount + 1> buckets{};  // not cumulative; the last is above all bounds
  std::uint64_t events = 0;                              // calls, waits
  std::uint64_t errors = 0;
  std::uint64_t slow = 0;
  std::int64_t total_ns = 0;
  std::int64_t cost_ns = 0;  // of a function's probes
  Growing& operator+=(const Growing& other);
  // What came since `earlier`; all of it if anything shrank (the kernel's slot was reused).
  [[nodiscard]] Growing since(const Growing& earlier) const;
};

[[nodiscard]] Growing growing_of(const detect::LockFigures& lock);
[[nodiscard]] Growing growing_of(const detect::FunctionFigures& function);

class SeriesTable {
 public:
  // One lock or function as it stands now.
  struct Source {
    std::string identity;  // tells it from every other source, over all looks
    std::string guard;
    std::string name;    // its label
    std::string detail;  // a second label (a function's symbol)
    Growing now;
    std::uint64_t level = 0;    // a gauge: waiting now, in flight
    std::int64_t added_ns = 0;  // a gauge: to each call, by a function's probes
    double share = 1;           // a gauge: of a function's calls, those whose return is seen
    std::int64_t weight = 0;    // what the heaviest have most of
    bool idle = false;          // counts as idling (a condition variable) for now, in one sum a guard
  };
  struct Series {
    std::string guard;
    std::string name;
    std::string detail;
    Growing sum;
    std::uint64_t level = 0;
    std::int64_t added_ns = 0;  // of the source that pays most
    double share = 1;           // of the source of which least is seen
  };

  explicit SeriesTable(std::size_t top_k) : top_k_(top_k) {}

  void observe(const std::vector<Source>& sources);
  [[nodiscard]] std::vector<Series> series() const;  // named ones, then "other" of each guard
  [[nodiscard]] std::vector<Series> idle() const;    // one a guard

 private:
  using Key = std::array<std::string, 3>;  // guard, name, detail
  struct Entry {
    Growing sum;
    std::uint64_t level = 0;
    std::int64_t added_ns = 0;
    double share = 1;
    void begin_look();
  };
  [[nodiscard]] Entry& entry_of(const Source& source);
  void choose_names(const std::vector<Source>& sources);

  std::size_t top_k_;
  std::map<Key, Entry> named_;
  std::map<std::string, Entry> other_;   // by guard
  std::map<std::string, Entry> idle_;    // by guard
  std::map<std::string, Growing> seen_;  // by identity; only sources of the last look
};

}  // namespace raceguard::exporting
