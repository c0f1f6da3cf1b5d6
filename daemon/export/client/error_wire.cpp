// SPDX-License-Identifier: Apache-2.0
#include "daemon/export/client/error_wire.h"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace raceguard::exporting {
namespace {

std::string text_of(const nlohmann::json& document, const char* key) {
  const auto found = document.find(key);
  return found != document.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

nlohmann::json error_to_json(const Error& error) {
  const ErrorCodeText text = describe(error.code());
  return {{"code", text.id}, {"title", text.title}, {"what", error.what()}, {"remedy", error.remedy()}};
}

Error error_from_json(const nlohmann::json& document) {
  if (!document.is_object()) {
    return {ErrorCode::kControlRequest, "the daemon answered with an error that is not a JSON object"};
  }
  const std::string id = text_of(document, "code");
  const auto* found =
      std::find_if(kErrorCodeTexts.begin(), kErrorCodeTexts.end(), [&](const ErrorCodeText& t) { return t.id == id; });
  if (found == kErrorCodeTexts.end()) {
    return {ErrorCode::kInternal, "daemon answered " + id + " " + text_of(document, "what"),
            text_of(document, "remedy")};
  }
  return {static_cast<ErrorCode>(found - kErrorCodeTexts.begin()), text_of(document, "what"),
          text_of(document, "remedy")};
}

std::string to_line(const nlohmann::json& document) {
  return document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace raceguard::exporting
