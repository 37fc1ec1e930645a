#include "cli/print.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/table.h"

namespace herald::cli {
namespace {

using testing::HasSubstr;

const Request kServices{.command = "get", .what = "services", .name = ""};

TEST(Table, AlignsAndFillsWhatIsMissing) {
  EXPECT_EQ(render_table({"NAME", "IPS", "REASON"},
                         {{"web", "10.0.0.1", ""}, {"a-long-name"}, {"\x1b[31mred", "né", "ok"}}),
            "NAME         IPS       REASON\n"
            "web          10.0.0.1  -\n"
            "a-long-name  -         -\n"
            "?[31mred     né        ok\n");
}

TEST(Request, IsOneLine) {
  EXPECT_EQ(to_line({.command = "status", .what = "", .name = ""}), "{\"command\":\"status\"}\n");
  EXPECT_EQ(to_line(kServices), "{\"command\":\"get\",\"what\":\"services\",\"name\":\"\"}\n");
  EXPECT_EQ(to_line({.command = "explain", .what = "service", .name = "a/\n\""}),
            "{\"command\":\"explain\",\"what\":\"service\",\"name\":\"a/\\n\\\"\"}\n");
}

TEST(Request, OrdersCarryTheirArguments) {
  EXPECT_EQ(to_line({.command = "drain", .what = "", .name = ""}),
            "{\"command\":\"drain\",\"wait\":true,\"timeout_ms\":10000}\n");
  EXPECT_EQ(to_line({.command = "move",
                     .what = "",
                     .name = "",
                     .node = "n2",
                     .ip = "10.0.0.1",
                     .wait = false,
                     .timeout = 1500ms}),
            "{\"command\":\"move\",\"node\":\"n2\",\"ip\":\"10.0.0.1\",\"wait\":false,"
            "\"timeout_ms\":1500}\n");
}

// A script that goes on with a reboot must see that something is left.
TEST(Print, OrdersWarnOnStderrAndFailIfSomethingIsLeft) {
  const std::string done =
      R"({"ok":true,"data":{"message":"n1 is drained","complete":true,"warnings":[]}})";
  const std::string left =
      R"({"ok":true,"data":{"message":"n1 is drained","complete":false,"warnings":["n1 keeps 10.0.0.1"]}})";
  Request drain{.command = "drain", .what = "", .name = ""};
  Answer a = answer(drain, Format::Table, done);
  EXPECT_EQ(a.exit_code, kExitOk);
  EXPECT_EQ(a.out, "n1 is drained\n");
  EXPECT_EQ(a.err, "");
  a = answer(drain, Format::Json, left);
  EXPECT_EQ(a.exit_code, kExitNo);
  EXPECT_THAT(a.out, HasSubstr("\"complete\": false"));
  EXPECT_EQ(a.err, "warning: n1 keeps 10.0.0.1\n");
  drain.wait = false;
  EXPECT_EQ(answer(drain, Format::Table, left).exit_code, kExitOk);
}

// One reply for each list: as a table, and wide.
TEST(Print, Tables) {
  const struct {
    const char* what;
    const char* object;
    const char* table;
    const char* wide;
  } cases[] = {
      {"services",
       R"({"namespace":"default","name":"web","ips":["10.0.0.1","fd00::1"],"pool":"lan",
           "reason":"Allocated","message":"fine","announcements":[
           {"ip":"10.0.0.1","via":"l2","nodes":["n1"],"interfaces":["eth0","eth1"]},
           {"ip":"fd00::1","via":"l2","nodes":["n1"],"interfaces":["eth0","eth1"]},
           {"ip":"10.0.0.1","via":"bgp","node":"n1","peer":"tor","prefix":"10.0.0.1/32"}]})",
       "NAMESPACE  NAME  IPS               POOL  REASON     ANNOUNCED\n"
       "default    web   10.0.0.1,fd00::1  lan   Allocated  l2 n1/eth0,eth1; bgp n1>tor\n",
       "NAMESPACE  NAME  IPS               POOL  REASON     ANNOUNCED                    MESSAGE\n"
       "default    web   10.0.0.1,fd00::1  lan   Allocated  l2 n1/eth0,eth1; bgp n1>tor  fine\n"},
      {"ips", R"({"ip":"10.0.0.1","services":["default/web"],"owner":null,"epoch":4})",
       "IP        SERVICES     POOL  OWNER  REASON\n"
       "10.0.0.1  default/web  -     -      -\n",
       "IP        SERVICES     POOL  OWNER  REASON  EPOCH  INTERFACES\n"
       "10.0.0.1  default/web  -     -      -       4      -\n"},
      {"nodes",
       R"({"name":"n1","state":"GUARDED","leader":true,"drained":false,"ips":3,"lease":"guards","lease_remaining_ms":140,
           "guards":["n2","n3"],"interfaces":["eth0"],"incarnation":2,"revision":77})",
       "NAME  STATE    LEADER  DRAINED  IPS  LEASE   LEFT   GUARDS  INTERFACES\n"
       "n1    GUARDED  yes     no       3    guards  140ms  n2,n3   eth0\n",
       "NAME  STATE    LEADER  DRAINED  IPS  LEASE   LEFT   GUARDS  INTERFACES  INCARNATION  "
       "REVISION\n"
       "n1    GUARDED  yes     no       3    guards  140ms  n2,n3   eth0        2            77\n"},
      // 2^64 is more than a JSON number holds exactly: the daemon sends such counts as strings.
      {"pools",
       R"({"name":"lan6","total":"18446744073709551616","used":1,
           "available":"18446744073709551615","disabled":false,"conflicting":false,"reason":""})",
       "NAME  TOTAL                 USED  AVAILABLE             DISABLED  CONFLICTING  REASON\n"
       "lan6  18446744073709551616  1     18446744073709551615  no        no           -\n",
       nullptr},
      {"policies",
       R"({"name":"lan","kind":"L2Advertisement","via":"l2","service_selector":"<everything>",
           "node_selector":"rack=a","pools":["lan"],"addresses":["LoadBalancerIP"],"services":2,
           "ips":3,"nodes":1,"interfaces":[],"reason":"InForce","message":"","problems":[]},
          {"name":"tor","kind":"BGPAdvertisement","via":"bgp","pools":[],"peers":["tor-1"],
           "service_selector":"app=web","services":0,"ips":0,"nodes":3,"reason":"InForce"},
          {"name":"bad","kind":"BGPAdvertisement","via":"bgp","reason":"Invalid",
           "message":"a.yaml:3: no"})",
       "NAME  KIND              SELECTS       POOLS  INTERFACES  PEERS  SERVICES  IPS  NODES  "
       "REASON\n"
       "lan   L2Advertisement   <everything>  lan    all         -      2         3    1      "
       "InForce\n"
       "tor   BGPAdvertisement  app=web       all    -           tor-1  0         0    3      "
       "InForce\n"
       "bad   BGPAdvertisement  -             -      -           -      -         -    -      "
       "Invalid\n",
       nullptr},
      {"peers",
       R"({"name":"tor","address":"10.0.0.254","asn":64512,"state":"Established",
           "uptime_s":3723,"prefixes":5})",
       "NAME  ADDRESS     ASN    STATE        UPTIME  PREFIXES  LAST_ERROR\n"
       "tor   10.0.0.254  64512  Established  1h2m3s  5         -\n",
       nullptr},
  };
  for (const auto& c : cases) {
    const std::string reply =
        std::string(R"({"ok":true,"data":{")") + c.what + "\":[" + c.object + "]}}";
    const Request request{.command = "get", .what = c.what, .name = ""};
    EXPECT_EQ(answer(request, Format::Table, reply).out, c.table);
    if (c.wide != nullptr) {
      EXPECT_EQ(answer(request, Format::Wide, reply).out, c.wide);
    }
  }
}

