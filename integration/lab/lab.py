"""A small network in namespaces: a switch (bridge), nodes, routers and a client.

    switch   one bridge; everybody's eth0 is plugged into it
    n1..nN   10.25.150.101.., fd25:150::1:101.. ; heraldd runs here, and whoami (port 80) behind the
             VIPs, which each node has on lo, as kube-proxy's IPVS mode does. arp_ignore and
             arp_announce keep the kernel from answering ARP for them; for NDP the kernel never
             answers, since addresses on lo are not of eth0.
    frr      10.25.150.111, AS 64513 (eBGP);  bird  10.25.150.112, AS 64512 (iBGP)
    client   10.25.150.120; 10.25.150.160-191 and fd25:150::1:a0-bf are the probe's (vip_probe.cc)

`with Lab(...) as lab:` removes everything at the end, whatever happens, SIGINT and SIGTERM
included: only own processes (by id) and own namespaces (by name). Waits are polls with a deadline.
"""

import glob
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from . import netns
from .routers import Bird, Frr

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VIP_PORT = 80
PROBE_SOURCES = ("10.25.150.160", "fd25:150::1:a0")
COMMUNITY = "64512:150"


class Timeout(Exception):
    pass


class Node:
    def __init__(self, lab, index):
        self.lab, self.name = lab, f"n{index}"
        self.address, self.address6 = f"10.25.150.{100 + index}", f"fd25:150::1:{100 + index}"
        self.mac = f"02:25:15:00:01:{index:02x}"
        self.admin = os.path.join(lab.dir, f"{self.name}.sock")
        self.log = os.path.join(lab.dir, f"{self.name}-heraldd.log")
        self.heraldd = self.whoami = None
        self.frozen = False

    def start_whoami(self):
        self.whoami = self.lab.spawn(self.name, f"{self.name}-whoami",
                                     [self.lab.program("whoami"), self.name, str(VIP_PORT)])

    def start(self, *extra):
        """Starts heraldd (and whoami, if it died with the node)."""
        if self.whoami is None:
            self.start_whoami()
        lab = self.lab
        run_dir = os.path.join(lab.dir, f"{self.name}.run")
        os.makedirs(run_dir, exist_ok=True)
        self.heraldd = lab.spawn(self.name, f"{self.name}-heraldd", [
            lab.program("heraldd"), "--config", lab.config, "--node-name", self.name,
            "--store", lab.store, "--manifests", lab.manifests, "--admin", self.admin,
            "--run-dir", run_dir, "--store-lease-duration", lab.lease,
            "--bgp-router-id", self.address, *extra])

    def alive(self):
        return self.heraldd is not None and self.heraldd.poll() is None and not self.frozen

    def freeze(self):
        """heraldd gets no processor any more (SIGSTOP), as in a machine that hangs, until thaw().
        Its sessions stay open and packets wait for it."""
        self.heraldd.send_signal(signal.SIGSTOP)
        self.frozen = True

    def thaw(self):
        self.heraldd.send_signal(signal.SIGCONT)
        self.frozen = False

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

    def services(self):
        """{"ns/name": {...}} as this node tells it, or None."""
        said = self.ctl("get", "services")
        return said and {f"{s['namespace']}/{s['name']}": s for s in said.get("services", [])}

    def ips(self):
        """{ip: {...}} as this node tells it, or None."""
        said = self.ctl("get", "ips")
        return said and {i["ip"]: i for i in said.get("ips", [])}


class Client:
    """What somebody on the segment sees."""

    def __init__(self, lab):
        self.lab = lab

    def whoami(self, vip, timeout=1.0, ns="client"):
        """The name of the node that a TCP connection to the VIP reached; None when there was none.
        Uses the client's own neighbour cache, as any program does."""
        def ask():
            connection = http.client.HTTPConnection(vip, VIP_PORT, timeout=timeout)
            try:
                connection.request("GET", "/")
                return connection.getresponse().read().decode().strip()
            except (OSError, http.client.HTTPException):
                return None
            finally:
                connection.close()
        return netns.inside(ns, ask)

    def watch_tcp(self, vip):
        return TcpWatch(vip)

    def start_probe(self, vips, interval_ms=2.0, answers=None):
        argv = [self.lab.program("vip_probe"), "--interface", "eth0", "--source", PROBE_SOURCES[0],
                "--source6", PROBE_SOURCES[1], "--interval-ms", str(interval_ms)]
        if answers:
            argv += ["--answers", answers]
        process = subprocess.Popen(
            ["ip", "netns", "exec", netns.full_name("client"), *argv, *vips], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
            start_new_session=True)
        self.lab.processes.append(process)
        return process

    def end_probe(self, process):
        """{vip: {...}}, see vip_probe.cc; owners carry the node's name instead of the MAC alone."""
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
        if process.returncode != 0:
            raise RuntimeError(f"vip_probe: exit {process.returncode}: {err.strip()}")
        by_mac = {n.mac: n.name for n in self.lab.nodes}
        result = {}
        for vip in json.loads(out)["vips"]:
            for owner in vip["owners"]:
                owner["node"] = by_mac.get(owner["mac"], owner["mac"])
            result[vip["vip"]] = vip
        return result

    def look(self, vips, seconds=0.4):
        """Who answers now: {vip: sorted list of node names}."""
        process = self.start_probe(vips, interval_ms=5.0)
        time.sleep(seconds)  # the length of the measurement, not a wait for something
        return {vip: sorted({o["node"] for o in seen["owners"]})
                for vip, seen in self.end_probe(process).items()}


