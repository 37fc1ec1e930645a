#include "coord/document_wire.h"

#include <algorithm>
#include <optional>
#include <set>

#include <boost/json.hpp>

#include "base/bytes.h"
#include "base/lists.h"
#include "base/text.h"

namespace herald::coord {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxNameBytes = 253;  // of a Kubernetes object
constexpr std::size_t kMaxTextBytes = 64U << 10;
constexpr std::size_t kMaxListed = 1U << 20;

json::string text(std::string_view s) {
  return json::string(json::string_view(s.data(), s.size()));
}

const char* word_of(TableEntry::Wish wish) {
  switch (wish) {
    case TableEntry::Wish::Release:
      return "Release";
    case TableEntry::Wish::Move:
      return "Move";
    case TableEntry::Wish::Keep:
      break;
  }
  return "Keep";
}

json::object terms_of(const LeaseTerms& terms) {
  const auto& limit = terms.store_loss_limit;
  return {{"leaseNs", terms.lease.count()},
          {"patienceNs", terms.patience.count()},
          {"storeLossLimitNs", limit ? json::value(limit->count()) : nullptr}};
}

struct Print {
  json::object operator()(const MemberDocument& d) const {
    json::array guards;
    for (const GuardRef& guard : d.guards) {
      guards.push_back(json::object{{"node", text(guard.node.str())}, {"inc", guard.inc.value}});
    }
    json::object labels;
    for (const auto& [key, value] : d.info.labels) labels[key] = text(value);
    json::array links;
    for (const MemberLink& link : d.info.links) {
      json::array subnets;
      for (const IpPrefix& subnet : link.subnets) subnets.push_back(text(to_string(subnet)));
      json::object out{{"name", text(link.name)}, {"subnets", std::move(subnets)}};
      if (!link.mac.is_zero()) out["mac"] = text(to_string(link.mac));
      if (!link.addresses.empty()) {
        json::array& addresses = out["addresses"].emplace_array();
        for (const IpAddress& a : link.addresses) addresses.push_back(text(to_string(a)));
      }
      links.push_back(std::move(out));
    }
    json::array heartbeat;
    for (const HeartbeatAddress& at : d.info.heartbeat) {
      heartbeat.push_back(
          json::object{{"address", text(to_string(at.address))}, {"port", at.port}});
    }
    return {{"node", text(d.node.str())},
            {"rev", d.rev.value},
            {"inc", d.inc.value},
            {"nonce", d.nonce},
            {"revoked", d.revoked},
            {"guards", std::move(guards)},
            {"terms", terms_of(d.terms)},
            {"info", json::object{{"machineID", text(d.info.machine_id)},
                                  {"version", text(d.info.version)},
                                  {"labels", std::move(labels)},
                                  {"links", std::move(links)},
                                  {"draining", d.info.draining},
                                  {"heartbeat", std::move(heartbeat)}}}};
  }

  json::object operator()(const TableDocument& d) const {
    json::object entries;
    for (const auto& [vip, entry] : d.entries) {
      json::array services;
      for (const ObjectName& service : entry.services) services.push_back(text(to_string(service)));
      const json::value owner = entry.owner ? json::value(text(entry.owner->str())) : nullptr;
      json::object out{{"services", std::move(services)},
                       {"owner", owner},
                       {"inc", entry.inc.value},
                       {"epoch", entry.epoch.value},
                       {"wish", word_of(entry.wish)}};
      if (entry.move_to) out["moveTo"] = text(entry.move_to->str());
      if (entry.kept_for) out["keptFor"] = text(to_string(*entry.kept_for));
      if (entry.unproven) out["unproven"] = true;
      if (const auto& seen = entry.quarantine) {
        out["quarantine"] = json::object{{"station", text(to_string(seen->station))},
                                         {"node", text(seen->node.str())},
                                         {"link", text(seen->link)}};
      }
      entries[to_string(vip)] = std::move(out);
    }
    return {{"shard", d.shard},
            {"rev", d.rev.value},
            {"highest", d.highest.value},
            {"entries", std::move(entries)}};
  }

  json::object operator()(const LeaderDocument& d) const {
    return {{"rev", d.rev.value},
            {"holder", text(d.holder.str())},
            {"inc", d.inc.value},
            {"nonce", d.nonce}};
  }

  json::object operator()(const StatusDocument& d) const {
    json::array ips;
    for (std::size_t i = 0; i < d.ips.size(); ++i) {
      const std::string pool = i < d.pools.size() ? d.pools[i].str() : std::string();
      ips.push_back(json::object{{"ip", text(to_string(d.ips[i]))}, {"pool", text(pool)}});
    }
    return {{"service", text(to_string(d.service))},
            {"rev", d.rev.value},
            {"ips", std::move(ips)},
            {"reason", text(d.reason)},
            {"message", text(d.message)}};
  }

