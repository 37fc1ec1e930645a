#!/usr/bin/env python3
"""Writes the CustomResourceDefinitions of this folder: generate.py [DIRECTORY]

The kinds are the ones that config/herald_kinds.cc and its neighbours read, field by field;
tests/config/crds_test.cc compares the two. What a rule refuses, heraldd would refuse with the same
words: the rules only say it earlier. They need Kubernetes 1.31 or newer (CEL with IP addresses).
"""

import pathlib
import sys

import yaml

from schema import *  # noqa: F403

GROUP, VERSION = "herald.io", "v1alpha1"


def column(name, kind, path, description, priority=0):
    out = {"name": name, "type": kind, "jsonPath": path, "description": description}
    if priority:
        out["priority"] = priority
    return out


def ready():
    path = '.status.conditions[?(@.type=="Ready")]'
    return [
        column("Ready", "string", path + ".status", "Whether it is in force."),
        column("Reason", "string", path + ".reason", "Why, or why not."),
    ]


AGE = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}


def crd(kind, plural, short, description, spec, status, columns, required=(), namespaced=False):
    properties = {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
    }
    if spec:
        properties["spec"] = spec
    if status:
        properties["status"] = status
    schema = {"description": description, "type": "object"}
    if required:
        schema["required"] = list(required)
    schema["properties"] = properties
    version = {"name": VERSION, "served": True, "storage": True}
    if status:
        version["subresources"] = {"status": {}}
    version["additionalPrinterColumns"] = [*columns, AGE]
    version["schema"] = {"openAPIV3Schema": schema}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.{GROUP}",
            "labels": {"app.kubernetes.io/name": "herald", "app.kubernetes.io/part-of": "herald"},
        },
        "spec": {
            "group": GROUP,
            "names": {
                "kind": kind,
                "listKind": kind + "List",
                "plural": plural,
                "singular": kind.lower(),
                "shortNames": list(short),
                "categories": ["herald"],
            },
            "scope": "Namespaced" if namespaced else "Cluster",
            "versions": [version],
        },
    }


# ---- LoadBalancerIPPool


def pool():
    spec = mapping(
        "What may be given out, and to whom.",
        {
            "addresses": blocks(
                "What may be given out: CIDRs, first-last, or single addresses. The lowest free "
                "address of the first entry that has one is given first."
            ),
            "avoid": blocks(
                "What is never given out: FirstLast (the first and last address of each CIDR wider "
                "than /31 or /127), BuggyIPv4 (IPv4 addresses that end in .0 or .255), addresses, "
                "ranges and CIDRs. Default: none.",
                ["FirstLast", "BuggyIPv4"],
            ),
            **selectors(
                "serviceSelector",
                "Which services, by their labels.",
                "A service also has its namespace and name as the labels "
                "io.kubernetes.service.namespace and io.kubernetes.service.name.",
            ),
            **selectors(
                "namespaceSelector",
                "Services of which namespaces, by the labels of these.",
                "A namespace has its name as the label kubernetes.io/metadata.name.",
            ),
            "namespaces": names(
                "Services of which namespaces, by name; with a namespaceSelector, both have to let "
                "it in. Default: all."
            ),
            "priority": integer(
                "1 comes before 2; pools without one come last, then the older pool, then its "
                "name.",
                1,
                2147483647,
            ),
            "autoAssign": boolean(
                "false: given to those alone that ask for the pool or one of its IPs. Default: "
                "true."
            ),
            "disabled": boolean("Nothing new is given; what is held stays. Default: false."),
            "onShrink": enum(
                "What becomes of an IP that an edit of the pool puts outside of all pools. "
                "Default: keep.",
                "keep",
                "release",
            ),
            "onRefusedRequest": enum(
                "What becomes of the IP of a service that asks for another one and cannot have it. "
                "Default: keep.",
                "keep",
                "release",
            ),
            "releaseHold": duration(
                "How long a released IP is kept for the same namespace and name. Default: 0s.",
                "0s",
                "8760h",
            ),
            "probe": boolean(
                "Look whether somebody uses an IP before it is first announced by ARP or NDP. "
                "Default: true."
            ),
            "dualStack": enum(
                "Whether a service may have its IPs of both families from different pools. "
                "Default: AcrossPools.",
                "AcrossPools",
                "OnePool",
            ),
            "prefer": enum(
                "A service that may share gets an IP that is in use before a free one (Shared), or "
                "the lowest of both (Lowest). Default: Shared.",
                "Shared",
                "Lowest",
            ),
            "requestedFamilies": enum(
                "IPs that a service asks for: each of a family that the service has (Named); of "
                "any family (Any); or one of each that it has, with an ipFamilyPolicy that fits "
                "them (Exact). Default: Named.",
                "Named",
                "Any",
                "Exact",
            ),
        },
        ["addresses"],
        [one_way("serviceSelector"), one_way("namespaceSelector")],
    )
    counts = {}
    for family, of in (("", ""), ("V4", "IPv4 "), ("V6", "IPv6 ")):
        counts[f"total{family}"] = count(f"How many {of}addresses it may give out.")
        counts[f"used{family}"] = count(f"How many {of}addresses are given out; a shared one once.")
        counts[f"available{family}"] = count(f"How many {of}addresses are left.")
    status = mapping(
        "What became of it; written by heraldd.",
        {
            "observedGeneration": observed_generation(),
            **counts,
            "conflictsWith": string("The older pool that it overlaps: nothing is given from it."),
            "conditions": conditions(),
        },
    )
    return crd(
        "LoadBalancerIPPool",
        "loadbalancerippools",
        ["hpool", "lbpool"],
        "Addresses that services of type LoadBalancer are given.",
        spec,
        status,
        [
            column("Addresses", "string", ".spec.addresses", "What may be given out."),
            column("Total", "string", ".status.total", "How many addresses it may give out."),
            column("Used", "string", ".status.used", "How many are given out."),
            column("Available", "string", ".status.available", "How many are left."),
            *ready(),
            column("Conflict", "string", ".status.conflictsWith", "The older pool it overlaps.", 1),
            column("Disabled", "boolean", ".spec.disabled", "Whether nothing new is given.", 1),
            column("Priority", "integer", ".spec.priority", "1 comes before 2.", 1),
        ],
        ["spec"],
    )


