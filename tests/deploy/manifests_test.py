"""deploy/ as kustomize builds it: references, rights, labels, security, settings.

Read by a small reader of our own, so that it is tested without kubectl; and built by kubectl itself
where there is one, which is said loudly where there is not.
"""

import functools
import pathlib
import re
import shutil
import subprocess
import unittest

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
TARGETS = ["base", "overlays/talos", "overlays/cilium", "overlays/metallb-migration"]
KUBECTL = shutil.which("kubectl") or shutil.which("/usr/local/kubebuilder/bin/kubectl")


def documents(path):
    return [d for d in yaml.safe_load_all(path.read_text()) if d]


def kustomization(folder):
    return yaml.safe_load((folder / "kustomization.yaml").read_text())


def objects_of(folder):
    """All objects of a kustomization and of those below it, and the settings it gives heraldd."""
    objects, settings = [], {}
    top = kustomization(folder)
    for name in [*top.get("resources", []), *top.get("components", [])]:
        path = folder / name
        if path.is_dir():
            more, their = objects_of(path)
            objects += more
            settings |= their
        else:
            objects += documents(path)
    for generator in top.get("configMapGenerator", []):
        settings |= dict(literal.split("=", 1) for literal in generator["literals"])
    return objects, settings


def by_kind(objects, kind):
    return [o for o in objects if o["kind"] == kind]


def known_settings():
    """The rows of config/settings.cc, by their name in the environment."""
    text = (ROOT / "config" / "settings.cc").read_text()
    names = re.findall(r'^\s*\{\{"([a-z0-9-]+)",', text, re.M)
    return {"HERALD_" + n.upper().replace("-", "_") for n in names}


