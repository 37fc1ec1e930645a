#include "daemon/kubernetes_store_io.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <limits>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/clock_io.h"
#include "base/troubles.h"
#include "daemon/kubernetes_history.h"
#include "daemon/kubernetes_watch_io.h"

namespace herald::daemon {
namespace {

namespace asio = boost::asio;
using coord::CasDocument;
using coord::CasOutcome;
using coord::CasReply;
using coord::DocumentKey;
using coord::ListReply;
using coord::ReadReply;
using coord::StoreFailed;
using coord::StoreReply;
using coord::StoreRequest;
using Method = kube::Request::Method;

constexpr std::size_t kParallel = 24;  // a failover writes 21 documents at once
constexpr int kListTimeouts = 8;
constexpr int kMaxWrites = 4;  // of one CAS, each refused for want of the newest resourceVersion
constexpr unsigned kPage = 500;
// Something that was surely written is to be told soon: a failover may wait for it.
constexpr Duration kWatchPatience = 300ms;
constexpr Duration kPutBackPause = 500ms;
constexpr Duration kAbsentFor = 5s;  // a document that a list lacks and nobody puts back is lost
constexpr const char* kClosed = "the store was closed";
constexpr const char* kHeralds = "labelSelector=app.kubernetes.io%2Fname%3Dherald";
constexpr const char* kTheSecret = "fieldSelector=metadata.name%3Dherald-cluster";

const char* verb_of(Method method) {
  return method == Method::Post ? "create" : method == Method::Put ? "update" : "get";
}

class KubernetesStore : public coord::Store {
 public:
  KubernetesStore(KubernetesStoreOptions options, coord::StoreCallbacks callbacks)
      : options_(std::move(options)),
        callbacks_(std::move(callbacks)),
        work_(loop_.get_executor()),
        expiry_(loop_),
        rng_(options_.seed + 1) {}
  ~KubernetesStore() override { close(); }

  Result<void> start(const MakeClient& make) {
    auto client = make(loop_, say_to());
    if (!client) return error(client.error());
    client_ = std::move(*client);
    add_watch(lease_resource(), kHeralds, options_.leader_lease + 5s);
    add_watch(shard_resource(), kHeralds, 0s);
    add_watch(secret_resource(), kTheSecret, 0s);
    asio::post(loop_, [this] {
      for (auto& [resource, watch] : watches_) watch->start();
    });
    thread_ = std::thread([this] { loop_.run(); });
    return {};
  }

  void request(std::uint64_t id, StoreRequest request) override {
    const std::lock_guard lock(mutex_);
    if (closing_) return;
    asio::post(loop_, [this, id, r = std::move(request)]() mutable { accept(id, std::move(r)); });
  }

  void close() override {
    {
      const std::lock_guard lock(mutex_);
      if (!closing_) asio::post(loop_, [this] { shut_down(); });
      closing_ = true;
    }
    const std::lock_guard lock(join_mutex_);
    if (thread_.joinable()) thread_.join();
  }

 private:
  // A request to the store until its answer.
  struct Job {
    enum class Kind : std::uint8_t { Read, Cas, List, PutBack } kind = Kind::Read;
    std::uint64_t id = 0;
    StoreRequest request;
    DocumentKey key;  // of a list: none
    kube::ObjectRef object;
    Instant deadline;
    bool writing = false;  // a write is under way, whose outcome is not known
    int writes = 0;        // that were refused for another version
    bool over = false;
    std::vector<coord::Document> listed;
  };
  using JobPtr = std::shared_ptr<Job>;

  // What a consistent read of one object found.
  struct Look {
    std::optional<StoredObject> there;
    bool absent = false;
    bool deleted = false;  // it was there
    std::string why;       // unless there or absent
  };

  kube::Say say_to() {
    return
        [this](const std::string& subject, const std::string& sentence) { say(subject, sentence); };
  }
  void add_watch(const kube::Resource& resource, const char* selector, Duration longest_silence);

