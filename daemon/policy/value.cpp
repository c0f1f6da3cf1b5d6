// SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/value.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include "daemon/policy/errors.h"

namespace raceguard::policy {
namespace {

using Read = tl::expected<Value, Fault>;

struct Unit {
  std::string_view name;
  double factor;
};
constexpr std::array kDurationUnits = {Unit{"ns", 1},  Unit{"us", 1e3}, Unit{"ms", 1e6},
                                       Unit{"s", 1e9}, Unit{"m", 60e9}, Unit{"h", 3600e9}};
constexpr std::array kRatioUnits = {Unit{"%", 0.01}};
constexpr std::array kByteUnits = {Unit{"B", 1}, Unit{"KiB", 1024}, Unit{"MiB", 1048576}, Unit{"GiB", 1073741824}};

std::span<const Unit> units_of(Kind kind) {
  switch (kind) {
    case Kind::kDuration:
    case Kind::kWindow:
      return kDurationUnits;
    case Kind::kRatio:
      return kRatioUnits;
    case Kind::kBytes:
      return kByteUnits;
    default:
      return {};
  }
}

tl::unexpected<Fault> refuse(const Node& node, const Key& key, std::string hint = {}) {
  return tl::unexpected<Fault>({ErrorCode::kPolicyValue, found_text(node), expectation(key), std::move(hint)});
}

template <typename Number>
std::optional<Number> whole(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional<Number>(number) : std::nullopt;
}

// Digits with an optional fraction; no sign, exponent, "inf" or "nan".
std::optional<double> plain_number(std::string_view text) {
  const bool plain = !text.empty() && text.find_first_not_of("0123456789.") == std::string_view::npos &&
                     text.front() != '.' && text.back() != '.';
  return plain ? whole<double>(text) : std::nullopt;
}

std::optional<Fault> out_of_range(const Node& node, const Key& key, double number) {
  if (number >= key.minimum && number <= key.maximum) {
    return std::nullopt;
  }
  return Fault{ErrorCode::kPolicyRange, found_text(node), range_text(key), {}};
}

Read read_with_unit(const Node& node, const Key& key) {
  const std::string_view text = node.text;
  const std::size_t digits = text.find_first_not_of("0123456789.");
  const auto number = plain_number(text.substr(0, digits));
  if (!number) {
    return refuse(node, key);
  }
  if (digits == std::string_view::npos) {
    return tl::unexpected<Fault>(
        {ErrorCode::kPolicyValue, fmt::format("{} without a unit", found_text(node)), expectation(key), {}});
  }
  std::string_view name = text.substr(digits);
  name.remove_prefix(name.front() == ' ' ? 1 : 0);
  std::vector<std::string> names;
  for (const Unit& unit : units_of(key.kind)) {
    if (unit.name != name) {
      names.emplace_back(unit.name);
      continue;
    }
    // 7 * 0.01 is not 0.07
    const double value = key.kind == Kind::kRatio ? *number / 100 : *number * unit.factor;
    if (auto fault = out_of_range(node, key, value)) {
      return tl::unexpected<Fault>(std::move(*fault));
    }
    return key.kind == Kind::kRatio ? Value(value) : Value(static_cast<std::int64_t>(std::llround(value)));
  }
  return refuse(node, key, did_you_mean(name, names));
}

Read read_number(const Node& node, const Key& key) {
  const auto number = node.quoted ? std::nullopt : plain_number(node.text);
  const bool fraction = node.text.find('.') != std::string::npos;
  if (!number || (key.kind != Kind::kNumber && fraction)) {
    return refuse(node, key);
  }
  if (auto fault = out_of_range(node, key, *number)) {
    return tl::unexpected<Fault>(std::move(*fault));
  }
  return key.kind == Kind::kNumber ? Value(*number) : Value(static_cast<std::int64_t>(*number));
}

// YAML 1.1 and JSON readers would not take these for text; asking for quotes keeps the file's meaning the same for all.
bool reads_as_something_else(const Node& node) {
  constexpr std::array<std::string_view, 6> kFlags = {"true", "false", "yes", "no", "on", "off"};
  std::string lower = node.text;
  for (char& letter : lower) {
    letter = letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
  }
  for (const std::string_view flag : kFlags) {
    if (lower == flag) {
      return !node.quoted;
    }
  }
  return !node.quoted && whole<double>(node.text).has_value();
}

Read read_text(const Node& node, const Key& key) {
  if (reads_as_something_else(node)) {
    return refuse(node, key, fmt::format("; did you mean \"{}\" in quotes?", node.text));
  }
  const double longest = key.maximum == 0 ? kMaxText : key.maximum;
  if (node.text.empty() || static_cast<double>(node.text.size()) > longest) {
    return tl::unexpected<Fault>({ErrorCode::kPolicyRange,
                                  fmt::format("a text of {} bytes", node.text.size()),
                                  fmt::format("1 to {} bytes", longest),
                                  {}});
  }
  // Escapes can make what find_bad_byte refuses in plain; and texts become labels, lines and file names.
  const auto is_control = [](char letter) { return static_cast<unsigned char>(letter) < 0x20 || letter == 0x7F; };
  if (std::any_of(node.text.begin(), node.text.end(), is_control)) {
    return tl::unexpected<Fault>(
        {ErrorCode::kPolicyValue, found_text(node), "one line without control characters", {}});
  }
  return Value(node.text);
}

Read read_choice(const Node& node, const Key& key) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < key.choices.size(); ++i) {
    if (node.text == key.choices[i]) {
      return Value(static_cast<std::int64_t>(i));
    }
    names.emplace_back(key.choices[i]);
  }
  return refuse(node, key, did_you_mean(node.text, names));
}

