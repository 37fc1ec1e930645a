#include "coord/etcd_client_io.h"

#include <algorithm>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/clock_io.h"
#include "base/secret_file_io.h"
#include "coord/etcd_wire.h"

namespace herald::coord {

namespace asio = boost::asio;

namespace {

// etcd takes values of up to 1.5 MiB unless told otherwise. A list that is longer is asked for in
// smaller pages.
constexpr std::size_t kMaxReplyBytes = 32U << 20;
constexpr std::size_t kMaxIdle = 24;
constexpr std::size_t kMaxPasswordBytes = 1024;
// etcd hashes passwords on purpose slowly.
constexpr Duration kAuthTimeout = 3s;
constexpr Duration kAuthPause = 1s;

}  // namespace

struct EtcdClient::Call {
  Call(asio::io_context& loop) : timer(loop) {}
  Kind kind = Kind::Read;
  bool anonymous = false;  // the authentication itself
  const char* path = "";
  std::string body, token;
  Instant deadline;
  Done done;
  asio::steady_timer timer;  // while it waits for a token
  std::vector<std::size_t> tried;
  bool tried_reused = false, tried_token = false;
  std::size_t endpoint = 0;
  EtcdAnswer last;  // what the endpoint before said
};

Result<std::string> read_password(const std::string& file) {
  const std::string setting = "store-password-file";
  auto password = read_secret_file(setting, file, kMaxPasswordBytes,
                                   "write the password of store-user into it");
  if (!password) return password;
  const bool line = password->find_first_of("\n\r") == std::string::npos;
  if (password->empty() || password->size() > kMaxPasswordBytes || !line) {
    return error(setting + ": '" + file + "' is not one line of at most " +
                 std::to_string(kMaxPasswordBytes) +
                 " bytes: write the password of store-user into it, and nothing else");
  }
  return password;
}

EtcdClient::EtcdClient(asio::io_context& loop, EtcdAccess access, Say say)
    : loop_(loop),
      access_(std::move(access)),
      say_(std::move(say)),
      endpoints_(access_.endpoints.size(), Rng(access_.seed)),
      idle_(access_.endpoints.size()) {
  has_token_ = access_.user.empty();
}

EtcdClient::~EtcdClient() {
  close();
}

void EtcdClient::close() {
  closed_ = true;
  *alive_ = false;
  for (auto& connections : idle_) connections.clear();
  for (const auto& [raw, connection] : std::exchange(busy_, {})) connection->close();
  want_token_.clear();
}

std::string EtcdClient::url(std::size_t endpoint) const {
  return to_string(access_.endpoints[endpoint]);
}

void EtcdClient::call(Kind kind, const char* path, std::string body, Duration timeout, Done done) {
  auto call = std::make_shared<Call>(loop_);
  call->kind = kind;
  call->path = path;
  call->body = std::move(body);
  call->deadline = boot_now() + timeout;
  call->done = std::move(done);
  asio::post(loop_, [this, call, alive = alive_] {
    if (*alive) next(call);
  });
}

void EtcdClient::next(const CallPtr& call) {
  if (!call->done) return;  // its time ran out while it waited
  const Instant now = boot_now();
  if (now >= call->deadline) {
    finish(call, EtcdAnswer::Kind::NotDone, "");
    return;
  }
  if (!has_token_ && !call->anonymous) {
    // What comes first: a token, or the deadline.
    call->timer.expires_after(call->deadline - now);
    call->timer.async_wait([this, call, alive = alive_](boost::system::error_code canceled) {
      if (canceled || !*alive) return;
      finish(call, EtcdAnswer::Kind::NotDone, "etcd's answer to the authentication is awaited");
    });
    with_token([this, call](const Result<std::string>& token) {
      call->timer.cancel();
      if (token) {
        next(call);
      } else {
        finish(call, EtcdAnswer::Kind::NotDone, token.error());
      }
    });
    return;
  }
  const auto endpoint = endpoints_.choose(call->tried, now);
  if (!endpoint) {
    finish(call, EtcdAnswer::Kind::NotDone,
           "no endpoint of etcd can be connected to, and they are left alone for up to 400 ms; "
           "the last one said: " +
               last_refusal_);
    return;
  }
  send(call, *endpoint);
}

void EtcdClient::send(const CallPtr& call, std::size_t endpoint) {
  bool reused = false;
  const auto connection = this->connection(endpoint, reused);
  const Duration left = call->deadline - boot_now();
  call->tried.push_back(endpoint);
  call->endpoint = endpoint;
  call->token = call->anonymous ? "" : token_;
  const bool others = endpoints_.choose(call->tried, boot_now()).has_value();
  // Time is left for another endpoint if this one does not answer, where it may be asked.
  const Duration total = others && call->kind == Kind::Read ? left / 2 : left;
  busy_[connection.get()] = connection;
  connection->exchange({call->path, call->body, call->token}, others ? left / 2 : left, total,
                       [this, call, endpoint, reused, raw = connection.get()](HttpOutcome outcome) {
                         const auto held = std::move(busy_[raw]);
                         busy_.erase(raw);
                         if (outcome.kind == HttpOutcome::Kind::Answered) {
                           put_back(endpoint, held);
                           answered(call, endpoint, std::move(outcome));
                         } else {
                           broken(call, endpoint, reused, outcome);
                         }
                       });
}

std::shared_ptr<HttpConnection> EtcdClient::connection(std::size_t endpoint, bool& reused) {
  auto& idle = idle_[endpoint];
  while (!idle.empty()) {
    auto connection = std::move(idle.back());
    idle.pop_back();
    if (!connection->reusable()) continue;
    reused = true;
    return connection;
  }
  return make_http_connection(loop_, access_.endpoints[endpoint], access_.tls, kMaxReplyBytes,
                              kMaybeTls);
}

void EtcdClient::put_back(std::size_t endpoint, std::shared_ptr<HttpConnection> connection) {
  if (idle_[endpoint].size() < kMaxIdle && connection->reusable()) {
    idle_[endpoint].push_back(std::move(connection));
  }
}

void EtcdClient::answered(const CallPtr& call, std::size_t endpoint, HttpOutcome outcome) {
  const Instant now = boot_now();
  if (outcome.status == 200) {
    endpoints_.worked(endpoint, now);
    say_(url(endpoint), "");
    call->last.body = std::move(outcome.body);
    finish(call, EtcdAnswer::Kind::Ok, "");
    return;
  }
  const EtcdError failed = parse_etcd_error(outcome.status, outcome.body);
  call->last.compacted = failed.compacted;
  call->last.full = failed.full;
  std::string why = "etcd at " + url(endpoint) + " refused the request: " + failed.message;
  const bool repeatable = call->kind == Kind::Read || failed.not_applied;
  if (failed.bad_token && !call->anonymous) {
    if (access_.user.empty()) {
      why += "; it wants a user: give --store-user and --store-password-file";
    } else if (repeatable && !call->tried_token) {
      call->tried_token = true;
      call->tried.pop_back();
      forget_token(call->token);
      next(call);
      return;
    }
  }
  if (failed.unavailable) {
    endpoints_.silent(endpoint, now);
    say_(url(endpoint), why);
    if (repeatable && endpoints_.choose(call->tried, now)) {
      call->last.why = why;
      next(call);
      return;
    }
  }
  finish(call, repeatable ? EtcdAnswer::Kind::NotDone : EtcdAnswer::Kind::Unknown, why);
}

void EtcdClient::broken(const CallPtr& call, std::size_t endpoint, bool reused,
                        const HttpOutcome& outcome) {
  const Instant now = boot_now();
  const bool sent = outcome.kind == HttpOutcome::Kind::MaybeSent;
  const bool repeatable = !sent || call->kind == Kind::Read;
  idle_[endpoint].clear();
  call->last.too_large = outcome.too_large;
  call->last.why = "etcd at " + url(endpoint) + ": " + outcome.why;
  if (reused && repeatable && !call->tried_reused && !outcome.too_large) {
    // A kept connection may have ended since; that says nothing about the endpoint.
    call->tried_reused = true;
    call->tried.pop_back();
    next(call);
    return;
  }
  if (sent) {
    endpoints_.silent(endpoint, now);
  } else {
    endpoints_.refused(endpoint, now);
    last_refusal_ = call->last.why;
  }
  say_(url(endpoint), call->last.why + "; is that etcd running, and reachable from here?");
  if (repeatable && !outcome.too_large && endpoints_.choose(call->tried, now)) {
    next(call);
  } else {
    finish(call, repeatable ? EtcdAnswer::Kind::NotDone : EtcdAnswer::Kind::Unknown, "");
  }
}

// `why` is what ended it; what the endpoints before it said stands in call->last.
void EtcdClient::finish(const CallPtr& call, EtcdAnswer::Kind kind, std::string why) {
  if (!call->done) return;
  EtcdAnswer answer = std::move(call->last);
  answer.kind = kind;
  answer.endpoint = url(call->endpoint);
  if (!why.empty()) {
    answer.why = why + (answer.why.empty() ? "" : " (before that: " + answer.why + ")");
  }
  if (answer.why.empty()) answer.why = "no endpoint of etcd was asked in time";
  std::exchange(call->done, nullptr)(std::move(answer));
}

// ---- tokens

void EtcdClient::with_token(std::function<void(Result<std::string>)> done) {
  if (has_token_) {
    done(token_);
  } else if (boot_now() < auth_again_) {
    done(error(auth_trouble_));
  } else {
    want_token_.push_back(std::move(done));
    if (!authenticating_) authenticate();
  }
}

void EtcdClient::forget_token(const std::string& token) {
  if (token == token_ && !access_.user.empty()) has_token_ = false;
}

void EtcdClient::authenticate() {
  authenticating_ = true;
  const auto password = read_password(access_.password_file);
  const auto end = [this](Result<std::string> token) {
    authenticating_ = false;
    has_token_ = token.has_value();
    token_ = token.value_or("");
    auth_trouble_ = token ? "" : token.error();
    if (!token) auth_again_ = boot_now() + kAuthPause;
    say_("authentication", auth_trouble_);
    for (const auto& done : std::exchange(want_token_, {})) done(token);
  };
  if (!password) {
    end(error(password.error()));
    return;
  }
  auto call = std::make_shared<Call>(loop_);
  call->anonymous = true;
  call->path = kEtcdAuthenticate;
  call->body = etcd_authenticate(access_.user, *password);
  call->deadline = boot_now() + kAuthTimeout;
  call->done = [this, end](const EtcdAnswer& answer) {
    if (answer.kind == EtcdAnswer::Kind::Ok) {
      auto token = parse_etcd_token(answer.body);
      if (!token) {
        end(error("etcd at " + answer.endpoint + " gave no token: " + token.error()));
      } else {
        end(std::move(token));
      }
    } else if (answer.why.find("authentication is not enabled") != std::string::npos) {
      end(std::string());  // then none is needed
    } else {
      const bool refused = answer.why.find("authentication failed") != std::string::npos;
      end(error("user '" + access_.user + "' (store-user) is not authenticated: " + answer.why +
                (refused ? "; check the password in " + access_.password_file : "")));
    }
  };
  asio::post(loop_, [this, call, alive = alive_] {
    if (*alive) next(call);
  });
}

}  // namespace herald::coord
