// SPDX-License-Identifier: Apache-2.0
// Where a stripped binary's symbols and DWARF are: a separate file by build-id, or .gnu_debugdata inside the binary.
#pragma once

#include <optional>
#include <string>

#include "daemon/symbols/byte_source.h"
#include "daemon/symbols/elf_layout.h"

namespace raceguard::symbols {

// "/proc/812/root/usr/sbin/mariadbd" -> "/proc/812/root"; "/" for any other path.
std::string root_of(const std::string& host_path);

// "usr/lib/debug/.build-id/ab/cdef.debug"; empty for a build-id too short to be one.
std::string debug_path(const std::string& build_id);

// Opens the debug file below `root`, then below "/" (a build-id names one build, wherever it lies). Symbolic links are
// followed inside the root only (openat2, RESOLVE_IN_ROOT): a container cannot lead the daemon to the host's files.
// Nothing if there is none or its build-id is another one.
std::optional<ByteSource> open_debug_file(const std::string& root, const std::string& build_id);

// The file that dwz moved common parts to: `path` as .gnu_debugaltlink names it (relative to the debug file's folder,
// or from the root), looked up as above.
std::optional<ByteSource> open_shared_debug_file(const std::string& root, const std::string& debug_file_path,
                                                 const std::string& path, const std::string& build_id);

// The ELF image in the section .gnu_debugdata (Fedora's "mini debug info": a .symtab, xz-compressed).
std::optional<ByteSource> read_mini_debug_info(const ByteSource& source, const ElfLayout& layout);

}  // namespace raceguard::symbols
