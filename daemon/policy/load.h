// SPDX-License-Identifier: Apache-2.0
// YAML text to a validated Policy. A policy with any error yields nothing but its errors, all of them.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/policy/policy.h"
#include "raceguard/error.h"

namespace raceguard::policy {

// `error.what()` begins with the position, as compilers write it: "a.yaml:3:5: unknown key ...". Line 0: the whole
// file.
struct PolicyError {
  Error error;
  Position position;
};

class PolicyErrors {
 public:
  static constexpr std::size_t kMost = 100;  // nobody reads more, and a hostile file could have 50,000

  void add(PolicyError error);  // one more than kMost is dropped
  [[nodiscard]] bool full() const { return list_.size() >= kMost; }
  [[nodiscard]] bool empty() const { return list_.empty(); }
  [[nodiscard]] const std::vector<PolicyError>& list() const { return list_; }

  // One line an error, "a.yaml:3:5: <text>. <remedy> [RG-P103]": for people and for editors that jump to a position.
  [[nodiscard]] std::string to_string() const;
  // The first one, with the number of the others, for callers that pass on a plain Error.
  [[nodiscard]] Error to_error() const;

 private:
  std::vector<PolicyError> list_;
};

using PolicyResult = tl::expected<Policy, PolicyErrors>;

// The id of a user by name; nothing if there is none.
using UserLookup = std::function<std::optional<uid_t>(const std::string& name)>;
std::optional<uid_t> system_user(const std::string& name);  // getpwnam_r

struct LoadOptions {
  UserLookup user = system_user;
};

// Reads files, and of each directory the files *.yaml in the order of their names (drop-ins). A file that is named
// twice is read once. Codes: RG-P101 to RG-P107, RG-P109.
PolicyResult load_policy(const std::vector<std::filesystem::path>& files_and_directories,
                         const LoadOptions& options = {});

// The same for one text; `file_name` is for messages only.
PolicyResult decode_policy(std::string_view text, const std::string& file_name, const LoadOptions& options = {});

// An error in the same style for what only a later stage can know: "checkout.yaml:12:9: symbol glob "recomend*" matches
// nothing in /usr/bin/checkout, expected ...; did you mean "recommend"?" `candidates` are what could have been meant.
// Code: RG-P108.
PolicyError matches_nothing(const Position& position, std::string_view what, std::string_view glob,
                            std::string_view where, const std::vector<std::string>& candidates);

}  // namespace raceguard::policy