  void accept(std::uint64_t id, StoreRequest request);
  void enqueue(JobPtr job);
  void serve_waiting();
  void expire_waiting();
  void run(const JobPtr& job);
  void answer(const JobPtr& job, StoreReply reply);
  void fail(const JobPtr& job, const std::string& why);
  void finish(const JobPtr& job, StoreReply reply);

  void call(const JobPtr& job, Method method, std::string body,
            std::function<void(const kube::Answer&, const KubernetesHistory::Mark&)> then);
  void look(const JobPtr& job, std::function<void(Look)> then);
  Look read_look(const JobPtr& job, const kube::Answer& answer,
                 const KubernetesHistory::Mark& mark);
  void read(const JobPtr& job);
  void cas(const JobPtr& job);
  void cas_by_look(const JobPtr& job);
  void write(const JobPtr& job, const std::optional<Replaced>& replaced);
  void written(const JobPtr& job, Method method, const kube::Answer& answer,
               const KubernetesHistory::Mark& mark);
  CasReply won_or_unknown(const JobPtr& job, const std::string& body,
                          const KubernetesHistory::Mark& mark);
  void settle_full(const JobPtr& job, const std::string& why);

  void list(const JobPtr& job, std::size_t kind, const std::string& next,
            const std::shared_ptr<KubernetesHistory::ListMark>& mark,
            const std::shared_ptr<std::vector<StoredObject>>& objects);
  void list_page(const JobPtr& job, std::size_t kind,
                 const std::shared_ptr<KubernetesHistory::ListMark>& mark,
                 const std::shared_ptr<std::vector<StoredObject>>& objects,
                 const kube::Answer& answer);

  void told(const kube::Resource& resource, const StoredEvent& event);
  void after_news(const coord::Document& document);
  void lacks(const kube::Resource& resource, const std::string& name);
  void put_back(const DocumentKey& key, Instant absent_since, Duration pause);
  void run_put_back(const JobPtr& job);
  KubernetesWatch& watch_of(const kube::ObjectRef& object) { return *watches_.at(object.resource); }

  std::string readable(const StoredObject& object);
  std::string deleted_words(const JobPtr& job) const;
  Readable for_people(const coord::Document& document) const;
  void lose(const std::string& sentence);
  void say(const std::string& subject, const std::string& sentence);
  void shut_down();

  const KubernetesStoreOptions options_;
  const coord::StoreCallbacks callbacks_;

  asio::io_context loop_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  asio::steady_timer expiry_;
  Rng rng_;
  std::unique_ptr<kube::Client> client_;
  std::map<kube::Resource, std::unique_ptr<KubernetesWatch>> watches_;
  std::deque<JobPtr> waiting_;  // deadlines rise, but for what is put back
  std::set<JobPtr> running_;
  std::set<DocumentKey> busy_;
  std::map<DocumentKey, std::unique_ptr<asio::steady_timer>> put_backs_;  // that are to come
  std::map<DocumentKey, Instant> absent_since_;
  Troubles troubles_;
  KubernetesHistory history_;
  std::string lost_;  // why nothing may be done any more
  bool down_ = false;

