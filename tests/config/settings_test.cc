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

}  // namespace
}  // namespace herald::config
