#include "base/background_io.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <thread>
#include <vector>

namespace herald {
namespace {

TEST(Background, DoesEverythingInOrderOnAnotherThread) {
  std::vector<int> done;
  std::thread::id where;
  std::promise<void> gate;
  Background background;
  background.start();
  background.run([open = gate.get_future().share()] { open.wait(); });
  for (int i = 0; i < 100; ++i) background.run([&, i] { done.push_back(i); });
  background.run([&] { where = std::this_thread::get_id(); });
  gate.set_value();   // run() has not waited for it
  background.stop();  // but stop() has
  ASSERT_EQ(done.size(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(done[static_cast<std::size_t>(i)], i);
  EXPECT_NE(where, std::this_thread::get_id());
}

TEST(Background, LetsGoOfWhatTheWorkHeldBeforeTheNext) {
  auto held = std::make_shared<int>(1);
  const std::weak_ptr<int> watched = held;
  bool gone = false;
  Background background;
  background.start();
  background.run([held = std::move(held)] {});
  background.run([&] { gone = watched.expired(); });
  background.stop();
  EXPECT_TRUE(gone);
}

TEST(Background, DoesItAtOnceWithoutAThread) {
  Background background;
  int done = 0;
  background.run([&] { ++done; });
  EXPECT_EQ(done, 1);
  background.start();
  background.stop();
  background.stop();
  background.run([&] { ++done; });
  EXPECT_EQ(done, 2);
}

}  // namespace
}  // namespace herald