// What should be announced and is not stands there as such.
TEST(Print, ASessionThatIsDownAnnouncesNothing) {
  const std::string reply =
      R"({"ok":true,"data":{"services":[{"namespace":"default","name":"web","announcements":[
          {"via":"l2","nodes":["n1"],"interfaces":["eth0"],"reason":"Silent"},
          {"via":"bgp","node":"n1","peer":"tor-1","reason":"Announced"},
          {"via":"bgp","node":"n1","peer":"tor-2","reason":"Announced"},
          {"via":"bgp","node":"n2","peer":"tor-1","reason":"Announced"},
          {"via":"bgp","node":"n2","peer":"tor-2","reason":"SessionDown"},
          {"via":"bgp","node":"n3","peer":"tor-1","reason":"Announced"}],
          "announcements_cut":true}]}})";
  EXPECT_THAT(answer(kServices, Format::Table, reply).out,
              HasSubstr("l2 n1/eth0 (Silent); bgp n1>tor-2; bgp 3 nodes>tor-1; bgp n2>tor-2 "
                        "(SessionDown); and more\n"));
  EXPECT_THAT(answer(kServices, Format::Wide, reply).out, HasSubstr("bgp n1,n2,n3>tor-1;"));
}

TEST(Print, JsonIsTheDataAndYamlTheSame) {
  const std::string reply =
      R"({"ok":true,"data":{"services":[{"namespace":"default","name":"web","ips":["10.0.0.1"],
          "pool":"on","epoch":3,"empty":[],"message":"a: b","announcements":[{"via":"l2"}]}]}})";
  EXPECT_EQ(answer(kServices, Format::Json, reply).out,
            R"({
  "services": [
    {
      "namespace": "default",
      "name": "web",
      "ips": [
        "10.0.0.1"
      ],
      "pool": "on",
      "epoch": 3,
      "empty": [],
      "message": "a: b",
      "announcements": [
        {
          "via": "l2"
        }
      ]
    }
  ]
}
)");
  EXPECT_EQ(answer(kServices, Format::Yaml, reply).out,
            R"(services:
- namespace: default
  name: web
  ips:
  - "10.0.0.1"
  pool: "on"
  epoch: 3
  empty: []
  message: "a: b"
  announcements:
  - via: l2
)");
}

