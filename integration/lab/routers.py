"""The upstream routers of the lab: FRR over eBGP, BIRD over iBGP. Both wait for the nodes to call
(passive neighbours), import everything and send nothing."""

import json
import os
import re
import shutil

from . import netns

FRR_LIB = "/usr/lib/frr"


class Router:
    """A router in a namespace of its own name; start() and stop() may alternate."""

    def __init__(self, lab, name, address, address6, asn):
        self.lab, self.name, self.address, self.address6, self.asn = lab, name, address, address6, asn
        self.dir = os.path.join(lab.dir, name)
        self.processes = []
        os.makedirs(self.dir, mode=0o755, exist_ok=True)

    def spawn(self, role, argv):
        self.processes.append(self.lab.spawn(self.name, f"{self.name}-{role}", argv))

    def stop(self):
        """As when its power is cut: no NOTIFICATION is sent, but the kernel closes (RST/FIN) the
        sessions, as it does for a process that dies."""
        for process in self.processes:
            self.lab.kill(process)
        self.processes = []

    def write(self, file, text):
        path = os.path.join(self.dir, file)
        with open(path, "w") as out:
            out.write(text)
        return path


class Frr(Router):
    def start(self):
        neighbors = "".join(
            f" neighbor {n.address} remote-as {self.lab.asn}\n neighbor {n.address} passive\n"
            f" neighbor {n.address} timers 3 9\n" for n in self.lab.nodes)
        activate = "".join(f"  neighbor {n.address} activate\n" for n in self.lab.nodes)
        bgpd = self.write("bgpd.conf", f"""hostname frr
router bgp {self.asn}
 bgp router-id {self.address}
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 bgp log-neighbor-changes
{neighbors} address-family ipv4 unicast
{activate} exit-address-family
 address-family ipv6 unicast
{activate} exit-address-family
""")
        zebra = self.write("zebra.conf", "hostname frr\n")
        # Both run as the user that Debian made for them, and write here.
        shutil.chown(self.dir, "frr", "frr")
        common = ["--vty_socket", self.dir, "-z", f"{self.dir}/zserv.api", "-P", "0"]
        self.spawn("zebra", [f"{FRR_LIB}/zebra", *common, "-i", f"{self.dir}/zebra.pid", "-f", zebra,
                             "--log", f"file:{self.dir}/zebra.log"])
        self.lab.wait(lambda: os.path.exists(f"{self.dir}/zserv.api"), 10, "FRR's zebra listens")
        self.spawn("bgpd", [f"{FRR_LIB}/bgpd", *common, "-i", f"{self.dir}/bgpd.pid", "-f", bgpd,
                            "--log", f"file:{self.dir}/bgpd.log"])
        self.lab.wait(self.ready, 15, "FRR's bgpd answers")

    def stop(self):
        super().stop()
        for name in ("zserv.api", "zebra.vty", "bgpd.vty"):
            path = os.path.join(self.dir, name)
            if os.path.exists(path):
                os.unlink(path)

    def show(self, command):
        # Else it would add to the user's own history file.
        return netns.run("env", "VTYSH_HISTFILE=/dev/null", "vtysh", "--vty_socket", self.dir,
                         "--config_dir", self.dir, "-d", "bgpd", "-c", command, timeout=10)

    def ready(self):
        try:
            return self.lab.nodes[-1].address in self.show("show bgp neighbors")
        except (RuntimeError, OSError):
            return False

    def version(self):
        return netns.run(f"{FRR_LIB}/bgpd", "-v").splitlines()[0]

    def sessions(self):
        """{node address: state}, "Established" when up."""
        return {address: peer.get("bgpState", "?")
                for address, peer in json.loads(self.show("show bgp neighbors json")).items()
                if isinstance(peer, dict)}

    def routes(self):
        """{prefix: [{"next_hop", "communities": [...]}...]}, one entry per path."""
        out = {}
        for family in ("ipv4", "ipv6"):
            table = json.loads(self.show(f"show bgp {family} unicast json") or "{}")
            for prefix in table.get("routes", {}):
                detail = json.loads(self.show(f"show bgp {family} unicast {prefix} json"))
                for path in detail.get("paths", []):
                    hops = [h["ip"] for h in path.get("nexthops", [])
                            if h.get("scope", "global") == "global"]
                    communities = path.get("community", {}).get("list", [])
                    out.setdefault(prefix, []).append(
                        {"next_hop": hops[0] if hops else "", "communities": sorted(communities),
                         "valid": bool(path.get("valid"))})
        return out


class Bird(Router):
    def start(self):
        sessions = "".join(f"""
protocol bgp {n.name} {{
  local {self.address} as {self.asn};
  neighbor {n.address} as {self.lab.asn};
  passive on;
  hold time 9;
  ipv4 {{ import all; export none; }};
  ipv6 {{ import all; export none; }};
}}
""" for n in self.lab.nodes)
        config = self.write("bird.conf", f"""log "{self.dir}/bird.log" all;
router id {self.address};
protocol device {{ }}
protocol direct {{ ipv4; ipv6; }}
{sessions}""")
        self.spawn("bird", ["bird", "-f", "-c", config, "-s", f"{self.dir}/bird.ctl",
                            "-P", f"{self.dir}/bird.pid"])
        self.lab.wait(self.ready, 15, "BIRD answers")

    def show(self, command):
        return netns.run("birdc", "-s", f"{self.dir}/bird.ctl", *command.split(), timeout=10)

    def ready(self):
        try:
            return "Daemon is up and running" in self.show("show status")
        except (RuntimeError, OSError):
            return False

    def version(self):
        return "BIRD " + self.show("show status").split("BIRD ", 1)[1].splitlines()[0]

    def sessions(self):
        by_name = {n.name: n.address for n in self.lab.nodes}
        out = {}
        for line in self.show("show protocols").splitlines():
            words = line.split()
            if len(words) >= 5 and words[0] in by_name and words[1] == "BGP":
                out[by_name[words[0]]] = words[6] if len(words) > 6 else words[-1]
                if "Established" in words:
                    out[by_name[words[0]]] = "Established"
        return out

    def routes(self):
        out, prefix, path = {}, None, None
        for line in self.show("show route all").splitlines():
            head = re.match(r"^(\S+/\d+)?\s+unicast\s+\[(\w+)", line)
            if head:
                prefix = head[1] or prefix
                path = None
                if any(n.name == head[2] for n in self.lab.nodes):
                    path = {"next_hop": "", "communities": [], "valid": True}
                    out.setdefault(prefix, []).append(path)
            elif re.match(r"^(\S+/\d+)?\s+unreachable\s+\[(\w+)", line):
                found = re.match(r"^(\S+/\d+)?\s+unreachable\s+\[(\w+)", line)
                prefix = found[1] or prefix
                path = {"next_hop": "", "communities": [], "valid": False}
                out.setdefault(prefix, []).append(path)
            elif path is not None and "BGP.next_hop:" in line:
                path["next_hop"] = line.split("BGP.next_hop:", 1)[1].split()[0]
            elif path is not None and "BGP.community:" in line:
                pairs = re.findall(r"\((\d+),(\d+)\)", line)
                path["communities"] = sorted(f"{a}:{b}" for a, b in pairs)
        return out
