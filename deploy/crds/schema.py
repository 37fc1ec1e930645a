"""The words that the CRDs of generate.py are made of: one function for each form of a field.

A form is what config/object_reader.cc takes for it, with the same sentence for what it refuses. No
field has a default here: heraldd has them in one place, and a default of the server would be
frozen into every object.
"""

DURATION = r"^(0|([0-9]+(\\.[0-9]+)?(ns|us|µs|ms|s|m|h))+)$"
MAX_U32 = 4294967295


def rule(expression, message=None, says=None, path=None):
    """A CEL rule: `message` is a sentence, `says` an expression that gives one."""
    out = {"rule": expression}
    if message:
        out["message"] = message
    if says:
        out["messageExpression"] = says
    if path:
        out["fieldPath"] = path
    return out


def text(description, max_length=253, min_length=None, rules=()):
    out = {"description": description, "type": "string", "maxLength": max_length}
    if min_length is not None:
        out["minLength"] = min_length
    if rules:
        out["x-kubernetes-validations"] = list(rules)
    return out


def integer(description, least, most):
    out = {"description": description, "type": "integer", "format": "int64"}
    out["minimum"] = least
    if most is not None:
        out["maximum"] = most
    return out


def boolean(description):
    return {"description": description, "type": "boolean"}


def enum(description, *words):
    return {"description": description, "type": "string", "enum": list(words)}


def duration(description, least, most, rules=()):
    """A Go duration from `least` to `most`, which are written as heraldd writes them."""
    good = f"self.matches('{DURATION}')"
    return text(
        description,
        40,
        rules=[
            rule(
                good,
                says="\"'\" + self + \"' is no duration: write a number with a unit, like 90s or "
                '200ms"',
            ),
            rule(
                f"!{good} || duration(self) >= duration('{least}') && "
                f"duration(self) <= duration('{most}')",
                says=f"\"'\" + self + \"' is not between {least} and {most}\"",
            ),
            *(rule(f"!{good} || {r['rule']}", says=r["messageExpression"]) for r in rules),
        ],
    )


def address(description, rules=()):
    return text(
        description,
        64,
        rules=[
            rule(
                "isIP(self)",
                says="\"'\" + self + \"' is no IP address, like 192.0.2.1 or 2001:db8::1\"",
            ),
            *(rule(f"!isIP(self) || {r['rule']}", says=r["messageExpression"]) for r in rules),
        ],
    )


def router_id(description):
    return address(
        description,
        [
            rule(
                "ip(self).family() == 4 && !ip(self).isUnspecified()",
                says="\"'\" + self + \"' is no router ID: write it like an IPv4 address, not "
                '0.0.0.0"',
            )
        ],
    )


def array(description, items, most=256, least=None, rules=()):
    out = {"description": description, "type": "array", "maxItems": most}
    if least is not None:
        out["minItems"] = least
    out["x-kubernetes-list-type"] = "atomic"
    if rules:
        out["x-kubernetes-validations"] = list(rules)
    out["items"] = {k: v for k, v in items.items() if k != "description" or v}
    return out


def names(description, most=256):
    return array(description, text("", 253), most)


def mapping(description, properties, required=(), rules=()):
    out = {"type": "object"}
    if description:
        out = {"description": description, **out}
    if required:
        out["required"] = list(required)
    if rules:
        out["x-kubernetes-validations"] = list(rules)
    out["properties"] = properties
    return out


# ---- selectors


def selector(description):
    expression = mapping(
        "",
        {
            "key": text("The label that is meant.", 317, 1),
            "operator": enum(
                "How the label's value has to relate to values.",
                "In",
                "NotIn",
                "Exists",
                "DoesNotExist",
            ),
            "values": array(
                "What In and NotIn compare with; none for Exists and DoesNotExist.",
                text("", 63),
                64,
            ),
        },
        ["key", "operator"],
        [
            rule(
                "!(self.operator in ['In', 'NotIn']) || has(self.values) && size(self.values) > 0",
                "values is empty: In and NotIn need at least one value",
            ),
            rule(
                "self.operator in ['In', 'NotIn'] || !has(self.values) || size(self.values) == 0",
                "values must be empty with Exists and DoesNotExist",
            ),
        ],
    )
    labels = {
        "description": "Labels that have to be there with these very values.",
        "type": "object",
        "maxProperties": 64,
        "additionalProperties": {"type": "string", "maxLength": 63},
    }
    out = mapping(
        description,
        {
            "matchLabels": labels,
            "matchExpressions": array("All of these have to hold as well.", expression, 32),
        },
    )
    out["x-kubernetes-map-type"] = "atomic"
    return out


