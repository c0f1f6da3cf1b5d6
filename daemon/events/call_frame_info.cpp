// SPDX-License-Identifier: Apache-2.0
#include "daemon/events/call_frame_info.h"

#include <elfutils/libdw.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <gelf.h>
#include <libelf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "daemon/events/dwarf_expression.h"
#include "raceguard/unique_fd.h"

namespace raceguard::events {
namespace {

struct ElfEnd {
  void operator()(Elf* elf) const { elf_end(elf); }
};
struct CfiEnd {
  void operator()(Dwarf_CFI* cfi) const { dwarf_cfi_end(cfi); }
};
struct FrameEnd {
  void operator()(Dwarf_Frame* frame) const { std::free(frame); }  // libdw.h: "freed with free"
};

// rbx rbp rsp r12..r15: what a callee must give back (System V ABI, x86-64, figure 3.4). rip comes by its own rule.
constexpr std::array<std::size_t, 7> kCalleeSaved = {3, 6, 7, 12, 13, 14, 15};

std::size_t frame_section_bytes(Elf* elf) {
  std::size_t strings = 0;
  std::size_t bytes = 0;
  if (elf_getshdrstrndx(elf, &strings) != 0) {
    return 0;
  }
  for (Elf_Scn* section = elf_nextscn(elf, nullptr); section != nullptr; section = elf_nextscn(elf, section)) {
    GElf_Shdr header;
    const char* name = gelf_getshdr(section, &header) == nullptr ? nullptr : elf_strptr(elf, strings, header.sh_name);
    if (name != nullptr && std::strncmp(name, ".eh_frame", 9) == 0) {
      bytes += header.sh_size;
    }
  }
  return bytes;
}

// Does `code`, which ends at a return address, end with a call? E8 rel32, or FF /2 with its ModRM, SIB and
// displacement.
bool ends_with_call(const std::array<std::uint8_t, 8>& code, std::size_t valid) {
  const auto at = [&](std::size_t back) { return code.at(code.size() - back); };
  if (valid >= 5 && at(5) == 0xe8) {
    return true;
  }
  for (const std::size_t length : {2U, 3U, 4U, 6U, 7U}) {
    if (valid >= length && at(length) == 0xff && ((at(length - 1) >> 3U) & 7U) == 2U) {
      return true;
    }
  }
  return false;
}

}  // namespace

struct CallFrameInfo::Impl {
  UniqueFd fd;
  std::unique_ptr<Elf, ElfEnd> elf;
  std::unique_ptr<Dwarf_CFI, CfiEnd> cfi;  // ends before the ELF handle that it reads
  std::vector<GElf_Phdr> segments;
  std::size_t bytes = 0;
};

CallFrameInfo::CallFrameInfo(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
CallFrameInfo::CallFrameInfo(CallFrameInfo&&) noexcept = default;
CallFrameInfo& CallFrameInfo::operator=(CallFrameInfo&&) noexcept = default;
CallFrameInfo::~CallFrameInfo() = default;

Result<CallFrameInfo> CallFrameInfo::open(const targets::MappedBinary& binary) {
  auto impl = std::make_unique<Impl>();
  const std::string what = fmt::format("cannot read call frame information of {}", binary.host_path);
  impl->fd = UniqueFd(::open(binary.host_path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (!impl->fd || fstat(impl->fd.get(), &status) != 0) {
    return fail_errno(ErrorCode::kUnwind, what, errno, "Stacks through this file stay without callers");
  }
  if (!S_ISREG(status.st_mode) || status.st_ino != binary.inode || status.st_dev != binary.device) {
    return fail(ErrorCode::kUnwind, what + ": it is not the file that the process maps (replaced on disk?)",
                "Restart the process, so that it runs what is on disk");
  }
  elf_version(EV_CURRENT);
  impl->elf.reset(elf_begin(impl->fd.get(), ELF_C_READ, nullptr));
  if (!impl->elf || elf_kind(impl->elf.get()) != ELF_K_ELF) {
    return fail(ErrorCode::kUnwind, what + ": not an ELF file");
  }
  std::size_t count = 0;
  elf_getphdrnum(impl->elf.get(), &count);
  for (std::size_t i = 0; i < count; ++i) {
    GElf_Phdr header;
    if (gelf_getphdr(impl->elf.get(), static_cast<int>(i), &header) != nullptr && header.p_type == PT_LOAD) {
      impl->segments.push_back(header);
    }
  }
  impl->bytes = frame_section_bytes(impl->elf.get());
  impl->cfi.reset(dwarf_getcfi_elf(impl->elf.get()));  // null for Go: every step is broken, frame pointers may do
  return CallFrameInfo(std::move(impl));
}

std::optional<std::uint64_t> CallFrameInfo::address_of(std::uint64_t file_offset) const {
  for (const GElf_Phdr& segment : impl_->segments) {
    // A mapping starts on a page, which may be a little before its segment.
    constexpr std::uint64_t kPageMask = 4095;
    const std::uint64_t first = segment.p_offset & ~kPageMask;
    if ((segment.p_flags & PF_X) != 0 && file_offset >= first && file_offset < segment.p_offset + segment.p_filesz) {
      return file_offset - segment.p_offset + segment.p_vaddr;
    }
  }
  return std::nullopt;
}

CallFrameInfo::Step CallFrameInfo::step(std::uint64_t address, Registers& registers, const StackMemory& memory) const {
  Dwarf_Frame* raw = nullptr;
  if (!impl_->cfi || dwarf_cfi_addrframe(impl_->cfi.get(), address, &raw) != 0) {
    return {};
  }
  const std::unique_ptr<Dwarf_Frame, FrameEnd> frame(raw);
  Dwarf_Addr start = 0;
  Dwarf_Addr end = 0;
  bool signal_frame = false;
  const int return_register = dwarf_frame_info(frame.get(), &start, &end, &signal_frame);
  Dwarf_Op* operations = nullptr;
  std::size_t count = 0;
  if (return_register < 0 || dwarf_frame_cfa(frame.get(), &operations, &count) != 0 || operations == nullptr) {
    return {};
  }
  const auto cfa = evaluate({operations, count}, {.registers = registers, .memory = memory, .cfa = std::nullopt});
  if (!cfa) {
    return {};
  }
  const ExpressionContext context{.registers = registers, .memory = memory, .cfa = cfa->value};

  enum class Rule { kValue, kUndefined, kAbove, kBroken };
  const auto restore = [&](int number, std::uint64_t& value) {
    std::array<Dwarf_Op, 3> storage{};
    if (dwarf_frame_register(frame.get(), number, storage.data(), &operations, &count) != 0) {
      return Rule::kBroken;
    }
    if (count == 0) {
      return operations == nullptr ? Rule::kValue : Rule::kUndefined;  // null: the register still has its value
    }
    const auto result = evaluate({operations, count}, context);
    if (!result) {
      return Rule::kBroken;
    }
    value = result->value;
    if (!result->is_address) {
      return Rule::kValue;
    }
    const auto word = memory.read(value);
    if (!word) {
      return memory.is_above(value) ? Rule::kAbove : Rule::kBroken;
    }
    value = *word;
    return Rule::kValue;
  };

  Registers caller = registers;
  caller[kStackPointerRegister] = cfa->value;  // the ABI's default; a rule (signal frames) overrules it
  Step step{.end = StepEnd::kBroken, .signal_frame = signal_frame};
  switch (restore(return_register, caller[kInstructionRegister])) {
    case Rule::kUndefined:
      step.end = StepEnd::kBottom;
      return step;
    case Rule::kAbove:
      step.end = StepEnd::kAbove;
      return step;
    case Rule::kBroken:
      return step;
    case Rule::kValue:
      break;
  }
  if (caller[kInstructionRegister] == 0) {
    step.end = StepEnd::kBottom;
    return step;
  }
  const auto restore_all = [&](auto numbers) {
    for (const std::size_t number : numbers) {
      std::uint64_t value = number == kStackPointerRegister ? cfa->value : registers[number];
      if (restore(static_cast<int>(number), value) == Rule::kValue) {
        caller[number] = value;
      }
    }
  };
  if (signal_frame) {
    restore_all(std::array<std::size_t, 16>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15});
  } else {
    restore_all(kCalleeSaved);
  }
  // Frames lie one above the other; only a signal handler may have a stack of its own.
  if (!signal_frame && caller[kStackPointerRegister] <= registers[kStackPointerRegister]) {
    return step;
  }
  registers = caller;
  step.end = StepEnd::kCaller;
  return step;
}

bool CallFrameInfo::follows_call(std::uint64_t file_offset) const {
  std::array<std::uint8_t, 8> code{};
  const std::size_t wanted = std::min<std::uint64_t>(code.size(), file_offset);
  const ssize_t got =
      pread(impl_->fd.get(), code.data() + code.size() - wanted, wanted, static_cast<off_t>(file_offset - wanted));
  return got == static_cast<ssize_t>(wanted) && ends_with_call(code, wanted);
}

std::size_t CallFrameInfo::bytes_in_memory() const { return impl_->bytes; }

}  // namespace raceguard::events
