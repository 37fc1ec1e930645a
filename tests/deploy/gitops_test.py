"""The health of our kinds, as Argo CD and Flux are told to see it."""

import json
import pathlib
import shutil
import subprocess
import unittest

import yaml

DEPLOY = pathlib.Path(__file__).resolve().parents[2] / "deploy"
KINDS = {
    "LoadBalancerIPPool",
    "L2AnnouncementPolicy",
    "BGPPeer",
    "BGPAdvertisement",
    "BFDProfile",
}


def lua(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"[{lua(k)}] = {lua(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "{" + ", ".join(lua(v) for v in value) + "}"
    return json.dumps(value)


def pool(status=None, generation=2):
    made = {"kind": "LoadBalancerIPPool", "metadata": {"name": "lan", "generation": generation}}
    return made if status is None else made | {"status": status}


def ready(status, reason, generation=2):
    return {
        "observedGeneration": generation,
        "conditions": [
            {"type": "Warnings", "status": "True", "reason": "SeeMessage", "message": "w"},
            {"type": "Ready", "status": status, "reason": reason, "message": "so"},
        ],
    }


CASES = [
    ("just created", pool(), "Progressing", "not read yet"),
    ("no condition yet", pool({"observedGeneration": 2}), "Progressing", "not read yet"),
    ("in force", pool(ready("True", "InForce")), "Healthy", "so"),
    ("refused", pool(ready("False", "Invalid")), "Degraded", "so"),
    ("overlaps", pool(ready("False", "Conflict")), "Degraded", "so"),
    ("switched off", pool(ready("False", "Disabled")), "Suspended", "so"),
    ("known, but not yet done", pool(ready("False", "NotInForce")), "Suspended", "so"),
    ("an older edit", pool(ready("True", "InForce", 1)), "Progressing", "not read yet"),
    ("unknown", pool(ready("Unknown", "NotRead")), "Progressing", "so"),
]


class GitopsTest(unittest.TestCase):
    def test_argo_cd_sees_health(self):
        program = shutil.which("lua5.4") or shutil.which("lua")
        if program is None:
            print("\nSKIPPED: no lua found: deploy/argocd/health.lua was not tried")
            self.skipTest("no lua")
        health = (DEPLOY / "argocd" / "health.lua").read_text()
        for name, seen, status, message in CASES:
            with self.subTest(name):
                text = (
                    f"local obj = {lua(seen)}\nlocal hs = (function()\n{health}\nend)()\n"
                    "print(hs.status)\nprint(hs.message)\n"
                )
                done = subprocess.run(
                    [program, "-"], input=text, capture_output=True, text=True, check=True
                )
                self.assertEqual(done.stdout.splitlines(), [status, message])

    def test_argo_cd_is_told_of_every_kind(self):
        top = yaml.safe_load((DEPLOY / "argocd" / "kustomization.yaml").read_text())
        prefix = "resource.customizations.health.herald.io_"
        files = top["configMapGenerator"][0]["files"]
        self.assertEqual({f"{prefix}{kind}=health.lua" for kind in KINDS}, set(files))

    def test_flux_is_told_of_every_kind(self):
        documents = list(yaml.safe_load_all((DEPLOY / "flux" / "kustomizations.yaml").read_text()))
        checks = documents[1]["spec"]["healthCheckExprs"]
        self.assertEqual({check["kind"] for check in checks}, KINDS)
        self.assertEqual({check["apiVersion"] for check in checks}, {"herald.io/v1alpha1"})


if __name__ == "__main__":
    unittest.main()
