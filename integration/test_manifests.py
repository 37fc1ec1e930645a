"""What users do to their manifests while the daemons run: good edits, and bad ones."""

import os
import subprocess

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

# What a user may get wrong, one object each.
FAULTS = """apiVersion: herald.io/v1alpha1
kind: LoadBalancerIPPool
metadata: {name: bad-cidr}
spec: {addresses: [192.168.1.0/33]}
---
apiVersion: herald.io/v1alpha1
kind: L2AnnouncementPolicy
metadata: {name: bad-field}
spec: {interfaecs: [eth9]}
---
apiVersion: herald.io/v1alpha1
kind: LoadBalancerIPPool
metadata: {name: overlapping}
spec: {addresses: [10.25.150.128/25]}
---
apiVersion: v1
kind: Service
metadata: {name: outside, annotations: {lbipam.cilium.io/ips: 192.0.2.7}}
spec: {type: LoadBalancer, ports: [{port: 80}]}
"""
# What to explain, its name, the value or field at fault, its line where that is fixed.
EXPLAINED = [("pool", "bad-cidr", "192.168.1.0/33", 4), ("policy", "bad-field", "interfaecs", 9),
             ("pool", "overlapping", "10.25.150.128", None),
             ("service", "default/outside", "192.0.2.7", 16)]


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

    def explain(self, what, name):
        """What heraldctl says, for people: (exit code, stdout and stderr)."""
        node = self.lab.nodes[0]
        done = subprocess.run([self.lab.program("heraldctl"), "--admin", node.admin, "explain",
                               what, name], capture_output=True, text=True, timeout=10,
                              stdin=subprocess.DEVNULL, check=False)
        return done.returncode, done.stdout + done.stderr

    def log(self):
        with open(self.lab.nodes[0].log, encoding="utf-8", errors="replace") as log:
            return log.read()

    def test_each_fault_is_told_in_all_three_places(self):
        probe = self.client.start_probe(self.vips)
        self.write_manifest("faults.yaml", FAULTS)
        self.write_manifest("unparsable.yaml", "kind: [is not\n  yaml: at all\n")
        checked = self.heraldd("--check", "--manifests", self.lab.manifests)
        check = checked.stdout + checked.stderr
        self.assertEqual(checked.returncode, 1, check)

        for what, name, value, line in EXPLAINED:
            with self.subTest(name):
                plain = name.split("/")[-1]

                def lines_about(text, plain=plain, value=value):
                    return [t for t in text.splitlines()
                            if plain in t and value in t and "faults.yaml:" in t]
                self.wait(lambda: lines_about(self.log()), f"{name} and {value} in the log")
                self.assertTrue(lines_about(check), check)
                code, said = self.explain(what, name)
                self.assertEqual(code, 0, said)
                told = lines_about(said)
                self.assertTrue(told, said)
                if line:
                    self.assertIn(line, places("\n".join(told), "faults.yaml"), said)

        code, said = self.explain("pool", "nowhere")
        self.assertEqual(code, 1, said)
        for text in (said, check, self.log()):
            self.assertTrue(places(text, "unparsable.yaml"), text)
            self.assertIn("cannot be parsed", text)
        for vip in self.vips:
            code, said = self.explain("ip", vip)
            self.assertEqual(code, 0, said)
            self.assertIn("announced", said)
        self.assertUndisturbed(self.client.end_probe(probe), self.owner)


class WrongAs(HeraldCase):
    """A router in another AS than its BGPPeer says: --check cannot know, the session does."""
    nodes = 1
    routers = ("frr",)

    def test_peer_with_a_wrong_as(self):
        path = os.path.join(self.lab.manifests, "peer-frr.yaml")
        with open(path, encoding="utf-8") as file:
            good = file.read()
        self.write_manifest("peer-frr.yaml", good.replace("peerASN: 64513", "peerASN: 65099"))
        self.start_all()
        vips = vips_of(self.addresses())
        self.owners(vips)
        node = self.lab.nodes[0]

        def refused():
            said = node.ctl("explain", "peer", "frr")
            return said if said and "65099" in said.get("last_error", "") else None
        said = self.wait(refused, "the wrong AS in what heraldctl explains")
        self.assertIn("spec.peerASN", said["remedy"])
        self.assertIn("peer-frr.yaml:", said["remedy"])
        self.assertIn("64513", said["last_error"])
        with open(node.log, encoding="utf-8", errors="replace") as log:
            self.assertIn("spec.peerASN is 65099", log.read())
        self.owners(vips)
