// Objects of an API server: what changes the picture and what does not, what is forgiven, and what
// is kept of one that went bad.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "config/manifests.h"

namespace herald::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Manifests::ApiObject service(const std::string& name) {
  return {"/api/v1/namespaces/default/services/" + name, "v1", "Service", "default", name};
}
Manifests::ApiObject slice(const std::string& name) {
  return {"/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/" + name,
          "discovery.k8s.io/v1", "EndpointSlice", "default", name};
}
Manifests::ApiObject node(const std::string& name) {
  return {"/api/v1/nodes/" + name, "v1", "Node", "", name};
}
Manifests::ApiObject pool(const std::string& name) {
  return {"/apis/herald.io/v1alpha1/loadbalancerippools/" + name, "herald.io/v1alpha1",
          "LoadBalancerIPPool", "", name};
}

// Items of a list have neither apiVersion nor kind.
std::string service_text(const std::string& name,
                         const std::string& spec = R"("type":"LoadBalancer")",
                         const std::string& status = "{}", const std::string& more = "") {
  return R"({"metadata":{"name":")" + name + R"(","namespace":"default")" + more + R"(},"spec":{)" +
         spec + R"(},"status":)" + status + "}";
}
std::string slice_text(const std::string& name, const std::string& of,
                       const std::string& endpoints) {
  return R"({"metadata":{"name":")" + name +
         R"(","namespace":"default","labels":{"kubernetes.io/service-name":")" + of +
         R"("}},"endpoints":[)" + endpoints + "]}";
}
std::string node_text(const std::string& name, const std::string& status) {
  return R"({"metadata":{"name":")" + name + R"("},"status":)" + status + "}";
}
std::string pool_text(const std::string& name, const std::string& spec,
                      const std::string& more = "") {
  return R"({"apiVersion":"herald.io/v1alpha1","kind":"LoadBalancerIPPool","metadata":{"name":")" +
         name + R"("},"spec":{)" + spec + "}" + more + "}";
}

const std::string kAddresses = R"("addresses":["10.0.0.0/24"])";

std::vector<std::string> names(const Desired& d) {
  std::vector<std::string> out;
  for (const Service& s : d.services) out.push_back(s.name.name);
  return out;
}

TEST(ApiObjects, MakeTheSamePictureAsFiles) {
  Manifests files, objects;
  files.set_file("all.yaml", R"(
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default, creationTimestamp: "2024-01-31T12:00:00Z"}
spec: {type: LoadBalancer, clusterIP: 10.96.0.1, ports: [{port: 80}]}
status: {loadBalancer: {ingress: [{ip: 10.0.0.7}]}}
---
apiVersion: herald.io/v1alpha1
kind: LoadBalancerIPPool
metadata: {name: lan}
spec: {addresses: [10.0.0.0/24]}
---
apiVersion: v1
kind: Node
metadata: {name: n1, labels: {zone: a}}
status: {conditions: [{type: Ready, status: "False"}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: default, labels: {kubernetes.io/service-name: web}}
endpoints: [{nodeName: n1}]
---
apiVersion: v1
kind: Namespace
metadata: {name: default}
)");
  objects.set_object(
      service("web"),
      R"({"metadata":{"name":"web","namespace":"default","creationTimestamp":"2024-01-31T12:00:00Z"},)"
      R"("spec":{"type":"LoadBalancer","clusterIP":"10.96.0.1","ports":[{"port":80}]},)"
      R"("status":{"loadBalancer":{"ingress":[{"ip":"10.0.0.7","ipMode":"VIP"}]}}})");
  objects.set_object(pool("lan"), pool_text("lan", kAddresses));
  objects.set_object(node("n1"), R"({"metadata":{"name":"n1","labels":{"zone":"a"}},)"
                                 R"("status":{"conditions":[{"type":"Ready","status":"False"}]}})");
  objects.set_object(slice("web-1"), slice_text("web-1", "web", R"({"nodeName":"n1"})"));
  objects.set_object({"/api/v1/namespaces/default", "v1", "Namespace", "", "default"},
                     R"({"metadata":{"name":"default"}})");
  Desired a = files.desired(), b = objects.desired();
  EXPECT_EQ(source_of(b.services[0]).file, "/api/v1/namespaces/default/services/web");
  EXPECT_EQ(b.objects_read, 5);
  a.services[0].source = b.services[0].source;
  a.pools[0].source = b.pools[0].source;
  a.nodes[0].source = b.nodes[0].source;
  EXPECT_TRUE(a == b);
  EXPECT_TRUE(b.complete);
  EXPECT_THAT(b.problems, IsEmpty());
}

