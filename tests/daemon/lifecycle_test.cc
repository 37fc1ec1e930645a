// What becomes of an IP before it is announced first, and after its service has released it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/daemon/cluster.h"

namespace herald::daemon {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const MacAddress kStranger = *MacAddress::parse("02:00:00:00:00:99");

std::string pool(const std::string& spec) {
  return "apiVersion: herald.io/v1alpha1\nkind: LoadBalancerIPPool\nmetadata: {name: lan}\nspec: "
         "{" +
         spec +
         "}\n---\napiVersion: herald.io/v1alpha1\nkind: L2AnnouncementPolicy\n"
         "metadata: {name: all}\nspec: {}\n";
}
std::string service(const std::string& name, const std::string& request = "") {
  return "---\napiVersion: v1\nkind: Service\nmetadata: {name: " + name +
         (request.empty() ? "" : ", annotations: {metallb.io/loadBalancerIPs: " + request + "}") +
         "}\nspec: {type: LoadBalancer}\n";
}

class Lifecycle : public Cluster {
 protected:
  Lifecycle() : Cluster("") {}
  void begin(const std::string& manifests) {
    manifests_.set_file("home.yaml", manifests);
    start("n1");
    pass(1s);
    start("n2");
    pass(3s);
  }
  const coord::TableEntry* entry(const char* vip) const {
    return hosts_.begin()->second.node->table().find(*IpAddress::parse(vip));
  }
  std::string reason(const std::string& name) {
    const auto said = report("n1", R"({"command":"get","what":"services","name":")" + name + "\"}");
    return std::string(said.at("services").at(0).at("reason").as_string());
  }
  std::string ip_of(const std::string& name) {
    const auto said = report("n1", R"({"command":"get","what":"services","name":")" + name + "\"}");
    const auto& ips = said.at("services").at(0).at("ips").as_array();
    return ips.size() != 1 ? std::to_string(ips.size()) + " IPs" : std::string(ips[0].as_string());
  }
  std::string explained(const std::string& what, const std::string& name) {
    return json::serialize(
        report("n1", R"({"command":"explain","what":")" + what + R"(","name":")" + name + "\"}"));
  }
  std::string events() { return json::serialize(report("n1", R"({"command":"events"})")); }
  // Who probes for the IP hears somebody else answer.
  bool answer_probes(const char* vip) {
    const IpAddress ip = *IpAddress::parse(vip);
    for (const auto& [name, host] : hosts_) {
      const auto grant = host.grants.links.find(LinkIndex(2));
      if (grant == host.grants.links.end() || !grant->second.probes(ip)) continue;
      deliver(name, ConflictSeen{LinkIndex(2), ip, kStranger});
      settle();
      return true;
    }
    return false;
  }
};

TEST_F(Lifecycle, AReleasedIpRestsForItsServiceAlone) {
  const std::string lan =
      pool("addresses: [10.25.150.1-10.25.150.2], releaseHold: 60s, probe: false");
  begin(lan + service("web"));
  EXPECT_EQ(ip_of("default/web"), "10.25.150.1");
  read(lan + service("other"));
  pass(5s);
  EXPECT_EQ(speaker("10.25.150.1"), "nobody");
  ASSERT_NE(entry("10.25.150.1"), nullptr);
  EXPECT_EQ(entry("10.25.150.1")->kept_for, (ObjectName{"default", "web"}));
  EXPECT_EQ(entry("10.25.150.1")->owner, std::nullopt);
  EXPECT_EQ(ip_of("default/other"), "10.25.150.2");
  EXPECT_THAT(explained("ip", "10.25.150.1"), HasSubstr("resting: kept for default/web"));
  EXPECT_THAT(events(), HasSubstr("ip 10.25.150.1 rests: kept for default/web"));

  read(lan + service("other") + service("third"));
  pass(5s);
  EXPECT_EQ(reason("default/third"), "PoolExhausted");
  read(lan + service("other") + service("third") + service("web"));
  pass(5s);
  EXPECT_EQ(ip_of("default/web"), "10.25.150.1") << "it comes back";
  EXPECT_NE(speaker("10.25.150.1"), "nobody");

  read(lan + service("other") + service("third"));
  pass(55s);
  EXPECT_EQ(reason("default/third"), "PoolExhausted");
  pass(10s);
  EXPECT_EQ(ip_of("default/third"), "10.25.150.1") << "its time is over";
}

