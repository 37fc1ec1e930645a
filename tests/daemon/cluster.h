// tests/daemon/cluster.h: nodes with a store that answers at once and tells everybody; no
// heartbeats. After every effect at most one node may answer for an IP. What goes wrong in between:
// tests/sim.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include <boost/json.hpp>

#include "config/manifests.h"
#include "daemon/node.h"
#include "daemon/operator_wire.h"
#include "daemon/report.h"
#include "tests/daemon/fake_store.h"

namespace herald::daemon {

namespace json = boost::json;

class Cluster : public testing::Test {
 protected:
  struct Host {
    std::unique_ptr<Node> node;
    std::unique_ptr<coord::Guard> guard;
    l2::Grants grants;
    bool carrier = true;
  };

  explicit Cluster(const std::string& manifests) { manifests_.set_file("home.yaml", manifests); }

  void start(const std::string& name) {
    NodeConfig c;
    c.name = NodeName(name);
    c.machine_id = "machine-" + name;
    c.version = "test";
    c.seed = ++starts_;
    c.policies.cordoned = cordoned_;
    configure(c);
    Host& host = hosts_[name];
    host.guard = std::make_unique<coord::Guard>(c.name, c.guard_timing);
    host.node = std::make_unique<Node>(c, now_);
    link(name, true);
    deliver(name, DesiredRead{std::make_shared<Desired>(manifests_.desired())});
    settle();
  }
  void start_three() {
    for (const char* name : {"n1", "n2", "n3"}) start(name);
    pass(3s);
  }
  // Its power is cut.
  void crash(const std::string& name) { hosts_.erase(name); }

  void link(const std::string& name, bool carrier) {
    Link eth0;
    eth0.index = LinkIndex(2);
    eth0.name = "eth0";
    eth0.mac = *MacAddress::parse("02:00:00:00:00:01");
    eth0.up = eth0.ethernet = true;
    eth0.carrier = carrier;
    eth0.addresses = {{*IpAddress::parse("10.25.150.10" + name.substr(1)), 24}};
    deliver(name, LinksRead{{eth0}});
    settle();
  }
  void read(const std::string& text) {
    manifests_.set_file("home.yaml", text);
    const auto desired = std::make_shared<Desired>(manifests_.desired());
    for (const auto& [name, host] : hosts_) deliver(name, DesiredRead{desired});
    settle();
  }

  void deliver(const std::string& name, Event event) {
    queue_.emplace_back(name, std::move(event));
  }
  void settle() {
    for (int steps = 0; !queue_.empty(); ++steps) {
      ASSERT_LT(steps, 100'000);
      const auto [name, event] = std::move(queue_.front());
      queue_.pop_front();
      const auto host = hosts_.find(name);
      if (host == hosts_.end()) continue;
      for (const Effect& effect : host->second.node->step(event, now_)) perform(name, effect);
    }
  }

  void perform(const std::string& name, const Effect& effect) {
    Host& host = hosts_.at(name);
    if (const auto* g = std::get_if<SetGrants>(&effect)) host.grants.links = g->links;
    if (const auto* g = std::get_if<ApplyGuard>(&effect)) {
      host.guard->apply(g->orders, now_);
      host.grants.deadline = host.guard->deadline();
    }
    if (const auto* a = std::get_if<OperatorAnswered>(&effect)) answers_[a->id] = a->answer;
    if (const auto* a = std::get_if<AskStore>(&effect); a != nullptr && store_answers_) {
      deliver(name, StoreAnswered{a->id, store(a->request)});
    }
    if (const auto* a = std::get_if<AskKube>(&effect)) kube(name, *a);
    if (std::holds_alternative<Exit>(effect)) exited_.insert(name);
    one_speaker_each();
  }

  // With an API server.
  virtual void configure(NodeConfig&) {}
  virtual void kube(const std::string&, const AskKube&) {}

  // Whoever lives hears of what was written.
  coord::StoreReply store(const coord::StoreRequest& request) {
    auto reply = store_.answer(request);
    const auto* cas = std::get_if<coord::CasReply>(&reply);
    if (cas != nullptr && cas->outcome == coord::CasOutcome::Won) {
      const auto& document = std::get<coord::CasDocument>(request).document;
      for (const auto& [name, host] : hosts_) deliver(name, StoreChanged{{document}});
    }
    return reply;
  }

  void pass(Duration d) {
    const Instant until = now_ + d;
    for (int i = 0; i < 100'000; ++i) {
      std::optional<Instant> next;
      for (const auto& [name, host] : hosts_) next = earliest(next, host.node->next_deadline());
      if (!next || *next > until) break;
      now_ = std::max(now_ + 100us, *next);
      for (const auto& [name, host] : hosts_) deliver(name, TimePassed{});
      settle();
    }
    now_ = until;
    for (const auto& [name, host] : hosts_) deliver(name, TimePassed{});
    settle();
  }

  // How many IPs each node may answer for.
  std::map<std::string, std::size_t> speakers() const {
    std::map<std::string, std::size_t> out;
    for (const auto& [name, host] : hosts_) {
      if (now_ >= host.grants.deadline) continue;
      for (const auto& [link, grant] : host.grants.links) out[name] += grant.vips.size();
    }
    return out;
  }
  std::string speaker(const char* vip) const {
    for (const auto& [name, host] : hosts_) {
      if (host.grants.may_answer(LinkIndex(2), *IpAddress::parse(vip), now_)) return name;
    }
    return "nobody";
  }
  void one_speaker_each() const {
    std::set<IpAddress> seen;
    for (const auto& [name, host] : hosts_) {
      if (now_ >= host.grants.deadline) continue;
      for (const auto& [link, grant] : host.grants.links) {
        for (const IpAddress& vip : grant.vips) {
          ASSERT_TRUE(seen.insert(vip).second) << to_string(vip) << " has two";
        }
      }
    }
  }
  // Asks `through`, as heraldctl does; nullopt: it waits.
  std::optional<OperatorAnswer> ask(const std::string& through, const std::string& line) {
    const auto request = parse_operator_request(line);
    EXPECT_TRUE(request && *request) << line;
    if (!request || !*request) return std::nullopt;
    deliver(through, OperatorAsked{++asked_, **request});
    settle();
    return answer(asked_);
  }
  std::optional<OperatorAnswer> answer(std::uint64_t id) const {
    const auto it = answers_.find(id);
    return it == answers_.end() ? std::nullopt : std::optional(it->second);
  }
  json::object report(const std::string& through, const std::string& request) {
    const auto said = json::parse(
        daemon::answer(*hosts_.at(through).node, {"embedded:/x", "packet", {}}, request, now_));
    return said.as_object().at("data").as_object();
  }
  std::string other_than(const std::string& name) const { return name == "n1" ? "n2" : "n1"; }

  Instant now_{1000s};
  config::Manifests manifests_;
  std::map<std::string, Host> hosts_;
  FakeStore store_;
  std::deque<std::pair<std::string, Event>> queue_;
  std::map<std::uint64_t, OperatorAnswer> answers_;
  std::uint64_t asked_ = 0, starts_ = 0;
  std::set<std::string> exited_;
  bool store_answers_ = true;
  Policies::Cordoned cordoned_ = Policies::Cordoned::Keep;  // of those that start
};

}  // namespace herald::daemon