  json::object operator()(const ClusterDocument& d) const {
    json::array drained;
    for (const NodeName& node : d.drained) drained.push_back(text(node.str()));
    return {{"rev", d.rev.value},
            {"heartbeatKey", text(to_hex(d.heartbeat_key))},
            {"drained", std::move(drained)}};
  }
};

// A value and how one got there. What is wrong first is kept; after it every read gives a default,
// so a document is read straight down and asked once.
class Cursor {
 public:
  Cursor(const json::value* value, std::string& wrong) : value_(value), wrong_(wrong) {}
  Cursor(const json::value* value, const Cursor& up, std::string_view name)
      : value_(value), wrong_(up.wrong_), up_(&up), name_(name) {}

  Cursor operator[](std::string_view name) const {
    const json::value* found = nullptr;
    if (const json::object* object = as_object()) {
      found = object->if_contains(json::string_view(name.data(), name.size()));
      Cursor out(found, *this, name);
      if (found == nullptr) out.fail("is missing");
      return out;
    }
    return {found, *this, name};
  }

  // A field that an older version did not write yet: reads as its default when it is missing.
  Cursor if_there(std::string_view name) const {
    const json::object* object = as_object();
    const json::string_view key(name.data(), name.size());
    return {object == nullptr ? nullptr : object->if_contains(key), *this, name};
  }

  std::uint64_t number() const {
    if (value_ == nullptr) return 0;
    if (const std::uint64_t* n = value_->if_uint64()) return *n;
    const std::int64_t* n = value_->if_int64();
    if (n != nullptr && *n >= 0) return static_cast<std::uint64_t>(*n);
    fail("must be a whole number from 0 to 18446744073709551615");
    return 0;
  }
  bool boolean() const {
    if (value_ == nullptr) return false;
    if (const bool* b = value_->if_bool()) return *b;
    fail("must be true or false");
    return false;
  }
  std::string string(std::size_t max = kMaxTextBytes) const {
    if (value_ == nullptr) return {};
    const json::string* s = value_->if_string();
    if (s == nullptr) {
      fail("must be a string");
      return {};
    }
    if (s->size() > max) {
      fail("has " + std::to_string(s->size()) + " bytes; the most is " + std::to_string(max));
      return {};
    }
    return {s->data(), s->size()};
  }
  // Of an object: neither empty nor with a '/'.
  std::string name() const {
    std::string out = string(kMaxNameBytes);
    if (value_ != nullptr && (out.empty() || out.find('/') != std::string::npos)) {
      fail("must be a name, not '" + out + "'");
    }
    return out;
  }
  ObjectName object_name() const {
    const std::string both = string(2 * kMaxNameBytes + 1);
    const auto slash = both.find('/');
    if (value_ != nullptr && (slash == std::string::npos || slash == 0 ||
                              slash + 1 == both.size() || both.find('/', slash + 1) != both.npos)) {
      fail("must be <namespace>/<name>, not '" + both + "'");
    }
    if (slash == std::string::npos) return {};
    return {both.substr(0, slash), both.substr(slash + 1)};
  }
  template <typename T>
  T parsed(const char* what) const {
    const std::string word = string(kMaxNameBytes);
    const auto out = T::parse(word);
    if (value_ != nullptr && !out) fail(std::string("must be ") + what + ", not '" + word + "'");
    return out.value_or(T());
  }
  bool is_there() const { return value_ != nullptr; }
  bool is_null() const { return value_ != nullptr && value_->is_null(); }

  // Calls each(Cursor) for every element of an array.
  template <typename F>
  void for_each(F each) const {
    if (value_ == nullptr) return;
    const json::array* array = value_->if_array();
    if (array == nullptr) return fail("must be a list");
    if (array->size() > kMaxListed) return fail("lists more than " + std::to_string(kMaxListed));
    for (std::size_t i = 0; i < array->size() && wrong_.empty(); ++i) {
      each(Cursor(&(*array)[i], *this, "[" + std::to_string(i) + "]"));
    }
  }
  // Calls each(name, Cursor) for every field of an object.
  template <typename F>
  void for_each_field(F each) const {
    const json::object* object = as_object();
    if (object == nullptr) return;
    if (object->size() > kMaxListed) return fail("holds more than " + std::to_string(kMaxListed));
    for (const auto& field : *object) {
      if (!wrong_.empty()) return;
      const std::string name(field.key().data(), field.key().size());
      each(name, Cursor(&field.value(), *this, name));
    }
  }

