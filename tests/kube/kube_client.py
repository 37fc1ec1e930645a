"""A client of an API server, for tests: requests and watches as they are, and nothing repeated.

    api = Api("/path/to/kubeconfig")        # in JSON, or the YAML that is written in one line each
    reply = api.get("/api/v1/namespaces/default/services/web")
    reply.code, reply.body, reply.headers
"""

import base64
import contextlib
import http.client
import json
import os
import re
import socket
import ssl
import tempfile
import time
from urllib.parse import quote, urlsplit


class Reply:
    def __init__(self, code, headers, body):
        self.code, self.headers, self.body = code, headers, body

    @property
    def version(self):
        return self.body["metadata"]["resourceVersion"]

    def __repr__(self):
        return f"{self.code} {json.dumps(self.body)[:2000]}"


def read_kubeconfig(path):
    """{"server", "ca", "token", "cert", "key"}: of what the lab and kube-apiserver's test environment
    write, one cluster and one user, the values on lines of their own or in JSON."""
    with open(path, encoding="utf-8") as file:
        text = file.read()

    def find(name):
        found = re.search(rf'"?\b{name}"?: *"?([^"\s,}}]+)', text)
        return found and found[1]

    def data(name):
        if find(f"{name}-data"):
            return base64.b64decode(find(f"{name}-data"))
        if find(name):
            with open(find(name), "rb") as pem:
                return pem.read()
        return None
    return {"server": find("server"), "ca": data("certificate-authority"), "token": find("token"),
            "cert": data("client-certificate"), "key": data("client-key")}


class Api:
    def __init__(self, kubeconfig, token=None, agent="kube-tests/1"):
        known = read_kubeconfig(kubeconfig)
        self.url = urlsplit(known["server"])
        self.agent = agent
        self.token = token or known["token"]
        self.tls = ssl.create_default_context(cadata=known["ca"].decode())
        self.tls.minimum_version = ssl.TLSVersion.TLSv1_3
        if known["cert"] and token is None:
            with tempfile.TemporaryDirectory() as directory:
                path = os.path.join(directory, "client.pem")
                with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
                    file.write(known["cert"] + b"\n" + known["key"])
                self.tls.load_cert_chain(path)
        self.kept = None

    def close(self):
        if self.kept:
            self.kept.close()
        self.kept = None

    def __del__(self):
        self.close()

    def connect(self, timeout=30):
        made = http.client.HTTPSConnection(self.url.hostname, self.url.port, timeout=timeout,
                                           context=self.tls)
        made.connect()
        made.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def headers(self, kind, accept):
        made = {"Content-Type": kind, "Accept": accept, "User-Agent": self.agent}
        if self.token:
            made["Authorization"] = f"Bearer {self.token}"
        return made

    def call(self, method, path, body=None, kind="application/json", accept="application/json", **query):
        """One request, on the connection kept if there is one. OSError and HTTPException as they come."""
        if query:
            path += "?" + "&".join(f"{k}={quote(str(v), safe='')}" for k, v in query.items())
        if body is not None and not isinstance(body, str):
            body = json.dumps(body)
        connection, self.kept = self.kept or self.connect(), None
        try:
            connection.request(method, path, body, self.headers(kind, accept))
            response = connection.getresponse()
            text = response.read()
        except BaseException:
            connection.close()
            raise
        try:
            said = json.loads(text)
        except ValueError:
            said = text.decode(errors="replace")
        if response.will_close:
            connection.close()
        else:
            self.kept = connection
        return Reply(response.status, response.headers, said)

    def get(self, path, **query):
        return self.call("GET", path, **query)

    def post(self, path, body, **query):
        return self.call("POST", path, body, **query)

    def put(self, path, body, **query):
        return self.call("PUT", path, body, **query)

    def delete(self, path, body=None, **query):
        return self.call("DELETE", path, body, **query)

    def merge(self, path, body, **query):
        return self.call("PATCH", path, body, "application/merge-patch+json", **query)

    def apply(self, path, body, manager, force=False, **query):
        return self.call("PATCH", path, body, "application/apply-patch+yaml", fieldManager=manager,
                         force=str(force).lower(), **query)

    def watch(self, path, seconds=10, **query):
        return Watch(self, path, seconds, query)


class Watch:
    """Yields events as they come, until the server ends it; TimeoutError after `seconds` of silence."""

    def __init__(self, api, path, seconds, query):
        words = "&".join(f"{k}={quote(str(v), safe='')}" for k, v in {"watch": "true", **query}.items())
        self.connection = api.connect(seconds)
        self.sock = self.connection.sock
        self.connection.request("GET", f"{path}?{words}", None,
                                api.headers("application/json", "application/json"))
        self.response = self.connection.getresponse()
        self.code = self.response.status

    def __iter__(self):
        return self

    def __next__(self):
        line = self.response.readline()
        if not line:
            raise StopIteration
        return json.loads(line)

    def take(self, count):
        return [next(self) for _ in range(count)]

    def close(self):
        """Also while another thread waits for the next event."""
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)
        self.response.close()
        self.connection.close()

    def __del__(self):
        self.close()


def eventually(condition, seconds=15, what="the condition"):
    until = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > until:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)
