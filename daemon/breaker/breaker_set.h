// SPDX-License-Identifier: Apache-2.0
// The breakers of all switches, with the cap on how many may be open at once: a guard that opens everything is an
// outage.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "daemon/breaker/breaker.h"
#include "daemon/policy/policy.h"
#include "raceguard/error.h"

namespace raceguard::breaker {

using Samples = std::map<std::string, Sample, std::less<>>;  // by switch name

class BreakerSet {
 public:
  // Breakers draw their jitter from `seed` and their name.
  BreakerSet(std::uint32_t max_open_switches, std::uint64_t seed) : max_open_(max_open_switches), seed_(seed) {}

  // Takes a new policy over: known switches keep state, window and force; those that are gone are closed.
  std::vector<Decision> reload(const Instant& now, const std::vector<policy::SwitchPolicy>& switches,
                               std::uint32_t max_open_switches);

  // One tick of every switch; a switch without a sample saw nothing. First those that may make room, then those that
  // want to open, the longest held back first.
  std::vector<Decision> tick(const Instant& now, const Samples& samples);

  // kSwitchUnknown; kControlRequest for a forced half-open or a negative time-to-live.
  Result<Decision> force(const Instant& now, const std::string& name, State state, std::string actor,
                         std::string reason, std::int64_t ttl_ns);
  // kSwitchUnknown; kControlRequest if nothing is forced.
  Result<Decision> release(const Instant& now, const std::string& name, std::string actor, std::string reason);

  [[nodiscard]] const Breaker* find(std::string_view name) const;
  [[nodiscard]] const std::map<std::string, Breaker, std::less<>>& breakers() const { return breakers_; }
  // How many applications see open or half-open, forced ones among them.
  [[nodiscard]] std::uint32_t open_switches() const;

 private:
  Result<std::reference_wrapper<Breaker>> lookup(const std::string& name);

  std::uint32_t max_open_;
  std::uint64_t seed_;
  std::map<std::string, Breaker, std::less<>> breakers_;
};

}  // namespace raceguard::breaker
