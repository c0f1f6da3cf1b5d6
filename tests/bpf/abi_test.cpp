// SPDX-License-Identifier: Apache-2.0
// The shared structs have the same size in the object's BTF as in C++.
#include <bpf/btf.h>
#include <gtest/gtest.h>

#include <memory>

#include "raceguard/abi/bpf.h"

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

TEST(Abi, SharedStructsHaveTheSameSizeOnBothSides) {
  const std::unique_ptr<btf, BtfDeleter> types(btf__parse(RG_BPF_OBJECT, nullptr));
  ASSERT_NE(types, nullptr);
  for (const SharedStruct& shared :
       {RG_SHARED(rg_target), RG_SHARED(rg_function_config), RG_SHARED(rg_function_counters), RG_SHARED(rg_call_key),
        RG_SHARED(rg_call), RG_SHARED(rg_lock_key), RG_SHARED(rg_lock_counters), RG_SHARED(rg_wait),
        RG_SHARED(rg_record_process), RG_SHARED(rg_record_stack)}) {
    const int id = btf__find_by_name_kind(types.get(), shared.name, BTF_KIND_STRUCT);
    ASSERT_GT(id, 0) << shared.name;
    EXPECT_EQ(btf__resolve_size(types.get(), static_cast<__u32>(id)), static_cast<__s64>(shared.size)) << shared.name;
  }
}

}  // namespace
}  // namespace raceguard::test
