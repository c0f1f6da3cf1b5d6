// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 as text (RFC 9112): a request's head in, a response out.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/export/http_routes.h"

namespace raceguard::exporting {

// Bytes up to and with the empty line; 0 if it has not come yet.
[[nodiscard]] std::size_t head_size(std::string_view bytes);

// Empty if the head is not HTTP/1.x.
[[nodiscard]] std::optional<HttpRequest> parse_head(std::string_view head);

// The whole response; without its body for HEAD. Always "Connection: close".
[[nodiscard]] std::string to_http(const HttpResponse& response, bool head_only);

}  // namespace raceguard::exporting
