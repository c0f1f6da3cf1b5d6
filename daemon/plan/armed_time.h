// SPDX-License-Identifier: Apache-2.0
// When watchpoints on data may be armed, on CPUs where they are dear even while nobody touches the address: with one
// armed, AMD's Zen executes string instructions (memcpy, read, write, a page being cleared) some 25 times slower, on
// the whole CPU (docs/adr/0006-armed-time.md). So they are armed for a share of the time only, in windows. Pure, on the
// caller's clock.
#pragma once

#include <cstdint>
#include <optional>

namespace raceguard::plan {

class ArmedTime {
 public:
  // From this slowdown of string instructions on, time is limited.
  static constexpr double kBearableSlowdown = 1.5;

  // Where the slowdown is not known, time is limited as well. `budget`: the share of a CPU that the search may take;
  // times kTimesBudget it is the most that a process could lose which does nothing but copy.
  ArmedTime(std::optional<double> string_slowdown, double budget);

  [[nodiscard]] bool is_limited() const { return share_ < 1; }
  [[nodiscard]] double share() const { return share_; }  // in the long run
  // Whether watchpoints may be armed until the next call; the time since the last one is charged if they were.
  [[nodiscard]] bool step(std::int64_t now_ns);
  // While step() said no: how long until it may say yes.
  [[nodiscard]] std::int64_t until_open_ns() const;
  // They are off until the next step().
  void pause(std::int64_t now_ns);

 private:
  double share_;
  double saved_ns_;
  std::int64_t stepped_ns_ = 0;
  bool open_ = false;
};

}  // namespace raceguard::plan
