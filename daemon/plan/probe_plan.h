// SPDX-License-Identifier: Apache-2.0
// The exact list of what the kernel is asked to do. A reload is the difference of two plans.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/policy/policy.h"
#include "daemon/symbols/function_exits.h"
#include "daemon/symbols/symbol.h"
#include "daemon/targets/target.h"
#include "raceguard/error_codes.h"

namespace raceguard::plan {

// A file as uprobes know it: the inode, not the path.
struct BinaryId {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::string build_id;  // hex; empty: the file has none
  friend bool operator==(const BinaryId&, const BinaryId&) = default;
  friend auto operator<=>(const BinaryId&, const BinaryId&) = default;
};

struct TargetEntry {
  targets::ProcessId id;
  std::uint32_t guard_index = 0;
  bool contention = false;
  bool functions = false;
  bool contention_rests = false;  // with `contention`; not the plan's: the budget has the watch rest
  friend bool operator==(const TargetEntry&, const TargetEntry&) = default;
};

// One function of one guard in one binary: entry and return at one site, or the returns where they are.
struct FunctionProbe {
  std::uint32_t function_id = 0;  // slot in the BPF arrays; stable over reloads while the probe stays
  std::uint32_t guard_index = 0;
  std::string guard;
  std::string name;  // of the FunctionGuard; several symbols of one glob share it
  symbols::Symbol symbol;
  symbols::Site site;
  BinaryId binary;
  std::string host_path;  // how the daemon opens the binary
  std::int64_t slow_ns = 0;
  std::vector<policy::ErrorTest> error;  // none or one
  // The returns of one call in 2^this are seen, RG_RETURNS_NONE: of none; where the kernel has sessions this spares the
  // others' callers the return probe.
  std::uint8_t return_shift = 0;
  // Where its returns are seen, in files through whose functions exceptions may pass; none: by a return probe.
  std::vector<symbols::FunctionExit> returns;
  std::uint8_t object_argument = 0;  // 1..6: it points to an object whose members are watched; 0: none
};

// The kernel-held word of one switch in one binary.
struct SwitchWord {
  std::string switch_name;
  symbols::SwitchMarker marker;
  BinaryId binary;
  std::string host_path;
};

// What the plan could not include, and why: shown by `raceguardctl status`, counted in metrics.
struct Omission {
  std::string guard;
  std::string what;                       // "function recommend*", "target 812 (mariadbd)"
  std::string reason;                     // an Error's text
  ErrorCode code = ErrorCode::kInternal;  // kPolicyMatchesNothing: an error for `--check`, a warning for the daemon
  friend bool operator==(const Omission&, const Omission&) = default;
};

// Canonical order: targets by id, functions by function id, words by binary, name, marker. One target entry a pid.
struct ProbePlan {
  std::vector<TargetEntry> targets;
  std::vector<FunctionProbe> functions;
  std::vector<SwitchWord> words;
  std::vector<Omission> omissions;
  std::uint32_t next_function_id = 0;  // where the next plan looks for a free id, so that ids are reused late
};

// Carry it out in this order: all removals, then additions, then updates: a pid or a function id may be in both.
struct PlanDifference {
  std::vector<targets::ProcessId> remove_targets;
  std::vector<std::uint32_t> remove_functions;  // function ids
  std::vector<SwitchWord> remove_words;
  std::vector<TargetEntry> add_targets;  // new, or the same process with other settings: overwrite by pid
  std::vector<FunctionProbe> add_functions;
  std::vector<SwitchWord> add_words;
  std::vector<FunctionProbe> update_functions;  // same probe stays attached: other thresholds, guard index, host_path
  std::vector<SwitchWord> update_words;         // same word: only host_path, for the next time it is attached
  [[nodiscard]] bool empty() const {
    return add_targets.empty() && remove_targets.empty() && add_functions.empty() && remove_functions.empty() &&
           update_functions.empty() && add_words.empty() && remove_words.empty() && update_words.empty();
  }
};

}  // namespace raceguard::plan
