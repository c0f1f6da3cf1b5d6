// SPDX-License-Identifier: Apache-2.0
// Truncated and damaged files: whatever a target's owner puts on disk, the daemon answers with an error or with less.
#include <gmock/gmock.h>
#include <sys/mman.h>
#include <unistd.h>
#include <array>
#include <fstream>
#include <random>

#include "daemon/symbols/resolver.h"
#include "daemon/symbols/site_choice.h"
#include "daemon/symbols/switch_markers.h"
#include "raceguard/unique_fd.h"
#include "tests/unit/symbols/programs.h"

namespace raceguard::symbols {
namespace {

namespace fs = std::filesystem;

// Asks everything that the daemon asks of a binary. Returns whether it was taken for an ELF file.
bool ask_everything(const std::string& path) {
  const auto file = ElfFile::open(path, "/dev");  // a root without packages: their search is not what is tested
  if (!file) {
    return false;
  }
  const SwitchMarkers markers = find_switch_markers(*file);
  const auto functions = file->find_functions("*");
  std::size_t asked = 0;
  for (const Symbol& symbol : functions ? *functions : std::vector<Symbol>{}) {
    const auto choice = choose_site(*file, symbol);
    if (choice && !choice->chosen) {
      EXPECT_FALSE(chosen_site(*choice, *file));
    }
    if (++asked > 40) {
      break;
    }
  }
  Resolver resolver;
  for (const std::uint64_t address : {std::uint64_t{0}, std::uint64_t{0x1100}, std::uint64_t{0x4010}, UINT64_MAX}) {
    const CodeSite site = resolver.resolve(path, address, AddressKind::kReturnAddress, path);
    EXPECT_EQ(site.binary, path);
    EXPECT_LE(resolver.name_data(path, address).size(), 65536U);
  }
  return true;
}

std::vector<char> content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// A file in memory: truncating and rewriting one on ext4 waits for the disk each time.
class MemoryFile {
 public:
  MemoryFile() : fd_(::memfd_create("hostile", MFD_CLOEXEC)) {}
  void write(const char* content, std::size_t size) {
    ASSERT_EQ(::ftruncate(fd_.get(), 0), 0);
    ASSERT_EQ(::pwrite(fd_.get(), content, size, 0), static_cast<ssize_t>(size));
  }
  [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(fd_.get()); }

 private:
  UniqueFd fd_;
};

TEST(Hostile, TruncatedAnywhere) {
  MemoryFile file;
  const std::vector<char> whole = content_of(program_path("switches"));
  for (std::size_t size = 0; size < whole.size(); size += size < 1024 ? 8 : 509) {
    file.write(whole.data(), size);
    const bool taken = ask_everything(file.path());
    EXPECT_FALSE(taken && size < 64) << size;
  }
}

TEST(Hostile, RandomBytesInItsHeadersAndTables) {
  MemoryFile file;
  std::mt19937 random(20240917);  // a fixed seed: a failure can be repeated
  std::size_t taken = 0;
  for (const char* name : {"switches", "shop_O2", "entries"}) {
    const std::vector<char> whole = content_of(program_path(name));
    for (int round = 0; round < 150; ++round) {
      std::vector<char> damaged = whole;
      // Headers stand at the front and section headers at the back; both matter more than the rest.
      const std::array<std::pair<std::size_t, std::size_t>, 3> areas = {
          {{16, 1024}, {whole.size() - 3000, whole.size()}, {64, whole.size()}}};
      const auto [from, to] = areas.at(static_cast<std::size_t>(round) % areas.size());
      for (int change = 0; change < 12; ++change) {
        const std::size_t place = from + random() % (to - from);
        damaged[place] = static_cast<char>(round % 2 == 0 ? random() : 0xff);
      }
      file.write(damaged.data(), damaged.size());
      taken += ask_everything(file.path()) ? 1 : 0;
    }
  }
  EXPECT_GT(taken, 100U) << "most damaged files must still get past the header check, or nothing was tested";
}

TEST(Hostile, CutShortWhileItIsOpen) {
  const ScratchDirectory scratch;
  const std::string path = scratch.path() / "shrinks";
  fs::copy_file(program_path("shop_O2"), path);
  const auto file = ElfFile::open(path);
  ASSERT_TRUE(file);
  fs::resize_file(path, 100);
  EXPECT_FALSE(file->find_functions("plain_c"));
  EXPECT_TRUE(file->read_code(0x1100, 16).empty());
}

TEST(Hostile, NotARegularFile) {
  const ScratchDirectory scratch;
  const std::string fifo = scratch.path() / "fifo";
  run({"mkfifo", fifo});
  EXPECT_EQ(ElfFile::open(fifo).error().code(), ErrorCode::kSymbolFileUnreadable);
}

}  // namespace
}  // namespace raceguard::symbols
