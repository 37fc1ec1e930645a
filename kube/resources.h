// kube/resources.h: the kinds that Herald reads from an API server, one row each.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kube/object.h"

namespace herald::kube {

struct SourceKind {
  // As the server may serve it; the first one that it does is taken.
  std::vector<Resource> versions;
  enum class Presence : std::uint8_t {
    Required,  // of Kubernetes itself: without a list of these, nothing is decided
    ByCrd,     // while its CustomResourceDefinition is there
  } presence = Presence::Required;
  bool wanted = true;     // it says what users want, so config/ reads it
  bool observed = false;  // its status is written by us, so what is there is kept
  // "labelSelector=..." for every list and watch, percent-encoded; empty: all objects.
  std::string selector;
  unsigned page = 250;  // objects in one page of a list

  // "ippools.example.com": the same for all versions.
  std::string name() const { return name_of(versions.front()); }
};

const std::vector<SourceKind>& source_kinds();

// Which optional kinds there are, is asked for by their definitions' metadata alone: the schemas of
// a cluster's definitions are megabytes.
const Resource& crd_resource();

}  // namespace herald::kube
