#include "kube/source_io.h"

#include <algorithm>
#include <chrono>
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
#include "base/memory_io.h"
#include "kube/client_io.h"
#include "kube/observe.h"
#include "kube/sources.h"
#include "kube/writer_io.h"

namespace herald::kube {
namespace {

namespace asio = boost::asio;

// Many objects change together; then they are told once.
constexpr Duration kTellSoon = 50ms;
// Telling takes the longer the more there is: while changes go on it is done once in so long for
// each object, that is every 250 ms with 5,000.
constexpr Duration kTellEach = 50us;
// What nobody waits for: mostly the statuses that we wrote ourselves.
constexpr Duration kTellLater = 2s;
// After so many changes, once it is calm for so long, what they needed is given back.
constexpr std::size_t kManyChanges = 250;
constexpr Duration kCalm = 3s;
constexpr Duration kListTimeout = 30s, kWatchTimeout = 15s;

constexpr const char* kMetadataOfList =
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";
constexpr const char* kMetadataOfOne =
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";

Reply reply_of(Answer answer) {
  Reply out;
  if (answer.kind == Answer::Kind::Answered) out.status = answer.status;
  out.body = std::move(answer.body);
  out.retry_after = answer.retry_after;
  out.why = std::move(answer.why);
  return out;
}

config::Manifests::ApiObject named(const ObjectRef& ref) {
  return {path_of(ref), api_version(ref.resource), ref.resource.kind.str(), ref.ns, ref.name};
}

class ApiSource : public Source {
 public:
  ApiSource(SourceOptions options, SourceCallbacks callbacks)
      : options_(std::move(options)),
        callbacks_(std::move(callbacks)),
        work_(asio::make_work_guard(loop_)),
        clock_(loop_),
        teller_(loop_),
        tidier_(loop_),
        sources_(source_kinds(), Rng(options_.seed)),
        manifests_(options_.manifests) {}
  ~ApiSource() override { close(); }

  Result<void> make_client() {
    auto client = kube::make_client(
        loop_, options_.access, options_.seed + 1,
        [this](const std::string& subject, const std::string& what) { say(subject, what); });
    if (!client) return error(client.error());
    client_ = std::move(*client);
    writer_.emplace(*client_, [this](std::uint64_t id, WriteAnswer answer) {
      callbacks_.answered(id, std::move(answer));
    });
    return {};
  }

  void start() override {
    thread_ = std::thread([this] {
      sources_.start(boot_now());
      go_on();
      loop_.run();
    });
  }

  void write(std::uint64_t id, Write write) override {
    asio::post(loop_, [this, id, write = std::move(write)]() mutable {
      writer_->ask(id, std::move(write));
    });
  }

  config::Manifests manifests() const override {
    const std::lock_guard lock(mutex_);
    return manifests_;
  }

  std::vector<std::string> warnings() const override {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> out = troubles_;
    for (const auto& [subject, sentence] : client_troubles_) {
      out.push_back("API server: " + sentence);
    }
    return out;
  }

  void close() override {
    work_.reset();
    loop_.stop();
    if (thread_.joinable()) thread_.join();
    writer_.reset();
    client_.reset();
  }

 private:
  // Requests out, changes in, and when to come again.
  void go_on() {
    for (const SourceAsk& ask : sources_.take_asks()) perform(ask);
    take_in(sources_.take_changes());
    note_troubles();
    arm_clock();
  }

