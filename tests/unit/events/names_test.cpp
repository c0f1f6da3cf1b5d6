// SPDX-License-Identifier: Apache-2.0
#include "daemon/events/names.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "daemon/events/lock_functions.h"
#include "tests/unit/events/blocked_thread.h"

namespace raceguard::events {
namespace {

class Mappings final : public MappingSource {
 public:
  explicit Mappings(const BlockedThread& thread) : thread_(thread) {}
  std::span<const targets::MappedBinary> mappings(pid_t) override { return thread_.mappings(); }
  bool refresh(pid_t) override { return false; }

 private:
  const BlockedThread& thread_;
};

LockStackEvent sample_of(const BlockedThread& thread, symbols::Resolver& resolver) {
  Mappings mappings(thread);
  ResolverSymboliser symboliser(resolver);
  Decoder decoder(mappings, symboliser);
  return std::get<LockStackEvent>(decoder.decode(thread.record()).value());
}

TEST(Names, TheCallersOfARealWaitHaveNamesAndLines) {
  const BlockedThread thread(blocker_program("frame_pointers"), "mutex");
  symbols::Resolver resolver;
  const LockStackEvent sample = sample_of(thread, resolver);
  std::vector<std::string> functions;
  for (const symbols::CodeSite& frame : sample.stack.frames) {
    functions.push_back(frame.function.substr(0, frame.function.find('@')));
  }
  const std::vector<std::string> expected = {"inner", "middle", "outer", "thread_main"};
  const auto at = std::search(functions.begin(), functions.end(), expected.begin(), expected.end());
  ASSERT_NE(at, functions.end());
  const symbols::CodeSite& inner = sample.stack.frames.at(static_cast<std::size_t>(at - functions.begin()));
  ASSERT_TRUE(inner.source);
  EXPECT_TRUE(inner.source->file.ends_with("blocker.cpp"));
  EXPECT_EQ(data_symbol(resolver, thread.mappings(), thread.word()), "(anonymous namespace)::mutex");
  EXPECT_EQ(data_symbol(resolver, thread.mappings(), thread.word() + 8), "(anonymous namespace)::mutex+0x8");
  EXPECT_EQ(data_symbol(resolver, thread.mappings(), 0x10), std::nullopt);
}

// glibc 2.41 waits for a semaphore in a function that it does not export: there the futex's value tells, which is 0.
TEST(Names, LibcsExportedNamesTellLocksFromConditionsInAStrippedProgram) {
  using WaitKind = LockStackEvent::WaitKind;
  const std::pair<const char*, WaitKind> expected[] = {
      {"mutex", WaitKind::kLock},     {"rwlock", WaitKind::kLock},        {"std_mutex", WaitKind::kLock},
      {"cond", WaitKind::kCondition}, {"std_cond", WaitKind::kCondition}, {"sem", WaitKind::kCondition}};
  symbols::Resolver resolver;
  for (const auto& [mode, kind] : expected) {
    const BlockedThread thread(blocker_program("stripped"), mode);
    const LockStackEvent sample = sample_of(thread, resolver);
    const auto by_names = wait_kind_of(sample.stack);
    EXPECT_TRUE(by_names == kind || (!by_names && std::string_view(mode) == "sem")) << mode;
    EXPECT_EQ(sample.wait_kind, kind) << mode;
    const std::size_t caller = first_caller(sample.stack);
    ASSERT_LT(caller, sample.stack.frames.size()) << mode;
    EXPECT_EQ(sample.stack.frames[caller].binary, blocker_program("stripped")) << mode;
  }
}

}  // namespace
}  // namespace raceguard::events
