"""Three nodes on an API server, and what a user of a cluster sees of them: in the Services' status, by
ARP, and in what the daemons say. The stories are the same on the project's own API server (test_kube.py)
and on a real one (kube/)."""

import time

from herald_case import REQUESTED, TAKEOVER_S, HeraldCase, vips_of

WHOAMI = REQUESTED["default/whoami"]
# Longer than the leader's lease of 15 s, and than it takes to see that watches are dead.
OUTAGE_S = 20
PORTS = [{"name": "web", "port": 80, "protocol": "TCP"}]


def service(name, ns="default", **spec):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": ns},
            "spec": {"type": "LoadBalancer", "ports": PORTS, **spec}}


def path_of(name, ns="default"):
    return f"/api/v1/namespaces/{ns}/services/{name}"


class KubeCase(HeraldCase):
    def setUp(self):
        super().setUp()
        self.kube = self.lab.kube

    # -- doing --------------------------------------------------------------------------------

    def make(self, name, **spec):
        made = service(name, **spec)
        self.kube.apply(made, *self.kube.slices(made))

    # -- looking ------------------------------------------------------------------------------

    def log(self, node):
        with open(node.log, errors="replace") as file:
            return file.read()

    def told(self, name, ns="default"):
        """The IPs that a Service's status tells, and their modes: [(ip, mode)]."""
        there = self.kube.get(path_of(name, ns)) or {}
        return [(i.get("ip"), i.get("ipMode")) for i in
                there.get("status", {}).get("loadBalancer", {}).get("ingress", [])]

    def serve_all(self):
        """{vip: owner} once every service of the home lab is told its IPs and they are answered for."""
        held = self.addresses()
        for name, ips in held.items():
            ns, _, plain = name.partition("/")
            self.wait(lambda n=plain, s=ns, want=ips: sorted(self.told(n, s)) == [
                (ip, "VIP") for ip in want], f"the status of {name} tells {ips}")
        for node in self.lab.nodes:
            self.wait(node.ready, f"{node.name} is ready", 30)
        return self.owners(vips_of(held))

    def await_ready(self, node, status, reason):
        """What the condition Ready of its NodeStatus comes to."""
        def is_so():
            there = self.kube.get(f"/apis/herald.io/v1alpha1/nodestatuses/{node.name}") or {}
            said = [c for c in there.get("status", {}).get("conditions", []) if c["type"] == "Ready"]
            return [(c["status"], c["reason"]) for c in said] == [(status, reason)]
        self.wait(is_so, f"{node.name}'s NodeStatus says Ready {status}, {reason}", 30)

    def await_ip(self, name, seconds=TAKEOVER_S):
        """The IP that a service gets, told and answered for."""
        ip = self.wait(lambda: self.told(name), f"an IP in the status of {name}", seconds)[0][0]
        self.lab.serve([ip])
        self.owners([ip])
        return ip

    def await_said(self, node, *words):
        """A line of its log has all of these."""
        self.wait(lambda: any(all(w in line for w in words) for line in self.log(node).splitlines()),
                  f"{node.name} says something about {' and '.join(words)}", 60)

    def nobody_answers(self, ip):
        return self.client.look([ip])[ip] == []


