// SPDX-License-Identifier: Apache-2.0
// The keys of an entry of `switches`.
#include <array>

#include "daemon/policy/checks.h"
#include "daemon/policy/key.h"
#include "raceguard/abi/switch_page.h"

namespace raceguard::policy {
namespace {

constexpr double kMicrosecond = 1e3;
constexpr double kMillisecond = 1e6;
constexpr double kSecond = 1e9;
constexpr double kHour = 3600e9;
constexpr double kMaxCalls = 1e6;
constexpr double kSmallestShare = 0.0001;  // the shared page counts in 1/10,000

constexpr std::array kOpenKeys = {
    Key{.name = "slow_ratio",
        .kind = Kind::kRatio,
        .help = "Share of slow calls in the window; needs a function with `slow`.",
        .fallback = "(not judged)",
        .sample = "50%",
        .minimum = kSmallestShare,
        .maximum = 1,
        .store = store<&SwitchPolicy::open_slow_ratio>},
    Key{.name = "error_ratio",
        .kind = Kind::kRatio,
        .help = "Share of failed calls in the window; needs a function with `error_when`.",
        .fallback = "(not judged)",
        .sample = "15%",
        .minimum = kSmallestShare,
        .maximum = 1,
        .store = store<&SwitchPolicy::open_error_ratio>},
    Key{.name = "lock_wait_p99",
        .kind = Kind::kDuration,
        .help = "99th percentile of the waits for a lock in the window; needs contention to be enabled.",
        .fallback = "(not judged)",
        .sample = "20ms",
        .minimum = kMicrosecond,
        .maximum = kHour,
        .store = store<&SwitchPolicy::open_lock_wait_p99_ns>},
};

constexpr std::array kCloseKeys = {
    Key{.name = "slow_ratio",
        .kind = Kind::kRatio,
        .help = "Not above the one in open_when.",
        .fallback = "(that of open_when)",
        .sample = "10%",
        .minimum = 0,
        .maximum = 1,
        .store = store<&SwitchPolicy::close_slow_ratio>},
    Key{.name = "error_ratio",
        .kind = Kind::kRatio,
        .help = "Not above the one in open_when.",
        .fallback = "(that of open_when)",
        .sample = "5%",
        .minimum = 0,
        .maximum = 1,
        .store = store<&SwitchPolicy::close_error_ratio>},
    Key{.name = "lock_wait_p99",
        .kind = Kind::kDuration,
        .help = "Not above the one in open_when.",
        .fallback = "(that of open_when)",
        .sample = "5ms",
        .minimum = kMicrosecond,
        .maximum = kHour,
        .store = store<&SwitchPolicy::close_lock_wait_p99_ns>},
};

constexpr std::array kWindowKeys = {
    Key{.name = "duration",
        .kind = Kind::kDuration,
        .help = "The same as a duration without a key: what happened in the last so long is judged.",
        .sample = "10s",
        .minimum = 100 * kMillisecond,
        .maximum = kHour,
        .store = store<&Window::duration_ns>},
    Key{.name = "calls",
        .kind = Kind::kCount,
        .help = "The last so many calls are judged. Instead of duration.",
        .sample = "100",
        .minimum = 1,
        .maximum = kMaxCalls,
        .store = store<&Window::calls>},
};

constexpr std::array kHalfOpenKeys = {
    Key{.name = "share",
        .kind = Kind::kRatio,
        .help = "Share of the calls that try the real function; the others take the fallback.",
        .fallback = "10%",
        .minimum = kSmallestShare,
        .maximum = 1,
        .store = store<&SwitchPolicy::half_open_share>},
    Key{.name = "calls",
        .kind = Kind::kCount,
        .help = "The trial is judged after so many calls of the real function ...",
        .fallback = "10",
        .minimum = 1,
        .maximum = kMaxCalls,
        .store = store<&SwitchPolicy::half_open_calls>},
    Key{.name = "deadline",
        .kind = Kind::kDuration,
        .help = "... or after this time, whichever comes first.",
        .fallback = "10s",
        .minimum = 100 * kMillisecond,
        .maximum = kHour,
        .store = store<&SwitchPolicy::half_open_deadline_ns>},
};

constexpr std::array kFlappingKeys = {
    Key{.name = "openings",
        .kind = Kind::kCount,
        .help = "A switch that opens so often ...",
        .fallback = "5",
        .minimum = 2,
        .maximum = 1000,
        .store = store<&SwitchPolicy::flap_openings>},
    Key{.name = "window",
        .kind = Kind::kDuration,
        .help = "... within this time flaps: it stays open for open_for_max.",
        .fallback = "10m",
        .minimum = kSecond,
        .maximum = 24 * kHour,
        .store = store<&SwitchPolicy::flap_window_ns>},
};

constexpr std::array<std::string_view, 2> kModes = {"observe", "enforce"};

constexpr Mapping kOpenMapping{"open_when", kOpenKeys};
constexpr Mapping kCloseMapping{"close_when", kCloseKeys};
constexpr Mapping kWindowMapping{"window", kWindowKeys, check_window};
constexpr Mapping kHalfOpenMapping{"half_open", kHalfOpenKeys};
constexpr Mapping kFlappingMapping{"flapping", kFlappingKeys};

constexpr std::array kSwitchKeys = {
    Key{.name = "name",
        .kind = Kind::kText,
        .help = "What the application calls it. One switch of a name in all files.",
        .sample = "recommendations",
        .maximum = RG_SWITCH_NAME_LEN - 1,
        .required = true,
        .store = store<&SwitchPolicy::name>},
    Key{.name = "mode",
        .kind = Kind::kChoice,
        .help = "observe: count and tell when it would have opened. enforce: open it.",
        .fallback = "observe",
        .choices = kModes,
        .store = store<&SwitchPolicy::mode>},
    Key{.name = "functions",
        .kind = Kind::kTexts,
        .help = "Names of this policy's functions whose calls are judged. Needed for slow_ratio and error_ratio.",
        .fallback = "(none)",
        .sample = "[recommend]",
        .store = store<&SwitchPolicy::functions>},
    Key{.name = "locks",
        .kind = Kind::kTexts,
        .help = "Globs of names of locks whose waits are judged.",
        .fallback = "(all locks of the targets)",
        .sample = "[\"stock_mutex*\"]",
        .store = store<&SwitchPolicy::locks>},
    Key{.name = "open_when",
        .kind = Kind::kMapping,
        .help = "Thresholds; the switch opens when a value of the window reaches one of them.",
        .required = true,
        .mapping = &kOpenMapping,
        .child = same_object},
    Key{.name = "close_when",
        .kind = Kind::kMapping,
        .help = "Thresholds; a trial succeeds, and the switch closes, when all its values are below them (or 0).",
        .mapping = &kCloseMapping,
        .child = same_object},
    Key{.name = "window",
        .kind = Kind::kWindow,
        .help = "What is judged: the last so long (10s), or the last so many calls ({calls: 100}).",
        .fallback = "10s",
        .minimum = 100 * kMillisecond,
        .maximum = kHour,
        .store =
            [](void* object, const Value& value) {
              static_cast<SwitchPolicy*>(object)->window = {std::get<std::int64_t>(value), 0};
            },
        .mapping = &kWindowMapping,
        .child = member<&SwitchPolicy::window>},
    Key{.name = "minimum_calls",
        .kind = Kind::kCount,
        .help = "Ratios of fewer calls in the window are not judged. Not above window's calls.",
        .fallback = "20",
        .minimum = 1,
        .maximum = kMaxCalls,
        .store = store<&SwitchPolicy::minimum_calls>},
    Key{.name = "minimum_waits",
        .kind = Kind::kCount,
        .help = "Lock waits fewer than this in the window are not judged.",
        .fallback = "20",
        .minimum = 1,
        .maximum = kMaxCalls,
        .store = store<&SwitchPolicy::minimum_waits>},
    Key{.name = "open_for",
        .kind = Kind::kDuration,
        .help = "How long it stays open before it is tried again (half-open).",
        .fallback = "5s",
        .minimum = 10 * kMillisecond,
        .maximum = 24 * kHour,
        .store = store<&SwitchPolicy::open_for_ns>},
    Key{.name = "open_for_max",
        .kind = Kind::kDuration,
        .help = "Longest time open that back-off leads to; not below open_for.",
        .fallback = "5m",
        .minimum = 10 * kMillisecond,
        .maximum = 24 * kHour,
        .store = store<&SwitchPolicy::open_for_max_ns>},
    Key{.name = "backoff",
        .kind = Kind::kNumber,
        .help = "The time open is multiplied by this after each failed trial.",
        .fallback = "2",
        .minimum = 1,
        .maximum = 10,
        .store = store<&SwitchPolicy::backoff_factor>},
    Key{.name = "jitter",
        .kind = Kind::kRatio,
        .help = "The time open is varied at random by up to this share, so that many hosts do not try at once.",
        .fallback = "10%",
        .minimum = 0,
        .maximum = 0.5,
        .store = store<&SwitchPolicy::jitter>},
    Key{.name = "half_open",
        .kind = Kind::kMapping,
        .help = "The trial after the time open.",
        .mapping = &kHalfOpenMapping,
        .child = same_object},
    Key{.name = "flapping",
        .kind = Kind::kMapping,
        .help = "A switch that opens again and again is left open longest.",
        .mapping = &kFlappingMapping,
        .child = same_object},
};

}  // namespace

constinit const Mapping kSwitchMapping{"an entry of switches", kSwitchKeys, check_switch};

}  // namespace raceguard::policy
