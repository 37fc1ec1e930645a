"""What the integration tests share: a lab with running daemons, and waits that say what went wrong.

Only what the client and the routers see decides; heraldctl is asked where a test is about what it
says, or to learn which IPs there are. Run by ctest (label `integration`), or by hand:
    cd integration && HERALD_BIN_DIR=../build/dev/bin python3 -m unittest -v test_restart
"""

import os
import re
import shutil
import subprocess
import unittest

from lab.lab import ROOT, Lab, Timeout
from lab.node import Node

HOMELAB = os.path.join(ROOT, "integration", "manifests", "homelab")
# D and L of the store (2 s, 2.5 s), the leader's as well, and time for a busy machine.
TAKEOVER_S = 20
# Answers of a healthy node may be late by this much on a busy machine.
HICCUP_MS = 250
REQUESTED = {"dns/adguard": "10.25.150.253", "dns/unbound": "10.25.150.252",
             "media/torrent": "10.25.150.225", "default/whoami": "10.25.150.223"}
SERVICES = {*REQUESTED, "default/dashboard", "default/wiki"}


def skip_reason():
    """Why this host cannot run a lab; empty if it can."""
    if os.geteuid() != 0:
        return "SKIPPED: the lab needs root for its network namespaces"
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    lacking = [t for t in ("ip", "nft", "vtysh", "birdc", "etcd", "openssl") if not shutil.which(t, path=path)]
    if lacking:
        return f"SKIPPED: {', '.join(lacking)} not found: run scripts/install lab"
    return ""


@unittest.skipIf(skip_reason(), skip_reason())
class HeraldCase(unittest.TestCase):
    nodes = 3
    routers = ()
    store = "embedded"
    profile = "default"
    node = Node

    def setUp(self):
        self.lab = self.enterContext(
            Lab(nodes=self.nodes, routers=self.routers, manifests=HOMELAB, store=self.store,
                profile=self.profile, node=self.node))
        self.client = self.lab.client

    def tearDown(self):
        result = self._outcome.result
        if any(test is self for test, _ in result.errors + result.failures):
            for node in self.lab.nodes:
                print(f"--- {node.name}\n{self.lab.tail(node, 40)}")

    # -- doing --------------------------------------------------------------------------------

    def start_all(self):
        for node in self.lab.nodes:
            node.start()

    def write_manifest(self, name, text):
        """Appears at once and whole, as editors and `git pull` do it."""
        path = os.path.join(self.lab.manifests, name)
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(path + ".new", path)
        return path

    def heraldd(self, *argv, seconds=20):
        """Runs a further heraldd in the first node's namespace to its end."""
        return subprocess.run(
            ["ip", "netns", "exec", f"herald-{os.getpid()}-n1", self.lab.program("heraldd"),
             "--config", self.lab.config, *argv],
            capture_output=True, text=True, timeout=seconds, stdin=subprocess.DEVNULL, check=False)

    # -- waiting ------------------------------------------------------------------------------

    def wait(self, condition, what, seconds=TAKEOVER_S):
        try:
            return self.lab.wait(condition, seconds, what)
        except Timeout as late:
            self.fail(str(late))

    def addresses(self, services=frozenset(SERVICES)):
        """{service: [ip, ...]} once each of `services` has one, and nobody else, by n1's word."""
        def all_there():
            said = self.lab.nodes[0].services()
            if not said or set(said) != set(services):
                return None
            held = {name: sorted(s.get("ips") or []) for name, s in said.items()}
            return held if all(held.values()) else None
        held = self.wait(all_there, f"an IP for each of {', '.join(sorted(services))}")
        self.lab.serve(vips_of(held))
        return held

    def owners(self, vips):
        """{vip: node} once exactly one node answers for each."""
        seen = {}

        def one_each():
            nonlocal seen
            seen = self.client.look(vips)
            return all(len(nodes) == 1 for nodes in seen.values())
        try:
            self.lab.wait(one_each, TAKEOVER_S, "")
        except Timeout:
            self.fail(f"not exactly one node answers for each VIP, but {seen}")
        return {vip: nodes[0] for vip, nodes in seen.items()}

    def assertUndisturbed(self, seen, owners):
        """A probe's report: nothing moved, and nothing was missed for long. While the machine itself
        stood still, as the probe (SCHED_FIFO) saw it, nobody could answer."""
        for vip, report in seen.items():
            self.assertEqual({o["node"] for o in report["owners"]}, {owners[vip]}, vip)
            stood_still = report["longest_pause_ms"]
            self.assertLess(report["outage_ms"], HICCUP_MS + stood_still,
                            f"{vip}; the probe itself was held up for {stood_still} ms")


def vips_of(held):
    return sorted(vip for ips in held.values() for vip in ips)


def places(text, file):
    """The line numbers in `text` that are given for a file: "file:12"."""
    return [int(n) for n in re.findall(re.escape(file) + r":(\d+)", text)]
