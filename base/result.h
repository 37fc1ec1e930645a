// base/result.h: a value or the reason why there is none. Nothing in the core throws across an
// edge.
#pragma once

#include <string>
#include <utility>

#include <tl/expected.hpp>

namespace herald {

// E is plain data: an enum, a small struct, or a sentence for people (the default).
template <typename T, typename E = std::string>
using Result = tl::expected<T, E>;

// return error(WireError::Truncated);
template <typename E>
tl::unexpected<std::decay_t<E>> error(E&& e) {
  return tl::unexpected<std::decay_t<E>>(std::forward<E>(e));
}
inline tl::unexpected<std::string> error(const char* sentence) {
  return tl::unexpected<std::string>(sentence);
}

}  // namespace herald
