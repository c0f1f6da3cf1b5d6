// SPDX-License-Identifier: Apache-2.0
// Feeds arbitrary bytes to the reader of binaries, the choice of sites, the way back from a watchpoint and the reader
// of switch notes. DWARF is left out: elfutils is fuzzed by its own project.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "daemon/symbols/access.h"
#include "daemon/symbols/elf_file.h"
#include "daemon/symbols/frame_table.h"
#include "daemon/symbols/site_choice.h"
#include "daemon/symbols/switch_markers.h"
#include "raceguard/unique_fd.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace raceguard;
  const UniqueFd fd(::memfd_create("elf", MFD_CLOEXEC));
  if (!fd || ::write(fd.get(), data, size) != static_cast<ssize_t>(size)) {
    return 0;
  }
  const auto file =
      symbols::ElfFile::open("/proc/self/fd/" + std::to_string(fd.get()), "/dev");  // a root without packages
  if (!file) {
    return 0;
  }
  (void)symbols::find_switch_markers(*file);
  (void)file->name_data(0x4010);
  (void)file->load_bias(0x555500000000, 0x1000);
  for (const std::uint64_t start : symbols::frame_starts(*file)) {
    (void)symbols::access_candidates(*file, start + 10);
  }
  const auto functions = file->find_functions("*");
  for (std::size_t i = 0; functions && i < functions->size() && i < 16; ++i) {
    (void)symbols::choose_site(*file, (*functions)[i]);
  }
  return 0;
}
