#include "daemon/kubernetes_store_wire.h"

#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <utility>

#include <boost/json.hpp>

#include "base/base64.h"
#include "base/text.h"
#include "coord/document_wire.h"

namespace herald::daemon {
namespace {

namespace json = boost::json;
using coord::DocumentKey;

constexpr const char* kMemberLease = "herald-member-";
constexpr const char* kLeaderLease = "herald-leader";
constexpr const char* kClusterSecret = "herald-cluster";
constexpr const char* kShardName = "shard-";
constexpr const char* kDocumentName =
    "herald.io/document";  // label: its kind; annotation: its text
constexpr const char* kLeasedBy = "herald.io/leased-by";
constexpr std::size_t kMaxNameBytes = 253;  // RFC 1123 subdomain, as the API server checks it
constexpr std::size_t kMaxWordBytes = 1000;
constexpr std::size_t kMaxMessageBytes = 500;

json::string text(std::string_view s) {
  return json::string(json::string_view(s.data(), s.size()));
}

bool begins_with(std::string_view s, std::string_view prefix) {
  return s.substr(0, prefix.size()) == prefix;
}

bool is_object_name(std::string_view name) {
  const auto alnum = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  if (name.empty() || name.size() > kMaxNameBytes) return false;
  char before = '.';
  for (const char c : name) {
    const bool ok =
        alnum(c) || (c == '-' && before != '.') || (c == '.' && before != '.' && before != '-');
    if (!ok) return false;
    before = c;
  }
  return alnum(before);
}

// ---- reading

const json::value* at(const json::object& object, std::string_view name) {
  return object.if_contains(json::string_view(name.data(), name.size()));
}
const json::object* object_at(const json::object& object, std::string_view name) {
  const json::value* value = at(object, name);
  return value == nullptr ? nullptr : value->if_object();
}
// Missing, null, of another kind or too long: empty.
std::string string_at(const json::object* object, std::string_view name,
                      std::size_t max = kMaxWordBytes) {
  const json::value* value = object == nullptr ? nullptr : at(*object, name);
  const json::string* s = value == nullptr ? nullptr : value->if_string();
  if (s == nullptr || s->size() > max) return {};
  return {s->data(), s->size()};
}
std::int64_t number_at(const json::object* object, std::string_view name) {
  const json::value* value = object == nullptr ? nullptr : at(*object, name);
  if (value == nullptr) return 0;
  if (const std::int64_t* n = value->if_int64()) return *n;
  const std::uint64_t* n = value->if_uint64();
  return n != nullptr ? std::numeric_limits<std::int64_t>::max() : 0;
}

Result<json::value> parse_json_object(std::string_view body) {
  boost::system::error_code bad;
  json::value value = json::parse(json::string_view(body.data(), body.size()), bad);
  if (bad) return error("its JSON is wrong: " + bad.message());
  if (!value.is_object()) return error("it is no JSON object");
  return value;
}

// Words of a stranger, for a sentence.
std::string quoted(std::string_view words) {
  std::string out;
  for (const char c : words.substr(0, kMaxMessageBytes)) {
    out += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
  return std::string(trim(out)) + (words.size() > kMaxMessageBytes ? " ..." : "");
}

// The text of the document, from where this kind keeps it.
Result<std::string> document_text(const kube::Resource& resource, const json::object& object,
                                  const json::object& metadata) {
  if (resource == lease_resource()) {
    const json::object* annotations = object_at(metadata, "annotations");
    std::string out = string_at(annotations, kDocumentName, kMaxShardDocument);
    if (out.empty()) return error(std::string("it has no annotation ") + kDocumentName);
    return out;
  }
  if (resource == secret_resource()) {
    const auto bytes =
        from_base64(string_at(object_at(object, "data"), "document", 2 * kMaxShardDocument));
    if (!bytes || bytes->empty()) return error("its data has no document");
    return *bytes;
  }
  const json::object* spec = object_at(object, "spec");
  std::string out = string_at(spec, "document", kMaxShardDocument);
  if (out.empty()) return error("it has no spec.document");
  return out;
}

Result<coord::Document> document_of(const kube::Resource& resource, const DocumentKey& key,
                                    const json::object& object, const json::object& metadata) {
  const auto found = document_text(resource, object, metadata);
  if (!found) return error(found.error());
  auto document = coord::parse_document(key, *found);
  if (!document || resource != shard_resource()) return document;
  const std::int64_t rev = number_at(object_at(object, "spec"), "rev");
  const std::uint64_t own = coord::revision_of(*document).value;
  if (rev < 1 || static_cast<std::uint64_t>(rev) != own) {
    return error("its spec.rev is " + std::to_string(rev) + ", but that of its document " +
                 std::to_string(own) + ": it was edited by hand");
  }
  return document;
}

LeaseTimes times_of(const json::object& object, const Result<coord::Document>& document) {
  LeaseTimes out;
  const json::object* spec = object_at(object, "spec");
  out.holder = string_at(spec, "holderIdentity");
  out.acquired = string_at(spec, "acquireTime");
  out.renewed = string_at(spec, "renewTime");
  out.transitions = static_cast<std::int32_t>(std::clamp<std::int64_t>(
      number_at(spec, "leaseTransitions"), 0, std::numeric_limits<std::int32_t>::max()));
  if (!document) return out;
  if (const auto* member = std::get_if<coord::MemberDocument>(&*document)) out.inc = member->inc;
  if (const auto* leader = std::get_if<coord::LeaderDocument>(&*document)) out.inc = leader->inc;
  return out;
}

// nullopt: not Herald's.
Result<std::optional<StoredObject>> stored(const kube::Resource& resource,
                                           const json::value& value) {
  const json::object* object = value.if_object();
  const json::object* metadata = object == nullptr ? nullptr : object_at(*object, "metadata");
  if (metadata == nullptr) return error("an object in it has no metadata");
  StoredObject out;
  out.name = string_at(metadata, "name");
  const auto key = key_of(resource, out.name);
  if (!key) return std::optional<StoredObject>();
  out.key = *key;
  out.uid = string_at(metadata, "uid");
  out.resource_version = string_at(metadata, "resourceVersion");
  if (out.uid.empty() || out.resource_version.empty()) {
    return error(resource.kind.str() + " " + out.name + " in it has no uid or no resourceVersion");
  }
  out.document = document_of(resource, out.key, *object, *metadata);
  if (resource == lease_resource()) out.times = times_of(*object, out.document);
  return std::optional(std::move(out));
}

// ---- writing

std::int64_t whole_seconds(Duration d) {
  const auto s = std::chrono::ceil<std::chrono::seconds>(d).count();
  return std::clamp<std::int64_t>(s, 1, std::numeric_limits<std::int32_t>::max());
}

std::int32_t clamped(std::uint64_t n) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::int32_t>::max();
  return static_cast<std::int32_t>(std::min(n, kMost));
}

struct LeaseSpec {
  std::string holder;
  std::optional<std::int64_t> duration_s;  // none: it lasts without being renewed
  std::string acquired, renewed, leased_by;
  std::int32_t transitions = 0;
};

LeaseSpec spec_of(const coord::MemberDocument& d, const LeaseTimes& before,
                  const Readable& readable) {
  LeaseSpec out;
  if (!d.revoked) out.holder = d.node.str();
  out.acquired = before.inc == d.inc && !before.acquired.empty() ? before.acquired : readable.now;
  out.renewed = readable.by_its_owner || before.renewed.empty() ? readable.now : before.renewed;
  out.transitions = clamped(d.inc.value);
  if (d.revoked) {
    out.leased_by = "nobody";
    out.duration_s = 1;
  } else if (d.guards.empty()) {
    out.leased_by = "this Lease";
    out.duration_s = whole_seconds(d.terms.lease);
  } else {
    std::vector<std::string> names;
    for (const coord::GuardRef& guard : d.guards) names.push_back(guard.node.str());
    out.leased_by = "heartbeats to " + join(names, ", ");
    if (const auto& limit = d.terms.store_loss_limit) out.duration_s = whole_seconds(*limit);
  }
  return out;
}

LeaseSpec spec_of(const coord::LeaderDocument& d, const LeaseTimes& before,
                  const Readable& readable) {
  LeaseSpec out;
  out.holder = d.holder.str();
  const bool same = before.holder == out.holder && before.inc == d.inc;
  out.acquired = same && !before.acquired.empty() ? before.acquired : readable.now;
  out.renewed = readable.now;
  out.transitions = before.transitions;
  const bool first = before.holder.empty() && before.transitions == 0;
  if (!same && !first && out.transitions < std::numeric_limits<std::int32_t>::max()) {
    ++out.transitions;
  }
  out.leased_by = "this Lease";
  out.duration_s = whole_seconds(readable.leader_lease);
  return out;
}

std::string too_large(const char* what, std::size_t bytes, std::size_t most) {
  return fmt::format(
      "{} has {} bytes, and an API server keeps at most {}: nothing of it can be changed any more. "
      "Release IPs that are not needed, or keep them in an etcd (--store)",
      what, bytes, most);
}

}  // namespace

const kube::Resource& lease_resource() {
  static const kube::Resource kLease{"coordination.k8s.io", "v1", "leases", "Lease", true};
  return kLease;
}
const kube::Resource& shard_resource() {
  static const kube::Resource kShard{"herald.io", "v1alpha1", "iptableshards", "IPTableShard",
                                     true};
  return kShard;
}
const kube::Resource& secret_resource() {
  static const kube::Resource kSecret{"", "v1", "secrets", "Secret", true};
  return kSecret;
}

Result<kube::ObjectRef> object_of(const DocumentKey& key, const std::string& ns) {
  const std::string& word = key.str();
  if (word == coord::leader_key().str()) return kube::ObjectRef{lease_resource(), ns, kLeaderLease};
  if (word == coord::cluster_key().str()) {
    return kube::ObjectRef{secret_resource(), ns, kClusterSecret};
  }
  if (begins_with(word, "member/")) {
    const std::string node = word.substr(7);
    const std::string name = kMemberLease + node;
    if (!is_object_name(node) || !is_object_name(name)) {
      return error("node-name: '" + node + "' can't be part of a Lease's name: it must be " +
                   std::to_string(kMaxNameBytes - std::string_view(kMemberLease).size()) +
                   " characters at most of a-z, 0-9, '-' and '.', as Kubernetes names nodes");
    }
    return kube::ObjectRef{lease_resource(), ns, name};
  }
  if (begins_with(word, "table/")) {
    const auto shard = parse_number(std::string_view(word).substr(6), coord::kShards - 1);
    if (shard && word == coord::table_key(static_cast<unsigned>(*shard)).str()) {
      return kube::ObjectRef{shard_resource(), ns, kShardName + std::to_string(*shard)};
    }
  }
  return error(
      "document " + word +
      " is not kept in the kubernetes store; what a service was told stands in its status");
}

std::optional<DocumentKey> key_of(const kube::Resource& resource, std::string_view name) {
  std::optional<DocumentKey> key;
  if (resource == lease_resource()) {
    if (name == kLeaderLease) return coord::leader_key();
    if (begins_with(name, kMemberLease)) {
      key = coord::member_key(
          NodeName(std::string(name.substr(std::string_view(kMemberLease).size()))));
    }
  } else if (resource == secret_resource()) {
    if (name == kClusterSecret) return coord::cluster_key();
  } else if (resource == shard_resource() && begins_with(name, kShardName)) {
    key = DocumentKey("table/" + std::string(name.substr(std::string_view(kShardName).size())));
  }
  if (!key) return std::nullopt;
  const auto back = object_of(*key, "");
  if (!back || back->name != name) return std::nullopt;
  return key;
}

std::string to_rfc3339(std::int64_t microseconds) {
  using namespace std::chrono;
  const auto since = std::chrono::microseconds(microseconds);
  const auto day = floor<days>(since);
  const year_month_day date{sys_days(day)};
  const hh_mm_ss time{since - day};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     time.hours().count(), time.minutes().count(), time.seconds().count(),
                     time.subseconds().count());
}

