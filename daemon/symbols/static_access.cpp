// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/static_access.h"

#include <elf.h>

#include <algorithm>
#include <map>
#include <span>

#include "daemon/symbols/access.h"
#include "daemon/symbols/elf_layout.h"
#include "daemon/symbols/frame_table.h"
#include "daemon/symbols/writable_memory.h"
#include "daemon/symbols/zydis_decoder.h"

namespace raceguard::symbols {
namespace {

struct CodeRange {
  std::uint64_t start = 0;
  std::uint64_t size = 0;
};

std::vector<CodeRange> code_ranges(const ElfFile& file) {
  if (const Section* text = file.layout().section(".text"); text != nullptr && text->type != SHT_NOBITS) {
    return {{text->address, text->size}};
  }
  std::vector<CodeRange> ranges;
  for (const Segment& segment : file.layout().segments()) {
    if (segment.type == PT_LOAD && segment.executable) {
      ranges.push_back({segment.address, segment.file_size});
    }
  }
  return ranges;
}

// The address that an operand [rip+x] or [x] names, by the bytes of ModRM and SIB alone (Intel SDM 2A, table 2-2).
std::optional<std::uint64_t> named_address(const ZydisDecodedInstruction& raw, std::uint64_t address) {
  const auto& modrm = raw.raw.modrm;
  if ((raw.attributes & ZYDIS_ATTRIB_HAS_MODRM) == 0 || modrm.mod != 0) {
    return std::nullopt;
  }
  const auto displacement = static_cast<std::uint64_t>(raw.raw.disp.value);
  if (modrm.rm == 5) {
    return address + raw.length + displacement;
  }
  const bool absolute = modrm.rm == 4 && raw.raw.sib.base == 5 && raw.raw.sib.index == 4;
  return absolute ? std::optional(displacement) : std::nullopt;
}

class Sweep {
 public:
  Sweep(const ElfFile& file) : memory_(file) {}

  void run(std::span<const std::byte> code, std::uint64_t address) {
    while (!code.empty()) {
      const auto raw = decode_minimal(code);
      const std::size_t length = raw ? std::min<std::size_t>(raw->length, code.size()) : 1;
      if (raw) {
        const auto named = named_address(*raw, address);
        if (named && memory_.is_writable(*named)) {
          note(code.first(length), address);
        }
      }
      code = code.subspan(length);
      address += length;
    }
  }

  [[nodiscard]] std::vector<StaticAccess> result() const {
    std::vector<StaticAccess> all;
    all.reserve(found_.size());
    for (const auto& [place, access] : found_) {
      all.push_back(access);
    }
    return all;
  }

 private:
  void note(std::span<const std::byte> code, std::uint64_t address) {
    const auto instruction = decode_access(code, address);
    for (const MemoryAccess& access : instruction ? instruction->accesses : std::vector<MemoryAccess>{}) {
      const bool branches = instruction->text.starts_with("call") || instruction->text.starts_with("jmp");
      const EffectiveAddress& where = access.where;
      if (branches || where.base >= 0 || where.index >= 0 || where.lost || where.thread_local_segment) {
        continue;
      }
      const auto target = static_cast<std::uint64_t>(where.displacement);
      StaticAccess& one = found_[{target, access.width_bytes}];
      one.address = target;
      one.width_bytes = access.width_bytes;
      one.reads += access.mode == AccessMode::kRead ? 1 : 0;
      one.writes += access.mode == AccessMode::kWrite ? 1 : 0;
      one.updates += access.mode == AccessMode::kUpdate ? 1 : 0;
      one.atomic += access.atomic ? 1 : 0;
    }
  }

  WritableMemory memory_;
  std::map<std::pair<std::uint64_t, std::uint8_t>, StaticAccess> found_;
};

}  // namespace

std::vector<StaticAccess> static_accesses(const ElfFile& file) {
  Sweep sweep(file);
  const std::vector<std::uint64_t> starts = frame_starts(file);
  for (const CodeRange& range : code_ranges(file)) {
    const Bytes bytes = file.read_code(range.start, range.size);
    const std::span<const std::byte> code(bytes);
    // Stretches between function starts, so that data among the code spoils one function at most.
    auto next = std::ranges::upper_bound(starts, range.start);
    for (std::uint64_t from = 0; from < code.size();) {
      const std::uint64_t to =
          next != starts.end() ? std::min<std::uint64_t>(*next - range.start, code.size()) : code.size();
      sweep.run(code.subspan(from, to - from), range.start + from);
      from = to;
      next = next != starts.end() ? std::next(next) : next;
    }
  }
  return sweep.result();
}

std::vector<Variable> unnamed_variables(const std::vector<StaticAccess>& accesses, const VariableIndex& index,
                                        const ElfFile& file) {
  const WritableMemory memory(file);
  std::vector<Variable> variables;
  bool is_written = false;  // the last of `variables`
  const auto drop_if_only_read = [&] {
    if (!variables.empty() && !is_written) {
      variables.pop_back();
    }
  };
  for (const StaticAccess& access : accesses) {
    if (index.at(access.address)) {
      continue;
    }
    if (variables.empty() || variables.back().address != access.address) {
      drop_if_only_read();
      is_written = false;
      Variable variable;
      variable.name = memory.describe(access.address);
      variable.address = access.address;
      variables.push_back(std::move(variable));
    }
    Variable& variable = variables.back();
    variable.size = std::max<std::uint64_t>(variable.size, access.width_bytes);
    variable.kind = access.atomic != 0 ? VariableKind::kAtomic : variable.kind;
    is_written = is_written || access.is_written();
  }
  drop_if_only_read();
  return variables;
}

}  // namespace raceguard::symbols
