"""The lab: network namespaces on a switch, with real routers in two of them.

    with Lab(nodes=3) as lab:
        lab.start_router("frr")
        lab.spawn("n1", "some-log", ["program", "--flag"])
        lab.run("client", ["ping", "-c1", "10.25.150.101"])

Nodes are n1, n2, ... at 10.25.150.101 and fd25:150::1:101 upwards; the client, frr and bird have the
addresses below. Each has one interface, eth0. Leaving the `with` block, by whatever way, ends
every process that the lab has started, deletes its namespaces and its directory. Names carry the
process id, so labs do not disturb one another. Needs root.
"""

import contextlib
import ctypes
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

CLIENT = "client"
ROUTERS = ("frr", "bird")
HOST_NUMBER = {CLIENT: 120, "frr": 111, "bird": 112}
FIRST_NODE = 101
MAX_NODES = 10
NODES_AS = 64512
ROUTER_AS = {"frr": 64513, "bird": NODES_AS}
FRR_DIR = "/usr/lib/frr"
TOOLS = {"ip": "iproute2", "vtysh": "frr", "bird": "bird2", "birdc": "bird2"}

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)


class LabError(Exception):
    """The lab itself does not work: says what and what to do."""


class DeadlinePassed(LabError):
    """Something that was waited for has not become true."""


def missing():
    """What this host lacks for a lab, as a sentence; empty if nothing."""
    if os.geteuid() != 0:
        return "NEEDS ROOT: the lab makes network namespaces"
    packages = {p for tool, p in TOOLS.items() if not shutil.which(tool, path=search_path())}
    if not os.path.exists(f"{FRR_DIR}/bgpd"):
        packages.add("frr")
    if packages:
        return "NEEDS TOOLS: apt-get install " + " ".join(sorted(packages))
    return ""


def search_path():
    """PATH with the directories where Debian puts routers and ip."""
    return os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/bin:/bin"


def wait_until(what, check, seconds, interval=0.05):
    """Calls check() until it gives something true, which is returned; else DeadlinePassed.

    check() may raise ValueError with what it has seen instead; the message then tells it.
    """
    end = time.monotonic() + seconds
    seen = ""
    while True:
        try:
            value = check()
            if value:
                return value
        except ValueError as why:
            seen = f"; last seen: {why}"
        if time.monotonic() >= end:
            raise DeadlinePassed(f"not within {seconds:g} s: {what}{seen}")
        time.sleep(interval)


def end_by_signal(number, _frame):
    """SIGTERM becomes an exception, so that every `with` and `finally` runs."""
    raise SystemExit(128 + number)