Result<std::string> print_object(const coord::Document& document, const kube::ObjectRef& object,
                                 const std::optional<Replaced>& replaced,
                                 const Readable& readable) {
  const std::string body = coord::print_document(document);
  const bool lease = object.resource == lease_resource();
  const bool shard = object.resource == shard_resource();
  const std::size_t most = shard ? kMaxShardDocument : kMaxOtherDocument;
  if (body.size() > most) {
    return error(
        too_large(("document " + coord::key_of(document).str()).c_str(), body.size(), most));
  }
  const std::string key = coord::key_of(document).str();
  json::object labels{{"app.kubernetes.io/name", "herald"},
                      {kDocumentName, text(key.substr(0, key.find('/')))}};
  json::object metadata{
      {"name", text(object.name)}, {"namespace", text(object.ns)}, {"labels", std::move(labels)}};
  if (replaced) {
    metadata["uid"] = text(replaced->uid);
    metadata["resourceVersion"] = text(replaced->resource_version);
  }
  const kube::Resource& r = object.resource;
  json::object out{{"apiVersion", text(kube::api_version(r))}, {"kind", text(r.kind.str())}};
  if (lease) {
    const LeaseTimes before = replaced ? replaced->times : LeaseTimes();
    const auto* member = std::get_if<coord::MemberDocument>(&document);
    const LeaseSpec spec =
        member != nullptr ? spec_of(*member, before, readable)
                          : spec_of(std::get<coord::LeaderDocument>(document), before, readable);
    metadata["annotations"] =
        json::object{{kDocumentName, text(body)}, {kLeasedBy, text(spec.leased_by)}};
    json::object fields{{"holderIdentity", text(spec.holder)},
                        {"acquireTime", text(spec.acquired)},
                        {"renewTime", text(spec.renewed)},
                        {"leaseTransitions", spec.transitions}};
    if (spec.duration_s) fields["leaseDurationSeconds"] = *spec.duration_s;
    out["spec"] = std::move(fields);
  } else if (const auto* table = std::get_if<coord::TableDocument>(&document)) {
    out["spec"] = json::object{
        {"document", text(body)}, {"rev", table->rev.value}, {"ips", table->entries.size()}};
  } else {
    out["type"] = "Opaque";
    out["data"] = json::object{{"document", text(to_base64(body))}};
  }
  out["metadata"] = std::move(metadata);
  return json::serialize(out);
}

