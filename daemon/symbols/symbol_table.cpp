// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/symbol_table.h"

#include <elf.h>

#include <algorithm>
#include <limits>

namespace raceguard::symbols {
namespace {

constexpr std::uint64_t kMaxAddress = std::uint64_t{1} << 48U;
constexpr std::uint64_t kUnsizedReach = 64U << 10U;
constexpr std::uint64_t kChunkSymbols = 16384;  // 384 KiB at a time: the whole .symtab need never be in memory
constexpr std::size_t kMaxSources = 255;

bool is_wanted(const Elf64_Sym& symbol, SymbolClass wanted) {
  if (symbol.st_shndx == SHN_UNDEF || symbol.st_shndx == SHN_ABS || symbol.st_value == 0 ||
      symbol.st_value >= kMaxAddress) {
    return false;
  }
  const auto type = ELF64_ST_TYPE(symbol.st_info);
  // STT_GNU_IFUNC is left out: its address is the resolver's, not the function's.
  return wanted == SymbolClass::kFunction ? type == STT_FUNC : type == STT_OBJECT;
}

unsigned rank_of(const Elf64_Sym& symbol) {
  switch (ELF64_ST_BIND(symbol.st_info)) {
    case STB_GLOBAL:
      return 0;
    case STB_WEAK:
      return 1;
    default:
      return 2;
  }
}

}  // namespace

std::string_view without_version(std::string_view name) { return name.substr(0, name.find('@')); }

std::size_t SymbolTable::add(const ByteSource& source, const ElfLayout& layout, std::string_view table_name) {
  const Section* table = layout.section(table_name);
  if (table == nullptr || table->type == SHT_NOBITS || strings_.size() >= kMaxSources) {
    return 0;
  }
  const Section* names = layout.section(table->link);
  if (names == nullptr || names->type != SHT_STRTAB || names->size > std::numeric_limits<std::uint32_t>::max()) {
    return 0;
  }
  const std::size_t before = entries_.size();
  const std::uint64_t count = std::min(table->size, source.size()) / sizeof(Elf64_Sym);
  for (std::uint64_t done = 0; done < count; done += kChunkSymbols) {
    const std::uint64_t now = std::min(kChunkSymbols, count - done);
    const auto bytes = source.read(table->offset + done * sizeof(Elf64_Sym), now * sizeof(Elf64_Sym));
    if (!bytes) {
      break;
    }
    for (std::uint64_t i = 0; i < now; ++i) {
      Elf64_Sym symbol;
      std::memcpy(&symbol, bytes->data() + i * sizeof symbol, sizeof symbol);
      if (is_wanted(symbol, wanted_) && symbol.st_name < names->size) {
        entries_.push_back({.address = symbol.st_value & (kMaxAddress - 1),
                            .rank = rank_of(symbol) & 0xffU,
                            .source = strings_.size() & 0xffU,
                            .size = static_cast<std::uint32_t>(std::min<std::uint64_t>(symbol.st_size, UINT32_MAX)),
                            .name = symbol.st_name});
      }
    }
  }
  strings_.push_back({&source, names->offset, std::min(names->size, source.size())});
  return entries_.size() - before;
}

void SymbolTable::finish() {
  std::ranges::sort(entries_, [](const TableEntry& a, const TableEntry& b) {
    if (a.address != b.address) {
      return a.address < b.address;
    }
    return a.rank != b.rank ? a.rank < b.rank : a.size > b.size;
  });
  entries_.shrink_to_fit();
}

std::string SymbolTable::name_of(const TableEntry& entry) const {
  const Strings& strings = strings_[entry.source];
  return std::string(without_version(strings.source->read_string(strings.offset + entry.name)));
}

std::optional<TableEntry> SymbolTable::at(std::uint64_t address) const {
  const auto after = std::ranges::upper_bound(
      entries_, address, {}, [](const TableEntry& entry) { return static_cast<std::uint64_t>(entry.address); });
  if (after == entries_.begin()) {
    return std::nullopt;
  }
  // The nearest start below the address; among its aliases the best rank, which is sorted first.
  const std::uint64_t start = std::prev(after)->address;
  std::optional<TableEntry> unsized;
  for (auto entry = std::prev(after);; --entry) {
    if (entry->address != start) {
      break;
    }
    if (entry->size > address - start) {
      unsized.reset();
      auto best = entry;
      while (best != entries_.begin() && std::prev(best)->address == start && std::prev(best)->size > address - start) {
        --best;
      }
      return *best;
    }
    if (entry->size == 0 && address - start < kUnsizedReach) {
      unsized = *entry;
    }
    if (entry == entries_.begin()) {
      break;
    }
  }
  return unsized;
}

std::uint64_t SymbolTable::next_address(std::uint64_t address) const {
  const auto after = std::ranges::upper_bound(
      entries_, address, {}, [](const TableEntry& entry) { return static_cast<std::uint64_t>(entry.address); });
  return after == entries_.end() ? 0 : after->address;
}

void SymbolTable::for_each(const std::function<void(const TableEntry&, std::string_view)>& visit) const {
  for (std::size_t index = 0; index < strings_.size(); ++index) {
    const auto bytes = strings_[index].source->read(strings_[index].offset, strings_[index].size);
    if (!bytes) {
      continue;
    }
    const std::string_view all(reinterpret_cast<const char*>(bytes->data()), bytes->size());
    for (const TableEntry& entry : entries_) {
      if (entry.source == index && entry.name < all.size()) {
        const std::string_view rest = all.substr(entry.name, 4096);
        visit(entry, without_version(rest.substr(0, rest.find('\0'))));
      }
    }
  }
}

}  // namespace raceguard::symbols
