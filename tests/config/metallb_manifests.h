// tests/config/metallb_manifests.h: short words for manifests of MetalLB in tests.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "config/manifests.h"

namespace herald::config {

// `spec` in the flow style of YAML, without its braces.
inline std::string metallb_object(const std::string& kind, const std::string& name,
                                  const std::string& spec,
                                  const std::string& metadata = "namespace: metallb-system") {
  return "---\napiVersion: metallb.io/" + std::string(kind == "BGPPeer" ? "v1beta2" : "v1beta1") +
         "\nkind: " + kind + "\nmetadata: {name: " + name + ", " + metadata + "}\nspec: {" + spec +
         "}\n";
}
inline std::string metallb_pool(const std::string& name, const std::string& spec) {
  return metallb_object("IPAddressPool", name, spec);
}
inline std::string metallb_l2(const std::string& name, const std::string& spec) {
  return metallb_object("L2Advertisement", name, spec);
}
inline std::string metallb_bgp(const std::string& name, const std::string& spec) {
  return metallb_object("BGPAdvertisement", name, spec);
}
// An iBGP peer at 1.2.3.4, and what `more` says.
inline std::string metallb_peer(const std::string& name, const std::string& more = "") {
  return metallb_object(
      "BGPPeer", name,
      "myASN: 42, peerASN: 42, peerAddress: 1.2.3.4" + (more.empty() ? "" : ", " + more));
}
inline std::string metallb_bfd(const std::string& name, const std::string& spec) {
  return metallb_object("BFDProfile", name, spec);
}
inline std::string metallb_community(const std::string& name, const std::string& list) {
  return metallb_object("Community", name, "communities: [" + list + "]");
}
inline std::string node(const std::string& name, const std::string& labels = "") {
  return "---\napiVersion: v1\nkind: Node\nmetadata: {name: " + name + ", labels: {" +
         (labels.empty() ? "kubernetes.io/hostname: " + name : labels) + "}}\n";
}

inline Desired read(const std::string& text) {
  Manifests manifests;
  manifests.set_file("f.yaml", text);
  return manifests.desired();
}

inline std::vector<std::string> errors(const Desired& desired) {
  std::vector<std::string> out;
  for (const Problem& p : desired.problems) {
    if (p.severity == Severity::Error) out.push_back(to_string(p));
  }
  return out;
}

// A manifest that MetalLB takes (no error) or refuses, and words of the error.
struct Verdict {
  const char* name;
  std::string text;
  std::string error = "";  // a part of the first error; empty: MetalLB takes it
};

template <std::size_t N>
void expect_verdicts(const Verdict (&cases)[N]) {
  for (const Verdict& c : cases) {
    const auto found = errors(read(c.text));
    if (c.error.empty()) {
      EXPECT_EQ(found, std::vector<std::string>{}) << c.name << "\n" << c.text;
      continue;
    }
    ASSERT_FALSE(found.empty()) << c.name << "\n" << c.text;
    EXPECT_NE(found.front().find(c.error), std::string::npos) << c.name << "\n"
                                                              << testing::PrintToString(found);
  }
}

}  // namespace herald::config
