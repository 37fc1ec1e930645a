#!/usr/bin/python3
"""The story of ./demo. Everything that counts is seen from outside: by the client on the segment
(ARP, NDP, TCP) and by the routers (routes), not by heraldd's own word."""

import argparse
import json
import os
import platform
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lab import netns  # noqa: E402
from lab.lab import COMMUNITY, ROOT, STORES, Lab, Timeout, remove_leftovers  # noqa: E402

MANIFESTS = os.path.join(ROOT, "integration", "manifests", "homelab")
REQUESTED = {"dns/adguard": "10.25.150.253", "dns/unbound": "10.25.150.252",
             "media/torrent": "10.25.150.225", "default/whoami": "10.25.150.223"}
FAMILIES = {"default/dashboard": [4], "default/wiki": [4, 6]}  # no request; families in order
SERVICES = sorted([*REQUESTED, *FAMILIES])
WHOAMI = REQUESTED["default/whoami"]

# What may at most pass until a VIP answers again, on a busy machine. A crash: the others hear nothing
# for 150 ms, then somebody takes over. A clean stop: one hand-over through the store.
CALM = ("return", "thaw")  # events at which nothing has to move
CRASH_LIMIT_MS, DRAIN_LIMIT_MS, QUIET_MS = 6000, 2000, 100


