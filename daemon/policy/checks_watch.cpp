// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <set>

#include "daemon/policy/checks.h"
#include "daemon/policy/decoder.h"
#include "daemon/policy/document.h"

namespace raceguard::policy {
namespace {

// One argument of a function is remembered: its probe has one place for it.
void check_functions_once(const WatchGuard& watch, Context& context) {
  std::set<std::string> functions;
  for (const WatchedObject& object : watch.objects) {
    if (!object.function.empty() && !functions.insert(object.function).second) {
      context.refuse(ErrorCode::kPolicyDuplicateKey, object.position,
                     fmt::format("function {} again in objects, expected one entry with all its members",
                                 in_quotes(object.function)));
    }
  }
}

}  // namespace

void check_variable(void* watched_variable, const Node& node, Context& context) {
  const Node* name = node.find("name");
  static_cast<WatchedVariable*>(watched_variable)->position = context.at(name != nullptr ? *name : node);
}

void check_object(void* watched_object, const Node& node, Context& context) {
  const Node* function = node.find("function");
  static_cast<WatchedObject*>(watched_object)->position = context.at(function != nullptr ? *function : node);
}

void check_watch(void* watch_guard, const Node& node, Context& context) {
  const auto& watch = *static_cast<WatchGuard*>(watch_guard);
  const bool given = node.find("variables") != nullptr || node.find("objects") != nullptr;  // wrong ones are refused
  if (!watch.automatic && !given) {
    context.refuse(ErrorCode::kPolicyMissingKey, context.at(node),
                   "watch that looks at nothing, expected auto: true, variables or objects");
  }
  if (const Node* path = node.find("suppressions"); path != nullptr && !watch.suppressions.starts_with('/')) {
    context.refuse(ErrorCode::kPolicyValue, context.at(*path),
                   fmt::format("{} for suppressions, expected an absolute path", in_quotes(watch.suppressions)));
  }
  check_functions_once(watch, context);
}

}  // namespace raceguard::policy