Read read_comparison(const Node& node, const Key& key) {
  struct Sign {
    std::string_view text;
    Comparison comparison;
  };
  // Two-letter signs first: "<=" begins with "<".
  constexpr std::array kSigns = {Sign{"==", Comparison::kEqual},     Sign{"!=", Comparison::kNotEqual},
                                 Sign{"<=", Comparison::kLessEqual}, Sign{">=", Comparison::kGreaterEqual},
                                 Sign{"<", Comparison::kLess},       Sign{">", Comparison::kGreater}};
  std::string_view text = node.text;
  for (const Sign& sign : kSigns) {
    if (!text.starts_with(sign.text)) {
      continue;
    }
    text.remove_prefix(sign.text.size());
    text.remove_prefix(text.starts_with(' ') ? 1 : 0);
    const auto operand = whole<std::int64_t>(text);
    return operand ? Read(ComparedWith{sign.comparison, *operand}) : Read(refuse(node, key));
  }
  return refuse(node, key);
}

Read read_flag(const Node& node, const Key& key) {
  if (!node.quoted && (node.text == "true" || node.text == "false")) {
    return Value(node.text == "true");
  }
  return refuse(node, key);
}

std::string joined(std::span<const std::string_view> names) { return fmt::format("{}", fmt::join(names, ", ")); }

}  // namespace

tl::expected<Value, Fault> read_scalar(const Node& node, const Key& key) {
  switch (key.kind) {
    case Kind::kDuration:
    case Kind::kRatio:
    case Kind::kBytes:
    case Kind::kWindow:
      return read_with_unit(node, key);
    case Kind::kCount:
    case Kind::kNumber:
    case Kind::kPids:
      return read_number(node, key);
    case Kind::kText:
    case Kind::kTexts:
    case Kind::kUsers:
      return read_text(node, key);
    case Kind::kFlag:
      return read_flag(node, key);
    case Kind::kChoice:
      return read_choice(node, key);
    case Kind::kComparison:
      return read_comparison(node, key);
    case Kind::kMapping:
    case Kind::kMappings:
    case Kind::kNames:
      break;
  }
  return refuse(node, key);
}

std::string expectation(const Key& key) {
  switch (key.kind) {
    case Kind::kText:
      return "a text";
    case Kind::kTexts:
      return "a text or a list of texts";
    case Kind::kPids:
      return "a process id or a list of them";
    case Kind::kUsers:
      return "a user's name or id, or a list of them";
    case Kind::kFlag:
      return "true or false";
    case Kind::kCount:
      return "a whole number, " + range_text(key);
    case Kind::kNumber:
      return "a number, " + range_text(key);
    case Kind::kDuration:
      return "a duration such as 20ms (units: ns, us, ms, s, m, h)";
    case Kind::kRatio:
      return "a ratio such as 5% (unit: %)";
    case Kind::kBytes:
      return "a size such as 4MiB (units: B, KiB, MiB, GiB)";
    case Kind::kChoice:
      return "one of " + joined(key.choices);
    case Kind::kComparison:
      return "a comparison with a whole number such as \"< 0\" (signs: == != < <= > >=)";
    case Kind::kMapping:
      return "a mapping of keys to values";
    case Kind::kMappings:
      return "a list of mappings";
    case Kind::kNames:
      return "a list of names, or of mappings";
    case Kind::kWindow:
      return "a duration such as 10s (units: ns, us, ms, s, m, h) or {calls: 100}";
  }
  return {};
}

std::string to_text(Kind kind, double value) {
  const std::span<const Unit> units = units_of(kind);
  if (units.empty()) {
    return fmt::format("{}", value);
  }
  const Unit* best = &units.front();
  for (const Unit& unit : units) {
    const double scaled = value / unit.factor;
    if (value != 0 && scaled >= 1 && scaled == std::floor(scaled)) {
      best = &unit;
    }
  }
  return fmt::format("{:.10g}{}", value / best->factor, best->name);
}

std::string range_text(const Key& key) {
  if (key.maximum == 0 || key.kind == Kind::kText || key.kind == Kind::kTexts) {
    return {};
  }
  return fmt::format("{} to {}", to_text(key.kind, key.minimum), to_text(key.kind, key.maximum));
}

std::string found_text(const Node& node) {
  switch (node.kind) {
    case NodeKind::kNull:
      return "nothing";
    case NodeKind::kList:
      return "a list";
    case NodeKind::kMapping:
      return "a mapping";
    case NodeKind::kScalar:
      break;
  }
  const bool number = !node.quoted && node.text.size() < 32 && whole<double>(node.text).has_value();
  return number ? node.text : in_quotes(node.text);
}

}  // namespace raceguard::policy