  void fail(const std::string& what) const {
    if (wrong_.empty()) wrong_ = (path().empty() ? "it" : "field '" + path() + "'") + " " + what;
  }

 private:
  const json::object* as_object() const {
    if (value_ == nullptr) return nullptr;
    const json::object* object = value_->if_object();
    if (object == nullptr) fail("must be an object");
    return object;
  }
  std::string path() const {
    if (up_ == nullptr) return {};
    const std::string above = up_->path();
    return above.empty() || name_.starts_with('[') ? above + name_ : above + "." + name_;
  }

  const json::value* value_;
  std::string& wrong_;
  const Cursor* up_ = nullptr;
  std::string name_;
};

Duration read_term(const Cursor& in) {
  const std::uint64_t ns = in.number();
  if (ns > static_cast<std::uint64_t>(kLongestTerm.count())) {
    in.fail("must be at most " + std::to_string(kLongestTerm.count()));
    return {};
  }
  return Duration(static_cast<Duration::rep>(ns));
}

MemberDocument read_member(const Cursor& in) {
  MemberDocument d;
  d.node = NodeName(in["node"].name());
  d.inc = Incarnation(in["inc"].number());
  d.nonce = in["nonce"].number();
  d.revoked = in["revoked"].boolean();
  std::set<NodeName> listed;  // twice, one fence would prove what needs two (V1)
  in["guards"].for_each([&](const Cursor& guard) {
    const Cursor node = guard["node"];
    d.guards.push_back({NodeName(node.name()), Incarnation(guard["inc"].number())});
    if (!listed.insert(d.guards.back().node).second) {
      node.fail("must be another one: '" + d.guards.back().node.str() + "' is listed already");
    }
  });
  const Cursor terms = in["terms"];
  d.terms.lease = read_term(terms["leaseNs"]);
  d.terms.patience = read_term(terms["patienceNs"]);
  if (const Cursor limit = terms["storeLossLimitNs"]; !limit.is_null()) {
    d.terms.store_loss_limit = read_term(limit);
  }
  const Cursor info = in["info"];
  d.info.machine_id = info["machineID"].string();
  d.info.version = info["version"].string();
  info["labels"].for_each_field(
      [&](const std::string& key, const Cursor& value) { d.info.labels.set(key, value.string()); });
  info["links"].for_each([&](const Cursor& link) {
    MemberLink& out = d.info.links.emplace_back();
    out.name = link["name"].string(kMaxNameBytes);
    link["subnets"].for_each([&](const Cursor& subnet) {
      out.subnets.push_back(subnet.parsed<IpPrefix>("a prefix in CIDR form"));
    });
    out.mac = link.if_there("mac").parsed<MacAddress>("a MAC address");
    link.if_there("addresses").for_each([&](const Cursor& address) {
      out.addresses.push_back(address.parsed<IpAddress>("an IP address"));
    });
  });
  std::stable_sort(d.info.links.begin(), d.info.links.end(),
                   [](const MemberLink& a, const MemberLink& b) { return a.name < b.name; });
  d.info.draining = info["draining"].boolean();
  info.if_there("heartbeat").for_each([&](const Cursor& at) {
    HeartbeatAddress& out = d.info.heartbeat.emplace_back();
    out.address = at["address"].parsed<IpAddress>("an IP address");
    const Cursor port = at["port"];
    const std::uint64_t number = port.number();
    if (number == 0 || number > 65535) port.fail("must be a port, 1 to 65535");
    out.port = static_cast<std::uint16_t>(number);
  });
  return d;
}

TableEntry read_entry(const Cursor& in) {
  TableEntry entry;
  in["services"].for_each(
      [&](const Cursor& service) { entry.services.push_back(service.object_name()); });
  sort_unique(entry.services);
  if (const Cursor owner = in["owner"]; !owner.is_null()) entry.owner = NodeName(owner.name());
  entry.inc = Incarnation(in["inc"].number());
  entry.epoch = Epoch(in["epoch"].number());
  const Cursor wish = in["wish"];
  const std::string word = wish.string(kMaxNameBytes);
  if (word == "Release") {
    entry.wish = TableEntry::Wish::Release;
  } else if (word == "Move") {
    entry.wish = TableEntry::Wish::Move;
    entry.move_to = NodeName(in["moveTo"].name());
  } else if (word != "Keep") {
    wish.fail("must be Keep, Release or Move, not '" + word + "'");
  }
  if (const Cursor kept = in.if_there("keptFor"); kept.is_there()) {
    entry.kept_for = kept.object_name();
    if (!entry.services.empty()) kept.fail("must not be there while a service has the IP");
  }
  entry.unproven = in.if_there("unproven").boolean();
  if (const Cursor seen = in.if_there("quarantine"); seen.is_there()) {
    entry.quarantine =
        Quarantine{seen["station"].parsed<MacAddress>("a MAC address"),
                   NodeName(seen["node"].name()), seen["link"].string(kMaxNameBytes)};
  }
  return entry;
}

TableDocument read_table(const Cursor& in) {
  TableDocument d;
  const Cursor shard = in["shard"];
  const std::uint64_t number = shard.number();
  if (number >= kShards) shard.fail("must be less than " + std::to_string(kShards));
  d.shard = static_cast<unsigned>(number % kShards);
  d.highest = Epoch(in["highest"].number());
  in["entries"].for_each_field([&](const std::string& key, const Cursor& value) {
    const auto vip = IpAddress::parse(key);
    if (!vip) return value.fail("must be named by an IP address");
    // In two shards an IP could have two owners.
    if (shard_of(*vip) != d.shard) {
      return value.fail("belongs to shard " + std::to_string(shard_of(*vip)));
    }
    if (!d.entries.emplace(*vip, read_entry(value)).second) value.fail("is there twice");
  });
  return d;
}

LeaderDocument read_leader(const Cursor& in) {
  LeaderDocument d;
  d.holder = NodeName(in["holder"].string(kMaxNameBytes));  // empty: it has resigned
  d.inc = Incarnation(in["inc"].number());
  d.nonce = in["nonce"].number();
  return d;
}

StatusDocument read_status(const Cursor& in) {
  StatusDocument d;
  d.service = in["service"].object_name();
  in["ips"].for_each([&](const Cursor& ip) {
    d.ips.push_back(ip["ip"].parsed<IpAddress>("an IP address"));
    d.pools.emplace_back(ip["pool"].string(kMaxNameBytes));
  });
  d.reason = in["reason"].string();
  d.message = in["message"].string();
  return d;
}

ClusterDocument read_cluster(const Cursor& in) {
  ClusterDocument d;
  const Cursor key = in["heartbeatKey"];
  const std::string digits = key.string(2 * kHeartbeatKeyBytes);
  d.heartbeat_key = from_hex(digits);
  const std::size_t octets = d.heartbeat_key.size();
  if (to_hex(d.heartbeat_key) != digits || (octets != 0 && octets != kHeartbeatKeyBytes)) {
    key.fail("must be " + std::to_string(2 * kHeartbeatKeyBytes) +
             " lower-case hexadecimal digits, or none");
  }
  in["drained"].for_each([&](const Cursor& node) { d.drained.insert(NodeName(node.name())); });
  return d;
}

std::optional<Document> read_kind(const DocumentKey& key, const Cursor& in) {
  const std::string& name = key.str();
  if (name == leader_key().str()) return read_leader(in);
  if (name == cluster_key().str()) return read_cluster(in);
  if (name.starts_with("member/")) return read_member(in);
  if (name.starts_with("table/")) return read_table(in);
  if (name.starts_with("status/")) return read_status(in);
  return std::nullopt;
}

}  // namespace

std::string print_document(const Document& document) {
  return json::serialize(std::visit(Print{}, document));
}

Result<Document> parse_document(const DocumentKey& key, std::string_view json) {
  if (json.size() > kMaxDocumentBytes) {
    return error("it has " + std::to_string(json.size()) + " bytes; the most is " +
                 std::to_string(kMaxDocumentBytes));
  }
  boost::system::error_code failed;
  const json::value root = json::parse(json::string_view(json.data(), json.size()), failed);
  if (failed) return error("it is not JSON: " + failed.message());

  std::string wrong;
  const Cursor in(&root, wrong);
  std::optional<Document> document = read_kind(key, in);
  if (!document) {
    return error("'" + key.str() +
                 "' is no kind of document; they are member/, table/, status/, leader "
                 "and cluster");
  }
  const Cursor rev = in["rev"];
  const Revision revision(rev.number());
  if (revision == Revision()) rev.fail("must be 1 or more");
  if (!wrong.empty()) return error(std::move(wrong));
  std::visit([&](auto& d) { d.rev = revision; }, *document);
  if (key_of(*document) != key) {
    return error("it is the document '" + key_of(*document).str() + "', under the key '" +
                 key.str() + "'");
  }
  return std::move(*document);
}

}  // namespace herald::coord