# ---- policies


def scope():
    """What L2AnnouncementPolicy and BGPAdvertisement have in common: the properties."""
    return {
        **selectors("serviceSelector", "IPs of which services, by their labels."),
        **selectors("nodeSelector", "From which nodes, by their labels."),
        "pools": names("IPs of the pools that are named. Default: with poolSelectors, all."),
        "poolSelectors": array("IPs of the pools whose labels are selected.", selector(""), 32),
        "loadBalancerClasses": names(
            "Only services of these classes; '' is a service without one. Default: all."
        ),
        "withoutEndpoints": enum(
            "What becomes of a service that is known to have no endpoint. Default: announce.",
            "announce",
            "withhold",
        ),
    }


SCOPE_RULES = [one_way("serviceSelector"), one_way("nodeSelector")]


def policy_status(**numbers):
    return mapping(
        "What became of it; written by heraldd.",
        {
            "observedGeneration": observed_generation(),
            "services": number("How many services it selects."),
            "ips": number("How many IPs it selects."),
            **{name: number(description) for name, description in numbers.items()},
            "nodes": number("How many nodes it selects."),
            "conditions": conditions(),
        },
    )


def policy_columns(*more):
    return [
        column("Services", "integer", ".status.services", "How many services it selects."),
        column("IPs", "integer", ".status.ips", "How many IPs it selects."),
        *more,
        column("Nodes", "integer", ".status.nodes", "How many nodes it selects."),
        *ready(),
    ]


def kinds_of_address(*words):
    return array(
        "Which addresses of a service. Default: [LoadBalancerIP].",
        {"type": "string", "enum": list(words)},
        8,
    )


