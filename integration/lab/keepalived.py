"""A node that runs keepalived instead of heraldd: VRRPv3 over IPv4 and over IPv6, one virtual router
each, with all VIPs of that family. For comparison: same namespaces, same faults, same client.

Set up as its manual advises for what Herald does: all start as BACKUP with different priorities, and
`nopreempt`, so that a node that returns takes nothing away. VIPs are on eth0 of the master, where the
kernel answers for them.
"""

import os
import time

from .node import Node


class KeepalivedNode(Node):
    speaker = "keepalived"

    def lend(self, vips):
        """Nothing: keepalived puts them on eth0 of the master."""

    def start_speaker(self, *extra):
        lab = self.lab
        path = os.path.join(lab.dir, f"{self.name}-keepalived.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.config())
        run = os.path.join(lab.dir, f"{self.name}-keepalived")
        for old in (f"{run}.pid", f"{run}-vrrp.pid"):
            if os.path.exists(old):  # of a process that was killed
                os.unlink(old)
        self.started = time.monotonic()
        self.heraldd = lab.spawn(self.name, f"{self.name}-keepalived", [
            "keepalived", "--dont-fork", "--log-console", "--vrrp", "--use-file", path,
            "--pid", f"{run}.pid", "--vrrp_pid", f"{run}-vrrp.pid", *extra])

    def config(self):
        text = "global_defs {\n  vrrp_version 3\n  router_id " + self.name + "\n}\n"
        for family, number in ((4, 51), (6, 56)):
            vips = [v for v in self.lab.vips if (":" in v) == (family == 6)]
            if not vips:
                continue
            lines = "".join(f"    {v}/{128 if family == 6 else 32} dev eth0\n" for v in vips)
            text += (f"vrrp_instance v{family} {{\n  version 3\n  state BACKUP\n  nopreempt\n"
                     f"  interface eth0\n  virtual_router_id {number}\n"
                     f"  priority {200 - 10 * self.index}\n"
                     f"  advert_int {self.lab.advert_s}\n  virtual_ipaddress {{\n{lines}  }}\n}}\n")
        return text

    def ready(self):
        """It runs, and has had time to hear the master, or to become it."""
        return self.alive() and time.monotonic() - self.started > 0.5 + 4 * self.lab.advert_s
