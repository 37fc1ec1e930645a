// `heraldctl ready`: what an update of all nodes, one after the other, waits for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/daemon/cluster.h"

namespace herald::daemon {
namespace {

using testing::HasSubstr;

class Ready : public Cluster {
 protected:
  Ready() : Cluster("") {}
  std::string why_not(const std::string& name) {
    const auto said =
        json::parse(daemon::answer(*hosts_.at(name).node, {"embedded:/x", "packet", {}},
                                   R"({"command":"ready"})", now_))
            .as_object();
    if (said.at("ok").as_bool()) return "";
    return std::string(said.at("error").as_string());
  }
};

TEST_F(Ready, WhenItMayAnswer) {
  store_answers_ = false;
  start("n1");
  pass(1s);
  EXPECT_EQ(why_not("n1"), "n1 may not answer for IPs yet: it waits for the store's first answer");
  store_answers_ = true;
  pass(5s);
  EXPECT_EQ(why_not("n1"), "");
}

TEST_F(Ready, NotWhenItsRightHasRunOut) {
  start_three();
  EXPECT_EQ(why_not("n1"), "");
  store_answers_ = false;  // and there are no heartbeats here
  pass(30s);
  EXPECT_THAT(why_not("n1"), HasSubstr("n1 may not answer for IPs yet"));
}

}  // namespace
}  // namespace herald::daemon
