// SPDX-License-Identifier: Apache-2.0
// Every command of raceguardctl, as data: ctl/command_line.cpp makes the command line and its help from this table.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "ctl/invocation.h"

namespace raceguard::ctl {

enum class Arity {
  kNone,    // not there
  kOne,     // a positional argument
  kMaybe,   // one that may be missing
  kMany,    // one or more of them
  kOption,  // --name VALUE
  kNeeded,  // --name VALUE, must be given
  kRepeat,  // --name VALUE, any number of times
  kFlag,    // --name
};

struct Argument {
  std::string_view name;  // "switch", or with its other spellings "--for,--ttl"; the value is kept by the first
  Arity arity = Arity::kNone;
  std::string_view help;
  std::string_view allowed;  // "open closed": one of these words; empty: any
};

inline constexpr std::size_t kMostArguments = 10;

struct Command {
  std::string_view name;
  std::string_view help;
  int (*run)(const Invocation&);
  std::array<Argument, kMostArguments> arguments{};
};

int run_view(const Invocation& invocation);  // status targets locks functions switches interceptions explain
int run_locks(const Invocation& invocation);
int run_findings(const Invocation& invocation);
int run_force(const Invocation& invocation);
int run_release(const Invocation& invocation);
int run_reload(const Invocation& invocation);
int run_verify(const Invocation& invocation);
int run_sites(const Invocation& invocation);
int run_check(const Invocation& invocation);
int run_record(const Invocation& invocation);
int run_intercept(const Invocation& invocation);
int run_features(const Invocation& invocation);
int run_doctor(const Invocation& invocation);
int run_top(const Invocation& invocation);

inline constexpr Argument kLimit{"--limit", Arity::kOption, "at most so many, the dearest first (1 to 100000)", {}};
inline constexpr Argument kSwitch{"switch", Arity::kOne, "its name, as 'raceguardctl switches' shows it", {}};

inline constexpr std::array kCommands = {
    Command{"status", "what the daemon does, and what it could not do", run_view, {}},
    Command{"targets", "the processes that it guards", run_view, {}},
    Command{
        "locks",
        "contended locks, with who waits and who holds; --advise: what to change about busy ones",
        run_locks,
        {kLimit,
         Argument{
             "--advise", Arity::kFlag, "what short looks at all lock calls say: the daemon's, or with -p own ones", {}},
         Argument{"-p,--pid", Arity::kOption, "--advise: look at this process, without the daemon", {}},
         Argument{"-d,--duration", Arity::kOption, "--advise: how long (default 10s)", {}},
         Argument{"--budget", Arity::kOption, "--advise: share of the process's CPU time (default 1%)", {}}}},
    Command{"functions", "guarded functions with their latencies and errors", run_view, {kLimit}},
    Command{"switches", "switches and their states", run_view, {}},
    Command{"interceptions",
            "what the daemon keeps from overlapping in running processes, and whether it helps",
            run_view,
            {}},
    Command{"findings",
            "what was detected; --suppress takes a data race off the list for good",
            run_findings,
            {Argument{"--suppress", Arity::kOption, "id of a data race: adds a line to the policy's suppressions", {}},
             Argument{"--reason", Arity::kOption, "why it is accepted, for the file and the evidence", {}}}},
    Command{"explain", "why a switch is where it is, and what would change it", run_view, {kSwitch}},
    Command{"force",
            "open or close a switch by hand, whatever is measured",
            run_force,
            {kSwitch, Argument{"state", Arity::kOne, "open: applications take their fallback", "open closed"},
             Argument{"--reason", Arity::kNeeded, "why, for the evidence file and for who reads 'explain'", {}},
             Argument{"--for,--ttl", Arity::kOption, "for so long (10m, 2h); without it until 'release'", {}}}},
    Command{"release", "give a forced switch back to its breaker", run_release, {kSwitch}},
    Command{"reload", "read the policy again; a bad one changes nothing", run_reload, {}},
    Command{"verify",
            "check an evidence file's chain; names the first line that was changed or is missing",
            run_verify,
            {Argument{"file", Arity::kOne, "evidence file", {}},
             Argument{"--after", Arity::kOption, "hash that the rotated file before this one ends with", {}},
             Argument{"--last", Arity::kOption, "hash that it must end with; default: asked of the daemon", {}}}},
    Command{
        "sites",
        "where a probe on a function would sit, and why there",
        run_sites,
        {Argument{"binary", Arity::kOne, "ELF file", {}},
         Argument{"symbol", Arity::kOne, "function or glob, mangled or demangled", {}},
         Argument{"--entry-only", Arity::kFlag, "for a probe that does not need the return (counts calls only)", {}}}},
    Command{"record",
            "watch a process for a while, and report its data races and contended locks; needs no daemon",
            run_record,
            {Argument{"-p,--pid", Arity::kNeeded, "the process", {}},
             Argument{"-d,--duration", Arity::kOption, "how long (default 30s)", {}},
             Argument{"--watch", Arity::kRepeat, "a variable or member to look at first: config.counters[3].hits", {}},
             Argument{"--only", Arity::kFlag, "nothing but what --watch names", {}},
             Argument{"--hold", Arity::kOption, "the longest hold of a thread (default 50us, at most 1ms)", {}},
             Argument{"--budget", Arity::kOption, "share of one CPU that it may take (default 1%)", {}},
             Argument{"--suppressions", Arity::kOption, "file in ThreadSanitizer's format", {}},
             Argument{"--until-proven", Arity::kFlag, "end at the first proven race", {}}}},
    Command{
        "intercept",
        "keep functions of a running process from overlapping for a while; needs no daemon",
        run_intercept,
        {Argument{
             "finding", Arity::kMaybe, "id of a proven data race in the daemon's findings, in place of -p and -f", {}},
         Argument{"-p,--pid", Arity::kOption, "the process", {}},
         Argument{"-f,--function",
                  Arity::kRepeat,
                  "NAME[=read|=write][@KEY], separated by commas: put,get=read; NAME[+0x1c,+0x24]: only these "
                  "instructions of it",
                  {}},
         Argument{"--key",
                  Arity::kOption,
                  "calls with the same one are kept apart: none (default), arg1, arg1+0x18, global:NAME",
                  {}},
         Argument{
             "--dry-run", Arity::kFlag, "keep nothing apart; count calls, their time, and those that would wait", {}},
         Argument{"--enforce", Arity::kFlag, "with a finding: do it; without it and --dry-run it is proposed only", {}},
         Argument{"--for", Arity::kOption, "how long (default 30s)", {}},
         Argument{"--wait", Arity::kOption, "the longest wait of a call (default 500us, at most 5ms)", {}},
         Argument{"--budget", Arity::kOption, "share of the process's CPU time that it may take (default 10%)", {}}}},
    Command{"check",
            "check policy files, and what they select among the running processes",
            run_check,
            {Argument{"file", Arity::kMany, "policy files and drop-in directories", {}}}},
    Command{"features", "what this kernel lets raceguard do, learned by trying", run_features, {}},
    Command{"doctor",
            "what is missing on this machine, and the command that mends it",
            run_doctor,
            {Argument{"--pid", Arity::kOption, "look at the binaries of this process too", {}},
             Argument{"--binary", Arity::kOption, "look at this binary too", {}}}},
    Command{"top",
            "a live view: busiest locks, guarded functions, switches (q ends it)",
            run_top,
            {Argument{"-d,--delay", Arity::kOption, "seconds between two views (0.1 to 3600, default 2)", {}},
             Argument{"-n,--count", Arity::kOption, "end after so many views", {}},
             Argument{"--once", Arity::kFlag, "one view as plain text, also where there is no terminal", {}}}},
};

}  // namespace raceguard::ctl