def l2_policy():
    preferred = mapping(
        "",
        {
            "weight": integer("The highest sum of a node wins. Default: 1.", 1, 100),
            "selector": selector("Which nodes, by their labels. Default: all."),
        },
    )
    spec = mapping(
        "Which IPs are announced by ARP and NDP, and from where.",
        {
            **scope(),
            "sharedIPs": enum(
                "withhold: with a serviceSelector, nothing is announced of a service that may "
                "share its IP, as others on that IP may not be selected. Default: announce.",
                "announce",
                "withhold",
            ),
            "interfaces": array(
                "On which links: regular expressions (RE2, unanchored). Default: all usable.",
                text(
                    "",
                    256,
                    rules=[
                        # Some string matches or does not: what is refused is a fault, which the
                        # server tells better than we could.
                        rule("''.matches(self) || !''.matches(self)")
                    ],
                ),
                32,
            ),
            "addresses": kinds_of_address("LoadBalancerIP", "ExternalIP"),
            "preferredNodes": array(
                "Which of the selected nodes are preferred.", preferred, 32
            ),
            "rebalance": enum(
                "Whether IPs move to a node that comes. Default: gentle.", "gentle", "never"
            ),
            "gratuitous": mapping(
                "The announcements after a takeover.",
                {
                    "count": integer("How many. Default: 5.", 0, 100),
                    "interval": duration("Between two of them. Default: 200ms.", "10ms", "1m"),
                    "refresh": duration(
                        "Then again and again after this long; 0s: never. Default: 0s.",
                        "0s",
                        "24h",
                    ),
                },
            ),
        },
        rules=SCOPE_RULES,
    )
    return crd(
        "L2AnnouncementPolicy",
        "l2announcementpolicies",
        ["hl2", "l2policy"],
        "IPs that nodes announce on their links, by ARP and NDP: each from one node.",
        spec,
        policy_status(ownedIPs="How many of them a selected node answers for."),
        policy_columns(
            column("Owned", "integer", ".status.ownedIPs", "How many a node answers for."),
        ),
    )


WELL_KNOWN = [
    "internet",
    "graceful-shutdown",
    "accept-own",
    "llgr-stale",
    "no-llgr",
    "blackhole",
    "no-export",
    "no-advertise",
    "no-export-subconfed",
    "no-peer",
]


def community():
    known = "[" + ", ".join(f"'{w}'" for w in WELL_KNOWN) + "]"
    parts = "self.split(':')"
    return text(
        "",
        64,
        rules=[
            rule(
                f"self in {known} || "
                "self.matches('^[0-9]{1,5}:[0-9]{1,5}$') && "
                f"{parts}.all(p, int(p) <= 65535) || "
                "self.matches('^large:[0-9]{1,10}:[0-9]{1,10}:[0-9]{1,10}$') && "
                f"{parts}.all(p, p == 'large' || int(p) <= {MAX_U32})",
                says="\"'\" + self + \"' is no community: write a:b (0 to 65535 each), "
                'large:a:b:c or a name like no-export"',
            )
        ],
    )


def families(description):
    return array(description, {"type": "string", "enum": ["ipv4", "ipv6"]}, 8, 1)


def advertisement():
    spec = mapping(
        "Which IPs are announced over BGP, from where, to whom, and with what attributes.",
        {
            **scope(),
            "peers": names("To which BGPPeers, by name. Default: all."),
            "families": families("IPs of which families. Default: both."),
            "addresses": kinds_of_address("LoadBalancerIP", "ExternalIP", "ClusterIP"),
            "aggregationLength": mapping(
                "The prefix that is announced; with externalTrafficPolicy Local it is the IP "
                "itself, unless aggregateLocal is true.",
                {
                    "ipv4": integer("Default: 32.", 0, 32),
                    "ipv6": integer("Default: 128.", 0, 128),
                },
            ),
            "communities": array(
                "a:b, large:a:b:c, or a name such as no-export. Default: none.", community(), 255
            ),
            "localPreference": integer(
                "LOCAL_PREF, told to routers of the same AS. Default: 100 to them.", 0, MAX_U32
            ),
            "med": integer("MULTI_EXIT_DISC. Default: none.", 0, MAX_U32),
            "asPathPrepend": integer(
                "How often our own AS number is written once more. Default: 0.", 0, 64
            ),
            "aggregateLocal": boolean(
                "Whether services with externalTrafficPolicy Local are aggregated, too. Default: "
                "false."
            ),
            "exclusive": boolean(
                "From one node alone instead of from each that is selected. Default: false."
            ),
            "onLocalPreferenceConflict": enum(
                "Where advertisements would give one IP different ones. Default: highest.",
                "highest",
                "withhold",
            ),
        },
        rules=SCOPE_RULES,
    )
    return crd(
        "BGPAdvertisement",
        "bgpadvertisements",
        ["hadvert", "hbgpadvert"],
        "IPs that nodes announce to routers over BGP: from every node that is selected, unless it "
        "is exclusive.",
        spec,
        policy_status(
            routes="How many different prefixes it makes of them.",
            peers="How many BGPPeers are to hear of them.",
        ),
        policy_columns(
            column("Routes", "integer", ".status.routes", "How many prefixes."),
            column("Peers", "integer", ".status.peers", "How many BGPPeers."),
        ),
    )


