#!/usr/bin/env python3
"""The project's own Kubernetes API server, for tests: real TLS, real watches, conflicts, pages,
bookmarks, refusals, server-side apply, and a list of faults.

    fake_apiserver.py --listen 127.0.0.1:0 --dir DIR

writes DIR/ca.pem, DIR/kubeconfig (admin's token), DIR/kubeconfig-cert (a client certificate),
DIR/admin-token and DIR/port, then says "ready PORT" on stdout. It ends with SIGTERM, or when its stdin
does, if --with-parent is given. Objects are in memory.

Beside the API, for the admin alone, and on the Unix socket DIR/control without TLS, faults and tokens
(there the whole API is served as well):
    POST /__faults {"kind": "watch-410", "path": "services", "count": 1}   see fakeapi/faults.py
    GET /__faults: what still stands, and how often it was met; DELETE /__faults[?id=N]
    GET /__stats: requests by verb, resource and user agent; DELETE: and start from nothing
    POST /__config: bookmarkInterval, establishDelay, history, watchList, clockOffset (seconds)
    POST /__tokens {TOKEN: {"user": ..., "rules": [...], "expired": true}}
    POST /__down, /__up: refuses connections, and takes them again, at the same port
    POST /__compact: old resourceVersions have expired
"""

import argparse
import json
import os
import signal
import ssl
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from fakeapi.access import Access, Pki, kubeconfig, write_private  # noqa: E402
from fakeapi.faults import Faults  # noqa: E402
from fakeapi.store import Store  # noqa: E402
from fakeapi.web import Server  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listen", default="127.0.0.1:0", metavar="HOST:PORT")
    parser.add_argument("--dir", required=True)
    parser.add_argument("--tokens", metavar="FILE", help="JSON, see fakeapi/access.py")
    parser.add_argument("--host", action="append", default=[], help="another name of this server")
    parser.add_argument("--history", type=int, default=5000, help="changes kept for each resource")
    parser.add_argument("--bookmark-interval", type=float, default=60, metavar="SECONDS")
    parser.add_argument("--establish-delay", type=float, default=0.1, metavar="SECONDS",
                        help="until a new CustomResourceDefinition is served")
    parser.add_argument("--no-watch-list", action="store_true", help="as older servers are")
    parser.add_argument("--path-prefix", default="", metavar="/PATH",
                        help="in front of every path, as behind a proxy for many clusters")
    parser.add_argument("--with-parent", action="store_true", help="end when stdin does")
    args = parser.parse_args()

    os.makedirs(args.dir, mode=0o700, exist_ok=True)
    host, _, port = args.listen.rpartition(":")
    host = host.strip("[]")
    tokens = {}
    if args.tokens:
        with open(args.tokens, encoding="utf-8") as file:
            tokens = json.load(file)
    settings = {"history": args.history, "bookmarkInterval": args.bookmark_interval, "clockOffset": 0,
                "establishDelay": args.establish_delay, "watchList": not args.no_watch_list}
    pki = Pki(args.dir, [host, *args.host])
    access = Access(args.dir, tokens)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.minimum_version = ssl.TLSVersion.TLSv1_3
    tls.load_cert_chain(pki.file("server.pem"), pki.file("server.key"))
    tls.load_verify_locations(pki.file("ca.pem"))
    tls.verify_mode = ssl.CERT_OPTIONAL
    server = Server((host, int(port)), settings, Store(settings), access, Faults(), tls)
    server.prefix = args.path_prefix
    server.listen_control(os.path.join(args.dir, "control"))
    server.listen()
    port = server.address[1]
    url = f"https://{f'[{host}]' if ':' in host else host}:{port}{args.path_prefix}"
    write_private(os.path.join(args.dir, "kubeconfig"),
                  kubeconfig(url, pki.file("ca.pem"), {"token": access.admin}))
    write_private(os.path.join(args.dir, "kubeconfig-cert"),
                  kubeconfig(url, pki.file("ca.pem"), {"client-certificate": pki.file("client.pem"),
                                                       "client-key": pki.file("client.key")}))
    write_private(os.path.join(args.dir, "port"), f"{port}\n")
    print(f"ready {port}", flush=True)
    if args.with_parent:
        threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
