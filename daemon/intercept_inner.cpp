// SPDX-License-Identifier: Apache-2.0
#include "daemon/intercept_inner.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "daemon/symbols/elf_file.h"
#include "daemon/symbols/same_place.h"

namespace raceguard::app {

Result<symbols::InnerSites> place_inside(kernel::InterceptedFunction& function, const symbols::ElfFile& file,
                                         const std::vector<std::uint64_t>& accesses, std::uint8_t argument) {
  if (file.is_go()) {
    return fail(ErrorCode::kSymbolGoProgram,
                fmt::format("cannot intercept {} in {}: Go moves stacks, by which calls are told apart",
                            function.symbol.demangled, file.path()),
                "Guard it with the application's switch");
  }
  auto sites = symbols::find_inner_sites(file, function.symbol, accesses, argument);
  if (!sites) {
    return sites;
  }
  function.site = sites->entry;
  function.section.cfa_offset = sites->entry.cfa_offset;
  function.exit_way = kernel::ExitWay::kExits;
  function.is_inside = true;
  function.exits = {{.address = sites->exit.address,
                     .file_offset = sites->exit.file_offset,
                     .instruction = sites->exit.instruction,
                     .kind = sites->exit.kind,
                     .is_return = false}};
  function.exit_cfa_offset = sites->exit.cfa_offset;
  return sites;
}

std::vector<std::uint64_t> narrowed(const symbols::ElfFile& file, const symbols::Symbol& function,
                                    std::vector<std::uint64_t> accesses) {
  if (accesses.empty() || file.is_go()) {
    return {};
  }
  accesses = symbols::with_same_place(file, function, std::move(accesses));
  const auto sites = symbols::find_inner_sites(file, function, accesses);
  return sites && (sites->calls_outside > 0 || sites->loops_outside > 0) ? accesses : std::vector<std::uint64_t>{};
}

}  // namespace raceguard::app