class Story:
    def __init__(self, lab, plain):
        self.lab, self.plain = lab, plain or not sys.stdout.isatty()
        self.checks, self.events, self.routes = [], [], {}
        self.services, self.vips = {}, {}  # ns/name -> [ip]; ip -> ns/name
        self.began = time.monotonic()

    # -- telling ----------------------------------------------------------------------------------

    def paint(self, text, color):
        return text if self.plain else f"\033[{color}m{text}\033[0m"

    def say(self, text=""):
        print(text, flush=True)

    def chapter(self, text):
        self.say(f"\n{self.paint(f'[{time.monotonic() - self.began:5.1f} s]', '2')} "
                 f"{self.paint(text, '1')}")

    def check(self, ok, text, detail=""):
        self.checks.append((bool(ok), text, detail))
        mark = self.paint("ok  ", "32") if ok else self.paint("FAIL", "31;1")
        self.say(f"  {mark} {text}" + (f": {detail}" if detail and not ok else ""))
        return bool(ok)

    def wait(self, condition, seconds, text):
        """A check that something becomes true in time; returns what condition() returned."""
        try:
            value = self.lab.wait(condition, seconds, text)
        except Timeout:
            value = None
        self.check(value, text, f"not within {seconds} s")
        return value

    def table(self, head, rows):
        rows = [[str(c) for c in row] for row in rows]
        width = [max(len(r[i]) for r in [head, *rows]) for i in range(len(head))]
        line = "  " + "-+-".join("-" * w for w in width)
        self.say("  " + self.paint(" | ".join(c.ljust(w) for c, w in zip(head, width)), "1"))
        self.say(line)
        for row in rows:
            self.say("  " + " | ".join(c.ljust(w) for c, w in zip(row, width)))

    # -- looking ----------------------------------------------------------------------------------

    def alive(self):
        return [n for n in self.lab.nodes if n.alive()]

    def owners(self):
        """{vip: node} as the client sees it; "-" for nobody, "n1+n2" for two."""
        return {vip: "+".join(nodes) or "-"
                for vip, nodes in self.lab.client.look(list(self.vips)).items()}

    def read_services(self):
        """ns/name -> sorted IPs, when every living node tells the same and all have theirs."""
        seen = []
        for node in self.alive():
            services = node.services()
            if services is None or not set(SERVICES) <= set(services):
                return None
            seen.append({n: sorted(services[n]["ips"]) for n in SERVICES})
        if not seen or any(s != seen[0] for s in seen) or not all(seen[0].values()):
            return None
        return seen[0]

    def read_routes(self):
        """{router: {prefix: paths}}"""
        return {r.name: r.routes() for r in self.lab.routers}

    def routes_fault(self, routes, nodes):
        """Why the routes are not all there through exactly these nodes; "" if they are."""
        for router, table in routes.items():
            wanted = {f"{v}/{128 if ':' in v else 32}" for v in self.vips}
            if set(table) != wanted:
                return f"{router} has {sorted(table)}, not {sorted(wanted)}"
            for prefix, paths in table.items():
                hops = {n.address6 if ":" in prefix else n.address for n in nodes}
                seen = {p["next_hop"] for p in paths}
                if seen != hops:
                    return f"{router}: {prefix} via {sorted(seen)}, not via {sorted(hops)}"
                for path in paths:
                    if COMMUNITY not in path["communities"] or not path["valid"]:
                        return f"{router}: {prefix}: {path}"
        return ""

    # -- chapters ---------------------------------------------------------------------------------

    def start(self):
        lab = self.lab
        self.chapter(f"{len(lab.nodes)} nodes start with the manifests of a home lab")
        for node in lab.nodes:
            node.start()
        if not self.wait(self.read_services, 30, "every service has its IPs, and all nodes agree"):
            return False
        self.services = self.read_services()
        for name, ip in REQUESTED.items():
            self.check(self.services[name] == [ip], f"{name} has the IP it asks for, {ip}",
                       str(self.services[name]))
        for name, families in FAMILIES.items():
            got = sorted(6 if ":" in ip else 4 for ip in self.services[name])
            self.check(got == families, f"{name} was given {', '.join(self.services[name])}")
        self.vips = {ip: name for name in SERVICES for ip in self.services[name]}
        self.check(len(self.vips) == sum(map(len, self.services.values())),
                   "no IP was given twice")
        # What kube-proxy does in a cluster: the VIPs are on lo of each node.
        lab.serve(list(self.vips))
        return True

    def settle(self):
        lab = self.lab

        def each_one():
            owners, nodes = self.owners(), [n.name for n in lab.nodes]
            return owners if all(o in nodes for o in owners.values()) else None

        owners = self.wait(each_one, 20, f"all {len(self.vips)} VIPs answer ARP or NDP, each from "
                                         "exactly one node")
        if not owners:
            self.say(f"  seen: {self.owners()}")
            return False
        self.compare_with_own_word(owners)
        for vip, owner in owners.items():
            reached = lab.client.whoami(vip)
            self.check(reached == owner, f"TCP to {vip} port 80 works through {owner}",
                       f"reached {reached}")
        return True

    def compare_with_own_word(self, owners):
        for node in self.alive():
            told = node.ips() or {}
            wrong = {v: told.get(v, {}).get("owner") for v, o in owners.items()
                     if told.get(v, {}).get("owner") != o}
            self.check(not wrong, f"heraldctl on {node.name} names the same owners", str(wrong))

    def see_routes(self, seconds=30):
        nodes = self.alive()
        if not self.lab.routers:
            return
        try:
            self.lab.wait(lambda: not self.routes_fault(self.read_routes(), nodes), seconds, "")
        except Timeout:
            pass
        routes = self.read_routes()
        self.routes = {r: sorted(t) for r, t in routes.items()}
        names = " and ".join(r.name for r in self.lab.routers)
        fault = self.routes_fault(routes, nodes)
        self.check(not fault, f"{names}: every /32 and /128 via {', '.join(n.name for n in nodes)}, "
                              f"community {COMMUNITY}", fault)

    def routers_reach(self):
        for router in self.lab.routers:
            if router.name == "bird":
                continue  # without a kernel protocol it only learns
            for vip in (WHOAMI, next((v for v in self.vips if ":" in v), WHOAMI)):
                reached = self.lab.wait(lambda v=vip: self.lab.client.whoami(v, ns=router.name), 10,
                                        "")
                self.check(reached in [n.name for n in self.alive()],
                           f"TCP from {router.name} to {vip} over the BGP route reaches {reached}")

    def event(self, kind, title, before, act, done, limit, losers):
        """Runs act() under the probe's eyes; `losers`: nodes whose VIPs have to move."""
        client = self.lab.client
        self.chapter(title)
        probe = client.start_probe(list(self.vips))
        tcp = client.watch_tcp(WHOAMI)
        time.sleep(0.7)  # a stretch of calm, to see that all was well before
        act()
        self.wait(done, 30, "the others see it and all is settled")
        time.sleep(0.7)
        gap, reached = tcp.end()
        seen = client.end_probe(probe)
        living = {n.name for n in self.alive()}
        after = {v: s["owners"][-1]["node"] if s["owners"] else "-" for v, s in seen.items()}
        quiet = []
        for vip, s in sorted(seen.items(), key=lambda item: self.vips[item[0]]):
            self.check(s["dual_probes"] == 0, f"{vip}: never two owners at once",
                       f"{s['dual_owner_ms']:.0f} ms")
            if before[vip] in losers:
                self.check(after[vip] in living and s["outage_ms"] <= limit,
                           f"{vip} moved from {before[vip]} to {after[vip]}, missed for "
                           f"{s['outage_ms']:.0f} ms",
                           f"limit {limit} ms; owners {[o['node'] for o in s['owners']]}")
                self.record(kind, vip, s, before[vip], after[vip])
            else:
                quiet.append((vip, s))
                if kind in CALM:
                    self.record(kind, vip, s, before[vip], after[vip])
        bad = {v: f"{s['outage_ms']:.0f} ms, {[o['node'] for o in s['owners']]}" for v, s in quiet
               if s["outage_ms"] > QUIET_MS or [o["node"] for o in s["owners"]] != [before[v]]}
        if quiet:
            self.check(not bad, f"{len(quiet)} other VIPs stayed where they are, not missed", str(bad))
        allowed = limit + 1000 if before[WHOAMI] in losers else 500
        self.check(gap <= allowed, f"TCP connections to whoami: longest gap {gap:.0f} ms, through "
                                   f"{' then '.join(reached)}", f"limit {allowed} ms")
        return after

    def record(self, kind, vip, seen, source, target):
        self.events.append({"event": kind, "vip": vip, "service": self.vips[vip],
                            "outage_ms": round(seen["outage_ms"], 1),
                            "lost_probes": seen["lost_probes"],
                            "dual_owner_ms": round(seen["dual_owner_ms"], 1),
                            "from": source, "to": target})

    def gone(self, node):
        """True when no router has a route through the node and the others name other owners."""
        hops = {node.address, node.address6}
        for table in self.read_routes().values():
            if any(p["next_hop"] in hops for paths in table.values() for p in paths):
                return False
        told = self.alive()[0].ips()
        return bool(told) and all(told.get(v, {}).get("owner") not in (None, "", node.name)
                                  for v in self.vips) and \
            all(self.lab.client.whoami(v, timeout=0.2) not in (None, node.name) for v in self.vips)

    def back(self, node):
        if node.ips() is None or self.read_services() != self.services:
            return False
        return not self.routes_fault(self.read_routes(), self.alive())

    def failover(self, kind, node, before):
        def act():
            if kind == "crash":
                node.crash()
            else:
                code = node.stop()
                self.check(code == 0, f"heraldd on {node.name} ends with exit code 0", f"it was {code}")
        title = f"{node.name} is killed (SIGKILL)" if kind == "crash" else \
            f"{node.name} is stopped (SIGTERM)"
        after = self.event(kind, title, before, act, lambda: self.gone(node),
                           CRASH_LIMIT_MS if kind == "crash" else DRAIN_LIMIT_MS, {node.name})
        self.see_routes()
        now = self.event("return", f"{node.name} returns", after, node.start,
                         lambda: self.back(node), 0, set())
        self.check(self.read_services() == self.services, "every service has the IPs it had")
        return now

    def freeze(self, node, before):
        """A node that hangs believes afterwards, for a moment, that no time has passed. It must not
        answer for what others have taken over meanwhile, although the requests wait for it."""
        def moved(observer):
            told = observer.ips()
            return told and all(told.get(v, {}).get("owner") not in (None, "", node.name)
                                for v in self.vips)

        after = self.event("freeze", f"{node.name} hangs (SIGSTOP)", before, node.freeze,
                           lambda: moved(self.alive()[0]) and
                           self.lab.client.whoami(WHOAMI, timeout=0.2) not in (None, node.name),
                           CRASH_LIMIT_MS, {node.name})
        now = self.event("thaw", f"{node.name} goes on (SIGCONT)", after, node.thaw,
                         lambda: moved(node) and self.back(node), 0, set())
        self.see_routes()
        return now

    def end(self):
        self.chapter("all nodes are stopped")
        for node in self.alive():
            code = node.stop()
            self.check(code == 0, f"heraldd on {node.name} ends with exit code 0", f"it was {code}")
        self.wait(lambda: not any(self.read_routes().values()), 10,
                  "the routers have no route left")
        owners = self.owners()
        self.check(set(owners.values()) == {"-"}, "nobody answers for a VIP any more", str(owners))

    def run(self):
        if not self.start():
            return
        self.chapter("what the client and the routers see")
        settled = self.settle()
        self.see_routes()
        if not settled:
            return
        self.routers_reach()
        owners = self.owners()
        owners = self.failover("crash", self.lab.node(owners[WHOAMI]), owners)
        owners = self.freeze(self.lab.node(owners[WHOAMI]), owners)
        busiest = max(self.alive(), key=lambda n: list(owners.values()).count(n.name))
        self.failover("drain", busiest, owners)
        if not self.lab.keep:
            self.end()

    def summary(self):
        self.chapter("summary")
        final = self.events[-1:] and {e["vip"]: e["to"] for e in self.events}
        if self.services:
            self.table(["service", "IP", "answered by", "routers"],
                       [[self.vips[v], v, final.get(v, "") if final else "",
                         ", ".join(r for r, t in self.routes.items()
                                   if f"{v}/{128 if ':' in v else 32}" in t)]
                        for v in sorted(self.vips, key=lambda v: (self.vips[v], v))])
            self.say()
        moved = [e for e in self.events if e["event"] not in CALM]
        if moved:
            self.table(["event", "service", "IP", "from", "to", "missed for", "lost probes",
                        "two owners"],
                       [[e["event"], e["service"], e["vip"], e["from"], e["to"],
                         f"{e['outage_ms']:.0f} ms", e["lost_probes"], f"{e['dual_owner_ms']:.0f} ms"]
                        for e in moved])
            self.say()
        returns = [e for e in self.events if e["event"] in CALM]
        if returns:
            self.say(f"  on return and thaw: worst gap {max(e['outage_ms'] for e in returns):.0f} ms, "
                     f"{sum(e['from'] != e['to'] for e in returns)} VIPs moved")
        failed = [(text, detail) for ok, text, detail in self.checks if not ok]
        for text, detail in failed:
            self.say(f"  {self.paint('FAIL', '31;1')} {text}" + (f": {detail}" if detail else ""))
        passed = len(self.checks) - len(failed)
        self.say(f"\n{passed} passed, {len(failed)} failed")
        return not failed and passed > 0