class Lab:
    """See the top of the file. Everything happens between __enter__ and __exit__."""

    def __init__(self, nodes=3, keep=False):
        if not 1 <= nodes <= MAX_NODES:
            raise LabError(f"nodes: {nodes} is not within 1 to {MAX_NODES}")
        self.nodes = [f"n{i + 1}" for i in range(nodes)]
        self.keep = keep
        self.prefix = f"herald-{os.getpid()}-"
        self.dir = ""
        self.mac = {}  # host -> MAC address of its eth0
        self.processes = {}  # (host, name) -> Popen
        self._namespaces = []
        self._old_handlers = {}

    # -- life ---------------------------------------------------------------------------------

    def __enter__(self):
        self._old_handlers[signal.SIGTERM] = signal.signal(signal.SIGTERM, end_by_signal)
        try:
            self.dir = tempfile.mkdtemp(prefix="herald-lab-")
            self._build()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *_):
        if not self.keep:
            self._remove()
        for number, handler in self._old_handlers.items():
            signal.signal(number, handler)

    def _build(self):
        self._add_namespace("switch")
        self._ip("-n", self.netns("switch"), "link", "add", "br0", "type", "bridge",
                 "mcast_snooping", "0")
        self._ip("-n", self.netns("switch"), "link", "set", "br0", "up")
        for host in [*self.nodes, CLIENT, *ROUTERS]:
            self._add_host(host)
        for node in self.nodes:
            # VIPs are on lo: the kernel must leave ARP for them to whoever has the right to it.
            self._sysctl(node, {"net/ipv4/conf/all/arp_ignore": 1,
                                "net/ipv4/conf/all/arp_announce": 2,
                                "net/ipv4/ip_nonlocal_bind": 1})

    def _add_namespace(self, host):
        name = self.netns(host)
        self._namespaces.append(name)
        self._ip("netns", "add", name)
        # Before any interface is there: no duplicate address detection, which takes seconds.
        self._sysctl(host, {"net/ipv6/conf/all/disable_ipv6": 0,
                            "net/ipv6/conf/default/disable_ipv6": 0,
                            "net/ipv6/conf/all/accept_dad": 0,
                            "net/ipv6/conf/default/accept_dad": 0,
                            "net/ipv6/conf/default/accept_ra": 0})
        self._ip("-n", name, "link", "set", "lo", "up")

    def _add_host(self, host):
        self._add_namespace(host)
        number = self._number(host)
        self.mac[host] = f"02:25:15:00:00:{number:02x}"
        name, switch = self.netns(host), self.netns("switch")
        self._ip("-n", switch, "link", "add", host, "type", "veth",
                 "peer", "name", "eth0", "address", self.mac[host], "netns", name)
        self._ip("-n", switch, "link", "set", host, "master", "br0", "up")
        self._ip("-n", name, "address", "add", f"{self.ipv4(host)}/24", "dev", "eth0")
        self._ip("-n", name, "address", "add", f"{self.ipv6(host)}/64", "dev", "eth0", "nodad")
        self._ip("-n", name, "link", "set", "eth0", "up")

    def _remove(self):
        # A second Ctrl-C must not leave half of it behind.
        old = signal.signal(signal.SIGINT, signal.SIG_IGN)
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
        for process in self.processes.values():
            process.wait()
        for name in self._namespaces:
            subprocess.run(["ip", "netns", "del", name], env=self._environment(),
                           stderr=subprocess.DEVNULL, check=False)
        shutil.rmtree(self.dir, ignore_errors=True)
        signal.signal(signal.SIGINT, old)

    # -- hosts --------------------------------------------------------------------------------

    def netns(self, host):
        return self.prefix + host

    def _number(self, host):
        return HOST_NUMBER.get(host) or FIRST_NODE + self.nodes.index(host)

    def ipv4(self, host):
        return f"10.25.150.{self._number(host)}"

    def ipv6(self, host):
        return f"fd25:150::1:{self._number(host)}"

    def host_of_mac(self, mac):
        return next((h for h, m in self.mac.items() if m == mac), mac)

    def put_vips_on_lo(self, vips, hosts=None):
        """So that the kernel of each node takes in packets for the VIPs, as with IPVS."""
        for host in hosts or self.nodes:
            for vip in vips:
                v6 = ":" in vip
                self._ip("-n", self.netns(host), "address", "replace",
                         f"{vip}/{128 if v6 else 32}", "dev", "lo", *(["nodad"] if v6 else []))

    # -- processes ----------------------------------------------------------------------------

    def run(self, host, command, seconds=10):
        """Runs a command in the host's namespace to its end; the CompletedProcess, as text."""
        return subprocess.run(self._inside(host, command), env=self._environment(), text=True,
                              capture_output=True, timeout=seconds, check=False)

    def spawn(self, host, name, command, stdout=None):
        """Starts a process of the host; output goes to the log unless `stdout` is given."""
        with open(self.log(host, name), "ab") as log:
            process = subprocess.Popen(
                self._inside(host, command), env=self._environment(), stdin=subprocess.DEVNULL,
                stdout=stdout or log, stderr=log, preexec_fn=self._die_with_us)
        self.processes[host, name] = process
        return process

    def process(self, host, name):
        return self.processes[host, name]

    def end(self, host, name, number=signal.SIGKILL, seconds=15):
        """Sends the signal and waits for the end; the exit code (negative: by that signal)."""
        process = self.processes.pop((host, name))
        process.send_signal(number)
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise DeadlinePassed(
                f"not within {seconds:g} s: end of {name} on {host} after "
                f"{signal.Signals(number).name}") from None

    def log(self, host, name):
        return f"{self.dir}/{host}-{name}.log"

    def log_tails(self, lines=15):
        """The last lines of every log, for whoever has to find out what went wrong."""
        out = []
        for file in sorted(os.listdir(self.dir)):
            if not file.endswith(".log"):
                continue
            with open(f"{self.dir}/{file}", encoding="utf-8", errors="replace") as log:
                tail = log.readlines()[-lines:]
            if tail:
                out.append(f"--- {file}\n" + "".join(tail).rstrip("\n"))
        return "\n".join(out)

    def _inside(self, host, command):
        return ["ip", "netns", "exec", self.netns(host), *command]

    def _die_with_us(self):
        # Should we be killed outright, nothing stays behind but empty namespaces. Ctrl-C is for
        # us alone: we decide in which order things end.
        os.setpgrp()
        if not self.keep:
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    def _environment(self):
        # HERALD_* are settings of the daemon, too: what the caller has set must not reach it.
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("HERALD_")}
        return {**inherited, "PATH": search_path(), "LC_ALL": "C.UTF-8"}

    def _ip(self, *words):
        done = subprocess.run(["ip", *words], env=self._environment(), text=True,
                              capture_output=True, check=False)
        if done.returncode != 0:
            raise LabError(f"'ip {' '.join(words)}' failed: {done.stderr.strip()} (is this root "
                           "with CAP_NET_ADMIN and CAP_SYS_ADMIN?)")

    def _sysctl(self, host, values):
        script = "".join(f"echo {v} > /proc/sys/{k};" for k, v in values.items())
        done = self.run(host, ["sh", "-ec", script])
        if done.returncode != 0:
            raise LabError(f"cannot set sysctls in a namespace: {done.stderr.strip()}")

    # -- routers ------------------------------------------------------------------------------

    def start_router(self, router):
        """Starts FRR or BIRD, with every node as a passive neighbour, and waits until it talks."""
        if router == "frr":
            self._start_frr()
        else:
            self._start_bird()

    def stop_router(self, router):
        """Kills the router; its TCP connections are reset as with a reboot."""
        for host, name in [key for key in self.processes if key[0] == router]:
            self.end(host, name)

    def _start_frr(self):
        self._write("frr-zebra.conf", "hostname frr\n")
        neighbours = "".join(
            f" neighbor {self.ipv4(n)} remote-as {NODES_AS}\n neighbor {self.ipv4(n)} passive\n"
            for n in self.nodes)
        activate = "".join(f"  neighbor {self.ipv4(n)} activate\n" for n in self.nodes)
        self._write("frr-bgpd.conf", (
            f"hostname frr\nrouter bgp {ROUTER_AS['frr']}\n"
            f" bgp router-id {self.ipv4('frr')}\n"
            " no bgp ebgp-requires-policy\n no bgp default ipv4-unicast\n"
            f" bgp bestpath as-path multipath-relax\n{neighbours}"
            f" address-family ipv4 unicast\n{activate}  maximum-paths 16\n exit-address-family\n"
            f" address-family ipv6 unicast\n{activate}  maximum-paths 16\n exit-address-family\n"))
        run = f"{self.dir}/frr"  # sockets and pid files; FRR gives up root for its own user
        os.makedirs(run, exist_ok=True)
        os.chmod(self.dir, 0o711)
        shutil.chown(run, "frr", "frr")
        zserv = f"{run}/zserv.api"
        with contextlib.suppress(FileNotFoundError):
            os.remove(zserv)
        common = ["--vty_socket", run, "-A", "127.0.0.1", "-P", "0", "-z", zserv,
                  "--log", "stdout", "--log-level", "informational"]
        for name in ("zebra", "bgpd"):
            self.spawn("frr", name, [f"{FRR_DIR}/{name}", "-f", f"{self.dir}/frr-{name}.conf",
                                     "-i", f"{run}/{name}.pid", *common])
            if name == "zebra":
                wait_until("zebra opens its socket", lambda: os.path.exists(zserv), 15)
        wait_until("bgpd answers", lambda: self._vtysh("show bgp summary json"), 15)

    def _start_bird(self):
        sessions = "".join(
            f"protocol bgp {n} {{\n  local {self.ipv4('bird')} as {ROUTER_AS['bird']};\n"
            f"  neighbor {self.ipv4(n)} as {NODES_AS};\n  direct; passive on;\n"
            "  ipv4 { import all; export none; gateway direct; };\n"
            "  ipv6 { import all; export none; gateway direct; };\n}\n" for n in self.nodes)
        self._write("bird.conf", (
            f"log stderr all;\nrouter id {self.ipv4('bird')};\nprotocol device {{ scan time 1; }}\n"
            f"protocol direct {{ ipv4; ipv6; }}\n{sessions}"))
        self.spawn("bird", "bird", ["bird", "-f", "-c", f"{self.dir}/bird.conf",
                                    "-s", f"{self.dir}/bird.ctl", "-P", f"{self.dir}/bird.pid"])
        wait_until("bird answers", lambda: "BIRD" in self._birdc("show status"), 15)

    def _vtysh(self, command):
        done = self.run("frr", ["vtysh", "--vty_socket", f"{self.dir}/frr", "-d", "bgpd", "-c", command])
        return done.stdout if done.returncode == 0 else ""

    def _birdc(self, command):
        return self.run("bird", ["birdc", "-s", f"{self.dir}/bird.ctl", command]).stdout

    def routes(self, router):
        """{prefix: {next hop: [community, ...]}}, as the router's own command shows them."""
        return self.frr_routes() if router == "frr" else self.bird_routes()

    def frr_routes(self):
        out = {}
        for family in ("ipv4", "ipv6"):
            table = parse_json(self._vtysh(f"show bgp {family} unicast json")).get("routes", {})
            for prefix in table:
                # Communities are in the detailed view alone.
                detail = parse_json(self._vtysh(f"show bgp {family} unicast {prefix} json"))
                out[prefix] = {}
                for path in detail.get("paths", []):
                    hop = next((h["ip"] for h in path.get("nexthops", [])
                                if h.get("scope", "global") == "global"), "?")
                    words = path.get("community", {}).get("string", "").split()
                    out[prefix][hop] = words if path.get("valid") else ["(not valid)", *words]
        return out

    def bird_routes(self):
        return parse_bird_routes(self._birdc("show route all"))

    def established(self, router):
        """The nodes whose session with the router is up."""
        if router == "frr":
            peers = parse_json(self._vtysh("show bgp ipv4 unicast summary json")).get("peers", {})
            up = {address for address, p in peers.items() if p.get("state") == "Established"}
            return {n for n in self.nodes if self.ipv4(n) in up}
        lines = (line.split() for line in self._birdc("show protocols").splitlines())
        return {w[0] for w in lines if len(w) > 5 and w[1] == "BGP" and w[-1] == "Established"}

    def router_version(self, router):
        if router == "frr":
            found = re.search(r"FRRouting (\S+)", self._vtysh("show version"))
        else:
            found = re.search(r"BIRD (\d\S*)", self._birdc("show status"))
        return found.group(1) if found else "unknown"

    def _write(self, name, text):
        with open(f"{self.dir}/{name}", "w", encoding="utf-8") as file:
            file.write(text)

    # -- what the client sees -----------------------------------------------------------------

    @contextlib.contextmanager
    def probing(self, program, vips, interval_ms=2):
        """Asks for the VIPs all the while; yields a dict that holds the report afterwards."""
        report = {}
        out = f"{self.dir}/probe.json"
        process = self.spawn(CLIENT, "probe", [
            program, "--interface", "eth0", "--interval-ms", str(interval_ms), "--out", out,
            *vips], stdout=subprocess.PIPE)
        try:
            if process.stdout.readline().strip() != b"probing":
                raise LabError("the probe did not start: see client-probe.log")
            yield report
        finally:
            code = self.end(CLIENT, "probe", signal.SIGTERM)
            process.stdout.close()
        if code != 0:
            raise LabError(f"the probe ended with {code}: see client-probe.log")
        with open(out, encoding="utf-8") as file:
            report.update(json.load(file))

    def ask_whoami(self, vip, seconds=1):
        """Connects from the client to port 80 of the VIP: the node that answers, or empty."""
        script = ("import socket,sys\n"
                  f"s=socket.create_connection((sys.argv[1],80),{seconds})\n"
                  "print(s.makefile().read().removeprefix('whoami '),end='')")
        done = self.run(CLIENT, ["python3", "-c", script, vip])
        return done.stdout.strip() if done.returncode == 0 else ""


def parse_json(text):
    try:
        return json.loads(text)
    except ValueError:
        return {}


def parse_bird_routes(text):
    """What `birdc show route all` prints, as Lab.routes() gives it; BGP's routes alone."""
    out, prefix, hop = {}, "", ""
    for line in text.splitlines():
        head = re.match(r"(\S+/\d+)?\s+(unicast|unreachable|blackhole|prohibit) \[", line)
        if head:
            prefix, hop = head.group(1) or prefix, ""
            continue
        field, _, value = line.strip().partition(": ")
        if field == "BGP.next_hop":
            hop = value.split()[0]
            out.setdefault(prefix, {})[hop] = []
        elif field == "BGP.community" and hop:
            out[prefix][hop] = [f"{a}:{b}" for a, b in re.findall(r"\((\d+),(\d+)\)", value)]
    return out