TEST(Print, StatusAndExplain) {
  const Answer status = answer(
      {.command = "status", .what = "", .name = ""}, Format::Table,
      R"({"ok":true,"data":{"node":"n1","leader":null,"store":{"uri":"embedded:/x","healthy":true,
          "last_error":""},"members":[{"name":"n1","state":"Member","ips":2}],"warnings":["clock"]}})");
  EXPECT_EQ(status.out,
            "node:      n1\n"
            "leader:    -\n"
            "store:     uri embedded:/x, healthy yes\n"
            "members:\n"
            "  NAME  STATE   LEADER  DRAINED  IPS  LEASE  LEFT  GUARDS  INTERFACES\n"
            "  n1    Member  -       -        2    -      -     -       -\n"
            "warnings:\n"
            "  clock\n");
  const Answer explain =
      answer({.command = "explain", .what = "service", .name = "default/web"}, Format::Table,
             R"({"ok":true,"data":{"object":"service default/web","verdict":"no IP: PoolExhausted",
                 "chain":["pool lan selects it","0 of 4 are free"],"remedy":"enlarge lan"}})");
  EXPECT_EQ(explain.out,
            "service default/web: no IP: PoolExhausted\n"
            "  1. pool lan selects it\n"
            "  2. 0 of 4 are free\n"
            "what to do: enlarge lan\n");
  // A newer daemon calls the chain "facts", too; they are told once.
  EXPECT_EQ(answer({.command = "explain", .what = "pool", .name = "lan"}, Format::Table,
                   R"({"ok":true,"data":{"object":"pool lan","verdict":"in use","total":4,
                       "problems":[],"facts":["a fact"],"chain":["a fact"],"remedy":""}})")
                .out,
            "pool lan: in use\n"
            "  1. a fact\n");
}

TEST(Print, ExitCodesAndMessages) {
  const struct {
    const char* reply;
    const char* name;
    Format format;
    int exit_code;
    const char* err;
  } cases[] = {
      {R"({"ok":false,"error":"no such service"})", "", Format::Json, kExitNo, "no such service\n"},
      {R"({"ok":false})", "", Format::Json, kExitNo, "refused without a reason\n"},
      {R"({"ok":true,"data":{"services":[]}})", "a/b", Format::Table, kExitNo,
       "no services named a/b\n"},
      {R"({"ok":true,"data":{"services":[]}})", "", Format::Table, kExitOk, "no services\n"},
      {R"({"ok":true,"data":{"services":[]}})", "", Format::Json, kExitOk, ""},
      {R"({"ok":true,"data":{}})", "", Format::Json, kExitUnreachable, "no list \"services\""},
      {R"({"ok":true})", "", Format::Json, kExitUnreachable, "no \"data\" in it"},
      {R"([])", "", Format::Json, kExitUnreachable, "no \"ok\" in it"},
      {R"({"ok")", "", Format::Json, kExitUnreachable, "cannot be understood"},
      {"", "", Format::Json, kExitUnreachable, "cannot be understood"},
  };
  for (const auto& c : cases) {
    Request request = kServices;
    request.name = c.name;
    const Answer a = answer(request, c.format, c.reply);
    EXPECT_EQ(a.exit_code, c.exit_code) << c.reply;
    EXPECT_THAT(a.err, HasSubstr(c.err)) << c.reply;
    if (c.exit_code != kExitOk) {
      EXPECT_EQ(a.out, "") << c.reply;
    }
  }
}

}  // namespace
}  // namespace herald::cli
