// coord/etcd_client_io.h: a request to etcd, by whichever endpoint can serve it.
//
// Connections are kept and reused; requests that are under way together use one each. A request
// goes to the next endpoint only if it was surely not sent, was surely not applied, or is a read. A
// token is fetched when a user is set, and again when etcd does not know it any more.
//
// All on the thread of the io_context that is handed in.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "net/endpoints.h"
#include "net/http_connection_io.h"

namespace herald::coord {

struct EtcdAccess {
  std::vector<HttpUrl> endpoints;
  std::shared_ptr<TlsClient> tls;  // null: no endpoint is https
  std::string user;                // empty: no authentication
  std::string password_file;       // read at each authentication: it may be changed at any time
  Duration timeout = 500ms;
  std::uint64_t seed = 0;
};

// What to do if a plain server hangs up before its first answer.
inline constexpr const char* kMaybeTls = "if that etcd has TLS, write https:// in --store";

// The file's one line; the error names the setting.
Result<std::string> read_password(const std::string& file);

struct EtcdAnswer {
  enum class Kind {
    Ok,
    NotDone,  // certainly nothing was written
    Unknown,
  };
  Kind kind = Kind::NotDone;
  std::string body;      // of Ok
  std::string endpoint;  // that answered, or was tried last
  std::string why;       // a sentence, unless Ok
  bool compacted = false;
  bool too_large = false;
  bool full = false;  // EtcdError::full
};

class EtcdClient {
 public:
  enum class Kind { Read, Write };
  using Done = std::function<void(EtcdAnswer)>;
  // A trouble of a subject begins or changes; empty sentence: it is over.
  using Say = std::function<void(std::string subject, std::string sentence)>;

  EtcdClient(boost::asio::io_context& loop, EtcdAccess access, Say say);
  ~EtcdClient();

  // `done` is called once, by `timeout` from now or a little later; never from within.
  void call(Kind kind, const char* path, std::string body, Duration timeout, Done done);

  // For streams: the token, "" if none is needed.
  void with_token(std::function<void(Result<std::string>)> done);
  void forget_token(const std::string& token);

  const EtcdAccess& access() const { return access_; }
  // Drops every request without an answer; nothing is called any more.
  void close();

 private:
  struct Call;
  using CallPtr = std::shared_ptr<Call>;

  void next(const CallPtr& call);
  void send(const CallPtr& call, std::size_t endpoint);
  void answered(const CallPtr& call, std::size_t endpoint, HttpOutcome outcome);
  void broken(const CallPtr& call, std::size_t endpoint, bool reused, const HttpOutcome& outcome);
  void finish(const CallPtr& call, EtcdAnswer::Kind kind, std::string why);
  std::shared_ptr<HttpConnection> connection(std::size_t endpoint, bool& reused);
  void put_back(std::size_t endpoint, std::shared_ptr<HttpConnection> connection);
  void authenticate();
  std::string url(std::size_t endpoint) const;

  boost::asio::io_context& loop_;
  const EtcdAccess access_;
  const Say say_;
  Endpoints endpoints_;
  std::vector<std::vector<std::shared_ptr<HttpConnection>>> idle_;  // by endpoint
  std::map<HttpConnection*, std::shared_ptr<HttpConnection>> busy_;

  std::string last_refusal_;
  std::string token_;
  bool has_token_ = false;  // may be "": etcd has authentication switched off
  bool authenticating_ = false;
  std::string auth_trouble_;
  Instant auth_again_{};
  std::vector<std::function<void(Result<std::string>)>> want_token_;
  bool closed_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace herald::coord
