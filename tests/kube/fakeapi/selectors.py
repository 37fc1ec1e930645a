"""Label and field selectors of a list or a watch."""

import re

from .resources import Refused

PART = re.compile(r"\s*(?:(?P<key>[^\s,=!()]+)\s*(?:(?P<op>==|=|!=)\s*(?P<value>[^\s,()]*)"
                  r"|\s(?P<set>in|notin)\s*\((?P<values>[^()]*)\))?|!\s*(?P<absent>[^\s,=!()]+))\s*(?:,|$)")


class Selector:
    def __init__(self, resource, ns, query):
        self.ns, self.checks = ns, []
        for where, read in (("labelSelector", self.label), ("fieldSelector", None)):
            text, at = query.get(where, ""), 0
            while at < len(text):
                part = PART.match(text, at)
                if not part or (read is None and not part["op"]):
                    raise Refused(400, "BadRequest", f"unable to parse {where}: {text}")
                at = part.end()
                self.checks.append(self.of_labels(part) if read else self.of_fields(resource, part))
        self.everything = not self.checks

    def has(self, entry):
        obj = entry.obj
        if self.ns and obj["metadata"].get("namespace", "") != self.ns:
            return False
        return all(check(obj) for check in self.checks)

    @staticmethod
    def label(obj, key):
        return (obj["metadata"].get("labels") or {}).get(key)

    def of_labels(self, part):
        key, value = part["key"] or part["absent"], part["value"]
        if part["absent"]:
            return lambda obj: self.label(obj, key) is None
        if part["set"]:
            values = {v.strip() for v in part["values"].split(",")}
            wanted = part["set"] == "in"
            return lambda obj: (self.label(obj, key) in values) == wanted
        if part["op"] is None:
            return lambda obj: self.label(obj, key) is not None
        wanted = part["op"] != "!="
        return lambda obj: (self.label(obj, key) == value) == wanted

    @staticmethod
    def of_fields(resource, part):
        path = part["key"].split(".")
        if resource.custom and part["key"] not in ("metadata.name", "metadata.namespace"):
            raise Refused(400, "BadRequest", f'field label not supported: {part["key"]}')

        def check(obj, value=part["value"], wanted=part["op"] != "!="):
            for name in path:
                obj = obj.get(name, "") if isinstance(obj, dict) else ""
            return (obj == value) == wanted
        return check
