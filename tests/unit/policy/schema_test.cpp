// SPDX-License-Identifier: Apache-2.0
// Holds docs/schema/policy.schema.json against the decoder: the same keys, and the same verdict on the same documents.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "daemon/policy/key.h"
#include "tests/unit/policy/policy_texts.h"

namespace raceguard::policy {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::decode;

constexpr const char* kSchemaFile = RG_SOURCE_DIR "/docs/schema/policy.schema.json";

// The part of a key's schema that describes a mapping: itself, a list's items, or an alternative.
const json* object_part(const json& schema) {
  if (schema.contains("properties")) {
    return &schema;
  }
  if (schema.contains("items")) {
    return object_part(schema["items"]);
  }
  if (schema.contains("anyOf")) {
    for (const json& alternative : schema["anyOf"]) {
      if (const json* found = object_part(alternative)) {
        return found;
      }
    }
  }
  return nullptr;
}

void expect_same_keys(const json& schema, const Mapping& mapping) {
  std::set<std::string> of_decoder;
  std::set<std::string> required;
  for (const Key& key : mapping.keys) {
    of_decoder.emplace(key.name);
    if (key.required) {
      required.emplace(key.name);
    }
  }
  std::set<std::string> of_schema;
  for (const auto& [name, value] : schema["properties"].items()) {
    of_schema.insert(name);
  }
  EXPECT_EQ(of_schema, of_decoder) << mapping.name;
  EXPECT_EQ(schema.value("required", std::set<std::string>()), required) << mapping.name;
  EXPECT_EQ(schema["additionalProperties"], false) << mapping.name;
  for (const Key& key : mapping.keys) {
    const json* part = object_part(schema["properties"][std::string(key.name)]);
    ASSERT_EQ(part != nullptr, key.mapping != nullptr) << key.name;
    if (part != nullptr) {
      expect_same_keys(*part, *key.mapping);
    }
  }
}

TEST(PolicySchema, HasTheDecodersKeys) { expect_same_keys(json::parse(test::read(kSchemaFile)), kFileMapping); }

std::string with(std::string_view key_line, std::string_view replacement) {
  std::string text = test::kFullPolicy;
  const std::size_t at = text.find(key_line);
  EXPECT_NE(at, std::string::npos) << key_line;
  return at == std::string::npos ? text : text.replace(at, key_line.size(), replacement);
}

struct Document {
  std::string name;
  std::string text;
  bool good;
};

std::vector<Document> documents() {
  return {
      {"full", test::kFullPolicy, true},
      {"checkout", test::read(RG_SOURCE_DIR "/config/policies/checkout.yaml"), true},
      {"mariadb", test::read(RG_SOURCE_DIR "/config/policies/mariadb.yaml"), true},
      {"sample", test::read(RG_SOURCE_DIR "/config/raceguard.yaml"), true},
      {"space before the unit", with("tick: 50ms", "tick: 50 ms"), true},
      {"window as a duration", with("window:\n          calls: 100", "window: 1m"), true},
      {"window by duration key", with("calls: 100", "duration: 1m"), true},
      {"number as user", with("deny: bob", "deny: 12"), true},
      {"quoted number as text", with("comm: shop", "comm: \"12\""), true},
      {"empty", "", false},
      {"list", "- a\n", false},
      {"no version", "policies: []\n", false},
      {"other version", with("raceguard/v1", "raceguard/v2"), false},
      {"unknown key", with("tick:", "tik:"), false},
      {"unknown nested key", with("share:", "shares:"), false},
      {"bare number", with("tick: 50ms", "tick: 50"), false},
      {"wrong unit", with("slow: 20ms", "slow: 20 parsecs"), false},
      {"wrong ratio unit", with("jitter: 7%", "jitter: 7ms"), false},
      {"bare ratio", with("jitter: 7%", "jitter: 0.07"), false},
      {"wrong size unit", with("64KiB", "64KB"), false},
      {"negative duration", with("tick: 50ms", "tick: -50ms"), false},
      {"port out of range", with("listen_port: 1234", "listen_port: 65536"), false},
      {"fraction for a count", with("max_locks: 1000", "max_locks: 10.5"), false},
      {"text for a number", with("max_locks: 1000", "max_locks: \"1000\""), false},
      {"back-off too large", with("backoff: 1.5", "backoff: 11"), false},
      {"number for a text", with("comm: shop", "comm: 12"), false},
      {"flag for a text", with("comm: shop", "comm: yes"), false},
      {"text for a flag", with("enabled: true", "enabled: \"true\""), false},
      {"empty text", with("comm: shop", "comm: \"\""), false},
      {"empty list", with("deny_pids: [1, 2]", "deny_pids: []"), false},
      {"nothing", with("comm: shop", "comm:"), false},
      {"pid zero", with("pid: 812", "pid: 0"), false},
      {"long switch name", with("name: recommendations", "name: " + std::string(64, 'x')), false},
      {"wrong mode", with("mode: enforce", "mode: Enforce"), false},
      {"wrong type", with("type: int64", "type: int128"), false},
      {"no sign", with("\"<= -5\"", "\"-5\""), false},
      {"no name", with("- name: shop\n    target", "- target"), false},
      {"no symbol", with("symbol: shop::recommend*", "slow: 20ms"), false},
      {"policies as a mapping", "apiVersion: raceguard/v1\npolicies: {}\n", false},
      {"mapping as a text", with("comm: shop", "comm: {a: b}"), false},
  };
}

// What only the decoder can know: keys held against each other, ranges of values with units, names.
std::vector<Document> decoder_only() {
  return {
      {"duplicate key", with("tick: 50ms", "tick: 50ms\n  tick: 50ms"), true},
      {"duration out of range", with("tick: 50ms", "tick: 1h"), true},
      {"ratio above 1", with("jitter: 7%", "jitter: 107%"), true},
      {"close above open", with("slow_ratio: 10%", "slow_ratio: 60%"), true},
      {"undefined function", with("[recommend, pay]", "[recommend, buy]"), true},
      {"both windows", with("calls: 100", "calls: 100\n          duration: 1s"), true},
  };
}

std::vector<std::string> verdicts_of_schema(const std::vector<Document>& table) {
  std::string pattern = fs::temp_directory_path() / "raceguard-schema-XXXXXX";
  const fs::path root = ::mkdtemp(pattern.data());
  std::string command =
      "/usr/bin/python3 " RG_SOURCE_DIR "/tests/unit/policy/schema_judge.py " + std::string(kSchemaFile);
  for (std::size_t i = 0; i < table.size(); ++i) {
    const fs::path file = root / std::to_string(i);
    std::ofstream(file) << table[i].text;
    command += " " + file.string();
  }
  std::string output;
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
  for (int letter = std::fgetc(pipe.get()); letter != EOF; letter = std::fgetc(pipe.get())) {
    output += static_cast<char>(letter);
  }
  fs::remove_all(root);
  std::vector<std::string> verdicts;
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    verdicts.push_back(line);
  }
  return verdicts;
}

TEST(PolicySchema, AndDecoderJudgeTheSame) {
  const std::vector<Document> table = documents();
  const std::vector<std::string> verdicts = verdicts_of_schema(table);
  ASSERT_EQ(verdicts.size(), table.size()) << "schema_judge.py failed; it needs python3-jsonschema and python3-yaml";
  for (std::size_t i = 0; i < table.size(); ++i) {
    EXPECT_EQ(verdicts[i], table[i].good ? "good" : "bad") << "schema on: " << table[i].name;
    const auto policy = decode(table[i].text);
    EXPECT_EQ(policy.has_value(), table[i].good)
        << "decoder on: " << table[i].name << (policy ? "" : "\n" + policy.error().to_string());
  }
}

TEST(PolicySchema, PassesWhatOnlyTheDecoderRefuses) {
  const std::vector<Document> table = decoder_only();
  const std::vector<std::string> verdicts = verdicts_of_schema(table);
  ASSERT_EQ(verdicts.size(), table.size());
  for (std::size_t i = 0; i < table.size(); ++i) {
    EXPECT_EQ(verdicts[i], "good") << table[i].name;
    EXPECT_FALSE(decode(table[i].text)) << table[i].name;
  }
}

}  // namespace
}  // namespace raceguard::policy
