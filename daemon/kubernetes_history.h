// daemon/kubernetes_history.h: what this process has seen of the kubernetes store, and whether what
// it sees next can come after that.
//
// An API server whose etcd was restored from a backup, or set up anew, has forgotten who may answer
// for what: two nodes could be given one IP. A document's rev only rises, and so do the
// resourceVersions of a kind; an answer that is behind what was seen before its request was sent is
// of the past. What a watch tells may lag, so there only the order of its own events counts. Pure.
//
// Documents are never deleted by Herald. One that somebody deletes is remembered as the watch shows
// it last, for the store to put it back as it was: no life of a node and no owner of an IP is
// forgotten, and no rev comes twice.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/result.h"
#include "daemon/kubernetes_store_wire.h"

namespace herald::daemon {

class KubernetesHistory {
 public:
  struct Seen {
    coord::Revision rev;
    Replaced version;
    std::optional<coord::Document> deleted;  // it was deleted, and was this
  };
  const Seen* find(const coord::DocumentKey& key) const;

  // ---- one document
  // To be taken before the request is sent.
  struct Mark {
    coord::Revision rev;
    std::uint64_t version = 0;
  };
  Mark mark(const coord::DocumentKey& key) const;
  // The answer to a consistent read, or to a write that was applied, of an object whose document
  // can be read. The error: the store has gone back; what to do.
  Result<void> answered(const StoredObject& object, const Mark& mark);

  // ---- a list of a kind
  struct ListMark {
    kube::Resource resource;
    std::uint64_t version = 0;
    std::map<coord::DocumentKey, Mark> documents;
  };
  ListMark list_mark(const kube::Resource& resource) const;
  Result<void> listed(const std::string& resource_version, const ListMark& mark);
  // The documents of the mark that a whole list lacks: somebody has deleted them.
  static std::vector<coord::DocumentKey> lacking(const std::vector<StoredObject>& objects,
                                                 const ListMark& mark);

  // ---- a watch
  // The error: the store has gone back. What is told twice or late changes nothing.
  Result<void> told(const kube::Resource& resource, const StoredEvent& event);

 private:
  void keep(const StoredObject& object);

  std::map<coord::DocumentKey, Seen> seen_;
  std::map<kube::Resource, std::uint64_t> highest_;  // resourceVersion
};

// Of an etcd, as all API servers have it, it is a number that rises; 0: it is something else.
std::uint64_t version_number(std::string_view resource_version);

}  // namespace herald::daemon
