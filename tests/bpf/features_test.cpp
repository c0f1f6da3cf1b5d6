// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/features.h"

#include <gmock/gmock.h>

#include "daemon/kernel/calibrate.h"
#include "raceguard/clock.h"

namespace raceguard::test {
namespace {

using symbols::SiteKind;

TEST(Features, WhatRaceguardNeedsIsThereAndEachHasItsTexts) {
  const auto features = kernel::probe_features();
  std::vector<std::string> names;
  for (const kernel::Feature& feature : features) {
    names.push_back(feature.name);
    EXPECT_FALSE(feature.how.empty()) << feature.name;
    EXPECT_FALSE(feature.used_for.empty()) << feature.name;
    EXPECT_TRUE(feature.available || !feature.remedy.empty()) << feature.name;
    EXPECT_TRUE(feature.available || !feature.required) << feature.name;
    RecordProperty(feature.name, feature.available ? "yes" : "no: " + feature.detail);
  }
  EXPECT_THAT(names, testing::IsSupersetOf({"btf", "ring_buffer", "fentry", "tracefs", "uprobe_multi", "perf_uprobe",
                                            "ref_ctr_offset", "watchpoint", "probe_write_user", "uprobe_register_write",
                                            "bpf_stats", "lockdown"}));
}

TEST(Calibrate, MeasuresEachKindOfSiteByEachWay) {
  for (const bool multi : {true, false}) {
    kernel::CalibrationOptions options;
    options.allow_uprobe_multi = multi;
    const kernel::Calibration calibration = kernel::calibrate(options);
    for (const Error& error : calibration.failures) {
      ADD_FAILURE() << error.to_string();
    }
    for (const SiteKind kind : {SiteKind::kNop5, SiteKind::kEmulated, SiteKind::kSingleStepped}) {
      ASSERT_TRUE(calibration.entry_ns(kind).has_value());
      EXPECT_GT(*calibration.entry_ns(kind), 20) << "a hit is an exception";
      EXPECT_LT(*calibration.entry_ns(kind), 10e6);
    }
    EXPECT_GT(*calibration.entry_ns(SiteKind::kSingleStepped), *calibration.entry_ns(SiteKind::kEmulated))
        << "one more exception";
    EXPECT_GT(calibration.cost_ns("watchpoint").value_or(0), 20);
    EXPECT_GT(calibration.watchpoint().string_slowdown.value_or(0), 0.5)
        << "1 where watchpoints slow nothing, 26 on Zen";
    EXPECT_TRUE(calibration.cost_ns("return").has_value());
    EXPECT_TRUE(calibration.cost_ns("tracepoint").has_value());
    for (const kernel::HitCost& cost : calibration.costs) {
      std::printf("%-14s %8.0f ns\n", cost.instruction.c_str(), cost.ns);
    }
    std::printf("%s: %.0f ms\n", calibration.uprobe_multi ? "uprobe_multi" : "perf events",
                static_cast<double>(calibration.took_ns) / 1e6);
  }
}

}  // namespace
}  // namespace raceguard::test
