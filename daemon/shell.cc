#include "daemon/shell.h"

#include <spdlog/spdlog.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <functional>
#include <iterator>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <utility>
#include <variant>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/check.h"
#include "base/clock_io.h"
#include "bgp/peer_io.h"
#include "config/manifests_io.h"
#include "coord/heartbeat_io.h"
#include "coord/store_io.h"
#include "daemon/node.h"
#include "daemon/systemd_io.h"
#include "kube/source_io.h"
#include "l2/packet_io.h"
#include "net/netlink_io.h"

namespace herald::daemon {

namespace asio = boost::asio;
using Descriptor = asio::posix::stream_descriptor;
using ErrorCode = boost::system::error_code;

namespace {

constexpr auto kDebounce = std::chrono::milliseconds(50);  // an editor writes in several steps
// Whoever stops a process group and its members signals us twice: that is one wish.
constexpr Duration kSameSignal = 500ms;
constexpr auto kWallClockEvery = std::chrono::minutes(1);
constexpr auto kLookAgain = std::chrono::seconds(5);  // manifests, links that had a problem
// A machine whose deadline lies in the past after a tick is wrong, but must not eat the processor.
constexpr Duration kShortestWait = 1ms;

spdlog::level::level_enum level_of(Log::Level level) {
  switch (level) {
    case Log::Level::Warning:
      return spdlog::level::warn;
    case Log::Level::Error:
      return spdlog::level::err;
    case Log::Level::Info:
      break;
  }
  return spdlog::level::info;
}

HeartbeatFacts heartbeat_facts(const coord::HeartbeatThread& thread) {
  const coord::HeartbeatStats stats = thread.stats();
  return {thread.port(),       stats.scheduling,
          stats.delay,         stats.datagrams_in,
          stats.datagrams_out, stats.bad_mac + stats.other_cluster + stats.malformed,
          stats.send_errors,   stats.last_error,
          stats.last_refused};
}

}  // namespace

class Shell::Impl {
 public:
  Impl(asio::io_context& loop, config::ManifestOptions options)
      : loop_(loop),
        clock_(loop),
        links_ready_(loop),
        manifests_ready_(loop),
        debounce_(loop),
        look_again_(loop),
        wall_clock_(loop),
        signals_(loop, SIGTERM, SIGINT, SIGHUP),
        manifests_(std::move(options)) {}
  ~Impl() { release(); }

  bool run(Node& node, const Parts& parts);
  void post(Event event);
  void post_store_trouble(std::string sentence);
  void post_kube_trouble(std::string sentence);
  void post_seen(std::shared_ptr<const kube::Observed> observed,
                 std::shared_ptr<const Desired> desired);
  void ask(OperatorRequest request, std::function<void(const OperatorAnswer&)> answered);
  ShellFacts facts() const;
  config::Manifests manifests() const {
    return parts_ && parts_->source != nullptr ? parts_->source->manifests() : manifests_;
  }

 private:
  // The seam.
  void feed(Event event);
  void step();
  void perform(SetGrants& e);
  void serve_links();
  void perform(ApplyGuard& e);
  void perform(SendFrame& e) { parts_->responder.send(e.link, e.frame); }
  void perform(AskStore& e) { parts_->store.request(e.id, std::move(e.request)); }
  void perform(AskKube& e);
  void perform(ActBgp& e) { parts_->peers.perform(e.peer, e.action); }
  void perform(OperatorAnswered& e);
  void perform(Log& e) { spdlog::log(level_of(e.level), "{}", e.text); }
  void perform(Exit&);

  // The clock.
  void open_clock();
  void arm_clock();
  void wait_for_clock();

  // The senses.
  void wait_for_links();
  void read_links();
  void reopen_links(const std::string& why);
  void tell_wall_clock();
  void wait_for_manifests();
  void read_manifests(bool first);
  void wait_to_look_again();
  void wait_for_signals();
  void report_link_problems(const std::vector<l2::LinkProblem>& problems);
  void report_problems(const Desired& desired);
  void release();

  asio::io_context& loop_;
  Node* node_ = nullptr;
  std::optional<Parts> parts_;
  std::mutex inbox_mutex_;
  std::vector<Event> inbox_;   // under inbox_mutex_: posted, not fed yet
  std::vector<Event> events_;  // fed, not stepped yet
  bool stepping_ = false, exiting_ = false, handed_over_ = false;

