#include "kube/client_io.h"

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/clock_io.h"
#include "base/memory_io.h"
#include "base/rng.h"
#include "base/text.h"
#include "base/troubles.h"
#include "kube/connection_pool_io.h"
#include "kube/credentials_io.h"
#include "kube/server_status.h"
#include "net/endpoints.h"
#include "net/http_connection_io.h"

namespace herald::kube {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kMaxBodyBytes = 64U << 20;  // lists are asked for in pages far below
constexpr std::size_t kMaxLineBytes = 16U
                                      << 20;  // an event has one object; etcd's limit is 1.5 MiB
constexpr Duration kMaxConnect = 3s;          // where there is another server
constexpr Duration kDefaultHold = 1s;
constexpr std::size_t kMaxForbidden = 100;
constexpr Duration kMaxHold = 60s;

HttpRequest::Method method_of(const Request& request) {
  switch (request.method) {
    case Request::Method::Get:
      return HttpRequest::Method::Get;
    case Request::Method::Post:
      return HttpRequest::Method::Post;
    case Request::Method::Put:
      return HttpRequest::Method::Put;
    case Request::Method::Patch:
      return HttpRequest::Method::Patch;
    case Request::Method::Delete:
      return HttpRequest::Method::Delete;
  }
  return HttpRequest::Method::Get;
}

// An exchange or a watch, until its answer.
struct Call {
  explicit Call(asio::io_context& loop) : timer(loop) {}
  Request request;
  Instant deadline{};
  asio::steady_timer timer;  // while it waits for its turn
  std::function<void(Answer)> done;
  std::vector<std::size_t> tried;
  std::size_t endpoint = 0;
  std::string authorization;  // that it was sent with
  bool tried_reused = false, tried_credentials = false;
  bool maybe_sent = false;
  std::string why;  // what the last server said, or what became of it

  // Of a watch.
  std::uint64_t id = 0;
  Duration idle{};
  std::function<void(std::string_view)> on_line;
  std::shared_ptr<HttpConnection> stream;
  bool lives = false;  // a line came
};
using CallPtr = std::shared_ptr<Call>;

struct Lane {
  Lane(asio::io_context& loop, std::size_t parallel_, std::size_t patient_)
      : parallel(parallel_), patient(patient_), held(loop), idle(parallel_) {}
  const std::size_t parallel, patient;  // how many may be under way, and wait
  std::deque<CallPtr> waiting;
  std::size_t under_way = 0;
  Instant held_until{};
  asio::steady_timer held;
  ConnectionPool idle;
};

class HttpClient : public Client {
 public:
  HttpClient(asio::io_context& loop, Access access, Credentials credentials, std::uint64_t seed,
             Say say)
      : loop_(loop),
        access_(std::move(access)),
        credentials_(std::move(credentials)),
        say_(std::move(say)),
        rng_(seed),
        endpoints_(access_.servers.size(), Rng(rng_.next())),
        lanes_{Lane(loop, 8, 256), Lane(loop, 4, 256), Lane(loop, 8, 4096)},
        sweep_(loop) {}

  ~HttpClient() override {
    *alive_ = false;
    for (const auto& [id, watch] : std::exchange(watches_, {})) close(*watch);
    for (const auto& [raw, connection] : std::exchange(busy_, {})) connection->close();
  }

  void call(Request request, std::function<void(Answer)> done) override {
    const auto call = make_call(std::move(request), std::move(done));
    post([this, call] { enter(call); });
  }

  std::uint64_t watch(Request request, Duration idle, std::function<void(std::string_view)> on_line,
                      std::function<void(Answer)> on_end) override {
    const auto watch = make_call(std::move(request), std::move(on_end));
    watch->id = ++last_watch_;
    watch->idle = idle;
    watch->on_line = std::move(on_line);
    watches_[watch->id] = watch;
    post([this, watch] { open(watch); });
    return watch->id;
  }

  void cancel(std::uint64_t id) override {
    const auto found = watches_.find(id);
    if (found == watches_.end()) return;
    const CallPtr watch = found->second;
    watches_.erase(found);
    close(*watch);
  }

 private:
  CallPtr make_call(Request request, std::function<void(Answer)> done) {
    auto call = std::make_shared<Call>(loop_);
    call->deadline = boot_now() + request.timeout;
    call->request = std::move(request);
    call->done = std::move(done);
    return call;
  }

