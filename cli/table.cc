#include "cli/table.h"

#include <algorithm>

namespace herald::cli {
namespace {

// Characters, not octets: names are ASCII, messages may be UTF-8.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

}  // namespace

std::string printable(const std::string& text) {
  std::string out = text;
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return out;
}

std::string render_table(const Row& header, const std::vector<Row>& rows) {
  std::vector<Row> lines = {header};
  for (const Row& row : rows) {
    Row& line = lines.emplace_back();
    for (std::size_t i = 0; i < header.size(); ++i) {
      line.push_back(i < row.size() && !row[i].empty() ? printable(row[i]) : "-");
    }
  }
  std::vector<std::size_t> widths(header.size(), 0);
  for (const Row& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], width(line[i]));
  }
  std::string out;
  for (const Row& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) {
      out += line[i];
      if (i + 1 < line.size()) out.append(widths[i] - width(line[i]) + 2, ' ');
    }
    out += '\n';
  }
  return out;
}

}  // namespace herald::cli
