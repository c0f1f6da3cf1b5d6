// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/switch_markers.h"

#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <tuple>

#include "daemon/symbols/elf_file.h"
#include "daemon/symbols/elf_layout.h"
#include "daemon/symbols/symbol_table.h"

namespace raceguard::symbols {
namespace {

constexpr std::uint32_t kSdtNote = 3;
constexpr std::uint64_t kMaxNoteBytes = 4U << 20U;

struct Declaration {
  std::string name;
  std::uint64_t marker = 0;  // virtual addresses
  std::uint64_t word = 0;
};

std::uint64_t read_u64(std::span<const std::byte> bytes, std::size_t index) {
  std::uint64_t value = 0;
  std::memcpy(&value, bytes.data() + index * sizeof value, sizeof value);
  return value;
}

// Description: pc, base, semaphore (8 bytes each), then "provider\0name\0arguments\0".
void read_note(const Note& note, std::uint64_t base, std::vector<Declaration>& declarations) {
  constexpr std::size_t kAddresses = 3 * sizeof(std::uint64_t);
  if (note.owner != "stapsdt" || note.type != kSdtNote || note.description.size() <= kAddresses) {
    return;
  }
  const std::string_view text(reinterpret_cast<const char*>(note.description.data()) + kAddresses,
                              note.description.size() - kAddresses);
  const std::size_t provider_end = text.find('\0');
  if (provider_end == std::string_view::npos || text.substr(0, provider_end) != "raceguard") {
    return;
  }
  const std::string_view rest = text.substr(provider_end + 1);
  // Prelink moves the code but not the note: .stapsdt.base tells by how much.
  const std::uint64_t shift = base != 0 ? base - read_u64(note.description, 1) : 0;
  const std::uint64_t word = read_u64(note.description, 2);
  declarations.push_back({.name = std::string(rest.substr(0, rest.find('\0'))),
                          .marker = read_u64(note.description, 0) + shift,
                          .word = word != 0 ? word + shift : 0});
}

std::vector<Declaration> declared_by_notes(const ElfFile& file) {
  std::vector<Declaration> declarations;
  const Section* notes = file.layout().section(".note.stapsdt");
  const Section* base = file.layout().section(".stapsdt.base");
  if (notes == nullptr) {
    return declarations;
  }
  if (const auto bytes = file.source().read(notes->offset, std::min(notes->size, kMaxNoteBytes))) {
    for_each_note(*bytes,
                  [&](const Note& note) { read_note(note, base != nullptr ? base->address : 0, declarations); });
  }
  return declarations;
}

std::vector<Declaration> declared_by_symbols(const ElfFile& file) {
  constexpr std::string_view kMarker = "raceguard_marker_";
  std::vector<Declaration> declarations;
  const auto markers = file.find_named(kMarker, SymbolClass::kFunction);
  for (const Symbol& marker : markers) {
    Declaration declaration{.name = marker.name.substr(kMarker.size()), .marker = marker.address, .word = 0};
    for (const Symbol& word : file.find_named("raceguard_word_" + declaration.name, SymbolClass::kObject)) {
      if (word.name == "raceguard_word_" + declaration.name) {
        declaration.word = word.address;
      }
    }
    declarations.push_back(std::move(declaration));
  }
  return declarations;
}

// The kernel writes the word through the mapping that it finds by file offset: it needs bytes of the file behind it, in
// a segment that the process maps writable.
Result<SwitchMarker> locate(const ElfFile& file, const Declaration& declaration) {
  const auto reject = [&](std::string_view why, std::string_view remedy) {
    return fail(ErrorCode::kSwitchWord,
                fmt::format("cannot use switch \"{}\" of {}: {}", declaration.name, file.path(), why),
                std::string(remedy));
  };
  const auto marker = file.offset_of(declaration.marker);
  if (declaration.name.empty() || !marker || !file.layout().executable(declaration.marker)) {
    return reject(fmt::format("its marker at {:#x} is not code", declaration.marker),
                  "Rebuild it with raceguard/switch.h.");
  }
  const auto word = file.offset_of(declaration.word);
  if (declaration.word == 0 || !word) {
    return reject(fmt::format("its word at {:#x} is not backed by the file", declaration.word),
                  "Place the word in .probes or .data, not in .bss.");
  }
  const bool writable = std::ranges::any_of(file.layout().segments(), [&](const Segment& segment) {
    return segment.type == PT_LOAD && segment.writable && declaration.word >= segment.address &&
           declaration.word - segment.address < segment.file_size;
  });
  if (!writable || declaration.word % 2 != 0) {
    return reject(fmt::format("its word at {:#x} is {}", declaration.word, writable ? "not aligned to 2" : "read-only"),
                  "Place the word in .probes or .data.");
  }
  return SwitchMarker{.name = declaration.name, .marker_offset = *marker, .semaphore_offset = *word};
}

}  // namespace

SwitchMarkers find_switch_markers(const ElfFile& file) {
  std::vector<Declaration> declarations = declared_by_notes(file);
  const auto by_symbols = declared_by_symbols(file);
  declarations.insert(declarations.end(), by_symbols.begin(), by_symbols.end());
  std::map<std::tuple<std::string, std::uint64_t, std::uint64_t>, SwitchMarker> unique;
  SwitchMarkers result;
  for (const Declaration& declaration : declarations) {
    if (auto marker = locate(file, declaration)) {
      unique.try_emplace({marker->name, marker->marker_offset, marker->semaphore_offset}, *marker);
    } else {
      result.rejected.push_back(std::move(marker.error()));
    }
  }
  for (auto& [key, marker] : unique) {
    result.markers.push_back(std::move(marker));
  }
  return result;
}

}  // namespace raceguard::symbols
