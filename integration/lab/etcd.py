"""A real etcd, alone in its namespace `store` on the management network, with which the nodes agree."""

import http.client
import os
import signal

from . import netns

ADDRESS = "10.25.151.100"
PORT = 2379


class Etcd:
    uri = f"etcd:http://{ADDRESS}:{PORT}"

    def __init__(self, lab):
        self.lab, self.process = lab, None
        self.data = os.path.join(lab.dir, "etcd")

    def start(self):
        """Returns when it answers; what it knew it still knows."""
        os.makedirs(self.data, mode=0o700, exist_ok=True)
        url = f"http://{ADDRESS}:{PORT}"
        self.process = self.lab.spawn("store", "etcd", [
            "etcd", "--name", "lab", "--data-dir", self.data, "--listen-client-urls", url,
            "--advertise-client-urls", url, "--listen-peer-urls", f"http://{ADDRESS}:2380",
            "--initial-advertise-peer-urls", f"http://{ADDRESS}:2380",
            "--initial-cluster", f"lab=http://{ADDRESS}:2380", "--logger", "zap",
            "--log-outputs", "stderr"])
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

    @staticmethod
    def healthy():
        def ask():
            connection = http.client.HTTPConnection(ADDRESS, PORT, timeout=0.5)
            try:
                connection.request("GET", "/health")
                return b'"true"' in connection.getresponse().read()
            except (OSError, http.client.HTTPException):
                return False
            finally:
                connection.close()
        return netns.inside("store", ask)
