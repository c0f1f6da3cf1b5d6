// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/frame_table.h"

#include <elf.h>

#include <algorithm>

#include "daemon/symbols/elf_file.h"
#include "daemon/symbols/elf_layout.h"
#include "daemon/symbols/frame_section.h"

namespace raceguard::symbols {
namespace {

// DW_EH_PE_*, see frame_section.h.
constexpr std::uint8_t kUdata4 = 0x03;
constexpr std::uint8_t kDataRelativeSdata4 = 0x3b;
constexpr std::uint64_t kMaxEntries = 4U << 20U;

struct Header {
  std::uint8_t version, pointer_encoding, count_encoding, table_encoding;
  std::int32_t frame_pointer;
  std::uint32_t count;
};
struct Entry {
  std::int32_t start, description;  // relative to the header
};

struct Table {
  const ByteSource* source;
  std::uint64_t address;  // of the header
  std::uint64_t offset;   // of the first entry in the file
  std::uint64_t count;

  [[nodiscard]] std::optional<Entry> entry(std::uint64_t index) const {
    return source->read_struct<Entry>(offset + index * sizeof(Entry));
  }
  [[nodiscard]] std::uint64_t absolute(std::int32_t value) const {
    return address + static_cast<std::uint64_t>(static_cast<std::int64_t>(value));
  }
};

std::optional<Table> find_table(const ElfFile& file) {
  for (const Segment& segment : file.layout().segments()) {
    if (segment.type != PT_GNU_EH_FRAME) {
      continue;
    }
    const auto header = file.source().read_struct<Header>(segment.offset);
    const bool pointer_has_4_bytes = header && (header->pointer_encoding & 0x07U) == kUdata4;
    if (!header || header->version != 1 || !pointer_has_4_bytes || header->count_encoding != kUdata4 ||
        header->table_encoding != kDataRelativeSdata4 || segment.file_size < sizeof(Header)) {
      return std::nullopt;
    }
    const std::uint64_t room = (segment.file_size - sizeof(Header)) / sizeof(Entry);
    return Table{.source = &file.source(),
                 .address = segment.address,
                 .offset = segment.offset + sizeof(Header),
                 .count = std::min({std::uint64_t{header->count}, room, kMaxEntries})};
  }
  return std::nullopt;
}

std::optional<std::uint64_t> range_length(const ElfFile& file, std::uint64_t description) {
  struct Start {
    std::uint32_t length, common;  // `common`: bytes back from here to the common entry
  };
  const auto offset = file.offset_of(description);
  const auto start = offset ? file.source().read_struct<Start>(*offset) : std::nullopt;
  const std::uint64_t common_from = offset.value_or(0) + sizeof(std::uint32_t);
  if (!start || start->length == UINT32_MAX || start->common == 0 || start->common > common_from) {
    return std::nullopt;
  }
  const auto encoding = address_encoding(file.source(), common_from - start->common);
  const std::uint64_t fields = *offset + sizeof(Start);
  switch (encoding ? encoded_size(*encoding) : 0) {
    case 4:
      return file.source().read_struct<std::uint32_t>(fields + sizeof(std::uint32_t));
    case 8:
      return file.source().read_struct<std::uint64_t>(fields + sizeof(std::uint64_t));
    default:
      return std::nullopt;
  }
}

std::optional<FunctionRange> range_in(const std::vector<FunctionRange>& ranges, std::uint64_t address) {
  const auto after = std::ranges::upper_bound(ranges, address, {}, &FunctionRange::start);
  if (after == ranges.begin() || address >= std::prev(after)->end) {
    return std::nullopt;
  }
  return *std::prev(after);
}

}  // namespace

std::optional<FunctionRange> frame_range(const ElfFile& file, std::uint64_t address) {
  const auto table = find_table(file);
  if (!table) {
    return range_in(file.frame_section(), address);
  }
  std::uint64_t low = 0;  // entries before `low` start at or below the address, those from `high` on above it
  std::uint64_t high = table->count;
  std::optional<Entry> best;
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    const auto entry = table->entry(middle);
    if (!entry) {
      return std::nullopt;
    }
    if (table->absolute(entry->start) <= address) {
      best = entry;
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  const auto length = best ? range_length(file, table->absolute(best->description)) : std::nullopt;
  const std::uint64_t start = best ? table->absolute(best->start) : 0;
  if (!length || address < start || address - start >= *length) {
    return std::nullopt;
  }
  return FunctionRange{.start = start, .end = start + *length};
}

std::vector<std::uint64_t> frame_starts(const ElfFile& file) {
  std::vector<std::uint64_t> starts;
  const auto table = find_table(file);
  const auto bytes = table ? table->source->read(table->offset, table->count * sizeof(Entry)) : std::nullopt;
  if (!bytes) {
    for (const FunctionRange& range : file.frame_section()) {
      starts.push_back(range.start);
    }
    return starts;
  }
  starts.reserve(table->count);
  for (std::size_t at = 0; at < bytes->size(); at += sizeof(Entry)) {
    Entry entry;
    std::memcpy(&entry, bytes->data() + at, sizeof entry);
    starts.push_back(table->absolute(entry.start));
  }
  std::ranges::sort(starts);
  return starts;
}

}  // namespace raceguard::symbols
