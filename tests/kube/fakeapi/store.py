"""The objects, one resourceVersion over all of them, and what happened to them lately.

An Entry is never changed, but replaced; so lists and watches can be written without the lock.
"""

import copy
import datetime
import json
import random
import re
import threading
import uuid
from collections import deque

from . import fields, kinds, schema
from .resources import META_LISTS, Refused, builtin, from_crd

NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
ANY_NAME = re.compile(r"[^/%]+")
CRDS = ("apiextensions.k8s.io", "customresourcedefinitions")


class Entry:
    __slots__ = ("obj", "managers", "times", "_bytes")

    def __init__(self, obj, managers, times):
        self.obj, self.managers, self.times, self._bytes = obj, managers, times, {}

    def bytes(self, api_version):
        """As JSON, in one of the versions that are served."""
        if api_version not in self._bytes:
            self._bytes[api_version] = json.dumps({**self.obj, "apiVersion": api_version},
                                                  separators=(",", ":")).encode()
        return self._bytes[api_version]


class Change:
    __slots__ = ("rv", "kind", "key", "entry", "before")

    def __init__(self, rv, kind, key, entry, before):
        self.rv, self.kind, self.key, self.entry, self.before = rv, kind, key, entry, before


class Table:
    """All objects of a resource."""

    def __init__(self, resource, lock, rv):
        self.resource, self.entries, self.history = resource, {}, deque()
        self.floor = rv  # changes up to this one are forgotten
        self.news = threading.Condition(lock)
        self.alive = True

    def since(self, rv):
        found = []
        for change in reversed(self.history):
            if change.rv <= rv:
                break
            found.append(change)
        return found[::-1]

    def at(self, rv):
        """The entries as they were at an earlier resourceVersion."""
        entries = dict(self.entries)
        for change in reversed(self.history):
            if change.rv <= rv:
                break
            if change.before is None:
                entries.pop(change.key, None)
            else:
                entries[change.key] = change.before
        return entries


