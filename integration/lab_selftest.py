#!/usr/bin/python3
"""The lab by itself, without heraldd: do its parts show what they are meant to show?

The kernel of a node answers for a VIP as heraldd would, when the VIP is on eth0; two nodes that do
so are two owners, and the probe must say so.
"""

import os
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lab import netns  # noqa: E402
from lab.lab import Lab  # noqa: E402

VIPS = ["10.25.150.253", "fd25:150::50"]


def own(node, vip):
    netns.ip(node.name, "addr", "replace", f"{vip}/{64 if ':' in vip else 24}", "dev", "eth0",
             *(["nodad"] if ":" in vip else []))


def disown(node, vip):
    netns.ip(node.name, "addr", "del", f"{vip}/{64 if ':' in vip else 24}", "dev", "eth0")


@unittest.skipIf(os.geteuid() != 0, "SKIPPED: the lab needs root for its network namespaces")
class LabSelfTest(unittest.TestCase):
    def test_lab(self):
        with Lab(nodes=3, vips=VIPS) as lab:
            names = list(lab.namespaces)
            a, b, _ = lab.nodes
            client = lab.client

            # Nobody answers for an address on lo.
            self.assertEqual(client.look(VIPS), {v: [] for v in VIPS})
            self.assertIsNone(client.whoami(VIPS[0], timeout=0.2))

            for vip in VIPS:
                own(a, vip)
            self.assertEqual(client.look(VIPS), {v: ["n1"] for v in VIPS})
            for vip in VIPS:
                self.assertEqual(client.whoami(vip), "n1")

            # A gap of half a second, then another owner: the probe measures it.
            probe = client.start_probe(VIPS, interval_ms=1.0, udp=True)
            time.sleep(0.3)
            for vip in VIPS:
                disown(a, vip)
            time.sleep(0.5)
            for vip in VIPS:
                own(b, vip)
            time.sleep(0.3)
            seen = client.end_probe(probe)
            for vip in VIPS:
                self.assertEqual([o["node"] for o in seen[vip]["owners"]], ["n1", "n2"], seen[vip])
                self.assertEqual((seen[vip]["dual_probes"], seen[vip]["dual_owner_ms"]), (0, 0))
                self.assertEqual(seen[vip]["changes"], 1)
                self.assertTrue(400 < seen[vip]["outage_ms"] < 1500, seen[vip])
                # Datagrams go on through the client's cache: n1 has the VIP on lo all the time.
                self.assertEqual([o["node"] for o in seen[vip]["udp"]["owners"]], ["n1"])
                self.assertLess(seen[vip]["udp"]["lost_probes"], seen[vip]["udp"]["sent"] / 4)

            # Without a link they are lost, each of them.
            probe = client.start_probe(VIPS, interval_ms=1.0, udp=True)
            time.sleep(0.3)
            a.link_down()
            time.sleep(0.3)
            a.link_up()
            time.sleep(0.3)
            for vip, report in probe.end().items():
                udp = report["udp"]
                self.assertTrue(250 < udp["outage_ms"] < 1500, udp)
                self.assertGreater(udp["lost_probes"], udp["outage_ms"] / 2, udp)
                self.assertEqual(report["lost_probes"], 0, report)  # n2 still answers

            # Two owners at once are seen as such.
            for vip in VIPS:
                own(a, vip)
            probe = client.start_probe(VIPS)
            time.sleep(0.3)
            seen = client.end_probe(probe)
            for vip in VIPS:
                self.assertGreater(seen[vip]["dual_owner_ms"], 150, seen[vip])

            for router in lab.routers:
                self.assertEqual(router.routes(), {}, router.name)
                self.assertEqual(set(router.sessions()), {n.address for n in lab.nodes})
                self.assertNotIn("Established", router.sessions().values())
                self.assertTrue(router.version())
                router.stop()
                router.start()
            directory = lab.dir
        self.assertFalse(os.path.exists(directory))
        left = netns.run("ip", "netns", "list")
        for name in names:
            self.assertNotIn(netns.full_name(name), left)


if __name__ == "__main__":
    unittest.main(verbosity=2)
