// SPDX-License-Identifier: Apache-2.0
// The keys of a file, of an entry of `policies`, and of its target and functions.
#include <array>

#include "daemon/policy/checks.h"
#include "daemon/policy/key.h"

namespace raceguard::policy {
namespace {

constexpr double kMicrosecond = 1e3;
constexpr double kHour = 3600e9;
constexpr double kMaxPid = 4194304;       // PID_MAX_LIMIT, include/linux/threads.h
constexpr double kMaxUid = 4294967294.0;  // (uid_t)-1 means "no change"

constexpr std::array kUserKeys = {
    Key{.name = "allow",
        .kind = Kind::kUsers,
        .help = "Processes of these users only.",
        .fallback = "(every user)",
        .sample = "[0]",
        .maximum = kMaxUid,
        .store = store<&TargetMatch::allow_uids>},
    Key{.name = "deny",
        .kind = Kind::kUsers,
        .help = "No processes of these users.",
        .fallback = "(nobody)",
        .sample = "[65534]",
        .maximum = kMaxUid,
        .store = store<&TargetMatch::deny_uids>},
};
constexpr Mapping kUserMapping{"users", kUserKeys};

constexpr std::array kTargetKeys = {
    Key{.name = "exe",
        .kind = Kind::kTexts,
        .help = "Globs of the executable's path as the process sees it; * matches / too.",
        .fallback = "(any)",
        .sample = "\"*/checkout\"",
        .store = store<&TargetMatch::exe_globs>},
    Key{.name = "comm",
        .kind = Kind::kTexts,
        .help = "Globs of the process's name (/proc/PID/comm, at most 15 bytes).",
        .fallback = "(any)",
        .sample = "checkout",
        .store = store<&TargetMatch::comm_globs>},
    Key{.name = "pid",
        .kind = Kind::kPids,
        .help = "Process ids.",
        .fallback = "(any)",
        .sample = "[812]",
        .minimum = 1,
        .maximum = kMaxPid,
        .store = store<&TargetMatch::pids>},
    Key{.name = "systemd_unit",
        .kind = Kind::kTexts,
        .help = "Globs of the systemd unit that the process belongs to.",
        .fallback = "(any)",
        .sample = "checkout.service",
        .store = store<&TargetMatch::systemd_units>},
    Key{.name = "cgroup",
        .kind = Kind::kTexts,
        .help = "Globs of the process's cgroup path below /sys/fs/cgroup.",
        .fallback = "(any)",
        .sample = "/system.slice/*",
        .store = store<&TargetMatch::cgroup_globs>},
    Key{.name = "deny_pids",
        .kind = Kind::kPids,
        .help = "Process ids that are never targets.",
        .fallback = "(none)",
        .sample = "[1]",
        .minimum = 1,
        .maximum = kMaxPid,
        .store = store<&TargetMatch::deny_pids>},
    Key{.name = "users",
        .kind = Kind::kMapping,
        .help = "Whose processes.",
        .mapping = &kUserMapping,
        .child = same_object},
};
constexpr Mapping kTargetMapping{"target", kTargetKeys, check_target};

constexpr std::array kContentionKeys = {
    Key{.name = "enabled",
        .kind = Kind::kFlag,
        .help = "Watch the waits for locks (futex system calls).",
        .fallback = "true",
        .store = store<&ContentionGuard::enabled>},
    Key{.name = "stack_samples_per_second",
        .kind = Kind::kNumber,
        .help = "At most so many stacks of waiters and holders are copied a second on each CPU; set at the daemon's "
                "start, to the largest value of all policies.",
        .fallback = "20",
        .minimum = 0,
        .maximum = 10000,
        .store = store<&ContentionGuard::stack_samples_per_second>},
    Key{.name = "budget",
        .kind = Kind::kRatio,
        .help =
            "What seeing their futex calls may take of the targets' CPU time. Beyond it locks are watched for a part "
            "of the time. 100%: no bound.",
        .fallback = "1%",
        .minimum = 0.0001,
        .maximum = 1,
        .store = store<&ContentionGuard::budget>},
};
constexpr Mapping kContentionMapping{"contention", kContentionKeys};

constexpr std::array<std::string_view, 8> kTypes = {"int8",  "int16",  "int32",  "int64",
                                                    "uint8", "uint16", "uint32", "uint64"};

constexpr std::array kErrorKeys = {
    Key{.name = "returns",
        .kind = Kind::kComparison,
        .help = "The call failed if its return value compares so: == != < <= > >= and a whole number.",
        .sample = "\"< 0\"",
        .required = true,
        .store =
            [](void* object, const Value& value) {
              const auto& with = std::get<ComparedWith>(value);
              static_cast<ErrorTest*>(object)->comparison = with.comparison;
              static_cast<ErrorTest*>(object)->operand = with.operand;
            }},
    Key{.name = "type",
        .kind = Kind::kChoice,
        .help = "How the return value is read.",
        .fallback = "int32",
        .choices = kTypes,
        .store =
            [](void* object, const Value& value) {
              const std::int64_t index = std::get<std::int64_t>(value);
              static_cast<ErrorTest*>(object)->bits = static_cast<std::uint8_t>(8U << (index % 4));
              static_cast<ErrorTest*>(object)->is_signed = index < 4;
            }},
};
constexpr Mapping kErrorMapping{"error_when", kErrorKeys, check_error_test};

constexpr std::array kFunctionKeys = {
    Key{.name = "name",
        .kind = Kind::kText,
        .help = "Label in metrics and name for switches. One function of a name in all files.",
        .fallback = "(the symbol)",
        .sample = "recommend",
        .maximum = 128,
        .store = store<&FunctionGuard::name>},
    Key{.name = "symbol",
        .kind = Kind::kText,
        .help = "Glob of the function's symbol, demangled or mangled.",
        .sample = "\"recommend*\"",
        .required = true,
        .store = store<&FunctionGuard::symbol_glob>},
    Key{.name = "binary",
        .kind = Kind::kText,
        .help = "Where the symbol is: exe for the executable, or a glob of a mapped file's path.",
        .fallback = "exe",
        .store = store<&FunctionGuard::binary>},
    Key{.name = "slow",
        .kind = Kind::kDuration,
        .help = "A call that takes this long or longer is slow.",
        .fallback = "(no call is slow)",
        .sample = "20ms",
        .minimum = kMicrosecond,
        .maximum = kHour,
        .store = store<&FunctionGuard::slow_ns>},
    Key{.name = "error_when",
        .kind = Kind::kMapping,
        .help = "Which calls failed. Without it none does.",
        .mapping = &kErrorMapping,
        .child = [](void* object) -> void* { return &static_cast<FunctionGuard*>(object)->error.emplace(); }},
    Key{.name = "may_throw",
        .kind = Kind::kFlag,
        .help = "Whether a C++ exception or a Rust panic may pass through a call. One that passes a return probe ends "
                "the process, so a function of a C++ or Rust program is probed at each of its returns instead, which "
                "costs more and is not possible for all. false: by a return probe, as in C.",
        .fallback = "true",
        .store = store<&FunctionGuard::may_throw>},
};
constexpr Mapping kFunctionMapping{"an entry of functions", kFunctionKeys, check_function};

constexpr std::array kGuardKeys = {
    Key{.name = "name",
        .kind = Kind::kText,
        .help = "Label in metrics. One policy of a name in all files.",
        .sample = "checkout",
        .maximum = 63,
        .required = true,
        .store = store<&Guard::name>},
    Key{.name = "target",
        .kind = Kind::kMapping,
        .help =
            "Which processes: those that match each key given here; of a list, one entry has to match. At least one of "
            "exe, comm, pid, systemd_unit, cgroup.",
        .required = true,
        .mapping = &kTargetMapping,
        .child = member<&Guard::target>},
    Key{.name = "contention",
        .kind = Kind::kMapping,
        .help = "Lock contention; nearly free.",
        .mapping = &kContentionMapping,
        .child = member<&Guard::contention>},
    Key{.name = "budget",
        .kind = Kind::kRatio,
        .help =
            "What the probes of functions may take of the targets' CPU time. Beyond it the dearest function is left "
            "alone for a while. 100%: no bound.",
        .fallback = "1%",
        .minimum = 0.0001,
        .maximum = 1,
        .store = store<&Guard::budget>},
    Key{.name = "functions",
        .kind = Kind::kMappings,
        .help = "Functions whose calls are counted and timed; each call costs the target a probe.",
        .mapping = &kFunctionMapping,
        .child = new_item<&Guard::functions>},
    Key{.name = "watch",
        .kind = Kind::kMapping,
        .help = "The search for data races, by hardware watchpoints.",
        .mapping = &kWatchMapping,
        .child = member<&Guard::watch>},
    Key{.name = "bursts",
        .kind = Kind::kMapping,
        .help = "The search for orders of locks that can end in a deadlock, and advice on busy locks.",
        .mapping = &kBurstsMapping,
        .child = member<&Guard::bursts>},
    Key{.name = "switches",
        .kind = Kind::kMappings,
        .help = "Degradation switches, each with its breaker.",
        .mapping = &kSwitchMapping,
        .child = new_item<&Guard::switches>},
};
constexpr Mapping kGuardMapping{"an entry of policies", kGuardKeys, check_guard};

constexpr std::array<std::string_view, 1> kVersions = {"raceguard/v1"};

constexpr std::array kFileKeys = {
    Key{.name = "apiVersion",
        .kind = Kind::kChoice,
        .help = "The version of this format. In every file.",
        .sample = "raceguard/v1",
        .choices = kVersions,
        .required = true,
        .store = [](void*, const Value&) {}},
    Key{.name = "daemon",
        .kind = Kind::kMapping,
        .help = "Settings of raceguardd itself. In one file only.",
        .mapping = &kDaemonMapping,
        .child = [](void* object) -> void* { return &static_cast<FileContents*>(object)->daemon.emplace(); }},
    Key{.name = "policies",
        .kind = Kind::kMappings,
        .help = "What is guarded.",
        .mapping = &kGuardMapping,
        .child = new_item<&FileContents::guards>},
};

}  // namespace

constinit const Mapping kFileMapping{"the file", kFileKeys};

}  // namespace raceguard::policy
