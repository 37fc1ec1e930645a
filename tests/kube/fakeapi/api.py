"""The API's paths: discovery, and on objects GET, LIST, WATCH, POST, PUT, PATCH, DELETE."""

import base64
import json
import re

from . import selectors, watch
from .resources import NotServed, Refused, Resource

VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete",
         "LIST": "list", "WATCH": "watch"}
TOO_OLD = "too old resource version"
EXPIRED_LIST = ("The continue parameter is too old: what it continued is forgotten. Start a new list "
                "without it")


class Page:
    """An answer that is a text."""

    verb = "GET"
    behind = 0

    def __init__(self, body):
        self.body = body

    def run(self):
        return 200, (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


def route(server, request):
    """What is asked for: Page or Target; Refused."""
    path = request.path.rstrip("/") or "/"
    parts = path.strip("/").split("/")
    with server.store.lock:
        resources = [t.resource for t in server.store.tables.values()]
    if request.method == "GET":
        page = discovery(resources, path, parts)
        if page is not None:
            return Page(page)
    if parts[0] == "api" and parts[1:2] == ["v1"]:
        group, version, rest = "", "v1", parts[2:]
    elif parts[0] == "apis" and len(parts) > 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        rest = []
    ns = ""
    if len(rest) > 2 and rest[0] == "namespaces" and rest[2] not in ("status", "finalize"):
        ns, rest = rest[1], rest[2:]
    found = [r for r in resources if rest and (r.group, r.plural) == (group, rest[0]) and
             version in r.versions]
    if not found or len(rest) > 3 or (ns and not found[0].namespaced):
        if rest:  # whether one may is asked before whether there is anything
            server.access.check(request.user, VERBS.get(request.method, "get") if rest[1:] else "list",
                                Resource(group, [version], rest[0], ""), ns, "", "")
        raise NotServed(bool(rest) and any(r.group == group and not r.custom for r in resources))
    return Target(server, request, found[0], version, ns, *rest[1:])


def discovery(resources, path, parts):
    groups = {}
    for r in resources:
        groups.setdefault(r.group, [])
        groups[r.group] += [v for v in r.versions if v not in groups[r.group]]

    def about(group):
        versions = [{"groupVersion": f"{group}/{v}", "version": v} for v in groups[group]]
        return {"name": group, "versions": versions, "preferredVersion": versions[0]}
    if path in ("/readyz", "/livez", "/healthz"):
        return "ok"
    if path == "/version":
        return {"major": "1", "minor": "34", "gitVersion": "v1.34.0-fake", "platform": "linux/amd64"}
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
    if path == "/apis":
        return {"kind": "APIGroupList", "apiVersion": "v1",
                "groups": [about(g) for g in groups if g]}
    if parts[0] == "apis" and len(parts) == 2 and parts[1] in groups:
        return {"kind": "APIGroup", "apiVersion": "v1", **about(parts[1])}
    if path == "/api/v1" or (parts[0] == "apis" and len(parts) == 3):
        group, version = ("", "v1") if path == "/api/v1" else (parts[1], parts[2])
        if version in groups.get(group, ()):
            return {"kind": "APIResourceList", "apiVersion": "v1",
                    "groupVersion": f"{group}/{version}" if group else version,
                    "resources": [row for r in resources if r.group == group and version in r.versions
                                  for row in rows(r)]}
    return None


def rows(r):
    verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
    yield {"name": r.plural, "singularName": r.kind.lower(), "namespaced": r.namespaced, "kind": r.kind,
           "verbs": verbs, "shortNames": list(r.short)}
    if r.status:
        yield {"name": f"{r.plural}/status", "singularName": "", "namespaced": r.namespaced,
               "kind": r.kind, "verbs": ["get", "patch", "update"]}


class Target:
    """One request on a resource."""

    def __init__(self, server, request, resource, version, ns, name="", subresource=""):
        self.server, self.store, self.request = server, server.store, request
        self.resource, self.version, self.ns, self.name = resource, version, ns, name
        self.subresource = subresource
        self.behind = 0
        self.verb = request.method
        if not name and request.method == "GET":
            self.verb = "WATCH" if request.flag("watch") else "LIST"
        verb = VERBS.get(self.verb)
        if verb == "delete" and not name:
            verb = "deletecollection"
        if verb is None or (name == "" and verb in ("update", "patch")) or (name and verb == "create"):
            raise Refused(405, "MethodNotAllowed", "the server does not allow this method on the "
                          "requested resource")
        # A list of one name may be read by whoever may read that name.
        one = re.fullmatch(r"metadata\.name=([^,=]+)", request.query.get("fieldSelector", ""))
        server.access.check(request.user, verb, resource, ns, name or (one and one[1]) or "", subresource)
        if subresource and not (subresource == "status" and resource.status):
            raise NotServed(not resource.custom)
        if resource.namespaced and not ns and self.verb not in ("LIST", "WATCH"):
            raise NotServed(not resource.custom)
        self.api_version = resource.api_version(version)
        accept = request.headers.get("accept", "")
        self.partial = "as=PartialObjectMetadata" in accept.split(",")[0]

    # -- as it is written -------------------------------------------------------------------------

    def bytes(self, entry):
        if not self.partial:
            return entry.bytes(self.api_version)
        return json.dumps({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
                           "metadata": entry.obj["metadata"]}).encode()

    def run(self):
        return getattr(self, "do_" + self.verb.lower())()

    def do_get(self):
        return 200, self.bytes(self.store.get(self.resource, self.ns, self.name))

    def do_list(self):
        request = self.request
        select = selectors.Selector(self.resource, self.ns, request.query)
        limit, wanted = request.number("limit"), request.number("resourceVersion")
        match = request.query.get("resourceVersionMatch", "")
        if match and wanted is None and not request.query.get("continue"):
            raise Refused(422, "Invalid", "resourceVersionMatch is forbidden unless resourceVersion is "
                          "provided")
        with self.store.lock:
            table = self.store.table(self.resource)
            rv, start = self.store.rv, ("", "")
            entries = table.entries
            if request.query.get("continue"):
                rv, start = self.read_continue(request.query["continue"])
                if rv < table.floor:
                    raise Refused(410, "Expired", EXPIRED_LIST)
                entries = table.at(rv)
            elif match == "Exact" and wanted is not None and wanted < rv:
                rv = wanted
                if rv < table.floor:
                    raise Refused(410, "Expired", f"{TOO_OLD}: {wanted} ({rv})")
                entries = table.at(rv)
            elif self.behind:
                rv = max(rv - self.behind, table.floor)
                entries = table.at(rv)
            elif wanted is not None and wanted > rv:
                raise Refused(504, "Timeout", f"Too large resource version: {wanted}, current: {rv}",
                              {"retryAfterSeconds": 1, "causes": [
                                  {"reason": "ResourceVersionTooLarge", "message":
                                   "Too large resource version"}]}, {"Retry-After": "1"})
            found = sorted((k, e) for k, e in entries.items() if k > start and select.has(e))
        meta = {"resourceVersion": str(rv)}
        if limit and len(found) > limit:
            meta["continue"] = base64.urlsafe_b64encode(json.dumps(
                {"v": "meta.k8s.io/v1", "rv": rv, "start": list(found[limit - 1][0])}).encode()).decode()
            if select.everything:
                meta["remainingItemCount"] = len(found) - limit
            found = found[:limit]
        kind, version = ((f"{self.resource.kind}List", self.api_version) if not self.partial else
                         ("PartialObjectMetadataList", "meta.k8s.io/v1"))
        head = json.dumps({"kind": kind, "apiVersion": version, "metadata": meta})[:-1]
        return 200, head.encode() + b', "items": [' + b",".join(self.bytes(e) for _, e in found) + b"]}"

    @staticmethod
    def read_continue(text):
        try:
            token = json.loads(base64.urlsafe_b64decode(text))
            return int(token["rv"]), tuple(token["start"])
        except (ValueError, KeyError, TypeError):
            raise Refused(400, "BadRequest", "continue key is not valid") from None

    def watch(self, connection):
        watch.stream(self, connection)

    # -- writes -----------------------------------------------------------------------------------

    @property
    def manager(self):
        return self.request.query.get("fieldManager") or self.request.agent.split("/")[0] or "unknown"

    @property
    def dry(self):
        return self.request.query.get("dryRun") == "All"

    def body(self):
        body = self.request.json()
        if (body.setdefault("apiVersion", self.api_version), body.setdefault("kind", self.resource.kind)) \
                != (self.api_version, self.resource.kind):
            raise Refused(400, "BadRequest", f"{body['kind']} in version \"{body['apiVersion']}\" cannot "
                          f"be handled as a {self.resource.kind} in version \"{self.api_version}\"")
        return body

    def do_post(self):
        return 201, self.bytes(self.store.create(self.resource, self.ns, self.body(), self.manager,
                                                 self.dry))

    def do_put(self):
        entry, made = self.store.update(self.resource, self.ns, self.name, self.body(), self.manager,
                                        self.subresource, self.dry)
        return 201 if made else 200, self.bytes(entry)

    def do_patch(self):
        kind = self.request.headers.get("content-type", "").split(";")[0].strip()
        if kind == "application/merge-patch+json":
            patch = self.request.json()
            with self.store.lock:
                old = self.store.get(self.resource, self.ns, self.name)
                merged = merge_patch(old.obj, patch)
                merged["apiVersion"] = patch.get("apiVersion", old.obj["apiVersion"])
                entry, _ = self.store.update(self.resource, self.ns, self.name, merged, self.manager,
                                             self.subresource, self.dry)
            return 200, self.bytes(entry)
        if kind == "application/apply-patch+yaml":
            if not self.request.query.get("fieldManager"):
                raise Refused(422, "Invalid", "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: "
                              "Required value: is required for apply patch")
            body = self.request.json()
            if body.get("apiVersion") != self.api_version or body.get("kind") != self.resource.kind:
                raise Refused(400, "BadRequest", f"apply needs apiVersion {self.api_version} and kind "
                              f"{self.resource.kind} in its body")
            entry, made = self.store.apply(self.resource, self.ns, self.name, body, self.manager,
                                           self.request.flag("force"), self.subresource, self.dry)
            return 201 if made else 200, self.bytes(entry)
        raise Refused(415, "UnsupportedMediaType", f"the body of the request was in an unknown format: "
                      f"{kind} (this server takes application/merge-patch+json and "
                      "application/apply-patch+yaml)")

    def do_delete(self):
        options = self.request.json() if self.request.body else {}
        if not self.name:
            select = selectors.Selector(self.resource, self.ns, self.request.query)
            with self.store.lock:
                for key, entry in list(self.store.table(self.resource).entries.items()):
                    if select.has(entry):
                        self.store.delete(self.resource, *key)
            return 200, b'{"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}'
        entry, gone = self.store.delete(self.resource, self.ns, self.name,
                                        options.get("preconditions"), self.dry)
        if not gone or self.resource.plural == "services":
            return 200, self.bytes(entry)
        return 200, json.dumps({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details":
            {**self.resource.details(self.name), "uid": entry.obj["metadata"]["uid"]}}).encode()


def merge_patch(value, patch):
    """RFC 7396"""
    if not isinstance(patch, dict):
        return patch
    merged = dict(value) if isinstance(value, dict) else {}
    for name, below in patch.items():
        if below is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), below)
    return merged
