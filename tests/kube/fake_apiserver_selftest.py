#!/usr/bin/env python3
"""What an API server does, asked over the wire. The fake one by default; with HERALD_KUBECONFIG, the
real one behind it, to see that the fake behaves alike (Behaviour; the rest commands the fake).

Objects are in a namespace of each test's own, and CRDs of groups of its own, which are removed."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest
import uuid
from http.client import HTTPException

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from kube_client import Api, eventually  # noqa: E402

REAL = os.environ.get("HERALD_KUBECONFIG")
PORTS = [{"port": 80}]


def start_fake(*options):
    """(directory, process) of a fake one that listens."""
    directory = tempfile.mkdtemp(prefix="herald-api-")
    process = subprocess.Popen(
        [sys.executable, "-B", os.path.join(HERE, "fake_apiserver.py"), "--dir", directory,
         "--with-parent", *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    said = process.stdout.readline()
    assert said.startswith("ready "), said
    return directory, process


class Case(unittest.TestCase):
    options = ()
    kubeconfig = REAL

    @classmethod
    def setUpClass(cls):
        if cls.kubeconfig is None:
            cls.directory, cls.process = start_fake(*cls.options)
            cls.kubeconfig = os.path.join(cls.directory, "kubeconfig")
            cls.addClassCleanup(cls.end)

    @classmethod
    def end(cls):
        cls.process.kill()
        cls.process.communicate()
        shutil.rmtree(cls.directory)
        cls.kubeconfig = REAL

    def setUp(self):
        self.api = Api(self.kubeconfig)
        self.ns = f"t-{uuid.uuid4().hex[:10]}"
        self.do("POST", "/api/v1/namespaces", {"metadata": {"name": self.ns}})
        self.services = f"/api/v1/namespaces/{self.ns}/services"
        self.slices = f"/apis/discovery.k8s.io/v1/namespaces/{self.ns}/endpointslices"
        self.leases = f"/apis/coordination.k8s.io/v1/namespaces/{self.ns}/leases"
        self.secrets = f"/api/v1/namespaces/{self.ns}/secrets"

    def tearDown(self):
        if REAL is None:
            self.api.delete("/__faults")
        self.api.delete(f"/api/v1/namespaces/{self.ns}")
        self.api.close()

    def do(self, method, path, body=None, code=None, **query):
        """A request that is expected to do its work, or to be answered with `code`."""
        reply = self.api.call(method, path, body, **query)
        self.assertIn(reply.code, (code,) if code else (200, 201), reply)
        return reply

    def service(self, name="web", code=None, **spec):
        return self.do("POST", self.services, {
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"type": "LoadBalancer", "ports": PORTS, **spec}}, code)

    def lease(self, name="one", **spec):
        return self.do("POST", self.leases, {
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name},
            "spec": {"holderIdentity": "n1", "leaseDurationSeconds": 15, **spec}})

    def refused(self, reply, code, reason):
        self.assertEqual((reply.code, reply.body.get("kind"), reply.body.get("reason")),
                         (code, "Status", reason), reply)
        self.assertEqual(reply.body["code"], code)
        return reply.body["message"]


class Objects(Case):
    def test_made_read_changed_removed(self):
        made = self.lease().body["metadata"]
        self.assertTrue(made["uid"] and made["creationTimestamp"] and made["resourceVersion"])
        path = f"{self.leases}/one"
        said = self.refused(self.api.post(self.leases, {"metadata": {"name": "one"}}), 409,
                            "AlreadyExists")
        self.assertIn('"one" already exists', said)
        old = self.api.get(path).body
        new = {**old, "spec": {**old["spec"], "holderIdentity": "n2"}}
        changed = self.do("PUT", path, new)
        self.assertNotEqual(changed.version, made["resourceVersion"])
        self.refused(self.api.put(path, new), 409, "Conflict")
        # The same again is no change.
        self.assertEqual(self.do("PUT", path, changed.body).version, changed.version)
        new["metadata"] = {"name": "one"}
        self.refused(self.api.put(path, new), 422, "Invalid")
        self.refused(self.api.delete(path, {"preconditions": {"uid": str(uuid.uuid4())}}), 409,
                     "Conflict")
        self.assertEqual(self.do("DELETE", path).body["status"], "Success")
        self.refused(self.api.get(path), 404, "NotFound")
        self.refused(self.api.delete(path), 404, "NotFound")

    def test_wrong_requests(self):
        self.refused(self.api.post(self.services, "{"), 400, "BadRequest")
        self.refused(self.api.post(self.leases, {"kind": "Secret", "apiVersion": "v1"}), 400,
                     "BadRequest")
        self.refused(self.api.post(self.leases, {"metadata": {"name": "Not a name"}}), 422, "Invalid")
        self.refused(self.api.post(self.leases, {"metadata": {}}), 422, "Invalid")
        self.refused(self.api.post(self.leases, {"metadata": {"name": "a", "namespace": "b"}}), 400,
                     "BadRequest")
        said = self.refused(self.api.post("/api/v1/namespaces/nowhere/secrets",
                                          {"metadata": {"name": "a"}}), 404, "NotFound")
        self.assertIn('namespaces "nowhere" not found', said)
        for path in ("/apis/example.com/v1/nothings", "/nowhere"):
            reply = self.api.get(path)
            self.assertEqual((reply.code, reply.body), (404, "404 page not found\n"), path)
        for path in ("/api/v1/nothings", f"{self.services}/a/nothing",
                     f"/apis/coordination.k8s.io/v1/namespaces/{self.ns}/nothings/a"):
            self.refused(self.api.get(path), 404, "NotFound")
        self.refused(self.api.put(f"{self.secrets}/a", {"metadata": {"name": "b"}}), 400, "BadRequest")
        self.assertEqual(self.api.call("PATCH", f"{self.secrets}/a", {}, "text/plain").code, 415)

    def test_lease_made_by_put_and_generated_name(self):
        reply = self.do("PUT", f"{self.leases}/new", {"metadata": {"name": "new"}, "spec": {}}, 201)
        self.assertEqual(reply.body["metadata"]["namespace"], self.ns)
        # One that was deleted comes back so, whatever version one had of it; not by its uid.
        self.do("DELETE", f"{self.leases}/new")
        self.refused(self.api.put(f"{self.leases}/new", reply.body), 409, "Conflict")
        del reply.body["metadata"]["uid"]
        self.do("PUT", f"{self.leases}/new", reply.body, 201)
        name = self.do("POST", self.secrets, {"metadata": {"generateName": "s-"}}).body["metadata"]["name"]
        self.assertRegex(name, r"^s-[a-z0-9]{5,}$")

    def test_finalizers(self):
        meta = {"name": "kept", "finalizers": ["example.com/wait"]}
        self.do("POST", self.secrets, {"metadata": meta})
        path = f"{self.secrets}/kept"
        self.assertTrue(self.do("DELETE", path).body["metadata"]["deletionTimestamp"])
        self.assertTrue(self.api.get(path).body["metadata"]["deletionTimestamp"])
        self.assertEqual(self.api.merge(path, {"metadata": {"finalizers": None}}).code, 200)
        self.assertEqual(self.api.get(path).code, 404)

    def test_merge_patch(self):
        self.do("POST", self.secrets, {"metadata": {"name": "a", "labels": {"x": "1", "y": "2"}}})
        path = f"{self.secrets}/a"
        reply = self.api.merge(path, {"metadata": {"labels": {"x": None, "z": "3"}}})
        self.assertEqual(reply.body["metadata"]["labels"], {"y": "2", "z": "3"})
        stale = self.api.merge(path, {"metadata": {"resourceVersion": "1", "labels": {"x": "4"}}})
        self.refused(stale, 409, "Conflict")
        self.refused(self.api.merge(f"{self.secrets}/b", {}), 404, "NotFound")

    def test_dry_run(self):
        self.do("POST", self.secrets, {"metadata": {"name": "a"}}, dryRun="All")
        self.assertEqual(self.api.get(f"{self.secrets}/a").code, 404)


class Services(Case):
    def test_defaults(self):
        spec = self.service().body["spec"]
        self.assertEqual((spec["ipFamilies"], spec["ipFamilyPolicy"], spec["externalTrafficPolicy"],
                          spec["internalTrafficPolicy"], spec["allocateLoadBalancerNodePorts"]),
                         (["IPv4"], "SingleStack", "Cluster", "Cluster", True))
        self.assertEqual(spec["clusterIPs"], [spec["clusterIP"]])
        self.assertEqual((spec["ports"][0]["protocol"], spec["ports"][0]["targetPort"]), ("TCP", 80))
        self.assertGreaterEqual(spec["ports"][0]["nodePort"], 30000)
        both = self.service("both", ipFamilyPolicy="RequireDualStack").body["spec"]
        self.assertEqual((both["ipFamilies"], len(both["clusterIPs"])), (["IPv4", "IPv6"], 2))
        local = self.service("local", externalTrafficPolicy="Local").body["spec"]
        self.assertGreaterEqual(local["healthCheckNodePort"], 30000)

    def test_status_is_apart(self):
        made = self.service().body
        self.assertEqual(made["status"], {"loadBalancer": {}})
        path = f"{self.services}/web"
        made["status"] = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
        self.assertEqual(self.do("PUT", path, made).body["status"], {"loadBalancer": {}})
        made = self.api.get(path).body
        made["status"] = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
        made["spec"]["sessionAffinity"] = "ClientIP"
        told = self.do("PUT", f"{path}/status", made).body
        self.assertEqual(told["spec"]["sessionAffinity"], "None")
        self.assertEqual(told["status"]["loadBalancer"]["ingress"],
                         [{"ip": "192.0.2.1", "ipMode": "VIP"}])
        for wrong in ({"ip": "nonsense"}, {"ip": "192.0.2.1", "ipMode": "Nope"}):
            self.refused(self.api.merge(f"{path}/status", {"status": {"loadBalancer": {
                "ingress": [wrong]}}}), 422, "Invalid")

    def test_flip(self):
        self.service(loadBalancerClass="example.com/lb")
        path = f"{self.services}/web"
        self.refused(self.api.merge(path, {"spec": {"loadBalancerClass": "example.com/other"}}), 422,
                     "Invalid")
        self.api.merge(f"{path}/status", {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}})
        flipped = self.api.merge(path, {"spec": {"type": "ClusterIP"}}).body
        self.assertEqual(flipped["status"], {"loadBalancer": {}})
        self.assertNotIn("loadBalancerClass", flipped["spec"])
        self.assertNotIn("nodePort", flipped["spec"]["ports"][0])
        self.refused(self.api.merge(f"{path}/status", {"status": {"loadBalancer": {
            "ingress": [{"ip": "192.0.2.1"}]}}}), 422, "Invalid")


class Lists(Case):
    def setUp(self):
        super().setUp()
        for i in range(7):
            self.do("POST", self.secrets, {"metadata": {
                "name": f"s{i}", "labels": {"odd": str(i % 2), **({"first": ""} if i == 0 else {})}}})

    def names(self, **query):
        return [i["metadata"]["name"] for i in self.do("GET", self.secrets, **query).body["items"]]

    def test_pages_are_consistent(self):
        first = self.do("GET", self.secrets, limit=3).body
        self.assertEqual(first["metadata"]["remainingItemCount"], 4)
        self.do("DELETE", f"{self.secrets}/s5")
        self.do("POST", self.secrets, {"metadata": {"name": "s9"}})
        seen, page = [i["metadata"]["name"] for i in first["items"]], first
        while page["metadata"].get("continue"):
            page = self.do("GET", self.secrets, limit=3, **{"continue": page["metadata"]["continue"]}).body
            seen += [i["metadata"]["name"] for i in page["items"]]
            self.assertEqual(page["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"])
        self.assertEqual(seen, [f"s{i}" for i in range(7)])
        self.assertEqual(first["kind"], "SecretList")
        self.refused(self.api.get(self.secrets, **{"continue": "nonsense"}), 400, "BadRequest")

    def test_selectors(self):
        for query, wanted in (({"labelSelector": "odd=1"}, ["s1", "s3", "s5"]),
                              ({"labelSelector": "odd!=1,!first"}, ["s2", "s4", "s6"]),
                              ({"labelSelector": "odd in (0, 2),first"}, ["s0"]),
                              ({"labelSelector": "odd notin (0)"}, ["s1", "s3", "s5"]),
                              ({"fieldSelector": "metadata.name=s4"}, ["s4"])):
            self.assertEqual(self.names(**query), wanted, query)
        self.assertEqual(self.api.get(self.secrets, labelSelector="=(").code, 400)
        self.assertEqual(self.api.get(self.secrets, fieldSelector="nonsense").code, 400)

    def test_versions(self):
        self.assertEqual(len(self.names(resourceVersion=0)), 7)
        far = int(self.api.get(self.secrets).version) + 1_000_000
        self.refused(self.api.get(self.secrets, resourceVersion=far), 504, "Timeout")
        old = self.api.get(self.secrets).version
        self.do("DELETE", f"{self.secrets}/s0")
        self.assertEqual(len(self.names(resourceVersion=old, resourceVersionMatch="Exact")), 7)

    def test_metadata_alone(self):
        accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
        said = self.api.call("GET", self.secrets, accept=accept).body
        self.assertEqual(said["kind"], "PartialObjectMetadataList")
        self.assertEqual({"metadata"}, set(said["items"][0]) - {"kind", "apiVersion"})


class Events(Case):
    def test_what_is_required(self):
        path = f"/apis/events.k8s.io/v1/namespaces/{self.ns}/events"
        event = {"metadata": {"name": "e"}, "regarding": {"kind": "Service", "namespace": self.ns,
                                                          "name": "web"}, "reason": "R", "type": "Normal"}
        self.refused(self.api.post(path, event), 422, "Invalid")
        event.update(eventTime="2026-01-02T03:04:05.000000Z", action="A", note="said",
                     reportingController="example.com/x", reportingInstance="n1")
        self.do("POST", path, event)
        self.refused(self.api.post(f"/api/v1/namespaces/{self.ns}/events", {
            "metadata": {"name": "f"}, "involvedObject": {"namespace": "elsewhere"}}), 422, "Invalid")


class Watches(Case):
    def test_changes(self):
        version = self.api.get(self.secrets).version
        watch = self.api.watch(self.secrets, resourceVersion=version)
        self.do("POST", self.secrets, {"metadata": {"name": "a"}})
        self.api.merge(f"{self.secrets}/a", {"metadata": {"labels": {"x": "1"}}})
        self.do("DELETE", f"{self.secrets}/a")
        events = watch.take(3)
        self.assertEqual([e["type"] for e in events], ["ADDED", "MODIFIED", "DELETED"])
        self.assertEqual(events[2]["object"]["metadata"]["labels"], {"x": "1"})
        versions = [int(e["object"]["metadata"]["resourceVersion"]) for e in events]
        self.assertEqual(versions, sorted(set(versions)))
        watch.close()
        # From where one was.
        again = self.api.watch(self.secrets, resourceVersion=versions[0])
        self.assertEqual([e["type"] for e in again.take(2)], ["MODIFIED", "DELETED"])
        again.close()

    def test_what_is_there_comes_first(self):
        self.do("POST", self.secrets, {"metadata": {"name": "a"}})
        watch = self.api.watch(self.secrets)
        self.assertEqual(watch.take(1)[0]["object"]["metadata"]["name"], "a")
        watch.close()

    def test_selector_makes_events_of_coming_and_going(self):
        version = self.api.get(self.secrets).version
        watch = self.api.watch(self.secrets, resourceVersion=version, labelSelector="x=1")
        self.do("POST", self.secrets, {"metadata": {"name": "a"}})
        self.api.merge(f"{self.secrets}/a", {"metadata": {"labels": {"x": "1"}}})
        self.api.merge(f"{self.secrets}/a", {"metadata": {"labels": {"x": "2"}}})
        self.assertEqual([e["type"] for e in watch.take(2)], ["ADDED", "DELETED"])
        watch.close()

    def test_ends_in_time(self):
        version = self.api.get(self.secrets).version
        events = list(self.api.watch(self.secrets, resourceVersion=version, timeoutSeconds=1))
        self.assertEqual(events, [])

    def test_initial_events(self):
        for name in ("a", "b"):
            self.do("POST", self.secrets, {"metadata": {"name": name}})
        watch = self.api.watch(self.secrets, sendInitialEvents="true", allowWatchBookmarks="true",
                               resourceVersionMatch="NotOlderThan")
        events = watch.take(3)
        self.assertEqual([e["type"] for e in events], ["ADDED", "ADDED", "BOOKMARK"])
        meta = events[2]["object"]["metadata"]
        self.assertEqual(meta["annotations"]["k8s.io/initial-events-end"], "true")
        self.do("DELETE", f"{self.secrets}/a")
        self.assertEqual(watch.take(1)[0]["type"], "DELETED")
        watch.close()
        follow = self.api.watch(self.secrets, resourceVersion=meta["resourceVersion"])
        self.assertEqual(follow.take(1)[0]["type"], "DELETED")
        follow.close()
        self.assertEqual(self.api.watch(self.secrets, sendInitialEvents="true").code, 422)


class Apply(Case):
    """Server-side apply, on a service's status as Herald does it."""

    def setUp(self):
        super().setUp()
        self.service()
        self.path = f"{self.services}/web"

    def body(self, **status):
        return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "status": status}

    def condition(self, kind, status="True", message=""):
        return {"type": kind, "status": status, "reason": "Told", "message": message,
                "lastTransitionTime": "2026-01-02T03:04:05Z"}

    def apply(self, manager="one", force=False, **status):
        return self.api.apply(f"{self.path}/status", self.body(**status), manager, force)

    def test_conditions_of_several(self):
        self.assertEqual(self.apply(conditions=[self.condition("A")]).code, 200)
        two = self.apply("two", conditions=[self.condition("B")])
        self.assertEqual({c["type"] for c in two.body["status"]["conditions"]}, {"A", "B"})
        self.assertEqual(self.apply("two", conditions=[self.condition("B")]).version, two.version)
        gone = self.apply()
        self.assertEqual([c["type"] for c in gone.body["status"]["conditions"]], ["B"])
        managers = {m["manager"]: m for m in gone.body["metadata"]["managedFields"]}
        self.assertEqual(managers["one"]["fieldsV1"], {"f:status": {}})
        self.assertEqual((managers["two"]["operation"], managers["two"]["subresource"]),
                         ("Apply", "status"))
        self.assertIn('k:{"type":"B"}', managers["two"]["fieldsV1"]["f:status"]["f:conditions"])

    def test_conflict_and_force(self):
        mine = {"ingress": [{"ip": "192.0.2.1", "ipMode": "VIP"}]}
        theirs = {"ingress": [{"ip": "192.0.2.2", "ipMode": "VIP"}]}
        self.assertEqual(self.apply(loadBalancer=mine).code, 200)
        self.assertEqual(self.apply("two", loadBalancer=mine).code, 200)
        said = self.refused(self.apply("two", loadBalancer=theirs), 409, "Conflict")
        self.assertIn('conflict with "one"', said)
        self.assertIn(".status.loadBalancer.ingress", said)
        taken = self.apply("two", True, loadBalancer=theirs)
        self.assertEqual(taken.body["status"]["loadBalancer"], theirs)
        # Who lost it does not take it along.
        self.assertEqual(self.apply().body["status"]["loadBalancer"], theirs)
        back = self.apply("two")
        self.assertEqual((back.code, back.body["status"]), (200, {"loadBalancer": {}}), back)

    def test_conflict_with_an_update(self):
        ingress = {"ingress": [{"ip": "192.0.2.1"}]}
        self.api.merge(f"{self.path}/status", {"status": {"loadBalancer": ingress}}, fieldManager="old")
        said = self.refused(self.apply(loadBalancer={"ingress": [{"ip": "192.0.2.9"}]}), 409, "Conflict")
        self.assertIn('"old"', said)

    def test_apply_is_asked_for_properly(self):
        self.refused(self.api.call("PATCH", f"{self.path}/status", self.body(),
                                   "application/apply-patch+yaml"), 422, "Invalid")
        # Of a service that is not there: it would be made, were it whole.
        path, body = f"{self.services}/none/status", {**self.body(), "metadata": {"name": "none"}}
        self.refused(self.api.apply(path, body, "one"), 422, "Invalid")
        body["metadata"]["uid"] = str(uuid.uuid4())
        said = self.refused(self.api.apply(path, body, "one"), 409, "Conflict")
        self.assertIn("uid mismatch", said)
        body["metadata"]["name"] = "web"
        self.refused(self.api.apply(f"{self.path}/status", body, "one"), 422, "Invalid")
        del body["metadata"]["uid"]
        body["metadata"]["resourceVersion"] = "5"
        self.refused(self.api.apply(f"{self.path}/status", body, "one"), 409, "Conflict")

    def test_apply_makes_and_takes_back(self):
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"},
                "data": {"a": "1", "b": "2"}}
        path = f"/api/v1/namespaces/{self.ns}/configmaps/c"
        self.assertEqual(self.api.apply(path, body, "one").code, 201)
        self.api.merge(path, {"data": {"c": "3"}}, fieldManager="two")
        body["data"] = {"a": "1"}
        self.assertEqual(self.api.apply(path, body, "one").body["data"], {"a": "1", "c": "3"})
        body["data"] = {"a": "1", "c": "4"}
        self.refused(self.api.apply(path, body, "one"), 409, "Conflict")


