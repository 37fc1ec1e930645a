"""What single kinds of the core do on top: defaults, addresses, and their checks. Each function gets
the object before (None: it is made) and after, changes the latter, and returns what is wrong with it."""

import ipaddress


def service(store, old, new, subresource):
    if subresource == "status":
        return service_status(new)
    spec = new.setdefault("spec", {})
    before = (old or {}).get("spec", {})
    kind = spec.setdefault("type", "ClusterIP")
    found = []
    if kind not in ("ClusterIP", "NodePort", "LoadBalancer", "ExternalName"):
        return [("spec.type", f'Unsupported value: "{kind}"')]
    spec.setdefault("sessionAffinity", "None")
    for port in spec.get("ports", []):
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port.get("port"))
    if kind != "ExternalName":
        spec.setdefault("internalTrafficPolicy", "Cluster")
        found += cluster_ips(store, before, spec)
        if not spec.get("ports") and spec.get("clusterIP") != "None":
            found.append(("spec.ports", "Required value"))
    outside = kind in ("NodePort", "LoadBalancer")
    if outside:
        spec.setdefault("externalTrafficPolicy", "Cluster")
    elif spec.get("externalTrafficPolicy") == before.get("externalTrafficPolicy"):
        spec.pop("externalTrafficPolicy", None)
    if kind == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
        was = before.get("loadBalancerClass")
        if before.get("type") == "LoadBalancer" and spec.get("loadBalancerClass") != was:
            found.append(("spec.loadBalancerClass", f'Invalid value: "{spec.get("loadBalancerClass")}": '
                          "may not change once set"))
    else:
        # Left over from before it was flipped.
        if before.get("type") == "LoadBalancer":
            for name in ("allocateLoadBalancerNodePorts", "loadBalancerClass"):
                if spec.get(name) == before.get(name):
                    spec.pop(name, None)
        elif spec.get("loadBalancerClass"):
            found.append(("spec.loadBalancerClass",
                          "Forbidden: may only be used when `type` is 'LoadBalancer'"))
        new["status"] = {**new.get("status", {}), "loadBalancer": {}}
    needs_port = kind == "NodePort" or (kind == "LoadBalancer" and spec["allocateLoadBalancerNodePorts"])
    used = {(p.get("port"), p.get("protocol")): p.get("nodePort") for p in before.get("ports", [])}
    for port in spec.get("ports", []):
        if needs_port and not port.get("nodePort"):
            port["nodePort"] = used.get((port.get("port"), port["protocol"])) or store.node_port()
        elif not outside and port.get("nodePort") and port.get("nodePort") in used.values():
            del port["nodePort"]
    if kind == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local":
        spec.setdefault("healthCheckNodePort", before.get("healthCheckNodePort") or store.node_port())
    elif spec.get("healthCheckNodePort") == before.get("healthCheckNodePort"):
        spec.pop("healthCheckNodePort", None)
    new.setdefault("status", {}).setdefault("loadBalancer", {})
    return found


def cluster_ips(store, before, spec):
    for name in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
        if name not in spec and name in before and before.get("type") != "ExternalName":
            if name == "ipFamilies" and spec.get("ipFamilyPolicy") != before.get("ipFamilyPolicy"):
                continue
            spec[name] = before[name]
    policy = spec.setdefault("ipFamilyPolicy", "RequireDualStack" if len(spec.get("ipFamilies", [])) > 1
                             else "SingleStack")
    families = spec.setdefault("ipFamilies", [])
    given = spec.get("clusterIPs") or ([spec["clusterIP"]] if spec.get("clusterIP") else [])
    if not families and given and given[0] != "None":
        families += [f"IPv{ipaddress.ip_address(ip).version}" for ip in given]
    if not families:
        families.append("IPv4")
    if policy != "SingleStack" and len(families) == 1:
        families.append("IPv6" if families[0] == "IPv4" else "IPv4")
    if policy == "SingleStack":
        del families[1:]
    if given[:1] == ["None"]:
        spec["clusterIP"], spec["clusterIPs"] = "None", ["None"]
        return []
    if before.get("clusterIP") and given and given[0] != before["clusterIP"]:
        return [("spec.clusterIPs[0]", f'Invalid value: ["{given[0]}"]: may not change once set')]
    given = given[:len(families)]
    for family in families[len(given):]:
        given.append(store.cluster_ip(family))
    spec["clusterIP"], spec["clusterIPs"] = given[0], given
    return []