  void perform(const SourceAsk& asked) {
    const Ask& ask = asked.ask;
    if (ask.kind == Ask::Kind::Cancel) {
      const auto at = watches_.find(ask.id);
      if (at == watches_.end()) return;
      client_->cancel(at->second);
      watches_.erase(at);
      return;
    }
    Request request;
    request.path = ask.path;
    if (ask.kind == Ask::Kind::List) {
      if (asked.metadata_only) request.accept = kMetadataOfList;
      request.timeout = kListTimeout;
      client_->call(std::move(request), [this, id = ask.id](Answer answer) {
        sources_.on_reply(id, reply_of(std::move(answer)), boot_now());
        go_on();
      });
      return;
    }
    if (asked.metadata_only) request.accept = kMetadataOfOne;
    request.timeout = kWatchTimeout;
    watches_[ask.id] = client_->watch(
        std::move(request), ask.idle,
        [this, id = ask.id](std::string_view line) {
          sources_.on_line(id, line, boot_now());
          go_on();
        },
        [this, id = ask.id](Answer answer) {
          watches_.erase(id);
          sources_.on_reply(id, reply_of(std::move(answer)), boot_now());
          go_on();
        });
  }

  void arm_clock() {
    const auto next = sources_.next_deadline();
    if (next == armed_) return;
    armed_ = next;
    clock_.cancel();
    if (!next) return;
    clock_.expires_after(std::max(*next - boot_now(), Duration(1ms)));
    clock_.async_wait([this](boost::system::error_code cancelled) {
      if (cancelled) return;
      armed_.reset();
      sources_.tick(boot_now());
      go_on();
    });
  }

  // ---- changes ----------------------------------------------------------------------------------

  void take_in(std::vector<SourceChange> changes) {
    if (sources_.settled() && !told_) tell_within(kTellSoon);
    tidy_up(changes.size());
    for (SourceChange& changed : changes) {
      if (const auto* put = std::get_if<Put>(&changed.change)) {
        if (changed.kind->observed) look_at(*put);
        if (changed.kind->wanted) {
          const std::lock_guard lock(mutex_);
          note(manifests_.set_object(named(put->ref), put->text));
        }
      } else if (const auto* gone = std::get_if<Gone>(&changed.change)) {
        if (objects_.erase(gone->ref)) observed_changed();
        if (changed.kind->wanted) {
          const std::lock_guard lock(mutex_);
          note(manifests_.remove_object(named(gone->ref)));
        }
      } else {
        observed_changed();  // a kind is present
        note(config::Change::Wanted);
      }
    }
  }

  // Those who are told have what they make of it in the same memory: they are waited for.
  void tidy_up(std::size_t changes) {
    changes_ += changes;
    if (changes == 0 || changes_ < kManyChanges) return;
    tidier_.expires_after(kCalm);
    tidier_.async_wait([this](boost::system::error_code cancelled) {
      if (cancelled) return;
      changes_ = 0;
      give_memory_back();
    });
  }

  void note(config::Change change) {
    if (change == config::Change::None) return;
    wanted_changed_ = true;
    tell_within(change == config::Change::Wanted ? kTellSoon : kTellLater);
  }
  void observed_changed() {
    observed_changed_ = true;
    tell_within(kTellSoon);
  }

  // A Service that is none of a load balancer, and has nothing of ours, is nobody's to write to.
  static bool may_be_ours(const Put& put, const ObservedObject& seen) {
    if (put.ref.resource.kind != "Service" || !put.ref.resource.group.empty()) return true;
    return !seen.managed.empty() || member(member(put.text, "spec"), "type") == "\"LoadBalancer\"";
  }

  void look_at(const Put& put) {
    auto seen = observe(put.text, options_.field_manager);
    // Of a Node, who it is: its kubelet writes to it all the time, and at length.
    if (seen && put.ref.resource.kind == "Node") {
      ObservedObject node;
      node.uid = std::move(seen->uid);
      seen.emplace(std::move(node));  // assigned, it would keep the room for its long status
    }
    if (!seen || !may_be_ours(put, *seen)) {
      if (objects_.erase(put.ref)) observed_changed();
      return;
    }
    seen->managed = managed_.intern(std::move(seen->managed));
    const auto known = objects_.find(put.ref);
    if (known && *known == *seen) return;
    objects_.set(put.ref, std::move(*seen));
    observed_changed();
  }

