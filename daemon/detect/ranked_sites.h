// SPDX-License-Identifier: Apache-2.0
// The dearest code sites of one lock in bounded memory. Samples with the same callers (a few frames from the one who
// wanted the lock) are one site. When the table is full the cheapest site makes room and is counted as "other", as in
// Metwally's Space-Saving (ICDT'05) but without handing on its count: a figure shown was really seen.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "daemon/detect/finding.h"

namespace raceguard::detect {

inline constexpr std::size_t kRankedSitesShown = 8;
inline constexpr std::size_t kRankedSitesKept = 12;  // more than are shown, so that a newcomer can rise
inline constexpr std::size_t kFramesOfASite = 4;     // that make two samples the same site
inline constexpr std::size_t kFramesKept = 12;

class RankedSites {
 public:
  void add(const events::LockStackEvent& sample);
  // At most kRankedSitesShown, dearest first: by time waited, then by count.
  [[nodiscard]] std::vector<RankedSite> ranked() const;
  // The site seen most often; nullptr: none.
  [[nodiscard]] const RankedSite* most_frequent() const;
  // Samples not in ranked().
  [[nodiscard]] std::uint64_t other() const;
  [[nodiscard]] std::size_t kept() const { return sites_.size(); }
  // Gives up all sites (the memory was needed elsewhere); their samples count as "other".
  void clear();

 private:
  struct Entry {
    std::uint64_t key = 0;
    RankedSite site;
  };
  void make_room();
  std::vector<Entry> sites_;
  std::uint64_t evicted_ = 0;
};

}  // namespace raceguard::detect
