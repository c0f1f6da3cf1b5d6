// SPDX-License-Identifier: Apache-2.0
#include "daemon/export/sha256.h"

#include <openssl/evp.h>

#include <array>

#include <fmt/format.h>

namespace raceguard::exporting {

std::string sha256_hex(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  // Fails only where a policy of the host forbids SHA-256; the result is then empty, and no chain verifies with it.
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) {
    return {};
  }
  std::string text;
  for (unsigned int i = 0; i < size; ++i) {
    text += fmt::format("{:02x}", digest.at(i));
  }
  return text;
}

}  // namespace raceguard::exporting
