"""An API server in the lab, alone in its namespace `store` on the management network: the project's
own (tests/kube/fake_apiserver.py), or a real kube-apiserver with its etcd.

Either way it is used as a cluster is: what deploy/ ships is applied, heraldd comes with the token of
the ServiceAccount that deploy/ makes and has the rights of its roles; manifests become objects.
"""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys

from . import netns
from .etcd import ADDRESS

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "kube"))
from fakeapi.access import Pki, kubeconfig, write_private  # noqa: E402
from kube_client import Api  # noqa: E402

PORT = 6443
NAMESPACE = "herald-system"
BINARIES = ("kube-apiserver", "etcd")


def real_binaries():
    """The folder with kube-apiserver and etcd; None."""
    for folder in (os.environ.get("KUBEBUILDER_ASSETS"), "/usr/local/kubebuilder/bin"):
        if folder and all(os.access(os.path.join(folder, b), os.X_OK) for b in BINARIES):
            return folder
    return None


WHERE_FROM = ("a real kube-apiserver and etcd are looked for in $KUBEBUILDER_ASSETS and in "
              "/usr/local/kubebuilder/bin; `setup-envtest use` (sigs.k8s.io/controller-runtime) fetches them, "
              "or take both from a release of Kubernetes and of etcd (3.6 or later)")


def documents(path):
    """All objects of a YAML file, or of those of a directory."""
    import yaml  # Debian's python3-yaml
    files = [path] if os.path.isfile(path) else sorted(
        os.path.join(path, f) for f in os.listdir(path) if f.endswith(".yaml"))
    return [doc for f in files for doc in yaml.safe_load_all(open_text(f))
            if doc and doc.get("kind") not in ("Kustomization", "Component")]


def yaml_of(path):
    import yaml  # Debian's python3-yaml
    return yaml.safe_load(open_text(path))