  template <typename F>
  void post(F f) {
    asio::post(loop_, [alive = alive_, f = std::move(f)] {
      if (*alive) f();
    });
  }

  template <typename F>
  void after(asio::steady_timer& timer, Duration wait, F f) {
    timer.expires_after(wait);
    timer.async_wait([alive = alive_, f = std::move(f)](boost::system::error_code canceled) {
      if (!canceled && *alive) f();
    });
  }

  Lane& lane_of(const Request& request) {
    return lanes_[static_cast<std::size_t>(request.priority)];
  }
  std::string url(std::size_t endpoint) const { return to_string(access_.servers[endpoint]); }

  void trouble(const std::string& subject, const std::string& sentence) {
    const bool over = sentence.empty() && said_.erase(subject) != 0;
    const auto words = troubles_.set(subject, sentence, boot_now());
    if (words) said_.insert(subject);
    if (over) say_(subject, "");
    if (words) say_(subject, *words);
  }

  // ---- turns

  void enter(const CallPtr& call) {
    Lane& lane = lane_of(call->request);
    if (!is_path(call->request.path)) {
      end(call, Answer::Kind::NotSent, "'" + printable(call->request.path) + "' is no path");
    } else if (lane.waiting.size() >= lane.patient) {
      end(call, Answer::Kind::NotSent,
          std::to_string(lane.patient) + " requests wait for the API server already; " +
              describe(call->request) + " may be sent when it answers again");
    } else {
      lane.waiting.push_back(call);
      after(call->timer, std::max<Duration>(call->deadline - boot_now(), 0ns), [call, &lane] {
        if (std::erase(lane.waiting, call) == 0) return;  // its turn came at the same instant
        end(call, Answer::Kind::NotSent,
            "the API server has too much to do: " + describe(call->request) +
                " waited for its turn until its time was over");
      });
      pump(lane);
    }
  }

  void pump(Lane& lane) {
    const Instant now = boot_now();
    if (now < lane.held_until) {
      if (!lane.waiting.empty()) {
        after(lane.held, lane.held_until - now, [this, &lane] { pump(lane); });
      }
      return;
    }
    while (lane.under_way < lane.parallel && !lane.waiting.empty()) {
      const CallPtr call = std::move(lane.waiting.front());
      lane.waiting.pop_front();
      call->timer.cancel();
      ++lane.under_way;
      post([this, call] { next(call); });
    }
  }

  // A turn is over.
  void finish(const CallPtr& call, Answer answer) {
    Lane& lane = lane_of(call->request);
    --lane.under_way;
    post([this, &lane] { pump(lane); });
    std::exchange(call->done, nullptr)(std::move(answer));
  }

  void give_up(const CallPtr& call, std::string why) {
    Answer answer;
    answer.kind = call->maybe_sent ? Answer::Kind::Unknown : Answer::Kind::NotSent;
    answer.why = std::move(why);
    finish(call, std::move(answer));
  }

  // Of one that had no turn, or a watch.
  static void end(const CallPtr& call, Answer::Kind kind, std::string why) {
    Answer answer;
    answer.kind = kind;
    answer.why = std::move(why);
    if (const auto done = std::exchange(call->done, nullptr)) done(std::move(answer));
  }

  // ---- exchanges

  void look_at_credentials() {
    credentials_.refresh(boot_now(), false);
    trouble("credentials' files", credentials_.trouble());
  }

  HttpRequest http_request(const CallPtr& call, std::size_t endpoint) {
    call->authorization = credentials_.authorization();
    const Request& request = call->request;
    return {access_.servers[endpoint].path + request.path,
            request.body,
            call->authorization,
            method_of(request),
            request.content_type,
            request.accept,
            access_.user_agent};
  }

  void next(const CallPtr& call) {
    look_at_credentials();
    const Instant now = boot_now();
    const auto endpoint = endpoints_.choose(call->tried, now);
    if (now >= call->deadline) {
      give_up(call, call->why.empty() ? "no API server was asked in time" : call->why);
    } else if (!endpoint) {
      give_up(call, call->why.empty() ? nobody() : call->why);
    } else {
      send(call, *endpoint);
    }
  }

