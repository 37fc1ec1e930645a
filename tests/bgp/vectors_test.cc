// tests/vectors/bgp: what a session must do with a message, by RFC 4271 and RFC 7606. Each session
// is brought to the state that the vector names; then its bytes come in.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include <boost/json.hpp>

#include "bgp/session.h"

namespace herald::bgp {
namespace {

namespace json = boost::json;

struct Outcome {
  SessionState state;
  std::optional<Notification> said;  // the NOTIFICATION that was sent
  bool closed = false;
  std::uint64_t malformed = 0;
};

json::value load(const std::string& name) {
  std::ifstream in(std::string(HERALD_SOURCE_DIR) + "/tests/vectors/bgp/" + name);
  return json::parse(std::string(std::istreambuf_iterator<char>(in), {}));
}

std::vector<json::object> lines(const std::string& name) {
  std::ifstream in(std::string(HERALD_SOURCE_DIR) + "/tests/vectors/bgp/" + name);
  std::vector<json::object> out;
  for (std::string line; std::getline(in, line);) out.push_back(json::parse(line).as_object());
  return out;
}

Asn asn(const json::object& ctx, const char* key, std::uint32_t fallback) {
  const auto* v = ctx.if_contains(key);
  return Asn(v == nullptr ? fallback : v->to_number<std::uint32_t>());
}

Outcome run(const json::object& ctx, const Bytes& message) {
  const Instant now{100s};
  const auto* type = ctx.if_contains("type");
  const bool internal = type != nullptr && type->as_string() == "internal";
  PeerConfig config;
  config.name = PeerName("peer");
  config.address = *IpAddress::parse("192.0.2.1");
  config.local_as = asn(ctx, "local_as", 64512);
  config.expected.number = asn(ctx, "peer_as", internal ? 64512 : 65001);
  if (ctx.if_contains("peer_as") == nullptr && !internal) {
    config.expected.kind = PeerAs::Kind::External;
  }
  config.router_id = *IpAddress::parse("10.0.0.2");
  Session session(config, Rng(1));
  session.start(now);
  session.connected(*IpAddress::parse("192.0.2.2"), now);
  const auto state = ctx.at("state").as_string();
  Open open;
  open.as = config.expected.number;
  open.hold_time_s = 90;
  open.bgp_id = *IpAddress::parse("10.0.0.1");
  const auto* as4 = ctx.if_contains("as4");
  open.four_octet_as = as4 == nullptr || as4->as_bool();
  open.ipv4_unicast = open.ipv6_unicast = open.route_refresh = true;
  if (state != "OpenSent") session.received(encode_open(open), now);
  if (state == "Established") session.received(encode_keepalive(), now);
  session.take_actions();
  session.received(message, now);
  Outcome out{session.state(), {}, false, session.stats().malformed_updates};
  for (const Action& a : session.take_actions()) {
    if (std::holds_alternative<Close>(a)) out.closed = true;
    const auto* send = std::get_if<Send>(&a);
    if (send == nullptr) continue;
    const auto parsed = parse_message(send->bytes);
    if (!parsed) continue;
    if (const auto* n = std::get_if<Notification>(&*parsed)) out.said = *n;
  }
  return out;
}

bool says(const Notification& n, const json::object& expected) {
  const auto* data = expected.if_contains("data");
  return n.code == expected.at("code").as_int64() &&
         n.subcode == expected.at("subcode").as_int64() &&
         (data == nullptr || to_hex(n.data) == std::string(data->as_string()));
}

// What we read of an OPEN, against all that is in it.
void expect_open(const Open& open, const json::object& decoded, const std::string& name) {
  auto as = decoded.at("my_as").to_number<std::uint32_t>();
  bool four_octet_as = false, refresh = false, any = false, ipv4 = false, ipv6 = false;
  for (const json::value& c : decoded.at("capabilities").as_array()) {
    const json::object& capability = c.as_object();
    const auto code = capability.at("code").to_number<int>();
    if (code == 65) {
      four_octet_as = true;
      as = capability.at("as4").to_number<std::uint32_t>();
    }
    refresh = refresh || code == 2;
    if (code != 1) continue;
    any = true;
    const auto afi = capability.at("afi").to_number<int>();
    if (capability.at("safi").to_number<int>() == 1) (afi == 1 ? ipv4 : ipv6) |= afi <= 2;
  }
  EXPECT_EQ(open.as.value, as) << name;
  EXPECT_EQ(open.hold_time_s, decoded.at("hold_time").to_number<unsigned>()) << name;
  EXPECT_EQ(to_string(open.bgp_id), std::string(decoded.at("bgp_id").as_string())) << name;
  EXPECT_EQ(open.four_octet_as, four_octet_as) << name;
  EXPECT_EQ(open.route_refresh, refresh) << name;
  EXPECT_EQ(open.multiprotocol, any) << name;
  EXPECT_EQ(open.ipv4_unicast, ipv4 || !any) << name;
  EXPECT_EQ(open.ipv6_unicast, ipv6) << name;
}

void expect_decoded(const Bytes& bytes, const json::object& decoded, const std::string& name) {
  const auto message = parse_message(bytes);
  ASSERT_TRUE(message) << name;
  const auto type = decoded.at("type").as_string();
  if (type == "OPEN") {
    ASSERT_TRUE(std::holds_alternative<Open>(*message)) << name;
    expect_open(std::get<Open>(*message), decoded, name);
  } else if (type == "NOTIFICATION") {
    ASSERT_TRUE(std::holds_alternative<Notification>(*message)) << name;
    EXPECT_TRUE(says(std::get<Notification>(*message), decoded)) << name;
  } else if (type == "ROUTE-REFRESH") {
    ASSERT_TRUE(std::holds_alternative<RouteRefresh>(*message)) << name;
    const auto& r = std::get<RouteRefresh>(*message);
    EXPECT_EQ(r.afi, decoded.at("afi").to_number<unsigned>()) << name;
    EXPECT_EQ(r.subtype, decoded.at("subtype").to_number<unsigned>()) << name;
    EXPECT_EQ(r.safi, decoded.at("safi").to_number<unsigned>()) << name;
  }
}

bool acceptable(const Outcome& outcome, const json::object& expect, json::string verdict) {
  const bool lives = outcome.state >= SessionState::OpenSent && !outcome.said;
  if (verdict == "notification" || verdict == "session-reset") {
    if (!outcome.said || !outcome.closed) return false;
    if (expect.contains("code") && says(*outcome.said, expect)) return true;
    const auto* also = expect.if_contains("also");
    if (also == nullptr) return false;
    for (const auto& other : also->as_array()) {
      const auto& o = other.is_array()
                          ? json::object{{"code", other.at(0)}, {"subcode", other.at(1)}}
                          : other.as_object();
      if (says(*outcome.said, o)) return true;
    }
    return false;
  }
  const auto* decoded = expect.if_contains("decoded");
  const bool ends = decoded != nullptr && decoded->at("type").as_string() == "NOTIFICATION";
  if (verdict == "close-no-reply" || ends) return outcome.closed && !outcome.said;
  if (verdict == "notification-or-capability-ignored") return lives || outcome.said.has_value();
  if (verdict == "treat-as-withdraw" || verdict == "attribute-discard") {
    return lives && outcome.malformed == 1;
  }
  return lives && outcome.malformed == 0;  // ok, ignore-route, incomplete
}

bool acceptable(const Outcome& outcome, const json::object& expect) {
  if (acceptable(outcome, expect, expect.at("verdict").as_string())) return true;
  const auto* others = expect.if_contains("also_acceptable");
  if (others == nullptr) return false;
  const auto& list = others->as_array();
  return std::any_of(list.begin(), list.end(), [&](const json::value& other) {
    return acceptable(outcome, expect, other.as_string());
  });
}

class Vectors : public testing::TestWithParam<const char*> {};

TEST_P(Vectors, TheSessionDoesWhatTheRfcsAsk) {
  const json::value contexts = load("contexts.json");
  int run_count = 0, skipped = 0;
  for (const json::object& vector : lines(GetParam())) {
    const std::string name(vector.at("name").as_string());
    const auto ctx_name = vector.at("ctx").as_string();
    // ADD-PATH and extended messages are never offered by this version, so no peer uses them.
    if (ctx_name.find("addpath") != std::string::npos ||
        ctx_name.find("extmsg") != std::string::npos) {
      std::printf("SKIPPED %s: %s is not negotiated by this version\n", name.c_str(),
                  std::string(ctx_name).c_str());
      ++skipped;
      continue;
    }
    const Outcome outcome = run(contexts.as_object().at(ctx_name).as_object(),
                                from_hex(std::string(vector.at("hex").as_string())));
    EXPECT_TRUE(acceptable(outcome, vector.at("expect").as_object()))
        << name << ": " << to_string(outcome.state) << ", said "
        << (outcome.said ? to_string(*outcome.said) : "nothing") << ", malformed "
        << outcome.malformed << "; expected " << json::serialize(vector.at("expect"));
    if (const auto* decoded = vector.at("expect").as_object().if_contains("decoded")) {
      expect_decoded(from_hex(std::string(vector.at("hex").as_string())), decoded->as_object(),
                     name);
    }
    ++run_count;
  }
  EXPECT_GT(run_count, 0);
  std::printf("%s: %d vectors run, %d skipped\n", GetParam(), run_count, skipped);
}

INSTANTIATE_TEST_SUITE_P(Bgp, Vectors,
                         testing::Values("open.jsonl", "session.jsonl", "update_bad.jsonl",
                                         "update_ok.jsonl", "exabgp.jsonl"));

// Whatever the length at which a message breaks off, or the octet that is wrong: an answer, no
// crash.
TEST(Session, BrokenMessagesAreSurvived) {
  const json::value contexts = load("contexts.json");
  for (const char* file : {"open.jsonl", "update_ok.jsonl"}) {
    for (const json::object& vector : lines(file)) {
      const auto& ctx = contexts.as_object().at(vector.at("ctx").as_string()).as_object();
      Bytes bytes = from_hex(std::string(vector.at("hex").as_string()));
      for (std::size_t n = kHeaderSize; n < bytes.size(); ++n) {
        Bytes cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n));
        cut[16] = static_cast<std::uint8_t>(n >> 8);
        cut[17] = static_cast<std::uint8_t>(n);
        run(ctx, cut);
        bytes[n] ^= 0xff;
        run(ctx, bytes);
        bytes[n] ^= 0xff;
      }
    }
  }
}

}  // namespace
}  // namespace herald::bgp
