#include "coord/etcd_wire.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <utility>

#include <boost/json.hpp>

#include "base/base64.h"
#include "base/text.h"
#include "coord/document_wire.h"

namespace herald::coord {
namespace {

namespace json = boost::json;

json::string text(std::string_view s) {
  return json::string(json::string_view(s.data(), s.size()));
}
json::string base64(std::string_view s) {
  return text(to_base64(s));
}

// Reads members of one object; what is wrong first is kept, and asked for once at the end.
class Fields {
 public:
  Fields(const json::object& object, std::string& wrong) : object_(object), wrong_(wrong) {}

  const json::value* at(const char* name) const { return object_.if_contains(name); }

  // proto3 JSON: a 64-bit number is a string of digits; readers also take a bare number.
  std::int64_t number(const char* name) const {
    return static_cast<std::int64_t>(
        unsigned_up_to(name, std::numeric_limits<std::int64_t>::max()));
  }
  std::uint64_t id(const char* name) const {
    return unsigned_up_to(name, std::numeric_limits<std::uint64_t>::max());
  }
  bool boolean(const char* name) const {
    const json::value* v = at(name);
    if (v == nullptr) return false;
    if (const bool* b = v->if_bool()) return *b;
    fail(name, "is neither true nor false");
    return false;
  }
  std::string string(const char* name) const {
    const json::value* v = at(name);
    if (v == nullptr) return {};
    if (const json::string* s = v->if_string()) return std::string(s->data(), s->size());
    fail(name, "is no string");
    return {};
  }
  std::string bytes(const char* name) const {
    auto decoded = from_base64(string(name));
    if (!decoded) fail(name, "is not base64");
    return decoded ? std::move(*decoded) : std::string();
  }
  const json::object* object(const char* name) const {
    const json::value* v = at(name);
    if (v == nullptr) return nullptr;
    if (v->if_object() == nullptr) fail(name, "is no object");
    return v->if_object();
  }
  const json::array* array(const char* name) const {
    const json::value* v = at(name);
    if (v == nullptr) return nullptr;
    if (v->if_array() == nullptr) fail(name, "is no list");
    return v->if_array();
  }
  void fail(const char* name, const char* what) const {
    if (wrong_.empty()) wrong_ = "its field '" + std::string(name) + "' " + what;
  }
  std::string& wrong() const { return wrong_; }

 private:
  std::uint64_t unsigned_up_to(const char* name, std::uint64_t max) const {
    const json::value* v = at(name);
    if (v == nullptr) return 0;
    std::optional<std::uint64_t> n;
    if (const json::string* s = v->if_string()) {
      n = parse_number(std::string_view(s->data(), s->size()), max);
    } else if (const std::uint64_t* u = v->if_uint64()) {
      n = *u;
    } else if (const std::int64_t* i = v->if_int64(); i != nullptr && *i >= 0) {
      n = static_cast<std::uint64_t>(*i);
    }
    if (n && *n <= max) return *n;
    fail(name, "is no number in range");
    return 0;
  }