  std::mutex mutex_;
  bool closing_ = false;  // under mutex_
  std::mutex join_mutex_;
  std::thread thread_;
};

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

// ---- one object

void KubernetesStore::call(
    const JobPtr& job, Method method, std::string body,
    std::function<void(const kube::Answer&, const KubernetesHistory::Mark&)> then) {
  kube::Request request;
  request.method = method;
  request.path =
      method == Method::Post ? path_of(job->object.resource, job->object.ns) : path_of(job->object);
  request.body = std::move(body);
  request.priority = kube::Request::Priority::Lease;
  request.timeout = std::max<Duration>(job->deadline - boot_now(), 1ms);
  const auto mark = history_.mark(job->key);
  client_->call(std::move(request),
                [this, job, mark, then = std::move(then)](const kube::Answer& answer) {
                  if (!job->over) then(answer, mark);
                });
}

void KubernetesStore::look(const JobPtr& job, std::function<void(Look)> then) {
  call(job, Method::Get, "",
       [this, job, then = std::move(then)](const kube::Answer& answer,
                                           const KubernetesHistory::Mark& mark) {
         then(read_look(job, answer, mark));
       });
}

KubernetesStore::Look KubernetesStore::read_look(const JobPtr& job, const kube::Answer& answer,
                                                 const KubernetesHistory::Mark& mark) {
  Look out;
  if (!lost_.empty()) {
    out.why = lost_;
  } else if (answer.kind != kube::Answer::Kind::Answered) {
    out.why = answer.why;
  } else if (!answer.ok()) {
    const Refusal refusal = parse_refusal(answer.status, answer.body, job->object);
    out.absent = refusal.absent && mark.rev.value == 0;
    out.deleted = refusal.absent && !out.absent;
    if (out.deleted) {
      out.why = deleted_words(job);
      watch_of(job->object).suspect();  // it may not have told yet
    } else if (!out.absent) {
      out.why = to_sentence(refusal, answer.status, "get", job->object);
    }
  } else {
    auto object = parse_object(job->object.resource, answer.body);
    if (!object || object->name != job->object.name) {
      out.why = "the API server answered wrongly for " + kube::to_string(job->object) + ": " +
                (object ? "it gave another object" : object.error());
      return out;
    }
    out.why = readable(*object);
    if (!out.why.empty()) return out;
    if (const auto same = history_.answered(*object, mark); !same) {
      lose(same.error());
      out.why = lost_;
      return out;
    }
    watch_of(job->object).expect(object->resource_version, kWatchPatience);
    if (revision_of(*object->document) > mark.rev) after_news(*object->document);
    out.there = std::move(*object);
  }
  return out;
}

void KubernetesStore::read(const JobPtr& job) {
  look(job, [this, job](Look found) {
    if (found.there) return finish(job, ReadReply{std::move(*found.there->document)});
    if (found.absent) return finish(job, ReadReply{});
    finish(job, StoreFailed{found.why});
  });
}

// ---- compare-and-swap

void KubernetesStore::cas(const JobPtr& job) {
  const coord::Revision base = std::get<CasDocument>(job->request).base;
  const auto* seen = history_.find(job->key);
  if (seen == nullptr && base.value == 0) return write(job, std::nullopt);
  if (seen != nullptr && seen->rev == base && !seen->deleted) return write(job, seen->version);
  cas_by_look(job);
}

void KubernetesStore::cas_by_look(const JobPtr& job) {
  look(job, [this, job](Look found) {
    const CasDocument& wanted = std::get<CasDocument>(job->request);
    if (found.absent) {
      // Nothing was ever there, as far as this process knows.
      if (wanted.base.value != 0) return finish(job, CasReply{CasOutcome::Conflict, {}});
      if (job->writes < kMaxWrites) return write(job, std::nullopt);
    } else if (!found.there) {
      // After a write that was refused: of such a refusal alone one can't be sure (a proxy).
      const bool maybe = job->writes > 0 && !found.deleted;
      const auto outcome = maybe ? CasOutcome::Unknown : CasOutcome::NotSent;
      return finish(job, CasReply{outcome, found.why});
    } else if (revision_of(*found.there->document) != wanted.base) {
      // A nonce makes this node's own document its own alone; only for that is A5 a matter of
      // safety. Another's is revoked by several at once, each in the same words.
      const auto* member = std::get_if<coord::MemberDocument>(&wanted.document);
      const bool own = member != nullptr && member->node.str() == options_.node;
      if (own && job->writes > 0 && *found.there->document == wanted.document) {
        return finish(job, CasReply{CasOutcome::Unknown,
                                    kube::to_string(job->object) +
                                        " holds what was written, but the write was refused: does "
                                        "a proxy before the API server repeat requests?"});
      }
      return finish(job, CasReply{CasOutcome::Conflict, {}});
    } else if (job->writes < kMaxWrites) {
      return write(job,
                   Replaced{found.there->uid, found.there->resource_version, found.there->times});
    }
    finish(job, CasReply{CasOutcome::NotSent,
                         kube::to_string(job->object) +
                             " is changed all the time by another program, which must leave it "
                             "alone: see its metadata.managedFields"});
  });
}

void KubernetesStore::write(const JobPtr& job, const std::optional<Replaced>& replaced) {
  const coord::Document& document = std::get<CasDocument>(job->request).document;
  auto body = print_object(document, job->object, replaced, for_people(document));
  say("size of " + job->key.str(), body ? "" : body.error());
  if (!body) {
    // Not from within: the caller may be in the middle of its queue.
    asio::post(loop_, [this, job, why = body.error()] {
      if (!job->over) finish(job, CasReply{CasOutcome::NotSent, why});
    });
    return;
  }
  const Method method = replaced ? Method::Put : Method::Post;
  job->writing = true;
  call(job, method, std::move(*body),
       [this, job, method](const kube::Answer& answer, const KubernetesHistory::Mark& mark) {
         written(job, method, answer, mark);
       });
}

void KubernetesStore::written(const JobPtr& job, Method method, const kube::Answer& answer,
                              const KubernetesHistory::Mark& mark) {
  if (answer.kind != kube::Answer::Kind::Answered) {
    const bool sent = answer.kind == kube::Answer::Kind::Unknown;
    return finish(job, CasReply{sent ? CasOutcome::Unknown : CasOutcome::NotSent, answer.why});
  }
  if (answer.ok()) return finish(job, won_or_unknown(job, answer.body, mark));
  const Refusal refusal = parse_refusal(answer.status, answer.body, job->object);
  const std::string why = to_sentence(refusal, answer.status, verb_of(method), job->object);
  if (refusal.conflict) {
    job->writing = false;
    ++job->writes;
    return cas_by_look(job);
  }
  if (refusal.absent) {
    watch_of(job->object).suspect();
    return finish(job, CasReply{CasOutcome::NotSent, deleted_words(job)});
  }
  if (refusal.not_applied) return finish(job, CasReply{CasOutcome::NotSent, why});
  if (refusal.full) return settle_full(job, why);
  finish(job, CasReply{CasOutcome::Unknown, why});
}

CasReply KubernetesStore::won_or_unknown(const JobPtr& job, const std::string& body,
                                         const KubernetesHistory::Mark& mark) {
  if (!lost_.empty()) return {CasOutcome::Unknown, lost_};
  const auto object = parse_object(job->object.resource, body);
  if (!object || !object->document ||
      *object->document != std::get<CasDocument>(job->request).document) {
    return {CasOutcome::Unknown, "the API server answered a write of " +
                                     kube::to_string(job->object) + " wrongly: " +
                                     (!object             ? object.error()
                                      : !object->document ? object->document.error()
                                                          : "it holds another document; does an "
                                                            "admission webhook change it?")};
  }
  if (const auto same = history_.answered(*object, mark); !same) {
    lose(same.error());
    return {CasOutcome::Unknown, lost_};
  }
  watch_of(job->object).expect(object->resource_version, 1s + options_.timeout);
  after_news(*object->document);
  return {CasOutcome::Won, {}};
}

// A full etcd says so before, instead of or after it applied a write, but never before the write is
// decided: a read tells. Unknown would cost the node its right although the store is there.
void KubernetesStore::settle_full(const JobPtr& job, const std::string& why) {
  job->deadline = boot_now() + options_.timeout;
  look(job, [this, job, why](const Look& found) {
    const coord::Revision base = std::get<CasDocument>(job->request).base;
    const bool still =
        found.absent ? base.value == 0 : found.there && revision_of(*found.there->document) == base;
    finish(job, CasReply{still ? CasOutcome::NotSent : CasOutcome::Unknown, why});
  });
}

// ---- all documents

// The kinds one after the other, the Leases first; of the Secret there is one.
void KubernetesStore::list(const JobPtr& job, std::size_t kind, const std::string& next,
                           const std::shared_ptr<KubernetesHistory::ListMark>& mark,
                           const std::shared_ptr<std::vector<StoredObject>>& objects) {
  const kube::Resource* const kinds[] = {&lease_resource(), &shard_resource(), &secret_resource()};
  if (kind == std::size(kinds)) return finish(job, ListReply{std::move(job->listed)});
  const kube::Resource& resource = *kinds[kind];
  job->object = {resource, options_.ns, ""};
  const auto marked =
      mark ? mark : std::make_shared<KubernetesHistory::ListMark>(history_.list_mark(resource));
  const auto found = objects ? objects : std::make_shared<std::vector<StoredObject>>();
  kube::Request request;
  request.path = path_of(resource, options_.ns) + "?" +
                 (resource == secret_resource() ? kTheSecret : kHeralds) +
                 "&limit=" + std::to_string(kPage) + (next.empty() ? "" : "&continue=" + next);
  request.timeout = std::max<Duration>(job->deadline - boot_now(), 1ms);
  client_->call(std::move(request), [this, job, kind, marked, found](const kube::Answer& answer) {
    if (!job->over) list_page(job, kind, marked, found, answer);
  });
}

void KubernetesStore::list_page(const JobPtr& job, std::size_t kind,
                                const std::shared_ptr<KubernetesHistory::ListMark>& mark,
                                const std::shared_ptr<std::vector<StoredObject>>& objects,
                                const kube::Answer& answer) {
  if (!lost_.empty()) return finish(job, StoreFailed{lost_});
  if (answer.kind != kube::Answer::Kind::Answered) return finish(job, StoreFailed{answer.why});
  if (!answer.ok()) {
    const Refusal refusal = parse_refusal(answer.status, answer.body, job->object);
    return finish(job, StoreFailed{to_sentence(refusal, answer.status, "list", job->object)});
  }
  auto page = parse_list(job->object.resource, answer.body);
  if (!page) {
    return finish(job, StoreFailed{"the API server answered wrongly for " +
                                   kube::name_of(job->object.resource) + ": " + page.error()});
  }
  if (const auto same = history_.listed(page->resource_version, *mark); !same) {
    lose(same.error());
    return finish(job, StoreFailed{lost_});
  }
  for (StoredObject& object : page->objects) {
    const auto at = mark->documents.find(object.key);
    if (readable(object).empty()) {
      const auto same = history_.answered(
          object, at == mark->documents.end() ? KubernetesHistory::Mark() : at->second);
      if (!same) {
        lose(same.error());
        return finish(job, StoreFailed{lost_});
      }
      job->listed.push_back(*object.document);
    }
    objects->push_back(std::move(object));
  }
  watches_.at(job->object.resource)->poke();
  if (!page->next.empty() && !page->objects.empty()) {
    return list(job, kind, page->next, mark, objects);
  }
  for (const DocumentKey& key : KubernetesHistory::lacking(*objects, *mark)) {
    lacks(job->object.resource, object_of(key, options_.ns)->name);
    return finish(job, StoreFailed{"document " + key.str() +
                                   " was deleted by hand; it is put "
                                   "back as it was"});
  }
  list(job, kind + 1, "", nullptr, nullptr);
}

// ---- what others write

void KubernetesStore::told(const kube::Resource& resource, const StoredEvent& event) {
  if (down_ || !lost_.empty()) return;
  const StoredObject& object = *event.object;
  if (!readable(object).empty()) return;
  const auto* before = history_.find(object.key);
  const bool news = before == nullptr || before->rev < revision_of(*object.document);
  if (const auto same = history_.told(resource, event); !same) return lose(same.error());
  if (event.kind == StoredEvent::Kind::Deleted) {
    if (history_.find(object.key)->deleted) put_back(object.key, boot_now(), 0s);
    return;
  }
  callbacks_.changed({*object.document});
  if (news) after_news(*object.document);
}

// The IPs of a member that is revoked are given to others now, and those must learn of it.
void KubernetesStore::after_news(const coord::Document& document) {
  const auto* member = std::get_if<coord::MemberDocument>(&document);
  if (member != nullptr && member->revoked) {
    watches_.at(shard_resource())->expect_news(kWatchPatience);
  }
}

// A list shows less than there was: the watch may not have told yet, or somebody may be putting it
// back.
void KubernetesStore::lacks(const kube::Resource& resource, const std::string& name) {
  const auto key = key_of(resource, name);
  if (down_ || !lost_.empty() || !key || history_.find(*key) == nullptr) return;
  put_back(*key, boot_now(), 0s);
}

void KubernetesStore::put_back(const DocumentKey& key, Instant absent_since, Duration pause) {
  absent_since_.try_emplace(key, absent_since);
  auto& timer = put_backs_[key];
  if (timer) return;
  timer = std::make_unique<asio::steady_timer>(loop_);
  timer->expires_after(pause);
  timer->async_wait([this, key](boost::system::error_code canceled) {
    if (canceled || down_ || !lost_.empty()) return;
    put_backs_.erase(key);
    auto job = std::make_shared<Job>();
    job->kind = Job::Kind::PutBack;
    job->key = key;
    job->object = *object_of(key, options_.ns);
    job->deadline = boot_now() + options_.timeout;
    enqueue(std::move(job));
  });
}

// Whoever sees first that a document was deleted makes it anew as it was last: the same rev, the
// same text, so it does not matter who does. It is created, so a second one fails.
void KubernetesStore::run_put_back(const JobPtr& job) {
  const std::string subject = "deleted " + job->key.str();
  const auto again = [this, job, subject](const std::string& why) {
    const Instant since = absent_since_.at(job->key);
    say(subject, why);
    finish(job, {});
    put_back(job->key, since, kPutBackPause);
  };
  call(
      job, Method::Get, "",
      [this, job, subject, again](const kube::Answer& answer, const KubernetesHistory::Mark& mark) {
        const bool spoken = answer.kind == kube::Answer::Kind::Answered;
        if (spoken && answer.ok()) {
          const Look found = read_look(job, answer, mark);
          if (found.there) {
            absent_since_.erase(job->key);
            say(subject, "");
            return finish(job, {});
          }
          return lost_.empty() ? again(found.why) : finish(job, {});
        }
        const Refusal refusal = parse_refusal(answer.status, answer.body, job->object);
        if (!spoken || !refusal.absent) {
          return again(
              deleted_words(job) + "; but " +
              (spoken ? to_sentence(refusal, answer.status, "get", job->object) : answer.why));
        }
        const auto* seen = history_.find(job->key);
        if (seen == nullptr || !seen->deleted) {
          if (boot_now() < absent_since_.at(job->key) + kAbsentFor) return again("");
          lose(kube::to_string(job->object) +
               " was deleted by hand, and this heraldd does not know what it was last: who may "
               "answer for which IP is lost with it. Stop every heraldd of this cluster, delete "
               "the rest of what has the label app.kubernetes.io/name=herald among leases, "
               "iptableshards and secrets of namespace " +
               options_.ns + ", then start them again");
          return finish(job, {});
        }
        const auto body =
            print_object(*seen->deleted, job->object, std::nullopt, for_people(*seen->deleted));
        if (!body) return again(body.error());
        say(subject, deleted_words(job));
        call(job, Method::Post, *body,
             [this, job, subject, again](const kube::Answer& created,
                                         const KubernetesHistory::Mark& before) {
               // One that is there by now, by whomever, is found by the look that comes next.
               if (created.ok()) {
                 const auto object = parse_object(job->object.resource, created.body);
                 if (object && object->document) {
                   if (const auto same = history_.answered(*object, before); !same) {
                     lose(same.error());
                     return finish(job, {});
                   }
                   absent_since_.erase(job->key);
                   say(subject, "");
                   return finish(job, {});
                 }
               }
               if (created.kind != kube::Answer::Kind::Answered) return again(created.why);
               const Refusal refused = parse_refusal(created.status, created.body, job->object);
               again(refused.conflict || created.ok()
                         ? ""
                         : to_sentence(refused, created.status, "create", job->object));
             });
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

}  // namespace

Result<std::unique_ptr<coord::Store>> open_kubernetes_store(KubernetesStoreOptions options,
                                                            const MakeClient& make,
                                                            coord::StoreCallbacks callbacks) {
  auto store = std::make_unique<KubernetesStore>(std::move(options), std::move(callbacks));
  if (const auto started = store->start(make); !started) return error(started.error());
  return std::unique_ptr<coord::Store>(std::move(store));
}

}  // namespace herald::daemon