class Stories:
    """Mixed into KubeCase."""

    def test_services_come_change_and_go(self):
        self.start_all()
        owners = self.serve_all()
        self.assertEqual(self.told("whoami"), [(WHOAMI, "VIP")])
        self.make("late")
        ip = self.await_ip("late")
        path = path_of("late")
        self.kube.merge(path, {"spec": {"type": "ClusterIP"}})
        self.wait(lambda: self.nobody_answers(ip), "a service that is no load balancer any more frees it")
        self.assertEqual(self.told("late"), [])
        self.kube.merge(path, {"spec": {"type": "LoadBalancer"}})
        ip = self.await_ip("late")
        self.kube.delete(path)
        self.wait(lambda: self.nobody_answers(ip), "a service that is deleted frees its IP")
        # What it left is given again: it was the lowest free one, then as now.
        self.make("later")
        self.assertEqual(self.await_ip("later"), ip)
        self.assertEqual(self.owners(list(owners)), owners)

    def test_other_classes_are_left_alone(self):
        self.start_all()
        self.serve_all()
        self.make("foreign", loadBalancerClass="example.com/other")
        self.kube.merge(f"{path_of('foreign')}/status", {"status": {"loadBalancer": {
            "ingress": [{"ip": "192.0.2.99"}]}}})
        self.make("late")
        self.await_ip("late")
        self.assertEqual(self.told("foreign"), [("192.0.2.99", "VIP")])

    def test_owner_dies_and_another_drains(self):
        self.start_all()
        owners = self.serve_all()
        dead = self.lab.node(owners[WHOAMI])
        dead.kill()
        moved = self.owners(list(owners))
        self.assertNotIn(dead.name, moved.values())
        self.assertEqual(self.told("whoami"), [(WHOAMI, "VIP")])
        self.await_ready(dead, "Unknown", "NodeNotHeard")
        dead.start()
        self.wait(dead.ready, f"{dead.name} is back", 60)
        self.await_ready(dead, "True", "Ready")
        owners = self.owners(list(owners))
        drained = self.lab.node(owners[WHOAMI])
        probe = self.client.start_probe(list(owners))

        def answered(but=None):
            return {vip for _, vip, who in list(probe.first) if who != but} == set(owners)
        self.wait(answered, "every VIP answers the probe")
        self.assertEqual(drained.stop(), 0)
        self.wait(lambda: answered(but=drained.name), f"others answer for what {drained.name} had")
        seen = probe.end()
        self.await_ready(drained, "False", "Stopped")
        for vip, report in seen.items():
            self.assertEqual(report["dual_probes"], 0, vip)
            self.assertLess(report["outage_ms"], 250, vip)
            self.assertNotEqual(report["owners"][-1]["node"], drained.name, vip)

    def test_api_server_gone(self):
        self.start_all()
        owners = self.serve_all()
        lost = next(n for n in self.lab.nodes if n.name != owners[WHOAMI] and n.name in owners.values())
        kept = {vip: name for vip, name in owners.items() if name != lost.name}
        probe = self.client.start_probe(list(kept))
        self.go()
        time.sleep(OUTAGE_S)  # the length of the outage
        for node in self.lab.nodes:
            self.assertFalse(node.ctl("status")["store"]["healthy"], node.name)
        # A node that dies now is taken over as soon as that can be written down.
        lost.kill()
        self.come_back()
        moved = self.owners(list(owners))
        self.assertNotIn(lost.name, moved.values())
        self.assertUndisturbed(probe.end(), kept)
        self.make("late")
        self.await_ip("late")

    def go(self):
        self.kube.stop()

    def come_back(self):
        self.kube.start()

    def test_another_dialect_is_installed_later(self):
        self.start_all()
        self.serve_all()
        group = "metallb.io"
        for plural, kind in (("ipaddresspools", "IPAddressPool"), ("l2advertisements", "L2Advertisement")):
            crd = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                   "metadata": {"name": f"{plural}.{group}", "annotations": {
                       "api-approved.kubernetes.io": "unapproved, of a test"}}, "spec": {
                       "group": group, "scope": "Namespaced",
                       "names": {"plural": plural, "singular": kind.lower(), "kind": kind,
                                 "listKind": f"{kind}List"},
                       "versions": [{"name": "v1beta1", "served": True, "storage": True,
                                     "subresources": {"status": {}}, "schema": {"openAPIV3Schema": {
                                         "type": "object", "x-kubernetes-preserve-unknown-fields": True}}}]}}
            self.kube.apply(crd)
            self.kube.await_crd(crd)
        self.kube.apply(
            {"apiVersion": f"{group}/v1beta1", "kind": "IPAddressPool",
             "metadata": {"name": "theirs", "namespace": "metallb-system"},
             "spec": {"addresses": ["10.99.0.1-10.99.0.4"], "autoAssign": False}},
            {"apiVersion": f"{group}/v1beta1", "kind": "L2Advertisement",
             "metadata": {"name": "theirs", "namespace": "metallb-system"}, "spec": {}})
        # One that asks for the pool gets an address of it, as soon as the kind is known.
        late = service("late")
        late["metadata"]["annotations"] = {"metallb.io/address-pool": "theirs"}
        self.kube.apply(late, *self.kube.slices(late))
        self.wait(lambda: self.told("late") == [("10.99.0.1", "VIP")], "an IP of their pool")
