// SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/load.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>
#include <system_error>

#include "daemon/policy/decoder.h"
#include "daemon/policy/document.h"
#include "raceguard/unique_fd.h"

namespace raceguard::policy {
namespace {

namespace fs = std::filesystem;

void refuse_unreadable(const fs::path& path, int errno_value, Context& context) {
  const Position position{path.string(), 0, 0};
  context.errors.add({Error::from_errno(ErrorCode::kPolicyUnreadable,
                                        fmt::format("{}: cannot be read, expected a policy file", path.string()),
                                        errno_value, "Check the path and the file's rights"),
                      position});
}

// At most one byte more than a policy may have; the decoder then refuses the size. Nothing if refused here.
std::optional<std::string> read_file(const fs::path& path, Context& context) {
  // O_NONBLOCK: a FIFO put into the directory must not stop the daemon.
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (file.get() < 0 || ::fstat(file.get(), &status) != 0) {
    refuse_unreadable(path, errno, context);
    return std::nullopt;
  }
  if (!S_ISREG(status.st_mode)) {
    context.refuse(ErrorCode::kPolicyUnreadable, {path.string(), 0, 0}, "not a regular file, expected a policy file");
    return std::nullopt;
  }
  std::string text;
  std::array<char, 65536> buffer{};
  while (text.size() <= kMaxFileBytes) {
    const ssize_t count = ::read(file.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0) {
      refuse_unreadable(path, errno, context);
      return std::nullopt;
    }
    if (count == 0) {
      break;
    }
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
  return text;
}

std::vector<fs::path> drop_ins(const fs::path& directory, Context& context) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    std::error_code ignored;  // of a file that vanished: reading it will say so
    if (entry->path().extension() == ".yaml" && !entry->is_directory(ignored)) {
      files.push_back(entry->path());
    }
  }
  if (error) {
    refuse_unreadable(directory, error.value(), context);
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<fs::path> expand(const std::vector<fs::path>& files_and_directories, Context& context) {
  std::vector<fs::path> files;
  for (const fs::path& path : files_and_directories) {
    std::error_code ignored;  // whatever it is, opening it says what is wrong
    const bool directory = fs::is_directory(path, ignored);
    const std::vector<fs::path> found = directory ? drop_ins(path, context) : std::vector{path};
    files.insert(files.end(), found.begin(), found.end());
  }
  std::set<fs::path> seen;
  std::erase_if(files, [&](const fs::path& path) {
    std::error_code error;
    const fs::path canonical = fs::weakly_canonical(path, error);
    return !seen.insert(error ? path : canonical).second;
  });
  return files;
}

PolicyResult finish(Policy policy, Context& context) {
  context.check_names();
  check_policy(policy, context);
  if (!context.errors.empty()) {
    return tl::unexpected<PolicyErrors>(std::move(context.errors));
  }
  return policy;
}

}  // namespace

PolicyResult load_policy(const std::vector<fs::path>& files_and_directories, const LoadOptions& options) {
  Context context(options);
  Policy policy;
  Position daemon_section;
  for (const fs::path& path : expand(files_and_directories, context)) {
    context.begin_file(path.string());
    if (const auto text = read_file(path, context)) {
      decode_file(*text, policy, daemon_section, context);
    }
  }
  return finish(std::move(policy), context);
}

PolicyResult decode_policy(std::string_view text, const std::string& file_name, const LoadOptions& options) {
  Context context(options);
  Policy policy;
  Position daemon_section;
  context.begin_file(file_name);
  decode_file(text, policy, daemon_section, context);
  return finish(std::move(policy), context);
}

std::optional<uid_t> system_user(const std::string& name) {
  std::array<char, 16384> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) {
    return std::nullopt;
  }
  return entry.pw_uid;
}

}  // namespace raceguard::policy
