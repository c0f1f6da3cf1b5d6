// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/elf_file.h"

#include <elf.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>

#include "tests/unit/symbols/programs.h"

namespace raceguard::symbols {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::UnorderedElementsAre;

std::vector<std::string> demangled(const Result<std::vector<Symbol>>& symbols) {
  std::vector<std::string> names;
  for (const Symbol& symbol : symbols ? *symbols : std::vector<Symbol>{}) {
    names.push_back(symbol.demangled);
  }
  return names;
}

TEST(ElfFile, FindsByMangledAndDemangledName) {
  const ElfFile file = open_program("shop_O2");
  EXPECT_THAT(demangled(file.find_functions("plain_c")), ElementsAre("plain_c"));
  EXPECT_THAT(demangled(file.find_functions("shop::Inventory::reserve")),
              UnorderedElementsAre("shop::Inventory::reserve(long, char const*)", "shop::Inventory::reserve(int)"));
  EXPECT_THAT(demangled(file.find_functions("shop::Inventory::reserve(int)")),
              ElementsAre("shop::Inventory::reserve(int)"));
  EXPECT_THAT(demangled(file.find_functions("_ZN4shop9Inventory7reserveEi")),
              ElementsAre("shop::Inventory::reserve(int)"));
  EXPECT_THAT(demangled(file.find_functions("shop::recommend<*>")),
              UnorderedElementsAre("int shop::recommend<int>(int)", "double shop::recommend<double>(double)"));
  EXPECT_THAT(demangled(file.find_functions("(anonymous namespace)::hidden")),
              ElementsAre(HasSubstr("(anonymous namespace)::hidden(long)")));
}

TEST(ElfFile, GivesOffsetsThatReadTheSameCode) {
  const ElfFile file = open_program("shop_O2");
  const Symbol symbol = only_function(file, "plain_c");
  EXPECT_EQ(file.address_of(symbol.file_offset), symbol.address);
  EXPECT_EQ(file.read_code(symbol.address, 8), file.source().read(symbol.file_offset, 8));
  EXPECT_GT(symbol.size, 0U);
}

TEST(ElfFile, NamesAddresses) {
  const ElfFile file = open_program("shop_O2");
  const Symbol symbol = only_function(file, "plain_c");
  EXPECT_EQ(file.function_at(symbol.address + 1)->name, "plain_c");
  EXPECT_FALSE(file.function_at(1));
  const auto config = file.find_named("config", SymbolClass::kObject);
  ASSERT_EQ(config.size(), 1U);
  EXPECT_EQ(file.name_data(config[0].address), "config");
  EXPECT_EQ(file.name_data(config[0].address + 0x18), "config+0x18");
  EXPECT_THAT(file.name_data(config[0].address + 32), Not(HasSubstr("config")));
  const auto lock = file.find_named("inventory_lock", SymbolClass::kObject);
  ASSERT_EQ(lock.size(), 1U);
  EXPECT_EQ(file.name_data(lock[0].address), "inventory_lock");
}

TEST(ElfFile, ComputesTheLoadBiasOfEachMapping) {
  const ElfFile self = *ElfFile::open("/proc/self/exe");
  const auto maps = executable_mappings_of_self();
  ASSERT_FALSE(maps.empty());
  const auto bias = self.load_bias(maps[0].start, maps[0].file_offset);
  ASSERT_TRUE(bias);
  const auto here = reinterpret_cast<std::uint64_t>(&executable_mappings_of_self);
  EXPECT_THAT(self.function_at(here - *bias)->demangled, HasSubstr("executable_mappings_of_self"));
}

// As lld lays programs out: the second segment begins within a page of the file that the first one ends in.
TEST(ElfFile, ComputesTheLoadBiasWhereSegmentsShareAPageOfTheFile) {
  struct {
    Elf64_Ehdr head;
    std::array<Elf64_Phdr, 2> segments;
  } image{};
  std::memcpy(image.head.e_ident, ELFMAG, SELFMAG);
  image.head.e_ident[EI_CLASS] = ELFCLASS64;
  image.head.e_ident[EI_DATA] = ELFDATA2LSB;
  image.head.e_ident[EI_VERSION] = EV_CURRENT;
  image.head.e_type = ET_DYN;
  image.head.e_machine = EM_X86_64;
  image.head.e_version = EV_CURRENT;
  image.head.e_ehsize = sizeof(Elf64_Ehdr);
  image.head.e_phoff = sizeof(Elf64_Ehdr);
  image.head.e_phentsize = sizeof(Elf64_Phdr);
  image.head.e_phnum = image.segments.size();
  image.segments[0] = {.p_type = PT_LOAD, .p_flags = PF_R, .p_filesz = 0x1328, .p_memsz = 0x1328, .p_align = 0x1000};
  image.segments[1] = {.p_type = PT_LOAD,
                       .p_flags = PF_R | PF_X,
                       .p_offset = 0x1330,
                       .p_vaddr = 0x2330,
                       .p_filesz = 0x100,
                       .p_memsz = 0x100,
                       .p_align = 0x1000};
  const std::string path = testing::TempDir() + "/shared-page.elf";
  {
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(&image), sizeof image);
    file << std::string(0x1430 - sizeof image, '\0');
  }
  const auto file = ElfFile::open(path);
  ASSERT_TRUE(file) << file.error().to_string();
  EXPECT_EQ(file->load_bias(0x500000, 0), 0x500000U);
  EXPECT_EQ(file->load_bias(0x502000, 0x1000), 0x500000U);
  std::filesystem::remove(path);
}

TEST(ElfFile, SaysWhatItSearchedAndSuggests) {
  const ElfFile file = open_program("shop_O2");
  const auto missing = file.find_functions("reserv");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), ErrorCode::kSymbolNotFound);
  EXPECT_THAT(missing.error().what(), HasSubstr(".symtab ("));
  EXPECT_THAT(missing.error().remedy(), HasSubstr("shop::Inventory::reserve"));
  EXPECT_EQ(file.find_functions("reserv").error().to_string(), missing.error().to_string()) << "asked again";
}

TEST(ElfFile, RefusesWhatIsNoProgram) {
  EXPECT_EQ(ElfFile::open("/nonexistent").error().code(), ErrorCode::kSymbolFileUnreadable);
  EXPECT_EQ(ElfFile::open("/").error().code(), ErrorCode::kSymbolFileUnreadable);
  const auto script = ElfFile::open(std::string(RG_SOURCE_DIR) + "/CMakeLists.txt");
  EXPECT_EQ(script.error().code(), ErrorCode::kSymbolNotElf);
  EXPECT_THAT(script.error().what(), HasSubstr("magic"));
}

TEST(ElfFile, FindsWhatLibcExports) {
  const auto libc = ElfFile::open("/lib/x86_64-linux-gnu/libc.so.6");
  ASSERT_TRUE(libc);
  const Symbol lock = only_function(*libc, "pthread_mutex_lock");
  EXPECT_EQ(lock.name, "pthread_mutex_lock");
  EXPECT_EQ(libc->build_id().size(), 40U);
  EXPECT_EQ(libc->function_at(lock.address + 3)->address, lock.address);
  // strlen is an IFUNC: its symbol is the resolver's address, where no call passes.
  EXPECT_FALSE(libc->find_functions("strlen"));
}

}  // namespace
}  // namespace raceguard::symbols
