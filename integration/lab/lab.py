"""A small network in namespaces: a switch (bridge), nodes, routers and a client.

    switch   one bridge; everybody's eth0 is plugged into it. A second one, for eth1, with a store
    n1..nN   10.25.150.101.., fd25:150::1:101.. ; heraldd runs here, and whoami (port 80) behind the
             VIPs, which each node has on lo, as kube-proxy's IPVS mode does. arp_ignore and
             arp_announce keep the kernel from answering ARP for them; for NDP the kernel never
             answers, since addresses on lo are not of eth0.
    frr      10.25.150.111, AS 64513 (eBGP);  bird  10.25.150.112, AS 64512 (iBGP)
    client   10.25.150.120; 10.25.150.160 and fd25:150::1:a0 are the probe's (vip_probe.cc)
    store    with store="etcd" or "etcd-secure": 10.25.151.100 on the management network, where nodes are
             .101..; with "kubernetes" or "kubernetes-fake", an API server is there (kube.py), and the
             manifests are its objects

`with Lab(...) as lab:` removes everything at the end, whatever happens, SIGINT and SIGTERM
included: only own processes (by id) and own namespaces (by name). Waits are polls with a deadline.
Namespaces are called after the process: one lab at a time in each.
"""

import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from . import netns
from .client import Client
from .etcd import ADDRESS as STORE_ADDRESS
from .etcd import KINDS as ETCDS
from .kube import KINDS as KUBES
from .node import Node
from .routers import Bird, Frr

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COMMUNITY = "64512:150"
REMOTE = {**ETCDS, **KUBES}
STORES = ("embedded", *REMOTE)
PROFILES = ("default", "fast", "none")


class Timeout(Exception):
    pass


def remove_leftovers():
    """Removes what labs that are gone have left: killed ones, and those kept up on purpose. Returns
    the names of their namespaces."""
    gone = netns.remove_orphans(with_processes=True)
    for path in glob.glob(os.path.join(tempfile.gettempdir(), "herald-lab-*")):
        found = re.fullmatch(r"herald-lab-(\d+)-\w+", os.path.basename(path))
        if found and not os.path.exists(f"/proc/{found[1]}"):
            shutil.rmtree(path, ignore_errors=True)
    return gone