def selectors(one, which, note=""):
    """The fields `one` and `one`s."""
    note = " " + note if note else ""
    return {
        one: selector(f"{which} Default: all.{note} Excludes {one}s."),
        one + "s": array(f"Any of these is enough. Excludes {one}.", selector(""), 32),
    }


def one_way(one):
    """The rule for selectors(one)."""
    return rule(
        f"!has(self.{one}) || !has(self.{one}s)",
        f"{one}s excludes {one}: move that one into the list",
        path=f".{one}s",
    )


def blocks(description, words=(), most=1024):
    """Addresses, ranges and CIDRs, or one of `words`."""
    listed = "[" + ", ".join(f"'{w}'" for w in words) + "]"
    is_word = f"self in {listed} || " if words else ""
    ends = "self.split('-')"
    # By index, not by all(): the server reckons with as many parts as the text has letters.
    is_range = (
        f"self.matches('^[^-/]+-[^-/]+$') && isIP({ends}[0].trim()) && isIP({ends}[1].trim())"
    )
    word_like = " nor ".join(words)
    bad = (
        f"\"'\" + self + \"' is neither {word_like}, nor an address, range or CIDR\""
        if words
        else "self.contains('/') ? \"'\" + self + \"' is no CIDR: write it like 10.0.0.0/24 or "
        "fd00::/64\" : \"'\" + self + \"' is no address, range or CIDR: write it like "
        '10.0.0.0/24, 10.0.0.1-10.0.0.9 or 10.0.0.1"'
    )
    item = text(
        "",
        100,
        rules=[
            rule(f"{is_word}isIP(self.trim()) || isCIDR(self) || ({is_range})", says=bad),
            rule(
                f"{is_word}!({is_range}) || "
                f"ip({ends}[0].trim()).family() == ip({ends}[1].trim()).family()",
                says="\"'\" + self + \"' mixes IPv4 and IPv6: give each its own entry\"",
            ),
        ],
    )
    return array(description, item, most)


# ---- statuses


def conditions():
    return {
        "description": "What is true of this object, and why.",
        "type": "array",
        "maxItems": 32,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": mapping(
            "",
            {
                "type": {
                    "description": "What the condition is about.",
                    "type": "string",
                    "maxLength": 316,
                    "pattern": r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
                    r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
                },
                "status": enum("Whether it is so.", "True", "False", "Unknown"),
                "observedGeneration": {
                    "description": "The metadata.generation that this was found for.",
                    "type": "integer",
                    "format": "int64",
                    "minimum": 0,
                },
                "lastTransitionTime": {
                    "description": "When status changed last.",
                    "type": "string",
                    "format": "date-time",
                },
                "reason": {
                    "description": "Why, in one word.",
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 1024,
                    "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
                },
                "message": {
                    "description": "Why, as a sentence, and what to do.",
                    "type": "string",
                    "maxLength": 32768,
                },
            },
            ["type", "status", "lastTransitionTime", "reason", "message"],
        ),
    }


def observed_generation():
    return {
        "description": "The metadata.generation that this status is about.",
        "type": "integer",
        "format": "int64",
        "minimum": 0,
    }


def number(description):
    return {"description": description, "type": "integer", "format": "int64"}


def count(description):
    """A number as text: the addresses of an IPv6 prefix are more than a number holds."""
    return {"description": description, "type": "string", "maxLength": 40, "pattern": "^[0-9]+$"}


def string(description):
    return {"description": description, "type": "string", "maxLength": 32768}


def time(description):
    return {"description": description, "type": "string", "format": "date-time"}
