#include "daemon/kubernetes_store_io.h"

#include <chrono>
#include <limits>
#include <utility>

#include "base/clock_io.h"
#include "daemon/kubernetes_store_parts_io.h"

namespace herald::daemon {
namespace {

using coord::CasDocument;
using coord::CasOutcome;
using coord::CasReply;
using coord::StoreFailed;
using coord::StoreReply;
using coord::StoreRequest;

constexpr std::size_t kParallel = 24;  // a failover writes 21 documents at once
constexpr int kListTimeouts = 8;
constexpr const char* kClosed = "the store was closed";

}  // namespace

void KubernetesStore::add_watch(const kube::Resource& resource, const char* selector,
                                Duration longest_silence) {
  KubernetesWatch::Options options;
  options.ns = options_.ns;
  options.selector = selector;
  options.list_timeout = options_.timeout * kListTimeouts;
  options.longest_silence = longest_silence;
  watches_[resource] = std::make_unique<KubernetesWatch>(
      loop_, *client_, resource, options, Rng(rng_.next()),
      KubernetesWatch::Callbacks{
          [this, resource](const StoredEvent& event) { told(resource, event); },
          [this, resource](const std::string& name) { lacks(resource, name); }, say_to()});
}

// ---- requests and their order

void KubernetesStore::accept(std::uint64_t id, StoreRequest request) {
  auto job = std::make_shared<Job>();
  job->id = id;
  job->request = std::move(request);
  job->deadline = boot_now() + options_.timeout;
  if (std::holds_alternative<coord::ListDocuments>(job->request)) job->kind = Job::Kind::List;
  const auto* wanted = std::get_if<CasDocument>(&job->request);
  if (wanted != nullptr) job->kind = Job::Kind::Cas;
  if (down_ || !lost_.empty()) return fail(job, down_ ? kClosed : lost_);
  if (job->kind == Job::Kind::List) {
    job->deadline = boot_now() + options_.timeout * kListTimeouts;
    running_.insert(job);
    list(job, 0, "", nullptr, nullptr);
    return;
  }
  job->key = wanted != nullptr ? key_of(wanted->document)
                               : std::get<coord::ReadDocument>(job->request).key;
  auto object = object_of(job->key, options_.ns);
  if (!object) return fail(job, object.error());
  job->object = std::move(*object);
  if (wanted != nullptr && (wanted->base.value >= std::numeric_limits<std::int64_t>::max() ||
                            revision_of(wanted->document) != wanted->base.next())) {
    return fail(job, "the document's rev is not base + 1");
  }
  enqueue(std::move(job));
}

void KubernetesStore::enqueue(JobPtr job) {
  waiting_.push_back(std::move(job));
  serve_waiting();
}

void KubernetesStore::serve_waiting() {
  for (auto it = waiting_.begin(); it != waiting_.end() && running_.size() < kParallel;) {
    if (busy_.contains((*it)->key)) {
      ++it;
      continue;
    }
    const JobPtr job = std::move(*it);
    it = waiting_.erase(it);
    run(job);
  }
  expire_waiting();
}

void KubernetesStore::expire_waiting() {
  const Instant now = boot_now();
  while (!waiting_.empty() && waiting_.front()->deadline <= now) {
    const JobPtr late = std::move(waiting_.front());
    waiting_.pop_front();
    if (late->kind == Job::Kind::PutBack) {
      put_back(late->key, now, kPutBackPause);
      continue;
    }
    fail(late, "the API server took longer than " + to_string(options_.timeout) +
                   " for the requests before this one");
  }
  if (waiting_.empty()) return;
  expiry_.expires_after(waiting_.front()->deadline - now);
  expiry_.async_wait([this](boost::system::error_code canceled) {
    if (!canceled && !down_) expire_waiting();
  });
}

// Calls nothing back before it returns: the client never does from within.
void KubernetesStore::run(const JobPtr& job) {
  busy_.insert(job->key);
  running_.insert(job);
  switch (job->kind) {
    case Job::Kind::Read:
      return read(job);
    case Job::Kind::Cas:
      return cas(job);
    case Job::Kind::PutBack:
      return run_put_back(job);
    case Job::Kind::List:
      return;
  }
}

void KubernetesStore::answer(const JobPtr& job, StoreReply reply) {
  job->over = true;
  if (job->kind != Job::Kind::PutBack) callbacks_.reply(job->id, std::move(reply));
}

void KubernetesStore::fail(const JobPtr& job, const std::string& why) {
  if (job->kind != Job::Kind::Cas) return answer(job, StoreFailed{why});
  const bool maybe = job->writing || job->writes > 0;
  answer(job, CasReply{maybe ? CasOutcome::Unknown : CasOutcome::NotSent, why});
}

void KubernetesStore::finish(const JobPtr& job, StoreReply reply) {
  if (running_.erase(job) == 0) return;
  if (job->kind != Job::Kind::List) busy_.erase(job->key);
  answer(job, std::move(reply));
  asio::post(loop_, [this] {
    if (!down_) serve_waiting();
  });
}

// ---- words

// Why its document can't be used; empty: it can.
std::string KubernetesStore::readable(const StoredObject& object) {
  const std::string subject = "document " + object.key.str();
  if (object.document) {
    say(subject, "");
    return {};
  }
  const std::string why =
      kube::to_string(*object_of(object.key, options_.ns)) +
      " can't be read: " + object.document.error() +
      ". If a newer Herald wrote it, upgrade this one. Else put it back as it was (an audit log or "
      "a backup has it), or stop every heraldd of this cluster and delete what has the label "
      "app.kubernetes.io/name=herald among leases, iptableshards and secrets of namespace " +
      options_.ns + " to begin anew";
  say(subject, why);
  return why;
}

std::string KubernetesStore::deleted_words(const JobPtr& job) const {
  return kube::to_string(job->object) + " was deleted by hand; it is put back as it was at rev " +
         std::to_string(history_.mark(job->key).rev.value);
}

Readable KubernetesStore::for_people(const coord::Document& document) const {
  const auto now = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::system_clock::now().time_since_epoch());
  const auto* member = std::get_if<coord::MemberDocument>(&document);
  const bool own = member == nullptr || member->node.str() == options_.node;
  return {to_rfc3339(now.count()), own, options_.leader_lease};
}