TEST_F(Lifecycle, ANewLeaderCountsTheRestAnew) {
  const std::string lan =
      pool("addresses: [10.25.150.1-10.25.150.2], releaseHold: 30s, probe: false");
  begin(lan + service("web") + service("other"));
  read(lan + service("other"));
  pass(20s);
  ASSERT_NE(entry("10.25.150.1"), nullptr);
  const std::string leader = hosts_.at("n1").node->election().current()->holder.str();
  manifests_.set_file("home.yaml", lan + service("other"));
  crash(leader);
  pass(20s);
  const auto& survivor = *hosts_.begin()->second.node;
  EXPECT_NE(survivor.table().size(), 1u) << "longer, never shorter";
  pass(40s);
  EXPECT_EQ(survivor.table().size(), 1u);
}

TEST_F(Lifecycle, AShrunkPoolTakesItsIpsBackIfItIsToldTo) {
  begin(pool("addresses: [10.25.150.1-10.25.150.9], onShrink: release, probe: false") +
        service("web") + service("asks", "10.25.150.2"));
  EXPECT_EQ(ip_of("default/web"), "10.25.150.1");
  read(pool("addresses: [10.25.150.5-10.25.150.9], onShrink: release, probe: false") +
       service("web") + service("asks", "10.25.150.2"));
  pass(5s);
  EXPECT_EQ(ip_of("default/web"), "10.25.150.5");
  EXPECT_NE(speaker("10.25.150.5"), "nobody");
  EXPECT_EQ(entry("10.25.150.1"), nullptr);
  EXPECT_EQ(entry("10.25.150.2"), nullptr);
  EXPECT_EQ(reason("default/asks"), "RequestedIPNotInPool");

  read(pool("addresses: [10.25.150.7-10.25.150.9], onShrink: keep, probe: false") + service("web"));
  pass(5s);
  EXPECT_EQ(ip_of("default/web"), "10.25.150.5") << "kept, with a condition";
}

TEST_F(Lifecycle, AnIpIsProbedBeforeItIsAnnouncedFirstAndNeverAgain) {
  begin(pool("addresses: [10.25.150.1-10.25.150.9]") + service("web"));
  EXPECT_NE(speaker("10.25.150.1"), "nobody");
  EXPECT_FALSE(entry("10.25.150.1")->must_probe());
  read(pool("addresses: [10.25.150.1-10.25.150.9]") + service("web") + service("new"));
  pass(300ms);
  ASSERT_NE(entry("10.25.150.2"), nullptr);
  EXPECT_TRUE(entry("10.25.150.2")->unproven);
  EXPECT_EQ(speaker("10.25.150.2"), "nobody");
  EXPECT_THAT(explained("ip", "10.25.150.2"), HasSubstr("looks whether another station uses it"));
  pass(200ms);
  EXPECT_NE(speaker("10.25.150.2"), "nobody");
  pass(100ms);
  EXPECT_FALSE(entry("10.25.150.2")->unproven);

  const std::string owner = speaker("10.25.150.1");
  deliver(owner, StopRequested{});
  settle();
  EXPECT_EQ(speaker("10.25.150.1"), other_than(owner)) << "at once";
}

TEST_F(Lifecycle, AnIpThatIsHandedOverIsNotProbed) {
  begin(pool("addresses: [10.25.150.1-10.25.150.9]"));
  read(pool("addresses: [10.25.150.1-10.25.150.9]") +
       "---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {type: LoadBalancer}\n"
       "status: {loadBalancer: {ingress: [{ip: 10.25.150.4}]}}\n");
  pass(50ms);
  EXPECT_NE(speaker("10.25.150.4"), "nobody");
}

