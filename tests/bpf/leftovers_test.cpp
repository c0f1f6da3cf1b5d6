// SPDX-License-Identifier: Apache-2.0
// After an Attachment nothing of it is left: no program, map, link, mount or descriptor; and no breakpoint in the text.
#include <bpf/bpf.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "raceguard/unique_fd.h"
#include "tests/bpf/attached.h"
#include "tests/bpf/target_process.h"

namespace raceguard::test {
namespace {

std::size_t open_descriptors() {
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator()));
}

std::string mounts() {
  std::ostringstream text;
  text << std::ifstream("/proc/self/mounts").rdbuf();
  return text.str();
}

// The ids of this process's own programs and links: other sessions of raceguard may come and go on this machine.
struct OwnIds {
  std::set<std::uint32_t> programs;
  std::set<std::uint32_t> links;
};

OwnIds own_ids() {
  OwnIds ids;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fdinfo")) {
    std::ifstream info(entry.path());
    std::string key;
    std::uint32_t value = 0;
    for (std::string line; std::getline(info, line);) {
      std::istringstream words(line);
      if (words >> key >> value) {
        if (key == "prog_id:") {
          ids.programs.insert(value);
        } else if (key == "link_id:") {
          ids.links.insert(value);
        }
      }
    }
  }
  return ids;
}

TEST(Leftovers, NothingStaysWhenTheAttachmentIsGone) {
  TargetProcess target;
  const plan::FunctionProbe probe = function_probe(target, "work", 1);
  const std::size_t descriptors_before = open_descriptors();
  const std::string mounts_before = mounts();
  OwnIds ids;
  {
    kernel::Attachment attachment = open_or_throw(small_options());
    plan::PlanDifference difference;
    difference.add_targets = {target_entry(target.pid())};
    difference.add_functions = {probe};
    difference.add_words = {switch_word(target, "checkout")};
    ASSERT_TRUE(attachment.apply(difference).empty());
    ASSERT_TRUE(attachment.set_word("checkout", 2).empty());
    EXPECT_EQ(mounts(), mounts_before);
    ids = own_ids();
    EXPECT_GE(ids.programs.size(), 8U);
    EXPECT_GE(ids.links.size(), 8U);  // the function's is one where the kernel has sessions, else two
  }
  EXPECT_EQ(open_descriptors(), descriptors_before);
  EXPECT_EQ(mounts(), mounts_before);
  for (const std::uint32_t id : ids.links) {
    EXPECT_TRUE(eventually([id] { return !UniqueFd(bpf_link_get_fd_by_id(id)).valid(); })) << "link " << id;
  }
  for (const std::uint32_t id : ids.programs) {
    EXPECT_TRUE(eventually([id] { return !UniqueFd(bpf_prog_get_fd_by_id(id)).valid(); })) << "program " << id;
  }
  EXPECT_EQ(target.run("word"), 0);
  std::ifstream memory("/proc/" + std::to_string(target.pid()) + "/maps");
  EXPECT_EQ(target.run("recurse 3"), 4) << "the target lives";
}

}  // namespace
}  // namespace raceguard::test