  const json::object& object_;
  std::string& wrong_;
};

Result<json::value> parse_object(std::string_view body) {
  json::error_code failed;
  json::parse_options options;
  options.max_depth = 16;
  json::value value = json::parse(json::string_view(body.data(), body.size()), failed,
                                  json::storage_ptr(), options);
  if (failed) return error("it is not JSON: " + failed.message());
  if (!value.is_object()) return error("it is no JSON object");
  return value;
}

EtcdHeader header_of(const Fields& reply) {
  const json::object* object = reply.object("header");
  if (object == nullptr) {
    reply.fail("header", "is missing");
    return {};
  }
  const Fields header(*object, reply.wrong());
  EtcdHeader out{header.id("cluster_id"), header.number("revision")};
  if (out.cluster_id == 0) header.fail("cluster_id", "is missing");
  return out;
}

EtcdKeyValue key_value(const json::object& object, std::string& wrong) {
  const Fields kv(object, wrong);
  return {kv.bytes("key"), kv.bytes("value"), kv.number("mod_revision"), kv.number("version")};
}

template <typename Reply>
Result<Reply> checked(Reply reply, std::string wrong) {
  if (!wrong.empty()) return error(std::move(wrong));
  return reply;
}

}  // namespace

std::string after_prefix(std::string prefix) {
  while (!prefix.empty() && static_cast<unsigned char>(prefix.back()) == 0xff) prefix.pop_back();
  if (prefix.empty()) return std::string(1, '\0');  // etcd: to the end of all keys
  prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

std::string etcd_read(std::string_view key) {
  return json::serialize(json::object{{"key", base64(key)}});
}

std::string etcd_list(std::string_view prefix, std::string_view first, unsigned limit,
                      std::int64_t revision) {
  json::object out{{"key", base64(first)},
                   {"range_end", base64(after_prefix(std::string(prefix)))},
                   {"limit", text(std::to_string(limit))}};
  if (revision > 0) out["revision"] = text(std::to_string(revision));
  return json::serialize(out);
}

std::string etcd_cas(std::string_view key, Revision base, std::string_view value) {
  const json::object compare{{"key", base64(key)},
                             {"target", "VERSION"},
                             {"result", "EQUAL"},
                             {"version", text(std::to_string(base.value))}};
  const json::object put{{"request_put", {{"key", base64(key)}, {"value", base64(value)}}}};
  return json::serialize(
      json::object{{"compare", json::array{compare}}, {"success", json::array{put}}});
}

std::string etcd_watch(std::string_view prefix, std::int64_t start_revision) {
  return json::serialize(json::object{{"create_request",
                                       {{"key", base64(prefix)},
                                        {"range_end", base64(after_prefix(std::string(prefix)))},
                                        {"start_revision", text(std::to_string(start_revision))},
                                        {"progress_notify", true}}}});
}

std::string etcd_authenticate(std::string_view user, std::string_view password) {
  return json::serialize(json::object{{"name", text(user)}, {"password", text(password)}});
}

Result<EtcdRangeReply> parse_etcd_range(std::string_view body) {
  const auto value = parse_object(body);
  if (!value) return error(value.error());
  std::string wrong;
  const Fields reply(value->get_object(), wrong);
  EtcdRangeReply out;
  out.header = header_of(reply);
  out.more = reply.boolean("more");
  if (const json::array* kvs = reply.array("kvs")) {
    for (const json::value& kv : *kvs) {
      if (const json::object* object = kv.if_object()) {
        out.kvs.push_back(key_value(*object, wrong));
      } else {
        reply.fail("kvs", "holds something else than objects");
      }
    }
  }
  // Else a list would never end.
  if (out.more && out.kvs.empty()) reply.fail("more", "is true with no keys");
  return checked(std::move(out), std::move(wrong));
}

Result<EtcdTxnReply> parse_etcd_txn(std::string_view body) {
  const auto value = parse_object(body);
  if (!value) return error(value.error());
  std::string wrong;
  const Fields reply(value->get_object(), wrong);
  const EtcdTxnReply out{header_of(reply), reply.boolean("succeeded")};
  return checked(out, std::move(wrong));
}

Result<std::string> parse_etcd_token(std::string_view body) {
  const auto value = parse_object(body);
  if (!value) return error(value.error());
  std::string wrong;
  std::string token = Fields(value->get_object(), wrong).string("token");
  // It becomes a header field of every request.
  const bool sound = std::all_of(token.begin(), token.end(), [](char c) {
    return static_cast<unsigned char>(c) > 0x20 && static_cast<unsigned char>(c) < 0x7f;
  });
  if (wrong.empty() && (token.empty() || !sound)) wrong = "its field 'token' is no token";
  return checked(std::move(token), std::move(wrong));
}

Result<EtcdWatchReply> parse_etcd_watch(std::string_view line) {
  const auto value = parse_object(line);
  if (!value) return error(value.error());
  std::string wrong;
  const Fields whole(value->get_object(), wrong);
  EtcdWatchReply out;
  if (whole.at("error") != nullptr) {
    out.canceled = true;
    const json::object* object = whole.at("error")->if_object();
    out.cancel_reason = printable(object == nullptr ? whole.string("error")
                                                    : Fields(*object, wrong).string("message"));
    return checked(std::move(out), std::move(wrong));
  }
  const json::object* object = whole.object("result");
  if (object == nullptr) {
    whole.fail("result", "is missing");
    return error(std::move(wrong));
  }
  const Fields reply(*object, wrong);
  out.header = header_of(reply);
  out.created = reply.boolean("created");
  out.canceled = reply.boolean("canceled");
  out.compact_revision = reply.number("compact_revision");
  out.cancel_reason = printable(reply.string("cancel_reason"));
  if (const json::array* events = reply.array("events")) {
    for (const json::value& event : *events) {
      if (event.if_object() == nullptr) {
        reply.fail("events", "holds something else than objects");
        break;
      }
      const Fields fields(event.get_object(), wrong);
      const json::object* kv = fields.object("kv");
      if (kv == nullptr) {
        fields.fail("kv", "is missing");
        break;
      }
      const std::string type = fields.string("type");  // PUT is 0, so it is left out
      if (!type.empty() && type != "PUT" && type != "DELETE") fields.fail("type", "is unknown");
      out.events.push_back({type == "DELETE", key_value(*kv, wrong)});
    }
  }
  return checked(std::move(out), std::move(wrong));
}

EtcdError parse_etcd_error(unsigned http_status, std::string_view body) {
  // gRPC status codes (google.golang.org/grpc/codes) of etcd's errors (api/v3rpc/rpctypes).
  enum { kInvalidArgument = 3, kPermissionDenied = 7, kUnimplemented = 12 };
  enum { kUnavailable = 14, kUnauthenticated = 16 };
  EtcdError out;
  std::string wrong;
  const auto value = parse_object(body);
  const bool spoken =
      value && (value->get_object().contains("code") || value->get_object().contains("error"));
  const auto holds = [&](const char* words) { return body.find(words) != std::string_view::npos; };
  if (holds("CommonName of client")) {
    // It would take the name for a user, which through the gateway it cannot.
    out.message =
        "where etcd has users, its JSON gateway takes only client certificates without a common "
        "name: put one whose subject has no CN into store-cert-file";
    out.not_applied = true;
    return out;
  }
  if (!spoken) {
    out.message = "HTTP status " + std::to_string(http_status) + " with '" + printable(body) +
                  "', which is not how etcd 3.4 or newer answers";
    if (http_status == 404) out.message += " (is its JSON gateway on, --enable-grpc-gateway?)";
    if (holds("HTTP request to an HTTPS server")) {
      out.message += ": write https:// in --store";
    }
    out.unavailable = true;
    return out;
  }
  const Fields fields(value->get_object(), wrong);
  const std::int64_t code = fields.number("code");
  out.message = printable(fields.string(fields.at("message") != nullptr ? "message" : "error"));
  const auto says = [&](const char* words) { return out.message.find(words) != std::string::npos; };
  out.bad_token = code == kUnauthenticated || says("invalid auth token") ||
                  says("user name is empty") || says("revision of auth store is old");
  out.compacted = says("required revision has been compacted");
  out.unavailable = code == kUnavailable || says("request timed out") || says("too many requests");
  out.full = says("database space exceeded");
  if (out.full) {
    out.message +=
        ": etcd is full and takes no writes. Compact and defragment it, `etcdctl alarm disarm`, "
        "and have it compact by itself (--auto-compaction-retention)";
  }
  // These come before a request is proposed, or instead of applying it. Not among them: "database
  // space exceeded", which etcd also says after it has applied a transaction that filled its quota.
  out.not_applied = wrong.empty() && (code == kInvalidArgument || code == kPermissionDenied ||
                                      code == kUnimplemented || code == kUnauthenticated ||
                                      says("too many requests"));
  return out;
}

Result<Document> etcd_document(std::string_view prefix, const EtcdKeyValue& kv) {
  if (kv.key.size() <= prefix.size() || kv.key.compare(0, prefix.size(), prefix) != 0) {
    return error("it does not begin with the prefix " + std::string(prefix));
  }
  auto document = parse_document(DocumentKey(kv.key.substr(prefix.size())), kv.value);
  if (!document) return document;
  const std::uint64_t rev = revision_of(*document).value;
  if (kv.version < 1 || static_cast<std::uint64_t>(kv.version) != rev) {
    return error("its rev is " + std::to_string(rev) + ", but etcd counts " +
                 std::to_string(kv.version) +
                 " writes of it: it was written, deleted or copied by another program than Herald");
  }
  return document;
}

}  // namespace herald::coord
