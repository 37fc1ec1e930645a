// kube/access.h: where the API server is, whom to believe and who we are: from a kubeconfig, or as
// a pod finds it. Plain values; kube/access_io.h reads the files.
//
// Of a pair of text and file, the file wins: it is read again as it is renewed.
#pragma once

#include <string>
#include <vector>

#include "net/http_url.h"

namespace herald::kube {

struct Access {
  std::vector<HttpUrl> servers;  // the same cluster; the first that can serve is asked
  std::string ca, ca_file;       // PEM; neither: the system's authorities
  std::string server_name;       // in the servers' certificates, where it is not the host
  std::string client_cert, client_cert_file;  // PEM; with a key, or neither
  std::string client_key, client_key_file;
  std::string token, token_file;
  std::string ns;  // the pod's own, or the context's; may be empty
  std::string user_agent = "heraldd";
  std::string where;  // for messages: "in-cluster", "/root/.kube/config (context lab)"
};

}  // namespace herald::kube
