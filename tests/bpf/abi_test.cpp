// SPDX-License-Identifier: Apache-2.0
// The shared structs have the same size in the object's BTF as in C++.
#include <bpf/btf.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <memory>

#include "raceguard/abi/bpf.h"
#include "raceguard/abi/intercept.h"
#include "raceguard/abi/race.h"

namespace raceguard::test {
namespace {

struct BtfDeleter {
  void operator()(btf* types) const { btf__free(types); }
};

struct SharedStruct {
  const char* name;
  std::size_t size;
};

#define RG_SHARED(name) \
  SharedStruct { #name, sizeof(name) }

void expect_same_sizes(const char* object, std::initializer_list<SharedStruct> structs) {
  const std::unique_ptr<btf, BtfDeleter> types(btf__parse(object, nullptr));
  ASSERT_NE(types, nullptr) << object;
  for (const SharedStruct& shared : structs) {
    const int id = btf__find_by_name_kind(types.get(), shared.name, BTF_KIND_STRUCT);
    ASSERT_GT(id, 0) << shared.name;
    EXPECT_EQ(btf__resolve_size(types.get(), static_cast<__u32>(id)), static_cast<__s64>(shared.size)) << shared.name;
  }
}

TEST(Abi, SharedStructsHaveTheSameSizeOnBothSides) {
  expect_same_sizes(RG_BPF_OBJECT,
                    {RG_SHARED(rg_target), RG_SHARED(rg_function_config), RG_SHARED(rg_function_counters),
                     RG_SHARED(rg_object_key), RG_SHARED(rg_object), RG_SHARED(rg_call_key), RG_SHARED(rg_call),
                     RG_SHARED(rg_lock_key), RG_SHARED(rg_lock_counters), RG_SHARED(rg_wait),
                     RG_SHARED(rg_contention_counters), RG_SHARED(rg_record_process), RG_SHARED(rg_record_stack)});
  expect_same_sizes(RG_RACE_OBJECT,
                    {RG_SHARED(rg_watch), RG_SHARED(rg_candidate_lock), RG_SHARED(rg_hold), RG_SHARED(rg_watch_figures),
                     RG_SHARED(rg_access_site_key), RG_SHARED(rg_access_site), RG_SHARED(rg_access_pair_key),
                     RG_SHARED(rg_record_access), RG_SHARED(rg_record_sample), RG_SHARED(rg_sample_figures)});
  expect_same_sizes(RG_INTERCEPT_OBJECT, {RG_SHARED(rg_section), RG_SHARED(rg_slot), RG_SHARED(rg_frame),
                                          RG_SHARED(rg_thread), RG_SHARED(rg_section_figures)});
}

}  // namespace
}  // namespace raceguard::test
