// kube/access.h: where the API server is, whom to believe and who we are: from a kubeconfig, or as
// a pod finds it. Plain values; kube/access_io.h reads the files.
#pragma once

#include <string>
#include <vector>

#include "net/http_url.h"

namespace herald::kube {

struct Access {
  std::vector<HttpUrl> servers;         // the same cluster; the first that can serve is asked
  std::string ca;                       // PEM; empty: the system's authorities
  std::string server_name;              // in the server's certificate, where it is not the host
  std::string client_cert, client_key;  // PEM; both or neither
  std::string client_cert_file, client_key_file;  // read again as they are renewed; or empty
  std::string token;                              // or
  std::string token_file;                         // read again as it rotates
  std::string user_agent = "heraldd";
  std::string where;  // for messages: "in-cluster", "/root/.kube/config (context lab)"
};

}  // namespace herald::kube
