// SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/checks.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>

#include "daemon/policy/decoder.h"
#include "daemon/policy/document.h"
#include "raceguard/abi/bpf.h"
#include "raceguard/abi/switch_page.h"

namespace raceguard::policy {
namespace {

// Where a member's value stands, or its mapping if the key was left to its default.
Position value_at(const Node& node, std::string_view key, const Context& context) {
  const Node* member = node.find(key);
  return context.at(member != nullptr ? *member : node);
}

void require_absolute(const std::string& path, const Node& node, std::string_view key, Context& context) {
  if (!path.starts_with('/')) {
    context.refuse(ErrorCode::kPolicyValue, value_at(node, key, context),
                   fmt::format("\"{}\" for {}, expected an absolute path", path, key));
  }
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool has_function(const Guard& guard, const std::string& name) {
  return std::any_of(guard.functions.begin(), guard.functions.end(),
                     [&](const FunctionGuard& function) { return function.name == name; });
}

std::vector<std::string> function_names(const Guard& guard) {
  std::vector<std::string> defined;
  for (const FunctionGuard& function : guard.functions) {
    defined.push_back(function.name);
  }
  return defined;
}

// "recommend, search, ..."
std::string names_of_functions(const Guard& guard) {
  constexpr std::size_t kMostNamed = 8;
  const std::vector<std::string> defined = function_names(guard);
  std::string names = defined.empty() ? "it has none" : "";
  for (std::size_t i = 0; i < std::min(defined.size(), kMostNamed); ++i) {
    names += (i == 0 ? "" : ", ") + defined[i];
  }
  return names + (defined.size() > kMostNamed ? ", ..." : "");
}

void refuse_reference(const Guard& guard, const SwitchPolicy& switch_policy, const Node& item, Context& context) {
  context.refuse(ErrorCode::kPolicyReference, context.at(item),
                 fmt::format("switch {} names function {}, expected one of this policy's functions ({}){}",
                             in_quotes(switch_policy.name), in_quotes(item.text), names_of_functions(guard),
                             did_you_mean(item.text, function_names(guard))));
}

// The switch's functions must be this policy's: those of another one belong to other processes.
void check_references(const Guard& guard, const SwitchPolicy& switch_policy, const Node& node, Context& context) {
  const Node* functions = node.find("functions");
  if (functions == nullptr) {
    return;
  }
  const std::span<const Node> items = functions->kind == NodeKind::kList ? std::span<const Node>(functions->children)
                                                                         : std::span<const Node>(functions, 1);
  for (const Node& item : items) {
    const bool read = item.kind == NodeKind::kScalar && contains(switch_policy.functions, item.text);
    if (read && !has_function(guard, item.text) && !context.errors.full()) {
      refuse_reference(guard, switch_policy, item, context);
    }
  }
}

// Their symbols and binaries are those of this policy's functions.
void resolve_serialized(const Guard& guard, SwitchPolicy& switch_policy, const Node& node, Context& context) {
  const Node* serialize = node.find("serialize");
  if (!switch_policy.serialize || serialize == nullptr) {
    return;
  }
  for (RequestedFunction& wanted : switch_policy.serialize->parsed) {
    const auto function = std::ranges::find(guard.functions, wanted.name, &FunctionGuard::name);
    if (function != guard.functions.end()) {
      wanted.name = function->symbol_glob;
      wanted.binary = function->binary;
      continue;
    }
    context.refuse(ErrorCode::kPolicyReference, value_at(*serialize, "functions", context),
                   fmt::format("serialize of switch {} names function {}, expected one of this policy's functions "
                               "({}){}",
                               in_quotes(switch_policy.name), in_quotes(wanted.name), names_of_functions(guard),
                               did_you_mean(wanted.name, function_names(guard))));
  }
}

// A threshold that nothing feeds would keep the switch closed for ever without a word. Asks whether the key is there,
// not for its value: a wrong value has been refused already.
void check_sources(const Guard& guard, const SwitchPolicy& switch_policy, const Node& guard_node, const Node& node,
                   Context& context) {
  const Node* functions = guard_node.find("functions");
  const bool watches_races = guard_node.find("watch") != nullptr;
  const Node* open_when = node.find("open_when");
  if (open_when == nullptr) {
    return;
  }
  const auto any_function_has = [&](std::string_view key) {
    for (std::size_t i = 0; i < guard.functions.size(); ++i) {
      if (contains(switch_policy.functions, guard.functions[i].name) && functions->children[i].find(key) != nullptr) {
        return true;
      }
    }
    return false;
  };
  const auto refuse = [&](std::string_view key, std::string_view expected) {
    context.refuse(
        ErrorCode::kPolicyReference, value_at(*open_when, key, context),
        fmt::format("{} of switch \"{}\" has nothing to judge, expected {}", key, switch_policy.name, expected));
  };
  if (switch_policy.open_slow_ratio && !any_function_has("slow")) {
    refuse("slow_ratio", "a function with \"slow\" among its functions");
  }
  if (switch_policy.open_error_ratio && !any_function_has("error_when")) {
    refuse("error_ratio", "a function with \"error_when\" among its functions");
  }
  if (switch_policy.open_lock_wait_p99_ns && !guard.contention.enabled) {
    refuse("lock_wait_p99", "contention to be enabled");
  }
  if (switch_policy.open_proven_races && !watches_races) {
    refuse("proven_races", "\"watch\" in this policy");
  }
  if (switch_policy.open_likely_races && !watches_races) {
    refuse("likely_races", "\"watch\" in this policy");
  }
}

void check_objects(const Guard& guard, Context& context) {
  for (const WatchedObject& object : guard.watch.objects) {
    if (object.function.empty() || has_function(guard, object.function)) {
      continue;
    }
    context.refuse(ErrorCode::kPolicyReference, object.position,
                   fmt::format("objects names function {}, expected one of this policy's functions ({}){}",
                               in_quotes(object.function), names_of_functions(guard),
                               did_you_mean(object.function, function_names(guard))));
  }
}

void check_entry_names(Guard& guard, const Node& node, Context& context) {
  const Node* functions = node.find("functions");
  for (std::size_t i = 0; i < guard.functions.size(); ++i) {
    const Node& item = functions->children[i];
    if (!guard.functions[i].name.empty()) {
      context.use_name("function", guard.functions[i].name,
                       value_at(item, item.find("name") != nullptr ? "name" : "symbol", context));
    }
  }
  const Node* switches = node.find("switches");
  for (std::size_t i = 0; i < guard.switches.size(); ++i) {
    const Node& item = switches->children[i];
    if (!guard.switches[i].name.empty()) {
      context.use_name("switch", guard.switches[i].name, guard.switches[i].position);
    }
    check_references(guard, guard.switches[i], item, context);
    check_sources(guard, guard.switches[i], node, item, context);
    resolve_serialized(guard, guard.switches[i], item, context);
  }
}

}  // namespace

void check_daemon(void* daemon_settings, const Node& node, Context& context) {
  const auto& settings = *static_cast<DaemonSettings*>(daemon_settings);
  std::array<std::uint8_t, 16> address{};
  if (::inet_pton(AF_INET, settings.listen_address.c_str(), address.data()) != 1 &&
      ::inet_pton(AF_INET6, settings.listen_address.c_str(), address.data()) != 1) {
    context.refuse(ErrorCode::kPolicyValue, value_at(node, "listen_address", context),
                   fmt::format("\"{}\" for listen_address, expected an IPv4 or IPv6 address such as 127.0.0.1",
                               settings.listen_address));
  }
  require_absolute(settings.run_directory, node, "run_directory", context);
  require_absolute(settings.evidence_file, node, "evidence_file", context);
  if (!std::has_single_bit(settings.ring_bytes)) {
    context.refuse(ErrorCode::kPolicyRange, value_at(node, "ring_size", context),
                   fmt::format("{} bytes for ring_size, expected a power of two such as {}", settings.ring_bytes,
                               to_text(Kind::kBytes, std::bit_ceil(settings.ring_bytes))));
  }
  if (settings.heartbeat_ns < settings.tick_ns) {
    context.refuse(
        ErrorCode::kPolicyRange, value_at(node, "heartbeat", context),
        fmt::format("heartbeat {} is below tick {}, expected the heartbeat to be as long as the tick or longer",
                    to_text(Kind::kDuration, static_cast<double>(settings.heartbeat_ns)),
                    to_text(Kind::kDuration, static_cast<double>(settings.tick_ns))));
  }
}

void check_error_test(void* error_test, const Node& node, Context& context) {
  const auto& test = *static_cast<ErrorTest*>(error_test);
  const unsigned value_bits = test.is_signed ? test.bits - 1U : test.bits;
  const std::int64_t highest =
      value_bits >= 63 ? INT64_MAX : static_cast<std::int64_t>((std::uint64_t{1} << value_bits) - 1);
  const std::int64_t lowest = test.is_signed ? -highest - 1 : 0;
  const bool below_all = test.comparison == Comparison::kLess && test.operand == lowest;
  if (test.operand < lowest || test.operand > highest || below_all) {
    context.refuse(ErrorCode::kPolicyRange, value_at(node, "returns", context),
                   fmt::format("a comparison with {} for returns, expected one that a{} of {} bits can pass and fail",
                               test.operand, test.is_signed ? " signed integer" : "n unsigned integer", test.bits),
                   "Set \"type\" to the function's return type");
  }
}

void check_function(void* function_guard, const Node& node, Context& context) {
  auto& function = *static_cast<FunctionGuard*>(function_guard);
  function.position = value_at(node, "symbol", context);
  if (function.name.empty()) {
    function.name = function.symbol_glob;
  }
  if (function.binary.empty()) {
    function.binary = "exe";
  }
}

void check_target(void* target_match, const Node& node, Context& context) {
  const auto& target = *static_cast<TargetMatch*>(target_match);
  constexpr std::array<std::string_view, 5> kSelecting = {"exe", "comm", "pid", "systemd_unit", "cgroup"};
  if (std::none_of(kSelecting.begin(), kSelecting.end(), [&](auto key) { return node.find(key) != nullptr; })) {
    context.refuse(
        ErrorCode::kPolicyMissingKey, context.at(node),
        "a target that every process matches, expected at least one of exe, comm, pid, systemd_unit, cgroup");
  }
  const auto find_both = [&](const auto& allowed, const auto& denied, std::string_view what, std::string_view key) {
    for (const auto id : allowed) {
      if (std::find(denied.begin(), denied.end(), id) != denied.end()) {
        context.refuse(ErrorCode::kPolicyRange, value_at(node, key, context),
                       fmt::format("{} {} both allowed and denied, expected one of the two", what, id));
      }
    }
  };
  find_both(target.pids, target.deny_pids, "process", "deny_pids");
  find_both(target.allow_uids, target.deny_uids, "user", "users");
}

void check_guard(void* guard_object, const Node& node, Context& context) {
  auto& guard = *static_cast<Guard*>(guard_object);
  guard.position = value_at(node, "name", context);
  if (!guard.name.empty()) {
    context.use_name("policy", guard.name, guard.position);
  }
  check_entry_names(guard, node, context);
  check_objects(guard, context);
  if (!guard.contention.enabled && guard.functions.empty() && !guard.watch.wanted() && !guard.bursts.enabled) {
    context.refuse(
        ErrorCode::kPolicyMissingKey, guard.position,
        fmt::format("policy \"{}\" watches nothing, expected functions, contention, watch or bursts", guard.name));
  }
}

void check_policy(const Policy& policy, Context& context) {
  if (policy.guards.size() > RG_MAX_TARGET_GROUPS) {
    context.refuse(ErrorCode::kPolicyRange, policy.guards[RG_MAX_TARGET_GROUPS].position,
                   fmt::format("more than {} policies, expected no more than the kernel's maps have room for",
                               RG_MAX_TARGET_GROUPS));
  }
  std::size_t switches = 0;
  for (const Guard& guard : policy.guards) {
    for (const SwitchPolicy& switch_policy : guard.switches) {
      if (++switches == RG_PAGE_SLOTS + 1) {
        context.refuse(
            ErrorCode::kPolicyRange, switch_policy.position,
            fmt::format("more than {} switches, expected no more than the shared page has room for", RG_PAGE_SLOTS));
      }
    }
  }
}

}  // namespace raceguard::policy
