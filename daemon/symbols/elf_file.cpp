// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/elf_file.h"

#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "daemon/symbols/debug_file.h"
#include "daemon/symbols/demangle.h"
#include "daemon/symbols/elf_layout.h"
#include "daemon/symbols/frame_section.h"
#include "daemon/symbols/name_match.h"
#include "daemon/symbols/symbol_suggestion.h"
#include "daemon/symbols/symbol_table.h"

namespace raceguard::symbols {

// The sources of symbols that a table points into; kept as long as the file.
struct ElfFile::Impl {
  ByteSource source;
  ElfLayout layout;
  std::string root;
  std::string build_id;
  bool go = false;

  bool debug_searched = false;
  std::unique_ptr<ByteSource> debug;
  std::unique_ptr<ByteSource> mini_debug;
  std::unique_ptr<SymbolTable> functions;
  std::unique_ptr<SymbolTable> objects;
  std::optional<std::vector<FunctionRange>> frames;
  SearchedTables searched;  // by the load of `functions`
  // Globs that matched nothing. The suggestions of an error take 0.2 s in a large program, and a plan asks again for
  // each new process.
  std::map<std::string, Error> failed;

  const ByteSource* find_debug() {
    if (!debug_searched) {
      debug_searched = true;
      if (auto found = open_debug_file(root, build_id)) {
        debug = std::make_unique<ByteSource>(std::move(*found));
      }
    }
    return debug.get();
  }

  std::size_t add_from(SymbolTable& table, const ByteSource& from) const {
    const auto other = ElfLayout::parse(from);
    return other ? table.add(from, *other, ".symtab") : 0;
  }

  // .symtab has everything that .dynsym has, unless someone stripped it in part: both are read.
  std::unique_ptr<SymbolTable> load(SymbolClass wanted, SearchedTables& counts) {
    auto table = std::make_unique<SymbolTable>(wanted);
    counts.symtab = table->add(source, layout, ".symtab");
    counts.dynsym = table->add(source, layout, ".dynsym");
    if (counts.symtab == 0) {
      if (const ByteSource* file = find_debug()) {
        counts.debug_file = file->path();
        counts.debug = add_from(*table, *file);
      }
    }
    if (counts.symtab + counts.debug == 0) {
      if (!mini_debug) {
        if (auto found = read_mini_debug_info(source, layout)) {
          mini_debug = std::make_unique<ByteSource>(std::move(*found));
        }
      }
      counts.mini_debug = mini_debug ? add_from(*table, *mini_debug) : 0;
    }
    table->finish();
    return table;
  }

  const SymbolTable& function_table() {
    if (!functions) {
      functions = load(SymbolClass::kFunction, searched);
    }
    return *functions;
  }

  const SymbolTable& object_table() {
    if (!objects) {
      SearchedTables counts;
      objects = load(SymbolClass::kObject, counts);
    }
    return *objects;
  }

  Symbol make_symbol(const TableEntry& entry, std::string name) const {
    Symbol symbol;
    symbol.demangled = demangle(name);
    symbol.name = std::move(name);
    symbol.address = entry.address;
    symbol.file_offset = layout.offset_of(entry.address).value_or(0);
    symbol.size = entry.size;
    return symbol;
  }