class Store:
    def __init__(self, settings):
        self.settings = settings
        self.lock = threading.RLock()
        self.rv = 100
        self.tables = {key: Table(r, self.lock, self.rv) for key, r in builtin().items()}
        self.random = random.Random(1)
        self.ips = {"IPv4": 0, "IPv6": 0}
        self.ports = 0
        for name in ("default", "kube-system", "kube-public", "kube-node-lease"):
            self.create(self.tables["", "namespaces"].resource, "", {
                "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, "fake")

    # -- what kinds.py asks for -------------------------------------------------------------------

    def cluster_ip(self, family):
        self.ips[family] += 1
        n = self.ips[family]
        return f"10.96.{n >> 8 & 255}.{n & 255}" if family == "IPv4" else f"fd00:96::{n:x}"

    def node_port(self):
        self.ports += 1
        return 30000 + self.ports % 2768

    def now(self):
        """What this server believes the time is."""
        return (datetime.datetime.now(datetime.timezone.utc) +
                datetime.timedelta(seconds=self.settings["clockOffset"]))

    def stamp(self):
        return self.now().strftime("%Y-%m-%dT%H:%M:%SZ")

    # -- reading ----------------------------------------------------------------------------------

    def table(self, resource):
        return self.tables[resource.group, resource.plural]

    def get(self, resource, ns, name):
        entry = self.table(resource).entries.get((ns, name))
        if entry is None:
            raise resource.not_found(name)
        return entry

    # -- writing ----------------------------------------------------------------------------------

    def create(self, resource, ns, body, manager, dry=False, owned=None):
        """`owned`: who owns what, if not `manager` everything."""
        with self.lock:
            obj = copy.deepcopy(body)
            meta = self._named(resource, ns, obj)
            name = meta.get("name")
            if not name:
                if not meta.get("generateName"):
                    raise resource.invalid("", ("metadata.name",
                                                "Required value: name or generateName is required"))
                meta["name"] = name = meta["generateName"] + "".join(
                    self.random.choice("bcdfghjklmnpqrstvwxz2456789") for _ in range(5))
            pattern = ANY_NAME if resource.group == "rbac.authorization.k8s.io" else NAME
            if not pattern.fullmatch(name) or len(name) > 253:
                raise resource.invalid(name, ("metadata.name", f'Invalid value: "{name}": must be a '
                                              "lowercase RFC 1123 subdomain"))
            if meta.get("resourceVersion"):
                raise Refused(500, "", "resourceVersion should not be set on objects to be created")
            if (ns, name) in self.table(resource).entries:
                raise resource.already_exists(name)
            self._in_living_namespace(resource, ns)
            if resource.status and resource.plural not in ("nodes", "namespaces"):
                obj.pop("status", None)
            for unknown in ("deletionTimestamp", "managedFields", "selfLink"):
                meta.pop(unknown, None)
            meta.update(uid=str(uuid.UUID(int=self.random.getrandbits(128), version=4)),
                        creationTimestamp=self.stamp())
            if resource.generation:
                meta["generation"] = 1
            if resource.plural == CRDS[1]:
                obj["status"] = {"conditions": None, "acceptedNames": {"plural": "", "kind": ""},
                                 "storedVersions": [v["name"] for v in obj["spec"]["versions"]
                                                    if v.get("storage")]}
            self._check(resource, None, obj, None)
            managers = owned or {(manager, "Update", ""): fields.field_set(obj, self._rules(resource))}
            return self._commit(resource, (ns, name), None, obj, managers, dry)

    def _named(self, resource, ns, obj):
        meta = obj.setdefault("metadata", {})
        if not isinstance(meta, dict):
            raise Refused(400, "BadRequest", "metadata is not an object")
        if resource.namespaced:
            if meta.setdefault("namespace", ns) != ns:
                raise Refused(400, "BadRequest", "the namespace of the provided object does not match "
                              "the namespace sent on the request")
        else:
            meta.pop("namespace", None)
        size = sum(len(k) + len(str(v)) for k, v in (meta.get("annotations") or {}).items())
        if size > 256 * 1024:
            raise resource.invalid(meta.get("name", ""), ("metadata.annotations",
                                                          "Too long: may not be more than 262144 bytes"))
        return meta

    def _in_living_namespace(self, resource, ns):
        if not resource.namespaced:
            return
        entry = self.tables["", "namespaces"].entries.get(("", ns))
        if entry is None:
            raise self.tables["", "namespaces"].resource.not_found(ns)
        if entry.obj["metadata"].get("deletionTimestamp"):
            raise Refused(403, "Forbidden", f"namespace {ns} is being terminated")

    @staticmethod
    def _rules(resource):
        return {**META_LISTS, **resource.lists}

    def _check(self, resource, old, new, subresource):
        """Defaults and refusals of a kind."""
        found = []
        rule = kinds.RULES.get((resource.group, resource.plural))
        if rule:
            found = rule(self, old, new, subresource)
        version = new["apiVersion"].split("/")[-1]
        if resource.custom and resource.schemas.get(version):
            wanted = resource.schemas[version]
            pruned = schema.prune(new, wanted, top=True)
            new.clear()
            new.update(pruned)
            found = schema.faults(new, wanted)
        if found:
            raise resource.invalid(new["metadata"].get("name", ""), *found)

    def update(self, resource, ns, name, body, manager, subresource="", dry=False):
        """PUT, and a merge patch once it is merged."""
        with self.lock:
            obj = copy.deepcopy(body)
            meta = self._named(resource, ns, obj)
            if meta.setdefault("name", name) != name:
                raise Refused(400, "BadRequest", f"the name of the object ({meta['name']}) does not "
                              f"match the name on the URL ({name})")
            old = self.table(resource).entries.get((ns, name))
            if old is None:
                if not resource.create_by_put or subresource:
                    raise resource.not_found(name)
                if meta.get("uid"):
                    raise resource.conflict(name, "uid mismatch: there is no such object")
                # The resourceVersion that is given does not count here, as little as at the real one.
                meta.pop("resourceVersion", None)
                return self.create(resource, ns, obj, manager, dry), True
            if not meta.get("resourceVersion") and not resource.blind_put:
                raise resource.invalid(name, ("metadata.resourceVersion", "Invalid value: 0: must be "
                                              "specified for an update"))
            self.check_preconditions(resource, old, meta.get("uid"), meta.get("resourceVersion"))
            new = self._replaced(resource, old.obj, obj, subresource)
            gone_or_changed = fields.changes(old.obj, new, self._rules(resource))
            managers = self._taken(old.managers, gone_or_changed, (manager, "Update", subresource))
            return self._commit(resource, (ns, name), old, new, managers, dry), False

    @staticmethod
    def check_preconditions(resource, old, uid, version):
        meta = old.obj["metadata"]
        if uid and uid != meta["uid"]:
            raise resource.conflict(meta["name"], f"Precondition failed: UID in precondition: {uid}, UID "
                                    f"in object meta: {meta['uid']}")
        if version and version != meta["resourceVersion"]:
            raise resource.conflict(meta["name"], "the object has been modified; please apply your "
                                    "changes to the latest version and try again")

    def _replaced(self, resource, old, obj, subresource):
        """The object that a write of `obj` makes of `old`."""
        if subresource == "status":
            new = {**copy.deepcopy(old), "apiVersion": obj.get("apiVersion", old["apiVersion"])}
            new.pop("status", None)
            if "status" in obj:
                new["status"] = obj["status"]
        else:
            new = {k: v for k, v in obj.items() if not (k == "status" and resource.status)}
            if resource.status and "status" in old:
                new["status"] = copy.deepcopy(old["status"])
            meta = new["metadata"] = {**obj["metadata"]}
            for name in ("uid", "creationTimestamp", "generation", "deletionTimestamp", "generateName",
                         "resourceVersion", "managedFields", "deletionGracePeriodSeconds"):
                meta.pop(name, None)
                if name in old["metadata"]:
                    meta[name] = old["metadata"][name]
        self._check(resource, old, new, subresource)
        if resource.generation and self._spec(old, resource) != self._spec(new, resource):
            new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
        return new

    @staticmethod
    def _spec(obj, resource):
        return {k: v for k, v in obj.items()
                if k not in ("metadata", "apiVersion", "kind") and not (k == "status" and resource.status)}

    @staticmethod
    def _taken(managers, gone_or_changed, me):
        changed, gone = gone_or_changed
        left = {m: paths - changed - gone for m, paths in managers.items()}
        left[me] = left.get(me, set()) | changed
        return {m: paths for m, paths in left.items() if paths}

    def apply(self, resource, ns, name, body, manager, force, subresource="", dry=False):
        """Server-side apply; returns (entry, whether it was made)."""
        with self.lock:
            applied = copy.deepcopy(body)
            meta = self._named(resource, ns, applied)
            if meta.setdefault("name", name) != name:
                raise Refused(400, "BadRequest", "the name of the object does not match the URL")
            if meta.get("managedFields"):
                raise Refused(400, "BadRequest", "metadata.managedFields must be nil")
            rules = self._rules(resource)
            uid, version = meta.pop("uid", None), meta.pop("resourceVersion", None)
            if subresource == "status":
                applied = {k: v for k, v in applied.items() if k in ("apiVersion", "kind", "status")}
                applied["metadata"] = {"name": name, **({"namespace": ns} if ns else {})}
            elif resource.status:
                applied.pop("status", None)
            me = (manager, "Apply", subresource)
            old = self.table(resource).entries.get((ns, name))
            if old is None:
                if uid:
                    raise resource.conflict(name, f"uid mismatch: the provided object specified uid {uid}, "
                                            "and no existing object was found")
                if subresource and resource.plural == "services":
                    # It would be made, if the whole of it were given.
                    raise resource.invalid(name, ("spec.ports", "Required value"))
                if subresource:
                    raise resource.not_found(name)
                owned = {me: fields.field_set(applied, rules)}
                return self.create(resource, ns, applied, manager, dry, owned), True
            if uid and uid != old.obj["metadata"]["uid"]:
                raise resource.invalid(name, ("metadata.uid", f'Invalid value: "{uid}": field is immutable'))
            self.check_preconditions(resource, old, None, version)
            result, managers, conflicts = fields.apply(old.obj, applied, old.managers, me, rules)
            if conflicts and not force:
                raise self._conflicts(old, conflicts)
            new = self._replaced(resource, old.obj, result, subresource)
            return self._commit(resource, (ns, name), old, new, managers, dry), False

    @staticmethod
    def _conflicts(old, conflicts):
        causes, lines = [], []
        for manager in sorted(conflicts):
            who = f'conflict with "{manager[0]}"'
            if manager[2]:
                who += f' with subresource "{manager[2]}"'
            if manager[1] == "Update":
                version, when = old.times[manager]
                who += f" using {version} at {when}"
            for path in conflicts[manager]:
                causes.append({"reason": "FieldManagerConflict", "message": who,
                               "field": fields.readable(path)})
                lines.append(f"{who}: {fields.readable(path)}")
        plural = "s" if len(lines) > 1 else ""
        return Refused(409, "Conflict", f"Apply failed with {len(lines)} conflict{plural}: " +
                       "\n- ".join(lines), {"causes": causes})

    @staticmethod
    def _managed(managers, times):
        return [{"manager": m[0], "operation": m[1], "apiVersion": times[m][0], "time": times[m][1],
                 "fieldsType": "FieldsV1", "fieldsV1": fields.as_fields_v1(paths),
                 **({"subresource": m[2]} if m[2] else {})} for m, paths in managers.items()]

    def _commit(self, resource, key, old, obj, managers, dry):
        meta = obj["metadata"] = dict(obj["metadata"])
        if old is not None:
            before = {k: v for k, v in old.obj["metadata"].items() if k != "managedFields"}
            after = {k: v for k, v in meta.items() if k != "managedFields"}
            if (managers == old.managers and before == after and
                    {**old.obj, "metadata": 0} == {**obj, "metadata": 0}):
                return old  # nothing changed: no new version, and nobody is told
        times = {}
        for manager, paths in managers.items():
            same = old is not None and old.managers.get(manager) == paths
            times[manager] = old.times[manager] if same else (obj["apiVersion"], self.stamp())
        meta["managedFields"] = self._managed(managers, times)
        if not meta["managedFields"]:
            del meta["managedFields"]
        if dry:
            meta.setdefault("resourceVersion", str(self.rv))
            return Entry(obj, managers, times)
        self.rv += 1
        meta["resourceVersion"] = str(self.rv)
        entry = Entry(obj, managers, times)
        if meta.get("deletionTimestamp") and not meta.get("finalizers"):
            return self._gone(resource, key, old, entry)
        self._tell(resource, Change(self.rv, "MODIFIED" if old else "ADDED", key, entry, old))
        self.table(resource).entries[key] = entry
        if resource.plural == CRDS[1]:
            self._crd_written(obj)
        return entry

    def _tell(self, resource, change):
        table = self.table(resource)
        table.history.append(change)
        while len(table.history) > self.settings["history"]:
            table.floor = table.history.popleft().rv
        table.news.notify_all()

    def _gone(self, resource, key, old, last):
        del self.table(resource).entries[key]
        self._tell(resource, Change(self.rv, "DELETED", key, last, old))
        if resource.plural == CRDS[1]:
            self._crd_deleted(last.obj)
        elif resource.plural == "namespaces":
            self._empty(key[1])
        return last

    def delete(self, resource, ns, name, preconditions=None, dry=False):
        """Returns the entry as it is now, and whether it is gone."""
        with self.lock:
            old = self.get(resource, ns, name)
            wanted = preconditions or {}
            self.check_preconditions(resource, old, wanted.get("uid"), wanted.get("resourceVersion"))
            if dry:
                return old, True
            meta = {**old.obj["metadata"]}
            if meta.get("finalizers"):
                if meta.get("deletionTimestamp"):
                    return old, False
                meta.update(deletionTimestamp=self.stamp(), deletionGracePeriodSeconds=0)
                if resource.generation:
                    meta["generation"] += 1
                return self._commit(resource, (ns, name), old, {**old.obj, "metadata": meta},
                                    old.managers, False), False
            self.rv += 1
            meta["resourceVersion"] = str(self.rv)
            last = Entry({**old.obj, "metadata": meta}, old.managers, old.times)
            return self._gone(resource, (ns, name), old, last), True

    def _empty(self, ns):
        """What a namespace held goes with it."""
        for table in list(self.tables.values()):
            if table.resource.namespaced:
                for key in [k for k in table.entries if k[0] == ns]:
                    self.delete(table.resource, *key)

    def wake(self):
        """Every watch looks anew."""
        with self.lock:
            for table in self.tables.values():
                table.news.notify_all()

    def compact(self):
        """All history is forgotten: older resourceVersions have expired."""
        with self.lock:
            for table in self.tables.values():
                table.history.clear()
                table.floor = self.rv
                table.news.notify_all()

    # -- kinds that come and go -------------------------------------------------------------------

    def _crd_written(self, crd):
        key = (crd["spec"]["group"], crd["spec"]["names"]["plural"])
        if key in self.tables:
            if self.tables[key].resource.custom:
                self.tables[key].resource.__dict__.update(from_crd(crd).__dict__)
            return
        if crd.get("status", {}).get("conditions"):
            return
        timer = threading.Timer(self.settings["establishDelay"], self._establish, (key,))
        timer.daemon = True
        if self.settings["establishDelay"] > 0:
            timer.start()
        else:
            self._establish(key)

    def _establish(self, key):
        with self.lock:
            entry = self.tables[CRDS].entries.get(("", f"{key[1]}.{key[0]}"))
            if entry is None or key in self.tables:
                return
            self.tables[key] = Table(from_crd(entry.obj), self.lock, self.rv)
            names = entry.obj["spec"]["names"]
            versions = entry.obj["spec"]["versions"]
            status = {"acceptedNames": names, "conditions": [
                {"type": kind, "status": "True", "reason": reason, "message": "",
                 "lastTransitionTime": self.stamp()}
                for kind, reason in (("NamesAccepted", "NoConflicts"),
                                     ("Established", "InitialNamesAccepted"))],
                "storedVersions": [v["name"] for v in versions if v.get("storage")]}
            resource = self.tables[CRDS].resource
            self._commit(resource, ("", entry.obj["metadata"]["name"]), entry,
                         {**entry.obj, "status": status}, entry.managers, False)

    def _crd_deleted(self, crd):
        key = (crd["spec"]["group"], crd["spec"]["names"]["plural"])
        table = self.tables.get(key)
        if table is None or not table.resource.custom:
            return
        for each in list(table.entries):
            self.delete(table.resource, *each)
        del self.tables[key]
        table.alive = False
        table.news.notify_all()
