// The whole way from an API server to what is wanted, on the fake one: TLS, lists, watches, faults.
#include "kube/source_io.h"

#include <gmock/gmock.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "tests/kube/fake_apiserver.h"

namespace herald::kube {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::string kServices = "/api/v1/namespaces/default/services/";
const std::string kPools = "/apis/herald.io/v1alpha1/loadbalancerippools/";
const std::string kCrds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/";
const std::string kPoolCrd = R"({"spec":{"group":"herald.io","scope":"Cluster",
  "names":{"plural":"loadbalancerippools","kind":"LoadBalancerIPPool"},
  "versions":[{"name":"v1alpha1","served":true,"storage":true,"subresources":{"status":{}},
  "schema":{"openAPIV3Schema":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}]}})";
const std::string kNodeStatusCrd = R"({"spec":{"group":"herald.io","scope":"Cluster",
  "names":{"plural":"nodestatuses","kind":"NodeStatus"},
  "versions":[{"name":"v1alpha1","served":true,"storage":true,"subresources":{"status":{}},
  "schema":{"openAPIV3Schema":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}]}})";
const std::string kNodeStatuses = "/apis/herald.io/v1alpha1/nodestatuses/";
const std::string kBalanced = R"({"spec":{"type":"LoadBalancer","ports":[{"port":80}]}})";
const std::string kPool = R"({"spec":{"addresses":["10.0.0.0/24"]}})";

class SourceTest : public ::testing::Test {
 protected:
  void open(const Access& access) {
    SourceOptions options;
    options.access = access;
    auto opened =
        open_source(std::move(options), {.changed =
                                             [this](std::shared_ptr<const Observed> observed,
                                                    std::shared_ptr<const Desired> desired) {
                                               const std::lock_guard lock(mutex_);
                                               if (observed) observed_ = std::move(observed);
                                               if (desired) desired_ = std::move(desired), ++told_;
                                             },
                                         .answered =
                                             [this](std::uint64_t id, WriteAnswer answer) {
                                               const std::lock_guard lock(mutex_);
                                               answers_[id] = std::move(answer);
                                             },
                                         .trouble =
                                             [this](std::string sentence) {
                                               const std::lock_guard lock(mutex_);
                                               said_.push_back(std::move(sentence));
                                             }});
    ASSERT_TRUE(opened) << opened.error();
    source_ = std::move(*opened);
    source_->start();
  }
  void open() { open(server_.access()); }

  std::shared_ptr<const Desired> desired() {
    const std::lock_guard lock(mutex_);
    return desired_ ? desired_ : std::make_shared<const Desired>();
  }
  bool told() {
    const std::lock_guard lock(mutex_);
    return desired_ != nullptr;
  }
  std::shared_ptr<const ObservedObject> seen(const std::string& path) {
    const std::lock_guard lock(mutex_);
    if (!observed_) return nullptr;
    for (const auto& [ref, object] : observed_->objects) {
      if (path_of(ref) == path) return observed_->objects.find(ref);
    }
    return nullptr;
  }
  std::vector<std::string> services() {
    std::vector<std::string> out;
    const auto all = desired();  // lives as long as the loop does
    for (const Service& s : all->services) out.push_back(s.name.name);
    return out;
  }
  template <typename Condition>
  void wait_for(Condition condition) {
    EXPECT_TRUE(FakeApiServer::eventually(condition));
  }

  // Makes the object with this spec, or changes it.
  static void put(const FakeApiServer& server, const std::string& path, const std::string& json) {
    const std::string name = path.substr(path.rfind('/') + 1);
    server.put(path, R"({"metadata":{"name":")" + name + R"("},)" + json.substr(1));
  }
  void put(const std::string& path, const std::string& json) { put(server_, path, json); }

  FakeApiServer server_;
  std::mutex mutex_;
  std::shared_ptr<const Desired> desired_;
  std::shared_ptr<const Observed> observed_;
  std::map<std::uint64_t, WriteAnswer> answers_;
  std::vector<std::string> said_;
  int told_ = 0;
  std::unique_ptr<Source> source_;  // first to go
};

