"""What is served: the kinds of a Kubernetes API server that Herald meets, as rows, those that
CustomResourceDefinitions add, and the refusals in the form that all of them share."""

from dataclasses import dataclass, field


class Refused(Exception):
    """An answer that is a Status of failure."""

    def __init__(self, code, reason, message, details=None, headers=None):
        super().__init__(message)
        self.text = None  # said instead of a Status
        self.code, self.reason, self.message = code, reason, message
        self.details, self.headers = details, headers or {}

    def status(self):
        body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": self.message, "reason": self.reason, "code": self.code}
        if self.details:
            body["details"] = self.details
        return body


class NotServed(Refused):
    """There is no such path, nor kind. Outside of the groups that are built in, the one refusal that is
    not JSON."""

    def __init__(self, built_in=False):
        super().__init__(404, "NotFound", "the server could not find the requested resource")
        self.text = None if built_in else "404 page not found\n"


@dataclass(eq=False)
class Resource:
    group: str
    versions: list  # served; the first is preferred
    plural: str
    kind: str
    namespaced: bool = True
    short: tuple = ()
    status: bool = False         # has the subresource: status is written there alone
    create_by_put: bool = False  # PUT makes one that is not there
    blind_put: bool = True       # PUT need not name a resourceVersion
    generation: bool = False     # metadata.generation counts what is written to all but status
    custom: bool = False
    lists: dict = field(default_factory=dict)    # path -> how a list is merged, see fields.py
    schemas: dict = field(default_factory=dict)  # version -> OpenAPI schema, of custom ones

    @property
    def full_name(self):
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def api_version(self, version=None):
        version = version or self.versions[0]
        return f"{self.group}/{version}" if self.group else version

    def details(self, name=""):
        found = {"kind": self.plural}
        if name:
            found["name"] = name
        if self.group:
            found["group"] = self.group
        return found

    def not_found(self, name):
        return Refused(404, "NotFound", f'{self.full_name} "{name}" not found', self.details(name))

    def already_exists(self, name):
        return Refused(409, "AlreadyExists", f'{self.full_name} "{name}" already exists',
                       self.details(name))

    def conflict(self, name, why):
        return Refused(409, "Conflict", f'Operation cannot be fulfilled on {self.full_name} "{name}": '
                       f"{why}", self.details(name))

    def invalid(self, name, *faults):
        """`faults`: (field, what is wrong with it)."""
        of_group = f".{self.group}" if self.group else ""
        words = ", ".join(f"{where}: {what}" for where, what in faults)
        return Refused(422, "Invalid", f'{self.kind}{of_group} "{name}" is invalid: '
                       f"{words if len(faults) == 1 else '[' + words + ']'}",
                       {**self.details(name), "kind": self.kind, "causes": [
                           {"reason": "FieldValueInvalid", "message": what, "field": where}
                           for where, what in faults]})


CONDITIONS = {("status", "conditions"): ("map", ["type"])}
META_LISTS = {("metadata", "finalizers"): ("set", []), ("metadata", "ownerReferences"): ("map", ["uid"])}


def builtin():
    rbac = "rbac.authorization.k8s.io"
    rows = [
        Resource("", ["v1"], "services", "Service", True, ("svc",), status=True, create_by_put=True,
                 lists={("spec", "ports"): ("map", ["port", "protocol"]), **CONDITIONS,
                        ("spec", "selector"): ("atomic", [])}),
        Resource("", ["v1"], "nodes", "Node", False, ("no",), status=True,
                 lists={**CONDITIONS, ("status", "addresses"): ("map", ["type"]),
                        ("spec", "podCIDRs"): ("set", [])}),
        Resource("", ["v1"], "namespaces", "Namespace", False, ("ns",), status=True, lists=CONDITIONS),
        Resource("", ["v1"], "secrets", "Secret"),
        Resource("", ["v1"], "configmaps", "ConfigMap", True, ("cm",)),
        Resource("", ["v1"], "serviceaccounts", "ServiceAccount", True, ("sa",)),
        Resource("", ["v1"], "events", "Event", True, ("ev",), create_by_put=True),
        Resource("", ["v1"], "endpoints", "Endpoints", True, ("ep",), create_by_put=True),
        Resource("", ["v1"], "pods", "Pod", True, ("po",), status=True, lists=CONDITIONS),
        Resource("apps", ["v1"], "daemonsets", "DaemonSet", True, ("ds",), status=True, generation=True),
        Resource("discovery.k8s.io", ["v1"], "endpointslices", "EndpointSlice", generation=True,
                 create_by_put=True),
        Resource("coordination.k8s.io", ["v1"], "leases", "Lease", create_by_put=True, blind_put=False),
        Resource("events.k8s.io", ["v1"], "events", "Event", True, ("ev",), create_by_put=True),
        Resource("apiextensions.k8s.io", ["v1"], "customresourcedefinitions",
                 "CustomResourceDefinition", False, ("crd", "crds"), status=True, generation=True,
                 blind_put=False, lists=CONDITIONS),
        *(Resource(rbac, ["v1"], f"{kind.lower()}s", kind, not kind.startswith("Cluster"))
          for kind in ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")),
        *(Resource("flowcontrol.apiserver.k8s.io", ["v1"], f"{kind.lower()}s", kind, False, status=True,
                   generation=True, lists=CONDITIONS)
          for kind in ("FlowSchema", "PriorityLevelConfiguration")),
        Resource("scheduling.k8s.io", ["v1"], "priorityclasses", "PriorityClass", False, ("pc",)),
    ]
    return {(r.group, r.plural): r for r in rows}


def from_crd(crd):
    """The Resource that a CustomResourceDefinition describes."""
    spec = crd["spec"]
    served = [v for v in spec["versions"] if v.get("served")]
    served.sort(key=lambda v: not v.get("storage"))
    schemas = {v["name"]: v.get("schema", {}).get("openAPIV3Schema") for v in served}
    made = Resource(spec["group"], [v["name"] for v in served], spec["names"]["plural"],
                    spec["names"]["kind"], spec["scope"] == "Namespaced",
                    tuple(spec["names"].get("shortNames", ())), blind_put=False, generation=True,
                    status=any("status" in v.get("subresources", {}) for v in served), custom=True,
                    schemas=schemas)
    for schema in schemas.values():
        made.lists.update(list_rules(schema or {}))
    return made


def list_rules(schema, path=()):
    """How lists and maps merge, as a structural schema says it."""
    rules = {}
    kind = schema.get("x-kubernetes-list-type")
    if kind in ("map", "set"):
        rules[path] = (kind, schema.get("x-kubernetes-list-map-keys", []))
    elif schema.get("x-kubernetes-map-type") == "atomic":
        rules[path] = ("atomic", [])
    for name, below in schema.get("properties", {}).items():
        rules.update(list_rules(below, (*path, name)))
    if isinstance(schema.get("items"), dict):
        rules.update(list_rules(schema["items"], (*path, "[]")))
    return rules
