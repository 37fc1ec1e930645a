// What is read of Kubernetes' own kinds, and what a Service asks for in each dialect.
#include <gtest/gtest.h>

#include "base/text.h"
#include "config/manifests.h"

namespace herald::config {
namespace {

Desired read(const std::string& text, ManifestOptions options = {}) {
  Manifests m(std::move(options));
  m.set_file("f.yaml", text);
  return m.desired();
}

Desired service(const std::string& annotations, const std::string& spec = "",
                const std::string& status = "") {
  return read("apiVersion: v1\nkind: Service\nmetadata: {name: web, annotations: {" + annotations +
              "}}\nspec: {type: LoadBalancer" + (spec.empty() ? "" : ", " + spec) + "}\n" +
              (status.empty() ? "" : "status: {loadBalancer: {ingress: [" + status + "]}}\n"));
}

// The field, if it is not named in the sentence itself.
std::string told_of(const Problem& p) {
  const std::string annotation = "metadata.annotations.";
  const std::string field =
      p.field.rfind(annotation, 0) == 0 ? p.field.substr(annotation.size()) : p.field;
  return p.message[0] == '\'' ? field + ": " + p.message : p.message;
}

template <typename T>
std::string texts(const T& values) {
  std::vector<std::string> out;
  for (const auto& v : values) out.push_back(to_string(v));
  return join(out, " ");
}

TEST(ServiceAnnotations, AskForIps) {
  const struct {
    std::string annotations, spec, ips, by;
  } cases[] = {
      {"", "", "", ""},
      {"", "loadBalancerIP: 10.0.0.1", "10.0.0.1", "spec.loadBalancerIP"},
      {"herald.io/ips: '10.0.0.1, fd00::1'", "", "10.0.0.1 fd00::1", "herald.io/ips"},
      {"lbipam.cilium.io/ips: '10.0.0.22,10.0.0.23'", "loadBalancerIP: 10.0.0.21",
       "10.0.0.21 10.0.0.22 10.0.0.23", "lbipam.cilium.io/ips"},
      {"io.cilium/lb-ipam-ips: 10.0.0.2", "", "10.0.0.2", "io.cilium/lb-ipam-ips"},
      {"lbipam.cilium.io/ips: '', io.cilium/lb-ipam-ips: 10.0.0.2", "", "", ""},
      {"metallb.io/loadBalancerIPs: 'fd00::1, 10.0.0.1'", "", "fd00::1 10.0.0.1",
       "metallb.io/loadBalancerIPs"},
      {"metallb.universe.tf/loadBalancerIPs: 10.0.0.1", "", "10.0.0.1",
       "metallb.universe.tf/loadBalancerIPs"},
      {"kube-vip.io/loadbalancerIPs: 0.0.0.0", "", "", ""},
      {"kube-vip.io/loadbalancerIPs: 10.0.0.3", "", "10.0.0.3", "kube-vip.io/loadbalancerIPs"},
      {"purelb.io/addresses: 10.0.0.3", "", "10.0.0.3", "purelb.io/addresses"},
      {"lbipam.cilium.io/ips: 10.0.0.1, metallb.io/loadBalancerIPs: 10.0.0.1", "", "10.0.0.1",
       "lbipam.cilium.io/ips"},
      {"lbipam.cilium.io/ips: '10.0.0.1,10.0.0.1'", "", "10.0.0.1", "lbipam.cilium.io/ips"},
  };
  for (const auto& c : cases) {
    const Desired d = service(c.annotations, c.spec);
    ASSERT_EQ(d.services.size(), 1U) << c.annotations;
    EXPECT_EQ(texts(d.services[0].requested), c.ips) << c.annotations;
    EXPECT_EQ(d.services[0].requested_by.value_or(""), c.by) << c.annotations;
    EXPECT_FALSE(d.services[0].invalid_request) << c.annotations;
  }
}

TEST(ServiceAnnotations, AnInvalidRequestLeavesTheServiceKnown) {
  const struct {
    std::string annotations, spec, why;
    bool families = false;
  } cases[] = {
      {"", "loadBalancerIP: garbage",
       "spec.loadBalancerIP: 'garbage' is no IP address: write it like 192.0.2.1 or 2001:db8::1"},
      {"metallb.io/loadBalancerIPs: garbage", "",
       "metallb.io/loadBalancerIPs: 'garbage' is no IP address: write it like 192.0.2.1 or "
       "2001:db8::1, with commas between several"},
      {"lbipam.cilium.io/ips: '10.0.0.1, 10.0.0.0/24'", "",
       "lbipam.cilium.io/ips: '10.0.0.0/24' is no IP address: write it like 192.0.2.1 or "
       "2001:db8::1, with commas between several"},
      {"metallb.io/loadBalancerIPs: 1.2.3.1", "loadBalancerIP: 1.2.3.1",
       "spec.loadBalancerIP and metallb.io/loadBalancerIPs exclude one another: remove one"},
      {"metallb.io/loadBalancerIPs: '1.2.3.1,1.2.3.2'", "",
       "metallb.io/loadBalancerIPs asks for '1.2.3.1,1.2.3.2': it takes one IP, or one IPv4 and "
       "one IPv6 address"},
      {"metallb.io/loadBalancerIPs: '1.2.3.1,1::2,1::3'", "",
       "metallb.io/loadBalancerIPs asks for '1.2.3.1,1::2,1::3': it takes one IP, or one IPv4 and "
       "one IPv6 address"},
      {"metallb.io/loadBalancerIPs: '1.2.3.0,1000::'", "clusterIP: 10.0.0.1",
       "metallb.io/loadBalancerIPs asks for '1.2.3.0,1000::', but the service is of IPv4: ask for "
       "one address of each of its families",
       true},
      {"metallb.io/loadBalancerIPs: 1.2.3.0",
       "clusterIPs: [10.0.0.1, 'fd00::1'], ipFamilyPolicy: PreferDualStack",
       "metallb.io/loadBalancerIPs asks for '1.2.3.0', but the service is of IPv4 and IPv6: ask "
       "for one address of each of its families",
       true},
      {"metallb.io/loadBalancerIPs: 1.2.3.0", "ipFamilies: [IPv6]",
       "metallb.io/loadBalancerIPs asks for '1.2.3.0', but the service is of IPv6: ask for one "
       "address of each of its families",
       true},
      {"lbipam.cilium.io/ips: 10.0.0.1, metallb.io/loadBalancerIPs: 10.0.0.2", "",
       "metallb.io/loadBalancerIPs says '10.0.0.2' and lbipam.cilium.io/ips says '10.0.0.1': "
       "remove one of the two, or let both say the same"},
      {"herald.io/pool: a, metallb.io/address-pool: b", "",
       "metallb.io/address-pool says 'b' and herald.io/pool says 'a': remove one of the two, or "
       "let both say the same"},
      {"lbipam.cilium.io/sharing-key: a, metallb.io/allow-shared-ip: b", "",
       "metallb.io/allow-shared-ip says 'b' and lbipam.cilium.io/sharing-key says 'a': remove one "
       "of the two, or let both say the same"},
  };
  for (const auto& c : cases) {
    const Desired d = service(c.annotations, c.spec, "{ip: 10.0.0.9}");
    ASSERT_EQ(d.services.size(), 1U) << c.annotations;
    EXPECT_EQ(d.services[0].invalid_request.value_or(""), c.why) << c.annotations;
    EXPECT_EQ(d.services[0].invalid_families, c.families) << c.annotations;
    EXPECT_TRUE(d.services[0].requested.empty()) << c.annotations;
    EXPECT_EQ(texts(d.services[0].held), "10.0.0.9");
    EXPECT_TRUE(d.complete);
    ASSERT_EQ(d.problems.size(), 1U) << c.annotations;
    EXPECT_EQ(d.problems[0].severity, Severity::Error);
    EXPECT_EQ(told_of(d.problems[0]), c.why);
  }
}

TEST(ServiceAnnotations, OldNamesAreToldTheNewOne) {
  const struct {
    std::string old, now;
  } cases[] = {
      {"io.cilium/lb-ipam-ips", "lbipam.cilium.io/ips"},
      {"io.cilium/lb-ipam-sharing-key", "lbipam.cilium.io/sharing-key"},
      {"io.cilium/lb-ipam-sharing-cross-namespace", "lbipam.cilium.io/sharing-cross-namespace"},
      {"io.cilium/lb-ipam-sharing-permit-different-pods",
       "lbipam.cilium.io/sharing-permit-different-pods"},
      {"metallb.universe.tf/loadBalancerIPs", "metallb.io/loadBalancerIPs"},
      {"metallb.universe.tf/address-pool", "metallb.io/address-pool"},
      {"metallb.universe.tf/allow-shared-ip", "metallb.io/allow-shared-ip"},
  };
  for (const auto& c : cases) {
    const Desired d = service(c.old + ": 10.0.0.1");
    ASSERT_EQ(d.problems.size(), 1U) << c.old;
    EXPECT_EQ(to_string(d.problems[0]), "f.yaml:3: Service default/web: metadata.annotations." +
                                            c.old + ": is an old name: write " + c.now);
    EXPECT_EQ(d.problems[0].severity, Severity::Warning);
  }
}

TEST(ServiceAnnotations, PoolAndSharing) {
  EXPECT_EQ(service("metallb.io/address-pool: lan").services[0].requested_pool, PoolName("lan"));
  EXPECT_EQ(service("herald.io/pool: lan").services[0].requested_pool_by.value_or(""),
            "herald.io/pool");
  EXPECT_FALSE(service("metallb.io/address-pool: ''").services[0].requested_pool);

  const struct {
    std::string annotations;
    Rare<Sharing> sharing;
  } cases[] = {
      {"", {}},
      {"lbipam.cilium.io/sharing-cross-namespace: '*'", {}},
      {"lbipam.cilium.io/sharing-key: k", Sharing{"k", {}, false}},
      {"herald.io/sharing-key: k, herald.io/sharing-cross-namespace: ' a , b '",
       Sharing{"k", {"a", "b"}, false}},
      {"io.cilium/lb-ipam-sharing-key: k, io.cilium/lb-ipam-sharing-cross-namespace: '*'",
       Sharing{"k", {"*"}, false}},
      {"metallb.io/allow-shared-ip: k", Sharing{"k", {"*"}, false}},
      {"metallb.io/allow-shared-ip: k, lbipam.cilium.io/sharing-key: k",
       Sharing{"k", {"*"}, false}},
  };
  for (const auto& c : cases) {
    const Desired d = service(c.annotations);
    EXPECT_TRUE(d.services[0].sharing == c.sharing) << c.annotations;
    EXPECT_FALSE(d.services[0].invalid_request);
  }
  for (const auto& [word, on] : {std::pair{"'true'", true},
                                 {"'True'", true},
                                 {"'TRUE'", true},
                                 {"'1'", true},
                                 {"t", true},
                                 {"'false'", false},
                                 {"'0'", false},
                                 {"''", false},
                                 {"'yes'", false},
                                 {"garbage", false}}) {
    const Desired d = service(std::string("lbipam.cilium.io/sharing-key: k, "
                                          "lbipam.cilium.io/sharing-permit-different-pods: ") +
                              word);
    EXPECT_EQ(d.services[0].sharing->permit_different_pods, on) << word;
  }
}

TEST(CoreKinds, FamiliesOfAService) {
  const struct {
    std::string spec, families;
    bool headless = false;
  } cases[] = {
      {"", ""},
      {"ipFamilies: [IPv6, IPv4]", "IPv6 IPv4"},
      {"clusterIP: 10.0.0.1", "IPv4"},
      {"clusterIPs: ['fd00::1', 10.0.0.1]", "IPv6 IPv4"},
      {"clusterIP: 10.0.0.1, clusterIPs: [10.0.0.1, 'fd00::1']", "IPv4 IPv6"},
      {"clusterIP: 10.0.0.1, ipFamilies: [IPv6]", "IPv6"},
      {"clusterIP: None", "", true},
      {"clusterIPs: [None]", "", true},
      {"clusterIP: ''", "", true},
      {"clusterIPs: []", "", true},
  };
  for (const auto& c : cases) {
    const Desired d = service("", c.spec);
    std::vector<std::string> families;
    for (const IpFamily f : d.services[0].families) families.emplace_back(to_string(f));
    EXPECT_EQ(join(families, " "), c.families) << c.spec;
    EXPECT_EQ(d.services[0].headless, c.headless) << c.spec;
    EXPECT_TRUE(d.problems.empty()) << c.spec;
  }
}

TEST(CoreKinds, StatusOfAService) {
  const Desired d = service("", "selector: {app: web}, loadBalancerClass: herald.io/herald",
                            "{hostname: lb.example.com}, {ip: 10.0.0.1}, {ip: nonsense}");
  ASSERT_EQ(d.services.size(), 1U);
  EXPECT_EQ(texts(d.services[0].held), "10.0.0.1");
  EXPECT_TRUE(d.services[0].foreign_status);
  EXPECT_EQ(d.services[0].selector, (Labels{{"app", "web"}}));
  EXPECT_EQ(d.services[0].load_balancer_class.value_or(""), "herald.io/herald");
  EXPECT_EQ(d.problems.size(), 1U);
  EXPECT_FALSE(service("", "", "{ip: 10.0.0.1}").services[0].foreign_status);
}

TEST(CoreKinds, ClassesDecideWhoseServiceItIs) {
  const auto unmanaged = [](const std::string& cls, ManifestOptions options = {}) {
    const Desired d = read(
        "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
        "spec: {type: LoadBalancer" +
            (cls.empty() ? "" : ", loadBalancerClass: " + cls) + "}\n",
        std::move(options));
    EXPECT_EQ(d.services.size() + d.unmanaged.size(), 1U);
    return d.unmanaged.empty() ? std::string() : d.unmanaged[0].why;
  };
  EXPECT_EQ(unmanaged(""), "");
  for (const char* ours :
       {"herald.io/herald", "io.cilium/l2-announcer", "io.cilium/bgp-control-plane"}) {
    EXPECT_EQ(unmanaged(ours), "");
  }
  EXPECT_EQ(unmanaged("example.com/lb"),
            "its loadBalancerClass is example.com/lb, which is none of load-balancer-classes "
            "(herald.io/herald, io.cilium/l2-announcer, io.cilium/bgp-control-plane)");
  EXPECT_EQ(unmanaged("''"),
            "its loadBalancerClass is empty, which is none of load-balancer-classes "
            "(herald.io/herald, io.cilium/l2-announcer, io.cilium/bgp-control-plane)");
  EXPECT_EQ(unmanaged("example.com/lb", {{"example.com/lb"}, true}), "");
  EXPECT_EQ(unmanaged("herald.io/herald", {{"example.com/lb"}, true}),
            "its loadBalancerClass is herald.io/herald, which is none of load-balancer-classes "
            "(example.com/lb)");
  EXPECT_EQ(unmanaged("", {{"example.com/lb"}, false}),
            "it has no loadBalancerClass, and class-less-services is false: give it one of "
            "example.com/lb");
}

TEST(CoreKinds, NodesAndTheirConditions) {
  const auto node = [](const std::string& rest) {
    return read("apiVersion: v1\nkind: Node\nmetadata: {name: n1}\n" + rest).nodes.at(0);
  };
  EXPECT_TRUE(node("").ready);
  EXPECT_FALSE(node("").network_unavailable);
  for (const auto& [text, ready] :
       {std::pair{"'True'", true}, {"'False'", false}, {"Unknown", false}}) {
    EXPECT_EQ(
        node(std::string("status: {conditions: [{type: Ready, status: ") + text + "}]}\n").ready,
        ready);
  }
  EXPECT_TRUE(node("status: {conditions: [{type: NetworkUnavailable, status: 'True'}]}\n")
                  .network_unavailable);
  EXPECT_TRUE(node("spec: {unschedulable: true}\n").cordoned);
  EXPECT_TRUE(node("spec: {taints: [{key: a, effect: NoExecute}, {key: "
                   "node.kubernetes.io/out-of-service, value: nodeshutdown, effect: NoExecute}]}\n")
                  .out_of_service);
  EXPECT_TRUE(
      node("spec: {taints: [{key: ToBeDeletedByClusterAutoscaler, effect: NoSchedule}]}\n").going);
  EXPECT_FALSE(node("spec: {taints: [{key: node.kubernetes.io/unreachable}]}\n").out_of_service);
}

// Cilium's operator writes them for Gateways and Ingresses.
TEST(CoreKinds, DummyEndpointsOfGateways) {
  const auto slice = [](const std::string& rest) {
    return read(
               "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n  name: web\n"
               "  labels: {kubernetes.io/service-name: web}\n" +
               rest)
        .endpoint_slices;
  };
  const auto dummy = [&](const std::string& endpoint, const std::string& ports) {
    return slice("addressType: IPv4\nendpoints:\n- " + endpoint + "\n" + ports)
        .at(0)
        .endpoints.at(0)
        .gateway;
  };
  EXPECT_TRUE(dummy("{addresses: [192.192.192.192]}", "ports: [{port: 9999}]"));
  EXPECT_TRUE(dummy("{addresses: [192.192.192.192], conditions: {ready: true}}", ""));
  EXPECT_FALSE(dummy("{addresses: [192.192.192.192]}", "ports: [{port: 80}]"));
  EXPECT_FALSE(dummy("{addresses: [192.192.192.192], nodeName: n1}", "ports: [{port: 9999}]"));
  EXPECT_FALSE(dummy("{addresses: [192.192.192.193]}", "ports: [{port: 9999}]"));
  EXPECT_FALSE(dummy("{addresses: [192.192.192.192, 10.0.0.1]}", "ports: [{port: 9999}]"));
  EXPECT_FALSE(dummy("{}", ""));

  EXPECT_EQ(slice("addressType: IPv6\n").at(0).family, IpFamily::IPv6);
  EXPECT_EQ(slice("endpoints: []\n").at(0).family, std::nullopt);
  EXPECT_TRUE(slice("addressType: FQDN\nendpoints: [{addresses: [a.example.com]}]\n").empty());
}

// The data plane's affair.
TEST(CoreKinds, SourceRangesAreLeftAlone) {
  const Desired d = service("", "loadBalancerSourceRanges: [10.0.0.0/8, nonsense]");
  EXPECT_TRUE(d.problems.empty());
  ASSERT_EQ(d.services.size(), 1U);
  EXPECT_EQ(d.services[0].requested, service("", "").services.at(0).requested);
}

TEST(CoreKinds, EndpointSlices) {
  const Desired d = read(
      "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n  name: web-1\n"
      "  namespace: shop\n  labels: {kubernetes.io/service-name: web}\naddressType: IPv4\n"
      "endpoints:\n- {addresses: [10.1.0.1], nodeName: n1}\n"
      "- {addresses: [10.1.0.2], conditions: {ready: false}}\n"
      "- {addresses: [10.1.0.3], conditions: {ready: false, serving: true, terminating: true}}\n"
      "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: stray}\n");
  EXPECT_TRUE(d.problems.empty());
  ASSERT_EQ(d.endpoint_slices.size(), 1U);
  const EndpointSlice& slice = d.endpoint_slices[0];
  EXPECT_EQ(slice.service, (ObjectName{"shop", "web"}));
  EXPECT_EQ(slice.endpoints, (std::vector<Endpoint>{{NodeName("n1"), true, true, false},
                                                    {{}, false, false, false},
                                                    {{}, false, true, true}}));
}

// A manifest that is right in every word but one must not pass in silence.
TEST(CoreKinds, SlipsOfThePenAreTold) {
  const struct {
    std::string annotations, spec, field, message;
  } cases[] = {
      {"metallb.io/loadBalancerIP: 10.0.0.1", "", "metadata.annotations.metallb.io/loadBalancerIP",
       "is not known, and has no effect; did you mean 'metallb.io/loadBalancerIPs'?"},
      {"metallb.io/adress-pool: lan", "", "metadata.annotations.metallb.io/adress-pool",
       "is not known, and has no effect; did you mean 'metallb.io/address-pool'?"},
      {"lbipam.cilium.io/ip: 10.0.0.1", "", "metadata.annotations.lbipam.cilium.io/ip",
       "is not known, and has no effect; did you mean 'lbipam.cilium.io/ips'?"},
      {"", "loadBalancerIPs: 10.0.0.1", "spec.loadBalancerIPs",
       "is not known, and has no effect; did you mean 'loadBalancerIP'?"},
      {"", "externaltrafficPolicy: Local", "spec.externaltrafficPolicy",
       "is not known, and has no effect; did you mean 'externalTrafficPolicy'?"},
  };
  for (const auto& c : cases) {
    const Desired d = service(c.annotations, c.spec);
    ASSERT_EQ(d.problems.size(), 1U) << c.annotations << c.spec;
    EXPECT_EQ(d.problems[0].severity, Severity::Warning);
    EXPECT_EQ(d.problems[0].field, c.field);
    EXPECT_EQ(d.problems[0].message, c.message);
    EXPECT_EQ(d.services.size(), 1U);
  }
}

TEST(CoreKinds, WhatOthersMeanIsNoSlip) {
  const Desired d = service(
      "metallb.io/ip-allocated-from-pool: lan, kube-vip.io/loadbalancerHostname: x, "
      "io.cilium/global-service: 'true', service.cilium.io/node: n1, metallb/foo: bar",
      "internalTrafficPolicy: Cluster, allocateLoadBalancerNodePorts: true, sessionAffinity: None, "
      "externalName: '', healthCheckNodePort: 30000, loadBalancerSourceRanges: [10.0.0.0/8], "
      "publishNotReadyAddresses: true, trafficDistribution: PreferClose, novelty: 1");
  EXPECT_TRUE(d.problems.empty()) << to_string(d.problems[0]);
}

TEST(CoreKinds, AnUnknownTypeOfServiceIsAnError) {
  const Desired d =
      read("apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {type: Loadbalancer}\n");
  ASSERT_EQ(d.problems.size(), 1U);
  EXPECT_EQ(to_string(d.problems[0]),
            "f.yaml:4: Service default/web: spec.type: 'Loadbalancer' is none of ClusterIP, "
            "NodePort, LoadBalancer, ExternalName; did you mean 'LoadBalancer'?");
  EXPECT_FALSE(d.complete) << "what it holds stays";
}

TEST(CoreKinds, FormsOfOldAreTold) {
  const Desired slice =
      read("apiVersion: discovery.k8s.io/v1beta1\nkind: EndpointSlice\nmetadata: {name: web}\n");
  ASSERT_EQ(slice.problems.size(), 1U);
  EXPECT_EQ(slice.problems[0].severity, Severity::Warning);
  EXPECT_EQ(slice.problems[0].field, "apiVersion");
  const std::string head =
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: config, namespace: metallb-system}\n"
      "data:\n  config: |\n    ";
  const Desired map = read(head + "address-pools:\n    - name: default\n");
  ASSERT_EQ(map.problems.size(), 1U);
  EXPECT_EQ(map.problems[0].severity, Severity::Warning);
  EXPECT_EQ(map.problems[0].field, "data.config");
  EXPECT_TRUE(read(head + "colour: blue\n").problems.empty());
}

TEST(CoreKinds, AByteOrderMarkAndCarriageReturnsAreRead) {
  const Desired d = read(
      "\xef\xbb\xbf"
      "apiVersion: v1\r\nkind: Namespace\r\nmetadata:\r\n  name: team\r\n---\r\n"
      "apiVersion: v1\r\nkind: Namespace\r\nmetadata:\r\n  name: other\r\n");
  EXPECT_TRUE(d.problems.empty()) << to_string(d.problems[0]);
  EXPECT_EQ(d.namespaces.size(), 2U);
}

TEST(CoreKinds, SecretsKeepTheirValuesToThemselves) {
  const std::string head = "apiVersion: v1\nkind: Secret\nmetadata: {name: bgp, namespace: lb}\n";
  const Desired d = read(head +
                         "type: kubernetes.io/basic-auth\ndata: {password: aHVzaA==}\n"
                         "stringData: {user: me, password: hush}\n");
  ASSERT_EQ(d.secrets.size(), 1U);
  EXPECT_EQ(d.secrets[0].name, (ObjectName{"lb", "bgp"}));
  EXPECT_EQ(d.secrets[0].type, "kubernetes.io/basic-auth");
  EXPECT_EQ(d.secrets[0].keys, (std::vector<std::string>{"password", "user"}));
  const Desired bad = read(head + "data: hush\n");
  ASSERT_EQ(bad.problems.size(), 1U);
  EXPECT_EQ(to_string(bad.problems[0]).find("hush"), std::string::npos);
}

}  // namespace
}  // namespace herald::config
