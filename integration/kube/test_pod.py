"""As an operator has it: the image's files run as the DaemonSet's pod, in-cluster, with the
ServiceAccount's token and deploy's roles; and `kubectl herald` beside it, as one who has the role
herald:viewer and no other."""

import json
import os
import shutil
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from herald_case import skip_reason  # noqa: E402
from kube_case import WHOAMI, KubeCase  # noqa: E402
from lab import netns  # noqa: E402
from lab.kube import WHERE_FROM, real_binaries  # noqa: E402
from lab.pod import PodNode  # noqa: E402

KUBECTL = shutil.which("kubectl", path=f"{os.environ.get('PATH', '')}:{real_binaries()}")
TOOLS = ("setcap", "strip", "ldd", "unshare")
LACKING = [t for t in TOOLS if not shutil.which(t, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")]
MISSING = skip_reason() or ("" if real_binaries() else f"SKIPPED: no kube-apiserver: {WHERE_FROM}") or \
    ("" if KUBECTL else "SKIPPED: no kubectl found") or \
    (f"SKIPPED: {', '.join(LACKING)} not found: run scripts/install image" if LACKING else "")


@unittest.skipIf(MISSING, MISSING)
class Pod(KubeCase):
    store = "kubernetes"
    node = PodNode

    def kubectl(self, *argv):
        """As the viewer; kubectl finds heraldctl as its plugin by the name kubectl-herald."""
        return netns.run("ip", "netns", "exec", netns.full_name("store"), "env",
                         f"PATH={self.tools}:{os.environ.get('PATH', '')}", f"HOME={self.lab.dir}",
                         f"KUBECONFIG={self.kubeconfig}", KUBECTL, *argv)

    def herald(self, *argv):
        return json.loads(self.kubectl("herald", *argv, "-o", "json"))

    def give_viewer(self):
        account = {"apiVersion": "v1", "kind": "ServiceAccount",
                   "metadata": {"name": "somebody", "namespace": "default"}}
        self.kube.apply(account, {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": {"name": "somebody"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
                        "name": "herald:viewer"},
            "subjects": [{"kind": "ServiceAccount", "name": "somebody", "namespace": "default"}]})
        self.kubeconfig = os.path.join(self.lab.dir, "somebody.kubeconfig")
        self.kube.write_kubeconfig(self.kubeconfig, self.kube.token_of(account, []))
        self.tools = os.path.join(self.lab.dir, "tools")
        os.mkdir(self.tools)
        os.symlink(self.lab.program("heraldctl"), os.path.join(self.tools, "kubectl-herald"))

    def node_status(self, node):
        return self.kube.get(f"/apis/herald.io/v1alpha1/nodestatuses/{node.name}")

    def condition(self, node):
        said = self.node_status(node) or {}
        ready = (said.get("status") or {}).get("conditions", [{}])[0]
        return ready.get("status"), ready.get("reason")

    def test_the_pod_and_who_looks_at_it(self):
        self.start_all()
        owners = self.serve_all()
        self.give_viewer()
        for node in self.lab.nodes:
            self.wait(lambda n=node: self.condition(n) == ("True", "Ready"),
                      f"the NodeStatus of {node.name} says Ready")
            # The API server removes it with its Node.
            uid = self.kube.get(f"/api/v1/nodes/{node.name}")["metadata"]["uid"]
            self.wait(lambda n=node, u=uid: [
                (o["kind"], o["uid"]) for o in
                self.node_status(n)["metadata"].get("ownerReferences", [])] == [("Node", u)],
                f"the NodeStatus of {node.name} belongs to its Node")
            # The shipped role is enough, and all of it is well.
            self.assertEqual(node.ctl("status")["warnings"], [], node.name)
            self.assertNotIn("forbidden", self.log(node))
            self.assertNotIn('"level":"error"', self.log(node))
        status = self.herald("status")
        self.assertEqual(status["warnings"], [])
        self.assertEqual({m["name"]: m["state"] for m in status["members"]},
                         {n.name: "Member" for n in self.lab.nodes})
        self.assertEqual({row["ip"]: row["owner"] for row in self.herald("get", "ips")["ips"]}, owners)
        self.assertIn("default/whoami",
                      [f"{s['namespace']}/{s['name']}" for s in self.herald("get", "services")["services"]])
        for argv in (("explain", "ip", WHOAMI), ("explain", "service", "default/whoami"),
                     ("explain", "node", owners[WHOAMI])):
            said = self.kubectl("herald", *argv)
            self.assertRegex(said, r"^\w+ \S+: ")
            self.assertNotIn(":0\n", said)
        # What kubectl itself shows.
        self.assertRegex(self.kubectl("get", "services", "whoami"), rf"whoami +LoadBalancer .* {WHOAMI} ")
        self.assertRegex(self.kubectl("get", "hns"), rf"{owners[WHOAMI]} +guarded by ")
        # One is rolled.
        rolled = self.lab.node(owners[WHOAMI])
        self.assertEqual(rolled.stop(), 0)
        self.assertNotIn(rolled.name, [row["owner"] for row in self.herald("get", "ips")["ips"]])
        self.assertEqual({m["name"]: m["state"] for m in self.herald("status")["members"]},
                         {n.name: "Gone" if n is rolled else "Member" for n in self.lab.nodes})
        rolled.start()
        self.wait(rolled.ready, f"{rolled.name} is back", 60)


if __name__ == "__main__":
    unittest.main(verbosity=2)