class ManifestsTest(unittest.TestCase):
    def setUp(self):
        self.objects, self.settings = objects_of(DEPLOY / "base")
        (self.daemon_set,) = by_kind(self.objects, "DaemonSet")
        self.pod = self.daemon_set["spec"]["template"]["spec"]
        (self.container,) = self.pod["containers"]

    def test_every_file_is_used(self):
        used = set()

        def walk(folder):
            used.add(folder / "kustomization.yaml")
            top = kustomization(folder)
            for name in [*top.get("resources", []), *top.get("components", [])]:
                path = (folder / name).resolve()
                self.assertTrue(path.exists(), f"{folder}: {name}")
                if path.is_dir():
                    walk(path)
                else:
                    used.add(path)

        for target in TARGETS:
            walk(DEPLOY / target)
        for folder in ("base", "overlays", "components", "crds"):
            for path in (DEPLOY / folder).rglob("*.yaml"):
                self.assertIn(path.resolve(), used)

    def test_settings_are_known(self):
        known = known_settings()
        self.assertIn("HERALD_STORE", known)
        for target in TARGETS:
            _, settings = objects_of(DEPLOY / target)
            settings |= {e["name"]: "" for e in self.container["env"]}
            self.assertLessEqual(set(settings), known, target)

    def test_names_that_are_referred_to_are_there(self):
        there = {(o["kind"], o["metadata"]["name"]) for o in self.objects}
        for binding in by_kind(self.objects, "RoleBinding") + by_kind(
            self.objects, "ClusterRoleBinding"
        ):
            self.assertIn((binding["roleRef"]["kind"], binding["roleRef"]["name"]), there)
            for subject in binding["subjects"]:
                self.assertIn((subject["kind"], subject["name"]), there)
                self.assertEqual(subject["namespace"], "herald-system")
        self.assertIn(("ServiceAccount", self.pod["serviceAccountName"]), there)
        # Those for people are bound by people.
        bound = {b["roleRef"]["name"] for b in self.objects if b["kind"].endswith("RoleBinding")}
        self.assertEqual(bound, {"heraldd", "herald:heraldd"})
        maps = [g["name"] for g in kustomization(DEPLOY / "base")["configMapGenerator"]]
        for source in self.container["envFrom"]:
            self.assertIn(source["configMapRef"]["name"], maps)
        images = [i["name"] for i in kustomization(DEPLOY / "base")["images"]]
        self.assertIn(self.container["image"], images)
        for schema in by_kind(self.objects, "FlowSchema"):
            for rule in schema["spec"]["rules"]:
                for subject in rule["subjects"]:
                    account = subject["serviceAccount"]
                    self.assertIn(("ServiceAccount", account["name"]), there)
                    self.assertEqual(account["namespace"], "herald-system")

    def test_labels_select_the_pods(self):
        wanted = self.daemon_set["spec"]["selector"]["matchLabels"]
        labels = self.daemon_set["spec"]["template"]["metadata"]["labels"]
        self.assertLessEqual(wanted.items(), labels.items())

    def test_rights_are_the_least(self):
        rules = [
            (role["kind"], rule)
            for kind in ("Role", "ClusterRole")
            for role in by_kind(self.objects, kind)
            for rule in role["rules"]
        ]
        self.assertTrue(rules)
        kinds = {
            crd["spec"]["names"]["plural"] for crd in by_kind(self.objects, "CustomResourceDefinition")
        }
        for kind, rule in rules:
            for words in rule.values():
                self.assertNotIn("*", words, rule)
            written = set(rule["verbs"]) - {"get", "list", "watch"}
            for resource in rule["resources"]:
                base = resource.split("/")[0]
                if "herald.io" in rule["apiGroups"]:
                    self.assertIn(base, kinds, rule)
                if resource == "secrets":
                    self.assertEqual(kind, "Role")
                    # create cannot be restricted to a name.
                    named = rule.get("resourceNames") == ["herald-cluster"]
                    self.assertTrue(named or rule["verbs"] == ["create"], rule)
                # Of others only the status is changed.
                own = {"nodestatuses", "iptableshards", "leases", "secrets", "events"}
                own |= {"servicel2statuses", "servicebgpstatuses", "configurationstates"}
                if written and base not in own:
                    self.assertTrue(resource.endswith("/status"), rule)
                    self.assertEqual(written, {"patch"}, rule)
            self.assertNotIn("deletecollection", rule["verbs"])

    def test_what_is_watched_may_be_watched(self):
        text = (ROOT / "kube" / "resources.cc").read_text()
        watched = set(re.findall(r'"([a-z0-9]+s)",\s+"[A-Z]\w+"', text))
        self.assertGreater(len(watched), 15)
        roles = by_kind(self.objects, "ClusterRole")
        (role,) = [r for r in roles if r["metadata"]["name"] == "herald:heraldd"]
        may = {
            resource
            for rule in role["rules"]
            if {"get", "list", "watch"} <= set(rule["verbs"])
            for resource in rule["resources"]
        }
        self.assertEqual(watched - may, set())
        # Nor more than that.
        self.assertEqual(may - watched, set())

    def test_the_pod_is_confined(self):
        security = self.container["securityContext"]
        self.assertEqual(security["capabilities"]["drop"], ["ALL"])
        self.assertIs(security["readOnlyRootFilesystem"], True)
        self.assertIs(security["privileged"], False)
        pod = self.pod["securityContext"]
        self.assertIs(pod["runAsNonRoot"], True)
        self.assertEqual(pod["seccompProfile"], {"type": "RuntimeDefault"})
        # One cannot have both: no_new_privs takes the file's capabilities away.
        self.assertIs(security["allowPrivilegeEscalation"], True)
        for mount in self.container["volumeMounts"]:
            (volume,) = [v for v in self.pod["volumes"] if v["name"] == mount["name"]]
            self.assertTrue("emptyDir" in volume or mount.get("readOnly"), mount)

    def test_capabilities_are_those_of_the_image(self):
        text = (DEPLOY / "image" / "rootfs").read_text()
        in_file = re.search(r"^capabilities=(\S+)=p\b", text, re.M).group(1).split(",")
        added = self.container["securityContext"]["capabilities"]["add"]
        self.assertEqual(sorted(in_file), sorted("cap_" + c.lower() for c in added))

    def test_the_user_is_that_of_the_image(self):
        user = self.pod["securityContext"]["runAsUser"]
        self.assertIn(f"USER {user}:{user}", (DEPLOY / "Dockerfile").read_text())
        self.assertIn(f"--user {user}:{user}", (DEPLOY / "image" / "build").read_text())
        self.assertIn(f"herald:x:{user}:{user}:", (DEPLOY / "image" / "rootfs").read_text())

    def test_a_stop_has_time_to_hand_over(self):
        text = (ROOT / "config" / "settings.cc").read_text()
        drain = int(re.search(r'"drain-timeout", "DURATION", "(\d+)s"', text).group(1))
        self.assertGreaterEqual(self.pod["terminationGracePeriodSeconds"], 2 * drain)

    def test_probes_ask_the_daemon_alone(self):
        commands = {"startupProbe": "status", "livenessProbe": "status", "readinessProbe": "ready"}
        for probe, word in commands.items():
            self.assertEqual(
                self.container[probe]["exec"]["command"], ["/usr/bin/heraldctl", word]
            )
        patience = self.container["livenessProbe"]
        self.assertGreaterEqual(patience["periodSeconds"] * patience["failureThreshold"], 60)

    def test_the_port_is_that_of_the_heartbeats(self):
        text = (ROOT / "config" / "settings.h").read_text()
        port = int(re.search(r"kHeartbeatPort = (\d+)", text).group(1))
        self.assertEqual([p["containerPort"] for p in self.container["ports"]], [port])
        for page in ("install.md", "install-talos.md"):
            self.assertIn(str(port), (ROOT / "docs" / page).read_text())

    def test_the_host_is_locked(self):
        """Rule J1 holds for the host, not for the pod."""
        env = {e["name"]: e.get("value") for e in self.container["env"]}
        mounts = {m["mountPath"]: m["name"] for m in self.container["volumeMounts"]}
        volumes = {v["name"]: v for v in self.pod["volumes"]}
        self.assertIn("hostPath", volumes[mounts[env["HERALD_RUN_DIR"]]])

    @functools.cache
    def built(self, target):
        done = subprocess.run(
            [KUBECTL, "kustomize", str(DEPLOY / target)], capture_output=True, text=True
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr, "")
        return [d for d in yaml.safe_load_all(done.stdout) if d]

    def test_kubectl_builds_them(self):
        if KUBECTL is None:
            # A line of its own, which ctest looks for.
            print("\nSKIPPED: no kubectl found: what kustomize makes of deploy/ was not tried")
            self.skipTest("no kubectl")
        for target in TARGETS:
            with self.subTest(target=target):
                made = self.built(target)
                offline, settings = objects_of(DEPLOY / target)
                names = sorted((o["kind"], o["metadata"]["name"]) for o in offline)
                got = sorted(
                    (o["kind"], o["metadata"]["name"]) for o in made if o["kind"] != "ConfigMap"
                )
                self.assertEqual(names, got)
                (settings_map,) = by_kind(made, "ConfigMap")
                self.assertEqual(settings_map["data"], settings)
                (daemon_set,) = by_kind(made, "DaemonSet")
                (container,) = daemon_set["spec"]["template"]["spec"]["containers"]
                # A changed setting is another name, and so another roll-out.
                self.assertEqual(
                    container["envFrom"][0]["configMapRef"]["name"],
                    settings_map["metadata"]["name"],
                )
                self.assertRegex(settings_map["metadata"]["name"], r"^herald-settings-\w+$")
                self.assertNotEqual(container["image"], "herald")
                for made_object in made:
                    labels = made_object["metadata"].get("labels", {})
                    self.assertEqual(labels.get("app.kubernetes.io/part-of"), "herald")


if __name__ == "__main__":
    unittest.main()
