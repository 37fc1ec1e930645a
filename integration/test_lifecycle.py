"""An IP before it is announced first, and after its service has released it."""

import os

from herald_case import HeraldCase
from lab import netns

TAKEN, FREE = "10.25.150.20", "10.25.150.21"
MANIFEST = """
apiVersion: herald.io/v1alpha1
kind: LoadBalancerIPPool
metadata: {name: few}
spec:
  addresses: [10.25.150.20-10.25.150.29]
  releaseHold: 1m
  serviceSelector: {matchLabels: {pool: few}}
---
apiVersion: herald.io/v1alpha1
kind: L2AnnouncementPolicy
metadata: {name: all}
spec: {interfaces: ["^eth0$"]}
"""


def service(name):
    return f"""
---
apiVersion: v1
kind: Service
metadata: {{name: {name}, labels: {{pool: few}}}}
spec: {{type: LoadBalancer}}
"""


class Lifecycle(HeraldCase):
    nodes = 2

    def setUp(self):
        super().setUp()
        for name in os.listdir(self.lab.manifests):
            os.remove(os.path.join(self.lab.manifests, name))
        self.write_manifest("few.yaml", MANIFEST)
        self.start_all()

    def ip_of(self, name):
        said = self.lab.nodes[0].services() or {}
        ips = said.get(f"default/{name}", {}).get("ips") or []
        return ips[0] if len(ips) == 1 else None

    def explain_ip(self, ip):
        return str(self.lab.nodes[0].ctl("explain", "ip", ip))

    def test_an_ip_that_somebody_uses_is_quarantined(self):
        netns.ip("client", "addr", "add", f"{TAKEN}/32", "dev", "eth0")
        self.write_manifest("few.yaml", MANIFEST + service("web"))
        self.wait(lambda: self.ip_of("web") == FREE, f"the service to get {FREE}")
        self.owners([FREE])
        self.assertIn(f"ip {TAKEN} is quarantined", str(self.lab.nodes[0].ctl("events")))
        self.assertIn("quarantined", self.explain_ip(TAKEN))
        netns.ip("client", "addr", "del", f"{TAKEN}/32", "dev", "eth0")
        self.assertEqual(self.client.look([TAKEN])[TAKEN], [])

    def test_a_service_that_comes_back_has_its_ip_again(self):
        self.write_manifest("few.yaml", MANIFEST + service("web"))
        self.wait(lambda: self.ip_of("web") == TAKEN, "the first IP")
        self.owners([TAKEN])
        self.write_manifest("few.yaml", MANIFEST + service("other"))
        self.wait(lambda: self.ip_of("other") == FREE, "the second IP for another service")
        self.wait(lambda: "resting" in self.explain_ip(TAKEN), "the first IP to rest")
        self.assertEqual(self.client.look([TAKEN])[TAKEN], [])
        self.write_manifest("few.yaml", MANIFEST + service("other") + service("web"))
        self.wait(lambda: self.ip_of("web") == TAKEN, "the same IP as before")
        self.owners([TAKEN])
