// SPDX-License-Identifier: Apache-2.0
#include "daemon/targets/thread_reader.h"

#include <dirent.h>
#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <memory>
#include <utility>

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

// The rest of the line that begins with the key; empty: there is none.
std::string_view value_of(std::string_view text, std::string_view key) {
  const std::size_t at = text.find(key);
  if (at == std::string_view::npos) {
    return {};
  }
  text.remove_prefix(at + key.size());
  return text.substr(0, text.find('\n'));
}

Error unreadable(const std::string& path, const std::string& text) {
  return {ErrorCode::kTargetUnreadable, fmt::format("cannot parse {}: \"{}\"", path, text), ""};
}

template <typename T>
Result<T> read_parsed(const std::string& path, std::optional<T> (*parse)(std::string_view)) {
  const auto text = read_proc_text(path);
  if (!text) {
    return fail(text.error());
  }
  auto value = parse(*text);
  return value ? Result<T>(std::move(*value)) : fail(unreadable(path, *text));
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
  std::string_view rest = value_of(text, "\nNSpid:");
  std::optional<pid_t> innermost;
  while (const auto number = take_number(rest)) {
    innermost = static_cast<pid_t>(*number);
  }
  return innermost;
}

std::optional<std::uint64_t> parse_switches(std::string_view text) {
  std::string_view own = value_of(text, "\nvoluntary_ctxt_switches:");
  std::string_view others = value_of(text, "\nnonvoluntary_ctxt_switches:");
  const auto given = take_number(own);
  const auto taken = take_number(others);
  return given && taken ? std::optional(*given + *taken) : std::nullopt;
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
  return read_parsed(folder(pid, tid) + "/stat", &parse_stat);
}

Result<std::optional<BlockedCall>> ThreadReader::blocked_call(pid_t pid, pid_t tid) const {
  const auto text = read_proc_text(folder(pid, tid) + "/syscall");
  return text ? Result<std::optional<BlockedCall>>(parse_blocked_call(*text)) : fail(text.error());
}

Result<pid_t> ThreadReader::own_tid(pid_t pid, pid_t tid) const {
  return read_parsed(folder(pid, tid) + "/status", &parse_own_tid);
}

Result<std::uint64_t> ThreadReader::switches(pid_t pid, pid_t tid) const {
  return read_parsed(folder(pid, tid) + "/status", &parse_switches);
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
