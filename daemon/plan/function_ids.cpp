// SPDX-License-Identifier: Apache-2.0
#include "daemon/plan/function_ids.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "daemon/plan/plan_keys.h"
#include "raceguard/error.h"

namespace raceguard::plan {
namespace {

class Slots {
 public:
  Slots(std::uint32_t count, std::uint32_t cursor) : taken_(count, false), cursor_(cursor) {}
  bool take(std::uint32_t id) {
    if (id >= taken_.size() || taken_[id]) {
      return false;
    }
    taken_[id] = true;
    return true;
  }
  // The next free one from the cursor on, which only moves forward: a freed id comes last.
  std::optional<std::uint32_t> take_next() {
    for (std::size_t step = 0; step < taken_.size(); ++step) {
      const auto id = static_cast<std::uint32_t>((cursor_ + step) % taken_.size());
      if (take(id)) {
        cursor_ = static_cast<std::uint32_t>((id + 1) % taken_.size());
        return id;
      }
    }
    return std::nullopt;
  }
  [[nodiscard]] std::uint32_t cursor() const { return cursor_; }

 private:
  std::vector<bool> taken_;
  std::uint32_t cursor_;
};

void drop_beyond(ProbePlan& plan, std::size_t max_functions) {
  while (plan.functions.size() > max_functions) {
    const FunctionProbe& probe = plan.functions.back();
    const Error error(ErrorCode::kPlanLimit,
                      fmt::format("{} is beyond the limit of {} functions", probe.symbol.demangled, max_functions),
                      "Raise daemon.max_functions and restart raceguardd, or narrow the globs");
    plan.omissions.push_back({.guard = probe.guard,
                              .what = "function " + probe.symbol.demangled,
                              .reason = error.to_string(),
                              .code = error.code()});
    plan.functions.pop_back();
  }
}

}  // namespace

void assign_function_ids(ProbePlan& plan, const ProbePlan& previous, std::uint32_t max_functions) {
  drop_beyond(plan, max_functions);
  std::map<decltype(function_key(std::declval<FunctionProbe>())), std::uint32_t> known;
  for (const FunctionProbe& probe : previous.functions) {
    known.emplace(function_key(probe), probe.function_id);
  }
  Slots slots(max_functions, previous.next_function_id);
  std::vector<FunctionProbe*> fresh;
  for (FunctionProbe& probe : plan.functions) {
    const auto id = known.find(function_key(probe));
    if (id != known.end() && slots.take(id->second)) {
      probe.function_id = id->second;
    } else {
      fresh.push_back(&probe);
    }
  }
  for (FunctionProbe* probe : fresh) {
    probe->function_id = slots.take_next().value_or(0);  // there is one: no more probes than slots
  }
  plan.next_function_id = slots.cursor();
  std::ranges::sort(plan.functions, {}, &FunctionProbe::function_id);
}

}  // namespace raceguard::plan
