"""Who owns which field, and server-side apply.

A field is a path: ("f:status", "f:conditions", 'k:{"type":"Ready"}', "f:reason"), written as
metadata.managedFields has it. Maps are merged key by key, lists as `rules` say for their place
(("status", "conditions") -> ("map", ["type"]); items of a list are "[]"); other lists are one field.
A set of paths holds leaves, items of lists, and empty maps.
"""

import copy
import json

NOT_OWNED = {"apiVersion", "kind"}
META_NOT_OWNED = {"name", "namespace", "uid", "resourceVersion", "creationTimestamp", "generation",
                  "managedFields", "selfLink", "deletionTimestamp", "deletionGracePeriodSeconds",
                  "generateName"}


def item_key(item, keys, defaults=None):
    names = {k: item.get(k, (defaults or {}).get(k)) for k in keys}
    return "k:" + json.dumps({k: v for k, v in names.items() if v is not None}, sort_keys=True,
                             separators=(",", ":"))


def list_items(value, place, rules):
    """[(key, item)] of a list that is merged by item; None if it is one field."""
    how, keys = rules.get(place, ("atomic", []))
    if how == "map":
        # The one list key with a default that the kinds here have.
        return [(item_key(i, keys, {"protocol": "TCP"}), i) for i in value if isinstance(i, dict)]
    if how == "set":
        return [("v:" + json.dumps(i, separators=(",", ":")), i) for i in value]
    return None


def field_set(value, rules, place=(), path=()):
    if isinstance(value, dict) and rules.get(place, ("",))[0] != "atomic":
        found = set()
        for name, below in value.items():
            if (not path and name in NOT_OWNED) or (place == ("metadata",) and name in META_NOT_OWNED):
                continue
            found |= field_set(below, rules, (*place, name), (*path, "f:" + name))
        return found or ({path} if path and not value else set())
    if isinstance(value, list):
        items = list_items(value, place, rules)
        if items is not None:
            found = set()
            for key, item in items:
                found.add((*path, key))
                if key.startswith("k:"):
                    found |= field_set(item, rules, (*place, "[]"), (*path, key))
            return found
    return {path}


MISSING = object()


def look(value, path, rules, place=()):
    """What is at a path; MISSING."""
    if not path:
        return value
    step = path[0]
    if step.startswith("f:"):
        if not isinstance(value, dict) or step[2:] not in value:
            return MISSING
        return look(value[step[2:]], path[1:], rules, (*place, step[2:]))
    if not isinstance(value, list):
        return MISSING
    for key, item in list_items(value, place, rules) or ():
        if key == step:
            # Of an item, only that it is there counts: its fields are paths of their own.
            return look(item, path[1:], rules, (*place, "[]")) if path[1:] else key
    return MISSING


def merge(live, applied, rules, place=()):
    if isinstance(live, dict) and isinstance(applied, dict) and rules.get(place, ("",))[0] != "atomic":
        merged = dict(live)
        for name, value in applied.items():
            merged[name] = (merge(live[name], value, rules, (*place, name)) if name in live
                            else copy.deepcopy(value))
        return merged
    if isinstance(live, list) and isinstance(applied, list):
        new = list_items(applied, place, rules)
        if new is not None:
            old = list_items(live, place, rules)
            wanted = dict(new)
            merged = [merge(item, wanted[key], rules, (*place, "[]")) if key in wanted else item
                      for key, item in old]
            there = {key for key, _ in old}
            return merged + [copy.deepcopy(item) for key, item in new if key not in there]
    return copy.deepcopy(applied)


def remove(value, path, rules, place=()):
    """The value without what is at the path."""
    step, rest = path[0], path[1:]
    if step.startswith("f:") and isinstance(value, dict) and step[2:] in value:
        name = step[2:]
        if not rest:
            return {k: v for k, v in value.items() if k != name}
        return {**value, name: remove(value[name], rest, rules, (*place, name))}
    if isinstance(value, list):
        kept = []
        for key, item in list_items(value, place, rules) or ():
            if key != step:
                kept.append(item)
            elif rest:
                kept.append(remove(item, rest, rules, (*place, "[]")))
        return kept
    return value


def drop_empty(value, paths, rules):
    """Maps and lists that became empty because `paths` were taken out of them go as well."""
    for path in sorted({p[:i] for p in paths for i in range(1, len(p))}, key=len, reverse=True):
        if len(path) > 1 and path[-1].startswith("f:") and look(value, path, rules) in ({}, []):
            value = remove(value, path, rules)
    return value


def changes(old, new, rules):
    """(paths that are new or have another value, paths that are gone)"""
    before, after = field_set(old, rules), field_set(new, rules)
    changed = {p for p in after if look(old, p, rules) != look(new, p, rules)}
    return changed, before - after


def apply(live, applied, managers, me, rules):
    """What `live` becomes as `me` applies `applied`, and who owns what then; conflicts are returned:
    {manager: [path]}. `managers`: {manager: set of paths}."""
    mine = field_set(applied, rules)
    conflicts = {}
    for other, paths in managers.items():
        if other == me:
            continue
        # An empty map says nothing of what others keep in it.
        fought = [p for p in paths & mine if look(live, p, rules) is not MISSING and
                  look(applied, p, rules) not in ({}, look(live, p, rules))]
        if fought:
            conflicts[other] = sorted(fought)
    result = merge(live, applied, rules)
    left = managers.get(me, set()) - mine
    others = set().union(*(paths for other, paths in managers.items() if other != me))
    gone = {p for p in left if p not in others and
            not any(o[:len(p)] == p for o in others | mine)}
    gone = {p for p in gone if not is_key(p) or p[:-1] in gone}
    for path in sorted(gone, key=len):
        result = remove(result, path, rules)
    if gone:
        result = drop_empty(result, gone, rules)
    owned = {other: (paths - set(conflicts.get(other, ())) - gone) for other, paths in managers.items()}
    owned[me] = mine
    return result, {m: p for m, p in owned.items() if p}, conflicts


def readable(path):
    """".status.conditions[type="Ready"].reason" """
    text = ""
    for step in path:
        if step.startswith("f:"):
            text += "." + step[2:]
        elif step.startswith("k:"):
            pairs = json.loads(step[2:]).items()
            text += "[" + ",".join(f"{k}={json.dumps(v)}" for k, v in pairs) + "]"
        else:
            text += f"[={step[2:]}]"
    return text


def is_key(path):
    """Whether this field is what tells an item of a list from others."""
    return len(path) > 1 and path[-2].startswith("k:") and path[-1][2:] in json.loads(path[-2][2:])


def as_fields_v1(paths):
    tree = {}
    for path in sorted(paths):
        node = tree
        for step in path:
            node = node.setdefault(step, {})
        if path[-1].startswith("k:"):
            node.setdefault(".", {})
    return tree
