// The link monitor in a network namespace of its own: what the kernel does shows in links().
#include "net/netlink_io.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>

#include "base/clock_io.h"

namespace herald {
namespace {

const Link* find(const LinkMonitor& monitor, const std::string& name) {
  const auto& links = monitor.links();
  const auto at =
      std::find_if(links.begin(), links.end(), [&](const Link& link) { return link.name == name; });
  return at == links.end() ? nullptr : &*at;
}

bool has(const Link* link, const std::string& address, unsigned length) {
  if (link == nullptr) return false;
  const LinkAddress wanted{*IpAddress::parse(address), length};
  return std::find(link->addresses.begin(), link->addresses.end(), wanted) != link->addresses.end();
}

// Reads events until the condition holds; at most 5 s.
bool becomes(LinkMonitor& monitor, const std::function<bool()>& condition) {
  for (const Instant end = boot_now() + 5s; boot_now() < end;) {
    if (condition()) return true;
    pollfd ready{monitor.fd(), POLLIN, 0};
    if (poll(&ready, 1, 100) <= 0) continue;
    const auto changed = monitor.read();
    EXPECT_TRUE(changed) << changed.error();
    if (!changed) return false;
  }
  return false;
}

void run(const std::string& command) {
  ASSERT_EQ(std::system(("ip " + command).c_str()), 0) << command;
}

// In a thread: the namespace is left and gone with it.
void in_a_namespace(const std::function<void()>& story) {
  std::thread([&] {
    ASSERT_EQ(unshare(CLONE_NEWNET), 0);
    story();
  }).join();
}

#define SKIP_UNLESS_ROOT() \
  if (geteuid() != 0) GTEST_SKIP() << "needs root for a network namespace: run ./test as root"

TEST(LinkMonitor, SeesLinksCarrierAndAddressesComeAndGo) {
  SKIP_UNLESS_ROOT();
  in_a_namespace([] {
    LinkMonitor monitor;
    ASSERT_TRUE(monitor.open());
    ASSERT_EQ(monitor.links().size(), 1u);
    EXPECT_TRUE(monitor.links()[0].loopback);
    EXPECT_FALSE(monitor.links()[0].usable());

    run("link add nt0 address 02:00:00:00:00:0a type veth peer name nt1");
    ASSERT_TRUE(becomes(monitor, [&] { return find(monitor, "nt0") && find(monitor, "nt1"); }));
    const Link* link = find(monitor, "nt0");
    EXPECT_EQ(to_string(link->mac), "02:00:00:00:00:0a");
    EXPECT_TRUE(link->ethernet);
    EXPECT_FALSE(link->up);

    // Up alone is no carrier: the other end is still down.
    run("link set nt0 up");
    ASSERT_TRUE(becomes(monitor, [&] { return find(monitor, "nt0")->up; }));
    EXPECT_FALSE(find(monitor, "nt0")->carrier);
    run("link set nt1 up");
    ASSERT_TRUE(becomes(monitor, [&] { return find(monitor, "nt0")->usable(); }));

    run("address add 192.0.2.1/24 dev nt0");
    run("address add 2001:db8::1/64 dev nt0 nodad");
    EXPECT_TRUE(becomes(monitor, [&] { return has(find(monitor, "nt0"), "192.0.2.1", 24); }));
    EXPECT_TRUE(becomes(monitor, [&] { return has(find(monitor, "nt0"), "2001:db8::1", 64); }));
    EXPECT_FALSE(has(find(monitor, "nt1"), "192.0.2.1", 24));
    run("address del 192.0.2.1/24 dev nt0");
    EXPECT_TRUE(becomes(monitor, [&] { return !has(find(monitor, "nt0"), "192.0.2.1", 24); }));

    run("link set nt1 down");
    EXPECT_TRUE(becomes(monitor, [&] { return !find(monitor, "nt0")->carrier; }));
    run("link add br0 type bridge");
    run("link set nt0 master br0");
    EXPECT_TRUE(becomes(monitor, [&] {
      return find(monitor, "br0") &&
             find(monitor, "nt0")->master == find(monitor, "br0")->index.value;
    }));

    run("link del nt0");
    EXPECT_TRUE(becomes(monitor, [&] { return !find(monitor, "nt0") && !find(monitor, "nt1"); }));
  });
}

TEST(LinkMonitor, OpensWithWhatIsThereAlready) {
  SKIP_UNLESS_ROOT();
  in_a_namespace([] {
    run("link add nt0 type veth peer name nt1");
    run("address add 192.0.2.1/24 dev nt0");
    run("link set nt0 up");
    run("link set nt1 up");
    LinkMonitor monitor;
    EXPECT_EQ(monitor.fd(), -1);
    ASSERT_TRUE(monitor.open());
    EXPECT_TRUE(becomes(monitor, [&] {
      return find(monitor, "nt0")->usable() && has(find(monitor, "nt0"), "192.0.2.1", 24);
    }));
    EXPECT_TRUE(std::is_sorted(monitor.links().begin(), monitor.links().end(),
                               [](const Link& a, const Link& b) { return a.index < b.index; }));
  });
}

}  // namespace
}  // namespace herald
