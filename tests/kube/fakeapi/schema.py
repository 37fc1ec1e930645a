"""What a structural schema makes of a custom object: unknown fields go, defaults come, and what is
wrong is told. CEL rules (x-kubernetes-validations) are for the real server."""

import copy
import re

TYPES = {"object": dict, "array": list, "string": str, "boolean": bool,
         "integer": int, "number": (int, float)}


def is_type(value, name):
    if isinstance(value, bool) and name != "boolean":
        return False
    return isinstance(value, TYPES.get(name, object))


def prune(value, schema, top=False):
    """The value without what the schema does not know, with its defaults."""
    if schema is None or value is None:
        return value
    if isinstance(value, dict) and (schema.get("type") == "object" or "properties" in schema):
        known, more = schema.get("properties", {}), schema.get("additionalProperties")
        keep_all = schema.get("x-kubernetes-preserve-unknown-fields")
        pruned = {}
        for name, below in value.items():
            if top and name in ("apiVersion", "kind", "metadata"):
                pruned[name] = below
            elif name in known:
                pruned[name] = prune(below, known[name])
            elif isinstance(more, dict):
                pruned[name] = prune(below, more)
            elif keep_all or more is True:
                pruned[name] = below
        for name, below in known.items():
            if name not in pruned and "default" in below:
                pruned[name] = prune(copy.deepcopy(below["default"]), below)
        return pruned
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        return [prune(item, schema["items"]) for item in value]
    return value


def faults(value, schema, where=""):
    """[(field, what is wrong)]"""
    if not schema:
        return []
    if value is None:
        return [] if schema.get("nullable") else [(where, "Invalid value: null")]
    wanted = schema.get("type")
    if schema.get("x-kubernetes-int-or-string"):
        if not (is_type(value, "integer") or is_type(value, "string")):
            return [(where, "Invalid value: must be a number or a string")]
    elif wanted and not is_type(value, wanted):
        return [(where, f"Invalid value: must be of type {wanted}")]
    found = []

    def check(broken, text):
        if broken:
            found.append((where, text))
    if "enum" in schema:
        check(value not in schema["enum"], f'Unsupported value: "{value}"')
    if isinstance(value, str):
        check("pattern" in schema and not re.search(schema["pattern"], value),
              f'Invalid value: "{value}": should match \'{schema.get("pattern")}\'')
        check(len(value) < schema.get("minLength", 0), "Invalid value: too short")
        check(len(value) > schema.get("maxLength", len(value)), "Too long")
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        check(value < schema.get("minimum", value), f"Invalid value: {value}: too small")
        check(value > schema.get("maximum", value), f"Invalid value: {value}: too large")
    elif isinstance(value, list):
        check(len(value) < schema.get("minItems", 0), "Invalid value: too few items")
        check(len(value) > schema.get("maxItems", len(value)), "Too many items")
        for i, item in enumerate(value):
            found += faults(item, schema.get("items"), f"{where}[{i}]")
    elif isinstance(value, dict):
        for name in schema.get("required", ()):
            if name not in value:
                found.append((f"{where}.{name}".lstrip("."), "Required value"))
        more = schema.get("additionalProperties")
        for name, below in value.items():
            inner = schema.get("properties", {}).get(name, more if isinstance(more, dict) else None)
            if where or name not in ("metadata", "apiVersion", "kind"):
                found += faults(below, inner, f"{where}.{name}".lstrip("."))
    return found
