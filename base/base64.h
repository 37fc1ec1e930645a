// base/base64.h: bytes as text (RFC 4648 §4).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace herald {

std::string to_base64(std::string_view bytes);
// With its padding, without blanks, and only as to_base64() writes it.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace herald
