"""A real etcd, alone in its namespace `store` on the management network, with which the nodes agree.

Etcd speaks plain HTTP and asks nobody who they are; SecureEtcd wants a client certificate and a user
with a password, and proves who it is.
"""

import http.client
import os
import signal
import ssl
import subprocess

from . import netns

ADDRESS = "10.25.151.100"
PORT = 2379


class Etcd:
    scheme = "http"
    tls = ()  # further flags of etcd

    def __init__(self, lab):
        self.lab, self.process = lab, None
        self.data = os.path.join(lab.dir, "etcd")
        self.url = f"{self.scheme}://{ADDRESS}:{PORT}"
        self.uri = f"etcd:{self.url}"
        self.settings = []  # further flags of heraldd

    def start(self):
        """Returns when it answers; what it knew it still knows."""
        os.makedirs(self.data, mode=0o700, exist_ok=True)
        self.process = self.lab.spawn("store", "etcd", [
            "etcd", "--name", "lab", "--data-dir", self.data, "--listen-client-urls", self.url,
            "--advertise-client-urls", self.url, "--listen-peer-urls", f"http://{ADDRESS}:2380",
            "--initial-advertise-peer-urls", f"http://{ADDRESS}:2380",
            "--initial-cluster", f"lab=http://{ADDRESS}:2380", "--logger", "zap",
            "--log-outputs", "stderr", *self.tls])
        self.lab.wait(self.healthy, 15, "etcd answers")

    def stop(self):
        """SIGTERM, and until it is gone."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(15)
            self.lab.kill(self.process)
        self.process = None

    def freeze(self):
        """It answers nothing, but its connections stay open, until thaw()."""
        self.lab.signal(self.process, signal.SIGSTOP)

    def thaw(self):
        self.lab.signal(self.process, signal.SIGCONT)

    def _connect(self):
        return http.client.HTTPConnection(ADDRESS, PORT, timeout=0.5)

    def healthy(self):
        def ask():
            connection = self._connect()
            try:
                connection.request("GET", "/health")
                return b'"true"' in connection.getresponse().read()
            except (OSError, http.client.HTTPException):
                return False
            finally:
                connection.close()
        return netns.inside("store", ask)


class SecureEtcd(Etcd):
    scheme = "https"
    user = "herald"

    def __init__(self, lab):
        super().__init__(lab)
        self.pki = os.path.join(lab.dir, "pki")
        os.mkdir(self.pki, mode=0o700)
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                      "-days", "2", "-subj", "/CN=lab-ca", "-keyout", self.file("ca.key"), "-out",
                      self.file("ca.crt"))
        self._sign("server", f"IP:{ADDRESS}", "/CN=etcd")
        # Where etcd has users, its gateway takes no certificate with a common name.
        self._sign("client", "DNS:client", "/O=herald")
        self.tls = ["--cert-file", self.file("server.crt"), "--key-file", self.file("server.key"),
                    "--client-cert-auth", "--trusted-ca-file", self.file("ca.crt")]
        self.password = os.path.join(lab.dir, "etcd-password")
        with open(os.open(self.password, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write("correct-horse\n")  # etcdctl reads a word
        self.settings = ["--store-ca-file", self.file("ca.crt"),
                         "--store-cert-file", self.file("client.crt"),
                         "--store-key-file", self.file("client.key"),
                         "--store-user", self.user, "--store-password-file", self.password]
        self.locked = False

    def file(self, name):
        return os.path.join(self.pki, name)

    @staticmethod
    def _openssl(*argv):
        subprocess.run(["openssl", *argv], check=True, capture_output=True, timeout=20)

    def _sign(self, name, alternative, subject):
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                      subject, "-keyout", self.file(f"{name}.key"), "-out",
                      self.file(f"{name}.csr"))
        with open(self.file(f"{name}.ext"), "w") as file:
            file.write(f"subjectAltName={alternative}\n")
        self._openssl("x509", "-req", "-in", self.file(f"{name}.csr"), "-CA", self.file("ca.crt"),
                      "-CAkey", self.file("ca.key"), "-CAcreateserial", "-days", "2", "-extfile",
                      self.file(f"{name}.ext"), "-out", self.file(f"{name}.crt"))

    def _connect(self):
        context = ssl.create_default_context(cafile=self.file("ca.crt"))
        context.load_cert_chain(self.file("client.crt"), self.file("client.key"))
        return http.client.HTTPSConnection(ADDRESS, PORT, timeout=0.5, context=context)

    def start(self):
        """The first time, a user is made who may read and write Herald's keys alone."""
        super().start()
        if self.locked:
            return
        for argv in (["user", "add", "root:lab"], ["user", "add", self.user, "--interactive=false"],
                     ["role", "add", self.user],
                     ["role", "grant-permission", self.user, "readwrite", "/herald/", "--prefix"],
                     ["user", "grant-role", "root", "root"],
                     ["user", "grant-role", self.user, self.user], ["auth", "enable"]):
            self.ctl(*argv)
        self.locked = True

    def ctl(self, *argv):
        """etcdctl, which is told herald's password where it asks for one."""
        with open(self.password) as password:
            return netns.inside("store", lambda: subprocess.run(
                ["etcdctl", "--endpoints", self.url, "--cacert", self.file("ca.crt"), "--cert",
                 self.file("client.crt"), "--key", self.file("client.key"), *argv],
                check=True, capture_output=True, text=True, timeout=20, stdin=password,
                env={**os.environ, "ETCDCTL_API": "3"})).stdout


KINDS = {"etcd": Etcd, "etcd-secure": SecureEtcd}
