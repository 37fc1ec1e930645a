// cli/document.h: JSON values printed for people: indented JSON, and YAML of the same value.
#pragma once

#include <string>

#include <boost/json/fwd.hpp>

namespace herald::cli {

// Two blanks an indent, members in the order received, a line feed at the end.
std::string to_pretty_json(const boost::json::value& value);

// Block style. A string is quoted whenever a YAML reader could take it for something else.
std::string to_yaml(const boost::json::value& value);

}  // namespace herald::cli
