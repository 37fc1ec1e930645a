"""What goes wrong, on command. A fault is a map:

    kind     what happens (KINDS)
    method   GET, LIST, WATCH, POST ...; or none: any     path   a regular expression on path and
    agent    a regular expression on User-Agent                  query; none: any
    count    how many requests it meets (1); -1: all until it is cleared

and what the kind takes beside these. A watch that is already open is met by the kinds of WATCH as well.
"""

import itertools
import re
import threading

# kind -> what it does, and its own settings
KINDS = {
    "status": "answers `code` (500) with `reason`, `message` and Retry-After `retryAfter`, undone",
    "answer": "answers `code` (200) and `body` as `contentType` (application/json), undone",
    "truncate": "the answer's JSON ends halfway (or after `bytes`), in good order",
    "cut": "the connection is cut in the middle of the answer (or after `bytes`)",
    "trickle": "the answer comes in parts of `bytes` (16) every `every` (0.05) seconds",
    "lost-reply": "the request is carried out, and the connection cut without an answer",
    "hang": "no answer until the fault is cleared; the request is not carried out",
    "late": "the answer comes after `seconds` (1); the request is carried out before",
    "stale": "a list is that of `behind` (1) changes of all objects ago",
    "watch-410": "an ERROR event, 410 Expired, ends the watch",
    "watch-end": "the server ends the watch in good order",
    "watch-cut": "the connection is cut in the middle of an event",
    "watch-garbage": "a line that is not JSON",
    "watch-dead": "neither events nor bookmarks come any more, until the fault is cleared",
    "watch-error": "an ERROR event with `code` (500) and `reason` ends the watch",
}
OF_WATCH = {k for k in KINDS if k.startswith("watch-")}


class Faults:
    def __init__(self):
        self.lock = threading.Lock()
        self.changed = threading.Condition(self.lock)
        self.ids = itertools.count(1)
        self.list = []

    def add(self, fault):
        """Returns its number; ValueError with a sentence."""
        if fault.get("kind") not in KINDS:
            raise ValueError(f"there is no fault '{fault.get('kind')}': {', '.join(KINDS)}")
        with self.lock:
            made = {"count": 1, **fault, "id": next(self.ids), "hits": 0}
            re.compile(made.get("path", "")), re.compile(made.get("agent", ""))
            self.list.append(made)
            return made["id"]

    def clear(self, number=None):
        with self.lock:
            self.list = [f for f in self.list if number is not None and f["id"] != number]
            self.changed.notify_all()

    def standing(self, fault):
        return any(f["id"] == fault["id"] for f in self.list)

    def wait_until_cleared(self, fault, seconds):
        with self.lock:
            return self.changed.wait_for(lambda: not self.standing(fault), seconds)

    def take(self, method, path, agent, kinds):
        """The first fault that meets the request, counted; None."""
        with self.lock:
            for fault in self.list:
                if (fault["kind"] in kinds and fault["count"] != 0 and
                        fault.get("method", method) == method and
                        re.search(fault.get("path", ""), path) and
                        re.search(fault.get("agent", ""), agent)):
                    fault["hits"] += 1
                    if fault["count"] > 0:
                        fault["count"] -= 1
                    return dict(fault)
        return None
