// SPDX-License-Identifier: Apache-2.0
// deploy/prometheus as Prometheus itself judges it.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <regex>
#include <string>

#include "daemon/export/metrics.h"
#include "daemon/export/process_figures.h"
#include "tests/unit/export/sample_snapshot.h"

namespace raceguard::exporting {
namespace {

const std::string kDirectory = std::string(RG_SOURCE_DIR) + "/deploy/prometheus";

class DeployPrometheus : public testing::Test {
 protected:
  static void promtool(const std::string& arguments) {
    if (::access("/usr/bin/promtool", X_OK) != 0) GTEST_SKIP() << "needs promtool (package prometheus)";
    EXPECT_EQ(std::system(("cd " + kDirectory + " && promtool " + arguments + " 2>&1").c_str()), 0);
  }
};

TEST_F(DeployPrometheus, ConfigurationIsValid) { promtool("check config prometheus.yml"); }
TEST_F(DeployPrometheus, RulesAreValid) { promtool("check rules raceguard.rules.yml"); }
TEST_F(DeployPrometheus, AlertsFireWhenTheyShould) { promtool("test rules raceguard.rules.test.yml"); }

TEST_F(DeployPrometheus, RulesUseMetricsThatThereAre) {
  std::ifstream file(kDirectory + "/raceguard.rules.yml");
  const std::string rules{std::istreambuf_iterator<char>(file), {}};
  const std::string metrics = Metrics(20).render(sample_snapshot(), ProcessFigures{}, MetricsFormat::kText);
  const std::regex name("raceguard_[a-z_]+");
  int found = 0;
  for (std::sregex_iterator match(rules.begin(), rules.end(), name), end; match != end; ++match, ++found) {
    EXPECT_NE(metrics.find("# TYPE " + match->str() + " "), std::string::npos) << match->str();
  }
  EXPECT_GE(found, 3);
}

}  // namespace
}  // namespace raceguard::exporting
