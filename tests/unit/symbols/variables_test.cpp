// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <fstream>

#include "daemon/symbols/variable.h"
#include "daemon/symbols/variable_path.h"
#include "tests/unit/symbols/programs.h"

namespace raceguard::symbols {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr std::uint64_t kLimit = 64U << 20U;

struct Indexed {
  explicit Indexed(const std::string& program) : file(open_program(program)), index(build(file)) {}
  static VariableIndex build(const ElfFile& file) {
    auto built = VariableIndex::build(file, kLimit);
    if (!built) {
      throw std::runtime_error(built.error().to_string());
    }
    return std::move(*built);
  }

  [[nodiscard]] Variable find(const std::string& path) const {
    const auto found = index.find(path);
    EXPECT_TRUE(found) << found.error().to_string();
    return found.value_or(Variable{});
  }
  [[nodiscard]] std::string failure(const std::string& path) const {
    const auto found = index.find(path);
    EXPECT_FALSE(found) << path;
    return found ? "" : found.error().to_string();
  }
  [[nodiscard]] std::uint64_t symbol(const std::string& mangled) const {
    const auto found = file.find_named(mangled, SymbolClass::kObject);
    return found.empty() ? 0 : found.front().address;
  }
  [[nodiscard]] std::vector<std::string> global_names() const {
    std::vector<std::string> names;
    for (const Variable& variable : index.globals()) {
      names.push_back(variable.name);
    }
    return names;
  }
  [[nodiscard]] std::vector<std::string> scalar_names(const std::string& path, std::size_t limit = 1000) const {
    std::vector<std::string> names;
    for (const Variable& variable : index.scalars(find(path), limit)) {
      names.push_back(variable.name);
    }
    return names;
  }

