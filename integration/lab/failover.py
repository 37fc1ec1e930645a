"""Faults, one at a time, and what a client loses by each: for test_failover and bench/failover.

    lab = failover_lab(system, store)      three nodes that agree, and answer for VIPS
    measure(lab, event)                    -> [Measured, ...]

An event befalls the node that answers for the first VIP; a client asks each millisecond, before,
during and after (see vip_probe.cc). What is measured: of the VIPs that this node had, the worst, and
of all VIPs, how long two nodes answered. Then everything is as before again; a node that starts
again is measured as an event of its own, `return`.
"""

import multiprocessing
import os
import statistics
import time
from dataclasses import dataclass, field
from typing import Callable

from .keepalived import KeepalivedNode
from .lab import ROOT, Lab, Timeout

MANIFESTS = os.path.join(ROOT, "integration", "manifests", "failover")
VIPS = ["10.25.150.201", "10.25.150.202", "fd25:150::2:1", "fd25:150::2:2"]
# Herald by its profile of heartbeats; keepalived by the time between adverts in s.
SYSTEMS = {"herald": "default", "herald-fast": "fast", "keepalived-10ms": 0.01,
           "keepalived-100ms": 0.1}
CALM_S = 0.2  # before the event, to see that all was well
AFTER_S = 0.4  # after it, to see whether it stays so
MOVE_LIMIT_S = 8.0  # what another node has to answer within, or the measurement goes on without
STORE_OUTAGE_S = 2.5  # more than a lease of the store
BACK_S = 30.0  # what all has to be as before within


@dataclass
class Event:
    """act(lab, node, vips), then for hold_s or until others have taken over, undo(lab, node)."""
    name: str
    title: str
    act: Callable
    undo: Callable = lambda lab, n: None
    moves: set = field(default_factory=lambda: {"heraldd", "keepalived"})
    hold_s: float = 1.0  # when nothing moves
    returns: bool = False  # undo is measured as `return`, not as a part of the event
    leader: bool = False  # befalls the leader, which gets the first VIP before, if it has none
    store: bool = False  # needs a store in a namespace of its own
    compare: bool = True  # keepalived has something of the kind


def crash_without_store(lab, node, vips):
    """The others keep what they have; what it had has to wait for the store."""
    lab.etcd.stop()
    node.kill()
    time.sleep(STORE_OUTAGE_S)
    lab.etcd.start()


def drain(lab, node, vips):
    if node.ctl("drain", timeout=20) is None:
        raise RuntimeError(f"{node.name}: heraldctl drain failed")


def undrain(lab, node):
    if node.ctl("undrain", timeout=20) is None:
        raise RuntimeError(f"{node.name}: heraldctl undrain failed")


def move(lab, node, vips):
    target = next(n for n in lab.nodes if n is not node)
    for vip in vips:
        if node.ctl("move", vip, target.name, timeout=20) is None:
            raise RuntimeError(f"{node.name}: heraldctl move {vip} {target.name} failed")


EVENTS = {e.name: e for e in (
    Event("crash", "SIGKILL of the daemon", lambda lab, n, v: n.kill(), lambda lab, n: n.start(),
          returns=True),
    Event("leader-crash", "SIGKILL of the leader", lambda lab, n, v: n.kill(),
          lambda lab, n: n.start(), returns=True, leader=True, compare=False),
    Event("power-off", "power cut", lambda lab, n, v: n.power_off(), lambda lab, n: n.power_on(),
          returns=True),
    Event("stop", "clean stop (SIGTERM)", lambda lab, n, v: n.stop(), lambda lab, n: n.start(),
          returns=True),
    Event("drain", "heraldctl drain, then undrain", drain, undrain, compare=False),
    Event("move", "heraldctl move, all VIPs of a node", move, compare=False),
    Event("freeze", "SIGSTOP, then SIGCONT", lambda lab, n, v: n.freeze(), lambda lab, n: n.thaw()),
    Event("link-down", "cable pulled, then back", lambda lab, n, v: n.link_down(),
          lambda lab, n: n.link_up()),
    Event("links-down", "all cables pulled, then back", lambda lab, n, v: n.link_down(every=True),
          lambda lab, n: n.link_up(), store=True, compare=False),
    Event("cut-peers", "cut off from the peers", lambda lab, n, v: n.cut(peers=True),
          lambda lab, n: n.heal(), moves={"keepalived"}),
    Event("cut-store", "cut off from the store", lambda lab, n, v: n.cut(store=True),
          lambda lab, n: n.heal(), moves=set(), hold_s=STORE_OUTAGE_S, store=True, compare=False),
    Event("cut-both", "cut off from both", lambda lab, n, v: n.cut(peers=True, store=True),
          lambda lab, n: n.heal(), store=True, compare=False),
    Event("store-down", "store stopped, then started", lambda lab, n, v: lab.etcd.stop(),
          lambda lab, n: lab.etcd.start(), moves=set(), hold_s=STORE_OUTAGE_S, store=True,
          compare=False),
    Event("store-freeze", "store frozen, then not", lambda lab, n, v: lab.etcd.freeze(),
          lambda lab, n: lab.etcd.thaw(), moves=set(), hold_s=STORE_OUTAGE_S, store=True,
          compare=False),
    Event("crash-no-store", "SIGKILL while the store is down", crash_without_store,
          lambda lab, n: n.start(), returns=True, store=True, compare=False),
)}
RETURN = "return"