def crd(group, scope="Namespaced"):
    text = {"type": "string"}
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": f"things.{group}"}, "spec": {
                "group": group, "scope": scope,
                "names": {"plural": "things", "singular": "thing", "kind": "Thing", "shortNames": ["th"],
                          "listKind": "ThingList"},
                "versions": [{"name": v, "served": True, "storage": v == "v1", "subresources": {"status": {}},
                              "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                                  "spec": {"type": "object", "required": ["size"], "properties": {
                                      "size": {"type": "integer", "minimum": 1},
                                      "color": {"type": "string", "enum": ["red", "blue"],
                                                "default": "red"}}},
                                  "status": {"type": "object", "properties": {"conditions": {
                                      "type": "array", "x-kubernetes-list-type": "map",
                                      "x-kubernetes-list-map-keys": ["type"],
                                      "items": {"type": "object", "required": ["type"], "properties": {
                                          "type": text, "status": text, "message": text}}}}}}}}}
                             for v in ("v1", "v1alpha1")]}}


class Custom(Case):
    def setUp(self):
        super().setUp()
        self.group = f"{self.ns}.example.com"
        self.crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        self.things = f"/apis/{self.group}/v1/namespaces/{self.ns}/things"
        self.addCleanup(self.api.delete, f"{self.crds}/things.{self.group}")

    def install(self):
        self.assertEqual(self.api.get(self.things).code, 404)
        self.do("POST", self.crds, crd(self.group))

        def established():
            there = self.api.get(f"{self.crds}/things.{self.group}").body
            return any(c["type"] == "Established" and c["status"] == "True"
                       for c in there.get("status", {}).get("conditions") or ())
        eventually(established, what="the CRD is established")
        eventually(lambda: self.api.get(self.things).code == 200, what="its kind is served")

    def thing(self, code=None, **spec):
        return self.do("POST", self.things, {"apiVersion": f"{self.group}/v1", "kind": "Thing",
                                             "metadata": {"name": "a"}, "spec": spec}, code)

    def test_schema_generation_status(self):
        self.install()
        for wrong in ({}, {"size": 0}, {"size": "1"}, {"size": 1, "color": "green"}):
            self.thing(422, **wrong)
        made = self.do("POST", self.things, {
            "apiVersion": f"{self.group}/v1", "kind": "Thing", "metadata": {"name": "a"},
            "spec": {"size": 1, "unknown": 2}, "status": {"conditions": []}}).body
        self.assertEqual(made["spec"], {"size": 1, "color": "red"})
        self.assertEqual(made["metadata"]["generation"], 1)
        self.assertNotIn("status", made)
        path = f"{self.things}/a"
        status = {"conditions": [{"type": "Ready", "status": "True"}]}
        both = {"spec": {"size": 2}, "status": status}
        changed = self.api.merge(path, both).body
        self.assertEqual((changed["spec"]["size"], changed["metadata"]["generation"]), (2, 2))
        self.assertNotIn("status", changed)
        changed = self.api.merge(f"{path}/status", {"spec": {"size": 3}, "status": status}).body
        self.assertEqual((changed["spec"]["size"], changed["metadata"]["generation"]), (2, 2))
        self.assertEqual(changed["status"], status)
        other = self.api.get(f"/apis/{self.group}/v1alpha1/namespaces/{self.ns}/things/a").body
        self.assertEqual(other["apiVersion"], f"{self.group}/v1alpha1")
        applied = self.api.apply(f"{path}/status", {
            "apiVersion": f"{self.group}/v1", "kind": "Thing", "metadata": {"name": "a"},
            "status": {"conditions": [{"type": "Synced", "status": "True"}]}}, "one").body
        self.assertEqual(len(applied["status"]["conditions"]), 2)

    def test_discovery(self):
        self.install()
        groups = eventually(lambda: [g for g in self.api.get("/apis").body["groups"]
                                     if g["name"] == self.group], what="the group is listed")
        self.assertEqual(groups[0]["preferredVersion"]["version"], "v1")
        rows = self.api.get(f"/apis/{self.group}/v1").body["resources"]
        self.assertEqual({r["name"] for r in rows}, {"things", "things/status"})

    def test_deleted_with_its_objects(self):
        self.install()
        self.thing(size=1)
        watch = self.api.watch(self.things, seconds=30, resourceVersion=self.api.get(self.things).version)
        self.do("DELETE", f"{self.crds}/things.{self.group}")
        events = list(watch)
        self.assertEqual([e["type"] for e in events][:1], ["DELETED"])
        eventually(lambda: self.api.get(self.things).code == 404, what="the kind is gone")


