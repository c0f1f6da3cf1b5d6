// SPDX-License-Identifier: Apache-2.0
#include "daemon/targets/thread_reader.h"

#include <dirent.h>
#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <memory>

#include "daemon/targets/proc_file.h"

namespace raceguard::targets {
namespace {

// The next field of blank-separated numbers, with or without 0x.
std::optional<std::uint64_t> take_number(std::string_view& rest) {
  const std::size_t start = rest.find_first_not_of(" \t");
  if (start == std::string_view::npos) {
    return std::nullopt;
  }
  rest.remove_prefix(start);
  const int base = rest.starts_with("0x") ? 16 : 10;
  rest.remove_prefix(base == 16 ? 2 : 0);
  std::uint64_t value = 0;
  const auto parsed = std::from_chars(rest.data(), rest.data() + rest.size(), value, base);
  if (parsed.ec != std::errc{}) {
    return std::nullopt;
  }
  rest.remove_prefix(static_cast<std::size_t>(parsed.ptr - rest.data()));
  return value;
}

Error unreadable(const std::string& path, const std::string& text) {
  return {ErrorCode::kTargetUnreadable, fmt::format("cannot parse {}: \"{}\"", path, text), ""};
}

}  // namespace

// "202 0x.. 0x.. 0x.. 0x.. 0x.. 0x.. SP PC"; "running"; "-1 SP PC" where it sleeps outside of a call.
std::optional<BlockedCall> parse_blocked_call(std::string_view text) {
  std::array<std::uint64_t, 9> fields{};
  for (std::uint64_t& field : fields) {
    const auto number = take_number(text);
    if (!number) {
      return std::nullopt;
    }
    field = *number;
  }
  BlockedCall call{.number = fields[0], .stack_pointer = fields[7], .instruction = fields[8]};
  std::copy(fields.begin() + 1, fields.begin() + 7, call.arguments.begin());
  return call;
}

// "NSpid:\t812\t12": from the reader's namespace inwards.
std::optional<pid_t> parse_own_tid(std::string_view text) {
  constexpr std::string_view kKey = "\nNSpid:";
  const std::size_t key = text.find(kKey);
  if (key == std::string_view::npos) {
    return std::nullopt;
  }
  std::string_view rest = text.substr(key + kKey.size());
  rest = rest.substr(0, rest.find('\n'));
  std::optional<pid_t> innermost;
  while (const auto number = take_number(rest)) {
    innermost = static_cast<pid_t>(*number);
  }
  return innermost;
}

std::string ThreadReader::folder(pid_t pid, pid_t tid) const {
  return fmt::format("{}/{}/task/{}", proc_root_, pid, tid);
}

Result<std::vector<pid_t>> ThreadReader::list(pid_t pid) const {
  const std::string path = fmt::format("{}/{}/task", proc_root_, pid);
  const std::unique_ptr<DIR, int (*)(DIR*)> tasks(::opendir(path.c_str()), &::closedir);
  if (!tasks) {
    return fail_errno(errno == ENOENT ? ErrorCode::kTargetGone : ErrorCode::kTargetUnreadable, "cannot list " + path,
                      errno);
  }
  std::vector<pid_t> tids;
  while (const dirent* entry = ::readdir(tasks.get())) {
    std::string_view name = entry->d_name;
    if (const auto tid = take_number(name)) {
      tids.push_back(static_cast<pid_t>(*tid));
    }
  }
  return tids;
}

Result<StatText> ThreadReader::stat(pid_t pid, pid_t tid) const {
  const std::string path = folder(pid, tid) + "/stat";
  const auto text = read_proc_text(path);
  if (!text) {
    return fail(text.error());
  }
  auto stat = parse_stat(*text);
  return stat ? Result<StatText>(std::move(*stat)) : fail(unreadable(path, *text));
}

Result<std::optional<BlockedCall>> ThreadReader::blocked_call(pid_t pid, pid_t tid) const {
  const auto text = read_proc_text(folder(pid, tid) + "/syscall");
  return text ? Result<std::optional<BlockedCall>>(parse_blocked_call(*text)) : fail(text.error());
}

Result<pid_t> ThreadReader::own_tid(pid_t pid, pid_t tid) const {
  const std::string path = folder(pid, tid) + "/status";
  const auto text = read_proc_text(path);
  if (!text) {
    return fail(text.error());
  }
  const auto own = parse_own_tid(*text);
  return own ? Result<pid_t>(*own) : fail(unreadable(path, *text));
}

Result<bool> ThreadReader::shares_numbers(pid_t pid) const {
  const auto ours = identify_file(proc_root_ + "/self/ns/pid");
  const auto theirs = identify_file(fmt::format("{}/{}/ns/pid", proc_root_, pid));
  if (!ours || !theirs) {
    return fail(ours ? theirs.error() : ours.error());
  }
  return *ours == *theirs;
}

}  // namespace raceguard::targets
