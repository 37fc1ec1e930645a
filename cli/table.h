// cli/table.h: rows as aligned columns, for people.
#pragma once

#include <string>
#include <vector>

namespace herald::cli {

using Row = std::vector<std::string>;

// Columns are two blanks apart, as wide as their longest cell; the last is not padded. An empty or
// missing cell is "-". Control characters become '?': a name or message must not drive the
// terminal.
std::string render_table(const Row& header, const std::vector<Row>& rows);

// The same for a single text; line feeds are kept out too.
std::string printable(const std::string& text);

}  // namespace herald::cli
