"""What somebody on the segment sees: by ARP, NDP, UDP and TCP."""

import http.client
import json
import signal
import socket
import subprocess
import threading
import time

from . import netns

PROBE_SOURCES = ("10.25.150.160", "fd25:150::1:a0")


class Client:
    def __init__(self, lab):
        self.lab = lab

    def whoami(self, vip, timeout=1.0, ns="client"):
        """The name of the node that a TCP connection to the VIP reached; None when there was none.
        Uses the client's own neighbour cache, as any program does."""
        def ask():
            connection = http.client.HTTPConnection(vip, self.lab.vip_port, timeout=timeout)
            try:
                connection.request("GET", "/")
                return connection.getresponse().read().decode().strip()
            except (OSError, http.client.HTTPException):
                return None
            finally:
                connection.close()
        return netns.inside(ns, ask)

    def watch_tcp(self, vip):
        return TcpWatch(vip, self.lab.vip_port)

    def start_probe(self, vips, interval_ms=2.0, udp=False):
        return Probe(self.lab, vips, interval_ms, udp)

    @staticmethod
    def end_probe(probe):
        return probe.end()

    def look(self, vips, seconds=0.4):
        """Who answers now: {vip: sorted list of node names}."""
        probe = self.start_probe(vips, interval_ms=5.0)
        time.sleep(seconds)  # the length of the measurement, not a wait for something
        return {vip: sorted({o["node"] for o in seen["owners"]})
                for vip, seen in probe.end().items()}


class Probe:
    """vip_probe, running from construction until end()."""

    def __init__(self, lab, vips, interval_ms, udp):
        self.lab = lab
        self.first = {}  # (kind "arp" or "udp", vip, node) -> when it was seen first, in s
        self.report = None  # the whole document, after end()
        argv = [lab.program("vip_probe"), "--interface", "eth0", "--source", PROBE_SOURCES[0],
                "--source6", PROBE_SOURCES[1], "--interval-ms", str(interval_ms)]
        if udp:
            argv += ["--udp", str(lab.vip_port)]
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", netns.full_name("client"), *argv, *vips], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
            start_new_session=True)
        lab.processes.append(self.process)
        self.began = threading.Event()
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        if not self.began.wait(30):
            raise RuntimeError("vip_probe: it did not begin within 30 s")

    def _read(self):
        for line in self.process.stdout:
            said = json.loads(line)
            if "began" in said:
                self.began.set()
            elif "first" in said:
                who = self.lab.by_mac.get(said["who"], said["who"])
                self.first[(said["first"], said["vip"], who)] = said["t_ms"] / 1000
            else:
                self.report = said
        self.began.set()  # or it never will: end() says why

    def end(self):
        """{vip: {...}}, see vip_probe.cc; owners carry the node's name beside the MAC."""
        self.process.send_signal(signal.SIGTERM)
        self.thread.join(30)
        code = self.process.wait(30)
        err = self.process.stderr.read()
        self.process.stdout.close()
        self.process.stderr.close()
        self.lab.kill(self.process)
        if code != 0 or self.report is None:
            raise RuntimeError(f"vip_probe: exit {code}: {err.strip()}")
        for vip in self.report["vips"]:
            vip["longest_pause_ms"] = self.report["longest_pause_ms"]
            for owner in vip["owners"]:
                owner["node"] = self.lab.by_mac.get(owner["mac"], owner["mac"])
        return {vip["vip"]: vip for vip in self.report["vips"]}


class TcpWatch:
    """Connects to whoami behind a VIP again and again, through the client's neighbour cache, from
    construction until end()."""

    def __init__(self, vip, port):
        self.vip, self.port, self.reached, self.stopped = vip, port, [], threading.Event()
        self.thread = threading.Thread(target=netns.inside, args=("client", self._work), daemon=True)
        self.thread.start()

    def _work(self):
        while not self.stopped.is_set():
            began = time.monotonic()
            try:
                with socket.create_connection((self.vip, self.port), timeout=0.1) as connection:
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