def open_text(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


class LabApi(Api):
    """Connects from within the namespace of the server."""

    def connect(self, timeout=30):
        return netns.inside("store", super().connect, timeout)


class Kube:
    management = ADDRESS

    def __init__(self, lab):
        self.lab, self.process = lab, None
        self.dir = os.path.join(lab.dir, "api")
        os.mkdir(self.dir, mode=0o700)
        self.url = f"https://{ADDRESS}:{PORT}"
        self.kubeconfig = os.path.join(self.dir, "heraldd.kubeconfig")
        self.uri = f"kubernetes:{self.kubeconfig}"
        self.settings = ["--kubernetes-namespace", NAMESPACE]
        self.installed, self.kinds = False, {}
        self.admin = None

    # -- the server -------------------------------------------------------------------------------

    def start(self):
        """Returns when it serves; the first time, what deploy/ ships is applied."""
        self.launch()
        self.admin = LabApi(self.admin_config, agent="lab/1")
        self.lab.wait(self.healthy, 60, "the API server serves")
        if not self.installed:
            self.install()
            self.installed = True

    def stop(self):
        """SIGKILL, as a crash does."""
        self.lab.kill(self.process)
        self.process = None

    def freeze(self):
        self.lab.signal(self.process, signal.SIGSTOP)

    def thaw(self):
        self.lab.signal(self.process, signal.SIGCONT)

    def healthy(self):
        """Ready, and its namespace `default` is there."""
        probe = LabApi(self.admin_config, agent="lab/1")
        try:
            return probe.get("/readyz").code == 200 and \
                probe.get("/api/v1/namespaces/default").code == 200
        except (OSError, ValueError):
            return False
        finally:
            probe.close()

    # -- objects ----------------------------------------------------------------------------------

    def path(self, obj):
        """Where an object is: /apis/GROUP/VERSION/[namespaces/NS/]PLURAL/NAME."""
        version, kind = obj["apiVersion"], obj["kind"]
        base = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if (version, kind) not in self.kinds:
            said = self.call("GET", base)
            for row in said.body.get("resources", []) if said.code == 200 else []:
                if "/" not in row["name"]:
                    self.kinds[version, row["kind"]] = (row["name"], row["namespaced"])
        if (version, kind) not in self.kinds:
            raise RuntimeError(f"the API server has no {kind} of {version}")
        plural, namespaced = self.kinds[version, kind]
        if namespaced:
            base += f"/namespaces/{obj['metadata'].get('namespace', 'default')}"
        return f"{base}/{plural}/{obj['metadata']['name']}"

    def call(self, method, path, body=None, **query):
        """As admin; a connection that the server has cut is opened again."""
        try:
            return self.admin.call(method, path, body, **query)
        except (OSError, ValueError):
            self.admin.close()
            return self.admin.call(method, path, body, **query)

    def get(self, path):
        """The object, or None."""
        reply = self.call("GET", path)
        return reply.body if reply.code == 200 else None

    def merge(self, path, body):
        return self.done(self.call("PATCH", path, body, kind="application/merge-patch+json"), path)

    def delete(self, path):
        return self.call("DELETE", path)

    @staticmethod
    def done(reply, what):
        if reply.code not in (200, 201):
            raise RuntimeError(f"{what}: {reply}")
        return reply.body

    def apply(self, *objects):
        """As `kubectl apply --server-side` does it; namespaces that are missing are made."""
        for obj in objects:
            path = self.path(obj)
            ns = obj["metadata"].get("namespace")
            for _ in range(2):
                reply = self.call("PATCH", path, obj, kind="application/apply-patch+yaml",
                                  fieldManager="lab", force="true")
                if reply.code != 404 or not ns:
                    break
                self.call("POST", "/api/v1/namespaces", {"metadata": {"name": ns}})
            self.done(reply, path)

    def apply_path(self, *parts):
        self.apply(*documents(os.path.join(ROOT, *parts)))

    # -- the cluster ------------------------------------------------------------------------------

    def install(self):
        crds = documents(os.path.join(ROOT, "deploy", "crds"))
        self.apply(*crds)
        for crd in crds:
            self.await_crd(crd)
        base = documents(os.path.join(ROOT, "deploy", "base"))
        self.apply(*(o for o in base if o["kind"] == "Namespace"))
        self.apply(*(o for o in base if o["kind"] not in ("Namespace", "DaemonSet")))
        account = next(o for o in base if o["kind"] == "ServiceAccount")
        self.token = self.token_of(account, base)
        self.write_kubeconfig(self.kubeconfig, self.token)
        self.apply(*(self.node_object(node) for node in self.lab.nodes))

    def pod_environment(self, node):
        """What the DaemonSet's pod has on a node: its settings, and where the API server is."""
        base = os.path.join(ROOT, "deploy", "base")
        daemon = next(o for o in documents(base) if o["kind"] == "DaemonSet")
        container = daemon["spec"]["template"]["spec"]["containers"][0]
        generated = yaml_of(os.path.join(base, "kustomization.yaml"))["configMapGenerator"]
        settings = {row["configMapRef"]["name"] for row in container["envFrom"]}
        out = dict(literal.split("=", 1) for made in generated if made["name"] in settings
                   for literal in made["literals"])
        for row in container["env"]:
            from_pod = row.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
            out[row["name"]] = node.name if from_pod == "spec.nodeName" else row["value"]
        host, _, port = self.url.removeprefix("https://").rpartition(":")
        return {**out, "KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}

    def await_crd(self, crd):
        spec = crd["spec"]
        group = f"/apis/{spec['group']}/{spec['versions'][0]['name']}"

        def served():
            said = self.get(group)
            return said and any(r["name"] == spec["names"]["plural"] for r in said["resources"]) and \
                self.get(f"{group}/{spec['names']['plural']}")
        self.lab.wait(served, 30, f"{crd['metadata']['name']} is served")

    def write_kubeconfig(self, path, token):
        write_private(path, kubeconfig(self.url, os.path.join(self.dir, "ca.pem"), {"token": token}))

    def node_object(self, node, ready="True", **spec):
        return {"apiVersion": "v1", "kind": "Node",
                "metadata": {"name": node.name, "labels": {"kubernetes.io/hostname": node.name}},
                "spec": spec}

    def set_ready(self, node, ready="True"):
        """What its kubelet, or the node controller, says of a node."""
        self.merge(f"/api/v1/nodes/{node.name}/status", {"status": {
            "conditions": [{"type": "Ready", "status": ready, "reason": "Lab", "message": "",
                            "lastTransitionTime": "2026-01-02T03:04:05Z"}],
            "addresses": [{"type": "InternalIP", "address": node.address}]}})

    def load(self, directory):
        """The manifests of a directory as objects; each service with an endpoint on every node."""
        for obj in documents(directory):
            self.apply(obj)
            if obj["kind"] == "Service":
                self.apply(*self.slices(obj))

    def slices(self, service):
        meta, spec = service["metadata"], service["spec"]
        ns = meta.get("namespace", "default")
        for family in spec.get("ipFamilies", ["IPv4"]):
            yield {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": family,
                   "metadata": {"name": f"{meta['name']}-{family.lower()}", "namespace": ns,
                                "labels": {"kubernetes.io/service-name": meta["name"]}},
                   "endpoints": [{"addresses": [n.address if family == "IPv4" else n.address6],
                                  "nodeName": n.name, "conditions": {"ready": True, "serving": True,
                                                                     "terminating": False}}
                                 for n in self.lab.nodes],
                   "ports": [{"name": p.get("name", ""), "port": p["port"],
                              "protocol": p.get("protocol", "TCP")} for p in spec["ports"]]}


class FakeKube(Kube):
    """Its faults: command("/__faults", {...}); see tests/kube/fakeapi/faults.py."""

    def __init__(self, lab):
        super().__init__(lab)
        self.admin_config = os.path.join(self.dir, "kubeconfig")

    def launch(self):
        self.process = self.lab.spawn("store", "apiserver", [
            sys.executable, "-B", os.path.join(ROOT, "tests", "kube", "fake_apiserver.py"), "--dir",
            self.dir, "--listen", f"{ADDRESS}:{PORT}"])
        self.lab.wait(lambda: os.path.exists(os.path.join(self.dir, "port")), 20,
                      "the fake API server listens")

    def stop(self):
        """Its objects are in memory: it refuses connections and cuts those that are there."""
        self.command("/__down")

    def start(self):
        if self.process is None:
            super().start()
        else:
            self.command("/__up")

    def command(self, path, body=None, method="POST"):
        text = json.dumps(body or {})
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(os.path.join(self.dir, "control"))
            sock.sendall(f"{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {len(text)}"
                         f"\r\n\r\n{text}".encode())
            said = b"".join(iter(lambda: sock.recv(65536), b"")).decode()
        head, _, body = said.partition("\r\n\r\n")
        if " 200 " not in head.split("\r\n")[0]:
            raise RuntimeError(f"{path}: {said}")
        return json.loads(body)

    def token_of(self, account, base):
        """A token with the rights that the roles give; tested for real against the real one."""
        self.token = secrets.token_urlsafe(16)
        bound = {b["roleRef"]["name"] for b in base if b["kind"].endswith("RoleBinding")}
        self.rules = [
            {"verbs": rule["verbs"], "groups": rule["apiGroups"], "resources": rule["resources"],
             **({"names": rule["resourceNames"]} if "resourceNames" in rule else {}),
             **({"namespaces": [role["metadata"]["namespace"]]} if role["kind"] == "Role" else {})}
            for role in base if role["kind"] in ("Role", "ClusterRole") and
            role["metadata"]["name"] in bound for rule in role["rules"]]
        self.grant()
        return self.token

    def grant(self, without=()):
        """The roles' rules, but not those for the resources named."""
        rules = [{**r, "resources": [n for n in r["resources"] if n not in without]} for r in self.rules]
        self.command("/__tokens", {self.token: {
            "user": f"system:serviceaccount:{NAMESPACE}:heraldd", "rules": rules}})


class RealKube(Kube):
    def __init__(self, lab):
        super().__init__(lab)
        self.binaries = real_binaries()
        if self.binaries is None:
            raise FileNotFoundError(WHERE_FROM)
        self.admin_config = os.path.join(self.dir, "admin.kubeconfig")
        self.pki = Pki(self.dir, [ADDRESS])
        write_private(self.admin_config, kubeconfig(self.url, self.pki.file("ca.pem"), {
            "client-certificate": self.pki.file("client.pem"),
            "client-key": self.pki.file("client.key")}))
        for argv in (["genrsa", "-out", self.pki.file("sa.key"), "2048"],
                     ["rsa", "-in", self.pki.file("sa.key"), "-pubout", "-out", self.pki.file("sa.pub")]):
            subprocess.run(["openssl", *argv], check=True, capture_output=True, timeout=30)
        self.etcd = None
        self.further = []  # flags of kube-apiserver

    def launch(self):
        if self.etcd is None:
            self.start_etcd()
        self.process = self.lab.spawn("store", "apiserver", [
            os.path.join(self.binaries, "kube-apiserver"), "--etcd-servers", "http://127.0.0.1:2379",
            "--bind-address", ADDRESS, "--secure-port", str(PORT), "--advertise-address", ADDRESS,
            "--endpoint-reconciler-type", "none", "--cert-dir", self.dir,
            "--tls-cert-file", self.pki.file("server.pem"),
            "--tls-private-key-file", self.pki.file("server.key"),
            "--client-ca-file", self.pki.file("ca.pem"),
            "--service-account-issuer", "https://kubernetes.default.svc.cluster.local",
            "--service-account-key-file", self.pki.file("sa.pub"),
            "--service-account-signing-key-file", self.pki.file("sa.key"),
            "--authorization-mode", "RBAC", "--service-cluster-ip-range", "10.96.0.0/16,fd00:96::/112",
            *self.further])

    def start_etcd(self):
        url, peer = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
        self.etcd = self.lab.spawn("store", "apiserver-etcd", [
            os.path.join(self.binaries, "etcd"), "--data-dir", os.path.join(self.dir, "etcd"),
            "--unsafe-no-fsync", "--log-level", "warn", "--listen-client-urls", url,
            "--advertise-client-urls", url, "--listen-peer-urls", peer,
            "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}"])

    def stop_etcd(self):
        self.lab.kill(self.etcd)
        self.etcd = None

    def token_of(self, account, base):
        meta = account["metadata"]
        path = f"/api/v1/namespaces/{meta['namespace']}/serviceaccounts/{meta['name']}/token"
        return self.done(self.call("POST", path, {
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": {"expirationSeconds": 3600}}), path)["status"]["token"]


KINDS = {"kubernetes-fake": FakeKube, "kubernetes": RealKube}
