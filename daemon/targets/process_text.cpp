// SPDX-License-Identifier: Apache-2.0
#include "daemon/targets/process_text.h"

#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace raceguard::targets {
namespace {

template <typename T>
std::optional<T> parse_number(std::string_view text, int base = 10) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

// Cuts the text up to `separator` off the front of `rest`; all of it if there is none.
std::string_view take_until(std::string_view& rest, char separator) {
  const std::size_t at = rest.find(separator);
  const std::string_view head = rest.substr(0, at);
  rest = at == std::string_view::npos ? std::string_view{} : rest.substr(at + 1);
  return head;
}

std::string_view take_field(std::string_view& rest) {
  rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
  return take_until(rest, ' ');
}

// maps prints a newline in a path as \012 and nothing else escaped (seq_path(m, path, "\n")).
std::string unescape_newlines(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    if (text.starts_with("\\012")) {
      result += '\n';
      text.remove_prefix(4);
    } else {
      result += text.front();
      text.remove_prefix(1);
    }
  }
  return result;
}

std::optional<MapsLine> parse_maps_line(std::string_view line) {
  std::string_view rest = line;
  std::string_view range = take_field(rest);
  const std::string_view permissions = take_field(rest);
  if (permissions.size() < 3 || permissions[2] != 'x') {
    return std::nullopt;
  }
  const auto start = parse_number<std::uint64_t>(take_until(range, '-'), 16);
  const auto end = parse_number<std::uint64_t>(range, 16);
  const auto offset = parse_number<std::uint64_t>(take_field(rest), 16);
  std::string_view device = take_field(rest);
  const auto device_major = parse_number<unsigned>(take_until(device, ':'), 16);
  const auto device_minor = parse_number<unsigned>(device, 16);
  const auto inode = parse_number<std::uint64_t>(take_field(rest));
  if (!start || !end || !offset || !device_major || !device_minor || inode.value_or(0) == 0) {
    return std::nullopt;  // no inode: anonymous memory, [vdso]
  }
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  return MapsLine{.start = *start,
                  .end = *end,
                  .file_offset = *offset,
                  .device = makedev(*device_major, *device_minor),
                  .inode = *inode,
                  .path = unescape_newlines(rest)};
}

}  // namespace

std::optional<StatText> parse_stat(std::string_view text) {
  const std::size_t open = text.find('(');
  const std::size_t close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) {
    return std::nullopt;
  }
  constexpr std::size_t kFirstField = 3;  // state; fields count from 1
  constexpr std::size_t kStartTimeField = 22;
  std::array<std::string_view, kStartTimeField + 1> fields;
  std::string_view rest = text.substr(close + 1);
  for (std::size_t field = kFirstField; field <= kStartTimeField; ++field) {
    fields.at(field) = take_field(rest);
  }
  const auto parent = parse_number<pid_t>(fields[4]);
  const auto flags = parse_number<std::uint64_t>(fields[9]);
  const auto user = parse_number<std::uint64_t>(fields[14]);
  const auto system = parse_number<std::uint64_t>(fields[15]);
  const auto start = parse_number<std::uint64_t>(fields[kStartTimeField]);
  if (fields[3].size() != 1 || !parent || !flags || !user || !system || !start) {
    return std::nullopt;
  }
  return StatText{.comm = std::string(text.substr(open + 1, close - open - 1)),
                  .state = fields[3][0],
                  .parent_pid = *parent,
                  .flags = *flags,
                  .cpu_ticks = *user + *system,
                  .start_ticks = *start};
}

std::optional<uid_t> parse_status_uid(std::string_view text) {
  while (!text.empty()) {
    std::string_view line = take_until(text, '\n');
    if (take_until(line, '\t') == "Uid:") {
      return parse_number<uid_t>(take_until(line, '\t'));
    }
  }
  return std::nullopt;
}

namespace {

// In a container with a cgroup namespace of its own the kernel tells other processes' cgroups from there:
// "/../../system.slice/shop.service". What both share in front is not told.
std::string_view without_climb(std::string_view path) {
  constexpr std::string_view kClimb = "/..";
  while (path == kClimb || path.starts_with("/../")) {
    path.remove_prefix(kClimb.size());
  }
  return path.empty() ? "/" : path;
}

}  // namespace

std::string parse_cgroup(std::string_view text) {
  std::string_view unified = "/";
  std::string_view systemd = "/";
  std::string_view controller = "/";
  while (!text.empty()) {
    std::string_view path = take_until(text, '\n');
    const std::string_view hierarchy = take_until(path, ':');
    const std::string_view controllers = take_until(path, ':');
    if (path.empty()) {
      continue;
    }
    path = without_climb(path);
    if (hierarchy == "0" && controllers.empty()) {
      unified = path;
    } else if (controllers == "name=systemd") {
      systemd = path;
    } else if (controller == "/") {
      controller = path;
    }
  }
  for (const std::string_view path : {unified, systemd, controller}) {
    if (path != "/") {
      return std::string(path);
    }
  }
  return "/";
}

std::string systemd_unit_of(std::string_view cgroup) {
  std::string_view unit;
  while (!cgroup.empty()) {
    const std::string_view part = take_until(cgroup, '/');
    if (part.ends_with(".service") || part.ends_with(".scope")) {
      unit = part;
    }
  }
  if (unit.starts_with('_')) {
    unit.remove_prefix(1);  // systemd's cg_escape puts it before names that could collide with a kernel file
  }
  return std::string(unit);
}

std::vector<MapsLine> parse_executable_maps(std::string_view text) {
  std::vector<MapsLine> lines;
  while (!text.empty()) {
    if (auto line = parse_maps_line(take_until(text, '\n'))) {
      lines.push_back(std::move(*line));
    }
  }
  return lines;
}

bool strip_deleted(std::string& path) {
  constexpr std::string_view kDeleted = " (deleted)";
  if (!path.ends_with(kDeleted)) {
    return false;
  }
  path.resize(path.size() - kDeleted.size());
  return true;
}

}  // namespace raceguard::targets
