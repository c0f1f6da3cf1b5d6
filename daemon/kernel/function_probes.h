// SPDX-License-Identifier: Apache-2.0
// The guarded functions that are attached: their links, slots and figures.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "daemon/kernel/attachment.h"
#include "daemon/kernel/link.h"
#include "daemon/kernel/uprobe.h"
#include "daemon/plan/probe_plan.h"

struct raceguard_bpf;

namespace raceguard::kernel {

// A function has two links of its own, entry and return, so that it can be removed alone. One link for many functions
// attaches no faster (docs/bpf.md has the figures), and taking one function out would mean to attach the rest again.
class FunctionProbes {
 public:
  FunctionProbes(const raceguard_bpf& object, UprobeWay way, std::uint32_t max_functions);

  [[nodiscard]] std::optional<Error> add(const plan::FunctionProbe& probe);
  [[nodiscard]] std::optional<Error> update(const plan::FunctionProbe& probe);  // thresholds only
  [[nodiscard]] std::optional<Error> remove(std::uint32_t function_id);

  [[nodiscard]] Result<std::vector<FunctionReading>> read() const;
  [[nodiscard]] std::size_t size() const { return links_.size(); }

 private:
  struct Links {
    Link at_return;
    Link at_entry;
  };
  [[nodiscard]] std::optional<Error> write_slot(const plan::FunctionProbe& probe, rg_slot_state state);
  [[nodiscard]] std::optional<Error> clear_slot(std::uint32_t function_id);
  [[nodiscard]] Result<Links> attach(const plan::FunctionProbe& probe) const;

  const raceguard_bpf* object_;
  UprobeWay way_;
  std::uint32_t max_functions_;
  std::size_t cpus_;
  std::map<std::uint32_t, Links> links_;
};

}  // namespace raceguard::kernel
