// SPDX-License-Identifier: Apache-2.0
#include "daemon/events/code_sample.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace raceguard::events {
namespace {

constexpr std::uint64_t kTop = 0x7fff'0000'1000;

rg_record_sample record() {
  rg_record_sample sample{};
  sample.type = RG_RECORD_SAMPLE;
  sample.source = RG_SAMPLE_CODE;
  sample.time_ns = 12;
  sample.generation = 7;
  sample.tgid = 100;
  sample.tid = 101;
  sample.red_zone_bytes = RG_RED_ZONE_BYTES;
  sample.stack_bytes = 64;
  sample.registers[kStackPointerRegister] = kTop;
  const std::uint64_t above = 0x1111;
  const std::uint64_t below = 0x2222;
  std::memcpy(sample.stack + 56, &above, sizeof above);
  std::memcpy(sample.red_zone + RG_RED_ZONE_BYTES - 8, &below, sizeof below);
  return sample;
}

std::span<const std::byte> bytes_of(const rg_record_sample& sample) {
  return std::as_bytes(std::span<const rg_record_sample>(&sample, 1));
}

TEST(CodeSample, IsReadWithItsStackOnBothSidesOfThePointer) {
  const rg_record_sample raw = record();
  const auto sample = decode_code_sample(bytes_of(raw));
  ASSERT_TRUE(sample) << sample.error().to_string();
  EXPECT_EQ(sample->source, RG_SAMPLE_CODE);
  EXPECT_EQ(sample->generation, 7U);
  EXPECT_EQ(sample->where.tid, 101U);
  EXPECT_EQ(sample->read_stack(kTop + 56), 0x1111U);
  EXPECT_EQ(sample->read_stack(kTop - 8), 0x2222U);
  EXPECT_FALSE(sample->read_stack(kTop + 57)) << "above what was copied";
  EXPECT_FALSE(sample->read_stack(kTop - 129));
  EXPECT_FALSE(sample->read_stack(0));
}

TEST(CodeSample, WhatClaimsTooMuchIsRefused) {
  const auto refused = [](auto&& change) {
    rg_record_sample raw = record();
    change(raw);
    return !decode_code_sample(bytes_of(raw));
  };
  EXPECT_TRUE(refused([](auto& raw) { raw.stack_bytes = RG_SAMPLE_STACK_BYTES + 1; }));
  EXPECT_TRUE(refused([](auto& raw) { raw.red_zone_bytes = RG_RED_ZONE_BYTES + 1; }));
  EXPECT_TRUE(refused([](auto& raw) { raw.source = 9; }));
  EXPECT_TRUE(refused([](auto& raw) { raw.type = RG_RECORD_ACCESS; }));
  const rg_record_sample raw = record();
  EXPECT_FALSE(decode_code_sample(bytes_of(raw).first(100)));
  EXPECT_FALSE(is_code_sample(bytes_of(raw).first(2)));
}

TEST(CodeSample, WithoutAStackNothingIsRead) {
  rg_record_sample raw = record();
  raw.stack_bytes = 0;
  raw.red_zone_bytes = 0;
  const auto sample = decode_code_sample(bytes_of(raw));
  ASSERT_TRUE(sample);
  EXPECT_FALSE(sample->read_stack(kTop));
  EXPECT_FALSE(sample->read_stack(kTop - 8));
}

}  // namespace
}  // namespace raceguard::events
