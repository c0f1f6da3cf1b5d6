// SPDX-License-Identifier: Apache-2.0
// The guarded functions that are attached: their links, slots and figures.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "daemon/kernel/attachment.h"
#include "daemon/kernel/detacher.h"
#include "daemon/kernel/link.h"
#include "daemon/kernel/uprobe.h"
#include "daemon/plan/probe_plan.h"

struct raceguard_bpf;

namespace raceguard::kernel {

// A function has a session of its own, or a link for its entry and one for its return, or one for each place where it
// returns, so that it can be removed alone: a uprobe_multi
// link cannot shrink. One link for all attaches no faster (16 functions: 14 ms, with 16 links 20 ms) and detaches
// faster (24 ms; 16 links 124 ms, see detach()).
class FunctionProbes {
 public:
  FunctionProbes(const raceguard_bpf& object, UprobeWay way, bool session, std::uint32_t max_functions);
  ~FunctionProbes();
  FunctionProbes(const FunctionProbes&) = delete;
  FunctionProbes& operator=(const FunctionProbes&) = delete;

  [[nodiscard]] std::optional<Error> add(const plan::FunctionProbe& probe);
  [[nodiscard]] std::optional<Error> update(const plan::FunctionProbe& probe);  // thresholds only
  [[nodiscard]] std::vector<Error> remove(const std::vector<std::uint32_t>& function_ids);

  [[nodiscard]] Result<std::vector<FunctionReading>> read() const;
  [[nodiscard]] std::size_t size() const { return links_.size(); }

 private:
  struct Links {
    std::vector<Link> at_returns;  // none: `at_entry` is a session
    Link at_entry;
    void move_to(std::vector<Link>& all);
  };
  [[nodiscard]] std::optional<Error> write_slot(const plan::FunctionProbe& probe, rg_slot_state state);
  [[nodiscard]] std::optional<Error> clear_slot(std::uint32_t function_id);
  [[nodiscard]] Result<Links> attach(const plan::FunctionProbe& probe) const;
  [[nodiscard]] Result<std::vector<Link>> attach_returns(const plan::FunctionProbe& probe, UprobeSite site) const;

  const raceguard_bpf* object_;
  UprobeWay way_;
  bool session_;
  std::uint32_t max_functions_;
  std::size_t cpus_;
  std::map<std::uint32_t, Links> links_;
  // Removed functions: hits are ignored by now, while their links go one by one.
  std::set<std::uint32_t> detaching_;
  Detacher detacher_;
};

}  // namespace raceguard::kernel