# ---- BGPPeer

NOT_YET = "Read and checked, not in force yet."


def peer():
    hold = "(has(self.holdTime) ? self.holdTime : '90s')"
    good = f"(self.keepaliveTime.matches('{DURATION}') && {hold}.matches('{DURATION}'))"
    override = mapping(
        "",
        {
            "node": text("The node that differs.", 253, 1),
            "localASN": integer("Its AS number.", 1, MAX_U32),
            "routerID": router_id("Its BGP identifier, written like an IPv4 address."),
            "sourceAddress": address("Its own address of the session."),
        },
        ["node"],
    )
    spec = mapping(
        "A router, and how to speak with it.",
        {
            "address": address(
                "The router's IP address.",
                [
                    rule(
                        "!ip(self).isUnspecified() && !cidr('224.0.0.0/4').containsIP(ip(self)) && "
                        "!cidr('ff00::/8').containsIP(ip(self))",
                        says="\"'\" + self + \"' is no address of a router\"",
                    )
                ],
            ),
            "port": integer("Its TCP port. Default: 179.", 1, 65535),
            "interface": text(
                f"Unnumbered: whoever is at the other end of that link. {NOT_YET}", 15
            ),
            "peerASN": {
                "description": "The router's AS number, internal, external or any.",
                "x-kubernetes-int-or-string": True,
                "maxLength": 32,
                "x-kubernetes-validations": [
                    rule(
                        f"type(self) == int ? self >= 1 && self <= {MAX_U32} : "
                        "self in ['internal', 'external', 'any'] || "
                        "self.matches('^[0-9]{1,10}$') && int(self) >= 1 && "
                        f"int(self) <= {MAX_U32}",
                        says="\"'\" + string(self) + \"' is no AS number: write 1 to 4294967295, "
                        'internal, external or any"',
                    )
                ],
            },
            "localASN": integer(
                "Our AS number; may be left out if every member of nodeOverrides has one.",
                1,
                MAX_U32,
            ),
            "routerID": router_id(
                "Our BGP identifier, written like an IPv4 address. Default: the setting "
                "bgp-router-id, else an address of the node."
            ),
            "sourceAddress": address("Our own address of the session. Default: as routed."),
            "sourceInterface": text(f"The link whose address is the source. {NOT_YET}", 15),
            **selectors("nodeSelector", "Which nodes connect, by their labels."),
            "nodeOverrides": array("What single nodes do otherwise.", override, 512),
            "holdTime": duration(
                "How long a silent router counts as alive; 0s: for ever. Default: 90s.",
                "0s",
                "18h12m15s",
                [
                    rule(
                        "(duration(self) == duration('0s') || duration(self) >= duration('3s'))",
                        says="\"'\" + self + \"' is too short: RFC 4271 wants 0s (none) or at "
                        'least 3s"',
                    )
                ],
            ),
            "keepaliveTime": duration(
                "How often we say that we are alive. Default: a third of holdTime, 30s at most.",
                "0s",
                "18h12m15s",
            ),
            "connectRetryTime": duration(
                "Between two attempts to connect. Default: 5s.", "1s", "596523h14m7s"
            ),
            "multihop": integer("TTL towards a router of another AS. Default: 1.", 1, 255),
            "families": families("Which families the session carries. Default: both."),
            "ttlSecurity": boolean(f"RFC 5082. {NOT_YET} Default: false."),
            "extendedNextHop": boolean(f"RFC 8950. {NOT_YET} Default: false."),
            "passive": boolean(f"Wait for the router to connect. {NOT_YET} Default: false."),
            "passwordSecret": mapping(
                f"A Secret with the password of the session (TCP MD5). {NOT_YET}",
                {
                    "namespace": text("Where it is. Default: default.", 63),
                    "name": text("What it is called.", 253, 1),
                    "key": text("The key of its data. Default: password.", 253),
                },
                ["name"],
            ),
            "bfdProfile": text(f"A BFDProfile, by name. {NOT_YET}"),
            "gracefulRestart": mapping(
                f"RFC 4724 and RFC 9494. {NOT_YET}",
                {
                    "enabled": boolean("Default: false."),
                    "restartTime": duration(
                        "Default: 120s.", "0s", "1h8m15s", [whole_seconds()]
                    ),
                    "longLived": duration("Default: 0s.", "0s", "4660h20m15s", [whole_seconds()]),
                },
            ),
            "vrf": text(f"The VRF of the session. {NOT_YET}", 15),
            "maxPrefixesOut": integer(f"More routes are not announced. {NOT_YET}", 1, MAX_U32),
        },
        ["peerASN"],
        [
            one_way("nodeSelector"),
            rule(
                "has(self.address) || has(self.interface) && size(self.interface) > 0",
                "address is missing: write the router's IP address",
                path=".address",
            ),
            rule(
                "has(self.localASN) || has(self.nodeOverrides)",
                "localASN is missing: write the AS number that this side speaks for",
                path=".localASN",
            ),
            rule(
                "has(self.localASN) || !has(self.nodeOverrides) || "
                "self.nodeOverrides.all(o, has(o.localASN))",
                "localASN is missing in a member of nodeOverrides and in spec.localASN: write it "
                "in one of the two",
                path=".nodeOverrides",
            ),
            rule(
                "!has(self.address) || !has(self.sourceAddress) || !isIP(self.address) || "
                "!isIP(self.sourceAddress) || "
                "ip(self.address).family() == ip(self.sourceAddress).family()",
                says="\"'\" + self.sourceAddress + \"' is of another family than address \" + "
                "self.address",
                path=".sourceAddress",
            ),
            rule(
                f"!has(self.keepaliveTime) || !{good} || "
                f"duration({hold}) == duration('0s') || "
                f"duration(self.keepaliveTime) <= duration({hold})",
                says=f"\"'\" + self.keepaliveTime + \"' is longer than holdTime \" + {hold} + "
                '": a third of it is usual"',
                path=".keepaliveTime",
            ),
        ],
    )
    status = mapping(
        "What became of it; written by heraldd.",
        {
            "observedGeneration": observed_generation(),
            "nodes": number("How many nodes connect to it."),
            "established": number("With how many of them the session is up."),
            "sessions": string("Both, as 2/3: for kubectl get."),
            "conditions": conditions(),
        },
    )
    return crd(
        "BGPPeer",
        "bgppeers",
        ["hpeer", "hbgppeer"],
        "A router that nodes speak BGP with.",
        spec,
        status,
        [
            column("Address", "string", ".spec.address", "The router's IP address."),
            column("ASN", "string", ".spec.peerASN", "The router's AS number."),
            column("Local ASN", "string", ".spec.localASN", "Our AS number.", 1),
            column("Sessions", "string", ".status.sessions", "How many of its sessions are up."),
            *ready(),
        ],
        ["spec"],
    )