TEST(ApiObjects, WhatChangesThePicture) {
  struct Case {
    const char* what;
    Manifests::ApiObject object;
    std::string text;
    Change change;
  };
  const std::string held = R"({"loadBalancer":{"ingress":[{"ip":"10.0.0.7"}]}})";
  const std::string dead =
      R"({"conditions":[{"type":"Ready","status":"Unknown","lastHeartbeatTime":"x"}]})";
  Manifests m;
  for (const Case& c : {
           Case{"a service", service("web"), service_text("web"), Change::Wanted},
           {"again", service("web"), service_text("web"), Change::None},
           {"a label", service("web"),
            service_text("web", R"("type":"LoadBalancer")", "{}", R"(,"labels":{"a":"b"})"),
            Change::Wanted},
           {"what we do not read", service("web"),
            service_text("web", R"("type":"LoadBalancer","sessionAffinity":"None")", "{}",
                         R"(,"labels":{"a":"b"},"resourceVersion":"9")"),
            Change::None},
           {"our own status", service("web"),
            service_text("web", R"("type":"LoadBalancer")", held, R"(,"labels":{"a":"b"})"),
            Change::Minor},
           {"a slice of it", slice("web-1"), slice_text("web-1", "web", R"({"nodeName":"n1"})"),
            Change::Wanted},
           {"one more pod there", slice("web-1"),
            slice_text("web-1", "web", R"({"nodeName":"n1"},{"nodeName":"n1"})"), Change::None},
           {"a pod elsewhere", slice("web-1"),
            slice_text("web-1", "web", R"({"nodeName":"n1"},{"nodeName":"n2"})"), Change::Wanted},
           {"an internal service", service("db"), service_text("db", R"("type":"ClusterIP")"),
            Change::Minor},
           {"a slice of that", slice("db-1"), slice_text("db-1", "db", R"({"nodeName":"n1"})"),
            Change::None},
           {"it becomes ours", service("db"), service_text("db"), Change::Wanted},
           {"a node", node("n1"), node_text("n1", "{}"), Change::Wanted},
           {"its heartbeat", node("n1"),
            node_text("n1", R"({"conditions":[{"type":"Ready","status":"True"}]})"), Change::None},
           {"it is not well", node("n1"), node_text("n1", dead), Change::Wanted},
           {"a pool", pool("lan"), pool_text("lan", kAddresses), Change::Wanted},
           {"our own status of it", pool("lan"),
            pool_text("lan", kAddresses, R"(,"status":{"used":5})"), Change::None},
           {"an edit", pool("lan"), pool_text("lan", R"("addresses":["10.0.0.0/25"])"),
            Change::Wanted},
       }) {
    EXPECT_EQ(m.set_object(c.object, c.text), c.change) << c.what;
  }
  // Both services have their slices, those that were not ours at first, too.
  EXPECT_EQ(m.desired().endpoint_slices.size(), 2U);
  EXPECT_EQ(m.remove_object(slice("nothing")), Change::None);
  EXPECT_EQ(m.remove_object(service("web")), Change::Wanted);
  EXPECT_EQ(m.remove_object(service("web")), Change::None);
  EXPECT_EQ(m.remove_object(slice("db-1")), Change::Wanted);
  EXPECT_EQ(m.remove_object(pool("lan")), Change::Wanted);
  EXPECT_THAT(names(m.desired()), ElementsAre("db"));
  EXPECT_TRUE(m.desired().pools.empty());
}

TEST(ApiObjects, ANewerApiIsNoFault) {
  Manifests m;
  m.set_object(service("web"),
               service_text("web", R"("type":"LoadBalancer","trafficPolicyy":"x")"));
  m.set_object(pool("lan"), pool_text("lan", kAddresses + R"(,"shiny":{"new":1})"));
  m.set_object({"/apis/metallb.io/v1beta1/namespaces/m/ipaddresspools/p", "metallb.io/v1beta1",
                "IPAddressPool", "m", "p"},
               R"({"metadata":{"name":"p","namespace":"m"},)"
               R"("spec":{"addresses":["10.1.0.0/24"],"later":true},"status":7})");
  EXPECT_THAT(m.desired().problems, IsEmpty());
  EXPECT_EQ(m.desired().pools.size(), 2U);
}

TEST(ApiObjects, AStatusOfWhateverFormHurtsNobody) {
  for (const char* status :
       {"7", "[]", "null", R"({"loadBalancer":[]})", R"({"loadBalancer":{"ingress":{}}})",
        R"({"loadBalancer":{"ingress":[7,{"ip":{}},{"ip":"x"}]}})", R"({"conditions":7})",
        R"({"conditions":[7]})"}) {
    Manifests m;
    m.set_object(service("web"), service_text("web", R"("type":"LoadBalancer")", status));
    m.set_object(node("n1"), node_text("n1", status));
    m.set_object(pool("lan"), pool_text("lan", kAddresses, R"(,"status":)" + std::string(status)));
    const Desired d = m.desired();
    EXPECT_THAT(d.problems, IsEmpty()) << status;
    EXPECT_EQ(d.services.size() + d.nodes.size() + d.pools.size(), 3U) << status;
  }
}