// ---- the end

void KubernetesStore::lose(const std::string& sentence) {
  if (!lost_.empty()) return;
  lost_ = sentence;
  say("api server", sentence);
  for (auto& [resource, watch] : watches_) watch->stop();
  put_backs_.clear();
  for (const JobPtr& job : std::exchange(waiting_, {})) fail(job, lost_);
}

// Empty: that trouble is over.
void KubernetesStore::say(const std::string& subject, const std::string& sentence) {
  auto words = troubles_.set(subject, sentence, boot_now());
  if (words && !down_) callbacks_.trouble(std::move(*words));
}

void KubernetesStore::shut_down() {
  down_ = true;
  expiry_.cancel();
  put_backs_.clear();
  for (auto& [resource, watch] : watches_) watch->stop();
  for (const JobPtr& job : std::exchange(waiting_, {})) fail(job, kClosed);
  for (const JobPtr& job : std::exchange(running_, {})) fail(job, kClosed);
  watches_.clear();
  client_.reset();
  work_.reset();
  loop_.stop();
}

Result<std::unique_ptr<coord::Store>> open_kubernetes_store(KubernetesStoreOptions options,
                                                            const MakeClient& make,
                                                            coord::StoreCallbacks callbacks) {
  auto store = std::make_unique<KubernetesStore>(std::move(options), std::move(callbacks));
  if (const auto started = store->start(make); !started) return error(started.error());
  return std::unique_ptr<coord::Store>(std::move(store));
}

}  // namespace herald::daemon
