"""Moves in order: drained, moved, stopped, rebalanced, declared dead. A client asks each millisecond,
by ARP or NDP and, through its own neighbour cache, by UDP: it must not notice."""

import json
import os
import subprocess
import time
import unittest

from herald_case import TAKEOVER_S, skip_reason
from lab.failover import VIPS, failover_lab, flaps, settled, started

# Of some thousand probes a second; more is a fault, however busy the machine.
LOST_LIMIT = 1
CALM_S = 0.2  # of probing before and after: what is measured, not a wait


@unittest.skipIf(skip_reason(), skip_reason())
class Moves(unittest.TestCase):
    def setUp(self):
        self.lab = self.enterContext(failover_lab("herald"))
        started(self.lab)
        self.before = settled(self.lab)

    def tearDown(self):
        result = self._outcome.result
        if any(test is self for test, _ in result.errors + result.failures):
            for node in self.lab.nodes:
                print(f"--- {node.name}\n{self.lab.tail(node, 40)}")

    # -- asking -------------------------------------------------------------------------------

    def ctl(self, node, *argv):
        """(exit code, what JSON was said or None, stderr) of heraldctl."""
        done = subprocess.run(
            [self.lab.program("heraldctl"), "--admin", node.admin, "-o", "json", *argv],
            capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL, check=False)
        return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr

    def order(self, node, *argv):
        code, said, err = self.ctl(node, *argv)
        self.assertEqual(code, 0, f"{argv}: {said} {err}")
        return said

    def others(self, node):
        return [n for n in self.lab.nodes if n is not node]

    def unnoticed(self, vip, report):
        self.assertEqual(report["dual_owner_ms"], 0, vip)
        self.assertLessEqual(report["udp"]["lost_probes"], LOST_LIMIT, vip)
        self.assertEqual(flaps(report), 0, vip)

    def undisturbed(self, act, moved=()):
        """Runs act() under the probe's eyes: nothing is lost, and the VIPs of `moved` change their
        node once, the others never. Returns {vip: node} afterwards."""
        probe = self.lab.client.start_probe(VIPS, interval_ms=1.0, udp=True)
        time.sleep(CALM_S)
        act()
        time.sleep(CALM_S)
        seen = probe.end()
        for vip, report in seen.items():
            self.unnoticed(vip, report)
            self.assertEqual(len(report["owners"]), 2 if vip in moved else 1,
                             f"{vip}: {report['owners']}")
        return {vip: report["owners"][-1]["node"] for vip, report in seen.items()}

    def hers(self, node):
        return [vip for vip, name in self.before.items() if name == node.name]

    # -- the stories --------------------------------------------------------------------------

    def test_drain_hands_over_and_undrain_brings_back(self):
        node = self.lab.node(self.before[VIPS[0]])
        other = self.others(node)[0]

        def drain():
            said = self.order(other, "drain", node.name)
            self.assertTrue(said["complete"], said)
            self.assertEqual(said["handed_over"], sorted(self.hers(node), key=VIPS.index))
            self.assertEqual(said["kept"], [])
        after = self.undisturbed(drain, self.hers(node))
        self.assertNotIn(node.name, after.values())

        # It is in the store: a node that returns is still drained.
        self.undisturbed(lambda: (self.assertEqual(node.stop(), 0), node.start(),
                                  self.lab.wait(node.ready, TAKEOVER_S, "it is back")))
        self.assertEqual(self.order(node, "get", "nodes", node.name)["nodes"][0]["drained"], True)
        self.assertNotIn(node.name, settled(self.lab).values())

        self.order(node, "undrain")
        self.undisturbed(lambda: self.order(other, "move", VIPS[0], node.name), [VIPS[0]])
        self.assertEqual(settled(self.lab)[VIPS[0]], node.name)

    def test_move_is_not_noticed_and_is_refused_with_a_reason(self):
        node = self.lab.node(self.before[VIPS[0]])
        to = self.others(node)[0]
        after = self.undisturbed(lambda: self.order(to, "move", VIPS[0], to.name), [VIPS[0]])
        self.assertEqual(after[VIPS[0]], to.name)
        for argv, why in (((VIPS[0], "n9"), "there is no node 'n9'"),
                          (("10.25.150.77", to.name), "held by no service")):
            code, said, err = self.ctl(node, "move", *argv)
            self.assertEqual((code, said), (1, None))
            self.assertIn(why, err)

    def test_a_clean_stop_and_a_return(self):
        node = self.lab.node(self.before[VIPS[0]])
        self.undisturbed(lambda: self.assertEqual(node.stop(), 0), self.hers(node))
        self.undisturbed(lambda: (node.start(), self.lab.wait(node.ready, TAKEOVER_S, "back")))

    def test_two_quick_signals_are_one(self):
        node = self.lab.node(self.before[VIPS[0]])

        def stop_twice():
            node.heraldd.terminate()
            node.heraldd.terminate()
            self.assertEqual(node.heraldd.wait(20), 0, "it handed over")
        self.undisturbed(stop_twice, self.hers(node))

    def test_the_last_eligible_node_keeps_its_ips_and_says_so(self):
        last = self.lab.node(self.before[VIPS[0]])
        for node in self.others(last):
            self.order(last, "drain", node.name)
        self.before = settled(self.lab)
        self.assertEqual(set(self.before.values()), {last.name})

        def drain():
            code, said, err = self.ctl(last, "drain")
            # All three are drained now: each may own what it owns.
            self.assertEqual(code, 1)
            self.assertEqual(said["kept"], VIPS)
            self.assertIn(f"{last.name} keeps {VIPS[0]}", err)
        self.undisturbed(drain)
        why = self.order(last, "explain", "ip", VIPS[0])
        self.assertEqual(why["why_owner"], "kept")
        warnings = self.order(last, "status")["warnings"]
        self.assertTrue(any("is drained and keeps" in w for w in warnings), warnings)

        to = self.others(last)[0]
        self.undisturbed(lambda: (self.order(to, "undrain"), self.lab.wait(
            lambda: not self.order(to, "explain", "node", last.name)["ips"], TAKEOVER_S,
            "the undrained node has it all")), VIPS)

    def test_a_newcomer_gets_its_share_unnoticed(self):
        path = os.path.join(self.lab.manifests, "failover.yaml")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        node = self.lab.node(self.before[VIPS[0]])
        self.assertEqual(node.stop(), 0)
        self.before = settled_without(self.lab, node)
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text.replace("rebalance: never", "rebalance: gentle"))
        os.rename(path + ".new", path)

        probe = self.lab.client.start_probe(VIPS, interval_ms=1.0, udp=True)
        node.start()
        self.lab.wait(node.ready, TAKEOVER_S, "it came")
        self.lab.wait(lambda: self.order(node, "explain", "node", node.name)["ips"], TAKEOVER_S,
                      "it got a share")
        time.sleep(CALM_S)
        seen = probe.end()
        for vip, report in seen.items():
            self.unnoticed(vip, report)
        counts = [list(settled(self.lab).values()).count(n.name) for n in self.lab.nodes]
        self.assertLessEqual(max(counts) - min(counts), 1, counts)

    def test_force_dead_is_for_those_whose_guards_are_dead_too(self):
        survivor = self.lab.node(self.before[VIPS[0]])
        dead = self.others(survivor)
        code, _, err = self.ctl(survivor, "node", "force-dead", dead[0].name, "--yes")
        self.assertEqual(code, 1)
        self.assertIn("is alive", err)
        code, _, err = self.ctl(survivor, "node", "force-dead", dead[0].name)
        self.assertEqual(code, 2, "nobody can be asked")
        for node in dead:
            node.freeze()  # both, before the first is gone
        for node in dead:
            node.power_off()
        lost = [vip for vip in VIPS if self.before[vip] != survivor.name]
        self.lab.wait(lambda: self.order(survivor, "status")["state"] == "Store", TAKEOVER_S,
                      "it leases from the store")
        for node in dead:
            self.lab.wait(lambda n=node: self.ctl(survivor, "node", "force-dead", n.name,
                                                  "--yes")[0] == 0, TAKEOVER_S, "taken over")
        seen = self.lab.client.look(VIPS)
        self.assertEqual(seen, {vip: [survivor.name] for vip in VIPS}, f"lost were {lost}")
        for node in dead:
            node.power_on()
        settled(self.lab)


def settled_without(lab, node):
    """{vip: node} once one of the others answers for each VIP."""
    def all_there():
        seen = lab.client.look(VIPS)
        ok = all(len(nodes) == 1 and nodes[0] != node.name for nodes in seen.values())
        return {vip: nodes[0] for vip, nodes in seen.items()} if ok else None
    return lab.wait(all_there, TAKEOVER_S, "the others answer for every VIP")


if __name__ == "__main__":
    unittest.main(verbosity=2)
