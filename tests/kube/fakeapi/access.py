"""Who may come in: certificates made on the spot, kubeconfigs, tokens, and rules as of RBAC."""

import base64
import json
import os
import secrets
import subprocess

from .resources import Refused


def openssl(*argv):
    subprocess.run(["openssl", *argv], check=True, capture_output=True, timeout=30)


def write_private(path, text):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


class Pki:
    """DIR/ca.pem and keys; server.pem for the hosts given; client.pem of CN=admin; other-ca.pem, which
    signed nothing of this. What is there already is kept: a server that comes back is the same."""

    def __init__(self, directory, hosts):
        self.dir = directory
        if os.path.exists(self.file("client.pem")):
            return
        for name in ("ca", "other-ca"):
            openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", f"/CN={name}", "-keyout", self.file(f"{name}.key"), "-out",
                    self.file(f"{name}.pem"))
        names = ["DNS:localhost", "DNS:kubernetes.default.svc", "IP:127.0.0.1", "IP:::1"]
        names += [f"IP:{h}" if h.replace(".", "").isdigit() or ":" in h else f"DNS:{h}" for h in hosts]
        self.sign("server", "/CN=kube-apiserver", ",".join(sorted(set(names))))
        self.sign("client", "/O=system:masters/CN=admin", "DNS:admin")

    def file(self, name):
        return os.path.join(self.dir, name)

    def sign(self, name, subject, alternative):
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", subject,
                "-keyout", self.file(f"{name}.key"), "-out", self.file(f"{name}.csr"))
        write_private(self.file("ext"), f"subjectAltName={alternative}\n")
        openssl("x509", "-req", "-in", self.file(f"{name}.csr"), "-CA", self.file("ca.pem"), "-CAkey",
                self.file("ca.key"), "-CAcreateserial", "-days", "2", "-extfile", self.file("ext"),
                "-out", self.file(f"{name}.pem"))


def kubeconfig(url, ca_file, user):
    """In JSON, which is YAML."""
    with open(ca_file, "rb") as file:
        ca = base64.b64encode(file.read()).decode()
    return json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "fake",
        "clusters": [{"name": "fake", "cluster": {"server": url, "certificate-authority-data": ca}}],
        "users": [{"name": "fake", "user": user}],
        "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}]}, indent=1) + "\n"


class Access:
    """Tokens: {TOKEN: {"user", "rules": [{"verbs", "groups", "resources", "namespaces"?, "names"?}]}}. `*`
    is all; without `namespaces` or `names`, all; without `rules`, everything is permitted."""

    def __init__(self, directory, tokens):
        self.path = os.path.join(directory, "admin-token")
        if not os.path.exists(self.path):
            write_private(self.path, secrets.token_urlsafe(24))
        with open(self.path, encoding="utf-8") as file:
            self.admin = file.read()
        self.tokens = {**tokens, self.admin: {"user": "admin"}}

    def who(self, authorization, certificate):
        """The user of a request: a map as above; Refused."""
        if authorization:
            kind, _, token = authorization.partition(" ")
            known = self.tokens.get(token.strip()) if kind.lower() == "bearer" else None
            if known is not None and not known.get("expired"):
                return known
        elif certificate:
            names = {k: v for part in certificate.get("subject", ()) for k, v in part}
            if names.get("organizationName") == "system:masters":
                return {"user": names.get("commonName", "")}
            return {"user": names.get("commonName", ""), "rules": []}
        raise Refused(401, "Unauthorized", "Unauthorized")

    @staticmethod
    def check(user, verb, resource, ns, name, subresource):
        if "rules" not in user:
            return
        plural = f"{resource.plural}/{subresource}" if subresource else resource.plural
        for rule in user["rules"]:
            def has(field, value, rule=rule):
                return not {"*", value}.isdisjoint(rule.get(field, ["*"]))
            if (has("verbs", verb) and has("groups", resource.group) and has("resources", plural) and
                    has("namespaces", ns or "*") and has("names", name or "*")):
                return
        where = f'in the namespace "{ns}"' if ns else "at the cluster scope"
        named = f' "{name}"' if name else ""
        raise Refused(403, "Forbidden", f'{resource.full_name}{named} is forbidden: User '
                      f'"{user["user"]}" cannot {verb} resource "{plural}" in API group '
                      f'"{resource.group}" {where}', resource.details(name))
