// coord/tls_client_io.h: TLS as a client speaks it: whom it believes, who it says it is, and what
// to say when that fails.
//
// Servers are always verified: signed by a known authority, for the host of the URL or the name
// that stands for it. TLS 1.2 at least.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"

struct ssl_st;
namespace boost::system {
class error_code;
}
namespace boost::asio::ssl {
class context;
}

namespace herald::coord {

struct TlsFiles {
  std::string ca;         // PEM; empty: the system's
  std::string cert, key;  // PEM, this client's; both or neither
  // The name in the servers' certificates, where it is not the host of the URL.
  std::string server_name;
};

class TlsClient {
 public:
  explicit TlsClient(std::string server_name);
  ~TlsClient();

  boost::asio::ssl::context& context() { return *context_; }
  // The name that a server at `host` has to prove.
  const std::string& name_of(const std::string& host) const {
    return server_name_.empty() ? host : server_name_;
  }

 private:
  std::unique_ptr<boost::asio::ssl::context> context_;
  const std::string server_name_;
};

// Reads the files. The error names the setting, the file and what to do.
Result<std::shared_ptr<TlsClient>> load_tls(const TlsFiles& files);

// Before the handshake: this name or address is asked for, and must be proven. False: it cannot be.
bool demand_name(ssl_st* session, const std::string& name);

// Why a handshake with `name` failed, and what to do.
std::string handshake_failure(const boost::system::error_code& failed, ssl_st* session,
                              const std::string& name);
// Why a connection broke later, or of a connection without TLS.
std::string tls_words(const boost::system::error_code& failed);

}  // namespace herald::coord
