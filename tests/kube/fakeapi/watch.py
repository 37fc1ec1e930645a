"""A watch: what is there, if it is asked for; then every change, and bookmarks."""

import json
import random
import time

from . import selectors
from .faults import OF_WATCH
from .resources import Refused


def event(kind, data):
    return b'{"type":"%s","object":%s}' % (kind.encode(), data)


def failure(code, reason, message):
    return event("ERROR", json.dumps(Refused(code, reason, message).status()).encode())


def bookmark(target, rv, initial=False):
    meta = {"resourceVersion": str(rv), "creationTimestamp": None}
    if initial:
        meta["annotations"] = {"k8s.io/initial-events-end": "true"}
    body = {"kind": target.resource.kind, "apiVersion": target.api_version, "metadata": meta}
    if target.partial:
        body.update(kind="PartialObjectMetadata", apiVersion="meta.k8s.io/v1")
    return event("BOOKMARK", json.dumps(body).encode())


def stream(target, connection):
    request, server, store = target.request, target.server, target.store
    select = selectors.Selector(target.resource, target.ns, request.query)
    initial = request.query.get("sendInitialEvents")
    match = request.query.get("resourceVersionMatch", "")
    if initial is not None and not server.settings["watchList"]:
        raise Refused(422, "Invalid", 'ListOptions.meta.k8s.io "" is invalid: sendInitialEvents: '
                      "Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature "
                      "gate is enabled")
    if (initial is not None) != (match == "NotOlderThan") or (match and initial is None):
        raise Refused(422, "Invalid", 'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: '
                      "Forbidden: goes with sendInitialEvents, as NotOlderThan, and with it alone")
    since = request.number("resourceVersion") or 0
    seconds = request.number("timeoutSeconds") or random.uniform(1800, 3600)
    listing = request.flag("sendInitialEvents") if initial is not None else since == 0
    table = store.table(target.resource)
    with store.lock:
        server.watches[target.resource.plural] += 1
        there = []
        if listing:
            since = store.rv
            there = [e for _, e in sorted(table.entries.items()) if select.has(e)]
        elif initial is not None and since == 0:
            since = store.rv
    try:
        connection.begin_stream()
        if initial is not None and (request.number("resourceVersion") or 0) > store.rv:
            connection.line(failure(504, "Timeout", "Too large resource version"))
            connection.end_stream()
            return
        for entry in there:
            connection.line(event("ADDED", target.bytes(entry)))
        if initial is not None and listing and request.flag("allowWatchBookmarks"):
            connection.line(bookmark(target, since, initial=True))
        follow(target, connection, select, table, since, time.monotonic() + seconds)
    finally:
        with store.lock:
            server.watches[target.resource.plural] -= 1


def follow(target, connection, select, table, since, until):
    """Changes after `since`, until time is up."""
    request, server, store = target.request, target.server, target.store
    marks = request.flag("allowWatchBookmarks")
    last_mark = time.monotonic()
    while True:
        with store.lock:
            now = time.monotonic()
            next_mark = last_mark + server.settings["bookmarkInterval"]
            if table.alive and since >= table.floor and not table.since(since):
                due = min(until, next_mark if marks else until, now + 0.5)
                table.news.wait(max(0.0, due - now))
            expired, changes, now_rv = since < table.floor, table.since(since), store.rv
        if connection.left():
            return
        fault = server.faults.take("WATCH", request.target, request.agent, OF_WATCH)
        if fault and not meet(fault, target, connection):
            return
        if expired:
            connection.line(failure(410, "Expired", f"too old resource version: {since} ({now_rv})"))
            connection.end_stream()
            return
        for change in changes:
            line = seen(target, select, change)
            if line:
                connection.line(line)
        since = max(since, now_rv)
        if not table.alive and not table.since(since):
            connection.end_stream()
            return
        now = time.monotonic()
        if marks and now >= last_mark + server.settings["bookmarkInterval"]:
            connection.line(bookmark(target, since))
            last_mark = now
        if now >= until:
            if marks:
                connection.line(bookmark(target, since))
            connection.end_stream()
            return


def seen(target, select, change):
    """A change as the selector sees it; None if it does not."""
    has = select.has(change.entry) and change.kind != "DELETED"
    had = change.before is not None and select.has(change.before)
    if has:
        return event("MODIFIED" if had else "ADDED", target.bytes(change.entry))
    return event("DELETED", target.bytes(change.entry)) if had else None


def meet(fault, target, connection):
    """A fault during a watch; returns whether the watch goes on."""
    kind = fault["kind"]
    if kind == "watch-410":
        connection.line(failure(410, "Expired", "too old resource version: commanded"))
    elif kind == "watch-error":
        connection.line(failure(fault.get("code", 500), fault.get("reason", "InternalError"),
                                "commanded"))
    elif kind == "watch-garbage":
        connection.line(b'{"type":"ADDED","object":{"kind":')
        return True
    elif kind == "watch-cut":
        connection.half_line(event("ADDED", b'{"kind":"%s","metadata":{"name":"half"}}'
                                   % target.resource.kind.encode()))
    elif kind == "watch-dead":
        until = target.server.faults
        while until.standing(fault) and not connection.left():
            until.wait_until_cleared(fault, 0.5)
        return False
    connection.end_stream()
    return False
