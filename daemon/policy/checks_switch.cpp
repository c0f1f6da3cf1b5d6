// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "daemon/policy/checks.h"
#include "daemon/policy/decoder.h"
#include "daemon/policy/document.h"

namespace raceguard::policy {
namespace {

// `close` defaults to `open`; above it the switch would close while it has to open.
template <typename Number>
void check_pair(const std::optional<Number>& open, std::optional<Number>& close, Kind kind, std::string_view key,
                const Node& node, Context& context) {
  const Node* close_when = node.find("close_when");
  const Node* value = close_when != nullptr ? close_when->find(key) : nullptr;
  if (value == nullptr) {
    close = open;
    return;
  }
  const Node* open_when = node.find("open_when");
  const bool open_given = open_when != nullptr && open_when->find(key) != nullptr;
  if (!open_given) {
    context.refuse(ErrorCode::kPolicyReference, context.at_key(*value),
                   fmt::format("{} in close_when but not in open_when, expected it in both or in open_when only", key));
  } else if (open && close && *close > *open) {
    context.refuse(ErrorCode::kPolicyRange, context.at(*value),
                   fmt::format("{} {} in close_when is above the {} in open_when, expected at most that", key,
                               to_text(kind, static_cast<double>(*close)), to_text(kind, static_cast<double>(*open))));
  }
}

void check_thresholds(SwitchPolicy& policy, const Node& node, Context& context) {
  const Node* open_when = node.find("open_when");
  if (open_when != nullptr && open_when->kind == NodeKind::kMapping && open_when->children.empty()) {
    context.refuse(ErrorCode::kPolicyMissingKey, context.at(*open_when),
                   "open_when without a threshold, expected at least one of slow_ratio, error_ratio, lock_wait_p99, "
                   "proven_races, likely_races");
  }
  check_pair(policy.open_slow_ratio, policy.close_slow_ratio, Kind::kRatio, "slow_ratio", node, context);
  check_pair(policy.open_error_ratio, policy.close_error_ratio, Kind::kRatio, "error_ratio", node, context);
  check_pair(policy.open_lock_wait_p99_ns, policy.close_lock_wait_p99_ns, Kind::kDuration, "lock_wait_p99", node,
             context);
  check_pair(policy.open_proven_races, policy.close_proven_races, Kind::kCount, "proven_races", node, context);
  check_pair(policy.open_likely_races, policy.close_likely_races, Kind::kCount, "likely_races", node, context);
}

void check_minimum_calls(SwitchPolicy& policy, const Node& node, Context& context) {
  if (policy.window.calls == 0 || policy.minimum_calls <= policy.window.calls) {
    return;
  }
  if (const Node* given = node.find("minimum_calls")) {
    context.refuse(ErrorCode::kPolicyRange, context.at(*given),
                   fmt::format("{} for minimum_calls in a window of {} calls, expected at most that",
                               policy.minimum_calls, policy.window.calls));
  }
  policy.minimum_calls = policy.window.calls;
}

void check_times_open(SwitchPolicy& policy, const Node& node, Context& context) {
  if (policy.open_for_max_ns >= policy.open_for_ns) {
    return;
  }
  if (const Node* given = node.find("open_for_max")) {
    context.refuse(ErrorCode::kPolicyRange, context.at(*given),
                   fmt::format("{} for open_for_max is below open_for ({}), expected at least that",
                               to_text(Kind::kDuration, static_cast<double>(policy.open_for_max_ns)),
                               to_text(Kind::kDuration, static_cast<double>(policy.open_for_ns))));
  }
  policy.open_for_max_ns = policy.open_for_ns;
}

}  // namespace

void check_window(void* window_object, const Node& node, Context& context) {
  auto& window = *static_cast<Window*>(window_object);
  const Node* calls = node.find("calls");
  const Node* duration = node.find("duration");
  if (calls != nullptr && duration != nullptr) {
    const Node* later = std::max(calls, duration);  // members stand in the order of the file
    context.refuse(ErrorCode::kPolicyRange, context.at_key(*later), "both duration and calls for window, expected one");
  } else if (calls == nullptr && duration == nullptr) {
    context.refuse(ErrorCode::kPolicyMissingKey, context.at(node), "an empty window, expected duration or calls");
  }
  if (calls != nullptr) {
    window.duration_ns = 0;
  }
}

// Whatever the parser says of a command line holds for a policy, but for the error code.
void check_serialize(void* serialize_policy, const Node& node, Context& context) {
  auto& policy = *static_cast<SerializePolicy*>(serialize_policy);
  const Node* functions = node.find("functions");
  const Node* key_given = node.find("key");
  const auto key = parse_intercept_key(policy.key);
  if (!key) {
    context.refuse(ErrorCode::kPolicyValue, context.at(key_given != nullptr ? *key_given : node),
                   fmt::format("{} for key, expected {}", in_quotes(policy.key), kInterceptKeyForms));
    return;
  }
  if (policy.functions.size() > RG_SECTIONS_MAX) {
    context.refuse(
        ErrorCode::kPolicyRange, context.at(*functions),
        fmt::format("{} functions in serialize, expected at most {}", policy.functions.size(), RG_SECTIONS_MAX));
  }
  for (std::size_t i = 0; i < policy.functions.size(); ++i) {
    auto function = parse_intercepted_function(policy.functions[i], *key);
    if (!function) {
      const bool is_list = functions->kind == NodeKind::kList && i < functions->children.size();
      context.refuse(
          ErrorCode::kPolicyValue, context.at(is_list ? functions->children[i] : *functions),
          fmt::format("{} for a function of serialize, expected NAME, NAME=read, NAME=write, or one of these "
                      "with @ and a key: {}",
                      in_quotes(policy.functions[i]), kInterceptKeyForms));
      continue;
    }
    policy.parsed.push_back(std::move(*function));
  }
}

void check_switch(void* switch_policy, const Node& node, Context& context) {
  auto& policy = *static_cast<SwitchPolicy*>(switch_policy);
  const Node* name = node.find("name");
  policy.position = context.at(name != nullptr ? *name : node);
  check_thresholds(policy, node, context);
  check_minimum_calls(policy, node, context);
  check_times_open(policy, node, context);
  if (const Node* locks = node.find("locks"); locks != nullptr && !policy.open_lock_wait_p99_ns) {
    context.refuse(ErrorCode::kPolicyReference, context.at_key(*locks),
                   "locks without lock_wait_p99 in open_when, expected a threshold for them");
  }
}

}  // namespace raceguard::policy