@unittest.skipIf(REAL, "commands the fake")
class Commanded(Case):
    options = ("--bookmark-interval", "0.05", "--establish-delay", "0.05", "--history", "50")

    def fault(self, kind, **more):
        self.do("POST", "/__faults", {"kind": kind, **more})

    def test_answers_that_go_wrong(self):
        self.fault("status", code=429, retryAfter=3, path="secrets")
        reply = self.api.get(self.secrets)
        self.assertEqual((reply.code, reply.headers["Retry-After"]), (429, "3"))
        self.assertEqual(self.api.get(self.secrets).code, 200)
        self.fault("truncate")
        self.assertIsInstance(self.api.get(self.secrets).body, str)
        self.fault("trickle", every=0.001)
        self.assertEqual(self.api.get(self.secrets).body["kind"], "SecretList")
        self.fault("answer", code=200, body="<html>", contentType="text/html")
        self.assertEqual(self.api.get(self.secrets).body, "<html>")
        self.fault("cut")
        with self.assertRaises((HTTPException, OSError)):
            self.api.get(self.secrets)
        self.fault("lost-reply", method="POST")
        with self.assertRaises((HTTPException, OSError)):
            self.api.post(self.secrets, {"metadata": {"name": "a"}})
        self.assertEqual(self.api.get(f"{self.secrets}/a").code, 200)
        self.assertEqual(self.api.post("/__faults", {"kind": "nonsense"}).code, 400)

    def test_stale_list(self):
        self.do("POST", self.secrets, {"metadata": {"name": "a"}})
        self.do("POST", self.secrets, {"metadata": {"name": "b"}})
        self.fault("stale", behind=1)
        self.assertEqual([i["metadata"]["name"] for i in self.api.get(self.secrets).body["items"]], ["a"])

    def test_hang(self):
        self.fault("hang", path="secrets")
        hung = Api(self.kubeconfig)
        hung.kept = hung.connect(0.2)
        with self.assertRaises(TimeoutError):
            hung.get(self.secrets)
        self.assertEqual(self.api.get(self.secrets).code, 200)

    def test_watches_that_go_wrong(self):
        version = self.api.get(self.secrets).version
        for kind in ("watch-410", "watch-error", "watch-end", "watch-cut", "watch-garbage"):
            watch = self.api.watch(self.secrets, resourceVersion=version)
            self.fault(kind)
            if kind in ("watch-410", "watch-error"):
                self.assertEqual(watch.take(1)[0]["type"], "ERROR")
                self.assertEqual(list(watch), [])
            elif kind == "watch-end":
                self.assertEqual(list(watch), [])
            elif kind == "watch-cut":
                with self.assertRaises((HTTPException, OSError, ValueError)):
                    list(watch)
            else:
                with self.assertRaises(ValueError):
                    watch.take(1)
            watch.close()

    def test_dead_watch_and_bookmarks(self):
        version = self.api.get(self.secrets).version
        watch = self.api.watch(self.secrets, seconds=0.6, resourceVersion=version,
                               allowWatchBookmarks="true")
        self.assertEqual([e["type"] for e in watch.take(2)], ["BOOKMARK"] * 2)
        self.fault("watch-dead")
        with self.assertRaises(TimeoutError):
            list(watch)

    def test_expired(self):
        first = self.do("GET", "/api/v1/namespaces", limit=1)
        self.do("POST", "/__compact", {})
        self.do("POST", self.secrets, {"metadata": {"name": "a"}})
        self.do("POST", "/__compact", {})
        self.refused(self.api.get("/api/v1/namespaces", **{"continue": first.body["metadata"]["continue"]}),
                     410, "Expired")
        event = self.api.watch(self.secrets, resourceVersion=first.version).take(1)[0]
        self.assertEqual((event["type"], event["object"]["code"]), ("ERROR", 410))

    def test_history_is_bounded(self):
        version = self.api.get(self.secrets).version
        for i in range(60):
            self.do("POST", self.secrets, {"metadata": {"name": f"a{i}"}})
        self.assertEqual(self.api.watch(self.secrets, resourceVersion=version).take(1)[0]["type"], "ERROR")

    def test_clock(self):
        self.do("POST", "/__config", {"clockOffset": 7200})
        far = self.do("POST", self.secrets, {"metadata": {"name": "a"}})
        self.do("POST", "/__config", {"clockOffset": 0})
        near = self.do("POST", self.secrets, {"metadata": {"name": "b"}})
        self.assertGreater(far.body["metadata"]["creationTimestamp"],
                           near.body["metadata"]["creationTimestamp"])
        self.assertNotEqual(far.headers["Date"][:22], near.headers["Date"][:22])

    def test_tokens_and_rules(self):
        self.do("POST", "/__tokens", {"t": {"user": "someone", "rules": [
            {"verbs": ["get", "list"], "groups": [""], "resources": ["services"], "namespaces": [self.ns]},
            {"verbs": ["list"], "groups": [""], "resources": ["secrets"], "names": ["one"]}]}})
        api = Api(self.kubeconfig, token="t")
        self.assertEqual(api.get(self.services).code, 200)
        self.assertEqual(api.get(self.secrets, fieldSelector="metadata.name=one").code, 200)
        self.refused(api.get(self.secrets), 403, "Forbidden")
        self.refused(api.get("/apis/example.com/v1/nothings"), 403, "Forbidden")
        said = self.refused(api.get("/api/v1/services"), 403, "Forbidden")
        self.assertIn('User "someone" cannot list resource "services" in API group "" at the cluster '
                      "scope", said)
        said = self.refused(api.delete(f"{self.services}/a"), 403, "Forbidden")
        self.assertIn(f'in the namespace "{self.ns}"', said)
        self.refused(api.get("/__stats"), 403, "Forbidden")
        self.do("POST", "/__tokens", {"t": {"user": "someone", "expired": True}})
        self.refused(api.get(self.services), 401, "Unauthorized")
        certified = Api(os.path.join(self.directory, "kubeconfig-cert"))
        self.assertEqual(certified.get(self.services).code, 200)

    def test_counts(self):
        self.do("DELETE", "/__stats")
        Api(self.kubeconfig, agent="counted/1").get(self.secrets)
        rows = [r for r in self.api.get("/__stats").body["requests"] if r["agent"] == "counted/1"]
        self.assertEqual([(r["verb"], r["resource"], r["count"]) for r in rows], [("LIST", "secrets", 1)])

    def test_down_and_up(self):
        def command(name):
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(os.path.join(self.directory, "control"))
            sock.sendall(f"POST /__{name} HTTP/1.1\r\nConnection: close\r\n\r\n".encode())
            self.assertTrue(sock.recv(100).startswith(b"HTTP/1.1 200"))
            sock.close()
        command("down")
        with self.assertRaises(OSError):
            Api(self.kubeconfig).get(self.secrets)
        command("up")
        self.api.close()
        self.assertEqual(self.api.get(self.secrets).code, 200)


@unittest.skipIf(REAL, "commands the fake")
class Old(Case):
    options = ("--no-watch-list",)

    def test_no_initial_events(self):
        watch = self.api.watch(self.secrets, sendInitialEvents="true", allowWatchBookmarks="true",
                               resourceVersionMatch="NotOlderThan")
        self.assertEqual(watch.code, 422)
        self.assertEqual(json.loads(watch.response.read())["reason"], "Invalid")


if __name__ == "__main__":
    unittest.main()