  std::string nobody() const {
    return "no API server can be connected to, and they are left alone for up to 400 ms; the last "
           "one said: " +
           last_refusal_;
  }

  void send(const CallPtr& call, std::size_t endpoint) {
    call->tried.push_back(endpoint);
    call->endpoint = endpoint;
    const Instant now = boot_now();
    const Duration left = call->deadline - now;
    const bool others = endpoints_.choose(call->tried, now).has_value();
    const bool read = call->request.method == Request::Method::Get;
    auto connection = lane_of(call->request).idle.take(endpoint, credentials_.tls(), now);
    const bool reused = connection != nullptr;
    if (!reused) connection = new_connection(endpoint, kMaxBodyBytes);
    // Time is left for another server, or a new connection, where the request may be repeated.
    const Duration total = read && (others || reused) ? left / 2 : left;
    busy_[connection.get()] = connection;
    connection->exchange(
        http_request(call, endpoint), others ? std::min(left / 2, kMaxConnect) : left, total,
        [this, call, endpoint, reused, tls = credentials_.tls(),
         raw = connection.get()](HttpOutcome outcome) {
          const auto held = std::move(busy_[raw]);
          busy_.erase(raw);
          if (outcome.kind == HttpOutcome::Kind::Answered) {
            const bool kept = lane_of(call->request).idle.keep(endpoint, held, tls, boot_now());
            if (kept && !std::exchange(sweeping_, true)) sweep();
            answered(call, endpoint, std::move(outcome));
          } else {
            broken(call, endpoint, reused, outcome);
          }
        });
  }

  // Connections that nobody uses any more are ended; each had some 70 KiB.
  void sweep() {
    after(sweep_, ConnectionPool::kMaxIdle / 2, [this] {
      ConnectionPool::Swept all;
      for (Lane& lane : lanes_) {
        const auto swept = lane.idle.sweep(boot_now());
        all.ended += swept.ended;
        all.left += swept.left;
      }
      if (all.ended > 0) give_memory_back();
      sweeping_ = all.left > 0;
      if (sweeping_) sweep();
    });
  }

  std::shared_ptr<HttpConnection> new_connection(std::size_t endpoint, std::size_t max_bytes) {
    return make_http_connection(loop_, access_.servers[endpoint], credentials_.tls(), max_bytes,
                                maybe_tls());
  }

  std::string maybe_tls() const {
    return "if that API server has TLS, write https:// for it in " + access_.where +
           ", or in --kubernetes-api";
  }

  void answered(const CallPtr& call, std::size_t endpoint, HttpOutcome outcome) {
    const Verdict verdict = judge(call, endpoint, outcome);
    if (verdict == Verdict::Again) {
      next(call);
      return;
    }
    if (verdict == Verdict::Elsewhere && call->request.method == Request::Method::Get &&
        endpoints_.choose(call->tried, boot_now())) {
      next(call);
      return;
    }
    finish(call, answer_of(std::move(outcome)));
  }

  static Answer answer_of(HttpOutcome outcome) {
    Answer answer;
    answer.kind = Answer::Kind::Answered;
    answer.status = outcome.status;
    answer.body = std::move(outcome.body);
    answer.retry_after = outcome.retry_after;
    return answer;
  }

  void broken(const CallPtr& call, std::size_t endpoint, bool reused, const HttpOutcome& outcome) {
    const bool sent = outcome.kind == HttpOutcome::Kind::MaybeSent;
    const bool repeatable = !sent || call->request.method == Request::Method::Get;
    for (Lane& lane : lanes_) lane.idle.forget(endpoint);
    call->maybe_sent |= sent;
    if (reused && repeatable && !outcome.begun && !std::exchange(call->tried_reused, true)) {
      // A kept connection may have ended since; that says nothing about the server.
      call->tried.pop_back();
      call->why = sentence(endpoint, outcome);
      next(call);
      return;
    }
    failed(call, endpoint, outcome);
    if (repeatable && !outcome.too_large && endpoints_.choose(call->tried, boot_now())) {
      next(call);
    } else {
      give_up(call, call->why);
    }
  }

  // ---- what servers say

  std::string sentence(std::size_t endpoint, const HttpOutcome& outcome) const {
    return "the API server at " + url(endpoint) + ": " + outcome.why;
  }

