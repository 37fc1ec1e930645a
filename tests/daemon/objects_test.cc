// Whole nodes with an API server: what it is told, and when an IP may go.
#include <gtest/gtest.h>

#include "base/lists.h"
#include "daemon/release_checks.h"
#include "tests/daemon/api_model.h"
#include "tests/daemon/cluster.h"
#include "tests/daemon/home.h"

namespace herald::daemon {
namespace {

class Objects : public Cluster {
 protected:
  Objects() : Cluster("") {}

  void configure(NodeConfig& c) override { c.objects = true; }
  void kube(const std::string& name, const AskKube& ask) override {
    if (ask.write.object.resource.kind != "Service") {
      const auto body = json::parse(ask.write.body);
      if (ask.write.verb == kube::Write::Verb::Create) {
        events_.push_back(std::string(body.at("reason").as_string()) + ": " +
                          std::string(body.at("note").as_string()));
      } else if (ask.write.verb == kube::Write::Verb::ApplyStatus) {
        nodes_[ask.write.object.name] = body.at("status");
      }
      kube::WriteAnswer done;
      done.outcome = kube::WriteAnswer::Outcome::Done;
      deliver(name, KubeAnswered{ask.id, done});
      return;
    }
    ++asked_;
    if (silent_) return;
    if (ask.write.verb == kube::Write::Verb::Look) ++looks_;
    deliver(name, KubeAnswered{ask.id, api_.answer(ask.write)});
    if (watch_works_) show();
  }
  static kube::ObjectRef ref(const std::string& name) { return service_ref({"default", name}); }

  void add(const std::string& name, const std::string& spec = "") {
    api_.create(ref(name));
    specs_[name] = spec;
    show();
  }
  void remove(const std::string& name) {
    api_.remove(ref(name));
    specs_.erase(name);
    show();
  }
  // What every watch shows now.
  void show() {
    for (const auto& [name, host] : hosts_) show_to(name);
  }
  void show_to(const std::string& node) {
    std::string text = home_pool("10.25.150.0/28") + home_policy();
    for (const auto& [name, spec] : specs_) {
      text += "apiVersion: v1\nkind: Service\nmetadata: {name: " + name +
              ", namespace: default, creationTimestamp: \"2026-01-01T00:00:00Z\"}\n"
              "spec: {type: LoadBalancer, clusterIP: 10.96.0.1, ports: [{port: 80}]" +
              (spec.empty() ? "" : ", " + spec) + "}\nstatus: " + api_.status(ref(name)) +
              "\n---\n";
    }
    manifests_.set_file("home.yaml", text);
    const auto desired = std::make_shared<Desired>(manifests_.desired());
    EXPECT_TRUE(desired->complete);
    deliver(node, WallClockRead{1795251600});
    deliver(node, ObjectsSeen{std::make_shared<kube::Observed>(api_.observed("heraldd"))});
    deliver(node, DesiredRead{desired});
  }
  std::string status(const std::string& name) const { return api_.status(ref(name)); }
  std::vector<IpAddress> told(const std::string& name) const { return ingress_of(status(name)); }
  std::string leader() {
    for (const auto& [name, host] : hosts_) {
      if (host.node->election().leads(now_)) return name;
    }
    return "";
  }

