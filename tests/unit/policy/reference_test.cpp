// SPDX-License-Identifier: Apache-2.0
// The documents in the repository are those of the key tables, and the tables' defaults are those of the structs.
// On a difference the right text is written to the build directory, with the command that takes it over.
#include "daemon/policy/reference.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "daemon/policy/document.h"
#include "daemon/policy/key.h"
#include "tests/unit/policy/policy_texts.h"

namespace raceguard::policy {
namespace {

using test::decode;

void expect_same(const std::string& path, const std::string& expected) {
  const std::string found = test::read(RG_SOURCE_DIR "/" + path);
  if (found == expected) {
    return;
  }
  const std::filesystem::path made = std::filesystem::path(RG_BINARY_DIR) / "reference" / path;
  std::filesystem::create_directories(made.parent_path());
  std::ofstream(made) << expected;
  ADD_FAILURE() << path << " is not what the key tables say: cp " << made.string() << " " << RG_SOURCE_DIR "/" << path;
}

TEST(Reference, SampleFile) { expect_same("config/raceguard.yaml", sample_file()); }

TEST(Reference, Schema) { expect_same("docs/schema/policy.schema.json", json_schema()); }

TEST(Reference, TablesOfTheDocument) {
  const std::string marker = "<!-- The rest is made from the key tables. -->\n\n";
  const std::string document = test::read(RG_SOURCE_DIR "/docs/policy.md");
  expect_same("docs/policy.md", document.substr(0, document.find(marker)) + marker + reference_tables());
}

TEST(Reference, SampleIsValidAsItIs) {
  const auto policy = decode(sample_file());
  ASSERT_TRUE(policy) << policy.error().to_string();
  EXPECT_TRUE(policy->guards.empty());
}

TEST(Reference, SampleIsValidUncommented) {
  const auto policy = decode(uncomment(sample_file()));
  ASSERT_TRUE(policy) << policy.error().to_string();
  ASSERT_EQ(policy->guards.size(), 1U);
  EXPECT_EQ(policy->guards[0].functions.size(), 1U);
  EXPECT_EQ(policy->guards[0].switches.size(), 1U);
}

// Reads the sample with every default written out and compares it with structs that nothing was read into.
TEST(Reference, DefaultsInTheTablesAreThoseOfTheStructs) {
  const auto policy = decode(uncomment(sample_file()));
  ASSERT_TRUE(policy) << policy.error().to_string();
  const DaemonSettings& read = policy->daemon;
  const DaemonSettings defaults;
  EXPECT_EQ(read.listen_address, defaults.listen_address);
  EXPECT_EQ(read.listen_port, defaults.listen_port);
  EXPECT_EQ(read.run_directory, defaults.run_directory);
  EXPECT_EQ(read.control_group, defaults.control_group);
  EXPECT_EQ(read.evidence_file, defaults.evidence_file);
  EXPECT_EQ(read.tick_ns, defaults.tick_ns);
  EXPECT_EQ(read.heartbeat_ns, defaults.heartbeat_ns);
  EXPECT_EQ(read.call_expiry_ns, defaults.call_expiry_ns);
  EXPECT_EQ(read.max_open_switches, defaults.max_open_switches);
  EXPECT_EQ(read.exempt_for_ns, defaults.exempt_for_ns);
  EXPECT_EQ(read.exempt_error_ratio, defaults.exempt_error_ratio);
  EXPECT_EQ(read.exempt_minimum_calls, defaults.exempt_minimum_calls);
  EXPECT_EQ(read.fuse_handling_ns, defaults.fuse_handling_ns);
  EXPECT_EQ(read.fuse_model_error, defaults.fuse_model_error);
  EXPECT_EQ(read.max_functions, defaults.max_functions);
  EXPECT_EQ(read.max_locks, defaults.max_locks);
  EXPECT_EQ(read.max_targets, defaults.max_targets);
  EXPECT_EQ(read.max_calls_in_flight, defaults.max_calls_in_flight);
  EXPECT_EQ(read.ring_bytes, defaults.ring_bytes);
  EXPECT_EQ(read.metrics_top_k, defaults.metrics_top_k);
  EXPECT_EQ(policy->guards[0].budget, Guard().budget);
  const ContentionGuard& contention = policy->guards[0].contention;
  EXPECT_EQ(contention.enabled, ContentionGuard().enabled);
  EXPECT_EQ(contention.stack_samples_per_second, ContentionGuard().stack_samples_per_second);
  EXPECT_EQ(contention.budget, ContentionGuard().budget);
  const ErrorTest& error = *policy->guards[0].functions[0].error;
  EXPECT_EQ(error.bits, ErrorTest().bits);
  EXPECT_EQ(error.is_signed, ErrorTest().is_signed);
}

TEST(Reference, DefaultsOfWatchAreThoseOfTheStruct) {
  const auto policy = decode(uncomment(sample_file()));
  ASSERT_TRUE(policy) << policy.error().to_string();
  const WatchGuard& read = policy->guards[0].watch;
  const WatchGuard defaults;
  EXPECT_EQ(read.automatic, defaults.automatic);
  EXPECT_EQ(read.hold_ns, defaults.hold_ns);
  EXPECT_EQ(read.budget, defaults.budget);
  EXPECT_EQ(read.on_proven_race, defaults.on_proven_race);
  EXPECT_EQ(read.serialize_for_ns, defaults.serialize_for_ns);
  EXPECT_EQ(read.serialize_wait_ns, defaults.serialize_wait_ns);
  EXPECT_EQ(read.serialize_budget, defaults.serialize_budget);
  ASSERT_EQ(read.objects.size(), 1U);
  EXPECT_EQ(read.objects[0].argument, WatchedObject().argument);
}

TEST(Reference, DefaultsOfBurstsAreThoseOfTheStruct) {
  const auto policy = decode(uncomment(sample_file()));
  ASSERT_TRUE(policy) << policy.error().to_string();
  EXPECT_EQ(policy->guards[0].bursts, BurstGuard());
}

TEST(Reference, DefaultsOfSwitchesAreThoseOfTheStruct) {
  const auto policy = decode(uncomment(sample_file()));
  ASSERT_TRUE(policy) << policy.error().to_string();
  const SwitchPolicy& read = policy->guards[0].switches[0];
  const SwitchPolicy defaults;
  EXPECT_EQ(read.mode, defaults.mode);
  EXPECT_EQ(read.window.duration_ns, defaults.window.duration_ns);
  EXPECT_EQ(read.window.calls, defaults.window.calls);
  EXPECT_EQ(read.minimum_calls, defaults.minimum_calls);
  EXPECT_EQ(read.minimum_waits, defaults.minimum_waits);
  EXPECT_EQ(read.open_for_ns, defaults.open_for_ns);
  EXPECT_EQ(read.open_for_max_ns, defaults.open_for_max_ns);
  EXPECT_EQ(read.backoff_factor, defaults.backoff_factor);
  EXPECT_EQ(read.jitter, defaults.jitter);
  EXPECT_EQ(read.half_open_share, defaults.half_open_share);
  EXPECT_EQ(read.half_open_calls, defaults.half_open_calls);
  EXPECT_EQ(read.half_open_deadline_ns, defaults.half_open_deadline_ns);
  EXPECT_EQ(read.flap_openings, defaults.flap_openings);
  EXPECT_EQ(read.flap_window_ns, defaults.flap_window_ns);
  ASSERT_TRUE(read.serialize);
  EXPECT_EQ(read.serialize->key, SerializePolicy().key);
  EXPECT_EQ(read.serialize->wait_ns, SerializePolicy().wait_ns);
  EXPECT_EQ(read.serialize->budget, SerializePolicy().budget);
}

void expect_keys_shown(const Mapping& mapping, const Node& node) {
  ASSERT_EQ(node.kind, NodeKind::kMapping) << mapping.name;
  for (const Key& key : mapping.keys) {
    const Node* shown = node.find(key.name);
    ASSERT_NE(shown, nullptr) << key.name << " in " << mapping.name;
    EXPECT_FALSE(key.help.empty()) << key.name;
    if (key.kind == Kind::kMapping) {
      expect_keys_shown(*key.mapping, *shown);
    } else if (is_list_of_mappings(key.kind)) {
      ASSERT_EQ(shown->children.size(), 1U) << key.name;
      expect_keys_shown(*key.mapping, shown->children[0]);
    }
  }
}

TEST(Reference, SampleShowsEveryKey) {
  Node root;
  PolicyErrors errors;
  ASSERT_TRUE(parse_document(uncomment(sample_file()), "sample", root, errors)) << errors.to_string();
  expect_keys_shown(kFileMapping, root);
  // A window's keys exclude each other and its short form; the sample shows that form and the keys in prose.
  EXPECT_NE(sample_file().find("{calls: 100}"), std::string::npos);
}

}  // namespace
}  // namespace raceguard::policy
