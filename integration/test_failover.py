"""What befalls nodes, ten times each: never two owners, no flapping, and all is as before afterwards.

Three labs side by side, each with its share of the events: together they take about two minutes. How
long an outage lasts is printed, but only bounded generously: other work on the machine is no fault.
Figures come from bench/failover.
"""

import os
import unittest

from herald_case import skip_reason
from lab import failover

TRIALS = int(os.environ.get("HERALD_FAILOVER_TRIALS", "10"))
OUTAGE_LIMIT_MS = 8000
SHARES = (("crash", "cut-peers"), ("power-off", "link-down"), ("stop", "freeze"))


@unittest.skipIf(skip_reason(), skip_reason())
class Failover(unittest.TestCase):
    def test_ten_of_each(self):
        systems = []
        for _ in SHARES:
            systems.append(failover.System("herald", profile="default", beside=systems))
            self.addCleanup(systems[-1].close)
        for system in systems:
            self.assertIsNotNone(system.result(), system.failure)
        measured = []
        for _ in range(TRIALS):
            for turn in range(max(map(len, SHARES))):
                for system, share in zip(systems, SHARES):
                    if turn < len(share):
                        system.begin(share[turn])
                for system, share in zip(systems, SHARES):
                    if turn < len(share):
                        of = system.result()
                        self.assertIsNotNone(of, f"{share[turn]}: {system.failure}")
                        measured += of
        print("\n" + "\n".join(failover.table({"herald": measured})))
        for m in measured:
            with self.subTest(str(m)):
                moves = m.event != failover.RETURN and "heraldd" in failover.EVENTS[m.event].moves
                self.assertEqual(m.dual, 0)
                self.assertEqual(m.flaps, 0)
                self.assertEqual(m.moved, moves)
                self.assertLess(max(m.outage, m.silent), OUTAGE_LIMIT_MS)


if __name__ == "__main__":
    unittest.main(verbosity=2)
