// SPDX-License-Identifier: Apache-2.0
// One interception from its begin to its end: the kernel's part, what it costs, and why it ended.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "daemon/detect/interception.h"
#include "daemon/intercept_sections.h"
#include "daemon/kernel/calibrate.h"
#include "raceguard/clock.h"
#include "raceguard/error.h"

namespace raceguard::app {

class Interception {
 public:
  // Intercepts from its return on. `clock` must outlive it.
  static Result<std::unique_ptr<Interception>> start(const InterceptRequest& request, const kernel::Calibration& costs,
                                                     const Clock& clock);
  Interception(const Interception&) = delete;
  Interception& operator=(const Interception&) = delete;

  // Every 0.1 s or so: reads the figures, and ends it if it costs more than its budget or its process is gone.
  [[nodiscard]] Result<void> step();
  // Takes everything away, after a last reading. The figures stay.
  void end(const std::string& why);
  [[nodiscard]] bool ended() const { return kernel_ == nullptr; }

  [[nodiscard]] const targets::ProcessId& process() const { return process_; }
  [[nodiscard]] const detect::Interception& figures() const { return figures_; }

 private:
  Interception(const InterceptRequest& request, InterceptSections sections, const Clock& clock);
  [[nodiscard]] Result<void> read();
  void judge();
  [[nodiscard]] bool is_gone() const;

  // The budget is judged over the last so many windows: the first calls after the attach alone say little.
  static constexpr std::int64_t kWindowNs = 200 * kNsPerMs;
  static constexpr std::size_t kWindows = 5;
  struct Moment {
    std::int64_t cost_ns = 0;
    std::int64_t wait_ns = 0;
    std::int64_t cpu_ns = 0;
  };

  pid_t pid_;
  targets::ProcessId process_;
  double budget_;
  const Clock& clock_;
  std::unique_ptr<kernel::Interceptor> kernel_;  // null: ended
  std::vector<double> hit_ns_;                   // of one call, by function
  std::int64_t start_ns_ = 0;
  std::int64_t start_cpu_ns_ = 0;
  std::int64_t last_cpu_ns_ = 0;  // while the process was there
  std::array<Moment, kWindows> moments_{};
  std::size_t windows_ = 0;
  std::int64_t next_window_ns_ = 0;
  detect::Interception figures_;
};

}  // namespace raceguard::app
