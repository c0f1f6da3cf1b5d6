// SPDX-License-Identifier: Apache-2.0
// Any bytes are a policy or a list of errors with a position, and nothing else.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/policy/load.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace raceguard::policy;
  const LoadOptions options{.user = [](const std::string& name) -> std::optional<uid_t> {
    return name == "alice" ? std::optional<uid_t>(1000) : std::nullopt;
  }};
  const auto policy = decode_policy(std::string_view(reinterpret_cast<const char*>(data), size), "f", options);
  if (!policy && (policy.error().empty() || policy.error().to_string().empty())) {
    std::abort();
  }
  return 0;
}