  // ---- telling ----------------------------------------------------------------------------------

  void tell_within(Duration time) {
    const Instant now = boot_now();
    const Instant at =
        std::max(now + time, last_told_ + kTellEach * static_cast<long>(objects_.size()));
    if (tell_at_ && *tell_at_ <= at) return;
    tell_at_ = at;
    teller_.expires_after(at - now);
    teller_.async_wait([this](boost::system::error_code cancelled) {
      if (cancelled) return;
      tell_at_.reset();
      tell();
    });
  }

  void tell() {
    if (!sources_.settled()) return;
    std::shared_ptr<const Observed> observed;
    std::shared_ptr<const Desired> desired;
    auto kinds = sources_.present();
    if (observed_changed_ || !told_ || kinds != kinds_) {
      kinds_ = kinds;
      observed = std::make_shared<const Observed>(Observed{objects_, std::move(kinds)});
    }
    if (wanted_changed_ || !told_) {
      const std::lock_guard lock(mutex_);
      desired = std::make_shared<const Desired>(manifests_.desired());
    }
    observed_changed_ = wanted_changed_ = false;
    told_ = true;
    last_told_ = boot_now();
    if (observed || desired) callbacks_.changed(std::move(observed), std::move(desired));
  }

  // ---- trouble ----------------------------------------------------------------------------------

  void say(const std::string& subject, const std::string& sentence) {
    {
      const std::lock_guard lock(mutex_);
      if (sentence.empty()) {
        client_troubles_.erase(subject);
      } else {
        client_troubles_[subject] = sentence;
      }
    }
    callbacks_.trouble(sentence.empty() ? subject + ": the trouble is over" : sentence);
  }

  void note_troubles() {
    auto unread = sources_.unread();
    auto troubles = sources_.troubles();
    if (troubles == troubles_ && unread == unread_) return;
    const std::lock_guard lock(mutex_);
    for (const auto& [path, why] : unread_) {
      if (!unread.contains(path)) manifests_.set_readable(path);
    }
    for (const auto& [path, why] : unread) manifests_.set_unreadable(path, why);
    // While it settles nobody is told, and later that it is being listed is soon over.
    if (unread != unread_ && sources_.settled()) note(config::Change::Wanted);
    for (const std::string& sentence : troubles) {
      const bool news = std::find(troubles_.begin(), troubles_.end(), sentence) == troubles_.end();
      if (news) callbacks_.trouble(sentence);
    }
    if (troubles.empty() && !troubles_.empty()) callbacks_.trouble("everything is read again");
    unread_ = std::move(unread);
    troubles_ = std::move(troubles);
  }

  SourceOptions options_;
  SourceCallbacks callbacks_;
  asio::io_context loop_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  asio::steady_timer clock_, teller_, tidier_;
  std::thread thread_;
  std::unique_ptr<Client> client_;
  std::optional<Writer> writer_;

  Sources sources_;
  std::map<std::uint64_t, std::uint64_t> watches_;  // of an Ask -> of the client
  std::optional<Instant> armed_, tell_at_;
  Instant last_told_ = Instant();
  std::size_t changes_ = 0;  // since memory was given back
  bool wanted_changed_ = false, observed_changed_ = false, told_ = false;
  ObservedObjects objects_;
  Interner<std::string> managed_;
  std::set<std::string> kinds_;
  std::map<std::string, std::string> unread_;

  mutable std::mutex mutex_;  // of what follows
  config::Manifests manifests_;
  std::vector<std::string> troubles_;
  std::map<std::string, std::string> client_troubles_;
};

}  // namespace

Result<std::unique_ptr<Source>> open_source(SourceOptions options, SourceCallbacks callbacks) {
  auto source = std::make_unique<ApiSource>(std::move(options), std::move(callbacks));
  if (const auto made = source->make_client(); !made) return error(made.error());
  return source;
}

}  // namespace herald::kube
