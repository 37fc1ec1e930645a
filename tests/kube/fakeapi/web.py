"""HTTP/1.1 over TLS 1.3, a thread for each connection; and over a Unix socket, without TLS, faults or
refusals, for whoever commands the server."""

import collections
import contextlib
import json
import os
import re
import select
import socket
import ssl
import threading
import time
from email.utils import format_datetime
from urllib.parse import parse_qs, unquote, urlsplit

from . import api, control
from .faults import KINDS, OF_WATCH
from .resources import Refused

LIMIT = 3 << 20  # of a request's body


class Gone(Exception):
    """The connection is to be cut."""


class Request:
    def __init__(self, method, target, headers, body):
        self.method, self.target, self.headers, self.body = method, target, headers, body
        url = urlsplit(target)
        self.path = unquote(url.path)
        self.query = {k: v[-1] for k, v in parse_qs(url.query, keep_blank_values=True).items()}
        self.agent = headers.get("user-agent", "")
        self.user = None

    def flag(self, name):
        return self.query.get(name, "") in ("true", "1")

    def number(self, name):
        """A query's number; None if it is not there."""
        text = self.query.get(name)
        if not text:
            return None
        if not re.fullmatch(r"[0-9]{1,18}", text):
            raise Refused(400, "BadRequest", f"{name}: Invalid value: \"{text}\"")
        return int(text)

    def json(self):
        try:
            body = json.loads(self.body)
        except ValueError as error:
            raise Refused(400, "BadRequest", f"the body is not JSON: {error}") from None
        if not isinstance(body, dict):
            raise Refused(400, "BadRequest", "the body is not an object")
        return body


