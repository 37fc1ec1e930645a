// coord/etcd_tls_io.h: TLS to an etcd, as the settings store-* describe it. TLS 1.2 at least.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "net/tls_client_io.h"

namespace herald::coord {

struct TlsFiles {
  std::string ca;         // PEM; empty: the system's
  std::string cert, key;  // PEM, this client's; both or neither
  // The name in the servers' certificates, where it is not the host of the URL.
  std::string server_name;
};

// Reads the files. The error names the setting, the file and what to do.
Result<std::shared_ptr<TlsClient>> load_tls(const TlsFiles& files);

}  // namespace herald::coord
