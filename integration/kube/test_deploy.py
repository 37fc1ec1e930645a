"""What deploy/ ships, taken by a real kube-apiserver: the CRDs with their rules and columns, the roles
with their limits, and every object that the pages under docs/ show.
"""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "integration"), str(ROOT / "tests" / "kube")]
from fakeapi.access import Pki, kubeconfig, write_private  # noqa: E402
from kube_client import Api  # noqa: E402
from lab.kube import WHERE_FROM, real_binaries  # noqa: E402

BINARIES = real_binaries()
KUBECTL = shutil.which("kubectl", path=f"{os.environ.get('PATH', '')}:{BINARIES}")
HEADER = "apiVersion: herald.io/v1alpha1"
USER = "system:serviceaccount:herald-system:heraldd"


def skip_reason():
    if BINARIES is None:
        return f"SKIPPED: no kube-apiserver: {WHERE_FROM}"
    return "" if KUBECTL else "SKIPPED: no kubectl found"


def objects(text):
    import yaml  # Debian's python3-yaml
    return [d for d in yaml.safe_load_all(text) if d]


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@unittest.skipIf(skip_reason(), skip_reason())
class DeployTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.enterClassContext(cls.server())
        cls.kubectl("apply", "-k", str(ROOT / "deploy" / "base"))
        cls.kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd", "-l",
                    "app.kubernetes.io/part-of=herald")
        cls.api = Api(cls.config)

    @classmethod
    def server(cls):
        """etcd and kube-apiserver on loopback, until the context ends."""
        import contextlib
        stack = contextlib.ExitStack()
        cls.dir = stack.enter_context(tempfile.TemporaryDirectory(prefix="herald-deploy-"))
        pki = Pki(cls.dir, [])
        for argv in (["genrsa", "-out", pki.file("sa.key"), "2048"],
                     ["rsa", "-in", pki.file("sa.key"), "-pubout", "-out", pki.file("sa.pub")]):
            subprocess.run(["openssl", *argv], check=True, capture_output=True, timeout=30)
        client, peer, port = free_ports(3)
        cls.config = pki.file("kubeconfig")
        write_private(cls.config, kubeconfig(f"https://127.0.0.1:{port}", pki.file("ca.pem"), {
            "client-certificate": pki.file("client.pem"), "client-key": pki.file("client.key")}))

        def spawn(name, *argv):
            log = stack.enter_context(open(os.path.join(cls.dir, name + ".log"), "w"))
            process = subprocess.Popen([os.path.join(BINARIES, name), *argv], stdout=log, stderr=log)

            def stop():
                process.send_signal(signal.SIGTERM)
                process.wait(30)
            stack.callback(stop)
        url, peers = f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
        spawn("etcd", "--data-dir", os.path.join(cls.dir, "etcd"), "--unsafe-no-fsync", "--log-level",
              "warn", "--listen-client-urls", url, "--advertise-client-urls", url,
              "--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers,
              "--initial-cluster", f"default={peers}")
        spawn("kube-apiserver", "--etcd-servers", url, "--bind-address", "127.0.0.1", "--secure-port",
              str(port), "--advertise-address", "127.0.0.1", "--endpoint-reconciler-type", "none",
              "--cert-dir", cls.dir, "--tls-cert-file", pki.file("server.pem"),
              "--tls-private-key-file", pki.file("server.key"), "--client-ca-file",
              pki.file("ca.pem"), "--service-account-issuer",
              "https://kubernetes.default.svc.cluster.local", "--service-account-key-file",
              pki.file("sa.pub"), "--service-account-signing-key-file", pki.file("sa.key"),
              "--authorization-mode", "RBAC", "--service-cluster-ip-range", "10.96.0.0/16")
        end = time.monotonic() + 120
        while True:
            try:
                probe = Api(cls.config)
                if probe.get("/readyz").code == 200 and \
                        probe.get("/api/v1/namespaces/default").code == 200:
                    return stack
            except (OSError, ValueError):
                pass
            if time.monotonic() > end:
                stack.close()
                raise RuntimeError("kube-apiserver does not serve")
            time.sleep(0.2)

    @classmethod
    def kubectl(cls, *argv, fails=False):
        done = subprocess.run([KUBECTL, "--kubeconfig", cls.config, "--cache-dir",
                               os.path.join(cls.dir, "cache"), *argv],
                              capture_output=True, text=True, timeout=120)
        if done.returncode and not fails:
            raise AssertionError(f"kubectl {argv}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def plural(self, kind):
        if not hasattr(self, "plurals"):
            known = self.api.get("/apis/herald.io/v1alpha1").body["resources"]
            self.plurals = {r["kind"]: r["name"] for r in known if "/" not in r["name"]}
        return self.plurals[kind]

    def create(self, made, dry=True):
        query = {"fieldValidation": "Strict"} | ({"dryRun": "All"} if dry else {})
        path = f"/apis/herald.io/v1alpha1/{self.plural(made['kind'])}"
        return self.api.post(path, made, **query)

    def pod(self):
        """As heraldd, with its ServiceAccount's token."""
        path = "/api/v1/namespaces/herald-system/serviceaccounts/heraldd/token"
        token = self.api.post(path, {
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": {"expirationSeconds": 600}}).body["status"]["token"]
        return Api(self.config, token=token)

    # ---- the CRDs

    def test_good_objects_are_taken(self):
        for made in objects((ROOT / "tests/deploy/objects/good.yaml").read_text()):
            with self.subTest(name=made["metadata"]["name"], kind=made["kind"]):
                reply = self.create(made)
                self.assertEqual(reply.code, 201, reply)
                # Nothing is added to what people wrote, nothing taken away.
                self.assertEqual(reply.body.get("spec"), made.get("spec"))

    def test_bad_objects_are_refused_with_a_reason(self):
        bad = objects((ROOT / "tests/deploy/objects/bad.yaml").read_text())
        self.assertGreater(len(bad), 40)
        for made in bad:
            notes = made["metadata"]["annotations"]
            with self.subTest(**notes):
                reply = self.create(made)
                self.assertIn(reply.code, (400, 422), reply)
                self.assertIn(notes["field"], reply.body["message"])
                self.assertIn(notes.get("says", ""), reply.body["message"])

    def test_the_largest_objects_are_not_too_dear(self):
        """The server stops rules that cost too much; here all lists are as long as they may be."""
        large = [f"2001:0db8:0000:0000:0000:{i:04x}:0000:0001-2001:0db8:0000:0000:0000:{i:04x}:0000:00ff"
                 for i in range(1024)]
        values = [f"v{i}" for i in range(64)]
        selector = {"matchExpressions": [{"key": f"k{i}", "operator": "In", "values": values}
                                         for i in range(32)]}
        overrides = [{"node": f"n{i}", "localASN": i + 1, "routerID": f"10.0.{i >> 8}.{i & 255 | 1}",
                      "sourceAddress": f"10.0.{i >> 8}.{i & 255}"} for i in range(512)]
        for kind, spec in (
                ("LoadBalancerIPPool", {"addresses": large, "avoid": large,
                                        "serviceSelectors": [selector] * 32}),
                ("L2AnnouncementPolicy", {"nodeSelectors": [selector] * 32,
                                          "interfaces": ["(eth|bond)[0-9]+" * 16] * 32}),
                ("BGPAdvertisement", {"communities": [f"large:4294967295:{i}:4294967295"
                                                      for i in range(255)]}),
                ("BGPPeer", {"address": "192.0.2.1", "peerASN": 1, "nodeOverrides": overrides})):
            with self.subTest(kind):
                made = {"apiVersion": "herald.io/v1alpha1", "kind": kind,
                        "metadata": {"name": "large"}, "spec": spec}
                reply = self.create(made)
                self.assertEqual(reply.code, 201, str(reply)[:1000])
                # One more is too many.
                longest = max((k for k in spec if isinstance(spec[k], list)), key=lambda k: len(spec[k]))
                made["spec"] = spec | {longest: spec[longest] + spec[longest][:1]}
                reply = self.create(made)
                self.assertEqual(reply.code, 422, str(reply)[:1000])
                self.assertIn("Too many", reply.body["message"])

    def test_what_the_pages_show_is_taken(self):
        shown = []
        for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
            for block in re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.M | re.S):
                if HEADER in block:
                    shown += [(page.name, o) for o in objects(block)]
        for path in (ROOT / "integration/manifests").rglob("*.yaml"):
            shown += [(path.name, o) for o in objects(path.read_text())]
        ours = [(where, o) for where, o in shown if o.get("apiVersion") == "herald.io/v1alpha1"]
        self.assertGreater(len(ours), 5)
        for where, made in ours:
            with self.subTest(where=where, name=made["metadata"]["name"]):
                reply = self.create(made)
                self.assertEqual(reply.code, 201, reply)

    def test_columns_tell_the_status(self):
        made = objects((ROOT / "tests/deploy/objects/good.yaml").read_text())
        condition = {"type": "Ready", "status": "True", "reason": "InForce", "message": "so",
                     "lastTransitionTime": "2026-01-02T03:04:05Z", "observedGeneration": 1}
        told = {
            "LoadBalancerIPPool": ("hpool", {"total": "256", "used": "7", "available": "249"},
                                   r'smallest +\["10.0.0.0/24"\] +256 +7 +249 +True +InForce'),
            "L2AnnouncementPolicy": ("hl2", {"services": 3, "ips": 4, "ownedIPs": 2, "nodes": 5},
                                     r"smallest +3 +4 +2 +5 +True +InForce"),
            "BGPAdvertisement": ("hadvert", {"services": 3, "ips": 4, "routes": 2, "peers": 1, "nodes": 5},
                                 r"smallest +3 +4 +2 +1 +5 +True +InForce"),
            "BGPPeer": ("hpeer", {"nodes": 3, "established": 2, "sessions": "2/3"},
                        r"smallest +192.0.2.1 +65000 +2/3 +True +InForce"),
            "BFDProfile": ("hbfd", {}, r"smallest .*True +InForce"),
        }
        for kind, (short, status, line) in told.items():
            with self.subTest(kind):
                one = next(o for o in made
                           if o["kind"] == kind and o["metadata"]["name"] == "smallest")
                reply = self.create(one, dry=False)
                self.assertEqual(reply.code, 201, reply)
                at = f"/apis/herald.io/v1alpha1/{self.plural(kind)}/smallest"
                self.addCleanup(self.api.call, "DELETE", at)
                body = {"apiVersion": one["apiVersion"], "kind": kind,
                        "metadata": {"name": "smallest"},
                        "status": status | {"observedGeneration": 1, "conditions": [condition]}}
                # As heraldd writes it: what the schema does not have is refused.
                reply = self.api.call("PATCH", f"{at}/status", body,
                                      kind="application/apply-patch+yaml", fieldManager="heraldd")
                self.assertEqual(reply.code, 200, reply)
                self.assertRegex(self.kubectl("get", short), line)

    def test_what_heraldd_writes_of_a_node_is_taken(self):
        pod, path = self.pod(), "/apis/herald.io/v1alpha1/nodestatuses/n1"
        head = {"apiVersion": "herald.io/v1alpha1", "kind": "NodeStatus", "metadata": {"name": "n1"}}
        status = {
            "version": "0.1.0", "leader": True, "drained": False, "right": "Heartbeats", "ips": 4,
            "links": [{"name": "eth0", "ips": 4}], "sessionsEstablished": "1/2",
            "sessions": [{"peer": "tor-1", "address": "192.0.2.1", "state": "Established",
                          "since": "2026-01-02T03:04:05Z", "routes": 4, "message": ""},
                         {"peer": "tor-2", "address": "192.0.2.2", "state": "Active"}],
            "warnings": ["something"],
            "conditions": [{"type": "Ready", "status": "True", "reason": "Ready", "message": "",
                            "lastTransitionTime": "2026-01-02T03:04:05Z"}]}
        for at, body in ((path, head), (f"{path}/status", head | {"status": status})):
            reply = pod.call("PATCH", at, body, kind="application/apply-patch+yaml",
                             fieldManager="heraldd-n1", force="true")
            self.assertIn(reply.code, (200, 201), reply)
        self.assertEqual(reply.body["status"], status)
        self.assertRegex(self.kubectl("get", "hns"), r"n1 +Heartbeats +4 +1/2 +true +True +0.1.0")

    def test_what_heraldd_keeps_is_taken(self):
        pod = self.pod()
        path = "/apis/herald.io/v1alpha1/namespaces/herald-system/iptableshards"
        made = {"apiVersion": "herald.io/v1alpha1", "kind": "IPTableShard",
                "metadata": {"name": "shard-0"},
                "spec": {"document": '{"rev":18446744073709551615}', "rev": 1, "ips": 0}}
        reply = pod.post(path, made)
        self.assertEqual(reply.code, 201, reply)
        big = reply.body
        big["spec"] |= {"document": "x" * 1_400_000, "rev": 2, "ips": 4000}
        reply = pod.call("PUT", f"{path}/shard-0", big)
        self.assertEqual(reply.code, 200, str(reply)[:500])
        self.assertRegex(self.kubectl("get", "hshard", "-n", "herald-system"), r"shard-0 +4000 +2 ")

    def test_kubectl_explains_them(self):
        said = self.kubectl("explain", "hpool.spec.onShrink", "--api-version=herald.io/v1alpha1")
        self.assertIn("Default: keep", said)
        self.assertIn("ENUM", said)

    # ---- the roles

    def may(self, verb, group, resource, namespace="", name="", subresource=""):
        attributes = {"verb": verb, "group": group, "resource": resource, "namespace": namespace,
                      "name": name, "subresource": subresource}
        said = self.api.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", {
            "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
            "spec": {"user": USER, "resourceAttributes": attributes}})
        return said.body["status"]["allowed"]

    def test_roles_give_what_is_needed_and_no_more(self):
        ours, other = "herald-system", "default"
        for allowed, *what in (
                (True, "watch", "", "services", other),
                (True, "patch", "", "services", other, "web", "status"),
                (False, "patch", "", "services", other, "web"),
                (False, "update", "", "services", other, "web", "status"),
                (True, "list", "", "nodes"),
                (False, "patch", "", "nodes", "", "n1", "status"),
                (True, "watch", "discovery.k8s.io", "endpointslices", other),
                (False, "list", "", "pods", other),
                (False, "list", "", "secrets", other),
                (False, "list", "", "secrets", ours),
                (False, "get", "", "secrets", ours, "another"),
                (True, "get", "", "secrets", ours, "herald-cluster"),
                (True, "update", "", "secrets", ours, "herald-cluster"),
                (False, "delete", "", "secrets", ours, "herald-cluster"),
                (True, "create", "", "secrets", ours),
                (False, "create", "", "secrets", other),
                (True, "update", "coordination.k8s.io", "leases", ours, "herald-leader"),
                (False, "delete", "coordination.k8s.io", "leases", ours, "herald-leader"),
                (False, "update", "coordination.k8s.io", "leases", "kube-system", "x"),
                (False, "update", "coordination.k8s.io", "leases", "kube-node-lease", "n1"),
                (True, "update", "herald.io", "iptableshards", ours, "shard-0"),
                (False, "delete", "herald.io", "iptableshards", ours, "shard-0"),
                (True, "patch", "herald.io", "loadbalancerippools", "", "lan", "status"),
                (False, "patch", "herald.io", "loadbalancerippools", "", "lan"),
                (False, "delete", "herald.io", "loadbalancerippools", "", "lan"),
                (True, "patch", "cilium.io", "ciliumloadbalancerippools", "", "lan", "status"),
                (False, "patch", "cilium.io", "ciliumnetworkpolicies", other, "x"),
                (True, "patch", "metallb.io", "ipaddresspools", "metallb-system", "lan", "status"),
                (False, "patch", "metallb.io", "ipaddresspools", "metallb-system", "lan"),
                (True, "patch", "herald.io", "nodestatuses", "", "n1", "status"),
                (True, "create", "events.k8s.io", "events", other),
                (True, "list", "apiextensions.k8s.io", "customresourcedefinitions"),
                (False, "update", "apiextensions.k8s.io", "customresourcedefinitions", "", "x"),
                (False, "create", "rbac.authorization.k8s.io", "clusterrolebindings"),
                (False, "impersonate", "", "users"),
        ):
            with self.subTest(what):
                self.assertEqual(self.may(*what), allowed)

    # ---- all of it

    def test_overlays_are_taken(self):
        for name in sorted(os.listdir(ROOT / "deploy" / "overlays")):
            with self.subTest(name):
                self.kubectl("apply", "--server-side", "--force-conflicts", "--dry-run=server", "-k",
                             str(ROOT / "deploy" / "overlays" / name))

    def test_applied_twice_nothing_changes(self):
        said = self.kubectl("apply", "-k", str(ROOT / "deploy" / "base"))
        self.assertEqual([line for line in said.splitlines() if not line.endswith(" unchanged")], [])

    def test_the_store_goes_before_others(self):
        """The API server says by which of its FlowSchemas a request went."""
        pod = self.pod()
        uids = {}
        for schema in ("herald-store", "herald"):
            made = self.api.get(f"/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas/{schema}")
            uids[made.body["metadata"]["uid"]] = schema

        def schema_of(path):
            end = time.monotonic() + 30  # a new schema is taken up after a moment
            while True:
                reply = pod.get(path)
                self.assertIn(reply.code, (200, 404), reply)
                by = uids.get(reply.headers["X-Kubernetes-PF-FlowSchema-UID"])
                if by or time.monotonic() > end:
                    return by
                time.sleep(0.2)
        leases = "/apis/coordination.k8s.io/v1/namespaces/herald-system/leases"
        self.assertEqual(schema_of(f"{leases}/herald-leader"), "herald-store")
        shards = "/apis/herald.io/v1alpha1/namespaces/herald-system/iptableshards"
        self.assertEqual(schema_of(f"{shards}/shard-0"), "herald-store")
        self.assertEqual(schema_of("/api/v1/services"), "herald")


if __name__ == "__main__":
    unittest.main()
