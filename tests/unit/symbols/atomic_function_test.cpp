// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/atomic_function.h"

#include <gmock/gmock.h>

#include "daemon/symbols/access.h"
#include "daemon/symbols/resolver.h"
#include "tests/unit/symbols/programs.h"

namespace raceguard::symbols {
namespace {

using testing::HasSubstr;

TEST(AtomicFunction, KnowsTheLibraries) {
  for (const char* name :
       {"std::atomic<int>::load(std::memory_order) const", "std::atomic<long>::operator++(int)",
        "std::__atomic_base<long>::fetch_add(long, std::memory_order)", "std::__atomic_base<int>::operator int() const",
        "std::atomic<shop::Pair<int, long> >::store(shop::Pair<int, long>, std::memory_order)",
        "std::atomic_flag::test_and_set(std::memory_order)",
        "std::__1::atomic<int>::load(std::__1::memory_order) const",
        "int std::atomic_load<int>(std::atomic<int> const*)",
        "int std::__1::__cxx_atomic_load<int>(std::__1::__cxx_atomic_base_impl<int> const*, std::__1::memory_order)",
        "__gnu_cxx::__exchange_and_add(int volatile*, int)", "__atomic_load_8", "core::sync::atomic::AtomicU64::load",
        "core::sync::atomic::atomic_load", "core::sync::atomic::Atomic<u64>::fetch_add",
        "_RNvMsa_NtNtCs1_4core4sync6atomicINtB5_6AtomicmE4loadB7_", "QBasicAtomicInteger<int>::ref()"}) {
    EXPECT_TRUE(is_atomic_function(name)) << name;
  }
}

TEST(AtomicFunction, LeavesOutWhatIsPlain) {
  for (const char* name :
       {"", "main", "std::atomic<int>::atomic(int)", "std::__atomic_base<int>::__atomic_base(int)",
        "std::atomic<int>::~atomic()", "std::atomic_thread_fence(std::memory_order)", "atomic_thread_fence",
        "core::sync::atomic::fence", "core::sync::atomic::AtomicU64::new", "core::sync::atomic::AtomicU64::get_mut",
        "std::shared_ptr<int> std::atomic_load<int>(std::shared_ptr<int> const*)", "shop::atomic<int>::load()",
        "std::vector<std::atomic<int> >::push_back(int)", "shop::update(std::atomic<int>&)",
        "my::std::atomic<int>::load()"}) {
    EXPECT_FALSE(is_atomic_function(name)) << name;
  }
}

// The site of the access to the word that a function makes, in itself or in what it calls.
class AtomicFrame : public testing::TestWithParam<const char*> {
 protected:
  Resolver resolver;
  std::string path = program_path(GetParam());

  // The frame at the first instruction behind the function's entry that accesses the word by rip, or at each access of
  // the library's function.
  std::string frame_of(const std::string& function) {
    const ElfFile file = open_program(GetParam());
    const Symbol symbol = only_function(file, function);
    const std::uint64_t end = file.function_end(symbol);
    for (std::uint64_t ip = symbol.address + 1; ip <= end; ++ip) {
      const auto access = access_before(file, ip);
      if (access && access->accesses[0].where.base == -1) {
        return atomic_frame(resolver.resolve(path, access->address, AddressKind::kExact, path));
      }
    }
    return "no access";
  }
};

TEST_P(AtomicFrame, IsFoundInOptimisedCode) {
  EXPECT_THAT(frame_of("load_relaxed"), HasSubstr("load"));
  EXPECT_THAT(frame_of("store_release"), HasSubstr("store"));
  EXPECT_THAT(frame_of("implicit"), HasSubstr("atomic"));
  EXPECT_EQ(frame_of("load_plain"), "");
}
INSTANTIATE_TEST_SUITE_P(Builds, AtomicFrame, testing::Values("atomics_O1", "atomics_O2"));

TEST(AtomicFrameUnoptimised, IsTheFunctionItself) {
  const ElfFile file = open_program("atomics_O0");
  Resolver resolver;
  const std::string path = program_path("atomics_O0");
  const auto functions = file.find_functions("std::__atomic_base<long>::*");
  ASSERT_TRUE(functions) << functions.error().to_string();
  for (const Symbol& symbol : *functions) {
    const bool constructs = symbol.demangled.find("__atomic_base(") != std::string::npos;
    const CodeSite site = resolver.resolve(path, symbol.address + 8, AddressKind::kExact, path);
    EXPECT_EQ(atomic_frame(site).empty(), constructs) << symbol.demangled;
  }
}

}  // namespace
}  // namespace raceguard::symbols
