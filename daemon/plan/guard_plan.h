// SPDX-License-Identifier: Apache-2.0
// What one guard asks of the files of its targets.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "daemon/plan/plan_files.h"
#include "daemon/plan/probe_plan.h"
#include "daemon/policy/policy.h"

namespace raceguard::plan {

class GuardPlan {
 public:
  GuardPlan(const policy::Guard& guard, std::uint32_t guard_index, std::vector<const targets::Target*> targets,
            PlanFiles& files);

  // Each function guard in each distinct binary; the probes have no ids yet.
  void plan_functions();
  // The words of the guard's switches in all that its targets map.
  void plan_words();

  std::vector<FunctionProbe> functions;
  std::vector<SwitchWord> words;
  std::vector<Omission> omissions;

 private:
  void plan_function(const policy::FunctionGuard& function);
  // True if the file was searched and has the function.
  bool search(const policy::FunctionGuard& function, const PlanFile& file, std::optional<Error>& not_found);
  [[nodiscard]] static Result<std::vector<symbols::FunctionExit>> returns_of(const policy::FunctionGuard& function,
                                                                             const PlanFile& file,
                                                                             const FoundFunction& found);
  void add_probe(const policy::FunctionGuard& function, const PlanFile& file, const FoundFunction& found);
  // The argument that points to a watched object, counted from 1; 0: none.
  [[nodiscard]] std::uint8_t object_argument(const policy::FunctionGuard& function, const FoundFunction& found);
  void omit(std::string what, const Error& error);
  void omit_file(const PlanFile& file);
  // The distinct files that `binary` of a function guard names, opened.
  [[nodiscard]] std::vector<PlanFile*> select(const std::string& binary);
  [[nodiscard]] std::string mapped_names() const;

  const policy::Guard& guard_;
  std::uint32_t guard_index_;
  std::vector<const targets::Target*> targets_;
  PlanFiles& files_;
  std::set<const PlanFile*> omitted_files_;
};

}  // namespace raceguard::plan
