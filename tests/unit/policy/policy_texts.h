// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

#include "daemon/policy/load.h"

namespace raceguard::policy::test {

inline std::string read(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Users of the tests: alice and bob exist.
inline LoadOptions with_test_users() {
  return {.user = [](const std::string& name) -> std::optional<uid_t> {
    return name == "alice" ? std::optional<uid_t>(1000) : name == "bob" ? std::optional<uid_t>(1001) : std::nullopt;
  }};
}

inline PolicyResult decode(const std::string& text) { return decode_policy(text, "p.yaml", with_test_users()); }

// Every key with a value other than its default.
inline const std::string kFullPolicy = R"(apiVersion: raceguard/v1
daemon:
  listen_address: "::1"
  listen_port: 1234
  run_directory: /tmp/rg
  control_group: wheel
  evidence_file: /tmp/e.jsonl
  tick: 50ms
  heartbeat: 1.5s
  call_expiry: 2h
  max_open_switches: 3
  exempt_for: 2m
  exempt_error_ratio: 20%
  exempt_minimum_calls: 50
  fuse_handling: 20us
  fuse_model_error: 7
  max_functions: 100
  max_locks: 1000
  max_targets: 200
  max_calls_in_flight: 5000
  ring_size: 64KiB
  metrics_top_k: 7
policies:
  - name: shop
    target:
      exe: ["*/checkout", /opt/shop/*]
      comm: shop
      pid: 812
      systemd_unit: shop.service
      cgroup: /system.slice/*
      deny_pids: [1, 2]
      users:
        allow: [alice, 7]
        deny: bob
    contention:
      enabled: true
      stack_samples_per_second: 2.5
      budget: 3%
    budget: 3%
    functions:
      - name: recommend
        symbol: shop::recommend*
        binary: "*/libshop.so*"
        slow: 20ms
        error_when:
          returns: "<= -5"
          type: int64
      - symbol: pay
        slow: 1s
    switches:
      - name: recommendations
        mode: enforce
        functions: [recommend, pay]
        locks: stock*
        open_when:
          slow_ratio: 50%
          error_ratio: 15%
          lock_wait_p99: 30ms
        close_when:
          slow_ratio: 10%
          error_ratio: 5%
          lock_wait_p99: 7us
        window:
          calls: 100
        minimum_calls: 11
        minimum_waits: 12
        open_for: 3s
        open_for_max: 1m
        backoff: 1.5
        jitter: 7%
        half_open:
          share: 20%
          calls: 6
          deadline: 4s
        flapping:
          openings: 9
          window: 1h
        serialize:
          functions: [pay, recommend=read@global:epoch]
          key: arg2+0x10:4
          wait: 1ms
          budget: 20%
      - name: guard
        open_when:
          proven_races: 2
          likely_races: 5
        close_when:
          proven_races: 1
          likely_races: 4
    watch:
      auto: true
      variables:
        - name: config.counters[3].hits
        - name: table.rows
          guarded_by: table_lock
      objects:
        - function: recommend
          argument: 1
          members: [balance, "stats.hits"]
      hold: 100us
      budget: 2%
      suppressions: /tmp/races.supp
      on_proven_race: serialize
      serialize_for: 10m
      serialize_wait: 2ms
      serialize_budget: 25%
    bursts:
      enabled: true
      budget: 2%
      interval: 30s
)";

}  // namespace raceguard::policy::test
