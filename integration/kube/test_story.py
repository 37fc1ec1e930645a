"""The whole story of ./demo, routers included, with real Service objects on a real API server."""

import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from herald_case import skip_reason  # noqa: E402
from lab.kube import WHERE_FROM, real_binaries  # noqa: E402
from lab.lab import ROOT  # noqa: E402

MISSING = skip_reason() or ("" if real_binaries() else f"SKIPPED: no kube-apiserver: {WHERE_FROM}")


@unittest.skipIf(MISSING, MISSING)
class Story(unittest.TestCase):
    def test_the_story_of_the_demo(self):
        with tempfile.TemporaryDirectory() as directory:
            done = subprocess.run(
                [sys.executable, "-B", os.path.join(ROOT, "integration", "demo.py"), "--no-ui", "--store",
                 "kubernetes", "--report", os.path.join(directory, "report.json")], check=False,
                capture_output=True, text=True, timeout=280, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