@dataclass
class Measured:
    """Times in ms; lost probes are one per ms and VIP. `moved`: another node answers now."""
    event: str
    outage: float  # longest run of lost datagrams, through the client's own neighbour cache
    lost: int  # datagrams lost
    silent: float  # longest run of ARP or NDP requests that nobody answered
    dual: float  # two nodes answered
    flaps: int  # the answering node changed, more often than the move itself
    late: int  # ARP or NDP requests that were answered long after they were asked
    others: float  # the longest outage of a VIP of another node
    moved: bool
    overruns: int  # probes that were not sent, because the client itself was late
    longest_pause: float

    def needless_flaps(self):
        """Without those of a stale answer: a process that is stopped in the very moment between its look
        at the clock and the send gives that one when it goes on (docs/coordination.md, Limits)."""
        return max(0, self.flaps - (2 * self.late if self.event == "freeze" else 0))


def is_herald(system):
    return system.startswith("herald")


def failover_lab(system, store="embedded"):
    """The lab, to be entered; started() then brings the nodes up."""
    if is_herald(system):
        return Lab(routers=(), vips=VIPS, manifests=MANIFESTS, store=store,
                   profile=SYSTEMS[system])
    return Lab(routers=(), vips=VIPS, node=KeepalivedNode, advert_s=SYSTEMS[system])


def started(lab):
    for node in lab.nodes:
        node.start()
    settled(lab)


def settled(lab):
    """{vip: node} once every node is ready and exactly one answers for each VIP and is reached."""
    seen = {}

    def as_before():
        nonlocal seen
        if not all(node.ready() for node in lab.nodes):
            return None
        probe = lab.client.start_probe(VIPS, interval_ms=5.0, udp=True)
        time.sleep(0.2)  # the length of the look
        seen = probe.end()
        now = {}
        for vip, report in seen.items():
            owners = {o["node"] for o in report["owners"]}
            reached = {o["node"] for o in report["udp"]["owners"]}
            if len(owners) != 1 or owners != reached:
                return None
            now[vip] = owners.pop()
        return now
    try:
        return lab.wait(as_before, BACK_S, "")
    except Timeout:
        what = {vip: ([o["node"] for o in r["owners"]], [o["node"] for o in r["udp"]["owners"]])
                for vip, r in seen.items()}
        raise Timeout(f"not all as before within {BACK_S} s: answer ARP or NDP, are reached: "
                      f"{what}") from None


def measure(lab, event):
    """The event at the node that answers for the first VIP, or at the leader; a list of one or two
    Measured."""
    before = settled(lab)
    node = lab.node(before[VIPS[0]])
    if event.leader:
        leader = lab.node(node.ctl("status")["leader"])
        if leader.name not in before.values():
            if node.ctl("move", VIPS[0], leader.name, timeout=20) is None:
                raise RuntimeError(f"{node.name}: heraldctl move {VIPS[0]} {leader.name} failed")
            before = settled(lab)
        node = leader
    hers = [vip for vip in VIPS if before[vip] == node.name]
    probe = lab.client.start_probe(VIPS, interval_ms=1.0, udp=True)
    time.sleep(CALM_S)
    event.act(lab, node, hers)
    if node.speaker in event.moves:
        await_move(lab, probe, node, hers)
        time.sleep(AFTER_S)
    else:
        time.sleep(event.hold_s)
    if not event.returns:
        event.undo(lab, node)
        time.sleep(AFTER_S)
    measured = [judge(event.name, probe, before, hers)]
    if event.returns:
        # A killed keepalived leaves its addresses: then two nodes answer even before the return.
        before = {vip: nodes[0] if nodes else "-" for vip, nodes in lab.client.look(VIPS).items()}
        probe = lab.client.start_probe(VIPS, interval_ms=1.0, udp=True)
        time.sleep(CALM_S)
        event.undo(lab, node)
        lab.wait(node.ready, BACK_S, f"{node.name} is back", every=0.1)
        time.sleep(AFTER_S)
        measured.append(judge(RETURN, probe, before, VIPS))
    return measured


def await_move(lab, probe, node, vips):
    others = [n.name for n in lab.nodes if n is not node]

    def moved():
        return all(any((kind, vip, other) in probe.first for other in others)
                   for vip in vips for kind in ("arp", "udp"))
    try:
        lab.wait(moved, MOVE_LIMIT_S, "", every=0.01)
    except Timeout:
        pass  # then `moved` is false, and the outage long