  ApiModel api_;
  std::map<std::string, std::string> specs_;
  std::vector<std::string> events_;
  std::map<std::string, json::value> nodes_;
  int asked_ = 0, looks_ = 0;
  bool silent_ = false, watch_works_ = true;
};

IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}

TEST_F(Objects, AServiceIsToldWhatItHasAndWhoAnnouncesIt) {
  start_three();
  add("web");
  pass(2s);
  EXPECT_EQ(told("web"), std::vector{ip("10.25.150.0")});
  const std::string s = status("web");
  EXPECT_NE(s.find(R"("ipMode":"VIP")"), std::string::npos) << s;
  EXPECT_NE(s.find(R"("reason":"Allocated","status":"True")"), std::string::npos) << s;
  EXPECT_NE(s.find("10.25.150.0 by L2 from n"), std::string::npos) << s;
  EXPECT_EQ(s.find("cilium"), std::string::npos) << s;
  const int before = asked_;
  pass(60s);
  EXPECT_EQ(asked_, before) << "silent when nothing differs";
}

TEST_F(Objects, AMoveChangesOneMessage) {
  start_three();
  add("web");
  pass(2s);
  const std::string before = status("web");
  const auto owner = *hosts_.begin()->second.node->table().find(ip("10.25.150.0"))->owner;
  crash(owner.str());
  pass(20s);
  show();
  pass(2s);
  const std::string after = status("web");
  EXPECT_NE(before, after);
  EXPECT_EQ(after.find("from " + owner.str()), std::string::npos) << after;
  EXPECT_EQ(told("web"), std::vector{ip("10.25.150.0")});
}

TEST_F(Objects, WhatIsRefusedSaysWhy) {
  start_three();
  add("web", "loadBalancerIP: 192.0.2.1");
  pass(2s);
  EXPECT_EQ(told("web"), std::vector<IpAddress>{});
  const std::string s = status("web");
  EXPECT_NE(s.find(R"("reason":"RequestedIPNotInPool","status":"False")"), std::string::npos) << s;
  EXPECT_NE(s.find(R"("reason":"NoIP","status":"False")"), std::string::npos) << s;
}

TEST_F(Objects, AStatusThatSomebodyWipedIsWrittenAgain) {
  start_three();
  add("web");
  pass(2s);
  api_.set_status(ref("web"), "kubectl-edit", "{}");
  show();
  pass(2s);
  EXPECT_EQ(told("web"), std::vector{ip("10.25.150.0")});
}

TEST_F(Objects, ADeletedServicesIpGoesWhenTheServerSaysThatItIsGone) {
  start_three();
  add("web");
  pass(2s);
  remove("web");
  pass(500ms);
  EXPECT_EQ(looks_, 0);
  pass(3s);
  EXPECT_EQ(looks_, 1);
  EXPECT_EQ(hosts_.begin()->second.node->table().find(ip("10.25.150.0")), nullptr);
}

TEST_F(Objects, AnIpStaysWhileTheServerDoesNotAnswer) {
  start_three();
  add("web");
  pass(2s);
  remove("web");
  silent_ = true;
  pass(30s);
  EXPECT_NE(hosts_.begin()->second.node->table().find(ip("10.25.150.0")), nullptr);
}

// The watch of whoever leads next does not know the service yet.
TEST_F(Objects, ALeaderWhoseWatchLagsReleasesNothingThatWasTold) {
  start_three();
  show();
  pass(3s);
  watch_works_ = false;
  const std::string first = leader();
  ASSERT_NE(first, "");
  api_.create(ref("web"));
  specs_["web"] = "";
  show_to(first);
  pass(2s);
  EXPECT_EQ(told("web"), std::vector{ip("10.25.150.0")});
  crash(first);
  pass(60s);
  ASSERT_NE(leader(), "");
  EXPECT_GT(looks_, 0);
  EXPECT_NE(hosts_.begin()->second.node->table().find(ip("10.25.150.0")), nullptr);
  show();
  pass(5s);
  EXPECT_EQ(told("web"), std::vector{ip("10.25.150.0")});
}

// The first leader wrote the table, and its status may be on its way; the next one, whose watch has
// never shown the service, must not release what it has.
TEST_F(Objects, ALeaderThatHasNotSeenAServiceReleasesNothingOfIt) {
  start_three();
  show();
  pass(3s);
  watch_works_ = false;
  const std::string first = leader();
  ASSERT_NE(first, "");
  api_.create(ref("web"));
  specs_["web"] = "";
  silent_ = true;
  show_to(first);
  pass(2s);
  crash(first);
  silent_ = false;
  pass(60s);
  ASSERT_NE(leader(), "");
  EXPECT_GT(looks_, 0);
  EXPECT_EQ(told("web"), std::vector<IpAddress>{});
  EXPECT_NE(hosts_.begin()->second.node->table().find(ip("10.25.150.0")), nullptr);
  show();
  pass(5s);
  EXPECT_EQ(told("web"), std::vector{ip("10.25.150.0")});
}

TEST_F(Objects, AnotherIpIsToldBeforeTheOldOneGoes) {
  start_three();
  add("web");
  pass(2s);
  specs_["web"] = "loadBalancerIP: 10.25.150.9";
  show();
  pass(10s);
  EXPECT_EQ(told("web"), std::vector{ip("10.25.150.9")});
  EXPECT_EQ(hosts_.begin()->second.node->table().find(ip("10.25.150.0")), nullptr);
  EXPECT_GT(looks_, 0);
}

TEST_F(Objects, AServiceOfAnotherClassIsNeverTouched) {
  start_three();
  add("web", "loadBalancerClass: example.com/other");
  api_.set_status(ref("web"), "other", R"({"loadBalancer":{"ingress":[{"ip":"10.25.150.3"}]}})");
  show();
  pass(10s);
  EXPECT_EQ(asked_, 0);
}

TEST_F(Objects, AServiceThatLeavesLosesWhatWasOurs) {
  start_three();
  add("web");
  pass(2s);
  specs_["web"] = "loadBalancerClass: example.com/other";
  show();
  pass(10s);
  EXPECT_EQ(status("web"), "{}");
  EXPECT_EQ(hosts_.begin()->second.node->table().find(ip("10.25.150.0")), nullptr);
}

TEST_F(Objects, AListWithAHostnameIsSomebodyElses) {
  start_three();
  api_.create(ref("web"));
  api_.set_status(ref("web"), "cloud",
                  R"({"loadBalancer":{"ingress":[{"hostname":"lb.example.com"}]}})");
  specs_["web"] = "";
  show();
  pass(5s);
  const std::string s = status("web");
  EXPECT_NE(s.find("lb.example.com"), std::string::npos) << s;
  EXPECT_NE(s.find("herald.io/IPAllocated"), std::string::npos) << s;
}

TEST_F(Objects, EventsTellOfChangesOnce) {
  start_three();
  add("web");
  pass(5s);
  const auto owner = *hosts_.begin()->second.node->table().find(ip("10.25.150.0"))->owner;
  EXPECT_EQ(std::count_if(events_.begin(), events_.end(),
                          [](const auto& e) { return e.starts_with("Allocated: "); }),
            1);
  const std::string announced = "Announced: 10.25.150.0 by L2 from " + owner.str() + " on eth0";
  EXPECT_TRUE(contains(events_, announced));
  const auto before = events_.size();
  pass(60s);
  EXPECT_EQ(events_.size(), before);
  crash(owner.str());
  pass(20s);
  ASSERT_GT(events_.size(), before);
  const std::string was = " (was: 10.25.150.0 by L2 from " + owner.str() + " on eth0)";
  EXPECT_TRUE(events_.back().ends_with(was)) << events_.back();
}

TEST_F(Objects, EachNodeTellsOfItself) {
  start_three();
  show();
  add("web");
  pass(20s);
  ASSERT_EQ(nodes_.size(), 3u);
  const auto owner = *hosts_.begin()->second.node->table().find(ip("10.25.150.0"))->owner;
  int leaders = 0;
  for (const auto& [name, status] : nodes_) {
    EXPECT_EQ(status.at("ips").as_int64(), name == owner.str() ? 1 : 0) << name;
    EXPECT_EQ(status.at("version").as_string(), "test");
    EXPECT_EQ(status.at("conditions").at(0).at("reason").as_string(), "Ready");
    leaders += status.at("leader").as_bool();
  }
  EXPECT_EQ(leaders, 1);
  EXPECT_EQ(nodes_.at(owner.str()).at("links"), json::parse(R"([{"name":"eth0","ips":1}])"));
}

TEST_F(Objects, NoStatusGoesToTheStore) {
  start_three();
  add("web");
  pass(5s);
  const auto listed = std::get<coord::ListReply>(store_.answer(coord::ListDocuments{}));
  for (const coord::Document& d : listed.documents) {
    EXPECT_FALSE(std::holds_alternative<coord::StatusDocument>(d));
  }
}

}  // namespace
}  // namespace herald::daemon
