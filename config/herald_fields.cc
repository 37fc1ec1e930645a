#include "config/herald_fields.h"

namespace herald::config {

Selectors read_selectors(MapReader& spec, const std::string& one) {
  const std::string several = one + "s";
  if (spec.has(one) && spec.has(several)) {
    spec.error(several, "excludes " + one + ": move that one into the list");
  }
  Selectors out = spec.selectors(one);
  for (MapReader& in : spec.maps(several)) out.push_back(in.as_selector());
  return out;
}

std::vector<AddressKind> read_address_kinds(MapReader& spec, std::size_t known) {
  std::vector<std::string> words = {"LoadBalancerIP", "ExternalIP", "ClusterIP"};
  words.resize(known);
  const auto chosen = spec.choices("addresses", words);
  if (!chosen) return {AddressKind::LoadBalancerIP};
  std::vector<AddressKind> out;
  for (const std::size_t i : *chosen) {
    out.push_back(static_cast<AddressKind>(i));
    if (out.back() == AddressKind::ClusterIP) {
      spec.warning("addresses", words[i] +
                                    " is understood, but not in force yet in this version: "
                                    "such addresses are not announced");
    }
  }
  return out;
}

}  // namespace herald::config
