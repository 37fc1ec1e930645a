// daemon/kubernetes_store_parts_io.h: the store's inside, which its parts share: the order of
// requests (kubernetes_store_io.cc), one document (kubernetes_cas_io.cc), all of them
// (kubernetes_list_io.cc), and those that somebody deleted (kubernetes_put_back_io.cc). One thread
// does it all.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/rng.h"
#include "base/troubles.h"
#include "daemon/kubernetes_history.h"
#include "daemon/kubernetes_store_io.h"
#include "daemon/kubernetes_watch_io.h"

namespace herald::daemon {

namespace asio = boost::asio;

// Something that was surely written is to be told soon: a failover may wait for it.
constexpr Duration kWatchPatience = 300ms;
constexpr Duration kPutBackPause = 500ms;
constexpr const char* kHeralds = "labelSelector=app.kubernetes.io%2Fname%3Dherald";
constexpr const char* kTheSecret = "fieldSelector=metadata.name%3Dherald-cluster";

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

  void request(std::uint64_t id, coord::StoreRequest request) override {
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
    coord::StoreRequest request;
    coord::DocumentKey key;  // of a list: none
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

  void accept(std::uint64_t id, coord::StoreRequest request);
  void enqueue(JobPtr job);
  void serve_waiting();
  void expire_waiting();
  void run(const JobPtr& job);
  void answer(const JobPtr& job, coord::StoreReply reply);
  void fail(const JobPtr& job, const std::string& why);
  void finish(const JobPtr& job, coord::StoreReply reply);

  void call(const JobPtr& job, kube::Request::Method method, std::string body,
            std::function<void(const kube::Answer&, const KubernetesHistory::Mark&)> then);
  void look(const JobPtr& job, std::function<void(Look)> then);
  Look read_look(const JobPtr& job, const kube::Answer& answer,
                 const KubernetesHistory::Mark& mark);
  void read(const JobPtr& job);
  void cas(const JobPtr& job);
  void cas_by_look(const JobPtr& job);
  void write(const JobPtr& job, const std::optional<Replaced>& replaced);
  void written(const JobPtr& job, kube::Request::Method method, const kube::Answer& answer,
               const KubernetesHistory::Mark& mark);
  coord::CasReply won_or_unknown(const JobPtr& job, const std::string& body,
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
  void put_back(const coord::DocumentKey& key, Instant absent_since, Duration pause);
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
  std::set<coord::DocumentKey> busy_;
  std::map<coord::DocumentKey, std::unique_ptr<asio::steady_timer>> put_backs_;  // that are to come
  std::map<coord::DocumentKey, Instant> absent_since_;
  Troubles troubles_;
  KubernetesHistory history_;
  std::string lost_;  // why nothing may be done any more
  bool down_ = false;

  std::mutex mutex_;
  bool closing_ = false;  // under mutex_
  std::mutex join_mutex_;
  std::thread thread_;
};

}  // namespace herald::daemon
