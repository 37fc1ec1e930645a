"""The fake API server's own tests, asked of a real one, which must answer alike."""

import os
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from herald_case import skip_reason  # noqa: E402
from lab.kube import WHERE_FROM, real_binaries  # noqa: E402
from lab.lab import ROOT, Lab  # noqa: E402

MISSING = skip_reason() or ("" if real_binaries() else f"SKIPPED: no kube-apiserver: {WHERE_FROM}")


@unittest.skipIf(MISSING, MISSING)
class Conformance(unittest.TestCase):
    def test_the_fake_answers_like_this(self):
        with Lab(nodes=2, routers=(), store="kubernetes") as lab:
            done = subprocess.run(
                ["ip", "netns", "exec", f"herald-{os.getpid()}-store", sys.executable, "-B",
                 os.path.join(ROOT, "tests", "kube", "fake_apiserver_selftest.py")], check=False,
                capture_output=True, text=True, timeout=200, stdin=subprocess.DEVNULL,
                env={**os.environ, "HERALD_KUBECONFIG": lab.kube.admin_config})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
