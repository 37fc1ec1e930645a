"""What befalls nodes and their store, ten times each: never two owners, no flapping, and all is as
before afterwards.

Several labs side by side, each with its share of the events, take one to two minutes together. How
long an outage lasts is printed, but only bounded generously: other work on the machine is no fault.
Figures come from bench/failover.
"""

import os
import unittest

from herald_case import skip_reason
from lab import failover

TRIALS = int(os.environ.get("HERALD_FAILOVER_TRIALS", "10"))
OUTAGE_LIMIT_MS = 8000
# Answers, of nodes that nothing befell or that hand over in order, may be late by this much.
HICCUP_MS = 500
SHARES = (
    ("embedded", ("crash", "leader-crash", "power-off")),
    ("embedded", ("stop", "drain", "move", "link-down")),
    ("etcd", ("freeze", "cut-peers", "cut-store")),
    ("etcd", ("cut-both", "links-down", "store-freeze")),
    ("etcd", ("store-down",)),
    ("etcd", ("crash-no-store",)),
)
NO_OUTAGE = ("stop", "drain", "move", "cut-peers", "cut-store", "store-down", "store-freeze",
             failover.RETURN)


@unittest.skipIf(skip_reason(), skip_reason())
class Failover(unittest.TestCase):
    def test_ten_of_each(self):
        systems = []
        for store, _ in SHARES:
            systems.append(failover.System("herald", store, beside=systems))
            self.addCleanup(systems[-1].close)
        for system in systems:
            self.assertIsNotNone(system.result(), system.failure)
        for system, (_, share) in zip(systems, SHARES):
            for event in share * TRIALS:
                system.begin(event)
        measured = {store: [] for store, _ in SHARES}
        for system, (store, share) in zip(systems, SHARES):
            for event in share * TRIALS:
                of = system.result()
                self.assertIsNotNone(of, f"{event}: {system.failure}")
                measured[store] += of
        print("\n" + "\n".join(failover.table(measured)))
        for store, of in measured.items():
            for m in of:
                with self.subTest(f"{store}: {m}"):
                    self.check(m)

    def check(self, m):
        moves = m.event != failover.RETURN and "heraldd" in failover.EVENTS[m.event].moves
        self.assertEqual(m.dual, 0)
        self.assertEqual(m.needless_flaps(), 0)
        self.assertEqual(m.moved, moves)
        self.assertLess(m.others, HICCUP_MS)
        limit = HICCUP_MS if m.event in NO_OUTAGE else OUTAGE_LIMIT_MS
        self.assertLess(max(m.outage, m.silent), limit)


if __name__ == "__main__":
    unittest.main(verbosity=2)
