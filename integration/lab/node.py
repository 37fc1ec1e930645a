"""A node of the lab: a namespace with heraldd and, behind the VIPs, whoami. And what befalls nodes.

A fault is as hard as it says: a node whose power is cut says nothing more, not even to the store, and
its link is gone; a frozen one keeps its links and what its kernel does by itself; one that is cut
off loses packets to and from the peers, or the store, alone, and clients still reach it.
"""

import json
import os
import signal
import subprocess

from . import netns


class Node:
    speaker = "heraldd"

    def __init__(self, lab, index):
        self.lab, self.index, self.name = lab, index, f"n{index}"
        self.address, self.address6 = f"10.25.150.{100 + index}", f"fd25:150::1:{100 + index}"
        self.management = f"10.25.151.{100 + index}"
        self.mac = f"02:25:15:00:01:{index:02x}"
        self.admin = os.path.join(lab.dir, f"{self.name}.sock")
        self.log = os.path.join(lab.dir, f"{self.name}-{self.speaker}.log")
        self.heraldd = self.whoami = None
        self.frozen, self.powered = False, True

    def lend(self, vips):
        """Puts the VIPs on lo, beside those that are there, as kube-proxy does in a cluster."""
        if vips:
            netns.batch(self.name, [f"addr replace {v}/{128 if ':' in v else 32} dev lo" +
                                    (" nodad" if ":" in v else "") for v in vips])

    def start_whoami(self):
        self.whoami = self.lab.spawn(self.name, f"{self.name}-whoami",
                                     [self.lab.program("whoami"), self.name, str(self.lab.vip_port)])

    def start(self, *extra):
        """Starts heraldd, and whoami, if it died with the node."""
        if self.whoami is None:
            self.start_whoami()
        self.start_speaker(*extra)

    def start_speaker(self, *extra):
        lab = self.lab
        run_dir = os.path.join(lab.dir, f"{self.name}.run")
        os.makedirs(run_dir, exist_ok=True)
        self.heraldd = lab.spawn(self.name, f"{self.name}-heraldd", [
            lab.program("heraldd"), "--config", lab.config, "--node-name", self.name,
            "--store", lab.store_uri, *lab.source(), "--admin", self.admin,
            "--run-dir", run_dir, "--store-lease-duration", lab.lease,
            "--bgp-router-id", self.address, *lab.flags(), *extra])

    def alive(self):
        return self.heraldd is not None and self.heraldd.poll() is None and not self.frozen

    # -- what befalls it --------------------------------------------------------------------------

    def freeze(self):
        """heraldd gets no processor any more (SIGSTOP), as in a machine that hangs, until thaw().
        Its sessions stay open and packets wait for it."""
        self.lab.signal(self.heraldd, signal.SIGSTOP)
        self.frozen = True

    def thaw(self):
        self.lab.signal(self.heraldd, signal.SIGCONT)
        self.frozen = False

    def kill(self):
        """heraldd dies (SIGKILL); the node and its services live on."""
        self.lab.kill(self.heraldd)
        self.heraldd = None

    def crash(self):
        """The node dies: heraldd and its services are killed at once."""
        for process in (self.heraldd, self.whoami):
            self.lab.kill(process)
        self.heraldd = self.whoami = None

    def stop(self, seconds=20):
        """SIGTERM, as systemd does; returns the exit code."""
        self.heraldd.send_signal(signal.SIGTERM)
        try:
            code = self.heraldd.wait(seconds)
        except subprocess.TimeoutExpired:
            self.lab.kill(self.heraldd)
            code = None
        self.heraldd = None
        return code

    def power_off(self):
        """At once and without a last word: stopped first, so that nobody learns of the links, which
        go next; then everything of it is gone."""
        self.freeze()
        self.lab.unplug(self)
        self.crash()
        self.frozen, self.powered = False, False

    def power_on(self):
        self.lab.plug(self)
        self.powered = True
        self.start()

    def link_down(self, every=False):
        """The cable is pulled: carrier is lost on eth0, the one to clients and peers; or on all, that
        one last, or it would tell the store by the other."""
        for port in reversed(self.lab.ports(self) if every else [f"p-{self.name}"]):
            netns.ip("switch", "link", "set", port, "down")

    def link_up(self):
        for port in self.lab.ports(self):
            netns.ip("switch", "link", "set", port, "up")

    def cut(self, peers=False, store=False):
        """Packets to and from the other nodes, or the store, are dropped, until heal()."""
        drop = []
        if peers:
            others = [n for n in self.lab.nodes if n is not self]
            for way in ("saddr", "daddr"):
                addresses = [a for n in others for a in (n.address, n.management)]
                drop.append(f"ip {way} {{ {', '.join(addresses)} }} drop")
                drop.append(f"ip6 {way} {{ {', '.join(n.address6 for n in others)} }} drop")
            # VRRP goes to a group. By number: not every system has /etc/protocols.
            drop.append("meta l4proto 112 drop")
        if store:
            drop += ['iifname "eth1" drop', 'oifname "eth1" drop']
        rules = "\n".join(drop)
        netns.nft(self.name, "table inet cut {\n" + "".join(
            f"chain {hook} {{\ntype filter hook {hook} priority 0\n{rules}\n}}\n"
            for hook in ("input", "output")) + "}")

    def heal(self):
        netns.nft(self.name, "delete table inet cut")

    # -- what it says -----------------------------------------------------------------------------

    def ctl(self, *argv, timeout=10):
        """heraldctl ... -o json; None when it failed."""
        done = subprocess.run([self.lab.program("heraldctl"), "--admin", self.admin, *argv, "-o",
                               "json"], capture_output=True, text=True, timeout=timeout,
                              stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            return None
        try:
            return json.loads(done.stdout)
        except ValueError:
            return None

    def ready(self):
        """It runs, answers heraldctl and has its right to answer for VIPs, from its peers where
        there are heartbeats."""
        if not self.alive():
            return False
        said = self.ctl("status")
        guarded = self.lab.profile != "none" and len(self.lab.nodes) > 1
        return bool(said) and said["lease_remaining_ms"] > 0 and (
            not guarded or said["state"] == "Guarded")

    def services(self):
        """{"ns/name": {...}} as this node tells it, or None."""
        said = self.ctl("get", "services")
        return said and {f"{s['namespace']}/{s['name']}": s for s in said.get("services", [])}

    def ips(self):
        """{ip: {...}} as this node tells it, or None."""
        said = self.ctl("get", "ips")
        return said and {i["ip"]: i for i in said.get("ips", [])}