def versions(lab):
    out = {"kernel": platform.release()}
    for router in lab.routers:
        try:
            out[router.name] = router.version()
        except (RuntimeError, OSError, IndexError):
            out[router.name] = "?"
    for name in ("heraldd", "heraldctl"):
        done = subprocess.run([lab.program(name), "--version"], capture_output=True, text=True,
                              timeout=10, stdin=subprocess.DEVNULL)
        out[name] = done.stdout.strip() if done.returncode == 0 else "?"
    return out


def look_around(story):
    lab, node = story.lab, story.lab.nodes[0]
    story.say("\nThe lab is still up. Look around:")
    story.say(f"  {lab.program('heraldctl')} --admin {node.admin} status")
    story.say(f"  {lab.program('heraldctl')} --admin {node.admin} get services")
    story.say(f"  ip netns exec {netns.full_name('client')} curl http://{WHOAMI}/")
    for router in lab.routers:
        show = f"vtysh --vty_socket {router.dir} -c 'show bgp ipv4 unicast'" \
            if router.name == "frr" else f"birdc -s {router.dir}/bird.ctl show route all"
        story.say(f"  {show}")
    story.say(f"  edit {lab.manifests}/services.yaml; logs and store are in {lab.dir}")
    story.say("and remove it:  ./demo --clean")


