// SPDX-License-Identifier: Apache-2.0
// Figures as people read them, and the table that they stand in.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace raceguard::ctl {

enum class Tone { kPlain, kBold, kDim, kGood, kWarn, kBad };

// How the output may look: of the terminal, or plain and 120 columns wide where there is none.
struct Style {
  std::size_t width = 120;
  bool colour = false;
  [[nodiscard]] std::string paint(std::string_view text, Tone tone) const;
};

// "0", "650 ns", "7.1 us", "5.0 ms", "1.2 s", "3m 20s", "2h 05m", "3d 4h"
[[nodiscard]] std::string duration(double seconds);
// "12 s ago"; "now" below a second
[[nodiscard]] std::string ago(double seconds);
// "12345", "1.2 M", "3.4 G"
[[nodiscard]] std::string count(double value);
// "62 %", "0.4 %", "0 %"
[[nodiscard]] std::string percent(double share);
// "1 lock", "2 locks", "2 switches"
[[nodiscard]] std::string plural(double value, std::string_view noun);

// Characters, not bytes, of UTF-8 text.
[[nodiscard]] std::size_t columns_of(std::string_view text);
// At most `width` columns; what is cut is marked by "..", at the end or in the middle (paths keep their file name).
[[nodiscard]] std::string cut(const std::string& text, std::size_t width);
[[nodiscard]] std::string cut_middle(const std::string& text, std::size_t width);
// Text in lines of at most `width` columns, each indented.
[[nodiscard]] std::string wrap(const std::string& text, std::size_t width, std::size_t indent);

enum class Align { kLeft, kRight };
enum class Shrink {
  kNo,
  kMiddle,  // names and paths: both ends tell something
  kEnd,     // sentences
};
inline constexpr std::size_t kWide = 100;

struct Column {
  std::string_view title;
  Align align = Align::kLeft;
  Shrink shrink = Shrink::kNo;  // gives up width where the table is wider than the terminal
  bool wide_only = false;       // left out below kWide columns
};

// Rows with aligned columns. A note is a line of its own below the last row.
class Table {
 public:
  Table(std::initializer_list<Column> columns, Style style);
  void row(std::vector<std::string> cells, Tone tone = Tone::kPlain);
  void note(std::string line);
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  [[nodiscard]] std::string render() const;

 private:
  struct Row {
    std::vector<std::string> cells;
    Tone tone;
    std::vector<std::string> notes;
  };
  [[nodiscard]] std::vector<std::size_t> widths() const;
  [[nodiscard]] std::string line(const std::vector<std::string>& cells, const std::vector<std::size_t>& widths) const;

  std::vector<Column> columns_;  // those that are shown
  std::vector<bool> shown_;      // of all
  Style style_;
  std::vector<Row> rows_;
};

}  // namespace raceguard::ctl