  std::optional<Symbol> symbol_at(const SymbolTable& table, std::uint64_t address) const {
    const auto entry = table.at(address);
    return entry ? std::optional(make_symbol(*entry, table.name_of(*entry))) : std::nullopt;
  }
};

namespace {

struct Match {
  TableEntry entry;
  std::string name;
};

// Of two names of one address the one that people use: pthread_mutex_lock, not __pthread_mutex_lock.
bool better_name(const Match& a, const Match& b) {
  const auto underscores = [](const Match& match) {
    return match.name.starts_with("_Z") ? std::size_t{0} : match.name.find_first_not_of('_');
  };
  if (underscores(a) != underscores(b)) {
    return underscores(a) < underscores(b);
  }
  return a.entry.rank != b.entry.rank ? a.entry.rank < b.entry.rank : a.name.size() < b.name.size();
}

}  // namespace

Result<ElfFile> ElfFile::open(const std::string& path, std::string root) {
  auto source = ByteSource::open(path);
  if (!source) {
    return tl::unexpected(source.error());
  }
  auto layout = ElfLayout::parse(*source);
  if (!layout) {
    return tl::unexpected(layout.error());
  }
  auto impl = std::unique_ptr<Impl>(new Impl{.source = std::move(*source),
                                             .layout = std::move(*layout),
                                             .root = root.empty() ? root_of(path) : std::move(root),
                                             .build_id = {},
                                             .go = false,
                                             .debug_searched = false,
                                             .debug = nullptr,
                                             .mini_debug = nullptr,
                                             .functions = nullptr,
                                             .objects = nullptr,
                                             .frames = std::nullopt,
                                             .searched = {},
                                             .failed = {}});
  impl->build_id = read_build_id(impl->source, impl->layout);
  impl->go = is_go_program(impl->source, impl->layout);
  return ElfFile(std::move(impl));
}

ElfFile::ElfFile(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ElfFile::ElfFile(ElfFile&&) noexcept = default;
ElfFile& ElfFile::operator=(ElfFile&&) noexcept = default;
ElfFile::~ElfFile() = default;

const std::string& ElfFile::path() const { return impl_->source.path(); }
const std::string& ElfFile::root() const { return impl_->root; }
const std::string& ElfFile::build_id() const { return impl_->build_id; }
std::uint64_t ElfFile::device() const { return impl_->source.device(); }
std::uint64_t ElfFile::inode() const { return impl_->source.inode(); }
bool ElfFile::is_go() const { return impl_->go; }

const std::vector<FunctionRange>& ElfFile::frame_section() const {
  if (!impl_->frames) {
    impl_->frames = read_frame_section(impl_->source, impl_->layout);
  }
  return *impl_->frames;
}

const ByteSource& ElfFile::source() const { return impl_->source; }
const ElfLayout& ElfFile::layout() const { return impl_->layout; }
const ByteSource* ElfFile::debug_source() const { return impl_->find_debug(); }

std::string ElfFile::debug_file() const {
  const ByteSource* debug = debug_source();
  return debug != nullptr ? debug->path() : std::string();
}

std::optional<std::uint64_t> ElfFile::offset_of(std::uint64_t address) const {
  return impl_->layout.offset_of(address);
}

std::optional<std::uint64_t> ElfFile::address_of(std::uint64_t file_offset) const {
  return impl_->layout.address_of(file_offset);
}

std::optional<std::uint64_t> ElfFile::load_bias(std::uint64_t map_start, std::uint64_t map_file_offset) const {
  constexpr std::uint64_t kPageMask = ~std::uint64_t{4095};
  std::optional<std::uint64_t> bias;
  std::uint64_t nearest = 0;
  for (const Segment& segment : impl_->layout.segments()) {
    // A mapping starts at the page of its segment's first byte, or further on if mprotect has split it. Where two
    // segments share a page of the file (lld), the later one's mapping starts there.
    const std::uint64_t first = segment.offset & kPageMask;
    const bool covers =
        segment.type == PT_LOAD && map_file_offset >= first && map_file_offset < segment.offset + segment.file_size;
    if (covers && (!bias || first >= nearest)) {
      nearest = first;
      bias = map_start - (segment.address & kPageMask) - (map_file_offset - first);
    }
  }
  return bias;
}

Result<std::vector<Symbol>> ElfFile::find_functions(const std::string& glob) const {
  if (const auto known = impl_->failed.find(glob); known != impl_->failed.end()) {
    return fail(known->second);
  }
  const NameMatch matches(glob);
  const SymbolTable& table = impl_->function_table();
  std::map<std::uint64_t, Match> found;
  table.for_each([&](const TableEntry& entry, std::string_view name) {
    if (!matches(name) || !impl_->layout.executable(entry.address)) {
      return;
    }
    Match match{entry, std::string(name)};
    const auto [place, is_new] = found.try_emplace(entry.address, match);
    if (!is_new && better_name(match, place->second)) {
      match.entry.size = std::max(match.entry.size, place->second.entry.size);
      place->second = std::move(match);
    }
  });
  if (found.empty()) {
    constexpr std::size_t kRememberedFailures = 64;
    if (impl_->failed.size() >= kRememberedFailures) {
      impl_->failed.clear();
    }
    Error error = symbol_not_found(*this, glob, table, impl_->searched);
    impl_->failed.emplace(glob, error);
    return fail(std::move(error));
  }
  std::vector<Symbol> symbols;
  symbols.reserve(found.size());
  for (auto& [address, match] : found) {
    symbols.push_back(impl_->make_symbol(match.entry, std::move(match.name)));
  }
  return symbols;
}

std::optional<Symbol> ElfFile::function_at(std::uint64_t address) const {
  return impl_->symbol_at(impl_->function_table(), address);
}

std::optional<Symbol> ElfFile::object_at(std::uint64_t address) const {
  return impl_->symbol_at(impl_->object_table(), address);
}

std::vector<Symbol> ElfFile::find_named(std::string_view prefix, SymbolClass wanted) const {
  std::vector<Symbol> symbols;
  const SymbolTable& table = wanted == SymbolClass::kFunction ? impl_->function_table() : impl_->object_table();
  table.for_each([&](const TableEntry& entry, std::string_view name) {
    if (name.starts_with(prefix)) {
      symbols.push_back(impl_->make_symbol(entry, std::string(name)));
    }
  });
  return symbols;
}

std::string ElfFile::name_data(std::uint64_t address) const {
  const auto object = object_at(address);
  if (!object) {
    return {};
  }
  const std::uint64_t inside = address - object->address;
  return inside == 0 ? object->demangled : fmt::format("{}+{:#x}", object->demangled, inside);
}

Bytes ElfFile::read_code(std::uint64_t address, std::uint64_t size) const {
  const auto offset = offset_of(address);
  const std::uint64_t end = impl_->layout.code_end(address);
  if (!offset || end == 0 || *offset >= impl_->source.size()) {
    return {};
  }
  const std::uint64_t available = std::min(end - address, impl_->source.size() - *offset);
  return impl_->source.read(*offset, std::min(size, available)).value_or(Bytes{});
}

std::uint64_t ElfFile::function_end(const Symbol& function) const {
  if (function.size != 0) {
    return function.address + function.size;
  }
  constexpr std::uint64_t kUnsizedReach = 4096;
  const std::uint64_t next = impl_->function_table().next_address(function.address);
  const std::uint64_t limit = function.address + kUnsizedReach;
  return next != 0 ? std::min(next, limit) : limit;
}

}  // namespace raceguard::symbols