def main():
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("--report", metavar="FILE")
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--router", default="frr,bird")
    parser.add_argument("--store", default="embedded")
    parser.add_argument("--no-ui", action="store_true")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--clean", action="store_true")
    args = parser.parse_args()
    if args.clean:
        gone = remove_leftovers()
        print(f"removed {len(gone)} namespaces")
        return 0
    routers = [r for r in args.router.split(",") if r]
    if not 2 <= args.nodes <= 9:
        parser.error(f"--nodes {args.nodes}: write 2 to 9")
    if set(routers) - {"frr", "bird"}:
        parser.error(f"--router {args.router}: write frr, bird or frr,bird")
    if args.store not in STORES:
        parser.error(f"--store {args.store}: write {' or '.join(STORES)}")
    if os.geteuid() != 0:
        print("demo: the lab makes network namespaces, which needs root", file=sys.stderr)
        return 1

    report = {"events": [], "allocations": [], "routes": {}, "versions": {}, "ok": False}
    try:
        with Lab(nodes=args.nodes, routers=routers, manifests=MANIFESTS, store=args.store,
                 keep=args.keep) as lab:
            story = Story(lab, args.no_ui)
            report["versions"] = versions(lab)
            story.say(f"lab: {args.nodes} nodes, client, switch, " + ", ".join(
                [f"{r.name} (AS {r.asn})" for r in lab.routers] + [args.store] * bool(lab.remote)))
            try:
                story.run()
            except (Timeout, RuntimeError, OSError, subprocess.SubprocessError) as error:
                story.check(False, "the story came to its end", f"{type(error).__name__}: {error}")
            ok = story.summary()
            if not ok:
                for node in lab.nodes:
                    print(f"\n-- end of {node.name}'s log --\n{lab.tail(node)}", flush=True)
            report.update(
                ok=ok, events=story.events, routes=story.routes,
                allocations=[{"service": n, "ips": ips} for n, ips in story.services.items()],
                checks=[{"ok": o, "check": t, "detail": d} for o, t, d in story.checks])
            if args.keep:
                look_around(story)
    except KeyboardInterrupt:
        print("\ninterrupted: the lab is removed", file=sys.stderr)
        return 130
    except (Timeout, RuntimeError, OSError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    if args.report:
        with open(args.report, "w") as file:
            json.dump(report, file, indent=2)
            file.write("\n")
            if "SUDO_UID" in os.environ:  # it belongs to whoever asked for it
                os.fchown(file.fileno(), int(os.environ["SUDO_UID"]), int(os.environ["SUDO_GID"]))
    return 0 if report["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