  ElfFile file;
  VariableIndex index;
};

class CppVariables : public testing::TestWithParam<const char*> {
 protected:
  Indexed program{GetParam()};
};

TEST_P(CppVariables, FindsGlobalsByName) {
  EXPECT_TRUE(program.index.has_types()) << program.index.why_no_types();
  const Variable counter = program.find("counter");
  EXPECT_EQ(counter.address, program.symbol("counter"));
  EXPECT_EQ(counter.size, 8U);
  EXPECT_THAT(counter.type, HasSubstr("long"));
  EXPECT_EQ(counter.kind, VariableKind::kPlain);
  ASSERT_TRUE(counter.declared);
  EXPECT_THAT(counter.declared->file, HasSubstr("variables"));
  EXPECT_EQ(program.find("shop::config").address, program.symbol("_ZN4shop6configE"));
  EXPECT_EQ(program.find("config").name, "shop::config") << "a scope may be left out";
  EXPECT_EQ(program.find("shop::Account::opened").address, program.symbol("_ZN4shop7Account6openedE"));
  EXPECT_EQ(program.find("shop::(anonymous namespace)::secret").address,
            program.symbol("_ZN4shop12_GLOBAL__N_16secretE"));
  EXPECT_EQ(program.find("secret").name, "shop::(anonymous namespace)::secret");
  EXPECT_EQ(program.find("shop::next_id::last").address, program.symbol("_ZZN4shop7next_idEvE4last"));
  EXPECT_EQ(program.find("shop::Pool<int>::live").address, program.symbol("_ZN4shop4PoolIiE4liveE"));
}

TEST_P(CppVariables, TellsStaticsOfOneNameApart) {
  EXPECT_THAT(program.failure("hidden"), AllOf(HasSubstr("variables.cpp:"), HasSubstr("variables_other.cpp:")));
  EXPECT_NE(program.find("variables.cpp:hidden").address, program.find("variables_other.cpp:hidden").address);
}

TEST_P(CppVariables, FollowsPaths) {
  const Variable config = program.find("shop::config");
  const Variable hits = program.find("shop::config.counters[3].hits");
  EXPECT_EQ(hits.address, config.address + 4 + 3 * 8);
  EXPECT_EQ(hits.size, 4U);
  EXPECT_EQ(hits.type, "int");
  EXPECT_EQ(hits.name, "shop::config.counters[3].hits");
  ASSERT_TRUE(hits.declared);
  EXPECT_EQ(hits.declared->line, 9U);
  EXPECT_THAT(hits.declared->file, HasSubstr("variables.h"));
  EXPECT_EQ(program.find("shop::config.grid[1][2]").address, config.address + 68 + (3 + 2) * 2);
  EXPECT_EQ(program.find("shop::config.grid[1]").size, 6U);
  EXPECT_EQ(program.find("shop::config.whole").address, program.find("shop::config.halves[0]").address);
  EXPECT_EQ(program.find("shop::config.state.busy").size, 1U);
  const Variable derived = program.find("shop::derived");
  EXPECT_EQ(program.find("shop::derived.tag").address, derived.address + 8) << "behind the virtual table's pointer";
  EXPECT_EQ(program.find("shop::derived.own").address, derived.address + 24);
  EXPECT_EQ(program.find("shop::config.version").kind, VariableKind::kAtomic);
}

TEST_P(CppVariables, SaysWhereAPathBreaksOff) {
  EXPECT_THAT(program.failure("shop::config.counters[3].hit"),
              AllOf(HasSubstr("shop::config.counters[3]"), HasSubstr("hits")));
  EXPECT_THAT(program.failure("shop::config.counters[8]"), HasSubstr("below 8"));
  EXPECT_THAT(program.failure("shop::config.counters[-1]"), HasSubstr("below 8"));
  EXPECT_THAT(program.failure("shop::config.next->mode"), HasSubstr("pointer"));
  EXPECT_THAT(program.failure("shop::config.next.mode"), HasSubstr("pointer"));
  EXPECT_THAT(program.failure("counter.x"), HasSubstr("no members"));
  EXPECT_THAT(program.failure("counter[0]"), HasSubstr("no array"));
  EXPECT_THAT(program.failure("shop::confg"), HasSubstr("shop::config"));
  EXPECT_THAT(program.failure(""), HasSubstr("RG-S102"));
}

TEST_P(CppVariables, KnowsAtomicsLocksAndConstants) {
  EXPECT_EQ(program.find("total").kind, VariableKind::kAtomic);
  EXPECT_THAT(program.find("total").type, HasSubstr("atomic<long"));
  EXPECT_EQ(program.find("spinning").kind, VariableKind::kAtomic);
  EXPECT_EQ(program.find("flag").kind, VariableKind::kVolatile);
  EXPECT_EQ(program.find("per_thread").kind, VariableKind::kThreadLocal);
  EXPECT_EQ(program.find("kTable").kind, VariableKind::kConstant);
  EXPECT_EQ(program.find("kName").kind, VariableKind::kConstant);
  EXPECT_EQ(program.find("text").kind, VariableKind::kPlain) << "a pointer to const is no constant";
  const Variable lock = program.find("lock");
  EXPECT_EQ(lock.kind, VariableKind::kLock);
  EXPECT_EQ(lock.lock, RG_LOCK_PTHREAD_MUTEX);
  EXPECT_EQ(lock.address, program.symbol("lock"));
  EXPECT_EQ(program.find("timed_lock").lock, RG_LOCK_PTHREAD_MUTEX);
  EXPECT_EQ(program.find("shared_lock").lock, RG_LOCK_PTHREAD_RWLOCK);
  EXPECT_EQ(program.find("c_lock").lock, RG_LOCK_PTHREAD_MUTEX);
  EXPECT_EQ(program.find("c_rwlock").lock, RG_LOCK_PTHREAD_RWLOCK);
  EXPECT_EQ(program.find("c_spin").lock, RG_LOCK_PTHREAD_SPIN);
  for (const char* other : {"condition", "once", "semaphore"}) {
    EXPECT_EQ(program.find(other).kind, VariableKind::kLock) << other;
    EXPECT_EQ(program.find(other).lock, RG_LOCK_NONE) << other;
  }
}

TEST_P(CppVariables, ListsWhatCanBeWritten) {
  const auto names = program.global_names();
  for (const char* wanted : {"counter", "flag", "shop::config", "shop::next_id::last", "lock", "total"}) {
    EXPECT_THAT(names, Contains(wanted));
  }
  for (const char* other : {"per_thread", "kTable", "kName", "kLimit"}) {
    EXPECT_THAT(names, Not(Contains(other)));
  }
  EXPECT_TRUE(std::ranges::is_sorted(program.index.globals(), {}, &Variable::address));
}

TEST_P(CppVariables, TakesVariablesApart) {
  EXPECT_THAT(program.scalar_names("counter"), ElementsAre("counter"));
  EXPECT_THAT(program.scalar_names("lock"), ElementsAre("lock"));
  EXPECT_THAT(program.scalar_names("shop::config.counters[1]"),
              ElementsAre("shop::config.counters[1].hits", "shop::config.counters[1].misses"));
  EXPECT_THAT(program.scalar_names("shop::derived"),
              ElementsAre("shop::derived.tag", "shop::derived.value", "shop::derived.own"));
  EXPECT_THAT(program.scalar_names("shop::accounts"),
              ElementsAre("shop::accounts[0].balance.cents", "shop::accounts[1].balance.cents",
                          "shop::accounts[2].balance.cents"));
  const auto names = program.scalar_names("shop::config");
  EXPECT_EQ(names.size(), 1U + 16 + 6 + 1 + 4 + 1 + 1);
  EXPECT_THAT(names, Contains("shop::config.state.{ready,busy}"));
  EXPECT_THAT(names, Contains("shop::config.halves[3]")) << "the union's widest member";
  EXPECT_THAT(names, Not(Contains("shop::config.whole")));
  EXPECT_EQ(program.scalar_names("shop::config", 5).size(), 5U);
}

TEST_P(CppVariables, NamesAddresses) {
  const Variable config = program.find("shop::config");
  const auto name_at = [&](std::uint64_t address) {
    const auto found = program.index.at(address);
    return found ? found->name : "";
  };
  EXPECT_EQ(name_at(config.address), "shop::config.mode");
  EXPECT_EQ(name_at(config.address + 4 + 24 + 5), "shop::config.counters[3].misses") << "also of a byte inside";
  EXPECT_EQ(name_at(config.address + 1), "shop::config") << "padding";
  EXPECT_EQ(name_at(program.find("shop::config.state.busy").address), "shop::config.state.{ready,busy}");
  EXPECT_EQ(name_at(program.symbol("lock") + 4), "lock");
  EXPECT_FALSE(program.index.at(1));
  for (const Variable& scalar : program.index.scalars(config, 1000)) {
    EXPECT_EQ(name_at(scalar.address), scalar.name);
  }
}

TEST_P(CppVariables, KnowsMembersOfTypes) {
  const auto cents = program.index.member("shop::Account", "balance.cents");
  ASSERT_TRUE(cents) << cents.error().to_string();
  EXPECT_EQ(cents->address, 0U);
  EXPECT_EQ(cents->size, 8U);
  EXPECT_EQ(program.index.member("Config", "counters[2].misses")->address, 4U + 2 * 8 + 4);
  EXPECT_THAT(program.index.member("shop::Accout", "x").error().to_string(), HasSubstr("shop::Account"));
  EXPECT_FALSE(program.index.member("shop::Account", "balance.dollars"));
  EXPECT_EQ(program.index.pointee_of_argument("shop::deposit", 0), "shop::Account");
  EXPECT_EQ(program.index.pointee_of_argument("_ZN4shop7Account3addEl", 0), "shop::Account");
  EXPECT_EQ(program.index.pointee_of_argument("shop::Account::add(long)", 0), "shop::Account");
  EXPECT_EQ(program.index.pointee_of_argument("shop::deposit", 1), "");
  EXPECT_EQ(program.index.pointee_of_argument("shop::deposit", 7), "");
  EXPECT_EQ(program.index.pointee_of_argument("nothing", 0), "");
}

INSTANTIATE_TEST_SUITE_P(Builds, CppVariables,
                         testing::Values("variables_O0", "variables_O2", "variables_dwarf4", "variables_static",
                                         "variables_clang"));

TEST(CVariables, FindsThemToo) {
  const Indexed program("variables_c");
  EXPECT_EQ(program.find("total").kind, VariableKind::kAtomic);
  EXPECT_EQ(program.find("small_total").kind, VariableKind::kAtomic);
  EXPECT_EQ(program.find("ticks").kind, VariableKind::kVolatile);
  EXPECT_EQ(program.find("ticks").type, "ticks_t");
  EXPECT_EQ(program.find("items").type, "item_t[4]");
  EXPECT_EQ(program.find("items[2].id").address, program.find("items").address + 2 * 16);
  EXPECT_EQ(program.find("list").type, "node*");
  EXPECT_EQ(program.find("per_thread").kind, VariableKind::kThreadLocal);
  EXPECT_EQ(program.find("limits").kind, VariableKind::kConstant);
  EXPECT_EQ(program.find("next_id::last").address, program.find("last").address);
  EXPECT_EQ(program.find("c11_lock").lock, RG_LOCK_PTHREAD_MUTEX);
  EXPECT_EQ(program.find("locks").kind, VariableKind::kLock);
  EXPECT_EQ(program.find("locks[1]").lock, RG_LOCK_PTHREAD_MUTEX);
  EXPECT_THAT(program.scalar_names("locks"), ElementsAre("locks[0]", "locks[1]"));
  EXPECT_EQ(program.find("wide").size, 16U);
  EXPECT_EQ(program.find("colour").size, 4U);
  EXPECT_EQ(program.index.member("item_t", "next")->address, 8U);
  EXPECT_EQ(program.index.member("node", "item.id")->address, 0U);
}

TEST(VariablesWithoutDwarf, ComeFromTheSymbolTable) {
  const ElfFile file = open_program("variables_O2");
  const VariableIndex index = std::move(*VariableIndex::build(file, 10));  // no room for DWARF
  EXPECT_FALSE(index.has_types());
  EXPECT_THAT(index.why_no_types(), HasSubstr("limit"));
  const auto accounts = index.find("shop::accounts");
  ASSERT_TRUE(accounts) << accounts.error().to_string();
  EXPECT_EQ(accounts->kind, VariableKind::kUnknown);
  EXPECT_EQ(accounts->size, 24U);
  EXPECT_EQ(index.at(accounts->address + 8)->name, "shop::accounts+0x8");
  EXPECT_EQ(index.at(accounts->address + 8)->size, 16U);
  EXPECT_EQ(index.scalars(*accounts, 10).size(), 1U);
  EXPECT_FALSE(index.find("kTable")) << "read-only";
  const auto path = index.find("shop::accounts[1]");
  EXPECT_THAT(path.error().to_string(), HasSubstr("type is unknown"));
  EXPECT_FALSE(index.member("shop::Account", "balance"));
}

TEST(VariablesWithoutDwarf, AreFewInAStrippedProgram) {
  const Indexed program("variables_O2_stripped");
  EXPECT_FALSE(program.index.has_types());
  EXPECT_FALSE(program.index.find("counter"));
  EXPECT_THAT(program.failure("counter"), HasSubstr("no .debug_info"));
}

TEST(VariablesWithoutDwarf, SayThatItIsSplit) {
  const Indexed program("variables_split");
  EXPECT_FALSE(program.index.has_types());
  EXPECT_THAT(program.index.why_no_types(), HasSubstr("split"));
  EXPECT_EQ(program.find("counter").kind, VariableKind::kUnknown);
}

// What dwz leaves behind, without the file that it moved common parts to.
TEST(VariablesWithoutDwarf, SayThatASharedFileIsMissing) {
  const ScratchDirectory scratch;
  const std::string link = scratch.path() / "link";
  const std::string linked = scratch.path() / "linked";
  std::ofstream(link, std::ios::binary) << "/dev/shared.debug" << std::string("\0\x12\x34\x56\x78", 5);
  run({"objcopy", "--add-section", ".gnu_debugaltlink=" + link, program_path("variables_O2"), linked});
  const ElfFile file = *ElfFile::open(linked);
  const VariableIndex index = std::move(*VariableIndex::build(file, kLimit));
  EXPECT_FALSE(index.has_types());
  EXPECT_THAT(index.why_no_types(), AllOf(HasSubstr("/dev/shared.debug"), HasSubstr("12345678")));
  EXPECT_TRUE(index.find("counter"));
}

TEST(VariablesWithDebugFile, ReadTypesFromIt) {
  const ScratchDirectory scratch;
  const ElfFile whole = open_program("variables_O2");
  const auto debug = scratch.path() / "usr/lib/debug/.build-id" / whole.build_id().substr(0, 2);
  std::filesystem::create_directories(debug);
  const std::string debug_file = debug / (whole.build_id().substr(2) + ".debug");
  run({"objcopy", "--only-keep-debug", program_path("variables_O2"), debug_file});
  const ElfFile stripped = *ElfFile::open(program_path("variables_O2_stripped"), scratch.path());
  const VariableIndex index = std::move(*VariableIndex::build(stripped, kLimit));
  EXPECT_TRUE(index.has_types()) << index.why_no_types();
  const Indexed expected("variables_O2");
  EXPECT_EQ(index.find("shop::config.counters[3].hits")->address,
            expected.find("shop::config.counters[3].hits").address);
}

TEST(RustVariables, FindsStatics) {
  if (!std::filesystem::exists(program_path("variables_rust"))) {
    GTEST_SKIP() << "rustc was not there when the programs were built";
  }
  const Indexed program("variables_rust");
  EXPECT_EQ(program.find("variables::PLAIN").kind, VariableKind::kPlain);
  EXPECT_EQ(program.find("variables::PLAIN").size, 4U);
  EXPECT_EQ(program.find("TOTAL").kind, VariableKind::kAtomic);
  EXPECT_EQ(program.find("variables::shop::COUNTERS[1].hits").size, 4U);
  bool has_lock = false;
  bool has_data = false;
  for (const Variable& part : program.index.scalars(program.find("LEDGER"), 20)) {
    has_lock = has_lock || (part.kind == VariableKind::kLock && part.lock == RG_LOCK_FUTEX_WORD && part.size == 4);
    has_data = has_data || (part.kind == VariableKind::kPlain && part.size == 8);
  }
  EXPECT_TRUE(has_lock);
  EXPECT_TRUE(has_data);
  const auto names = program.global_names();
  EXPECT_THAT(names, Not(Contains(HasSubstr("LIMIT"))));
  EXPECT_THAT(names, Not(Contains(HasSubstr("variables::LOCAL"))));
}

TEST(VariablePath, IsTakenApart) {
  const auto parsed = parse_variable_path("orders.c:ns::table<1.5>::rows[3].a->b");
  EXPECT_EQ(parsed.file, "orders.c");
  EXPECT_EQ(parsed.name, "ns::table<1.5>::rows");
  EXPECT_THAT(parsed.steps, ElementsAre("[3]", "a", "->b"));
  EXPECT_EQ(parse_variable_path("shop::total").file, "");
  for (const char* odd : {"", ".", "[", "a[", "->", "a->", "::", "a.c:", "<", ">", "a..b", "[]"}) {
    (void)parse_variable_path(odd);  // ends
  }
}

}  // namespace
}  // namespace raceguard::symbols
