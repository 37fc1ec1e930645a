// cli/reply.h: the daemon's one-line reply taken apart. For the printers alone.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <boost/json/fwd.hpp>

#include "cli/print.h"

namespace herald::cli {

struct Reply {
  std::shared_ptr<const boost::json::value> data;  // an object; null: `refused` says why
  Answer refused;
};
Reply read_reply(std::string_view line);

// A reply that this program does not understand.
Answer nonsense(const std::string& why);

// Any value in one cell; empty for what is not there.
std::string cell(const boost::json::value* value);
std::string field(const boost::json::object& object, std::string_view key);

}  // namespace herald::cli