def whole_seconds():
    return rule(
        "duration(self).getMilliseconds() % 1000 == 0",
        says="\"'\" + self + \"' is no number of whole seconds\"",
    )


# ---- BFDProfile


def bfd_profile():
    spec = mapping(
        "How fast a dead router is noticed (RFC 5880). Not in force yet.",
        {
            "receiveInterval": duration(
                "What we want to receive at most this often. Default: 300ms.", "1ms", "1m"
            ),
            "transmitInterval": duration(
                "What we want to send at most this often. Default: 300ms.", "1ms", "1m"
            ),
            "detectMultiplier": integer(
                "How many lost packets in a row make a dead router. Default: 3.", 1, 255
            ),
            "echoInterval": duration("Of the echo function. Default: none.", "1ms", "1m"),
            "passive": boolean("Wait for the router to begin. Default: false."),
            "minimumTTL": integer("Packets with less are dropped. Default: 254.", 1, 255),
        },
    )
    status = mapping(
        "What became of it; written by heraldd.",
        {"observedGeneration": observed_generation(), "conditions": conditions()},
    )
    return crd(
        "BFDProfile",
        "bfdprofiles",
        ["hbfd"],
        "How fast nodes notice that a router is dead.",
        spec,
        status,
        [
            column("Receive", "string", ".spec.receiveInterval", "The interval to receive."),
            column("Transmit", "string", ".spec.transmitInterval", "The interval to send."),
            column("Multiplier", "integer", ".spec.detectMultiplier", "Packets that may be lost."),
            *ready(),
        ],
    )


