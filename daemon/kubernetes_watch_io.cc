#include "daemon/kubernetes_watch_io.h"

#include <algorithm>
#include <utility>

#include <boost/asio/io_context.hpp>

#include "base/clock_io.h"
#include "daemon/kubernetes_history.h"

namespace herald::daemon {
namespace {

constexpr unsigned kPage = 500;
constexpr Duration kOpen = 5s;
constexpr Duration kLongestPatience = 60s;

kube::ReflectorOptions reflector_options(const kube::Resource& resource,
                                         const KubernetesWatch::Options& options) {
  kube::ReflectorOptions out;
  out.versions = {resource};
  out.selector = options.selector;
  out.page = kPage;
  out.stream_lists = false;  // some tens of objects: a page, and nothing that an old server lacks
  out.ns = options.ns;
  out.first_wait = 50ms;  // a failover waits for it
  out.longest_wait = 5s;
  return out;
}

}  // namespace

KubernetesWatch::KubernetesWatch(boost::asio::io_context& loop, kube::Client& client,
                                 const kube::Resource& resource, Options options, Rng rng,
                                 Callbacks callbacks)
    : loop_(loop),
      client_(client),
      resource_(resource),
      options_(std::move(options)),
      callbacks_(std::move(callbacks)),
      rng_(rng),
      reflector_(reflector_options(resource_, options_), Rng(rng_.next())),
      timer_(loop),
      overdue_(loop),
      news_(loop) {}

void KubernetesWatch::start() {
  heard_ = boot_now();
  reflector_.start(heard_);
  turn();
}

void KubernetesWatch::stop() {
  stopped_ = true;
  timer_.cancel();
  overdue_.cancel();
  news_.cancel();
  for (const auto& [id, stream] : std::exchange(streams_, {})) client_.cancel(stream);
}

void KubernetesWatch::suspect() {
  if (stopped_) return;
  heard_ = boot_now();
  reflector_.suspect(heard_);
  turn();
}

void KubernetesWatch::poke() {
  if (stopped_) return;
  reflector_.poke(boot_now());
  turn();
}

// Carries out what the reflector wants, until it waits for an answer or for time to pass.
void KubernetesWatch::turn() {
  if (stopped_) return;
  if (said_ != reflector_.trouble()) {
    said_ = reflector_.trouble();
    callbacks_.say("watch " + kube::name_of(resource_), said_);
  }
  for (kube::Ask& next : reflector_.take_asks()) ask(std::move(next));
  for (const kube::Change& change : reflector_.take_changes()) {
    if (stopped_) return;
    take(change);
  }
  if (!stopped_) arm();
}

void KubernetesWatch::arm() {
  auto at = reflector_.next_deadline();
  const bool watched = options_.longest_silence > 0s;
  if (watched) at = earliest(at, heard_ + options_.longest_silence);
  if (!at) return;
  timer_.expires_after(std::max<Duration>(*at - boot_now(), 0s));
  timer_.async_wait([this, watched](boost::system::error_code canceled) {
    if (canceled || stopped_) return;
    const Instant now = boot_now();
    if (watched && now >= heard_ + options_.longest_silence) {
      heard_ = now;
      reflector_.suspect(now);
    }
    reflector_.tick(now);
    turn();
  });
}

void KubernetesWatch::ask(kube::Ask wanted) {
  const std::uint64_t id = wanted.id;
  if (wanted.kind == kube::Ask::Kind::Cancel) {
    const auto stream = streams_.find(id);
    if (stream == streams_.end()) return;
    client_.cancel(stream->second);
    streams_.erase(stream);
    return;
  }
  kube::Request request;
  request.path = std::move(wanted.path);
  const auto answered = [this, id](const kube::Answer& answer) {
    if (stopped_) return;
    streams_.erase(id);
    const bool spoken = answer.kind == kube::Answer::Kind::Answered;
    reflector_.on_reply(
        id, {spoken ? answer.status : 0, answer.body, answer.retry_after, answer.why}, boot_now());
    turn();
  };
  if (wanted.kind == kube::Ask::Kind::List) {
    request.timeout = options_.list_timeout;
    client_.call(std::move(request), answered);
    return;
  }
  request.timeout = kOpen;
  streams_[id] = client_.watch(
      std::move(request), wanted.idle,
      [this, id](std::string_view line) {
        if (stopped_) return;
        heard_ = boot_now();
        reflector_.on_line(id, line, heard_);
        turn();
      },
      answered);
}

void KubernetesWatch::take(const kube::Change& change) {
  const auto* put = std::get_if<kube::Put>(&change);
  const auto* gone = std::get_if<kube::Gone>(&change);
  if (put == nullptr && gone == nullptr) return;
  const kube::ObjectRef& ref = put != nullptr ? put->ref : gone->ref;
  if (!key_of(resource_, ref.name)) return;
  const std::string& text = put != nullptr ? put->text : gone->text;
  if (text.empty()) return callbacks_.lacks(ref.name);
  auto object = parse_object(resource_, text);
  if (!object) {
    callbacks_.say("watch " + kube::name_of(resource_),
                   kube::to_string(ref) + " can't be read: " + object.error());
    return;
  }
  ++news_told_;
  heard_ = boot_now();
  StoredEvent event;
  event.kind = put != nullptr ? StoredEvent::Kind::Written : StoredEvent::Kind::Deleted;
  event.resource_version = object->resource_version;
  event.object = std::move(*object);
  told_ = std::max(told_, version_number(event.resource_version));
  callbacks_.told(event);
}

void KubernetesWatch::expect(const std::string& resource_version, Duration patience) {
  const std::uint64_t version = version_number(resource_version);
  if (stopped_ || version <= told_) return;
  expected_ = std::max(expected_, version);
  const Instant at = boot_now() + patience;
  if (waiting_ && overdue_at_ <= at) return;
  patience_ = patience;
  wait_for(version, at);
}

void KubernetesWatch::wait_for(std::uint64_t version, Instant at) {
  waiting_ = true;
  overdue_at_ = at;
  overdue_.expires_after(std::max<Duration>(at - boot_now(), 0s));
  overdue_.async_wait([this, version](boost::system::error_code canceled) {
    if (canceled || stopped_) return;
    waiting_ = false;
    if (told_ < version) {
      suspect();
      patience_ = std::min(patience_ * 2, kLongestPatience);
    }
    if (told_ < expected_) wait_for(expected_, boot_now() + patience_);
  });
}

void KubernetesWatch::expect_news(Duration patience) {
  if (stopped_) return;
  news_.expires_after(rng_.between(patience, patience * 2));
  news_.async_wait([this, told = news_told_](boost::system::error_code canceled) {
    if (!canceled && !stopped_ && told == news_told_) suspect();
  });
}

}  // namespace herald::daemon