class Lab:
    asn = 64512
    vip_port = 80

    def __init__(self, nodes=3, routers=("frr", "bird"), vips=(), bin_dir=None, manifests=None,
                 lease="2s", keep=False, store="embedded", node=Node, profile="default", advert_s=1):
        """`profile`: of the heartbeats, see PROFILES; none: the nodes lease from the store.
        `node`: what a node is, Node or KeepalivedNode; `advert_s` is the latter's."""
        self.bin_dir = bin_dir or os.environ.get("HERALD_BIN_DIR") or f"{ROOT}/build/release/bin"
        self.keep, self.lease, self.vips = keep, lease, list(vips)
        self.dir = tempfile.mkdtemp(prefix=f"herald-lab-{os.getpid()}-")
        os.chmod(self.dir, 0o755)
        self.processes, self.namespaces = [], []
        if store not in STORES:
            raise ValueError(f"the lab has no store '{store}', but {', '.join(STORES)}")
        self.remote = REMOTE[store](self) if store in REMOTE else None
        self.etcd = self.remote if store in ETCDS else None
        self.kube = self.remote if store in KUBES else None
        self.store_uri = self.remote.uri if self.remote else f"embedded:{self.dir}/herald.db"
        self.profile, self.advert_s = profile, advert_s
        self.manifests = os.path.join(self.dir, "manifests")
        # No settings but the flags: the host's own file must not change what the lab shows.
        self.config = os.path.join(self.dir, "herald.yaml")
        with open(self.config, "w") as file:
            file.write("# all settings are given as flags\n")
        os.mkdir(self.manifests)
        if manifests:
            for file in sorted(os.listdir(manifests)):
                peer = re.fullmatch(r"peer-(\w+)\.yaml", file)
                if not peer or peer[1] in routers:
                    shutil.copy(os.path.join(manifests, file), self.manifests)
        self.nodes = [node(self, i) for i in range(1, nodes + 1)]
        self.by_mac = {n.mac: n.name for n in self.nodes}
        kinds = {"frr": lambda: Frr(self, "frr", "10.25.150.111", "fd25:150::1:111", 64513),
                 "bird": lambda: Bird(self, "bird", "10.25.150.112", "fd25:150::1:112", self.asn)}
        self.routers = [kinds[name]() for name in routers]
        self.client = Client(self)
        self._old_handlers = {}

    # -- building and removing --------------------------------------------------------------------

    def __enter__(self):
        if os.geteuid() != 0:
            raise PermissionError("the lab makes network namespaces, which needs root")
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._old_handlers[number] = signal.signal(number, self._interrupted)
        try:
            netns.remove_orphans()
            self._build()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind, error, trace):
        # Ctrl-C and SIGTERM remove it all the same.
        if self.keep and (kind is None or issubclass(kind, Exception)):
            return
        self.keep = False
        self.close()

    @staticmethod
    def _interrupted(number, frame):
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        sys.exit(128 + number)

    def close(self):
        # A second Ctrl-C must not leave half of it behind.
        for number in self._old_handlers:
            signal.signal(number, signal.SIG_IGN)
        for process in list(self.processes):
            self.kill(process)
        for name in self.namespaces:
            netns.delete(name)
        self.namespaces = []
        shutil.rmtree(self.dir, ignore_errors=True)
        for number, handler in self._old_handlers.items():
            signal.signal(number, handler)
        self._old_handlers = {}

    def _build(self):
        self._namespace("switch")
        netns.batch("switch", ["link add br0 type bridge mcast_snooping 0 forward_delay 0",
                               "link set br0 up"])
        if self.remote:
            netns.batch("switch", ["link add br1 type bridge mcast_snooping 0 forward_delay 0",
                                   "link set br1 up"])
            self._namespace("store")
            self._cable("store", "eth1", "br1", "02:25:15:01:00:64", [f"{STORE_ADDRESS}/24"])
            self.remote.start()
        for node in self.nodes:
            self.plug(node)
            node.start_whoami()
        for i, router in enumerate(self.routers, 1):
            self._station(router.name, f"02:25:15:00:02:{i:02x}", router.address, router.address6)
            netns.sysctl(router.name, net__ipv4__ip_forward=1, net__ipv6__conf__all__forwarding=1)
        self._station("client", "02:25:15:00:03:01", "10.25.150.120", "fd25:150::1:120")
        for router in self.routers:
            router.start()
        if self.kube:
            for node in self.nodes:
                self.kube.set_ready(node)
            self.kube.load(self.manifests)

    def _namespace(self, name):
        self.namespaces.append(name)  # first: Ctrl-C may come when it is half made
        netns.add(name)

    def _station(self, name, mac, address, address6):
        self._namespace(name)
        self._cable(name, "eth0", "br0", mac, [f"{address}/24", f"{address6}/64"])

    @staticmethod
    def _cable(name, link, bridge, mac, addresses):
        """A link from the namespace to a bridge. Duplicate address detection is off: addresses can
        be used at once."""
        port = f"p-{name}" if link == "eth0" else f"m-{name}"
        netns.sysctl(name, net__ipv6__conf__all__accept_dad=0, net__ipv6__conf__default__accept_dad=0,
                     net__ipv6__conf__default__dad_transmits=0)
        netns.ip("switch", "link", "add", port, "type", "veth", "peer", "name", link,
                 "address", mac, "netns", netns.full_name(name))
        netns.batch("switch", [f"link set {port} master {bridge}", f"link set {port} up"])
        netns.batch(name, ["link set lo up", f"link set {link} up",
                           *(f"addr add {a} dev {link}" + (" nodad" if ":" in a else "")
                             for a in addresses)])

    def plug(self, node):
        """A node's namespace, links and VIPs."""
        self._station(node.name, node.mac, node.address, node.address6)
        netns.sysctl(node.name, net__ipv4__conf__all__arp_ignore=1,
                     net__ipv4__conf__all__arp_announce=2)
        # The probe's MAC addresses, unknown to the switch, are flooded, but not to nodes.
        netns.run("bridge", "-n", netns.full_name("switch"), "link", "set", "dev", f"p-{node.name}",
                  "flood", "off")
        netns.run("bridge", "-n", netns.full_name("switch"), "fdb", "replace", node.mac, "dev",
                  f"p-{node.name}", "master", "static")
        if self.remote:
            self._cable(node.name, "eth1", "br1", node.mac.replace(":00:01:", ":01:01:"),
                        [f"{node.management}/24"])
        node.lend(self.vips)

    def unplug(self, node):
        """Its links are gone at once, and its namespace, once nothing runs in it."""
        netns.batch("switch", [f"link del {port}" for port in self.ports(node)])
        netns.delete(node.name)
        self.namespaces.remove(node.name)

    def ports(self, node):
        """Where it is plugged in at the switch: that of eth0 first."""
        return [f"p-{node.name}"] + ([f"m-{node.name}"] if self.remote else [])

    def serve(self, vips):
        """Puts the VIPs on lo of every node, beside those that are there."""
        self.vips = sorted(set(self.vips) | set(vips))
        for node in self.nodes:
            node.lend(vips)

    # -- processes --------------------------------------------------------------------------------

    def flags(self):
        """What else every heraldd is told."""
        heartbeats = {"default": [], "fast": ["--heartbeat-profile", "fast"],
                      "none": ["--heartbeat-listen", "none"]}[self.profile]
        return heartbeats + (self.remote.settings if self.remote else [])

    def source(self):
        """The flags that say where services and policies are, if it is not the store."""
        return [] if self.kube else ["--manifests", self.manifests]

    def program(self, name):
        path = os.path.join(self.bin_dir, name)
        if not os.access(path, os.X_OK):
            raise FileNotFoundError(f"{path} is missing: build it first (./demo does), or set "
                                    "HERALD_BIN_DIR")
        return path

    def spawn(self, ns, log, argv):
        """Starts a program in a namespace; its output goes to <dir>/<log>.log, appended."""
        with open(os.path.join(self.dir, f"{log}.log"), "ab") as out:
            process = subprocess.Popen(
                ["ip", "netns", "exec", netns.full_name(ns), *argv], stdin=subprocess.DEVNULL,
                stdout=out, stderr=subprocess.STDOUT, start_new_session=True)
        self.processes.append(process)
        return process

    @staticmethod
    def signal(process, number):
        """To the program and its children: spawn() gives each a process group of its own."""
        os.killpg(process.pid, number)

    def kill(self, process):
        """SIGKILL and reap; nothing when it is gone already."""
        if process is None:
            return
        if process.poll() is None:
            self.signal(process, signal.SIGKILL)
        process.wait(10)
        if process in self.processes:
            self.processes.remove(process)

    @staticmethod
    def wait(condition, seconds, what, every=0.05):
        """Polls until condition() is true and returns what it returned; Timeout at the deadline."""
        deadline = time.monotonic() + seconds
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() >= deadline:
                raise Timeout(f"not within {seconds} s: {what}")
            time.sleep(every)

    def node(self, name):
        return next(n for n in self.nodes if n.name == name)

    def router(self, name):
        return next(r for r in self.routers if r.name == name)

    def tail(self, node, lines=15):
        try:
            with open(node.log, errors="replace") as file:
                return "".join(file.readlines()[-lines:])
        except OSError:
            return ""
