// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/resolver.h"

#include <sys/stat.h>

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "daemon/symbols/source_resolver.h"

namespace raceguard::symbols {
namespace {

struct FileKey {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t changed_ns = 0;
  friend bool operator==(const FileKey&, const FileKey&) = default;
};

std::optional<FileKey> key_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    return std::nullopt;
  }
  return FileKey{.device = status.st_dev,
                 .inode = status.st_ino,
                 .changed_ns = status.st_ctim.tv_sec * 1'000'000'000 + status.st_ctim.tv_nsec};
}

}  // namespace

struct Resolver::Entry {
  FileKey key;
  std::vector<std::string> host_paths;  // the last few by which it was opened
  std::shared_ptr<const ElfFile> file;
  std::unique_ptr<SourceResolver> source;
  std::unordered_map<std::uint64_t, CodeSite> sites;

  void remember_path(const std::string& path) {
    constexpr std::size_t kPaths = 8;
    if (std::ranges::find(host_paths, path) == host_paths.end()) {
      host_paths.insert(host_paths.begin(), path);
      host_paths.resize(std::min(host_paths.size(), kPaths));
    }
  }
};

Resolver::Resolver(ResolverLimits limits) : limits_(limits) {}
Resolver::Resolver(Resolver&&) noexcept = default;
Resolver& Resolver::operator=(Resolver&&) noexcept = default;
Resolver::~Resolver() = default;

Resolver::Entry* Resolver::find_entry(const std::string& host_path, Error* error) {
  const auto key = key_of(host_path);
  const auto found = std::ranges::find_if(entries_, [&](const auto& entry) {
    return key ? entry->key == *key : std::ranges::find(entry->host_paths, host_path) != entry->host_paths.end();
  });
  if (found != entries_.end()) {
    entries_.splice(entries_.begin(), entries_, found);
    entries_.front()->remember_path(host_path);
    return entries_.front().get();
  }
  auto file = ElfFile::open(host_path);
  if (!file) {
    if (error != nullptr) {
      *error = std::move(file.error());
    }
    return nullptr;
  }
  auto entry = std::make_unique<Entry>();
  entry->key = key.value_or(FileKey{});
  entry->file = std::make_shared<const ElfFile>(std::move(*file));
  entry->remember_path(host_path);
  entries_.push_front(std::move(entry));
  if (entries_.size() > std::max<std::size_t>(limits_.files, 1)) {
    entries_.pop_back();
  }
  return entries_.front().get();
}

void Resolver::make_room_for_dwarf(Entry& wanted) {
  if (wanted.source) {
    return;
  }
  wanted.source = std::make_unique<SourceResolver>(*wanted.file, limits_.dwarf_bytes);
  const std::uint64_t needed = wanted.source->wanted_bytes();
  if (needed > limits_.dwarf_bytes) {
    return;  // it will not be read at all: no reason to drop the others'
  }
  for (auto entry = entries_.rbegin(); entry != entries_.rend() && dwarf_bytes() + needed > limits_.dwarf_bytes;
       ++entry) {
    if (entry->get() != &wanted) {
      (*entry)->source.reset();  // its remembered sites stay
    }
  }
}

CodeSite Resolver::resolve_in(Entry& entry, std::uint64_t address, AddressKind kind) {
  const std::uint64_t lookup = kind == AddressKind::kReturnAddress && address > 0 ? address - 1 : address;
  const std::uint64_t memo = (address << 1U) | (kind == AddressKind::kReturnAddress ? 1U : 0U);
  if (const auto known = entry.sites.find(memo); known != entry.sites.end()) {
    return known->second;
  }
  CodeSite site;
  site.address = address;
  if (const auto function = entry.file->function_at(lookup)) {
    site.function = function->demangled;
    site.function_offset = address - function->address;
  }
  make_room_for_dwarf(entry);
  SourcePlace place = entry.source->find(lookup);
  site.source = std::move(place.line);
  site.inlined = std::move(place.inlined);
  if (entry.sites.size() >= limits_.sites_per_file) {
    entry.sites.clear();  // rare, and cheaper than an order of use for each site
  }
  entry.sites.emplace(memo, site);
  return site;
}

Result<std::shared_ptr<const ElfFile>> Resolver::file(const std::string& host_path) {
  Error error(ErrorCode::kInternal, "unknown");
  if (Entry* entry = find_entry(host_path, &error)) {
    return entry->file;
  }
  return fail(std::move(error));
}

CodeSite Resolver::resolve(const std::string& host_path, std::uint64_t address, AddressKind kind,
                           const std::string& shown_path) {
  CodeSite site;
  site.address = address;
  if (Entry* entry = find_entry(host_path, nullptr)) {
    site = resolve_in(*entry, address, kind);
  }
  site.binary = shown_path;
  return site;
}

CodeSite Resolver::resolve_offset(const std::string& host_path, std::uint64_t file_offset, AddressKind kind,
                                  const std::string& shown_path) {
  CodeSite site;
  if (Entry* entry = find_entry(host_path, nullptr)) {
    if (const auto address = entry->file->address_of(file_offset)) {
      site = resolve_in(*entry, *address, kind);
    }
  }
  site.binary = shown_path;
  return site;
}

std::string Resolver::name_data(const std::string& host_path, std::uint64_t address) {
  Entry* entry = find_entry(host_path, nullptr);
  return entry != nullptr ? entry->file->name_data(address) : std::string();
}

std::size_t Resolver::open_files() const { return entries_.size(); }

std::uint64_t Resolver::dwarf_bytes() const {
  std::uint64_t total = 0;
  for (const auto& entry : entries_) {
    total += entry->source ? entry->source->debug_bytes() : 0;
  }
  return total;
}

}  // namespace raceguard::symbols
