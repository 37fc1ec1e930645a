"""The files of the image, run as Kubernetes runs the pod: chroot, user 65532, the capabilities of the
DaemonSet and no other, the host's run directory read-only. Says which of them heraldd needs.
"""

import json
import os
import shutil
import signal
import stat
import subprocess
import tempfile
import time
import unittest

from lab import image
from lab.image import CAPABILITIES, USER

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BINARIES = os.environ.get("HERALD_BIN_DIR", os.path.join(ROOT, "build", "release", "bin"))
MANIFESTS = """
apiVersion: herald.io/v1alpha1
kind: LoadBalancerIPPool
metadata: {name: lan}
spec: {addresses: [10.77.0.0/24]}
---
apiVersion: herald.io/v1alpha1
kind: L2AnnouncementPolicy
metadata: {name: all}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: LoadBalancer, ports: [{port: 80}]}
"""


NETWORK = ("ip link set lo up; ip link add eth0 type veth peer name eth1; ip link set eth1 up; "
           "ip addr add 10.77.0.2/24 dev eth0; ip link set eth0 up; ")
SETTINGS = {"HERALD_STORE": "embedded:/var/lib/herald/herald.db", "HERALD_MANIFESTS": "/etc/herald",
            "HERALD_RUN_DIR": "/run/herald-host", "HERALD_NODE_NAME": "n1"}


def skip_reason():
    if os.geteuid() != 0:
        return "SKIPPED: the image's files take root to be laid out"
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    lacking = [t for t in ("setcap", "strip", "ldd", "ip", "unshare") if not shutil.which(t, path=path)]
    return f"SKIPPED: {', '.join(lacking)} not found: run scripts/install image" if lacking else ""


@unittest.skipIf(skip_reason(), skip_reason())
class ImageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="herald-image-"))
        os.chmod(cls.dir, 0o755)
        cls.shipped = os.path.join(cls.dir, "shipped")
        image.lay_out(BINARIES, cls.shipped)

    def setUp(self):
        self.place = self.enterContext(tempfile.TemporaryDirectory(dir=self.dir))
        os.chmod(self.place, 0o755)
        self.root, self.host_run = (os.path.join(self.place, d) for d in ("root", "run"))
        image.copy(self.shipped, self.root)
        os.mkdir(self.host_run)
        with open(os.path.join(self.root, "etc/herald/a.yaml"), "w", encoding="utf-8") as file:
            file.write(MANIFESTS)

    def run_pod(self, *capabilities, no_new_privs=False):
        process = subprocess.Popen(
            ["unshare", "--net", "sh", "-ec", NETWORK + 'exec "$@"', "sh",
             *image.command(self.root, self.host_run, SETTINGS, capabilities, no_new_privs)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

        def stop():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.communicate(timeout=30)
        self.addCleanup(stop)
        return process

    def ask(self, *argv):
        return subprocess.run(
            [os.path.join(BINARIES, "heraldctl"), "--admin",
             os.path.join(self.root, "run/herald/admin.sock"), *argv],
            capture_output=True, text=True, timeout=30)

    def wait_ready(self, process):
        end = time.monotonic() + 30
        while self.ask("ready").returncode != 0:
            if process.poll() is not None or time.monotonic() > end:
                self.fail(f"not ready: {self.ask('ready')} {process.poll()}")
            time.sleep(0.1)

    def status(self):
        return json.loads(self.ask("status", "-o", "json").stdout)

    def effective(self, process):
        with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
            fields = dict(line.split(":", 1) for line in file)
        number = int(fields["CapEff"], 16)
        self.assertEqual(fields["Uid"].split(), [str(USER)] * 4)
        return {name for name, bit in CAPABILITIES.items() if number >> bit & 1}, number

    def test_programs_need_nothing_else(self):
        for program in ("heraldd", "heraldctl", "kubectl-herald"):
            said = subprocess.run(
                ["chroot", f"--userspec={USER}:{USER}", self.root, f"/usr/bin/{program}", "--version"],
                capture_output=True, text=True)
            self.assertEqual(said.returncode, 0, said)
            self.assertIn("herald", said.stdout)

    def test_one_file_has_capabilities_and_none_is_setuid(self):
        found = []
        for folder, _, files in os.walk(self.shipped):
            for name in files:
                path = os.path.join(folder, name)
                if os.path.islink(path):
                    continue
                if "security.capability" in os.listxattr(path):
                    found.append(os.path.relpath(path, self.shipped))
                self.assertFalse(os.stat(path).st_mode & (stat.S_ISUID | stat.S_ISGID), path)
                self.assertEqual(os.stat(path).st_uid, 0, path)
                self.assertFalse(os.stat(path).st_mode & 0o022, path)
        self.assertEqual(found, ["usr/bin/heraldd"])

    def test_as_the_pod_it_has_what_it_needs(self):
        process = self.run_pod("NET_RAW", "SYS_NICE")
        self.wait_ready(process)
        names, number = self.effective(process)
        self.assertEqual(names, {"NET_RAW", "SYS_NICE"})
        self.assertEqual(number, sum(1 << bit for bit in CAPABILITIES.values()))  # and no more
        status = self.status()
        self.assertEqual(status["heartbeats"]["scheduling"], "SCHED_RR")
        self.assertEqual(status["heartbeats"]["last_error"], "")
        # The host is locked, though it may not write there.
        self.assertEqual(os.listdir(self.host_run), [])
        other = subprocess.run(
            ["unshare", "--net", os.path.join(BINARIES, "heraldd"), "--store",
             f"embedded:{self.place}/other.db", "--manifests",
             os.path.join(self.root, "etc/herald"), "--run-dir", self.host_run, "--admin",
             f"{self.place}/other.sock", "--node-name", "n2", "--heartbeat-listen", "none"],
            capture_output=True, text=True, timeout=30)
        self.assertEqual(other.returncode, 1)
        self.assertIn("another heraldd runs on this host", other.stderr)

    def test_without_sys_nice_it_works_all_the_same(self):
        process = self.run_pod("NET_RAW")
        self.wait_ready(process)
        self.assertEqual(self.effective(process)[0], {"NET_RAW"})
        self.assertEqual(self.status()["heartbeats"]["scheduling"], "normal")

    def refused(self, *capabilities, **how):
        process = self.run_pod(*capabilities, **how)
        said, _ = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 1, said)
        return said

    def test_without_net_raw_it_says_so(self):
        self.assertIn("give heraldd CAP_NET_RAW", self.refused("SYS_NICE"))

    def test_no_new_privs_takes_them_away(self):
        """Why the DaemonSet has allowPrivilegeEscalation: true."""
        self.assertIn("give heraldd CAP_NET_RAW",
                      self.refused("NET_RAW", "SYS_NICE", no_new_privs=True))


if __name__ == "__main__":
    unittest.main()