class Connection:
    """One of a client: reads requests, writes answers, until either has enough."""

    def __init__(self, server, sock, trusted):
        self.server, self.sock, self.trusted = server, sock, trusted
        self.input = None
        self.certificate = None

    def run(self):
        try:
            if not self.trusted:
                self.sock.settimeout(20)
                self.sock = self.server.tls.wrap_socket(self.sock, server_side=True)
                self.certificate = self.sock.getpeercert()
            self.sock.settimeout(None)
            self.input = self.sock.makefile("rb")
            while self.serve_one():
                pass
        except (OSError, ssl.SSLError, Gone, ValueError):
            pass
        finally:
            self.close()
            self.server.forget(self)

    def close(self):
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            self.sock.close()

    def serve_one(self):
        line = self.input.readline(65536).decode("latin-1").split()
        if len(line) != 3:
            return False
        headers = {}
        while True:
            name, _, value = self.input.readline(65536).decode("latin-1").partition(":")
            if not name.strip():
                break
            headers[name.strip().lower()] = value.strip()
        if "chunked" in headers.get("transfer-encoding", ""):
            body = b"".join(iter(self._chunk, b""))
        else:
            length = int(headers.get("content-length") or 0)
            body = self.input.read(length) if length <= LIMIT else None
        prefix = "" if self.trusted else self.server.prefix
        if not line[1].startswith(prefix + "/"):
            self.refuse(Refused(404, "NotFound", f"nothing but {prefix}/ is here"))
            return False
        request = Request(line[0], line[1][len(prefix):], headers, body)
        if body is None:
            self.refuse(Refused(413, "RequestEntityTooLarge", f"limit is {LIMIT}"))
            return False
        self.answer(request)
        return headers.get("connection", "").lower() != "close"

    def _chunk(self):
        size = int(self.input.readline(100).split(b";")[0], 16)
        data = self.input.read(size)
        self.input.readline(100)
        return data

    # -- answering --------------------------------------------------------------------------------

    def answer(self, request):
        try:
            if request.path.startswith("/__"):
                if not self.trusted and self.who(request)["user"] != "admin":
                    raise Refused(403, "Forbidden", "the admin token alone commands this server")
                self.send(200, json.dumps(control.handle(self.server, request)).encode() + b"\n")
                return
            request.user = {"user": "admin"} if self.trusted else self.who(request)
            target = api.route(self.server, request)
            if not self.trusted:
                self.server.count(request, target.verb)
            fault = None if self.trusted else self.server.faults.take(
                target.verb, request.target, request.agent, self.server.plain_faults)
            if fault and self.before(fault):
                return
            if target.verb == "WATCH":
                target.watch(self)
                return
            if fault and fault["kind"] == "stale":
                target.behind = fault.get("behind", 1)
            refused = None
            try:
                code, body = target.run()
            except Refused as error:
                refused, code, body = error, error.code, json.dumps(error.status()).encode()
            self.send(code, body, headers=refused.headers if refused else None, fault=fault)
        except Refused as error:
            self.refuse(error)

    def who(self, request):
        return self.server.access.who(request.headers.get("authorization"), self.certificate)

    def refuse(self, error):
        if error.text:
            self.send(error.code, error.text.encode(), "text/plain; charset=utf-8")
            return
        self.send(error.code, json.dumps(error.status()).encode() + b"\n", headers=error.headers)

    def before(self, fault):
        """Faults instead of the work; returns whether that was all."""
        kind = fault["kind"]
        if kind == "status":
            headers = {"Retry-After": str(fault["retryAfter"])} if "retryAfter" in fault else {}
            code = fault.get("code", 500)
            self.refuse(Refused(code, fault.get("reason", "InternalError"),
                                fault.get("message", f"commanded: {code}"), None, headers))
            return True
        if kind == "answer":
            body = fault.get("body", "")
            self.send(fault.get("code", 200), (body if isinstance(body, str) else
                                               json.dumps(body)).encode(),
                      fault.get("contentType", "application/json"))
            return True
        if kind == "hang":
            self.server.faults.wait_until_cleared(fault, fault.get("seconds", 600))
            raise Gone
        return False

    def head(self, code, kind, further):
        lines = [f"HTTP/1.1 {code} {'OK' if code < 300 else 'Not OK'}",
                 f"Date: {format_datetime(self.server.store.now(), usegmt=True)}",
                 f"Content-Type: {kind}", "Audit-Id: fake", *(f"{k}: {v}" for k, v in further.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def send(self, code, body, kind="application/json", headers=None, fault=None):
        how = fault["kind"] if fault else ""
        if how == "lost-reply":
            raise Gone
        if how == "late":
            time.sleep(fault.get("seconds", 1))
        if how == "truncate":
            body = body[:fault.get("bytes", len(body) // 2)]
        data = self.head(code, kind, {"Content-Length": len(body), **(headers or {})})
        if how == "cut":
            self.sock.sendall(data + body[:fault.get("bytes", len(body) // 2)])
            raise Gone
        if how == "trickle":
            size = fault.get("bytes", 16)
            data += body
            for at in range(0, len(data), size):
                self.sock.sendall(data[at:at + size])
                time.sleep(fault.get("every", 0.05))
            return
        self.sock.sendall(data + body)

    # -- a stream ---------------------------------------------------------------------------------

    def begin_stream(self):
        self.sock.sendall(self.head(200, "application/json", {"Transfer-Encoding": "chunked"}))

    def line(self, data):
        data += b"\n"
        self.sock.sendall(b"%x\r\n%s\r\n" % (len(data), data))

    def half_line(self, data):
        """The chunk says more than comes."""
        self.sock.sendall(b"%x\r\n%s" % (len(data) + 1, data[:len(data) // 2]))
        raise Gone

    def end_stream(self):
        self.sock.sendall(b"0\r\n\r\n")

    def left(self):
        """Whether the client has gone: it says nothing during a watch, but may close."""
        ready, _, _ = select.select([self.sock], [], [], 0)
        return bool(ready)


class Server:
    def __init__(self, address, settings, store, access, faults, tls):
        self.settings, self.store, self.access, self.faults = settings, store, access, faults
        self.tls = tls
        self.lock = threading.Lock()
        self.connections, self.listeners = set(), {}
        self.address = address
        self.prefix = ""  # not on the control socket
        self.counts = collections.Counter()
        self.opened = 0
        self.watches = collections.Counter()  # open now, by resource
        self.plain_faults = set(KINDS) - OF_WATCH

    # -- listening --------------------------------------------------------------------------------

    def listen(self):
        """Opens the port; at 0, any that is free, which is kept from then on."""
        sock = socket.socket(socket.AF_INET6 if ":" in self.address[0] else socket.AF_INET)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(self.address)
        sock.listen(256)
        self.address = (self.address[0], sock.getsockname()[1])
        self._accept("tls", sock)

    def listen_control(self, path):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(path)
        os.chmod(path, 0o600)
        sock.listen(64)
        self._accept("control", sock)

    def _accept(self, name, sock):
        self.listeners[name] = sock

        def work():
            while True:
                try:
                    conn, _ = sock.accept()
                except OSError:
                    return
                if name == "tls":
                    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                made = Connection(self, conn, name == "control")
                with self.lock:
                    if self.listeners.get(name) is not sock:
                        conn.close()
                        return
                    self.connections.add(made)
                    self.opened += name == "tls"
                threading.Thread(target=made.run, daemon=True).start()
        threading.Thread(target=work, daemon=True).start()

    def down(self):
        """Refuses connections, and cuts those that are there."""
        with self.lock:
            sock = self.listeners.pop("tls", None)
            cut = [c for c in self.connections if not c.trusted]
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)  # wakes accept()
            sock.close()
        for connection in cut:
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    def up(self):
        if "tls" not in self.listeners:
            self.listen()

    def forget(self, connection):
        with self.lock:
            self.connections.discard(connection)

    # -- counting ---------------------------------------------------------------------------------

    def count(self, request, verb):
        found = re.match(r"/(?:api/v1|apis/[^/]+/[^/]+)(?:/namespaces/[^/]+)?/([^/]+)(?:/[^/]+)?"
                         r"(?:/(status))?$", request.path)
        resource = "/".join(g for g in found.groups() if g) if found else request.path
        with self.lock:
            self.counts[verb, resource, request.agent] += 1
