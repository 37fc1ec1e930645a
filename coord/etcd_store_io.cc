#include "coord/etcd_store_io.h"

#include <algorithm>
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
#include "coord/document_wire.h"
#include "coord/etcd_identity.h"
#include "coord/etcd_watch_io.h"
#include "coord/etcd_wire.h"

namespace herald::coord {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kParallel = 24;  // a failover writes 21 documents at once
constexpr unsigned kPage = 512;
constexpr int kListTimeouts = 8;
constexpr Duration kFirstListPause = 50ms;
constexpr Duration kLongestListPause = 2s;
constexpr const char* kClosed = "the store was closed";

class EtcdStore : public Store {
 public:
  EtcdStore(EtcdStoreOptions options, StoreCallbacks callbacks)
      : prefix_(std::move(options.prefix)),
        timeout_(options.access.timeout),
        callbacks_(std::move(callbacks)),
        work_(loop_.get_executor()),
        expiry_(loop_),
        relist_(loop_),
        rng_(options.access.seed + 1),
        client_(loop_, std::move(options.access), say_to()),
        watch_(loop_, client_, prefix_, 1s + timeout_,
               {[this](const EtcdWatchReply& reply) { tell(reply); }, [this] { list_for_watch(); },
                say_to()}) {}
  ~EtcdStore() override { close(); }