class TcpWatch:
    """Connects to whoami behind a VIP again and again, through the client's neighbour cache, from
    construction until end()."""

    def __init__(self, vip):
        self.vip, self.reached, self.stopped = vip, [], threading.Event()
        self.thread = threading.Thread(target=netns.inside, args=("client", self._work), daemon=True)
        self.thread.start()

    def _work(self):
        while not self.stopped.is_set():
            began = time.monotonic()
            try:
                with socket.create_connection((self.vip, VIP_PORT), timeout=0.1) as connection:
                    connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
                    said = b""
                    while part := connection.recv(4096):
                        said += part
                if b"200 OK" in said:
                    self.reached.append((began, said.split()[-1].decode()))
            except OSError:
                pass
            self.stopped.wait(0.005)

    def end(self):
        """(longest time in ms between two connections that worked, their nodes in order)"""
        self.stopped.set()
        self.thread.join()
        times = [t for t, _ in self.reached]
        gap = max((b - a for a, b in zip(times, times[1:])), default=float("inf")) * 1000
        nodes = []
        for _, node in self.reached:
            if not nodes or nodes[-1] != node:
                nodes.append(node)
        return gap, nodes


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

    def __init__(self, nodes=3, routers=("frr", "bird"), vips=(), bin_dir=None, manifests=None,
                 lease="2s", keep=False):
        self.bin_dir = bin_dir or os.environ.get("HERALD_BIN_DIR") or f"{ROOT}/build/release/bin"
        self.keep, self.lease, self.vips = keep, lease, list(vips)
        self.dir = tempfile.mkdtemp(prefix=f"herald-lab-{os.getpid()}-")
        os.chmod(self.dir, 0o755)
        self.processes, self.namespaces = [], []
        self.store = f"embedded:{self.dir}/herald.db"
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
        self.nodes = [Node(self, i) for i in range(1, nodes + 1)]
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
        for node in self.nodes:
            self._station(node.name, node.mac, node.address, node.address6)
            netns.sysctl(node.name, net__ipv4__conf__all__arp_ignore=1,
                         net__ipv4__conf__all__arp_announce=2)
            self.add_vips(node, self.vips)
            node.start_whoami()
        for i, router in enumerate(self.routers, 1):
            self._station(router.name, f"02:25:15:00:02:{i:02x}", router.address, router.address6)
            netns.sysctl(router.name, net__ipv4__ip_forward=1, net__ipv6__conf__all__forwarding=1)
        self._station("client", "02:25:15:00:03:01", "10.25.150.120", "fd25:150::1:120")
        for router in self.routers:
            router.start()

    def _namespace(self, name):
        netns.add(name)
        self.namespaces.append(name)

    def _station(self, name, mac, address, address6):
        """A namespace with eth0 in the switch. Duplicate address detection is off: addresses can be
        used at once."""
        self._namespace(name)
        netns.sysctl(name, net__ipv6__conf__all__accept_dad=0, net__ipv6__conf__default__accept_dad=0,
                     net__ipv6__conf__default__dad_transmits=0)
        netns.ip("switch", "link", "add", f"p-{name}", "type", "veth", "peer", "name", "eth0",
                 "address", mac, "netns", netns.full_name(name))
        netns.batch("switch", [f"link set p-{name} master br0", f"link set p-{name} up"])
        netns.batch(name, ["link set lo up", "link set eth0 up",
                           f"addr add {address}/24 dev eth0",
                           f"addr add {address6}/64 dev eth0 nodad"])

    def add_vips(self, node, vips):
        netns.batch(node.name, [f"addr replace {v}/{128 if ':' in v else 32} dev lo" +
                                (" nodad" if ":" in v else "") for v in vips] or ["link set lo up"])

    def serve(self, vips):
        """Puts the VIPs on lo of every node, beside those that are there."""
        self.vips = sorted(set(self.vips) | set(vips))
        for node in self.nodes:
            self.add_vips(node, vips)

    # -- processes --------------------------------------------------------------------------------

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

    def kill(self, process):
        """SIGKILL and reap; nothing when it is gone already."""
        if process is None:
            return
        if process.poll() is None:
            process.kill()
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
