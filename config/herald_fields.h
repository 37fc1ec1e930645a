// config/herald_fields.h: fields that several of Herald's own kinds have.
#pragma once

#include <string>
#include <vector>

#include "config/object_reader.h"
#include "model/objects.h"

namespace herald::config {

// `one` ("serviceSelector") is a selector, and `one` + "s" a list of them, any of which is enough.
// Both at once are an error, since nobody can know what that is to mean.
Selectors read_selectors(MapReader& spec, const std::string& one);

// What L2AnnouncementPolicy and BGPAdvertisement have in common: serviceSelector(s),
// nodeSelector(s), pools, poolSelectors, loadBalancerClasses, withoutEndpoints.
template <typename Announcement>
void read_scope(MapReader& spec, Announcement& out);

// `addresses`, from the first `known` of LoadBalancerIP, ExternalIP and ClusterIP.
std::vector<AddressKind> read_address_kinds(MapReader& spec, std::size_t known);

template <typename T>
std::vector<T> read_names(MapReader& spec, const std::string& key) {
  std::vector<T> out;
  for (std::string& name : spec.texts(key)) out.emplace_back(std::move(name));
  return out;
}

template <typename Announcement>
void read_scope(MapReader& spec, Announcement& out) {
  out.service_selectors = read_selectors(spec, "serviceSelector");
  out.node_selectors = read_selectors(spec, "nodeSelector");
  out.pools.names = read_names<PoolName>(spec, "pools");
  for (MapReader& in : spec.maps("poolSelectors")) {
    out.pools.selectors.push_back(in.as_selector());
  }
  out.classes = spec.texts("loadBalancerClasses");
  out.needs_endpoints = spec.choice("withoutEndpoints", {"announce", "withhold"}) == 1;
}

}  // namespace herald::config