  void start() {
    asio::post(loop_, [this] { list_for_watch(); });
    thread_ = std::thread([this] { loop_.run(); });
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
  struct Pending {
    std::uint64_t id = 0;
    StoreRequest request;
    std::string key;  // empty: a list
    Instant deadline;
    std::int64_t floor = 0;  // identity_.highest() when it was sent
  };
  struct Listing {
    Instant deadline;
    std::int64_t floor = 0, revision = 0;
    unsigned page = kPage;
    std::string from;
    std::int64_t newest = 0;
    std::vector<Document> documents;
    std::function<void(Result<void>)> done;
  };

  EtcdClient::Say say_to() {
    return
        [this](const std::string& subject, const std::string& sentence) { say(subject, sentence); };
  }

  void accept(std::uint64_t id, StoreRequest request);
  void serve_waiting();
  void expire_waiting();
  void run(Pending pending);
  void answer(const Pending& pending, StoreReply reply);
  void finish(std::uint64_t run, const EtcdAnswer& reply);
  void settle_full(std::uint64_t run, const EtcdAnswer& refused);
  StoreReply read_reply(const Pending& pending, const EtcdAnswer& answer);
  CasReply cas_reply(const Pending& pending, const EtcdAnswer& answer);
  static StoreReply failure(const StoreRequest& request, const std::string& why,
                            CasOutcome outcome = CasOutcome::NotSent);

  void list(std::shared_ptr<Listing> listing);
  void list_for_watch();
  void tell(const EtcdWatchReply& reply);
  Result<Document> document(const EtcdKeyValue& kv);
  bool same_etcd(const EtcdHeader& header, std::int64_t floor, const std::string& endpoint);
  void lose(const std::string& sentence);
  void say(const std::string& subject, const std::string& sentence);
  void shut_down();

  const std::string prefix_;
  const Duration timeout_;
  const StoreCallbacks callbacks_;

  asio::io_context loop_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  asio::steady_timer expiry_, relist_;
  Rng rng_;
  EtcdClient client_;
  EtcdWatch watch_;
  std::deque<Pending> waiting_;  // deadlines rise
  std::map<std::uint64_t, Pending> running_;
  std::uint64_t last_run_ = 0;
  std::set<std::string> busy_keys_;
  Troubles troubles_;
  EtcdIdentity identity_;
  std::string lost_;  // why nothing may be done any more
  Duration list_pause_ = kFirstListPause;
  bool down_ = false;

  std::mutex mutex_;
  bool closing_ = false;  // under mutex_
  std::mutex join_mutex_;
  std::thread thread_;
};

StoreReply EtcdStore::failure(const StoreRequest& request, const std::string& why,
                              CasOutcome outcome) {
  if (std::holds_alternative<CasDocument>(request)) return CasReply{outcome, why};
  return StoreFailed{why};
}

void EtcdStore::answer(const Pending& pending, StoreReply reply) {
  callbacks_.reply(pending.id, std::move(reply));
}

// ---- one document

void EtcdStore::accept(std::uint64_t id, StoreRequest request) {
  Pending pending{id, std::move(request), {}, boot_now() + timeout_, 0};
  if (!lost_.empty()) {
    answer(pending, failure(pending.request, lost_));
    return;
  }
  if (std::holds_alternative<ListDocuments>(pending.request)) {
    auto listing = std::make_shared<Listing>();
    listing->deadline = boot_now() + timeout_ * kListTimeouts;
    const std::uint64_t run = ++last_run_;
    running_[run] = pending;
    listing->done = [this, run, raw = listing.get()](const Result<void>& ok) {
      const auto it = running_.find(run);
      if (it == running_.end()) return;
      const Pending asked = std::move(it->second);
      running_.erase(it);
      if (ok) watch_.expect(raw->newest);
      answer(asked, ok ? StoreReply(ListReply{std::move(raw->documents)})
                       : StoreReply(StoreFailed{ok.error()}));
      serve_waiting();
    };
    list(std::move(listing));
    return;
  }
  if (const auto* cas = std::get_if<CasDocument>(&pending.request)) {
    if (cas->base.value >= std::numeric_limits<std::int64_t>::max() ||
        revision_of(cas->document) != cas->base.next()) {
      answer(pending, CasReply{CasOutcome::NotSent, "the document's rev is not base + 1"});
      return;
    }
    pending.key = key_of(cas->document).str();
  } else {
    pending.key = std::get<ReadDocument>(pending.request).key.str();
  }
  waiting_.push_back(std::move(pending));
  serve_waiting();
}

void EtcdStore::serve_waiting() {
  for (auto it = waiting_.begin(); it != waiting_.end() && running_.size() < kParallel;) {
    if (busy_keys_.contains(it->key)) {
      ++it;
      continue;
    }
    Pending pending = std::move(*it);
    it = waiting_.erase(it);
    run(std::move(pending));
  }
  expire_waiting();
}

void EtcdStore::expire_waiting() {
  const Instant now = boot_now();
  while (!waiting_.empty() && waiting_.front().deadline <= now) {
    const Pending late = std::move(waiting_.front());
    waiting_.pop_front();
    answer(late, failure(late.request, "etcd took longer than " + to_string(timeout_) +
                                           " for the requests before this one"));
  }
  if (waiting_.empty()) return;
  expiry_.expires_after(waiting_.front().deadline - now);
  expiry_.async_wait([this](boost::system::error_code canceled) {
    if (!canceled && !down_) expire_waiting();
  });
}

void EtcdStore::run(Pending pending) {
  const Duration left = pending.deadline - boot_now();
  pending.floor = identity_.highest();
  busy_keys_.insert(pending.key);
  const std::uint64_t run = ++last_run_;
  const auto* cas = std::get_if<CasDocument>(&pending.request);
  const std::string key = prefix_ + pending.key;
  std::string body =
      cas != nullptr ? etcd_cas(key, cas->base, print_document(cas->document)) : etcd_read(key);
  running_[run] = std::move(pending);
  client_.call(cas != nullptr ? EtcdClient::Kind::Write : EtcdClient::Kind::Read,
               cas != nullptr ? kEtcdTxn : kEtcdRange, std::move(body), left,
               [this, run](const EtcdAnswer& reply) {
                 if (reply.full && reply.kind == EtcdAnswer::Kind::Unknown) {
                   settle_full(run, reply);
                 } else {
                   finish(run, reply);
                 }
               });
}

void EtcdStore::finish(std::uint64_t run, const EtcdAnswer& reply) {
  const auto it = running_.find(run);
  if (it == running_.end()) return;
  const Pending asked = std::move(it->second);
  running_.erase(it);
  busy_keys_.erase(asked.key);
  if (std::holds_alternative<CasDocument>(asked.request)) {
    answer(asked, cas_reply(asked, reply));
  } else {
    answer(asked, read_reply(asked, reply));
  }
  serve_waiting();
}

// A full etcd may have applied the write that it refuses. A CAS of unknown outcome would cost the
// node its right although etcd is there and says so; etcd has decided when it answers, so a read
// tells. If the document is past the base, by whomever, that read's rev is for the core to see.
void EtcdStore::settle_full(std::uint64_t run, const EtcdAnswer& refused) {
  const auto it = running_.find(run);
  if (it == running_.end()) return;
  client_.call(EtcdClient::Kind::Read, kEtcdRange, etcd_read(prefix_ + it->second.key), timeout_,
               [this, run, refused](const EtcdAnswer& read) {
                 const auto asked = running_.find(run);
                 if (asked == running_.end()) return;
                 EtcdAnswer settled = refused;
                 const auto range = parse_etcd_range(read.body);
                 if (read.kind == EtcdAnswer::Kind::Ok && range &&
                     same_etcd(range->header, asked->second.floor, read.endpoint)) {
                   const std::int64_t version = range->kvs.empty() ? 0 : range->kvs[0].version;
                   const Revision base = std::get<CasDocument>(asked->second.request).base;
                   if (static_cast<std::uint64_t>(version) == base.value) {
                     settled.kind = EtcdAnswer::Kind::NotDone;
                   }
                 }
                 finish(run, settled);
               });
}

CasReply EtcdStore::cas_reply(const Pending& pending, const EtcdAnswer& answer) {
  if (answer.kind == EtcdAnswer::Kind::NotDone) return {CasOutcome::NotSent, answer.why};
  if (answer.kind == EtcdAnswer::Kind::Unknown) return {CasOutcome::Unknown, answer.why};
  const auto txn = parse_etcd_txn(answer.body);
  if (!txn) {
    return {CasOutcome::Unknown,
            "etcd at " + answer.endpoint + " answered a write wrongly: " + txn.error()};
  }
  if (!same_etcd(txn->header, pending.floor, answer.endpoint)) return {CasOutcome::Unknown, lost_};
  if (!txn->succeeded) return {CasOutcome::Conflict, {}};
  watch_.expect(txn->header.revision);
  return {CasOutcome::Won, {}};
}

StoreReply EtcdStore::read_reply(const Pending& pending, const EtcdAnswer& answer) {
  if (answer.kind != EtcdAnswer::Kind::Ok) return StoreFailed{answer.why};
  const auto range = parse_etcd_range(answer.body);
  if (!range) {
    return StoreFailed{"etcd at " + answer.endpoint + " answered a read wrongly: " + range.error()};
  }
  if (!same_etcd(range->header, pending.floor, answer.endpoint)) return StoreFailed{lost_};
  if (range->kvs.empty()) return ReadReply{};
  if (range->kvs[0].key != prefix_ + pending.key) {
    return StoreFailed{"etcd at " + answer.endpoint + " answered for another key than " +
                       pending.key};
  }
  auto found = document(range->kvs[0]);
  if (!found) return StoreFailed{found.error()};
  return ReadReply{std::move(*found)};
}

// ---- all documents

void EtcdStore::list(std::shared_ptr<Listing> listing) {
  const Duration left = listing->deadline - boot_now();
  if (listing->from.empty()) {
    listing->from = prefix_;
    listing->floor = identity_.highest();
  }
  std::string body = etcd_list(prefix_, listing->from, listing->page, listing->revision);
  client_.call(EtcdClient::Kind::Read, kEtcdRange, std::move(body), std::min(left, timeout_ * 2),
               [this, listing](const EtcdAnswer& answer) {
                 if (answer.too_large && listing->page > 1) {
                   listing->page /= 8;
                   listing->page = std::max(listing->page, 1U);
                   list(listing);
                   return;
                 }
                 if (answer.kind != EtcdAnswer::Kind::Ok) {
                   listing->done(error(answer.why));
                   return;
                 }
                 const auto range = parse_etcd_range(answer.body);
                 if (!range) {
                   listing->done(error("etcd at " + answer.endpoint +
                                       " answered a list wrongly: " + range.error()));
                   return;
                 }
                 if (!same_etcd(range->header, listing->floor, answer.endpoint)) {
                   listing->done(error(lost_));
                   return;
                 }
                 if (listing->revision == 0) listing->revision = range->header.revision;
                 for (const EtcdKeyValue& kv : range->kvs) {
                   listing->newest = std::max(listing->newest, kv.mod_revision);
                   if (auto found = document(kv)) listing->documents.push_back(std::move(*found));
                 }
                 if (!range->more || range->kvs.back().key < listing->from) {
                   listing->done({});
                   return;
                 }
                 listing->from = range->kvs.back().key + '\0';
                 list(listing);
               });
}

// Everything is told once, so that nothing between a list of the node's and the watch is missed.
void EtcdStore::list_for_watch() {
  auto listing = std::make_shared<Listing>();
  listing->deadline = boot_now() + timeout_ * kListTimeouts;
  listing->done = [this, raw = listing.get()](const Result<void>& ok) {
    if (down_ || !lost_.empty()) return;
    if (ok) {
      list_pause_ = kFirstListPause;
      if (!raw->documents.empty()) callbacks_.changed(std::move(raw->documents));
      watch_.start(raw->revision + 1);
      return;
    }
    // The client has told most of them already.
    if (!troubles_.covers(ok.error())) say("watch", "no watch yet: " + ok.error());
    relist_.expires_after(rng_.between(list_pause_ / 2, list_pause_));
    list_pause_ = std::min(list_pause_ * 2, kLongestListPause);
    relist_.async_wait([this](boost::system::error_code canceled) {
      if (!canceled && !down_) list_for_watch();
    });
  };
  list(std::move(listing));
}

void EtcdStore::tell(const EtcdWatchReply& reply) {
  if (!identity_.same_cluster(reply.header)) {
    // Another cluster: the next request to it says so, and stops everything.
    return;
  }
  std::map<std::string, Document> newest;
  std::vector<std::string> order;  // oldest write first
  for (const auto& event : reply.events) {
    identity_.told(event.kv.mod_revision);
    const std::string key = event.kv.key.substr(std::min(prefix_.size(), event.kv.key.size()));
    if (event.deleted) {
      const std::string sentence = "key '" + event.kv.key + "' was deleted by another program";
      if (key.rfind("table/", 0) == 0) {
        lose(sentence +
             ": which node may answer for its addresses is lost. Stop every heraldd of this "
             "cluster, then start them again");
        return;
      }
      say("document " + key, sentence + "; restart every heraldd to begin it anew");
      continue;
    }
    auto found = document(event.kv);
    if (!found) continue;
    if (newest.contains(key)) order.erase(std::find(order.begin(), order.end(), key));
    order.push_back(key);
    newest.insert_or_assign(key, std::move(*found));
  }
  std::vector<Document> changed;
  changed.reserve(order.size());
  for (const std::string& key : order) changed.push_back(std::move(newest.at(key)));
  if (!changed.empty()) callbacks_.changed(std::move(changed));
}

Result<Document> EtcdStore::document(const EtcdKeyValue& kv) {
  auto found = etcd_document(prefix_, kv);
  const std::string subject = "document " + kv.key.substr(std::min(prefix_.size(), kv.key.size()));
  const std::string why =
      found ? ""
            : "key '" + kv.key + "' of etcd can't be read: " + found.error() +
                  ". If a newer Herald wrote it, upgrade this one. Else stop every heraldd of this "
                  "cluster, then restore etcd from a snapshot, or delete its keys under " +
                  prefix_ + " to begin anew";
  say(subject, why);
  if (!found) return error(why);
  return found;
}

// ---- is this still the etcd that it was?

bool EtcdStore::same_etcd(const EtcdHeader& header, std::int64_t floor,
                          const std::string& endpoint) {
  if (!lost_.empty()) return false;
  const auto same = identity_.answered(header, floor, endpoint);
  if (!same) lose(same.error());
  return same.has_value();
}

void EtcdStore::lose(const std::string& sentence) {
  lost_ = sentence;
  say("etcd", sentence);
  watch_.stop();
  for (const Pending& pending : std::exchange(waiting_, {})) {
    answer(pending, failure(pending.request, lost_));
  }
}

// Empty: that trouble is over.
void EtcdStore::say(const std::string& subject, const std::string& sentence) {
  auto words = troubles_.set(subject, sentence, boot_now());
  if (words && !down_) callbacks_.trouble(std::move(*words));
}

void EtcdStore::shut_down() {
  down_ = true;
  watch_.stop();
  client_.close();
  expiry_.cancel();
  relist_.cancel();
  for (const Pending& pending : std::exchange(waiting_, {})) {
    answer(pending, failure(pending.request, kClosed));
  }
  for (const auto& [run, pending] : std::exchange(running_, {})) {
    answer(pending, failure(pending.request, kClosed, CasOutcome::Unknown));
  }
  work_.reset();
  loop_.stop();
}

}  // namespace

std::unique_ptr<Store> open_etcd_store(EtcdStoreOptions options, StoreCallbacks callbacks) {
  auto store = std::make_unique<EtcdStore>(std::move(options), std::move(callbacks));
  store->start();
  return store;
}

}  // namespace herald::coord
