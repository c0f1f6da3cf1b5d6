// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/frame_section.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <string_view>

#include "daemon/symbols/byte_source.h"
#include "daemon/symbols/elf_layout.h"

namespace raceguard::symbols {
namespace {

constexpr std::uint64_t kMaxSectionBytes = 64U << 20U;
constexpr std::uint8_t kRelativeMask = 0x70;
constexpr std::uint8_t kRelativeToField = 0x10;

// Reads the fields of a common information entry; what is out of range reads as 0.
class Cursor {
 public:
  explicit Cursor(const Bytes& bytes) : bytes_(bytes) {}
  std::uint8_t byte() { return at_ < bytes_.size() ? static_cast<std::uint8_t>(bytes_[at_++]) : std::uint8_t{0}; }
  void skip_leb() {
    while ((byte() & 0x80U) != 0) {
    }
  }
  std::string_view string() {
    const std::size_t start = at_;
    while (byte() != 0) {
    }
    return {reinterpret_cast<const char*>(bytes_.data()) + start, at_ > start ? at_ - start - 1 : 0};
  }

 private:
  const Bytes& bytes_;
  std::size_t at_ = 0;
};

template <typename T>
std::optional<T> field(const Bytes& bytes, std::uint64_t at) {
  T value;
  if (at > bytes.size() || sizeof value > bytes.size() - at) {
    return std::nullopt;
  }
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

std::optional<FunctionRange> read_range(const Bytes& bytes, std::uint64_t at, std::uint64_t section_address,
                                        std::uint8_t encoding) {
  const std::size_t size = encoded_size(encoding);
  const std::uint8_t relative = encoding & kRelativeMask;
  std::optional<std::uint64_t> start;
  std::optional<std::uint64_t> length;
  if (size == 8) {
    start = field<std::uint64_t>(bytes, at);
    length = field<std::uint64_t>(bytes, at + size);
  } else if (size == 4) {
    const auto value = field<std::int32_t>(bytes, at);
    start = value ? std::optional(static_cast<std::uint64_t>(std::int64_t{*value})) : std::nullopt;
    length = field<std::uint32_t>(bytes, at + size);
  }
  if (!start || !length || *length == 0 || (relative != 0 && relative != kRelativeToField)) {
    return std::nullopt;
  }
  const std::uint64_t address = relative == kRelativeToField ? section_address + at + *start : *start;
  return FunctionRange{.start = address, .end = address + *length};
}

}  // namespace

std::size_t encoded_size(std::uint8_t encoding) {
  switch (encoding & 0x0fU) {
    case 0x03:  // udata4
    case 0x0b:  // sdata4
      return 4;
    case 0x00:  // absptr
    case 0x04:  // udata8
    case 0x0c:  // sdata8
      return 8;
    default:
      return 0;
  }
}

std::optional<std::uint8_t> address_encoding(const ByteSource& source, std::uint64_t common_offset) {
  constexpr std::uint64_t kEnough = 64;  // version, augmentation, alignments, return register
  constexpr std::uint64_t kLengthAndId = 8;
  if (common_offset >= source.size()) {
    return std::nullopt;
  }
  const auto bytes = source.read(common_offset, std::min(kEnough, source.size() - common_offset));
  if (!bytes || bytes->size() <= kLengthAndId) {
    return std::nullopt;
  }
  const Bytes body(bytes->begin() + kLengthAndId, bytes->end());
  Cursor cursor(body);
  const std::uint8_t version = cursor.byte();
  const std::string_view augmentation = cursor.string();
  if ((version != 1 && version != 3) || !augmentation.starts_with('z')) {
    return std::nullopt;
  }
  for (int field = 0; field < 4; ++field) {
    cursor.skip_leb();  // code alignment, data alignment, return register, length of the augmentation's data
  }
  for (const char letter : augmentation.substr(1)) {
    switch (letter) {
      case 'R':
        return cursor.byte();
      case 'L':
        cursor.byte();
        break;
      case 'P': {
        const std::size_t size = std::max<std::size_t>(encoded_size(cursor.byte()), 4);
        for (std::size_t i = 0; i < size; ++i) {
          cursor.byte();
        }
        break;
      }
      case 'S':
      case 'B':
        break;
      default:
        return std::nullopt;
    }
  }
  return std::nullopt;
}

std::vector<FunctionRange> read_frame_section(const ByteSource& source, const ElfLayout& layout) {
  std::vector<FunctionRange> ranges;
  const Section* section = layout.section(".eh_frame");
  const bool readable = section != nullptr && section->type != SHT_NOBITS && section->size <= kMaxSectionBytes;
  const auto bytes = readable ? source.read(section->offset, section->size) : std::nullopt;
  if (!bytes) {
    return ranges;
  }
  std::map<std::uint64_t, std::optional<std::uint8_t>> encodings;  // by offset of the common entry in the file
  for (std::uint64_t at = 0; at < bytes->size();) {
    const auto length = field<std::uint32_t>(*bytes, at);
    const std::uint64_t body = at + sizeof(std::uint32_t);
    const auto back = field<std::uint32_t>(*bytes, body);
    if (!length || !back || *length < sizeof(std::uint32_t) || *length > bytes->size() - body) {
      break;  // also the terminator, whose length is 0, and the 64-bit form, which no linker writes
    }
    if (*back != 0 && *back <= body) {
      const std::uint64_t common = section->offset + body - *back;
      const auto [known, is_new] = encodings.try_emplace(common);
      if (is_new) {
        known->second = address_encoding(source, common);
      }
      const auto range = known->second
                             ? read_range(*bytes, body + sizeof(std::uint32_t), section->address, *known->second)
                             : std::nullopt;
      if (range) {
        ranges.push_back(*range);
      }
    }
    at = body + *length;
  }
  std::ranges::sort(ranges, {}, &FunctionRange::start);
  return ranges;
}

}  // namespace raceguard::symbols
