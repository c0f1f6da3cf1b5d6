// SPDX-License-Identifier: Apache-2.0
// The format's documents, made from the key tables. Tests hold the files in the repository to them.
#pragma once

#include <string>
#include <string_view>

namespace raceguard::policy {

std::string sample_file();       // config/raceguard.yaml: every key, commented out
std::string reference_tables();  // the tables of docs/policy.md
std::string json_schema();       // docs/schema/policy.schema.json, draft 2020-12

// A sample with its settings made live: "#key: value" becomes "key: value"; prose ("# text") stays a comment.
std::string uncomment(std::string_view sample);

}  // namespace raceguard::policy
