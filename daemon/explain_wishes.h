// daemon/explain_wishes.h: what a service's manifests say about its announcement: where its
// endpoints are, its class, its external IPs.
#pragma once

#include "daemon/story.h"
#include "daemon/view.h"

namespace herald::daemon {

void tell_endpoints(const View& view, const Service& service, Story& story);
void tell_external_ips(const View& view, const Service& service, Story& story);
// Which services list `ip` in spec.externalIPs, and what became of that.
void tell_external_claims(const View& view, const IpAddress& ip, Story& story);
// Of all services: external IPs that are other services' load balancer IPs.
std::vector<RefusedExternal> refused_external_ips(const View& view);

}  // namespace herald::daemon
