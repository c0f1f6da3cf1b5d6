// SPDX-License-Identifier: Apache-2.0
// The key tables as JSON Schema, for editors and for checks without raceguard. It knows keys, kinds, units and the
// ranges of plain numbers; ranges of values with units and what needs two keys at once only the decoder knows.
#include <nlohmann/json.hpp>

#include "daemon/policy/key.h"
#include "daemon/policy/reference.h"
#include "daemon/policy/value.h"

namespace raceguard::policy {
namespace {

using Json = nlohmann::ordered_json;

Json object_schema(const Mapping& mapping);

Json with_pattern(const char* pattern) { return {{"type", "string"}, {"pattern", pattern}}; }

Json text_schema(const Key& key) {
  const double longest = key.maximum == 0 ? kMaxText : key.maximum;
  return {{"type", "string"}, {"minLength", 1}, {"maxLength", static_cast<int>(longest)}};
}

Json number_schema(const Key& key, const char* type) {
  return {{"type", type},
          {"minimum", static_cast<std::int64_t>(key.minimum)},
          {"maximum", static_cast<std::int64_t>(key.maximum)}};
}

Json one_or_list(const Json& item) {
  return {{"anyOf", Json::array({item, Json{{"type", "array"}, {"minItems", 1}, {"items", item}}})}};
}

Json value_schema(const Key& key) {
  constexpr const char* kDurationPattern = "^[0-9]+(\\.[0-9]+)? ?(ns|us|ms|s|m|h)$";
  switch (key.kind) {
    case Kind::kText:
      return text_schema(key);
    case Kind::kTexts:
      return one_or_list(text_schema(key));
    case Kind::kPids:
      return one_or_list(number_schema(key, "integer"));
    case Kind::kUsers: {
      Key name = key;
      name.maximum = 0;
      return one_or_list({{"anyOf", Json::array({number_schema(key, "integer"), text_schema(name)})}});
    }
    case Kind::kFlag:
      return {{"type", "boolean"}};
    case Kind::kCount:
      return number_schema(key, "integer");
    case Kind::kNumber:
      return number_schema(key, "number");
    case Kind::kDuration:
      return with_pattern(kDurationPattern);
    case Kind::kRatio:
      return with_pattern("^[0-9]+(\\.[0-9]+)? ?%$");
    case Kind::kBytes:
      return with_pattern("^[0-9]+(\\.[0-9]+)? ?(B|KiB|MiB|GiB)$");
    case Kind::kChoice:
      return {{"enum", key.choices}};
    case Kind::kComparison:
      return with_pattern("^(==|!=|<=|>=|<|>) ?-?[0-9]+$");
    case Kind::kMapping:
      return object_schema(*key.mapping);
    case Kind::kMappings:
      return {{"type", "array"}, {"items", object_schema(*key.mapping)}};
    case Kind::kNames: {
      const Json name = value_schema(key.mapping->keys.front());
      const Json item = {{"anyOf", Json::array({name, object_schema(*key.mapping)})}};
      return {{"anyOf", Json::array({name, Json{{"type", "array"}, {"items", item}}})}};
    }
    case Kind::kWindow:
      return {{"anyOf", Json::array({with_pattern(kDurationPattern), object_schema(*key.mapping)})}};
  }
  return {};
}

Json object_schema(const Mapping& mapping) {
  Json properties = Json::object();
  Json required = Json::array();
  for (const Key& key : mapping.keys) {
    Json schema = value_schema(key);
    std::string description(key.help);
    if (const std::string range = range_text(key); !range.empty()) {
      description += " Range: " + range + ".";
    }
    if (!key.fallback.empty()) {
      description += " Default: " + std::string(key.fallback) + ".";
    }
    schema["description"] = std::move(description);
    properties[std::string(key.name)] = std::move(schema);
    if (key.required) {
      required.push_back(key.name);
    }
  }
  Json schema = {{"type", "object"}, {"additionalProperties", false}, {"properties", std::move(properties)}};
  if (!required.empty()) {
    schema["required"] = std::move(required);
  }
  return schema;
}

}  // namespace

std::string json_schema() {
  Json schema = {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                 {"title", "raceguard policy, raceguard/v1"}};
  schema.update(object_schema(kFileMapping));
  return schema.dump(2) + "\n";
}

}  // namespace raceguard::policy
