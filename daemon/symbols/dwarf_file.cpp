// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/dwarf_file.h"

#include <algorithm>

#include <elf.h>
#include <fmt/format.h>

#include "daemon/symbols/debug_file.h"
#include "daemon/symbols/elf_file.h"
#include "daemon/symbols/elf_layout.h"

namespace raceguard::symbols {
namespace {

bool has_section(const ByteSource& source, std::string_view name) {
  const auto layout = ElfLayout::parse(source);
  const Section* section = layout ? layout->section(name) : nullptr;
  return section != nullptr && section->type != SHT_NOBITS;
}

// .gnu_debugaltlink: a path, NUL, the build-id of the file that dwz moved common parts to.
struct SharedLink {
  std::string path;
  std::string build_id;
};

std::optional<SharedLink> shared_link(const ByteSource& source) {
  const auto layout = ElfLayout::parse(source);
  const Section* section = layout ? layout->section(".gnu_debugaltlink") : nullptr;
  if (section == nullptr || section->type == SHT_NOBITS) {
    return std::nullopt;
  }
  SharedLink link{.path = source.read_string(section->offset), .build_id = {}};
  constexpr std::uint64_t kMaxBuildId = 64;
  const std::uint64_t before = link.path.size() + 1;
  if (section->size > before) {
    const auto id = source.read(section->offset + before, std::min(section->size - before, kMaxBuildId));
    for (const std::byte byte : id.value_or(Bytes{})) {
      link.build_id += fmt::format("{:02x}", static_cast<unsigned>(byte));
    }
  }
  return link;
}

}  // namespace

const ByteSource* DwarfFile::find_source(const ElfFile& file, std::string_view section) {
  if (has_section(file.source(), section)) {
    return &file.source();
  }
  const ByteSource* debug = file.debug_source();
  return debug != nullptr && has_section(*debug, section) ? debug : nullptr;
}

std::uint64_t DwarfFile::debug_bytes(const ByteSource& source) {
  const auto layout = ElfLayout::parse(source);
  std::uint64_t total = 0;
  for (const Section& section : layout ? layout->sections() : std::vector<Section>{}) {
    if (!section.name.starts_with(".debug_") || section.type == SHT_NOBITS) {
      continue;
    }
    std::uint64_t size = section.size;
    if ((section.flags & SHF_COMPRESSED) != 0) {
      const auto header = source.read_struct<Elf64_Chdr>(section.offset);
      size += header ? header->ch_size : 0;
    }
    if (size > UINT64_MAX - total) {
      return UINT64_MAX;  // a hostile header
    }
    total += size;
  }
  return total;
}

DwarfFile::Handle DwarfFile::open_handle(const ByteSource& source) {
  elf_version(EV_CURRENT);
  Handle handle;
  // ELF_C_READ and dwarf_begin_elf instead of dwarf_begin, which would map the file.
  handle.elf.reset(elf_begin(source.fd(), ELF_C_READ, nullptr));
  if (handle.elf) {
    handle.dwarf.reset(dwarf_begin_elf(handle.elf.get(), DWARF_C_READ, nullptr));
  }
  return handle;
}

// libdw would look for the shared file by itself: at any path that the target's file names, also a fifo, and outside of
// the target's root.
bool DwarfFile::open_shared(const ElfFile& file, const ByteSource& source, std::uint64_t limit) {
  const auto link = shared_link(source);
  if (!link) {
    return true;
  }
  auto found = open_shared_debug_file(file.root(), source.path(), link->path, link->build_id);
  if (!found) {
    why_not_ = fmt::format("{} shares its DWARF with {} (build-id {}), which is not there", source.path(), link->path,
                           link->build_id);
    return false;
  }
  shared_source_ = std::make_unique<ByteSource>(std::move(*found));
  const std::uint64_t wanted = debug_bytes(*shared_source_);
  if (wanted > limit) {
    why_not_ = fmt::format("{} has {} bytes of DWARF; the limit is {}", link->path, wanted, limit);
    return false;
  }
  shared_ = open_handle(*shared_source_);
  if (!shared_.dwarf) {
    why_not_ = fmt::format("{} has no DWARF", link->path);
  }
  bytes_ += wanted;
  return shared_.dwarf != nullptr;
}

DwarfFile DwarfFile::open(const ElfFile& file, std::string_view section, std::uint64_t limit) {
  DwarfFile result;
  const ByteSource* source = find_source(file, section);
  if (source == nullptr || source->fd() < 0) {
    result.why_not_ = fmt::format("{} has no {}", file.path(), section);
    return result;
  }
  const std::uint64_t wanted = debug_bytes(*source);
  if (wanted > limit) {
    result.why_not_ = fmt::format("{} has {} bytes of DWARF; the limit is {}", source->path(), wanted, limit);
    return result;
  }
  if (!result.open_shared(file, *source, limit - wanted)) {
    result.bytes_ = 0;
    return result;
  }
  Handle handle = open_handle(*source);
  if (!handle.dwarf) {
    result.why_not_ = fmt::format("libdw cannot read {}", source->path());
    result.bytes_ = 0;
    return result;
  }
  if (result.shared_.dwarf) {
    dwarf_setalt(handle.dwarf.get(), result.shared_.dwarf.get());
  }
  result.elf_ = std::move(handle.elf);
  result.dwarf_ = std::move(handle.dwarf);
  result.bytes_ += wanted;
  return result;
}

}  // namespace raceguard::symbols