  void failed(const CallPtr& call, std::size_t endpoint, const HttpOutcome& outcome) {
    const Instant now = boot_now();
    credentials_.refresh(now, true);  // it may be these
    call->why = sentence(endpoint, outcome);
    if (outcome.too_large) {  // the server is well
      call->why += ", to " + describe(call->request);
      return;
    }
    if (outcome.kind == HttpOutcome::Kind::MaybeSent) {
      endpoints_.silent(endpoint, now);
    } else {
      endpoints_.refused(endpoint, now);
      if (outcome.why.rfind("no TLS", 0) != 0) {
        call->why += "; is it running, and reachable from this node?";
      }
      last_refusal_ = call->why;
    }
    trouble(url(endpoint), call->why);
  }

  // Whatever was said of such a request is over. Of a watch, this is known by its first line.
  void went_well(const CallPtr& call, std::size_t endpoint) {
    endpoints_.worked(endpoint, boot_now());
    trouble("credentials", "");
    trouble("load", "");
    trouble(url(endpoint), "");
    if (forbidden_.empty()) return;
    const std::string right = right_of(call->request);
    if (forbidden_.erase(right) != 0) trouble(right, "");
  }

  enum class Verdict { Tell, Again, Elsewhere };

  // Of an answer: what is to be done with it, what is to be said, who is to be left alone.
  Verdict judge(const CallPtr& call, std::size_t endpoint, HttpOutcome& outcome) {
    const Instant now = boot_now();
    const unsigned status = outcome.status;
    const std::string at = "the API server at " + url(endpoint);
    if (status < 300) {
      went_well(call, endpoint);
      return Verdict::Tell;
    }
    if (status != 401) trouble("credentials", "");
    if (status != 429) trouble("load", "");
    if (status < 500) endpoints_.worked(endpoint, now);
    if (status >= 400 && status < 500) trouble(url(endpoint), "");
    const ServerStatus said = parse_server_status(outcome.body, status);
    if (!outcome.retry_after) outcome.retry_after = said.retry_after;
    if (status < 400) {
      trouble(url(endpoint), at + " redirects elsewhere (" + std::to_string(status) +
                                 "), which is not followed: correct the server's URL in " +
                                 access_.where + ", or --kubernetes-api");
    } else if (status == 401) {
      // It was surely not applied. Who came with an older token comes again with the newer.
      const bool newer =
          call->authorization != credentials_.authorization() || credentials_.refresh(now, true);
      if (newer && !std::exchange(call->tried_credentials, true)) {
        call->tried.pop_back();
        return Verdict::Again;
      }
      trouble("credentials",
              at + " does not take the credentials of " + access_.where +
                  " (401): " + said.message +
                  "; a token or client certificate may have expired or be of another "
                  "cluster: renew it");
    } else if (status == 403) {
      const std::string right = right_of(call->request);
      const bool fresh = forbidden_.size() < kMaxForbidden && forbidden_.insert(right).second;
      if (fresh)
        trouble(right, at + " forbids (403): " + said.message +
                           "; apply the roles that come with this version of Herald");
    } else if (status == 429) {
      if (!outcome.retry_after) outcome.retry_after = kDefaultHold;
      hold(lane_of(call->request), *outcome.retry_after, now);
      trouble("load", at + " has too much to do (429): " + said.message);
    } else if (status >= 500) {
      endpoints_.silent(endpoint, now);
      // A 500 is most often about one request; its sender tells.
      if (status > 500) {
        trouble(url(endpoint),
                at + " cannot serve (" + std::to_string(status) + "): " + said.message);
      }
      call->why = at + " answered " + std::to_string(status) + ": " + said.message;
      return Verdict::Elsewhere;
    }
    return Verdict::Tell;
  }

  // Not all nodes come back at one instant. Leases are a few bytes a second, and everything hangs
  // on them.
  void hold(Lane& lane, Duration wanted, Instant now) {
    if (&lane == &lanes_[static_cast<std::size_t>(Request::Priority::Lease)]) return;
    const Duration wait = std::min(wanted, kMaxHold);
    lane.held_until = std::max(lane.held_until, now + rng_.between(wait, wait + wait / 4));
  }

  // ---- watches

