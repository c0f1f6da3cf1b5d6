// SPDX-License-Identifier: Apache-2.0
// The difference of two plans, carried out on a model of the kernel that is as strict as the real one: a slot, a pid or
// a word that is taken cannot be added again.
#include "daemon/plan/difference.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <sstream>

#include "daemon/plan/plan_keys.h"

namespace raceguard::plan {
namespace {

class KernelModel {
 public:
  std::map<pid_t, TargetEntry> targets;
  std::map<std::uint32_t, FunctionProbe> functions;
  std::map<decltype(word_key(SwitchWord{})), SwitchWord> words;

  void apply(const PlanDifference& difference) {
    for (const auto& id : difference.remove_targets) {
      ASSERT_TRUE(targets.contains(id.pid) && targets[id.pid].id == id);
      targets.erase(id.pid);
    }
    for (const auto id : difference.remove_functions) {
      ASSERT_EQ(functions.erase(id), 1U);
    }
    for (const auto& word : difference.remove_words) {
      ASSERT_EQ(words.erase(word_key(word)), 1U);
    }
    for (const auto& entry : difference.add_targets) {
      ASSERT_TRUE(!targets.contains(entry.id.pid) || targets[entry.id.pid].id == entry.id);
      targets[entry.id.pid] = entry;
    }
    for (const auto& probe : difference.add_functions) {
      ASSERT_TRUE(functions.emplace(probe.function_id, probe).second);
    }
    for (const auto& word : difference.add_words) {
      ASSERT_TRUE(words.emplace(word_key(word), word).second);
    }
    for (const auto& probe : difference.update_functions) {
      ASSERT_EQ(attachment_key(functions.at(probe.function_id)), attachment_key(probe));
      functions[probe.function_id] = probe;
    }
    for (const auto& word : difference.update_words) {
      words.at(word_key(word)) = word;
    }
  }
  // All that the kernel is told, as text.
  [[nodiscard]] std::string to_string() const {
    std::string text;
    const auto put = [&](const auto& value) {
      std::ostringstream out;
      out << value << ' ';
      text += out.str();
    };
    for (const auto& [pid, entry] : targets) {
      put(pid), put(entry.id.start_ticks), put(entry.guard_index), put(entry.contention), put(entry.functions);
    }
    for (const auto& [id, probe] : functions) {
      put(id), put(probe.guard), put(probe.name), put(probe.symbol.name), put(probe.symbol.address);
      put(probe.binary.inode), put(probe.binary.build_id), put(probe.site.file_offset), put(probe.host_path);
      put(probe.slow_ns), put(probe.guard_index), put(probe.error.size());
      for (const auto& error : probe.error) {
        put(error.operand);
      }
    }
    for (const auto& [key, word] : words) {
      put(word.switch_name), put(word.binary.inode), put(word.marker.marker_offset), put(word.host_path);
    }
    return text;
  }
};

// Few values each, so that pids, slots and words collide often.
class RandomPlan {
 public:
  explicit RandomPlan(std::uint32_t seed) : random_(seed) {}

  ProbePlan make() {
    ProbePlan plan;
    for (pid_t pid = 1; pid <= 4; ++pid) {
      if (below(2) != 0) {
        plan.targets.push_back({.id = {.pid = pid, .start_ticks = below(2)},
                                .guard_index = below(2),
                                .contention = below(2) != 0,
                                .functions = true});
      }
    }
    for (std::uint32_t id = 0; id < 4; ++id) {
      if (below(2) != 0) {
        plan.functions.push_back(make_probe(id));
      }
    }
    for (std::uint64_t marker = 0; marker < 3; ++marker) {
      if (below(2) != 0) {
        plan.words.push_back({.switch_name = "s",
                              .marker = {.name = "s", .marker_offset = marker},
                              .binary = {.device = 1, .inode = 7},
                              .host_path = pick("/a", "/b")});
      }
    }
    return plan;
  }

 private:
  std::uint32_t below(std::uint32_t limit) {
    return std::uniform_int_distribution<std::uint32_t>(0, limit - 1)(random_);
  }
  std::string pick(const char* one, const char* other) { return below(2) != 0 ? one : other; }
  FunctionProbe make_probe(std::uint32_t id) {
    FunctionProbe probe{.function_id = id,
                        .guard_index = below(2),
                        .guard = "g",
                        .name = "f",
                        .symbol = {.name = "f", .address = below(2)},
                        .site = {.file_offset = below(2)},
                        .binary = {.device = 1, .inode = 7, .build_id = pick("b", "c")},
                        .host_path = pick("/a", "/b"),
                        .slow_ns = below(2),
                        .error = {}};
    if (below(2) != 0) {
      probe.error.push_back({.operand = below(2)});
    }
    return probe;
  }

  std::mt19937 random_;
};

KernelModel kernel_with(const ProbePlan& plan) {
  KernelModel kernel;
  kernel.apply(difference({}, plan));
  return kernel;
}

TEST(Difference, TurnsAnyPlanIntoAnyOther) {
  for (std::uint32_t seed = 0; seed < 2000; ++seed) {
    RandomPlan random(seed);
    const ProbePlan before = random.make();
    const ProbePlan after = random.make();
    KernelModel kernel = kernel_with(before);
    kernel.apply(difference(before, after));
    ASSERT_EQ(kernel.to_string(), kernel_with(after).to_string()) << "seed " << seed;
    ASSERT_TRUE(difference(after, after).empty()) << "seed " << seed;
    kernel.apply(difference(after, {}));
    ASSERT_EQ(kernel.to_string(), "") << "seed " << seed;
  }
}

TEST(Difference, ThresholdAndPathAreUpdatesOfAnAttachedProbe) {
  ProbePlan before;
  before.functions = {{.function_id = 3, .guard = "g", .host_path = "/proc/10/root/a", .slow_ns = 1, .error = {}}};
  before.words = {{.switch_name = "s", .marker = {}, .binary = {}, .host_path = "/proc/10/root/a"}};
  ProbePlan after = before;
  after.functions[0].slow_ns = 2;
  after.words[0].host_path = "/proc/11/root/a";
  const PlanDifference result = difference(before, after);
  EXPECT_EQ(result.update_functions.size(), 1U);
  EXPECT_EQ(result.update_words.size(), 1U);
  EXPECT_TRUE(result.add_functions.empty() && result.remove_functions.empty());
  EXPECT_TRUE(result.add_words.empty() && result.remove_words.empty());
}

TEST(Difference, ReusedPidIsRemovedAndAdded) {
  ProbePlan before;
  before.targets = {{.id = {.pid = 10, .start_ticks = 1}}};
  ProbePlan after;
  after.targets = {{.id = {.pid = 10, .start_ticks = 2}}};
  const PlanDifference result = difference(before, after);
  EXPECT_EQ(result.remove_targets, (std::vector<targets::ProcessId>{{.pid = 10, .start_ticks = 1}}));
  EXPECT_EQ(result.add_targets, after.targets);
}

}  // namespace
}  // namespace raceguard::plan
