// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/binary_file.h"

#include <fcntl.h>
#include <gelf.h>
#include <sys/stat.h>

#include <cerrno>
#include <memory>
#include <string_view>

#include <fmt/format.h>

namespace raceguard::kernel {
namespace {

struct ElfDeleter {
  void operator()(Elf* elf) const { elf_end(elf); }
};

std::string hex(const unsigned char* bytes, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    text += fmt::format("{:02x}", bytes[i]);
  }
  return text;
}

// The build-id among the notes of one PT_NOTE segment, if it is there.
std::string build_id_in(Elf_Data* notes) {
  GElf_Nhdr header{};
  std::size_t name = 0;
  std::size_t content = 0;
  for (std::size_t at = 0; (at = gelf_getnote(notes, at, &header, &name, &content)) > 0;) {
    const auto* bytes = static_cast<const char*>(notes->d_buf);
    if (header.n_type == NT_GNU_BUILD_ID &&
        std::string_view(bytes + name, header.n_namesz) == std::string_view("GNU", 4)) {
      return hex(static_cast<const unsigned char*>(notes->d_buf) + content, header.n_descsz);
    }
  }
  return {};
}

}  // namespace

std::string read_build_id(int fd) {
  elf_version(EV_CURRENT);
  const std::unique_ptr<Elf, ElfDeleter> elf(elf_begin(fd, ELF_C_READ_MMAP, nullptr));
  std::size_t segments = 0;
  if (!elf || elf_getphdrnum(elf.get(), &segments) != 0) {
    return {};
  }
  for (std::size_t i = 0; i < segments; ++i) {
    GElf_Phdr segment{};
    if (gelf_getphdr(elf.get(), static_cast<int>(i), &segment) == nullptr || segment.p_type != PT_NOTE) {
      continue;
    }
    Elf_Data* notes = elf_getdata_rawchunk(elf.get(), static_cast<std::int64_t>(segment.p_offset), segment.p_filesz,
                                           segment.p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
    if (notes == nullptr) {
      continue;
    }
    if (std::string id = build_id_in(notes); !id.empty()) {
      return id;
    }
  }
  return {};
}

BinaryFile::BinaryFile(UniqueFd fd) : fd_(std::move(fd)), probe_path_(fmt::format("/proc/self/fd/{}", fd_.get())) {}

Result<BinaryFile> BinaryFile::open(const std::string& host_path, const plan::BinaryId& expected) {
  UniqueFd fd(::open(host_path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0) {
    return fail_errno(ErrorCode::kSymbolFileUnreadable, fmt::format("cannot open {} to probe it", host_path), errno,
                      "If a package was upgraded or the container ended, the next plan leaves it out");
  }
  if (status.st_dev != expected.device || status.st_ino != expected.inode) {
    return fail(ErrorCode::kTargetBinaryReplaced,
                fmt::format("{} is not the file that was planned: inode {}:{} now, {}:{} in the plan", host_path,
                            status.st_dev, status.st_ino, expected.device, expected.inode),
                "Restart the service that still runs the old file");
  }
  const std::string build_id = read_build_id(fd.get());
  if (build_id != expected.build_id) {
    return fail(
        ErrorCode::kTargetBinaryReplaced,
        fmt::format("{} was written over: build-id {} now, {} in the plan", host_path,
                    build_id.empty() ? "none" : build_id, expected.build_id.empty() ? "none" : expected.build_id),
        "Restart the service that still runs the old file");
  }
  // A file that was just written (a package upgrade) may not be on disk yet, and probing such pages raised a kernel
  // warning on ext4. Only dirty pages are written; the result does not matter.
  static_cast<void>(::sync_file_range(
      fd.get(), 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER));
  return BinaryFile(std::move(fd));
}

}  // namespace raceguard::kernel