TEST_F(SourceTest, TellsWhatIsThereAndWhatComes) {
  put(kServices + "web", kBalanced);
  put(kServices + "db", R"({"spec":{"ports":[{"port":5432}]}})");
  open();
  wait_for([&] { return told(); });
  EXPECT_THAT(services(), ElementsAre("web"));
  EXPECT_TRUE(desired()->complete);
  EXPECT_EQ(source_of(desired()->services[0]).file, kServices + "web");
  EXPECT_NE(seen(kServices + "web"), nullptr);
  EXPECT_EQ(seen(kServices + "db"), nullptr);

  put(kServices + "api", kBalanced);
  wait_for([&] { return services() == std::vector<std::string>{"api", "web"}; });
  server_.remove(kServices + "web");
  wait_for([&] { return services() == std::vector<std::string>{"api"}; });
  EXPECT_EQ(seen(kServices + "web"), nullptr);
  EXPECT_EQ(source_->manifests().desired().services.size(), 1U);
  EXPECT_THAT(source_->warnings(), IsEmpty());
}

TEST_F(SourceTest, AKindIsPickedUpWhenItIsInstalledAndDroppedWhenItGoes) {
  open();
  wait_for([&] { return told(); });
  EXPECT_TRUE(desired()->pools.empty());
  put(kCrds + "loadbalancerippools.herald.io", kPoolCrd);
  wait_for([&] { return server_.get(kPools.substr(0, kPools.size() - 1)).status == 200; });
  put(kPools + "lan", kPool);
  wait_for([&] { return desired()->pools.size() == 1; });
  wait_for([&] { return seen(kPools + "lan") != nullptr; });
  {
    const std::lock_guard lock(mutex_);
    EXPECT_THAT(observed_->kinds, Contains("loadbalancerippools.herald.io"));
  }
  server_.remove(kCrds + "loadbalancerippools.herald.io");
  wait_for([&] { return desired()->pools.empty(); });
}

TEST_F(SourceTest, AServerWithoutStreamsIsListedInPages) {
  FakeApiServer old({"--no-watch-list"});
  for (int i = 0; i < 5; ++i) put(old, kServices + "s" + std::to_string(i), kBalanced);
  open(old.access());
  wait_for([&] { return services().size() == 5; });
  put(old, kServices + "more", kBalanced);
  wait_for([&] { return services().size() == 6; });
  source_.reset();
}

TEST_F(SourceTest, WhatGoesWrongOnAWatchLosesNothing) {
  put(kServices + "web", kBalanced);
  open();
  wait_for([&] { return told(); });
  int n = 0;
  for (const char* kind : {"watch-410", "watch-end", "watch-cut", "watch-garbage", "watch-error"}) {
    server_.fault(R"({"kind":")" + std::string(kind) + R"(","path":"/services"})");
    const std::string name = "s" + std::to_string(++n);
    put(kServices + name, kBalanced);
    wait_for([&] { return testing::Matches(Contains(name))(services()); });
    EXPECT_THAT(services(), Contains("web")) << kind;
    EXPECT_EQ(services().size(), static_cast<std::size_t>(n) + 1) << kind;
  }
}

TEST_F(SourceTest, AServerThatIsDownIsNoEmptyOne) {
  put(kServices + "web", kBalanced);
  open();
  wait_for([&] { return told(); });
  server_.down();
  wait_for([&] { return !source_->warnings().empty(); });
  EXPECT_THAT(services(), ElementsAre("web"));
  server_.up();
  put(kServices + "api", kBalanced);
  wait_for([&] { return services().size() == 2; });
  wait_for([&] { return source_->warnings().empty(); });
}