Result<StoredObject> parse_object(const kube::Resource& resource, std::string_view body) {
  const auto value = parse_json_object(body);
  if (!value) return error(value.error());
  auto found = stored(resource, *value);
  if (!found) return error(found.error());
  if (!*found) return error("it is no " + resource.kind.str() + " of Herald's");
  return std::move(**found);
}

Result<StoredList> parse_list(const kube::Resource& resource, std::string_view body) {
  const auto value = parse_json_object(body);
  if (!value) return error(value.error());
  const json::object& list = value->get_object();
  const json::object* metadata = object_at(list, "metadata");
  StoredList out;
  out.resource_version = string_at(metadata, "resourceVersion");
  out.next = string_at(metadata, "continue", 64U << 10);
  if (out.resource_version.empty()) return error("it has no metadata.resourceVersion");
  const json::value* items = at(list, "items");
  if (items == nullptr || (!items->is_array() && !items->is_null())) {
    return error("it has no items");
  }
  if (items->is_null()) return out;  // Go's nil slice
  for (const json::value& item : items->get_array()) {
    auto found = stored(resource, item);
    if (!found) return error(found.error());
    if (*found) out.objects.push_back(std::move(**found));
  }
  return out;
}

Result<StoredEvent> parse_event(const kube::Resource& resource, std::string_view line) {
  const auto value = parse_json_object(line);
  if (!value) return error(value.error());
  const json::object& event = value->get_object();
  const std::string type = string_at(&event, "type");
  const json::value* what = at(event, "object");
  const json::object* object = what == nullptr ? nullptr : what->if_object();
  if (object == nullptr) return error("an event has no object");
  StoredEvent out;
  if (type == "ERROR") {
    const std::string reason = string_at(object, "reason");
    const std::int64_t code = number_at(object, "code");
    out.kind = code == 410 || reason == "Expired" || reason == "Gone" ? StoredEvent::Kind::Expired
                                                                      : StoredEvent::Kind::Failed;
    out.why = quoted(string_at(object, "message", 64U << 10));
    return out;
  }
  const json::object* metadata = object_at(*object, "metadata");
  out.resource_version = string_at(metadata, "resourceVersion");
  if (out.resource_version.empty()) return error("an event has no resourceVersion");
  if (type == "BOOKMARK") {
    out.kind = StoredEvent::Kind::Bookmark;
    return out;
  }
  if (type != "ADDED" && type != "MODIFIED" && type != "DELETED") {
    return error("an event is of type '" + quoted(type) + "'");
  }
  out.kind = type == "DELETED" ? StoredEvent::Kind::Deleted : StoredEvent::Kind::Written;
  auto found = stored(resource, *what);
  if (!found) return error(found.error());
  out.object = std::move(*found);
  return out;
}

