// SPDX-License-Identifier: Apache-2.0
#include "ctl/document.h"

#include <cstdio>
#include <ctime>

#include <nlohmann/json.hpp>

namespace raceguard::ctl {
namespace {

const nlohmann::json kNothing;

}  // namespace

Doc Doc::at(const char* key) const {
  if (!value_->is_object()) {
    return Doc(kNothing);
  }
  const auto found = value_->find(key);
  return Doc(found == value_->end() ? kNothing : *found);
}

bool Doc::has(const char* key) const { return !at(key).value_->is_null(); }

std::string Doc::text() const {
  return value_->is_string() ? printable(value_->get_ref<const std::string&>()) : std::string();
}

std::string Doc::text(const char* key, const std::string& fallback) const {
  const Doc found = at(key);
  return found.value_->is_string() ? found.text() : fallback;
}

std::optional<double> Doc::number() const {
  return value_->is_number() ? std::optional(value_->get<double>()) : std::nullopt;
}

double Doc::number(const char* key, double fallback) const { return at(key).number().value_or(fallback); }

bool Doc::flag(const char* key) const {
  const Doc found = at(key);
  return found.value_->is_boolean() && found.value_->get<bool>();
}

std::vector<Doc> Doc::list(const char* key) const {
  std::vector<Doc> members;
  const Doc found = at(key);
  if (found.value_->is_array()) {
    for (const nlohmann::json& one : *found.value_) {
      members.emplace_back(one);
    }
  }
  return members;
}

std::vector<std::pair<std::string, Doc>> Doc::entries(const char* key) const {
  std::vector<std::pair<std::string, Doc>> members;
  const Doc found = at(key);
  if (found.value_->is_object()) {
    for (const auto& [name, value] : found.value_->items()) {
      members.emplace_back(printable(name), Doc(value));
    }
  }
  return members;
}

std::optional<double> Doc::time(const char* key) const { return at(key).time(); }

std::optional<double> Doc::time() const {
  const std::string text_form = text();
  std::tm parts{};
  double seconds = 0;
  if (std::sscanf(text_form.c_str(), "%4d-%2d-%2dT%2d:%2d:%lfZ", &parts.tm_year, &parts.tm_mon, &parts.tm_mday,
                  &parts.tm_hour, &parts.tm_min, &seconds) != 6) {
    return std::nullopt;
  }
  parts.tm_year -= 1900;
  parts.tm_mon -= 1;
  return static_cast<double>(timegm(&parts)) + seconds;
}

std::string printable(const std::string& text) {
  std::string clean;
  clean.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool c1 = byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    i += c1 ? 1 : 0;
    clean += byte < 0x20 || byte == 0x7F || c1 ? '?' : text[i];
  }
  return clean;
}

}  // namespace raceguard::ctl