def judge(name, probe, before, vips):
    seen = probe.end()
    report = probe.report
    rest = [vip for vip in VIPS if vip not in vips]
    return Measured(
        event=name,
        outage=max(seen[v]["udp"]["outage_ms"] for v in vips),
        lost=max(seen[v]["udp"]["lost_probes"] for v in vips),
        silent=max(seen[v]["outage_ms"] for v in vips),
        dual=max(s["dual_owner_ms"] for s in seen.values()),
        flaps=sum(flaps(s) for s in seen.values()),
        late=sum(s["late"] for s in seen.values()),
        others=max((max(seen[v]["outage_ms"], seen[v]["udp"]["outage_ms"]) for v in rest),
                   default=0.0),
        moved=all(seen[v]["owners"] and seen[v]["owners"][-1]["node"] != before[v] for v in vips),
        overruns=report["overruns"], longest_pause=report["longest_pause_ms"])


def flaps(seen):
    owners = seen["owners"]
    return max(0, seen["changes"] - (1 if owners and owners[-1]["mac"] != owners[0]["mac"] else 0))


class System:
    """One of SYSTEMS, its lab in a process of its own, since a lab's namespaces are called after its
    process: several of them side by side. begin() events, then as many times result()."""

    def __init__(self, name, store="embedded", beside=()):
        """`beside`: the systems that run already."""
        self.name, self.failure = name, None
        self.pipe, end = multiprocessing.Pipe()
        # The new process must not hold the others' pipes: they end when this process does.
        foreign = [self.pipe, *(other.pipe for other in beside)]
        self.process = multiprocessing.Process(target=_work, args=(end, foreign, name, store))
        self.process.start()
        end.close()

    def begin(self, event):
        self.pipe.send(event)

    def result(self):
        """Once: [] when the nodes are up; then per event its Measured. None after a failure, for
        good; `failure` tells it."""
        if self.failure:
            return None
        try:
            kind, value = self.pipe.recv()
        except EOFError:
            kind, value = "failed", "its process ended"
        if kind == "failed":
            self.failure = value
            return None
        return value

    def close(self):
        self.pipe.close()
        self.process.join(30)


def _work(pipe, foreign, system, store):
    for end in foreign:
        end.close()
    try:
        with failover_lab(system, store) as lab:
            try:
                started(lab)
                pipe.send(("done", []))
                while True:
                    pipe.send(("done", measure(lab, EVENTS[pipe.recv()])))
            except (Timeout, RuntimeError, OSError) as error:
                if isinstance(error, BrokenPipeError):
                    return
                logs = "".join(f"\n--- {n.name}\n{lab.tail(n, 30)}" for n in lab.nodes)
                pipe.send(("failed", f"{type(error).__name__}: {error}{logs}"))
    except (EOFError, KeyboardInterrupt):
        pass


def spread(values):
    return f"{statistics.median(values):.0f} / {max(values):.0f}"


def aligned(rows):
    """Lines of a table in Markdown; the first row is its head."""
    width = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["| " + " | ".join(c.ljust(w) for c, w in zip(row, width)) + " |"
            for row in [rows[0], ["-" * w for w in width], *rows[1:]]]


def by_event(results):
    """(event, {system: [Measured, ...]}) of {system: [Measured, ...]}"""
    for event in (*EVENTS, RETURN):
        of = {system: [m for m in measured if m.event == event]
              for system, measured in results.items()}
        if any(of.values()):
            yield event, of


def table(results):
    """{system: [Measured, ...]} as lines of text; bench/failover tells what the columns mean."""
    rows = [["event", "system", "trials", "outage", "lost", "silent", "two owners", "flaps",
             "others"]]
    for event, by_system in by_event(results):
        for system, of in by_system.items():
            if of:
                rows.append([event, system, str(len(of)), spread([m.outage for m in of]),
                             spread([m.lost for m in of]), spread([m.silent for m in of]),
                             spread([m.dual for m in of]), str(sum(m.flaps for m in of)),
                             f"{max(m.others for m in of):.0f}"])
    lines = aligned(rows)
    measured = [m for of in results.values() for m in of]
    if measured:
        lines += ["", f"the client itself: {sum(m.overruns for m in measured)} rounds of probes not "
                      f"sent, longest pause {max(m.longest_pause for m in measured):.1f} ms"]
    return lines


def summary(results):
    """The same for docs/failover.md: a system in each column, the worse of outage and silent, and
    for how long there were two owners, if there were."""
    rows = [["what happens", *results]]
    for event, by_system in by_event(results):
        row = [EVENTS[event].title if event in EVENTS else "return of that node"]
        for of in by_system.values():
            cell = spread([max(m.outage, m.silent) for m in of]) if of else ""
            if any(m.dual for m in of):
                cell += f", two owners {spread([m.dual for m in of])}"
            row.append(cell)
        rows.append(row)
    return aligned(rows)
