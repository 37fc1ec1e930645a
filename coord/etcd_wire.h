// coord/etcd_wire.h: etcd v3 as its JSON gateway speaks it: values to request bodies, reply bodies
// to values.
//
// Keys and values are base64, 64-bit numbers are strings, and what is zero, false or empty is left
// out (proto3 JSON). A compare-and-swap is a transaction that compares the key's `version`, the
// number of its puts since it was created: Herald writes each document with rev+1 and never deletes
// one, so version == rev, and version 0 means that there is none. A document of which that is not
// true was written or restored by hand; etcd_document() finds it.
//
// Replies are hostile: whatever does not have the shape of etcd's answers is an error.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "coord/store.h"

namespace herald::coord {

inline constexpr const char* kEtcdRange = "/v3/kv/range";
inline constexpr const char* kEtcdTxn = "/v3/kv/txn";
inline constexpr const char* kEtcdWatch = "/v3/watch";
inline constexpr const char* kEtcdAuthenticate = "/v3/auth/authenticate";

// The first key that does not begin with `prefix` and is greater than those that do.
std::string after_prefix(std::string prefix);

// ---- requests

std::string etcd_read(std::string_view key);
// All keys from `first` on that begin with `prefix`, at most `limit`, as they were at `revision`
// (0: now).
std::string etcd_list(std::string_view prefix, std::string_view first, unsigned limit,
                      std::int64_t revision);
// Puts `value` if the key's version is `base`.
std::string etcd_cas(std::string_view key, Revision base, std::string_view value);
std::string etcd_watch(std::string_view prefix, std::int64_t start_revision);
std::string etcd_authenticate(std::string_view user, std::string_view password);

// ---- replies

struct EtcdHeader {
  std::uint64_t cluster_id = 0;
  std::int64_t revision = 0;  // of the whole etcd when it answered
};

struct EtcdKeyValue {
  std::string key, value;
  std::int64_t mod_revision = 0;
  std::int64_t version = 0;
};

struct EtcdRangeReply {
  EtcdHeader header;
  std::vector<EtcdKeyValue> kvs;
  bool more = false;
};
Result<EtcdRangeReply> parse_etcd_range(std::string_view body);

struct EtcdTxnReply {
  EtcdHeader header;
  bool succeeded = false;
};
Result<EtcdTxnReply> parse_etcd_txn(std::string_view body);

Result<std::string> parse_etcd_token(std::string_view body);

// A line of the stream that /v3/watch answers with.
struct EtcdWatchReply {
  EtcdHeader header;
  bool created = false;
  bool canceled = false;              // this watch is over
  std::int64_t compact_revision = 0;  // over since what it asked for is gone: list again
  std::string cancel_reason;
  struct Event {
    bool deleted = false;
    EtcdKeyValue kv;
  };
  std::vector<Event> events;
};
Result<EtcdWatchReply> parse_etcd_watch(std::string_view line);

// ---- refusals

// A reply with another status than 200, or an error in a watch's stream.
struct EtcdError {
  std::string message;  // etcd's words, or what the body was instead
  // Certainly nothing was written: etcd said so before or instead of applying the request.
  bool not_applied = false;
  bool bad_token = false;  // authenticate, then ask again
  bool compacted = false;  // the revision asked for is gone
  // Another member may do better: this one has no leader, is going down, or is no etcd at all.
  bool unavailable = false;
  // etcd's quota is used up. It says so before, instead of or after it applied a write, but never
  // before the write is decided: a read that is sent after this reply tells which.
  bool full = false;
};
EtcdError parse_etcd_error(unsigned http_status, std::string_view body);

// The document in a key that was found under `prefix`. The error is a sentence that says what is
// wrong with it, without the key: "its rev is 3, but etcd counts 1 write: ...".
Result<Document> etcd_document(std::string_view prefix, const EtcdKeyValue& kv);

}  // namespace herald::coord
