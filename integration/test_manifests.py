"""What users do to their manifests while the daemons run: good edits, and bad ones."""

import os

from herald_case import SERVICES, HeraldCase, places, vips_of

ANOTHER = """apiVersion: v1
kind: Service
metadata:
  name: another
  annotations:
    lbipam.cilium.io/ips: 10.25.150.77
spec:
  type: LoadBalancer
  ports:
    - {name: web, port: 80}
"""
# One document is good; a CIDR of the second and a field of the third are not.
BAD = ANOTHER + """---
apiVersion: herald.io/v1alpha1
kind: LoadBalancerIPPool
metadata:
  name: broken
spec:
  # An address block of a household: 192.168.1.0/24.
  # The one below has a prefix length that IPv4
  # does not know.
  addresses: [192.168.1.0/33]
---
apiVersion: herald.io/v1alpha1
kind: L2AnnouncementPolicy
metadata:
  name: misspelt
spec:
  # An unknown field must not pass as
  # "every interface".
  interfaecs: [eth9]
"""


class Manifests(HeraldCase):
    nodes = 2

    def setUp(self):
        super().setUp()
        self.start_all()
        self.held = self.addresses()
        self.vips = vips_of(self.held)
        self.owner = self.owners(self.vips)

    def test_service_comes_and_goes(self):
        probe = self.client.start_probe(self.vips)
        path = self.write_manifest("another.yaml", ANOTHER)
        self.assertEqual(self.addresses({*SERVICES, "default/another"}),
                         {**self.held, "default/another": ["10.25.150.77"]})
        owner = self.owners(["10.25.150.77"])["10.25.150.77"]
        self.assertEqual(self.client.whoami("10.25.150.77"), owner)

        os.remove(path)
        self.wait(lambda: not self.client.look(["10.25.150.77"])["10.25.150.77"],
                  "silence about the IP of a service that is gone")
        self.assertEqual(self.addresses(), self.held)
        self.assertUndisturbed(self.client.end_probe(probe), self.owner)

    def test_bad_objects_disturb_no_other(self):
        probe = self.client.start_probe(self.vips)
        path = self.write_manifest("bad.yaml", BAD)
        wrong = [i for i, line in enumerate(BAD.splitlines(), 1)
                 if "/33" in line or "interfaecs" in line]

        checked = self.heraldd("--check", "--manifests", self.lab.manifests)
        text = checked.stdout + checked.stderr
        self.assertEqual(checked.returncode, 1, text)
        self.assertLessEqual(set(wrong), set(places(text, "bad.yaml")), text)
        self.assertIn("192.168.1.0/33", text)
        self.assertIn("interfaecs", text)

        # The good document of the same file works.
        self.addresses({*SERVICES, "default/another"})
        self.owners(["10.25.150.77"])

        def told():
            with open(self.lab.nodes[0].log, encoding="utf-8", errors="replace") as log:
                return set(wrong) <= set(places(log.read(), "bad.yaml"))
        self.wait(told, "file and line of both faults in the daemon's log")

        os.remove(path)
        self.assertEqual(self.addresses(), self.held)
        checked = self.heraldd("--check", "--manifests", self.lab.manifests)
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
        self.assertUndisturbed(self.client.end_probe(probe), self.owner)

    def test_broken_file_withdraws_nothing(self):
        with open(os.path.join(self.lab.manifests, "services.yaml"), encoding="utf-8") as file:
            good = file.read()
        probe = self.client.start_probe(self.vips)
        self.write_manifest("services.yaml", good + "\n---\nthis: [is not\n  yaml: at all\n")

        def told():
            with open(self.lab.nodes[0].log, encoding="utf-8", errors="replace") as log:
                return places(log.read(), "services.yaml")
        self.wait(told, "file and line of the fault in the daemon's log")
        self.assertEqual(self.addresses(), self.held)
        self.write_manifest("services.yaml", good)
        self.assertEqual(self.addresses(), self.held)
        self.assertUndisturbed(self.client.end_probe(probe), self.owner)