def service_status(new):
    ingress = (new.get("status") or {}).get("loadBalancer", {}).get("ingress", [])
    found = []
    where = "status.loadBalancer.ingress"
    if ingress and new["spec"].get("type") != "LoadBalancer":
        found.append((where, "Forbidden: may only be used when `spec.type` is \"LoadBalancer\""))
    for i, entry in enumerate(ingress):
        if "ip" in entry:
            entry.setdefault("ipMode", "VIP")
            try:
                ipaddress.ip_address(entry["ip"])
            except ValueError:
                found.append((f"{where}[{i}].ip", f'Invalid value: "{entry["ip"]}": must be an IP'))
            if entry["ipMode"] not in ("VIP", "Proxy"):
                found.append((f"{where}[{i}].ipMode", f'Unsupported value: "{entry["ipMode"]}"'))
        elif entry.get("ipMode"):
            found.append((f"{where}[{i}].ipMode", "Forbidden: may not be set when `ip` is not set"))
    new.setdefault("status", {}).setdefault("loadBalancer", {})
    return found


def lease(store, old, new, subresource):
    spec = new.setdefault("spec", {})
    found = []
    if spec.get("leaseDurationSeconds") is not None and not spec["leaseDurationSeconds"] > 0:
        found.append(("spec.leaseDurationSeconds",
                      f"Invalid value: {spec['leaseDurationSeconds']}: must be greater than 0"))
    if spec.get("leaseTransitions") is not None and spec["leaseTransitions"] < 0:
        found.append(("spec.leaseTransitions",
                      f"Invalid value: {spec['leaseTransitions']}: must not be negative"))
    return found


def namespace(store, old, new, subresource):
    labels = new["metadata"].setdefault("labels", {})
    labels["kubernetes.io/metadata.name"] = new["metadata"]["name"]
    new.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
    new.setdefault("status", {}).setdefault("phase", "Active")
    return []


def endpoint_slice(store, old, new, subresource):
    found = []
    if new.get("addressType") not in ("IPv4", "IPv6", "FQDN"):
        found.append(("addressType", "Required value" if not new.get("addressType") else
                      f'Unsupported value: "{new["addressType"]}"'))
    elif old and old["addressType"] != new["addressType"]:
        found.append(("addressType", f'Invalid value: "{new["addressType"]}": field is immutable'))
    new.setdefault("endpoints", [])
    if new["endpoints"] is None:
        new["endpoints"] = []
    for port in new.setdefault("ports", []) or []:
        port.setdefault("name", "")
        port.setdefault("protocol", "TCP")
    return found


def core_event(store, old, new, subresource):
    about = new.get("involvedObject", {}).get("namespace", "")
    of = new["metadata"]["namespace"]
    if (about and about != of) or (not about and of != "default"):
        return [("involvedObject.namespace", f'Invalid value: "{about}": does not match event.namespace')]
    return []


def event(store, old, new, subresource):
    return [(name, "Required value") for name in ("eventTime", "action", "reportingController",
                                                  "reportingInstance", "reason")
            if old is None and not new.get(name)]


def secret(store, old, new, subresource):
    new.setdefault("type", "Opaque")
    return []


RULES = {("", "services"): service, ("coordination.k8s.io", "leases"): lease,
         ("", "namespaces"): namespace, ("discovery.k8s.io", "endpointslices"): endpoint_slice,
         ("", "events"): core_event, ("events.k8s.io", "events"): event, ("", "secrets"): secret}
