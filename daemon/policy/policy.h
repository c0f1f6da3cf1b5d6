// SPDX-License-Identifier: Apache-2.0
// What a user asked for: validated values with units. No YAML type leaves the stage; an invalid policy yields nothing.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/policy/intercepted.h"

namespace raceguard::policy {

// Where a value stands in its file, for messages. Lines and columns count from 1.
struct Position {
  std::string file;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
};

// Selects processes. A process matches if every non-empty list has a member that matches, and no deny list has.
struct TargetMatch {
  std::vector<std::string> exe_globs;   // of the path as the process sees it; fnmatch with no flags: * matches / too
  std::vector<std::string> comm_globs;  // of /proc/PID/comm
  std::vector<pid_t> pids;
  std::vector<std::string> systemd_units;  // "mariadb.service", glob
  std::vector<std::string> cgroup_globs;   // of the cgroup path below /sys/fs/cgroup
  std::vector<pid_t> deny_pids;
  std::vector<uid_t> allow_uids;  // empty: every user
  std::vector<uid_t> deny_uids;
};

enum class Comparison { kEqual, kNotEqual, kLess, kLessEqual, kGreater, kGreaterEqual };

// A call failed if its return value, read as a signed or unsigned integer of `bits`, compares so with `operand`.
struct ErrorTest {
  Comparison comparison = Comparison::kLess;
  std::int64_t operand = 0;
  std::uint8_t bits = 32;  // 8, 16, 32, 64
  bool is_signed = true;
};

// A policy's entry for a function.
struct FunctionGuard {
  std::string name;          // label in metrics and switches; default: the symbol glob
  std::string symbol_glob;   // matched against demangled and mangled names
  std::string binary;        // "exe" (default) or a glob of a mapped file's path
  std::int64_t slow_ns = 0;  // a call this long or longer is slow; 0: no threshold
  std::optional<ErrorTest> error;
  bool may_throw =
      true;  // an exception or a panic may pass through a call: then C++ and Rust functions get no return probe
  Position position;
};

struct ContentionGuard {
  bool enabled = true;
  double stack_samples_per_second = 20;  // stack copies a second and CPU, at most; the largest of all guards
  double budget = 0.01;                  // of the targets' CPU time, to see their futex calls; 1: no bound
};

struct WatchedVariable {
  std::string name;        // "config.counters[3].hits"
  std::string guarded_by;  // a lock's name; empty: found out
  Position position;
};

// Members of what a guarded function is called with.
struct WatchedObject {
  std::string function;        // name of a FunctionGuard
  std::uint32_t argument = 0;  // 0..5
  std::vector<std::string> members;
  Position position;
};

// What is done about a race that was proven (docs/interception.md).
enum class OnProvenRace {
  kPropose,    // the finding says what could be kept apart, and by which command
  kSerialize,  // it is kept apart
};

// Where data races are looked for.
struct WatchGuard {
  bool automatic = false;  // every writable global, and words that change
  std::vector<WatchedVariable> variables;
  std::vector<WatchedObject> objects;
  std::int64_t hold_ns = 50'000;
  double budget = 0.01;      // of one CPU
  std::string suppressions;  // a file; empty: none
  OnProvenRace on_proven_race = OnProvenRace::kPropose;
  std::int64_t serialize_for_ns = 3600'000'000'000;
  std::int64_t serialize_wait_ns = 500'000;
  double serialize_budget = 0.10;  // of the process's CPU time
  [[nodiscard]] bool wanted() const { return automatic || !variables.empty() || !objects.empty(); }
};

// Looks at all lock calls of a process for some milliseconds now and then.
struct BurstGuard {
  bool enabled = false;
  double budget = 0.01;                       // of the process's CPU time
  std::int64_t interval_ns = 10'000'000'000;  // from a burst of a process to its next one, at least
  friend bool operator==(const BurstGuard&, const BurstGuard&) = default;
};

// A time window of `duration_ns`, or the last `calls` calls; exactly one is non-zero.
struct Window {
  std::int64_t duration_ns = 10'000'000'000;
  std::uint32_t calls = 0;
};

enum class SwitchMode { kObserve, kEnforce };

// Functions that are kept apart while a switch is open (docs/interception.md).
struct SerializePolicy {
  std::vector<std::string> functions;  // as they are written: "get=read@arg1"
  std::string key = "none";            // of those without one of their own
  std::vector<RequestedFunction> parsed;
  std::int64_t wait_ns = 500'000;
  double budget = 0.10;  // of the process's CPU time
};

// A switch and its breaker. Thresholds to open; those to close default to the ones to open.
struct SwitchPolicy {
  std::string name;                    // what the application calls it
  std::vector<std::string> functions;  // names of FunctionGuards that feed it
  std::vector<std::string> locks;      // globs of lock names whose waits feed it; empty: all locks of the targets
  SwitchMode mode = SwitchMode::kObserve;