// ---- refusals

Refusal parse_refusal(unsigned status, std::string_view body, const kube::ObjectRef& object) {
  Refusal out;
  const auto value = parse_json_object(body);
  const json::object* said = value ? &value->get_object() : nullptr;
  const bool spoken = said != nullptr && string_at(said, "kind") == "Status";
  if (spoken) {
    out.message = quoted(string_at(said, "message", 64U << 10));
    out.reason = string_at(said, "reason");
  } else {
    out.message = quoted(body);
  }
  if (status == 404) {
    // The server's word for a path that it does not serve is 404 too: only one that names the
    // object says that there is no such object.
    const json::object* details = spoken ? object_at(*said, "details") : nullptr;
    const std::string kind = string_at(details, "kind");
    out.absent = out.reason == "NotFound" && !object.name.empty() &&
                 string_at(details, "name") == object.name &&
                 (kind == object.resource.plural.view() || kind == object.resource.kind.view());
    out.no_kind = !out.absent && string_at(details, "kind") != "namespaces";
  }
  // Before a request is carried out the server looks who asks, whether it may, has time for it, and
  // whether it is right. 409 is for the caller: it tells another version. A 5xx may be said after
  // the write was handed to etcd.
  out.not_applied = status >= 400 && status < 500 && status != 408 && status != 409;
  out.conflict = status == 409;
  out.expired = status == 410;
  out.full = status >= 500 && out.message.find("database space exceeded") != std::string::npos;
  return out;
}

