// docs/bgp-fsm.txt, line by line: every event in every state that has a connection.
#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <map>
#include <sstream>

#include "bgp/session.h"

namespace herald::bgp {
namespace {

const IpAddress kLocal = *IpAddress::parse("192.0.2.2");
const Instant kNow{1000s};

Bytes open_of(std::uint32_t as) {
  Open o;
  o.as = Asn(as);
  o.hold_time_s = 90;
  o.bgp_id = *IpAddress::parse("10.0.0.1");
  o.four_octet_as = o.route_refresh = o.ipv4_unicast = true;
  return encode_open(o);
}

Session in_state(SessionState state) {
  PeerConfig c;
  c.name = PeerName("tor-1");
  c.address = *IpAddress::parse("192.0.2.1");
  c.local_as = Asn(64512);
  c.expected.number = Asn(65001);
  c.router_id = *IpAddress::parse("10.0.0.2");
  Session s(c, Rng(1));
  if (state == SessionState::Idle) return s;
  s.start(kNow);
  if (state == SessionState::Active) s.connect_failed("refused", kNow);
  if (state >= SessionState::OpenSent) s.connected(kLocal, kNow);
  if (state >= SessionState::OpenConfirm) s.received(open_of(65001), kNow);
  if (state >= SessionState::Established) s.received(encode_keepalive(), kNow);
  EXPECT_EQ(s.state(), state);
  s.take_actions();
  s.take_transitions();
  return s;
}

void happen(Session& s, const std::string& event) {
  const std::map<std::string, Bytes> messages = {
      {"open", open_of(65001)},
      {"bad-as", open_of(65009)},
      {"keepalive", encode_keepalive()},
      {"update", encode_end_of_rib(IpFamily::IPv4)},
      {"route-refresh", encode_message(5, from_hex("00010001"))},
      {"notification", encode_notification({6, 4, {}})},
      {"bad-header", Bytes(kHeaderSize)}};
  if (const auto it = messages.find(event); it != messages.end()) {
    s.received(it->second, kNow);
  } else if (event == "stop") {
    s.stop(kNow);
  } else if (event == "connected") {
    s.connected(kLocal, kNow);
  } else if (event == "connect-failed") {
    s.connect_failed("refused", kNow);
  } else if (event == "closed") {
    s.closed("reset", kNow);
  } else if (event == "silence") {
    const SessionState before = s.state();
    for (int i = 0; i < 100 && s.state() == before && s.next_deadline(); ++i) {
      s.take_actions();  // the keepalives of the meantime
      s.tick(*s.next_deadline());
    }
  } else {
    FAIL() << "docs/bgp-fsm.txt names an event that nobody knows: " << event;
  }
}

// As the file says it: the next state, and what was sent.
std::string outcome(Session& s, SessionState before) {
  std::string sent;
  bool closed = false;
  for (const Action& a : s.take_actions()) {
    closed = closed || std::holds_alternative<Close>(a);
    const auto* send = std::get_if<Send>(&a);
    if (send == nullptr) continue;
    EXPECT_FALSE(closed) << "sent after Close";
    const auto m = parse_message(send->bytes);
    if (!m) return "nonsense";
    if (std::holds_alternative<Open>(*m)) sent = ":open";
    if (std::holds_alternative<Keepalive>(*m)) sent = ":keepalive";
    if (const auto* n = std::get_if<Notification>(&*m)) {
      sent = ":" + std::to_string(n->code) + "/" + std::to_string(n->subcode);
    }
  }
  const auto transitions = s.take_transitions();
  if (s.state() == before) {
    EXPECT_TRUE(transitions.empty());
    EXPECT_FALSE(closed);
    return "-";
  }
  EXPECT_EQ(transitions.size(), 1u);
  EXPECT_TRUE(closed || sent.find('/') == std::string::npos);
  return to_string(s.state()) + sent;
}

TEST(Fsm, DoesWhatItsTableSays) {
  constexpr std::array kStates = {SessionState::Connect, SessionState::OpenSent,
                                  SessionState::OpenConfirm, SessionState::Established};
  std::ifstream in(std::string(HERALD_SOURCE_DIR) + "/docs/bgp-fsm.txt");
  int rows = 0;
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line[0] == '#') continue;
    ++rows;
    std::istringstream words(line);
    std::string event, expected;
    words >> event;
    for (const SessionState state : kStates) {
      ASSERT_TRUE(words >> expected) << line;
      Session s = in_state(state);
      happen(s, event);
      EXPECT_EQ(outcome(s, state), expected) << event << " in " << to_string(state);
    }
    for (const SessionState state : {SessionState::Idle, SessionState::Active}) {
      if (event == "stop" || event == "silence") continue;
      Session s = in_state(state);
      happen(s, event);
      EXPECT_EQ(outcome(s, state), "-") << event << " in " << to_string(state);
    }
  }
  EXPECT_EQ(rows, 12);
}

TEST(Fsm, ActiveStopsAndConnectsAgain) {
  Session s = in_state(SessionState::Active);
  s.stop(kNow);
  EXPECT_EQ(outcome(s, SessionState::Active), "Idle");
  s = in_state(SessionState::Active);
  s.tick(*s.next_deadline());
  EXPECT_EQ(outcome(s, SessionState::Active), "Connect");
}

}  // namespace
}  // namespace herald::bgp
