#include "coord/etcd_watch_io.h"

#include <algorithm>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/clock_io.h"

namespace herald::coord {

namespace asio = boost::asio;

namespace {

// What one answer tells after a long pause may be longer: then a list costs less.
constexpr std::size_t kMaxLineBytes = 32U << 20;
constexpr Duration kFirstPause = 20ms;
constexpr Duration kLongestPause = 1s;
// Another seed than the client's, so that not both are on the endpoint that is about to fail.
constexpr std::uint64_t kOtherSeed = 0x77617463;

}  // namespace

class EtcdWatch::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::io_context& loop, EtcdClient& client, std::string prefix, Duration patience,
       Callbacks callbacks)
      : loop_(loop),
        client_(client),
        prefix_(std::move(prefix)),
        patience_(patience),
        callbacks_(std::move(callbacks)),
        retry_(loop),
        overdue_(loop),
        rng_(client.access().seed ^ kOtherSeed),
        endpoints_(client.access().endpoints.size(), Rng(rng_.next())) {}

  void start(std::int64_t revision) {
    stop();
    running_ = true;
    next_ = revision;
    pause_ = kFirstPause;
    open();
  }

  void stop() {
    running_ = false;
    ++turn_;
    retry_.cancel();
    overdue_.cancel();
    if (connection_) std::exchange(connection_, nullptr)->close();
  }

  void expect(std::int64_t revision) {
    if (!running_ || revision < next_) return;
    expected_ = std::max(expected_, revision);
    if (waiting_) return;
    waiting_ = true;
    const auto wanted = expected_;
    overdue_.expires_after(patience_);
    overdue_.async_wait([self = shared_from_this(), wanted](boost::system::error_code canceled) {
      self->waiting_ = false;
      if (canceled || !self->running_) return;
      if (self->next_ <= wanted) {
        self->ended("it does not tell of revision " + std::to_string(wanted) +
                    ", which was written");
      } else if (self->next_ <= self->expected_) {
        self->expect(self->expected_);
      }
    });
  }

 private:
  std::string url() const { return to_string(client_.access().endpoints[endpoint_]); }

  void open() {
    const auto endpoint = endpoints_.choose({}, boot_now());
    if (!endpoint) {
      again();
      return;
    }
    endpoint_ = *endpoint;
    client_.with_token([self = shared_from_this(), turn = turn_](const Result<std::string>& token) {
      if (turn != self->turn_) return;
      if (token) {
        self->stream(*token);
      } else {
        self->again();  // the client says why
      }
    });
  }

  void stream(const std::string& token) {
    token_ = token;
    connection_ = make_http_connection(loop_, client_.access().endpoints[endpoint_],
                                       client_.access().tls, kMaxLineBytes, kMaybeTls);
    connection_->stream(
        {kEtcdWatch, etcd_watch(prefix_, next_), token}, std::max<Duration>(patience_, 1s),
        std::nullopt,
        [self = shared_from_this(), turn = turn_](std::string_view line) {
          if (turn == self->turn_) self->take(line);
        },
        [self = shared_from_this(), turn = turn_](const HttpOutcome& outcome) {
          if (turn != self->turn_) return;
          if (outcome.kind == HttpOutcome::Kind::Answered && outcome.status != 200) {
            const EtcdError failed = parse_etcd_error(outcome.status, outcome.body);
            if (failed.bad_token) self->client_.forget_token(self->token_);
            self->ended(failed.message);
          } else if (outcome.too_large) {
            self->relist();
          } else {
            self->ended(outcome.why, outcome.kind == HttpOutcome::Kind::NotSent);
          }
        });
  }

  void take(std::string_view line) {
    const auto reply = parse_etcd_watch(line);
    if (!reply) {
      ended("its words are not etcd's: " + reply.error());
      return;
    }
    if (reply->compact_revision > 0) {
      relist();
      return;
    }
    if (reply->canceled) {
      // Without a reason it may be the token, or a right that is missing.
      client_.forget_token(token_);
      ended(reply->cancel_reason.empty()
                ? "etcd canceled it; if it has users, may this one read " + prefix_ + "?"
                : "etcd canceled it: " + reply->cancel_reason);
      return;
    }
    endpoints_.worked(endpoint_, boot_now());
    callbacks_.say("watch", "");
    if (reply->created) return;
    pause_ = kFirstPause;
    std::int64_t seen = reply->events.empty() ? reply->header.revision : 0;  // empty: progress
    for (const auto& event : reply->events) seen = std::max(seen, event.kv.mod_revision);
    next_ = std::max(next_, seen + 1);
    if (!reply->events.empty()) callbacks_.events(*reply);
  }

  void relist() {
    stop();
    callbacks_.compacted();
  }

  void ended(const std::string& why, bool refused = false) {
    if (refused) {
      endpoints_.refused(endpoint_, boot_now());
    } else {
      endpoints_.silent(endpoint_, boot_now());
    }
    callbacks_.say("watch", "the watch at " + url() + " ended: " + why +
                                "; it is resumed, and everything is read again every 10 s");
    if (connection_) std::exchange(connection_, nullptr)->close();
    again();
  }

  void again() {
    ++turn_;
    retry_.expires_after(rng_.between(pause_ / 2, pause_));
    pause_ = std::min(pause_ * 2, kLongestPause);
    retry_.async_wait(
        [self = shared_from_this(), turn = turn_](boost::system::error_code canceled) {
          if (!canceled && turn == self->turn_) self->open();
        });
  }

  asio::io_context& loop_;
  EtcdClient& client_;
  const std::string prefix_;
  const Duration patience_;
  const Callbacks callbacks_;
  asio::steady_timer retry_, overdue_;
  Rng rng_;
  Endpoints endpoints_;

  std::shared_ptr<HttpConnection> connection_;
  std::size_t endpoint_ = 0;
  std::string token_;
  bool running_ = false, waiting_ = false;
  std::uint64_t turn_ = 0;  // counts streams and pauses
  std::int64_t next_ = 0;   // the first revision that was not told
  std::int64_t expected_ = 0;
  Duration pause_ = kFirstPause;
};

EtcdWatch::EtcdWatch(asio::io_context& loop, EtcdClient& client, std::string prefix,
                     Duration patience, Callbacks callbacks)
    : impl_(std::make_shared<Impl>(loop, client, std::move(prefix), patience,
                                   std::move(callbacks))) {}
EtcdWatch::~EtcdWatch() {
  impl_->stop();
}
void EtcdWatch::start(std::int64_t revision) {
  impl_->start(revision);
}
void EtcdWatch::expect(std::int64_t revision) {
  impl_->expect(revision);
}
void EtcdWatch::stop() {
  impl_->stop();
}

}  // namespace herald::coord
