"""The demo's story, run as users run it but for the build."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

from herald_case import REQUESTED, skip_reason
from lab.lab import ROOT


@unittest.skipIf(skip_reason(), skip_reason())
class Demo(unittest.TestCase):
    def test_story(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "report.json")
            done = subprocess.run(
                [sys.executable, f"{ROOT}/integration/demo.py", "--no-ui", "--report", path],
                capture_output=True, text=True, timeout=240, stdin=subprocess.DEVNULL, check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            with open(path, encoding="utf-8") as file:
                report = json.load(file)
        self.assertLessEqual({"events", "allocations", "routes", "versions"}, set(report))
        self.assertLessEqual({"crash", "drain"}, {e["event"] for e in report["events"]})
        for event in report["events"]:
            self.assertLessEqual({"event", "vip", "outage_ms", "lost_probes", "dual_owner_ms",
                                  "from", "to"}, set(event))
            self.assertEqual(event["dual_owner_ms"], 0, event)
        for router in ("frr", "bird"):
            self.assertLessEqual({f"{ip}/32" for ip in REQUESTED.values()},
                                 set(report["routes"][router]))
