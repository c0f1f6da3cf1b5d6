// SPDX-License-Identifier: Apache-2.0
#include "ctl/text.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

namespace raceguard::ctl {
namespace {

constexpr double kMinute = 60;
constexpr double kHour = 3600;
constexpr double kDay = 86400;

struct Unit {
  double seconds;
  std::string_view name;
};
constexpr std::array kUnits = {Unit{1e-9, "ns"}, Unit{1e-6, "us"}, Unit{1e-3, "ms"}, Unit{1, "s"}};

// Two digits that matter, no more: "7.1", "71", "710".
std::string two_digits(double value) {
  return value < 9.95 ? fmt::format("{:.1f}", value) : fmt::format("{:.0f}", value);
}

bool continues(char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U; }

// Bytes of the first `columns` characters.
std::size_t bytes_of(std::string_view text, std::size_t columns) {
  std::size_t at = 0;
  while (at < text.size() && (columns > 0 || continues(text[at]))) {
    columns -= continues(text[at]) ? 0 : 1;
    ++at;
  }
  return at;
}

}  // namespace

std::string Style::paint(std::string_view text, Tone tone) const {
  static constexpr std::array kCodes = {"", "1", "2", "32", "33", "31"};
  return !colour || tone == Tone::kPlain
             ? std::string(text)
             : fmt::format("\x1b[{}m{}\x1b[0m", kCodes.at(static_cast<std::size_t>(tone)), text);
}

std::string duration(double seconds) {
  if (seconds <= 0) {
    return "0";
  }
  if (seconds >= kMinute) {
    const double whole = std::floor(seconds);
    if (whole >= kDay) {
      return fmt::format("{:.0f}d {:.0f}h", std::floor(whole / kDay), std::floor(std::fmod(whole, kDay) / kHour));
    }
    if (whole >= kHour) {
      return fmt::format("{:.0f}h {:02.0f}m", std::floor(whole / kHour), std::floor(std::fmod(whole, kHour) / kMinute));
    }
    return fmt::format("{:.0f}m {:02.0f}s", std::floor(whole / kMinute), std::fmod(whole, kMinute));
  }
  const Unit* unit = &kUnits.front();
  for (const Unit& each : kUnits) {
    // 0.9995: "1.0 ms" and not "1000 us"
    unit = seconds >= each.seconds * 0.9995 ? &each : unit;
  }
  return fmt::format("{} {}", two_digits(seconds / unit->seconds), unit->name);
}

std::string ago(double seconds) {
  if (seconds < 1) {
    return "now";
  }
  return seconds < kMinute ? fmt::format("{:.0f} s ago", std::floor(seconds)) : duration(seconds) + " ago";
}

std::string count(double value) {
  if (value < 1e6) {
    return fmt::format("{:.0f}", value);
  }
  return value < 1e9 ? fmt::format("{:.1f} M", value / 1e6) : fmt::format("{:.1f} G", value / 1e9);
}

std::string percent(double share) {
  const double value = share * 100;
  return value > 0 && value < 9.95 ? fmt::format("{:.1f} %", value) : fmt::format("{:.0f} %", value);
}

std::string plural(double value, std::string_view noun) {
  const bool hisses = noun.ends_with("ch") || noun.ends_with("s");
  return fmt::format("{} {}{}", count(value), noun, value == 1 ? "" : hisses ? "es" : "s");
}

std::size_t columns_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char byte) { return !continues(byte); }));
}

std::string cut(const std::string& text, std::size_t width) {
  if (columns_of(text) <= width) {
    return text;
  }
  return width < 3 ? text.substr(0, bytes_of(text, width)) : text.substr(0, bytes_of(text, width - 2)) + "..";
}

std::string cut_middle(const std::string& text, std::size_t width) {
  const std::size_t length = columns_of(text);
  if (length <= width || width < 8) {
    return cut(text, width);
  }
  const std::size_t tail = (width - 2) * 2 / 3;
  return text.substr(0, bytes_of(text, width - 2 - tail)) + ".." + text.substr(bytes_of(text, length - tail));
}

std::string wrap(const std::string& text, std::size_t width, std::size_t indent) {
  std::string out;
  std::size_t column = 0;
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t end = std::min(text.find(' ', from), text.size());
    const std::string word = text.substr(from, end - from);
    if (column != 0 && column + 1 + columns_of(word) > width) {
      out += '\n';
      column = 0;
    }
    out += column == 0 ? std::string(indent, ' ') : " ";
    column = (column == 0 ? indent : column + 1) + columns_of(word);
    out += word;
    from = end + 1;
  }
  return out + "\n";
}

Table::Table(std::initializer_list<Column> columns, Style style) : style_(style) {
  for (const Column& column : columns) {
    shown_.push_back(!column.wide_only || style.width >= kWide);
    if (shown_.back()) {
      columns_.push_back(column);
    }
  }
}

void Table::row(std::vector<std::string> cells, Tone tone) {
  Row row{{}, tone, {}};
  for (std::size_t i = 0; i < shown_.size(); ++i) {
    if (shown_[i]) {
      row.cells.push_back(i < cells.size() ? std::move(cells[i]) : std::string());
    }
  }
  rows_.push_back(std::move(row));
}

void Table::note(std::string line) { rows_.back().notes.push_back(std::move(line)); }

std::vector<std::size_t> Table::widths() const {
  std::vector<std::size_t> widths;
  std::size_t total = 0;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t widest = columns_of(columns_[i].title);
    for (const Row& each : rows_) {
      widest = std::max(widest, columns_of(each.cells[i]));
    }
    widths.push_back(widest);
    total += widest + (i == 0 ? 0 : 2);
  }
  while (total > style_.width) {  // the widest of those that shrink gives one column
    std::size_t* widest = nullptr;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (columns_[i].shrink != Shrink::kNo && widths[i] > 8 && (widest == nullptr || widths[i] > *widest)) {
        widest = &widths[i];
      }
    }
    if (widest == nullptr) {
      break;
    }
    --*widest;
    --total;
  }
  return widths;
}

std::string Table::line(const std::vector<std::string>& cells, const std::vector<std::size_t>& widths) const {
  std::string text;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const std::string cell =
        columns_[i].shrink == Shrink::kEnd ? cut(cells[i], widths[i]) : cut_middle(cells[i], widths[i]);
    const std::string padding(widths[i] - std::min(widths[i], columns_of(cell)), ' ');
    text += i == 0 ? "" : "  ";
    text += columns_[i].align == Align::kRight ? padding + cell : cell + padding;
  }
  return text.substr(0, text.find_last_not_of(' ') + 1);
}

std::string Table::render() const {
  const std::vector<std::size_t> wide = widths();
  std::vector<std::string> titles;
  for (const Column& column : columns_) {
    titles.emplace_back(column.title);
  }
  std::string text = style_.paint(line(titles, wide), Tone::kBold) + "\n";
  for (const Row& each : rows_) {
    text += style_.paint(line(each.cells, wide), each.tone) + "\n";
    for (const std::string& note : each.notes) {
      text += note + "\n";
    }
  }
  return text;
}

}  // namespace raceguard::ctl
