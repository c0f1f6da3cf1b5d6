// SPDX-License-Identifier: Apache-2.0
#include "daemon/detect/lock_order_finding.h"

#include <gtest/gtest.h>

#include "daemon/detect/findings.h"

namespace raceguard::detect {
namespace {

NamedOrder step(const std::string& held, const std::string& wanted) {
  NamedOrder step;
  step.held = held;
  step.wanted = wanted;
  step.held_at = "take_" + held + "()";
  step.wanted_at = "take_" + wanted + "()";
  return step;
}

LockReport report() {
  LockReport report;
  report.guard = "bank";
  report.pid = 42;
  report.comm = "bankd";
  report.realtime_ns = 7;
  return report;
}

TEST(LockOrderFinding, SaysWhoHoldsAndWantsWhatWhere) {
  const Finding finding = lock_order_finding(report(), {step("a", "b"), step("b", "a")});
  EXPECT_EQ(finding.kind, Finding::Kind::kLockOrder);
  EXPECT_EQ(finding.verdict, Verdict::kLikely);
  EXPECT_EQ(finding.guard, "bank");
  EXPECT_EQ(finding.subject, "a, b of process 42");
  EXPECT_EQ(
      finding.text,
      "threads of bankd (42) take locks in orders that can end in a deadlock: one holds a (from take_a()) and wants "
      "b in take_b(); another one holds b (from take_b()) and wants a in take_a()");
  ASSERT_NE(finding.lock_order, nullptr);
  EXPECT_EQ(finding.lock_order->orders.size(), 2U);
}

TEST(LockOrderFinding, IsOneFindingHoweverOftenItIsSeen) {
  FindingBook book;
  EXPECT_EQ(book.merge({lock_order_finding(report(), {step("a", "b"), step("b", "a")})}).size(), 1U);
  EXPECT_TRUE(book.merge({lock_order_finding(report(), {step("a", "b"), step("b", "a")})}).empty());
  ASSERT_EQ(book.list().size(), 1U);
  EXPECT_EQ(book.list()[0].count, 2U);
}

}  // namespace
}  // namespace raceguard::detect
