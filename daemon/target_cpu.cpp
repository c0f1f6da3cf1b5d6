// SPDX-License-Identifier: Apache-2.0
#include "daemon/target_cpu.h"

#include <algorithm>
#include <utility>

namespace raceguard::app {

Spent& Spent::operator+=(const Spent& other) {
  cost_ns += other.cost_ns;
  cpu_ns += other.cpu_ns;
  return *this;
}

double Spent::share() const { return cpu_ns > 0 ? static_cast<double>(cost_ns) / static_cast<double>(cpu_ns) : 0; }

void TargetCpu::follow(const std::set<targets::ProcessId>& processes, const Read& read) {
  std::map<targets::ProcessId, std::int64_t> last_ns;
  for (const targets::ProcessId& id : processes) {
    const auto known = last_ns_.find(id);
    last_ns.emplace(id, known != last_ns_.end() ? known->second : read(id.pid));
  }
  last_ns_ = std::move(last_ns);
}

std::int64_t TargetCpu::take_used_ns(const Read& read) {
  std::int64_t used_ns = 0;
  for (auto& [id, last_ns] : last_ns_) {
    const std::int64_t now_ns = read(id.pid);
    used_ns += std::max<std::int64_t>(now_ns - last_ns, 0);
    last_ns = std::max(now_ns, last_ns);
  }
  return used_ns;
}

std::int64_t TargetCpu::total_ns(const Read& read) const {
  std::int64_t total_ns = 0;
  for (const auto& [id, last_ns] : last_ns_) {
    total_ns += read(id.pid);
  }
  return total_ns;
}

}  // namespace raceguard::app