  void open(const CallPtr& watch) {
    if (!watches_.contains(watch->id)) return;
    const Instant now = boot_now();
    const Lane& lane = lane_of(watch->request);
    if (now < lane.held_until && now < watch->deadline) {
      after(watch->timer, std::min(lane.held_until, watch->deadline) - now,
            [this, watch] { open(watch); });
      return;
    }
    look_at_credentials();
    const auto endpoint = endpoints_.choose(watch->tried, now);
    if (!is_path(watch->request.path)) {
      end_watch(watch, "'" + printable(watch->request.path) + "' is no path");
    } else if (now >= watch->deadline) {
      end_watch(watch, watch->why.empty() ? "the API server has too much to do" : watch->why);
    } else if (!endpoint) {
      end_watch(watch, watch->why.empty() ? nobody() : watch->why);
    } else {
      stream(watch, *endpoint);
    }
  }

  void stream(const CallPtr& watch, std::size_t endpoint) {
    watch->tried.push_back(endpoint);
    watch->endpoint = endpoint;
    watch->stream = new_connection(endpoint, kMaxLineBytes);
    const bool others = endpoints_.choose(watch->tried, boot_now()).has_value();
    const Duration left = watch->deadline - boot_now();
    watch->stream->stream(
        http_request(watch, endpoint), others ? left / 2 : left,
        watch->idle > Duration::zero() ? std::optional(watch->idle) : std::nullopt,
        [this, watch](std::string_view line) {
          if (!std::exchange(watch->lives, true)) went_well(watch, watch->endpoint);
          const auto on_line = watch->on_line;  // it may cancel the watch
          on_line(line);
        },
        [this, watch](HttpOutcome outcome) { stream_ended(watch, std::move(outcome)); });
  }

  void stream_ended(const CallPtr& watch, HttpOutcome outcome) {
    watch->stream.reset();
    if (outcome.kind == HttpOutcome::Kind::Answered) {
      if (judge(watch, watch->endpoint, outcome) == Verdict::Again) {
        open(watch);
        return;
      }
      Answer answer = answer_of(std::move(outcome));
      watches_.erase(watch->id);
      std::exchange(watch->done, nullptr)(std::move(answer));
      return;
    }
    watch->maybe_sent |= outcome.kind == HttpOutcome::Kind::MaybeSent;
    failed(watch, watch->endpoint, outcome);
    if (!watch->lives && !outcome.too_large && endpoints_.choose(watch->tried, boot_now())) {
      open(watch);
    } else {
      end_watch(watch, watch->why);
    }
  }

  void end_watch(const CallPtr& watch, std::string why) {
    watches_.erase(watch->id);
    end(watch, watch->maybe_sent ? Answer::Kind::Unknown : Answer::Kind::NotSent, std::move(why));
  }

  static void close(Call& watch) {
    watch.timer.cancel();
    watch.done = nullptr;
    if (watch.stream) std::exchange(watch.stream, nullptr)->close();
  }

  asio::io_context& loop_;
  const Access access_;
  Credentials credentials_;
  const Say say_;
  Rng rng_;
  Endpoints endpoints_;
  std::array<Lane, 3> lanes_;  // by Priority
  std::map<HttpConnection*, std::shared_ptr<HttpConnection>> busy_;
  asio::steady_timer sweep_;
  bool sweeping_ = false;
  std::map<std::uint64_t, CallPtr> watches_;
  std::uint64_t last_watch_ = 0;
  std::string last_refusal_;
  Troubles troubles_;
  std::set<std::string> said_, forbidden_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace

Result<std::unique_ptr<Client>> make_client(asio::io_context& loop, Access access,
                                            std::uint64_t seed, Say say) {
  if (access.servers.empty()) {
    return error("kubernetes: no API server is named: give --kubernetes-api https://HOST:PORT");
  }
  const bool proven = !access.token.empty() || !access.token_file.empty() ||
                      !access.client_cert.empty() || !access.client_cert_file.empty();
  for (const HttpUrl& server : access.servers) {
    if (!server.tls && proven) {
      return error("kubernetes: " + to_string(server) +
                   " has no TLS: whoever listens would have the credentials of " + access.where +
                   "; write https://");
    }
  }
  Credentials credentials(access);
  if (const auto loaded = credentials.load(boot_now()); !loaded) return error(loaded.error());
  return std::make_unique<HttpClient>(loop, std::move(access), std::move(credentials), seed,
                                      std::move(say));
}

}  // namespace herald::kube
