#include "cli/findings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/print.h"

namespace herald::cli {
namespace {

using testing::HasSubstr;

constexpr const char* kLint = R"({"ok":true,"data":{"problems":[
  {"severity":"error","file":"a.yaml","line":7,"kind":"LoadBalancerIPPool","namespace":"",
   "name":"lan","field":"spec.addresses[1]","message":"'10.0.0.0/33' is no CIDR"},
  {"severity":"warning","file":"b.yaml","line":3,"kind":"Service","namespace":"default",
   "name":"web","field":"","message":"is odd\u001b[2J"}],"objects":12}})";

TEST(Findings, ProblemsAreLinesThatAnEditorCanJumpTo) {
  const Answer said = answer({.command = "lint"}, Format::Table, kLint);
  EXPECT_EQ(said.exit_code, kExitNo);
  EXPECT_EQ(said.out,
            "a.yaml:7: error: LoadBalancerIPPool lan: spec.addresses[1]: '10.0.0.0/33' is no CIDR\n"
            "b.yaml:3: warning: Service default/web: is odd?[2J\n"
            "12 objects read: 1 error, 1 warning\n");
  EXPECT_EQ(answer({.command = "lint"}, Format::Json, kLint).exit_code, kExitNo);
}

TEST(Findings, WarningsAloneAreNoFailure) {
  const Answer said =
      answer({.command = "lint"}, Format::Table,
             R"({"ok":true,"data":{"problems":[{"severity":"warning"}],"objects":1}})");
  EXPECT_EQ(said.exit_code, kExitOk);
}

TEST(Findings, APlanIsTablesRefusalsAndChanges) {
  const char* reply = R"({"ok":true,"data":{
    "services":[
      {"namespace":"default","name":"web","ips":["10.0.0.1"],"pool":"lan","pools":["lan"],
       "allocated":{"status":"True","reason":"Allocated","message":"10.0.0.1 of pool lan"},
       "announcements":[{"ip":"10.0.0.1","via":"l2","nodes":["n1"],"interfaces":["eth0"]}]},
      {"namespace":"default","name":"db","ips":[],"pool":"","pools":[],
       "allocated":{"status":"False","reason":"PoolExhausted","message":"nothing is left"},
       "announcements":[]}],
    "pools":[{"name":"lan","total":1,"used":1,"available":0,"reason":""}],
    "peers":[{"name":"tor","nodes":["n1","n2"],"reason":""}],
    "problems":[],
    "changes":[{"namespace":"default","name":"web","from":[],"to":["10.0.0.1"]}]}})";
  const Answer said = answer({.command = "plan"}, Format::Table, reply);
  EXPECT_EQ(said.exit_code, kExitOk) << "a service that is refused is an answer too";
  EXPECT_EQ(said.out,
            "NAMESPACE  NAME  IPS       POOL  REASON         ANNOUNCED\n"
            "default    web   10.0.0.1  lan   Allocated      l2 n1/eth0\n"
            "default    db    -         -     PoolExhausted  -\n"
            "\n"
            "default/db: PoolExhausted: nothing is left\n"
            "\n"
            "POOL  TOTAL  USED  AVAILABLE  REASON\n"
            "lan   1      1     0          -\n"
            "\n"
            "PEER  NODES  REASON\n"
            "tor   n1,n2  -\n"
            "\n"
            "What would change:\n"
            "  default/web: no IP -> 10.0.0.1\n");
}

TEST(Findings, APlanOfALargeClusterStaysReadable) {
  const auto bgp = [](const std::string& node, const std::string& peer) {
    return R"({"ip":"10.0.0.1","via":"bgp","node":")" + node + R"(","peer":")" + peer + R"("},)";
  };
  std::string all;
  for (const char* node : {"n1", "n2", "n3"}) all += bgp(node, "tor-1") + bgp(node, "tor-2");
  const std::string reply = R"({"ok":true,"data":{"services":[
      {"namespace":"a","name":"web","ips":["10.0.0.1","fd00::1"],"pool":"lan",
       "allocated":{"reason":"Allocated","message":""},"announcements":[)" +
                            all + bgp("n1", "lab") + R"({"ip":"fd00::1","via":"none",
       "reason":"PeerFamily","message":"fd00::1 is not announced: no"}]},
      {"namespace":"a","name":"dns","ips":[],"pool":"",
       "allocated":{"reason":"NotManaged","message":"a/dns is not served: its type is ClusterIP"},
       "announcements":[]}],
    "peers":[{"name":"tor-1","nodes":["1","2","3","4","5","6","7"],"reason":""}]}})";
  EXPECT_EQ(
      answer({.command = "plan"}, Format::Table, reply).out,
      "NAMESPACE  NAME  IPS               POOL  REASON     ANNOUNCED\n"
      "a          web   10.0.0.1,fd00::1  lan   Allocated  bgp n1>lab; bgp 3 nodes>tor-1,tor-2; "
      "fd00::1 no: PeerFamily\n"
      "\n"
      "1 service of another type than LoadBalancer: -o wide lists them\n"
      "\n"
      "not announced: fd00::1: PeerFamily: no\n\n"
      "PEER   NODES    REASON\ntor-1  7 nodes  -\n");
  const std::string wide = answer({.command = "plan"}, Format::Wide, reply).out;
  EXPECT_THAT(wide, HasSubstr("bgp n1,n2,n3>tor-1,tor-2"));
  EXPECT_THAT(wide, HasSubstr("its type is ClusterIP"));
  EXPECT_THAT(wide, HasSubstr("1,2,3,4,5,6,7"));
}

TEST(Findings, NonsenseDoesNoHarm) {
  for (const char* reply :
       {R"({"ok":true,"data":{"problems":[1,{"line":{}}],"services":3}})",
        R"({"ok":true,"data":{"services":[[]],"pools":{},"changes":[null]}})"}) {
    answer({.command = "plan"}, Format::Wide, reply);
    answer({.command = "lint"}, Format::Table, reply);
  }
}

}  // namespace
}  // namespace herald::cli
