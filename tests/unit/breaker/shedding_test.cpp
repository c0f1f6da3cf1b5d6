// SPDX-License-Identifier: Apache-2.0
#include "daemon/breaker/shedding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace raceguard::breaker {
namespace {

using testing::ElementsAre;

std::vector<std::uint8_t> fit(const std::vector<Spender>& spenders, bool first_goes = false) {
  return levels_that_fit(spenders, 100, 80, first_goes);
}

TEST(Shedding, LeavesWhatFits) { EXPECT_THAT(fit({{60, 40}, {40, 20}}), ElementsAre(kSeesAll, kSeesAll)); }

TEST(Shedding, SamplesTheDearestAndNoMoreThanNeeded) {
  EXPECT_THAT(fit({{70, 48}, {40, 20}}), ElementsAre(1, kSeesAll)) << "110 - 36 is below 80";
  EXPECT_THAT(fit({{90, 60}, {40, 20}}), ElementsAre(kSeesLeast, kSeesAll)) << "130 - 58";
  EXPECT_THAT(fit({{90, 60}, {60, 40}}), ElementsAre(kSeesLeast, 1)) << "150 - 58 - 30";
}

TEST(Shedding, ExemptsTheDearestWhereSamplesDoNotDo) {
  EXPECT_THAT(fit({{6000, 4000}, {90, 60}}), ElementsAre(kSeesNothing, kSeesAll));
  EXPECT_THAT(fit({{6000, 4000}, {120, 80}}), ElementsAre(kSeesNothing, 1));
  EXPECT_THAT(fit({{120, 0}}), ElementsAre(kSeesNothing)) << "cannot be sampled";
}

TEST(Shedding, LowersWhatIsSampledAlready) {
  EXPECT_THAT(fit({{120, 60, 1}}), ElementsAre(kSeesLeast)) << "60 at one in four are 7.5 at one in 32";
  EXPECT_THAT(fit({{120, 4, kSeesLeast}}), ElementsAre(kSeesNothing));
}

TEST(Shedding, WhoIsOnTrialGoesBeforeOthersAreSampledForIt) {
  EXPECT_THAT(fit({{30, 1, kSeesLeast}, {90, 60}}, true), ElementsAre(kSeesNothing, kSeesAll));
}

}  // namespace
}  // namespace raceguard::breaker
