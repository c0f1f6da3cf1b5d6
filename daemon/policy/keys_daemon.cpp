// SPDX-License-Identifier: Apache-2.0
// The keys of the section `daemon`. The structs' own initialisers are the defaults; a test holds `fallback` to them.
#include <array>

#include "daemon/policy/checks.h"
#include "daemon/policy/key.h"

namespace raceguard::policy {
namespace {

constexpr double kMicrosecond = 1e3;
constexpr double kMillisecond = 1e6;
constexpr double kSecond = 1e9;
constexpr double kHour = 3600e9;

constexpr std::array kDaemonKeys = {
    Key{.name = "listen_address",
        .kind = Kind::kText,
        .help = "Address of the HTTP server (metrics, health, API): an IPv4 or IPv6 address of this machine.",
        .fallback = "127.0.0.1",
        .maximum = 64,
        .store = store<&DaemonSettings::listen_address>},
    Key{.name = "listen_port",
        .kind = Kind::kCount,
        .help = "TCP port of the HTTP server; 0 for no HTTP server.",
        .fallback = "19750",
        .minimum = 0,
        .maximum = 65535,
        .store = store<&DaemonSettings::listen_port>},
    Key{.name = "run_directory",
        .kind = Kind::kText,
        .help = "Where the control socket and the shared page of switches are. Applications look for the page in "
                "/run/raceguard unless they are told otherwise.",
        .fallback = "/run/raceguard",
        .maximum = 90,  // sun_path has 108 bytes
        .store = store<&DaemonSettings::run_directory>},
    Key{.name = "control_group",
        .kind = Kind::kText,
        .help = "Members of this group may use raceguardctl beside root, if the group exists.",
        .fallback = "raceguard",
        .maximum = 32,
        .store = store<&DaemonSettings::control_group>},
    Key{.name = "evidence_file",
        .kind = Kind::kText,
        .help = "Every transition of a switch is appended to this file, with its evidence, one JSON object a line.",
        .fallback = "/var/lib/raceguard/evidence.jsonl",
        .store = store<&DaemonSettings::evidence_file>},
    Key{.name = "tick",
        .kind = Kind::kDuration,
        .help = "How often the kernel's figures are read and the breakers judged.",
        .fallback = "100ms",
        .minimum = 10 * kMillisecond,
        .maximum = 10 * kSecond,
        .store = store<&DaemonSettings::tick_ns>},
    Key{.name = "heartbeat",
        .kind = Kind::kDuration,
        .help =
            "Period of the shared page's heartbeat, not below tick. Applications take a page without a heartbeat for "
            "three periods as that of a dead daemon: every switch is closed then.",
        .fallback = "200ms",
        .minimum = 10 * kMillisecond,
        .maximum = 60 * kSecond,
        .store = store<&DaemonSettings::heartbeat_ns>},
    Key{.name = "call_expiry",
        .kind = Kind::kDuration,
        .help = "A call in flight for longer (it threw, its thread ended) is dropped and counted as such.",
        .fallback = "1m",
        .minimum = kSecond,
        .maximum = 24 * kHour,
        .store = store<&DaemonSettings::call_expiry_ns>},
    Key{.name = "max_open_switches",
        .kind = Kind::kCount,
        .help = "At most so many switches are open at once; a further one stays closed and says so.",
        .fallback = "8",
        .minimum = 0,
        .maximum = 256,
        .store = store<&DaemonSettings::max_open_switches>},
    Key{.name = "exempt_for",
        .kind = Kind::kDuration,
        .help =
            "A function whose probe costs too much is left alone for so long before it is tried again; twice as long "
            "after each trial that failed, up to an hour.",
        .fallback = "1m",
        .minimum = kSecond,
        .maximum = 24 * kHour,
        .store = store<&DaemonSettings::exempt_for_ns>},
    Key{.name = "exempt_error_ratio",
        .kind = Kind::kRatio,
        .help = "A function of whose calls more than this share fails is left alone as well, unless it belongs to a "
                "switch: "
                "then its breaker needs the figures. 100%: never.",
        .fallback = "15%",
        .minimum = 0.0001,
        .maximum = 1,
        .store = store<&DaemonSettings::exempt_error_ratio>},
    Key{.name = "exempt_minimum_calls",
        .kind = Kind::kCount,
        .help = "Of fewer calls in some ten seconds exempt_error_ratio is not judged.",
        .fallback = "100",
        .minimum = 1,
        .maximum = 1000000,
        .store = store<&DaemonSettings::exempt_minimum_calls>},
    Key{.name = "fuse_handling",
        .kind = Kind::kDuration,
        .help = "Where handling a hit takes longer than this on average, the fuse opens: no function is probed.",
        .fallback = "50us",
        .minimum = kMicrosecond / 10,
        .maximum = kSecond,
        .store = store<&DaemonSettings::fuse_handling_ns>},
    Key{.name = "max_functions",
        .kind = Kind::kCount,
        .help = "Size of the kernel's table of guarded functions.",
        .fallback = "512",
        .minimum = 1,
        .maximum = 4096,
        .store = store<&DaemonSettings::max_functions>},
    Key{.name = "max_locks",
        .kind = Kind::kCount,
        .help = "Size of the kernel's table of locks that were waited for.",
        .fallback = "4096",
        .minimum = 16,
        .maximum = 1048576,
        .store = store<&DaemonSettings::max_locks>},
    Key{.name = "max_targets",
        .kind = Kind::kCount,
        .help = "Size of the kernel's table of target processes.",
        .fallback = "4096",
        .minimum = 1,
        .maximum = 1048576,
        .store = store<&DaemonSettings::max_targets>},
    Key{.name = "max_calls_in_flight",
        .kind = Kind::kCount,
        .help = "Size of the kernel's table of calls that have not returned yet.",
        .fallback = "65536",
        .minimum = 64,
        .maximum = 16777216,
        .store = store<&DaemonSettings::max_calls_in_flight>},
    Key{.name = "ring_size",
        .kind = Kind::kBytes,
        .help = "Size of the ring buffer between kernel and daemon; a power of two.",
        .fallback = "4MiB",
        .minimum = 65536,
        .maximum = 1073741824,
        .store = store<&DaemonSettings::ring_bytes>},
    Key{.name = "metrics_top_k",
        .kind = Kind::kCount,
        .help = "So many locks and functions have a label of their own in the metrics; the rest is \"other\".",
        .fallback = "20",
        .minimum = 1,
        .maximum = 1000,
        .store = store<&DaemonSettings::metrics_top_k>},
};

}  // namespace

constinit const Mapping kDaemonMapping{"daemon", kDaemonKeys, check_daemon};

}  // namespace raceguard::policy