TEST(ApiObjects, ABadOneKeepsItsLastGoodVersion) {
  Manifests m;
  m.set_object(service("web"), service_text("web"));
  m.set_object(pool("lan"), pool_text("lan", kAddresses));
  EXPECT_EQ(m.set_object(service("web"), service_text("web", R"("type":"Balancer")")),
            Change::Wanted);
  m.set_object(pool("lan"), R"({"metadata":{"name":"lan"})");  // cut short
  Desired d = m.desired();
  EXPECT_THAT(names(d), ElementsAre("web"));
  EXPECT_EQ(d.pools.size(), 1U);
  ASSERT_EQ(d.problems.size(), 2U);
  EXPECT_THAT(
      to_string(d.problems[0]),
      HasSubstr(
          "/api/v1/namespaces/default/services/web: Service default/web: spec.type: 'Balancer'"));
  EXPECT_THAT(d.problems[0].message, HasSubstr("still using the version read before"));
  EXPECT_THAT(d.problems[1].message, HasSubstr("is no JSON"));
  EXPECT_TRUE(d.complete);
  // The same bad version again is no news; neither is the good one when it is back.
  EXPECT_EQ(m.set_object(service("web"), service_text("web", R"("type":"Balancer")")),
            Change::None);
  EXPECT_EQ(m.set_object(service("web"), service_text("web")), Change::Wanted);
  m.remove_object(pool("lan"));
  EXPECT_THAT(m.desired().problems, IsEmpty());
  EXPECT_EQ(m.set_object(service("web"), service_text("web")), Change::None);
}

TEST(ApiObjects, ABadOneThatWasNeverGoodMakesThePictureIncomplete) {
  Manifests m;
  m.set_object(service("web"), service_text("web", R"("type":"Balancer")"));
  EXPECT_FALSE(m.desired().complete);
  m.remove_object(service("web"));
  EXPECT_TRUE(m.desired().complete);
  m.set_unreadable("/api/v1/services", "forbidden");
  EXPECT_FALSE(m.desired().complete);
}

TEST(ApiObjects, LargeAnnotationsAreFine) {
  Manifests m;
  m.set_object(service("web"),
               service_text("web", R"("type":"LoadBalancer")", "{}",
                            R"(,"annotations":{"x":")" + std::string(262144, 'y') + R"("})"));
  EXPECT_THAT(names(m.desired()), ElementsAre("web"));
}

TEST(ApiObjects, OneThatIsBeingDeletedCountsUntilItIsGone) {
  Manifests m;
  m.set_object(service("web"), service_text("web"));
  EXPECT_EQ(
      m.set_object(service("web"), service_text("web", R"("type":"LoadBalancer")", "{}",
                                                R"(,"deletionTimestamp":"2024-01-31T12:00:00Z",)"
                                                R"("finalizers":["example.com/other"])")),
      Change::None);
  EXPECT_THAT(names(m.desired()), ElementsAre("web"));
}

TEST(ApiObjects, TheirPathSaysWhoTheyAreWhateverTheirTextSays) {
  for (const std::string metadata : {R"({"name":"b","namespace":"default"})", R"({"name":-1})",
                                     R"({"namespace":7})", "{}", "[]", "null", R"("web")"}) {
    Manifests m;
    m.set_object(service("a"),
                 R"({"metadata":)" + metadata + R"(,"spec":{"type":"LoadBalancer"}})");
    EXPECT_THAT(names(m.desired()), ElementsAre("a")) << metadata;
    EXPECT_EQ(m.remove_object(service("a")), Change::Wanted) << metadata;
    EXPECT_THAT(names(m.desired()), IsEmpty()) << metadata;
  }
}

TEST(ApiObjects, AnAppliedFileTakesTheirPlace) {
  Manifests m;
  m.set_object(service("web"), service_text("web"));
  m.set_object(service("db"), service_text("db"));
  m.set_object(pool("lan"), pool_text("lan", kAddresses));
  Manifests planned = m;
  planned.apply_file("new.yaml", R"(
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {type: ClusterIP}
---
apiVersion: herald.io/v1alpha1
kind: LoadBalancerIPPool
metadata: {name: lan}
spec: {addresses: [10.9.0.0/24]}
)");
  EXPECT_THAT(names(planned.desired()), ElementsAre("db"));
  EXPECT_EQ(to_string(planned.desired().pools[0].ranges[0].first), "10.9.0.0");
  EXPECT_THAT(planned.desired().problems, IsEmpty());
  EXPECT_THAT(names(m.desired()), ElementsAre("db", "web"));
}

TEST(ApiObjects, ServicesOfOtherClassesAreApart) {
  Manifests m;
  m.set_object(service("a"),
               service_text("a", R"("type":"LoadBalancer","loadBalancerClass":"example.com/x")"));
  const Desired d = m.desired();
  EXPECT_TRUE(d.services.empty());
  ASSERT_EQ(d.unmanaged.size(), 1U);
  EXPECT_THAT(d.unmanaged[0].why, HasSubstr("example.com/x"));
  EXPECT_EQ(m.set_object(service("a"), service_text("a")), Change::Wanted);
  EXPECT_THAT(names(m.desired()), ElementsAre("a"));
  EXPECT_TRUE(m.desired().unmanaged.empty());
}

}  // namespace
}  // namespace herald::config