  Descriptor clock_, links_ready_, manifests_ready_;
  std::optional<Instant> armed_;
  asio::steady_timer debounce_, look_again_, wall_clock_;
  asio::signal_set signals_;

  config::Manifests manifests_;
  std::set<std::string> said_;                  // problems of manifests that are in the log
  std::optional<l2::LinkGrants> granted_;       // by this step: serve_links() is to come
  std::vector<l2::LinkProblem> link_troubles_;  // with them
  // The grants that some link cannot carry yet, to be applied again.
  std::optional<l2::LinkGrants> unserved_;
  std::map<LinkIndex, std::string> link_problems_;
  std::string links_trouble_;

  std::uint64_t last_asked_ = 0;
  std::map<std::uint64_t, std::function<void(const OperatorAnswer&)>> asked_;
  std::optional<Instant> stop_asked_;  // when the first signal to stop came
};

// ---- the seam
// ------------------------------------------------------------------------------------

// What is posted while the loop is busy is fed at once when it is not.
void Shell::Impl::post(Event event) {
  const std::lock_guard lock(inbox_mutex_);
  inbox_.push_back(std::move(event));
  if (inbox_.size() > 1) return;
  asio::post(loop_, [this] {
    {
      const std::lock_guard inbox(inbox_mutex_);
      std::move(inbox_.begin(), inbox_.end(), std::back_inserter(events_));
      inbox_.clear();
    }
    step();
  });
}

void Shell::Impl::feed(Event event) {
  events_.push_back(std::move(event));
  step();
}

void Shell::Impl::step() {
  if (stepping_ || node_ == nullptr) return;
  stepping_ = true;
  while (!events_.empty() && !exiting_) {
    const auto events = std::exchange(events_, {});
    for (Effect& effect : node_->step(events, boot_now())) {
      std::visit([this](auto& e) { perform(e); }, effect);
    }
    if (granted_) serve_links();
  }
  stepping_ = false;
  arm_clock();
}

void Shell::Impl::perform(SetGrants& e) {
  link_troubles_ = parts_->responder.apply(e.links);
  granted_ = std::move(e.links);
}

// What may take its time, after the announcements and the writes that go with new grants.
void Shell::Impl::serve_links() {
  for (l2::LinkProblem& problem : parts_->responder.join_groups()) {
    link_troubles_.push_back(std::move(problem));
  }
  unserved_.reset();
  if (!link_troubles_.empty()) unserved_ = std::move(granted_);
  granted_.reset();
  report_link_problems(std::exchange(link_troubles_, {}));
}

void Shell::Impl::perform(ApplyGuard& e) {
  parts_->heartbeats.apply(std::move(e.orders));
}

void Shell::Impl::ask(OperatorRequest request,
                      std::function<void(const OperatorAnswer&)> answered) {
  asked_[++last_asked_] = std::move(answered);
  feed(OperatorAsked{last_asked_, std::move(request)});
}

void Shell::Impl::perform(OperatorAnswered& e) {
  const auto it = asked_.find(e.id);
  if (it == asked_.end()) return;
  const auto answered = std::move(it->second);
  asked_.erase(it);
  answered(e.answer);
}

// Without an API server nothing is there to be told, and the core asks for nothing.
void Shell::Impl::perform(AskKube& e) {
  if (parts_->source != nullptr) parts_->source->write(e.id, std::move(e.write));
}

void Shell::Impl::perform(Exit&) {
  exiting_ = handed_over_ = true;
  loop_.stop();
}

bool Shell::Impl::run(Node& node, const Parts& parts) {
  node_ = &node;
  parts_.emplace(parts);
  open_clock();
  wait_for_signals();
  links_ready_.assign(parts_->links.fd());
  feed(LinksRead{parts_->links.links()});
  wait_for_links();
  tell_wall_clock();
  if (parts_->manifests != nullptr) {
    manifests_ready_.assign(parts_->manifests->fd());
    read_manifests(true);
    wait_for_manifests();
  } else {
    parts_->source->start();
  }
  wait_to_look_again();
  notify_systemd("READY=1");
  loop_.run();
  release();
  node_ = nullptr;
  parts_.reset();
  return handed_over_;
}

// The descriptors of the monitor and the watcher are theirs to close.
void Shell::Impl::release() {
  if (links_ready_.is_open()) links_ready_.release();
  if (manifests_ready_.is_open()) manifests_ready_.release();
}

// ---- the clock
// -----------------------------------------------------------------------------------

void Shell::Impl::open_clock() {
  const int fd = ::timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
  HERALD_CHECK(fd >= 0);
  clock_.assign(fd);
  wait_for_clock();
}

void Shell::Impl::arm_clock() {
  auto deadline = node_->next_deadline();
  if (deadline == kNever) deadline.reset();
  if (deadline) deadline = std::max(*deadline, boot_now() + kShortestWait);
  if (deadline == armed_) return;
  armed_ = deadline;
  itimerspec setting{};  // zero: off
  if (deadline) {
    const auto since_boot = deadline->time_since_epoch();
    const auto whole = std::chrono::duration_cast<std::chrono::seconds>(since_boot);
    setting.it_value.tv_sec = whole.count();
    setting.it_value.tv_nsec = (since_boot - whole).count();
  }
  HERALD_CHECK(::timerfd_settime(clock_.native_handle(), TFD_TIMER_ABSTIME, &setting, nullptr) ==
               0);
}

void Shell::Impl::wait_for_clock() {
  clock_.async_wait(Descriptor::wait_read, [this](ErrorCode bad) {
    if (bad) return;
    std::uint64_t times = 0;
    if (::read(clock_.native_handle(), &times, sizeof times) == sizeof times) {
      armed_.reset();
      feed(TimePassed{});
    }
    wait_for_clock();
  });
}

// ---- the senses
// ----------------------------------------------------------------------------------

void Shell::Impl::wait_for_links() {
  links_ready_.async_wait(Descriptor::wait_read, [this](ErrorCode bad) {
    if (bad) return;
    read_links();
    if (links_ready_.is_open()) wait_for_links();
  });
}

void Shell::Impl::read_links() {
  const auto changed = parts_->links.read();
  if (!changed) {
    reopen_links(changed.error());
  } else if (*changed) {
    feed(LinksRead{parts_->links.links()});
  }
}

// What was known of the links stays until they can be read again: unknown is not empty.
void Shell::Impl::reopen_links(const std::string& why) {
  if (links_ready_.is_open()) links_ready_.release();
  if (links_trouble_ != why) {
    links_trouble_ = why;
    spdlog::error("links {}: they are opened anew", why);
  }
  if (const auto opened = parts_->links.open(); !opened) return;  // look_again_ tries again
  links_trouble_.clear();
  links_ready_.assign(parts_->links.fd());
  feed(LinksRead{parts_->links.links()});
}

void Shell::Impl::wait_for_manifests() {
  manifests_ready_.async_wait(Descriptor::wait_read, [this](ErrorCode bad) {
    if (bad) return;
    debounce_.expires_after(kDebounce);
    debounce_.async_wait([this](ErrorCode cancelled) {
      if (cancelled) return;
      read_manifests(false);
      wait_for_manifests();
    });
  });
}

void Shell::Impl::tell_wall_clock() {
  const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
  feed(WallClockRead{std::chrono::duration_cast<std::chrono::seconds>(since_1970).count()});
  wall_clock_.expires_after(kWallClockEvery);
  wall_clock_.async_wait([this](ErrorCode cancelled) {
    if (!cancelled) tell_wall_clock();
  });
}

void Shell::Impl::read_manifests(bool first) {
  if (parts_->manifests == nullptr) return;
  if (!parts_->manifests->poll_changes(manifests_) && !first) return;
  auto desired = std::make_shared<const Desired>(manifests_.desired());
  report_problems(*desired);
  feed(DesiredRead{std::move(desired)});
}

void Shell::Impl::report_problems(const Desired& desired) {
  std::set<std::string> current;
  for (const Problem& problem : desired.problems) {
    std::string sentence = to_string(problem);
    if (!said_.contains(sentence)) {
      spdlog::log(problem.severity == Severity::Error ? spdlog::level::err : spdlog::level::warn,
                  "{} {}", parts_->source != nullptr ? "object" : "manifest", sentence);
    }
    current.insert(std::move(sentence));
  }
  said_ = std::move(current);
}

void Shell::Impl::report_link_problems(const std::vector<l2::LinkProblem>& problems) {
  std::map<LinkIndex, std::string> current;
  for (const auto& problem : problems) {
    const auto known = link_problems_.find(problem.link);
    if (known == link_problems_.end() || known->second != problem.what) {
      spdlog::warn("l2 {}", problem.what);
    }
    current[problem.link] = problem.what;
  }
  link_problems_ = std::move(current);
}

void Shell::Impl::wait_to_look_again() {
  look_again_.expires_after(kLookAgain);
  look_again_.async_wait([this](ErrorCode cancelled) {
    if (cancelled) return;
    read_manifests(false);
    if (unserved_) {
      SetGrants again{std::move(*unserved_)};
      perform(again);
      serve_links();
    }
    if (!links_ready_.is_open()) {
      reopen_links(links_trouble_);
      if (links_ready_.is_open()) wait_for_links();
    }
    wait_to_look_again();
  });
}

void Shell::Impl::wait_for_signals() {
  signals_.async_wait([this](ErrorCode bad, int signal) {
    if (bad) return;
    if (signal == SIGHUP) {
      spdlog::info(parts_->manifests != nullptr
                       ? "shell SIGHUP: manifests are read again"
                       : "shell SIGHUP: nothing to do, the API server's objects are watched");
      read_manifests(false);
    } else if (stop_asked_ && boot_now() < *stop_asked_ + kSameSignal) {
      spdlog::info("shell the same signal again: it stops already");
    } else if (stop_asked_) {
      spdlog::warn("shell second signal: exits without hand-over");
      exiting_ = true;
      loop_.stop();
    } else {
      spdlog::info("shell {}: hands over and stops", signal == SIGTERM ? "SIGTERM" : "SIGINT");
      notify_systemd("STOPPING=1");
      stop_asked_ = boot_now();
      feed(StopRequested{});
    }
    wait_for_signals();
  });
}

void Shell::Impl::post_store_trouble(std::string sentence) {
  asio::post(loop_, [sentence = std::move(sentence)] { spdlog::warn("store {}", sentence); });
}

void Shell::Impl::post_kube_trouble(std::string sentence) {
  asio::post(loop_, [sentence = std::move(sentence)] { spdlog::warn("kube {}", sentence); });
}

void Shell::Impl::post_seen(std::shared_ptr<const kube::Observed> observed,
                            std::shared_ptr<const Desired> desired) {
  asio::post(loop_, [this, observed = std::move(observed), desired = std::move(desired)] {
    if (observed) events_.push_back(ObjectsSeen{observed});
    if (desired) {
      report_problems(*desired);
      events_.push_back(DesiredRead{desired});
    }
    step();
  });
}

ShellFacts Shell::Impl::facts() const {
  ShellFacts facts;
  facts.wall_clock = std::chrono::system_clock::now();
  if (parts_) facts.heartbeats = heartbeat_facts(parts_->heartbeats);
  for (const auto& [link, what] : link_problems_) facts.warnings.push_back(what);
  if (!links_trouble_.empty()) facts.warnings.push_back("links: " + links_trouble_);
  if (parts_ && parts_->source != nullptr) {
    for (std::string& sentence : parts_->source->warnings()) {
      facts.warnings.push_back(std::move(sentence));
    }
  }
  for (const std::string& sentence : said_) facts.warnings.push_back(sentence);
  return facts;
}

// ---- outside
// -------------------------------------------------------------------------------------

Shell::Shell(asio::io_context& loop, config::ManifestOptions options)
    : impl_(std::make_unique<Impl>(loop, std::move(options))) {}
Shell::~Shell() = default;
void Shell::post(Event event) {
  impl_->post(std::move(event));
}
void Shell::post_store_trouble(std::string sentence) {
  impl_->post_store_trouble(std::move(sentence));
}
void Shell::post_kube_trouble(std::string sentence) {
  impl_->post_kube_trouble(std::move(sentence));
}
void Shell::post_seen(std::shared_ptr<const kube::Observed> observed,
                      std::shared_ptr<const Desired> desired) {
  impl_->post_seen(std::move(observed), std::move(desired));
}
void Shell::ask(OperatorRequest request, std::function<void(const OperatorAnswer&)> answered) {
  impl_->ask(std::move(request), std::move(answered));
}
bool Shell::run(Node& node, Parts parts) {
  return impl_->run(node, parts);
}
ShellFacts Shell::facts() const {
  return impl_->facts();
}
config::Manifests Shell::manifests() const {
  return impl_->manifests();
}

}  // namespace herald::daemon
