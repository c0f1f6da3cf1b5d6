// SPDX-License-Identifier: Apache-2.0
#include "daemon/export/metric_tables.h"

#include <gtest/gtest.h>

#include <random>

#include "raceguard/abi/histogram.h"
#include "tests/unit/export/sample_snapshot.h"

namespace raceguard::exporting {
namespace {

SeriesTable::Source source(const std::string& identity, const std::string& name, std::uint64_t events,
                           std::int64_t weight = 1) {
  Growing now;
  now.events = events;
  return {.identity = identity,
          .guard = "g",
          .name = name,
          .detail = {},
          .now = now,
          .level = 1,
          .weight = weight,
          .idle = false};
}

std::uint64_t events_of(const SeriesTable& table, const std::string& name) {
  for (const auto& series : table.series()) {
    if (series.name == name) return series.sum.events;
  }
  return ~std::uint64_t{0};
}

TEST(MetricTables, BoundsAreBordersOfTheKernelsBuckets) {
  for (std::size_t i = 0; i < kBoundCount; ++i) {
    EXPECT_EQ(rg_histogram_floor_ns(rg_histogram_bucket(bound_ns(i))), bound_ns(i));
    if (i > 0) {
      EXPECT_GT(bound_ns(i), bound_ns(i - 1));
    }
  }
}

TEST(MetricTables, CoarseBucketsKeepEveryCount) {
  detect::LockFigures lock = sample_lock("l", 1, 1, 1);
  lock.wait = histogram_of({1, 4095, 4096, 8191, 8192, 7'600'000'000, 60'000'000'000});
  const Growing growing = growing_of(lock);
  EXPECT_EQ(growing.buckets[0], 2U);  // below 4096 ns
  EXPECT_EQ(growing.buckets[1], 2U);
  EXPECT_EQ(growing.buckets[2], 1U);
  EXPECT_EQ(growing.buckets[kBoundCount], 2U);
}

TEST(MetricTables, HeaviestGetNamesAndTheRestIsOther) {
  SeriesTable table(2);
  table.observe({source("1", "light", 1, 1), source("2", "heavy", 10, 100), source("3", "middle", 5, 50)});
  EXPECT_EQ(events_of(table, "heavy"), 10U);
  EXPECT_EQ(events_of(table, "middle"), 5U);
  EXPECT_EQ(events_of(table, "other"), 1U);
  EXPECT_EQ(table.series().size(), 3U);
}

TEST(MetricTables, NameStaysWhileItsLockLivesAndIsFreedAfterwards) {
  SeriesTable table(1);
  table.observe({source("1", "first", 1, 10)});
  table.observe({source("1", "first", 2, 20), source("2", "later", 100, 1000)});
  EXPECT_EQ(events_of(table, "first"), 2U);
  EXPECT_EQ(events_of(table, "other"), 100U);
  table.observe({source("2", "later", 130, 1300)});
  EXPECT_EQ(events_of(table, "later"), 30U);   // from now on
  EXPECT_EQ(events_of(table, "other"), 100U);  // its past stays here
}

TEST(MetricTables, LockThatGoesTakesNothingBack) {
  SeriesTable table(1);
  table.observe({source("1", "a", 5, 5), source("2", "b", 3, 1), source("3", "a", 7, 7)});
  table.observe({source("3", "a", 8, 8)});  // one of the two locks called a, and b, are gone
  EXPECT_EQ(events_of(table, "a"), 13U);
  EXPECT_EQ(events_of(table, "other"), 3U);
}

TEST(MetricTables, ReusedSlotCountsAnew) {
  SeriesTable table(1);
  table.observe({source("1", "a", 50)});
  table.observe({source("1", "a", 4)});
  EXPECT_EQ(events_of(table, "a"), 54U);
}

TEST(MetricTables, LockCalledOtherIsNotMixedWithTheRest) {
  SeriesTable table(1);
  table.observe({source("1", "other", 50, 10), source("2", "b", 1, 1)});
  EXPECT_EQ(events_of(table, "other_"), 50U);
  EXPECT_EQ(events_of(table, "other"), 1U);
}

TEST(MetricTables, IdlingIsCountedApartAndALockThatTurnsOutToIdleIsNotCountedTwice) {
  SeriesTable table(1);
  SeriesTable::Source lock = source("1", "a", 50);
  table.observe({lock});
  lock.idle = true;
  lock.now.events = 60;
  table.observe({lock});
  ASSERT_EQ(table.idle().size(), 1U);
  EXPECT_EQ(table.idle()[0].sum.events, 10U);
}

// Whatever comes and goes: no series that is there before and after falls, labels stay bounded, and the sum is exact.
TEST(MetricTables, RandomLivesNeverRunBackwards) {
  std::mt19937 random(7);
  SeriesTable table(3);
  std::map<std::string, SeriesTable::Source> alive;
  std::uint64_t grown = 0;
  std::map<std::string, std::uint64_t> before;
  std::uint64_t freed = 0;
  for (int step = 0; step < 2000; ++step) {
    const std::string identity = std::to_string(random() % 12);
    if (random() % 4 == 0) {
      alive.erase(identity);
    } else {
      auto& one = alive.try_emplace(identity, source(identity, "n" + std::to_string(random() % 8), 0, 0)).first->second;
      const std::uint64_t growth = random() % 100;
      one.now.events += growth;
      one.weight += static_cast<std::int64_t>(growth);
      grown += growth;
    }
    std::vector<SeriesTable::Source> sources;
    for (const auto& [id, one] : alive) sources.push_back(one);
    table.observe(sources);
    std::map<std::string, std::uint64_t> after;
    std::uint64_t sum = 0;
    for (const auto& series : table.series()) {
      after[series.name] = series.sum.events;
      sum += series.sum.events;
      const auto old = before.find(series.name);
      if (old != before.end()) {
        ASSERT_GE(series.sum.events, old->second) << series.name << " at step " << step;
      }
    }
    for (const auto& [name, events] : before) freed += after.contains(name) ? 0 : events;
    ASSERT_LE(after.size(), 4U);
    ASSERT_EQ(sum + freed, grown) << "at step " << step;
    before = std::move(after);
  }
}

}  // namespace
}  // namespace raceguard::exporting
