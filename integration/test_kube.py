"""The stories of kube_case.py on the project's own API server, and those that need its faults."""

import unittest

from kube_case import WHOAMI, KubeCase, Stories, service


class FakeCase(KubeCase):
    store = "kubernetes-fake"

    def fault(self, kind, **more):
        self.kube.command("/__faults", {"kind": kind, **more})


class OnFake(Stories, FakeCase):
    pass


class Faults(FakeCase):
    def test_watches_that_go_wrong(self):
        self.start_all()
        owners = self.serve_all()
        probe = self.client.start_probe(list(owners))
        for kind in ("watch-410", "watch-garbage", "watch-cut", "watch-error"):
            self.fault(kind, count=40, agent="heraldd")
            self.make(kind)
            self.await_ip(kind)
            self.kube.command("/__faults", method="DELETE")
        # A list that is older than what was seen takes nothing from anybody.
        self.fault("stale", count=20, behind=30, path="/services", agent="heraldd")
        self.fault("watch-410", count=6, path="/services", agent="heraldd")
        self.make("late")
        self.await_ip("late")
        self.assertUndisturbed(probe.end(), owners)

    def test_storm_and_lost_replies(self):
        self.start_all()
        owners = self.serve_all()
        probe = self.client.start_probe(list(owners))
        self.fault("status", code=429, retryAfter=1, count=60, agent="heraldd")
        self.make("stormy")
        self.await_ip("stormy")
        self.kube.command("/__faults", method="DELETE")
        self.fault("lost-reply", count=3, method="PATCH", agent="heraldd")
        self.fault("lost-reply", count=3, method="PUT", agent="heraldd")
        self.make("unanswered")
        self.await_ip("unanswered")
        self.kube.command("/__config", {"clockOffset": -9 * 3600})
        self.make("yesterday")
        self.await_ip("yesterday")
        self.assertUndisturbed(probe.end(), owners)

    def test_large_and_unknown(self):
        """Annotations of 64 KiB, and fields of an API that is newer than we are."""
        self.start_all()
        self.serve_all()
        odd = service("odd", trafficWeather={"mood": ["sunny", {"since": 3}]})
        odd["metadata"]["annotations"] = {"example.com/config": "x" * (64 << 10)}
        self.kube.apply(odd, *self.kube.slices(odd))
        self.await_ip("odd")
        self.kube.merge("/api/v1/nodes/n1", {"spec": {"orbit": "low"}, "metadata": {
            "annotations": {"example.com/config": "y" * (64 << 10)}}})
        self.make("late")
        self.await_ip("late")

    def test_a_kind_is_refused(self):
        self.kube.grant(without=("bgppeers",))
        self.start_all()
        self.serve_all()
        for node in self.lab.nodes:
            self.await_said(node, "bgppeers", "403")
        self.kube.grant()
        self.make("late")
        self.await_ip("late")

    def test_the_token_expires(self):
        self.start_all()
        owners = self.serve_all()
        probe = self.client.start_probe(list(owners))
        self.kube.command("/__tokens", {self.kube.token: {"user": "heraldd", "expired": True}})
        self.await_said(self.lab.node(owners[WHOAMI]), "401")
        self.kube.grant()
        self.make("late")
        self.await_ip("late")
        self.assertUndisturbed(probe.end(), owners)


if __name__ == "__main__":
    unittest.main(verbosity=2)