TEST_F(Lifecycle, AnIpThatAnotherStationUsesIsQuarantinedAndTheServiceGetsAnother) {
  const std::string lan = pool("addresses: [10.25.150.1-10.25.150.9]");
  begin(lan);
  read(lan + service("web"));
  pass(100ms);
  ASSERT_TRUE(answer_probes("10.25.150.1"));
  pass(3s);
  EXPECT_EQ(ip_of("default/web"), "10.25.150.2");
  EXPECT_NE(speaker("10.25.150.2"), "nobody");
  EXPECT_EQ(speaker("10.25.150.1"), "nobody");
  ASSERT_NE(entry("10.25.150.1"), nullptr);
  EXPECT_EQ(entry("10.25.150.1")->quarantine->station, kStranger);
  EXPECT_TRUE(entry("10.25.150.1")->services.empty());
  EXPECT_THAT(events(), HasSubstr("ip 10.25.150.1 is quarantined: 02:00:00:00:00:99 uses it"));
  EXPECT_THAT(explained("ip", "10.25.150.1"), HasSubstr("quarantined"));
  pass(9min);
  EXPECT_NE(entry("10.25.150.1"), nullptr);
  EXPECT_FALSE(answer_probes("10.25.150.1")) << "nobody asked for it";
  pass(1min);
  EXPECT_EQ(entry("10.25.150.1"), nullptr);
  EXPECT_EQ(ip_of("default/web"), "10.25.150.2") << "what serves does not move";
}

TEST_F(Lifecycle, ARequestedIpIsWaitedForUntilTheStationHasGone) {
  const std::string lan = pool("addresses: [10.25.150.1-10.25.150.9]");
  begin(lan);
  read(lan + service("web", "10.25.150.4"));
  pass(100ms);
  ASSERT_TRUE(answer_probes("10.25.150.4"));
  pass(3s);
  EXPECT_EQ(reason("default/web"), "AlreadyAllocated");
  EXPECT_THAT(explained("service", "default/web"), HasSubstr("02:00:00:00:00:99, seen by n"));
  EXPECT_EQ(speaker("10.25.150.4"), "nobody");
  const std::string told = events();
  pass(27100ms);  // it is probed again
  ASSERT_TRUE(answer_probes("10.25.150.4"));
  pass(5s);
  EXPECT_EQ(reason("default/web"), "AlreadyAllocated");
  EXPECT_EQ(events().size() / 200, told.size() / 200) << "nothing new to tell";
  pass(11min);  // now nobody answers
  EXPECT_EQ(reason("default/web"), "Allocated");
  EXPECT_NE(speaker("10.25.150.4"), "nobody");
  EXPECT_FALSE(entry("10.25.150.4")->must_probe());
  EXPECT_THAT(events(), HasSubstr("ip 10.25.150.4 is out of quarantine"));
}

TEST_F(Lifecycle, WhoTakesOverAnUnprovenIpProbesItself) {
  const std::string lan = pool("addresses: [10.25.150.1-10.25.150.9]");
  begin(lan);
  read(lan + service("web"));
  pass(100ms);
  const std::string owner = entry("10.25.150.1")->owner->str();
  deliver(owner, StopRequested{});
  settle();
  EXPECT_EQ(speaker("10.25.150.1"), "nobody");
  pass(300ms);
  EXPECT_EQ(speaker("10.25.150.1"), "nobody");
  pass(200ms);
  EXPECT_EQ(speaker("10.25.150.1"), other_than(owner));
}

// The manifests may be incomplete for long: one file that cannot be read is enough.
TEST_F(Lifecycle, WhileManifestsAreIncompleteAServiceGetsOneOtherIpAndNoMore) {
  const std::string lan = pool("addresses: [10.25.150.1-10.25.150.9]");
  begin(lan);
  manifests_.set_unreadable("gone.yaml", "Permission denied");
  read(lan + service("web"));
  pass(100ms);
  ASSERT_TRUE(answer_probes("10.25.150.1"));
  pass(60s);
  EXPECT_NE(speaker("10.25.150.2"), "nobody");
  EXPECT_EQ(hosts_.at("n1").node->table().size(), 2u) << "that in quarantine, and the other";
}

