// SPDX-License-Identifier: Apache-2.0
// What no single key can tell: each holds the stored values of a mapping against each other. For Mapping::check.
#pragma once

namespace raceguard::policy {

class Context;
struct Node;

void check_daemon(void* daemon_settings, const Node& node, Context& context);
void check_error_test(void* error_test, const Node& node, Context& context);
void check_function(void* function_guard, const Node& node, Context& context);
void check_window(void* window, const Node& node, Context& context);
void check_serialize(void* serialize_policy, const Node& node, Context& context);
void check_switch(void* switch_policy, const Node& node, Context& context);
void check_target(void* target_match, const Node& node, Context& context);
void check_variable(void* watched_variable, const Node& node, Context& context);
void check_object(void* watched_object, const Node& node, Context& context);
void check_watch(void* watch_guard, const Node& node, Context& context);
void check_guard(void* guard, const Node& node, Context& context);

}  // namespace raceguard::policy
