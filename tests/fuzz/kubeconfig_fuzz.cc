// Arbitrary text as a kubeconfig, and as a server's refusal: nothing crashes, and what is accepted
// can be used in a request.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/check.h"
#include "kube/kubeconfig.h"
#include "kube/server_status.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace herald;
  const std::string text(data, data + size);
  for (const char* context : {"", "a"}) {
    const auto access = kube::parse_kubeconfig(text, "/etc/config", context);
    if (!access) {
      HERALD_CHECK(!access.error().empty());
      continue;
    }
    HERALD_CHECK(access->servers.size() == 1 && !access->servers.front().host.empty());
    const bool cert = !access->client_cert.empty() || !access->client_cert_file.empty();
    const bool key = !access->client_key.empty() || !access->client_key_file.empty();
    HERALD_CHECK(cert == key);
    HERALD_CHECK(std::all_of(access->token.begin(), access->token.end(),
                             [](char c) { return c > 0x20 && c < 0x7f; }));
  }
  const auto status = kube::parse_server_status(text, 500);
  HERALD_CHECK(!status.message.empty() && status.message.size() < 400);
  return 0;
}
