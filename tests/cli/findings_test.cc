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
