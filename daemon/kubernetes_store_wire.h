// daemon/kubernetes_store_wire.h: the documents of the store as objects of an API server.
//
//   member/<node>   Lease herald-member-<node>     leader   Lease herald-leader
//   table/<shard>   IPTableShard shard-<shard>     cluster  Secret herald-cluster
//
// A document is kept as its exact JSON text, in an annotation of the Lease, in spec.document of the
// shard, in the Secret's data: the 64-bit numbers in it would not survive as numbers of an API
// server's JSON. What stands beside it (holderIdentity, renewTime, spec.ips, ...) is for people and
// is never read back for a decision; but a shard whose spec.rev is not that of its document was
// edited by hand, and is refused.
//
// Answers are hostile: whatever does not have the shape of an API server's is an error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "coord/store.h"
#include "kube/object.h"

namespace herald::daemon {

// All annotations of an object together may have 256 KiB; an object in etcd 1.5 MiB.
inline constexpr std::size_t kMaxOtherDocument = 240U << 10;
inline constexpr std::size_t kMaxShardDocument = 1400U << 10;

const kube::Resource& lease_resource();
const kube::Resource& shard_resource();
const kube::Resource& secret_resource();

// The object that the document is kept in. The error says why there can be none: a document of a
// kind that is not kept here, or a node's name that can't be an object's.
Result<kube::ObjectRef> object_of(const coord::DocumentKey& key, const std::string& ns);
// The document that an object of this kind and name holds; nullopt: it is not Herald's.
std::optional<coord::DocumentKey> key_of(const kube::Resource& resource, std::string_view name);

// Of a Lease, for people: it goes from one version to the next.
struct LeaseTimes {
  std::string holder, acquired, renewed;  // as they stand there; the times are RFC 3339
  std::int32_t transitions = 0;
  coord::Incarnation inc;
  bool operator==(const LeaseTimes&) const = default;
};

// An object, as it was read.
struct StoredObject {
  std::string name, uid, resource_version;
  coord::DocumentKey key;
  Result<coord::Document> document;  // or what is wrong with it
  LeaseTimes times;
};

// The version of an object that is to be replaced: the server refuses to if it has another by now,
// or if there is no object any more.
struct Replaced {
  std::string uid, resource_version;
  LeaseTimes times;
};

struct Readable {
  std::string now;             // by the clock on the wall: "2026-01-31T12:00:00.000000Z"
  bool by_its_owner = true;    // it renews: one who revokes it leaves renewTime as it is
  Duration leader_lease = 0s;  // that `leader` is good for
};
// "2026-01-31T12:00:00.000000Z", of microseconds since 1970.
std::string to_rfc3339(std::int64_t microseconds);

// The object as JSON, to be created, or to be put over `replaced`. The error says that it is too
// large, and what to do.
Result<std::string> print_object(const coord::Document& document, const kube::ObjectRef& object,
                                 const std::optional<Replaced>& replaced, const Readable& readable);

// The error is about the answer as a whole; what is wrong with the document is in it.
Result<StoredObject> parse_object(const kube::Resource& resource, std::string_view json);

struct StoredList {
  std::string resource_version;
  std::string next;                   // metadata.continue: of the next page; empty: none
  std::vector<StoredObject> objects;  // Herald's alone
};
Result<StoredList> parse_list(const kube::Resource& resource, std::string_view json);

// A line of a watch.
struct StoredEvent {
  enum class Kind : std::uint8_t { Written, Deleted, Bookmark, Expired, Failed };
  Kind kind = Kind::Failed;
  std::string resource_version;
  std::optional<StoredObject> object;  // of Written and Deleted, if it is Herald's
  std::string why;                     // of Expired and Failed
};
Result<StoredEvent> parse_event(const kube::Resource& resource, std::string_view line);

// ---- refusals

// An answer with another status than 2xx.
struct Refusal {
  std::string message;   // the server's words, or what the body was instead
  std::string reason;    // "NotFound", "AlreadyExists", ...
  bool absent = false;   // there is no such object, though there is such a kind
  bool no_kind = false;  // there is no such kind: its CustomResourceDefinition is missing
  // Certainly nothing was written: it was refused before.
  bool not_applied = false;
  bool conflict = false;  // 409: another version is there, or one at all
  bool expired = false;   // what the list or watch would go on from is gone
  // etcd behind it is full: decided when it says so, a read tells which way.
  bool full = false;
};
Refusal parse_refusal(unsigned status, std::string_view body, const kube::ObjectRef& object);

// A sentence: what was refused, and what to do.
std::string to_sentence(const Refusal& refusal, unsigned status, const char* verb,
                        const kube::ObjectRef& object);

}  // namespace herald::daemon
