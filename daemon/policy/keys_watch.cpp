// SPDX-License-Identifier: Apache-2.0
// The keys of a policy's `watch`: where data races are looked for.
#include <array>

#include "daemon/policy/checks.h"
#include "daemon/policy/key.h"

namespace raceguard::policy {
namespace {

constexpr double kMicrosecond = 1e3;
constexpr double kMillisecond = 1e6;
constexpr double kSecond = 1e9;
constexpr double kDay = 24 * 3600e9;
constexpr double kMostArguments = 6;  // in registers, System V

constexpr std::array kVariableKeys = {
    Key{.name = "name",
        .kind = Kind::kText,
        .help = "A global variable or a member of one, as the debug information or the symbol table names it "
                "(docs/variables.md). A text without a key means the same.",
        .sample = "\"config.counters[3].hits\"",
        .maximum = 512,
        .required = true,
        .store = store<&WatchedVariable::name>},
    Key{.name = "guarded_by",
        .kind = Kind::kText,
        .help = "The lock that has to be held at each access, by name. Locks near the variable are found without it.",
        .fallback = "(found out)",
        .sample = "table_lock",
        .maximum = 512,
        .store = store<&WatchedVariable::guarded_by>},
};
constexpr Mapping kVariableMapping{"an entry of variables", kVariableKeys, check_variable};

constexpr std::array kObjectKeys = {
    Key{.name = "function",
        .kind = Kind::kText,
        .help = "Name of one of this policy's functions. One entry a function.",
        .sample = "recommend",
        .maximum = 128,
        .required = true,
        .store = store<&WatchedObject::function>},
    Key{.name = "argument",
        .kind = Kind::kCount,
        .help = "Which argument points to the object; 0 is the first, in a member function of C++ `this`. A function "
                "that returns a large object by value is passed a place for it first: there `this` is 1.",
        .fallback = "0",
        .minimum = 0,
        .maximum = kMostArguments - 1,
        .store = store<&WatchedObject::argument>},
    Key{.name = "members",
        .kind = Kind::kTexts,
        .help = "Members of the object, by name as its type has them; needs debug information.",
        .sample = "[balance, \"stats.hits\"]",
        .maximum = 512,
        .required = true,
        .store = store<&WatchedObject::members>},
};
constexpr Mapping kObjectMapping{"an entry of objects", kObjectKeys, check_object};

constexpr std::array<std::string_view, 2> kOnProvenRace = {"propose", "serialize"};

constexpr std::array kWatchKeys = {
    Key{.name = "auto",
        .kind = Kind::kFlag,
        .help = "Watch every writable global in turn, and words of memory that change.",
        .fallback = "false",
        .store = store<&WatchGuard::automatic>},
    Key{.name = "variables",
        .kind = Kind::kNames,
        .help = "Variables that are watched before all others.",
        .mapping = &kVariableMapping,
        .child = new_item<&WatchGuard::variables>},
    Key{.name = "objects",
        .kind = Kind::kMappings,
        .help = "Members of objects that a guarded function is called with.",
        .mapping = &kObjectMapping,
        .child = new_item<&WatchGuard::objects>},
    Key{.name = "hold",
        .kind = Kind::kDuration,
        .help = "Longest time that a thread is held behind an access, to see whether another one comes.",
        .fallback = "50us",
        .minimum = kMicrosecond,
        .maximum = kMillisecond,
        .store = store<&WatchGuard::hold_ns>},
    Key{.name = "budget",
        .kind = Kind::kRatio,
        .help = "What the search may take from a process: share of one CPU, watchpoint hits and holds together.",
        .fallback = "1%",
        .minimum = 0.0001,
        .maximum = 0.5,
        .store = store<&WatchGuard::budget>},
    Key{.name = "suppressions",
        .kind = Kind::kText,
        .help = "File of findings that are known and accepted, in the format of ThreadSanitizer's suppressions. "
                "`raceguardctl findings --suppress` adds to it, so raceguardd must be able to write it.",
        .fallback = "(none)",
        .sample = "/var/lib/raceguard/races.supp",
        .store = store<&WatchGuard::suppressions>},
    Key{.name = "on_proven_race",
        .kind = Kind::kChoice,
        .help = "propose: the finding says which functions could be kept from overlapping, and by which command. "
                "serialize: this is done at once, in the process where the race was proven (docs/interception.md).",
        .fallback = "propose",
        .choices = kOnProvenRace,
        .store = store<&WatchGuard::on_proven_race>},
    Key{.name = "serialize_for",
        .kind = Kind::kDuration,
        .help = "How long; if the race is proven again afterwards it begins anew. With `on_proven_race: serialize`.",
        .fallback = "1h",
        .minimum = kSecond,
        .maximum = 30 * kDay,
        .store = store<&WatchGuard::serialize_for_ns>},
    Key{.name = "serialize_wait",
        .kind = Kind::kDuration,
        .help = "Longest time that a call waits for others to leave. Then it goes on without, and is counted. With "
                "`on_proven_race: serialize`.",
        .fallback = "500us",
        .minimum = kMicrosecond,
        .maximum = RG_WAIT_MAX_NS,
        .store = store<&WatchGuard::serialize_wait_ns>},
    Key{.name = "serialize_budget",
        .kind = Kind::kRatio,
        .help =
            "What waits and probes of one interception may take of the process's CPU time. Beyond it nothing is kept "
            "apart for a while. With `on_proven_race: serialize`.",
        .fallback = "10%",
        .minimum = 0.001,
        .maximum = 1,
        .store = store<&WatchGuard::serialize_budget>},
};

}  // namespace

constinit const Mapping kWatchMapping{"watch", kWatchKeys, check_watch};

}  // namespace raceguard::policy
