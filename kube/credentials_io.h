// kube/credentials_io.h: what proves who we are, and by what servers prove who they are, read again
// as its files are renewed.
//
// A service account's token lives an hour, and the kubelet replaces the file in time; authorities
// and client certificates are renewed the same way. What cannot be used leaves the older one in
// force, and is said.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/small_file_io.h"
#include "base/time.h"
#include "kube/access.h"
#include "net/tls_client_io.h"

namespace herald::kube {

class Credentials {
 public:
  explicit Credentials(const Access& access) : access_(access) {}

  // Everything, at the start. The error names the file or field, and what to do.
  Result<void> load(Instant now);

  // Looks at the files again if it is time, or if `refused`: a server took them for invalid. True:
  // they are others now. `trouble()` is what is wrong with the new ones, or empty.
  bool refresh(Instant now, bool refused);
  const std::string& trouble() const { return trouble_; }

  // "Bearer ...", or empty.
  const std::string& authorization() const { return authorization_; }
  // Null if no server is https. Another one when certificates changed.
  const std::shared_ptr<TlsClient>& tls() const { return tls_; }

 private:
  Result<std::string> read_token() const;
  Result<bool> read_certificates();
  bool stamps_changed();

  const Access access_;
  std::string authorization_;
  std::shared_ptr<TlsClient> tls_;
  std::string certificates_;  // what tls_ was made of
  std::string trouble_;
  std::map<std::string, FileStamp> stamps_;
  Instant looked_at_{}, read_at_{};
  std::optional<Instant> refused_at_;
};

}  // namespace herald::kube
