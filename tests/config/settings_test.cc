#include "config/settings.h"

#include <gtest/gtest.h>

namespace herald::config {
namespace {

TEST(Settings, FlagBeatsEnvironmentBeatsFileBeatsDefault) {
  SettingsInput in;
  in.host_name = "host";
  in.file_name = "h.yaml";
  EXPECT_EQ(read_settings(in)->node_name, "host");
  in.file_text = "node-name: filed\nstore: {lease-duration: 4s}\nmanifests: [/a, /b]\n";
  EXPECT_EQ(read_settings(in)->node_name, "filed");
  EXPECT_EQ(read_settings(in)->store_revoke_after, 5s);
  EXPECT_EQ(read_settings(in)->manifests.size(), 2U);
  in.environment["HERALD_NODE_NAME"] = "env";
  EXPECT_EQ(read_settings(in)->node_name, "env");
  in.flags["node-name"] = {"flag"};
  EXPECT_EQ(read_settings(in)->node_name, "flag");
}

TEST(Settings, FaultsNameSettingPlaceAndValue) {
  SettingsInput in;
  in.host_name = "host";
  in.file_name = "h.yaml";
  in.file_text = "log-level: loud\nadmn: x\n";
  in.environment["HERALD_L2_RESPONDER"] = "bpf";
  in.flags["bgp-router-id"] = {"::1"};
  const auto got = read_settings(in);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error(),
            (std::vector<std::string>{
                "h.yaml:1: log-level: 'loud' is none of trace, debug, info, warn, error",
                "h.yaml:2: there is no setting 'admn'; did you mean 'admin'?",
                "environment HERALD_L2_RESPONDER: l2-responder: 'bpf' is not in this version: "
                "write auto or packet",
                "--bgp-router-id: bgp-router-id: '::1' is no router ID: write it like an IPv4 "
                "address, not 0.0.0.0"}));
}

Result<Settings, std::vector<std::string>> with_flags(
    const std::map<std::string, std::string>& flags) {
  SettingsInput in;
  in.host_name = "host";
  for (const auto& [name, value] : flags) in.flags[name] = {value};
  return read_settings(in);
}

TEST(Settings, HeartbeatTimingsFollowTheProfileUnlessGiven) {
  const struct {
    std::map<std::string, std::string> flags;
    Duration interval, patience;
  } kRows[] = {
      {{}, 30ms, 150ms},
      {{{"heartbeat-profile", "default"}}, 30ms, 150ms},
      {{{"heartbeat-profile", "fast"}}, 10ms, 50ms},
      {{{"heartbeat-patience", "500ms"}}, 100ms, 500ms},
      {{{"heartbeat-profile", "fast"}, {"heartbeat-interval", "5ms"}}, 5ms, 50ms},
      {{{"heartbeat-interval", "50ms"}}, 50ms, 150ms},
      {{{"heartbeat-interval", "1s"}, {"heartbeat-patience", "3s"}}, 1s, 3s},
  };
  for (const auto& row : kRows) {
    const auto got = with_flags(row.flags);
    ASSERT_TRUE(got) << got.error().front();
    EXPECT_EQ(got->heartbeat_interval, row.interval);
    EXPECT_EQ(got->heartbeat_patience, row.patience);
  }
}

TEST(Settings, HeartbeatsAreListenedForWhereItSays) {
  const auto listen = [](const std::string& text) {
    const auto got = with_flags({{"heartbeat-listen", text}});
    if (!got) return got.error().front();
    const std::string where =
        got->heartbeat_address ? to_string(*got->heartbeat_address) : std::string("any");
    return got->heartbeat_port ? where + " " + std::to_string(*got->heartbeat_port) : "none";
  };
  EXPECT_EQ(with_flags({})->heartbeat_port, kHeartbeatPort);
  EXPECT_EQ(listen("7000"), "any 7000");
  EXPECT_EQ(listen("192.0.2.1:7000"), "192.0.2.1 7000");
  EXPECT_EQ(listen("[2001:db8::1]:7000"), "2001:db8::1 7000");
  EXPECT_EQ(listen("none"), "none");
  for (const char* bad : {"", ":7000", "x:7000", "2001:db8::1:7000", "[192.0.2.1]:7000", "[]:7000",
                          "192.0.2.1:", "192.0.2.1:0", "70000", "-1", "224.0.0.1:7000"}) {
    EXPECT_NE(listen(bad).find("write 7950, 192.0.2.1:7950"), std::string::npos) << bad;
  }
}

TEST(Settings, CoordinationFaultsHaveARemedy) {
  const struct {
    std::map<std::string, std::string> flags;
    std::string fault;
  } kRows[] = {
      {{{"heartbeat-interval", "51ms"}},
       "heartbeat-interval: '51ms' is more than a third of heartbeat-patience 150ms: two lost "
       "heartbeats would silence a node; a fifth is usual"},
      {{{"cordoned-nodes", "drop"}},
       "--cordoned-nodes: cordoned-nodes: 'drop' is neither keep nor yield"},
      {{{"heartbeat-profile", "slow"}},
       "--heartbeat-profile: heartbeat-profile: 'slow' is neither default nor fast"},
      {{{"heartbeat-patience", "2ms"}},
       "--heartbeat-patience: heartbeat-patience: '2ms' is no duration from 5ms to 1h: write it "
       "like 2s or 500ms"},
      {{{"heartbeat-key-file", ""}},
       "--heartbeat-key-file: heartbeat-key-file: '' is empty: give a value"},
      {{{"node-name", "two words"}},
       "--node-name: node-name: 'two words' is no name of 1 to 253 characters without slashes and "
       "blanks: write a host name"},
      {{{"cluster", ""}}, "--cluster: cluster: '' is no name of 1 to 253 characters"},
      {{{"cluster", "a/b"}},
       "--cluster: cluster: 'a/b' holds a slash, a blank or what is not ASCII: write a plain name"},
      {{{"coord-store-loss-limit", "soon"}},
       "--coord-store-loss-limit: coord-store-loss-limit: 'soon' is no duration from 1s to 24h: "
       "write it like 60s, or none"},
      {{{"coord-store-loss-limit", "1s"}},
       "coord-store-loss-limit: '1s' is shorter than store-lease-duration 2s: write 60s, or none"},
  };
  for (const auto& row : kRows) {
    const auto got = with_flags(row.flags);
    ASSERT_FALSE(got) << row.fault;
    EXPECT_EQ(got.error(), std::vector<std::string>{row.fault});
  }
  const auto good = with_flags({{"cluster", "lab"},
                                {"heartbeat-key-file", "/etc/herald/key"},
                                {"coord-store-loss-limit", "60s"}});
  ASSERT_TRUE(good);
  EXPECT_EQ(good->cluster, "lab");
  EXPECT_EQ(good->heartbeat_key_file, "/etc/herald/key");
  EXPECT_EQ(good->coord_store_loss_limit, Duration(60s));
  EXPECT_EQ(with_flags({{"coord-store-loss-limit", "none"}})->coord_store_loss_limit, std::nullopt);
}

TEST(Settings, AnEtcdIsNamedByItsUrls) {
  SettingsInput in;
  in.host_name = "host";
  in.flags["store"] = {"etcd:https://a:1, http://[::1]"};
  in.flags["store-prefix"] = {"/herald/lab"};
  const auto settings = read_settings(in);
  ASSERT_TRUE(settings);
  EXPECT_EQ(etcd_urls(settings->store),
            (std::vector<HttpUrl>{{true, "a", 1}, {false, "::1", 2379}}));
  EXPECT_EQ(settings->store_prefix, "/herald/lab/");
  EXPECT_TRUE(etcd_urls("embedded:/x").empty());
  EXPECT_EQ(with_flags({})->store_prefix, "/herald/default/");
  EXPECT_EQ(with_flags({{"cluster", "lab"}})->store_prefix, "/herald/lab/");

  const struct {
    const char *name, *value, *says;
  } wrong[] = {
      {"store", "etcd:", "is no store"},
      {"store", "etcd:,", "names no URL"},
      {"store", "etcd:http://a,b:1", "'b:1' does not begin with http"},
      {"store-prefix", "herald", "is no prefix of keys"},
      {"store-user", "u", "store-user: is given without store-password-file"},
      {"store-key-file", "f", "store-key-file: is given without store-cert-file"},
  };
  for (const auto& w : wrong) {
    SettingsInput bad;
    bad.host_name = "host";
    bad.flags[w.name] = {w.value};
    const auto got = read_settings(bad);
    ASSERT_FALSE(got) << w.value;
    EXPECT_NE(got.error().at(0).find(w.says), std::string::npos) << got.error()[0];
  }
}

TEST(Settings, AnApiServerIsStoreAndSource) {
  const auto in_pod = with_flags({{"store", "kubernetes:"}});
  ASSERT_TRUE(in_pod);
  EXPECT_EQ(kubeconfig_of(in_pod->store), "");
  EXPECT_EQ(in_pod->store_timeout, kKubernetesTimeout);
  const auto outside =
      with_flags({{"store", "kubernetes:/root/.kube/config"},
                  {"store-timeout", "1s"},
                  {"kubernetes-namespace", "lb"},
                  {"kubernetes-api", "https://127.0.0.1:7445/k8s/c-1,https://[::1]"},
                  {"service-status-limit", "0"}});
  ASSERT_TRUE(outside);
  EXPECT_EQ(kubeconfig_of(outside->store), "/root/.kube/config");
  EXPECT_EQ(outside->store_timeout, 1s);
  EXPECT_EQ(outside->kubernetes_namespace, "lb");
  ASSERT_EQ(outside->kubernetes_api.size(), 2U);
  EXPECT_EQ(outside->kubernetes_api[0].path, "/k8s/c-1");
  EXPECT_EQ(outside->kubernetes_api[1].port, 443);
  EXPECT_EQ(outside->service_status_limit, 0U);
  EXPECT_EQ(in_pod->service_status_limit, 2000U);
  EXPECT_FALSE(kubeconfig_of("embedded:/x"));

  struct Case {
    std::map<std::string, std::string> flags;
    const char* why;
  };
  for (const Case& c : {
           Case{{{"store", "kubernetes:"}, {"service-status-limit", "many"}},
                "is no number of objects"},
           Case{{{"store", "embedded:/x"}, {"manifests", "/m"}, {"service-status-limit", "5"}},
                "is given, but the store is"},
           Case{{{"store", "kubernetes:"}, {"manifests", "/etc/herald/manifests"}},
                "the API server has the manifests"},
           {{{"kubernetes-api", "https://a"}}, "is given, but the store is embedded:"},
           {{{"store", "kubernetes:"}, {"kubernetes-namespace", "Lb_"}}, "is no namespace"},
           {{{"store", "kubernetes:"}, {"kubernetes-api", "a:1"}}, "does not begin with http"},
       }) {
    const auto got = with_flags(c.flags);
    ASSERT_FALSE(got) << c.why;
    ASSERT_EQ(got.error().size(), 1U) << c.why;
    EXPECT_NE(got.error()[0].find(c.why), std::string::npos) << got.error()[0];
  }
}

}  // namespace
}  // namespace herald::config
