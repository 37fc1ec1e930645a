// Arbitrary bytes as a line on the admin socket, and as parts of one: refused or read, and never
// more than is bounded.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "daemon/operator_wire.h"

namespace {

void read(std::string_view line) {
  using namespace herald;
  const auto parsed = daemon::parse_operator_request(line);
  if (!parsed) return;
  if (!*parsed) {
    if (parsed->error().empty()) std::abort();
    return;
  }
  const daemon::OperatorRequest& request = **parsed;
  const bool move = request.what == daemon::OperatorRequest::What::Move;
  if (request.timeout < 0s || request.timeout > 10min || request.node.str().size() > 253 ||
      request.ip.has_value() != move) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  read(text);
  for (const char* command : {"drain", "move", "force-dead"}) {
    read(std::string(R"({"command":")") + command + "\"," + text + "}");
  }
  read(R"({"command":"move","node":"n1","ip":")" + text + "\"}");
  read(R"({"command":"drain","node":")" + text + "\"}");
  read(R"({"command":"drain","timeout_ms":)" + text + "}");
  return 0;
}