# ---- what heraldd itself keeps


def shard():
    spec = mapping(
        "Not to be edited.",
        {
            "document": {
                "description": "The shard as JSON, exactly as the nodes agreed on it: in one text, "
                "as its numbers are larger than JSON's.",
                "type": "string",
                "maxLength": 1468006,  # etcd refuses objects over 1.5 MiB
            },
            "rev": integer("Counts the writes, for people.", 1, None),
            "ips": integer("How many IPs the shard holds, for people.", 0, None),
        },
        ["document", "rev", "ips"],
    )
    made = crd(
        "IPTableShard",
        "iptableshards",
        ["hshard"],
        "One sixteenth of the table of IPs: which services have which, and which node answers for "
        "it. Written by heraldd alone; read it with kubectl herald get ips.",
        spec,
        None,
        [
            column("IPs", "integer", ".spec.ips", "How many IPs it holds."),
            column("Revision", "integer", ".spec.rev", "Counts the writes."),
        ],
        ["spec"],
        namespaced=True,
    )
    # Nobody is to meet it by accident.
    del made["spec"]["names"]["categories"]
    return made


def node_status():
    session = mapping(
        "",
        {
            "peer": text("The BGPPeer.", 253),
            "address": text("The router's address.", 64),
            "state": text("Of the session: Idle to Established.", 32),
            "since": time("Since when."),
            "routes": number("How many routes are announced to it."),
            "message": string("What is wrong, if anything is."),
        },
        ["peer"],
    )
    sessions = {
        "description": "Its BGP sessions.",
        "type": "array",
        "maxItems": 1024,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["peer"],
        "items": session,
    }
    status = mapping(
        "Written by that node's heraldd; if it died, the leader says so in the condition Ready.",
        {
            "version": text("Of its heraldd.", 64),
            "leader": boolean("Whether it is the one that gives out IPs and writes statuses."),
            "drained": boolean("Whether it was told to own no IPs."),
            "right": text("Why it may answer for its IPs, or why not.", 1024),
            "ips": number("How many IPs it answers for."),
            "links": {
                "description": "The links that it answers on.",
                "type": "array",
                "maxItems": 256,
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
                "items": mapping(
                    "",
                    {
                        "name": text("The link.", 64),
                        "ips": number("How many IPs it answers for there."),
                    },
                    ["name"],
                ),
            },
            "sessionsEstablished": text("How many of its sessions are up, as 2/3.", 32),
            "sessions": sessions,
            "warnings": array("What is wrong with it.", string(""), 256),
            "conditions": conditions(),
        },
    )
    return crd(
        "NodeStatus",
        "nodestatuses",
        ["hns"],
        "What one node's heraldd is doing. It is named after the node; kubectl herald reads it.",
        None,
        status,
        [
            column("Right", "string", ".status.right", "Why it may answer, or why not."),
            column("IPs", "integer", ".status.ips", "How many IPs it answers for."),
            column("Sessions", "string", ".status.sessionsEstablished", "BGP sessions up."),
            column("Leader", "boolean", ".status.leader", "Whether it gives out IPs."),
            column("Ready", "string", '.status.conditions[?(@.type=="Ready")].status', "Is it well?"),
            column("Drained", "boolean", ".status.drained", "Whether it owns no IPs.", 1),
            column("Version", "string", ".status.version", "Of its heraldd."),
        ],
    )


# ---- YAML


class Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data):
        return True

    def increase_indent(self, flow=False, indentless=False):
        return super().increase_indent(flow, False)


def main():
    here = pathlib.Path(__file__).parent
    out = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here
    for made in [
        pool(),
        l2_policy(),
        peer(),
        advertisement(),
        bfd_profile(),
        shard(),
        node_status(),
    ]:
        text = yaml.dump(
            made, Dumper=Dumper, sort_keys=False, width=100, allow_unicode=True
        )
        path = out / f"{made['spec']['names']['plural']}.yaml"
        path.write_text("# Made by generate.py: change that one.\n" + text, encoding="utf-8")


if __name__ == "__main__":
    main()
