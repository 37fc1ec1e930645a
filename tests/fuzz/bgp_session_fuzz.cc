// Any bytes into a session, in any portions: the first octet says in which state it is.
#include <cstddef>
#include <cstdint>

#include "bgp/session.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace herald;
  using namespace herald::bgp;
  if (size < 2) return 0;
  const Instant now{100s};
  PeerConfig config;
  config.local_as = Asn(64512);
  config.expected.kind = PeerAs::Kind::External;
  config.router_id = *IpAddress::parse("10.0.0.2");
  Session session(config, Rng(1));
  session.set_routes({{*IpPrefix::parse("10.25.150.1/32"), {}}}, now);
  session.start(now);
  session.connected(*IpAddress::parse("192.0.2.2"), now);
  Open open;
  open.as = Asn(65001);
  open.hold_time_s = 90;
  open.bgp_id = *IpAddress::parse("10.0.0.1");
  open.four_octet_as = (data[0] & 4) != 0;
  open.ipv4_unicast = open.ipv6_unicast = true;
  if ((data[0] & 3) > 0) session.received(encode_open(open), now);
  if ((data[0] & 3) > 1) session.received(encode_keepalive(), now);
  const std::size_t portion = 1 + data[1] % 64;
  for (std::size_t at = 2; at < size; at += portion) {
    session.received(ByteView(data + at, std::min(portion, size - at)), now);
  }
  session.tick(now + 100s);
  session.take_actions();
  return 0;
}
