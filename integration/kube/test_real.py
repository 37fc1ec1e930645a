"""The stories of kube_case.py on a real kube-apiserver with its etcd, with the CRDs and the roles of
deploy/, which it validates and enforces; and what can only go wrong there."""

import os
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from kube_case import OUTAGE_S, KubeCase, Stories  # noqa: E402
from lab.kube import WHERE_FROM, real_binaries  # noqa: E402

MISSING = "" if real_binaries() else f"SKIPPED: no kube-apiserver: {WHERE_FROM}"


@unittest.skipIf(MISSING, MISSING)
class RealCase(KubeCase):
    store = "kubernetes"


class OnReal(Stories, RealCase):
    pass


class Real(RealCase):
    def outage(self, begin, end):
        """Nobody's traffic is touched meanwhile, and afterwards all goes on."""
        self.start_all()
        owners = self.serve_all()
        probe = self.client.start_probe(list(owners))
        begin()
        time.sleep(OUTAGE_S)  # the length of the outage
        end()
        self.wait(self.kube.healthy, "the API server serves again", 60)
        self.make("late")
        self.await_ip("late")
        self.assertUndisturbed(probe.end(), owners)

    def test_etcd_is_frozen(self):
        self.outage(lambda: self.lab.signal(self.kube.etcd, 19), lambda: self.lab.signal(self.kube.etcd, 18))

    def test_etcd_is_killed(self):
        self.outage(self.kube.stop_etcd, self.kube.start_etcd)

    def test_api_server_is_frozen(self):
        self.outage(self.kube.freeze, self.kube.thaw)

    def test_rights_are_enforced_and_lost(self):
        self.start_all()
        owners = self.serve_all()
        path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/herald:heraldd"
        binding = self.kube.get(path)
        probe = self.client.start_probe(list(owners))
        self.kube.delete(path)
        self.kube.stop()
        self.kube.start()
        self.await_said(self.lab.nodes[0], "services", "403")
        for name in ("uid", "resourceVersion", "creationTimestamp", "managedFields"):
            binding["metadata"].pop(name)
        self.kube.apply(binding)
        # Who is refused asks again after a while: that is no emergency.
        self.make("late")
        self.await_ip("late", 90)
        self.assertUndisturbed(probe.end(), owners)

    def test_lease_tells_the_truth(self):
        self.start_all()
        self.serve_all()
        leases = {i["metadata"]["name"]: i["spec"] for i in self.kube.get(
            "/apis/coordination.k8s.io/v1/namespaces/herald-system/leases")["items"]}
        self.assertIn(leases["herald-leader"]["holderIdentity"], [n.name for n in self.lab.nodes])
        for node in self.lab.nodes:
            spec = leases[f"herald-member-{node.name}"]
            self.assertEqual(spec["holderIdentity"], node.name)
            self.assertTrue(spec["renewTime"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