TEST_F(SourceTest, WhatMayNotBeReadIsUnknown) {
  server_.tokens(R"({"t":{"user":"herald","rules":[
    {"verbs":["*"],"groups":["","discovery.k8s.io","apiextensions.k8s.io"],"resources":["*"]}]}})");
  put(kCrds + "loadbalancerippools.herald.io", kPoolCrd);
  put(kServices + "web", kBalanced);
  open(server_.access("t"));
  wait_for([&] { return told(); });
  EXPECT_FALSE(desired()->complete);
  EXPECT_THAT(services(), ElementsAre("web"));
  wait_for([&] { return !source_->warnings().empty(); });
  EXPECT_THAT(source_->warnings(), Contains(HasSubstr("loadbalancerippools.herald.io")));
}

TEST_F(SourceTest, WritesAreDoneAndSeen) {
  put(kServices + "web", kBalanced);
  open();
  wait_for([&] { return told(); });
  Write write;
  write.object = {{"", "v1", "services", "Service", true}, "default", "web"};
  write.body =
      R"({"apiVersion":"v1","kind":"Service","metadata":{"name":"web","namespace":"default"},)"
      R"("status":{"loadBalancer":{"ingress":[{"ip":"10.0.0.7","ipMode":"VIP"}]}}})";
  source_->write(7, write);
  wait_for([&] {
    const std::lock_guard lock(mutex_);
    return answers_.contains(7);
  });
  EXPECT_EQ(answers_[7].outcome, WriteAnswer::Outcome::Done) << answers_[7].message;
  wait_for([&] {
    const auto object = seen(kServices + "web");
    return object && object->status.find("10.0.0.7") != std::string::npos &&
           object->managed->find("ingress") != std::string::npos;
  });
  wait_for([&] { return !desired()->services[0].held.empty(); });
  write.object.name = "nothing";
  source_->write(8, write);
  wait_for([&] {
    const std::lock_guard lock(mutex_);
    return answers_.contains(8);
  });
  EXPECT_NE(answers_[8].outcome, WriteAnswer::Outcome::Done);
}

// To take its fields away, or to delete it.
TEST_F(SourceTest, WhatANodeTellsOfItselfIsNotTheLeaders) {
  put(kCrds + "nodestatuses.herald.io", kNodeStatusCrd);
  wait_for(
      [&] { return server_.get(kNodeStatuses.substr(0, kNodeStatuses.size() - 1)).status == 200; });
  open();
  wait_for([&] { return told(); });
  Write own;
  own.verb = Write::Verb::Apply;
  own.field_manager = "heraldd-n1";
  own.object = {{"herald.io", "v1alpha1", "nodestatuses", "NodeStatus", false}, "", "n1"};
  own.body = R"({"apiVersion":"herald.io/v1alpha1","kind":"NodeStatus","metadata":{"name":"n1",)"
             R"("labels":{"a":"b"}}})";
  source_->write(9, own);
  wait_for([&] { return seen(kNodeStatuses + "n1") != nullptr; });
  const auto object = seen(kNodeStatuses + "n1");
  ASSERT_NE(object, nullptr);
  EXPECT_FALSE(object->created);
  EXPECT_TRUE(object->managed.empty());
}

TEST_F(SourceTest, ChangesWithoutEffectAreNotTold) {
  server_.put("/api/v1/nodes/n1", R"({"metadata":{"name":"n1","labels":{"zone":"a"}}})");
  put(kServices + "db", R"({"spec":{"ports":[{"port":5432}]}})");
  put(kServices + "web", kBalanced);
  open();
  wait_for([&] { return told(); });
  const int before = told_;
  for (int i = 0; i < 20; ++i) {
    server_.put("/api/v1/nodes/n1",
                R"({"metadata":{"annotations":{"beat":")" + std::to_string(i) + R"("}}})");
  }
  put(kServices + "last", kBalanced);
  wait_for([&] { return services().size() == 2; });
  EXPECT_LE(told_, before + 2);
}

}  // namespace
}  // namespace herald::kube
