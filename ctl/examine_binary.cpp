// SPDX-License-Identifier: Apache-2.0
// The parts of doctor that look at what is to be guarded: does a binary tell its functions and lines?
#include <set>

#include <fmt/format.h>

#include "ctl/diagnosis.h"
#include "daemon/symbols/elf_file.h"
#include "daemon/symbols/source_resolver.h"
#include "daemon/symbols/switch_markers.h"
#include "daemon/targets/process_reader.h"

namespace raceguard::ctl {
namespace {

constexpr std::uint64_t kNothingIsRead = 1;  // bytes: only asks how much there is

std::string debug_command(const std::string& path) {
  return fmt::format(
      "apt-get install debian-goodies && find-dbgsym-packages {}, then install the package that it names", path);
}

Diagnosis symbols_found(const symbols::ElfFile& file, const std::string& shown) {
  const auto functions = file.find_functions("*");
  if (!functions) {
    return {Health::kPoor, "binary",
            fmt::format("{} names no functions (stripped): guards cannot find any in it", shown), debug_command(shown)};
  }
  const std::string debug = file.debug_file();
  return {Health::kGood,
          "binary",
          fmt::format("{} names {}{}", shown, plural(static_cast<double>(functions->size()), "function"),
                      debug.empty() ? "" : ", also from " + debug),
          {}};
}

Diagnosis lines_found(const symbols::ElfFile& file, const std::string& shown) {
  symbols::SourceResolver lines(file, kNothingIsRead);
  if (const std::uint64_t bytes = lines.wanted_bytes(); bytes > 0) {
    return {Health::kGood,
            "binary",
            fmt::format("{} has {:.1f} MiB of DWARF for file:line", shown, static_cast<double>(bytes) / (1U << 20U)),
            {}};
  }
  return {Health::kPoor, "binary", shown + " has no DWARF: code sites are shown without file:line",
          debug_command(shown)};
}

}  // namespace

std::vector<Diagnosis> examine_binary(const std::string& host_path, const std::string& shown_as) {
  const auto file = symbols::ElfFile::open(host_path);
  if (!file) {
    return {{Health::kMissing, "binary", file.error().what(), file.error().remedy()}};
  }
  std::vector<Diagnosis> found = {symbols_found(*file, shown_as), lines_found(*file, shown_as)};
  if (file->build_id().empty()) {
    found.push_back({Health::kPoor, "binary", shown_as + " has no build-id: a replaced file is told by its inode only",
                     "link it with -Wl,--build-id"});
  }
  if (file->is_go()) {
    found.push_back(
        {Health::kPoor, "binary", shown_as + " is a Go program: its functions' returns are not probed", {}});
  }
  const symbols::SwitchMarkers switches = symbols::find_switch_markers(*file);
  std::set<std::string> names;
  for (const symbols::SwitchMarker& marker : switches.markers) {
    names.insert(marker.name);
  }
  for (const std::string& name : names) {
    found.push_back({Health::kGood, "binary", fmt::format("{} declares the switch {}", shown_as, name), {}});
  }
  for (const Error& error : switches.rejected) {
    found.push_back({Health::kPoor, "binary", error.what(), error.remedy()});
  }
  return found;
}

std::vector<Diagnosis> examine_process(long pid) {
  const targets::ProcessReader reader("/proc");
  const auto facts = reader.read_identity(static_cast<pid_t>(pid));
  if (!facts) {
    return {{Health::kMissing, "process", facts.error().what(), facts.error().remedy()}};
  }
  const auto binaries = reader.read_binaries(facts->id);
  if (!binaries) {
    return {{Health::kMissing, "process", binaries.error().what(), binaries.error().remedy()}};
  }
  std::vector<Diagnosis> found;
  std::set<std::string> seen;
  for (const targets::MappedBinary& binary : *binaries) {
    if (!seen.insert(binary.path).second) {
      continue;
    }
    if (binary.deleted || binary.host_path.empty()) {
      found.push_back(
          {Health::kPoor, "process",
           fmt::format("pid {} runs a {} that was deleted or replaced on disk: it is not probed", pid, binary.path),
           "restart the process"});
      continue;
    }
    std::vector<Diagnosis> more = examine_binary(binary.host_path, binary.path);
    found.insert(found.end(), more.begin(), more.end());
  }
  return found;
}

}  // namespace raceguard::ctl