std::string to_sentence(const Refusal& refusal, unsigned status, const char* verb,
                        const kube::ObjectRef& object) {
  const std::string kind = kube::name_of(object.resource);
  const std::string what =
      object.name.empty() ? kind + " in namespace " + object.ns : kube::to_string(object);
  const std::string said =
      " (" + std::to_string(status) + (refusal.message.empty() ? "" : ": " + refusal.message) + ")";
  const std::string begin = std::string("the API server refused to ") + verb + " " + what + said;
  const auto says = [&](const char* words) {
    return refusal.message.find(words) != std::string::npos;
  };
  if (status == 401) {
    return begin +
           ": it does not know this heraldd; is the token or the certificate for this cluster, and "
           "not expired?";
  }
  if (status == 403 && says("being terminated")) {
    return begin +
           ": the namespace is being deleted; give Herald one that stays "
           "(--kubernetes-namespace)";
  }
  if (status == 403) {
    return begin + ": the Role of heraldd in namespace " + object.ns + " must allow '" + verb +
           "' on " + kind + ": apply the roles of deploy/ again";
  }
  if (refusal.no_kind && object.resource == shard_resource()) {
    return begin + ": the CustomResourceDefinition " + kind +
           " is missing: apply the CustomResourceDefinitions of deploy/";
  }
  if (status == 404 && says("namespaces")) {
    return begin + ": create that namespace, or name another (--kubernetes-namespace)";
  }
  if (status == 429) return begin + ": it has too much to do; it is asked again";
  if (refusal.full) {
    return begin + ": the etcd behind it is full; compact and defragment it, and disarm its alarm";
  }
  if (status == 413 || status == 422) {
    return begin +
           ": is the CustomResourceDefinition of this version of Herald applied, and does "
           "an admission policy refuse it?";
  }
  return begin;
}

}  // namespace herald::daemon
