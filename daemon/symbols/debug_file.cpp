// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/debug_file.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <lzma.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cctype>

namespace raceguard::symbols {
namespace {

// .gnu_debugdata of the largest binaries unpacks to some 10 MiB; more would break the daemon's memory limit.
constexpr std::size_t kMaxMiniDebugBytes = 16U << 20U;
constexpr std::uint64_t kMaxDecoderMemory = 64U << 20U;

std::optional<ByteSource> open_below(const std::string& root, const std::string& path) {
  const UniqueFd directory(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory) {
    return std::nullopt;
  }
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const long fd = ::syscall(SYS_openat2, directory.get(), path.c_str(), &how, sizeof how);
  if (fd < 0) {
    return std::nullopt;
  }
  auto source = ByteSource::from_fd(UniqueFd(static_cast<int>(fd)), (root == "/" ? "" : root) + "/" + path);
  return source ? std::optional(std::move(*source)) : std::nullopt;
}

std::optional<ByteSource> open_with_build_id(const std::string& root, const std::string& path,
                                             const std::string& build_id) {
  for (const std::string& place : {root, std::string("/")}) {
    auto source = open_below(place, path);
    if (!source) {
      continue;
    }
    const auto layout = ElfLayout::parse(*source);
    if (layout && read_build_id(*source, *layout) == build_id) {
      return source;
    }
  }
  return std::nullopt;
}

}  // namespace

std::string root_of(const std::string& host_path) {
  constexpr std::string_view kProc = "/proc/";
  constexpr std::string_view kRoot = "/root/";
  if (host_path.starts_with(kProc)) {
    const std::size_t end = host_path.find('/', kProc.size());
    if (end != std::string::npos && host_path.compare(end, kRoot.size(), kRoot) == 0) {
      return host_path.substr(0, end + kRoot.size() - 1);
    }
  }
  return "/";
}

std::string debug_path(const std::string& build_id) {
  if (build_id.size() < 6) {
    return {};
  }
  return "usr/lib/debug/.build-id/" + build_id.substr(0, 2) + "/" + build_id.substr(2) + ".debug";
}

std::optional<ByteSource> open_debug_file(const std::string& root, const std::string& build_id) {
  const std::string path = debug_path(build_id);
  return path.empty() ? std::nullopt : open_with_build_id(root, path, build_id);
}

std::optional<ByteSource> open_shared_debug_file(const std::string& root, const std::string& debug_file_path,
                                                 const std::string& path, const std::string& build_id) {
  std::string below = path;
  if (!path.starts_with('/')) {
    const std::string folder = debug_file_path.substr(0, debug_file_path.rfind('/') + 1);
    below = (root != "/" && folder.starts_with(root) ? folder.substr(root.size()) : folder) + path;
  }
  auto source = build_id.empty() ? std::nullopt : open_with_build_id(root, below, build_id);
  return source ? std::move(source) : open_debug_file(root, build_id);
}

std::optional<ByteSource> read_mini_debug_info(const ByteSource& source, const ElfLayout& layout) {
  const Section* section = layout.section(".gnu_debugdata");
  if (section == nullptr || section->size > kMaxMiniDebugBytes) {
    return std::nullopt;
  }
  const auto packed = source.read(section->offset, section->size);
  if (!packed) {
    return std::nullopt;
  }
  lzma_stream stream = LZMA_STREAM_INIT;
  if (lzma_stream_decoder(&stream, kMaxDecoderMemory, 0) != LZMA_OK) {
    return std::nullopt;
  }
  const std::unique_ptr<lzma_stream, decltype(&lzma_end)> owner(&stream, &lzma_end);
  stream.next_in = reinterpret_cast<const std::uint8_t*>(packed->data());
  stream.avail_in = packed->size();
  Bytes unpacked;
  lzma_ret state = LZMA_OK;
  while (state == LZMA_OK && unpacked.size() < kMaxMiniDebugBytes) {
    constexpr std::size_t kStep = 256U << 10U;
    unpacked.resize(unpacked.size() + kStep);
    stream.next_out = reinterpret_cast<std::uint8_t*>(unpacked.data() + unpacked.size() - kStep);
    stream.avail_out = kStep;
    state = lzma_code(&stream, LZMA_FINISH);
    unpacked.resize(unpacked.size() - stream.avail_out);
  }
  if (state != LZMA_STREAM_END) {
    return std::nullopt;
  }
  return ByteSource::from_memory(std::move(unpacked), source.path() + " (.gnu_debugdata)");
}

}  // namespace raceguard::symbols