  std::optional<double> open_slow_ratio;   // 0..1
  std::optional<double> open_error_ratio;  // 0..1
  std::optional<std::int64_t> open_lock_wait_p99_ns;
  std::optional<std::uint32_t> open_proven_races;  // different ones in the window
  std::optional<std::uint32_t> open_likely_races;
  std::optional<double> close_slow_ratio;  // <= the one to open
  std::optional<double> close_error_ratio;
  std::optional<std::int64_t> close_lock_wait_p99_ns;
  std::optional<std::uint32_t> close_proven_races;
  std::optional<std::uint32_t> close_likely_races;

  Window window;
  std::uint32_t minimum_calls = 20;          // below this many in the window nothing is judged
  std::uint32_t minimum_waits = 20;          // the same for lock waits
  std::int64_t open_for_ns = 5'000'000'000;  // open -> half-open after this, times the back-off
  double backoff_factor = 2;                 // 1..10, per opening that follows a failed trial
  std::int64_t open_for_max_ns = 300'000'000'000;
  double jitter = 0.1;                                  // 0..0.5, of the time open
  double half_open_share = 0.1;                         // 0..1, share of calls that try the real function
  std::uint32_t half_open_calls = 10;                   // judged after this many trial calls ...
  std::int64_t half_open_deadline_ns = 10'000'000'000;  // ... or then, so that it is never stuck
  std::uint32_t flap_openings = 5;  // so many openings within flap_window_ns: flapping, stays open longest
  std::int64_t flap_window_ns = 600'000'000'000;
  std::optional<SerializePolicy> serialize;
  Position position;
};

// One entry of `policies:`. Names of guards, switches and functions are each unique over all files.
struct Guard {
  std::string name;
  TargetMatch target;
  ContentionGuard contention;
  double budget = 0.01;  // of the targets' CPU time, for the probes of functions; 1: no bound
  std::vector<FunctionGuard> functions;
  WatchGuard watch;
  BurstGuard bursts;
  std::vector<SwitchPolicy> switches;
  Position position;
};

// The `daemon:` section.
struct DaemonSettings {
  std::string listen_address = "127.0.0.1";
  std::uint16_t listen_port = 19750;  // 0: no HTTP
  std::string run_directory = "/run/raceguard";
  std::string control_group = "raceguard";  // members may use the control socket beside root, if the group exists
  std::string evidence_file = "/var/lib/raceguard/evidence.jsonl";
  std::int64_t tick_ns = 100'000'000;            // how often kernel maps are read and breakers judged
  std::int64_t heartbeat_ns = 200'000'000;       // of the shared page
  std::int64_t call_expiry_ns = 60'000'000'000;  // a call in flight longer than this is dropped and counted
  std::uint32_t max_open_switches = 8;
  std::int64_t exempt_for_ns = 60'000'000'000;  // first time; doubled after each trial that failed
  double exempt_error_ratio = 0.15;             // 1: never
  std::uint32_t exempt_minimum_calls = 100;
  std::int64_t fuse_handling_ns = 50'000;  // mean of a hit
  std::uint32_t fuse_model_error = 5;      // times what is charged; 1000: never
  std::uint32_t max_functions = 512;
  std::uint32_t max_locks = 4096;
  std::uint32_t max_targets = 4096;
  std::uint32_t max_calls_in_flight = 65536;
  std::uint32_t ring_bytes = 4U << 20U;  // power of two
  std::uint32_t metrics_top_k = 20;      // locks and functions with an own label; the rest is "other"
  friend bool operator==(const DaemonSettings&, const DaemonSettings&) = default;
};

struct Policy {
  DaemonSettings daemon;
  std::vector<Guard> guards;
};

}  // namespace raceguard::policy