TEST_F(Lifecycle, SharersAtOddsDoNotUseUpThePoolWhileManifestsAreIncomplete) {
  const std::string lan = pool("addresses: [10.25.150.1-10.25.150.9], probe: false");
  const auto sharer = [](const char* name, const char* port) {
    return std::string("---\napiVersion: v1\nkind: Service\nmetadata: {name: ") + name +
           ", annotations: {herald.io/sharing-key: k}}\nspec: {type: LoadBalancer, ports: "
           "[{port: " +
           port + "}]}\n";
  };
  begin(lan + sharer("a", "80") + sharer("b", "81"));
  EXPECT_EQ(hosts_.at("n1").node->table().size(), 1u);
  manifests_.set_unreadable("gone.yaml", "Permission denied");
  read(lan + sharer("a", "80") + sharer("b", "80"));
  pass(60s);
  EXPECT_EQ(hosts_.at("n1").node->table().size(), 2u);
  manifests_.set_readable("gone.yaml");
  read(lan + sharer("a", "80") + sharer("b", "80"));
  pass(5s);
  EXPECT_EQ(ip_of("default/a"), "10.25.150.1");
  EXPECT_EQ(ip_of("default/b"), "10.25.150.2");
}

// An external IP may be that of a node: from another node it would cut that one off.
TEST_F(Lifecycle, AnAddressOfANodeIsAnnouncedByThatNodeAlone) {
  const auto listed = [](const char* address) {
    return "---\napiVersion: herald.io/v1alpha1\nkind: L2AnnouncementPolicy\nmetadata: {name: "
           "all}\nspec: {addresses: [ExternalIP]}\n---\napiVersion: v1\nkind: Service\n"
           "metadata: {name: web}\nspec: {type: LoadBalancer, externalIPs: [" +
           std::string(address) + "]}\n";
  };
  begin(listed("10.25.150.102"));
  start("n3");
  read(listed("10.25.150.102"));
  pass(5s);
  EXPECT_EQ(speaker("10.25.150.102"), "n2");
  crash("n2");
  pass(20s);
  EXPECT_EQ(speaker("10.25.150.102"), "nobody") << "its kernel may live on";
}

TEST_F(Lifecycle, AnIpIsProbedEvenIfThePolicyComesAfterTheService) {
  const std::string lan = pool("addresses: [10.25.150.1-10.25.150.9]") + service("web");
  const std::string no_policy = lan.substr(0, lan.find("---")) + service("web");
  begin(no_policy);
  ASSERT_NE(entry("10.25.150.1"), nullptr);
  read(lan);
  pass(100ms);
  EXPECT_EQ(speaker("10.25.150.1"), "nobody");
  ASSERT_TRUE(answer_probes("10.25.150.1"));
  pass(3s);
  EXPECT_EQ(speaker("10.25.150.1"), "nobody");
  EXPECT_EQ(ip_of("default/web"), "10.25.150.2");
}

// A member answers for its own address, and whoever probes heeds no members.
TEST_F(Lifecycle, APoolThatHasTheAddressOfANodeDoesNotTakeItAway) {
  const std::string lan = pool("addresses: [10.25.150.101-10.25.150.109]");
  begin(lan);
  read(lan + service("web"));
  pass(10s);
  EXPECT_EQ(speaker("10.25.150.101"), "nobody");
  EXPECT_EQ(speaker("10.25.150.102"), "nobody");
  EXPECT_EQ(ip_of("default/web"), "10.25.150.103");
  EXPECT_NE(speaker("10.25.150.103"), "nobody");
}

// What answered while the node did not run is heard after the time that it waited until.
TEST_F(Lifecycle, ALateNodeHearsLate) {
  const std::string lan = pool("addresses: [10.25.150.1-10.25.150.9]");
  begin(lan);
  read(lan + service("web"));
  pass(250ms);
  now_ += 500ms;  // nobody runs: the last probe's time for answers is over
  for (const auto& [name, host] : hosts_) deliver(name, TimePassed{});
  settle();
  EXPECT_EQ(speaker("10.25.150.1"), "nobody");
  EXPECT_TRUE(answer_probes("10.25.150.1"));
  pass(3s);
  EXPECT_EQ(ip_of("default/web"), "10.25.150.2");
}

}  // namespace
}  // namespace herald::daemon
