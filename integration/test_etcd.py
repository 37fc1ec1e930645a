"""Three nodes that agree through a real etcd: what its outage costs, and how it is let in to."""

import os
import time
import unittest

from herald_case import HeraldCase, vips_of

# Longer than the lease of 2 s and the leader's of 5 s.
OUTAGE_S = 6
NEW_SERVICE = """apiVersion: v1
kind: Service
metadata: {name: late, namespace: default}
spec: {type: LoadBalancer, ports: [{port: 80}]}
"""


class EtcdCase(HeraldCase):
    store = "etcd"

    def all_ready(self):
        for node in self.lab.nodes:
            self.wait(node.ready, f"{node.name} is ready", 30)

    def log(self, node):
        with open(node.log, errors="replace") as file:
            return file.read()

    def store_of(self, node):
        said = node.ctl("status")
        return said and said["store"]

    def assertServed(self, name="default/late"):
        """A new service is given an address and answered for: all of the way through the store."""
        self.write_manifest("late.yaml", NEW_SERVICE)
        told = self.wait(lambda: (self.lab.nodes[0].services() or {}).get(name, {}).get("ips"),
                         f"an IP for {name}")
        self.lab.serve(told)
        self.owners(told)


class Guarded(EtcdCase):
    def test_outage_silences_nobody(self):
        self.start_all()
        before = self.addresses()
        vips = vips_of(before)
        self.all_ready()
        owners = self.owners(vips)
        probe = self.client.start_probe(vips)
        self.lab.etcd.stop()
        time.sleep(OUTAGE_S)  # the length of the outage
        for node in self.lab.nodes:
            store = self.store_of(node)
            self.assertFalse(store["healthy"], node.name)
            self.assertIn(self.lab.etcd.url, store["last_error"])
            self.assertIn(self.lab.etcd.url, store["uri"])
        self.lab.etcd.start()
        for node in self.lab.nodes:
            self.wait(lambda n=node: self.store_of(n)["healthy"], f"{node.name} has its store again")
        self.assertServed()
        self.assertUndisturbed(probe.end(), owners)
        self.assertIn("is that etcd running, and reachable from here?", self.log(self.lab.nodes[0]))

    def test_death_and_return(self):
        self.start_all()
        before = self.addresses()
        vips = vips_of(before)
        self.all_ready()
        dead = self.lab.node(self.owners(vips)[vips[0]])
        dead.crash()
        self.assertNotIn(dead.name, self.owners(vips).values())
        dead.start()
        self.all_ready()
        self.owners(vips)
        self.assertEqual(self.addresses(), before)


class Leased(EtcdCase):
    profile = "none"

    def test_etcd_may_come_later(self):
        self.lab.etcd.stop()
        self.start_all()
        for node in self.lab.nodes:
            self.wait(lambda n=node: f"etcd at {self.lab.etcd.url}: no connection" in self.log(n),
                      f"{node.name} says that etcd is not there")
            self.assertTrue(node.alive())
        self.lab.etcd.start()
        self.owners(vips_of(self.addresses()))


class Secure(EtcdCase):
    store = "etcd-secure"

    def test_certificates_and_users(self):
        self.start_all()
        before = self.addresses()
        self.owners(vips_of(before))
        # Tokens are forgotten with it; passwords are not.
        self.lab.etcd.stop()
        self.lab.etcd.start()
        self.assertServed()
        self.assertEqual({k: v for k, v in self.addresses({*before, "default/late"}).items()
                          if k in before}, before)
        self.refusals()

    def refusals(self):
        node, etcd = self.lab.nodes[0], self.lab.etcd
        wrong = os.path.join(self.lab.dir, "wrong-password")
        with open(os.open(wrong, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write("battery-staple\n")
        for settings, says in (
                (["--store-password-file", wrong], f"check the password in {wrong}"),
                (["--store-ca-file", etcd.file("client.crt")], "--store-ca-file"),
                (["--store-prefix", "/elsewhere/"], "permission denied")):
            node.stop()
            known = len(self.log(node))
            node.start(*settings)
            self.wait(lambda: says in self.log(node)[known:], f"{settings} is answered by '{says}'")
            self.assertIn(etcd.url, self.log(node)[known:])
            self.assertTrue(node.alive())

    def test_check_reads_the_files(self):
        etcd = self.lab.etcd
        def check(*settings):
            done = self.heraldd("--check", "--store", etcd.uri, "--manifests", self.lab.manifests,
                                *etcd.settings, *settings)
            return done.returncode, done.stderr
        code, said = check()
        self.assertEqual(code, 0, said)
        os.chmod(etcd.password, 0o644)
        for settings, says in (
                ((), "store-password-file: "),
                (("--store-ca-file", "/nowhere"), "store-ca-file: '/nowhere'"),
                (("--store-key-file", etcd.file("ca.key")), "store-key-file: "),
                (("--store", f"etcd:http://{etcd.url[8:]}"), "is https")):
            code, said = check(*settings)
            self.assertEqual(code, 1, said)
            self.assertIn(says, said)


if __name__ == "__main__":
    unittest.main(verbosity=2)
