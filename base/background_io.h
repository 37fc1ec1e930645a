// base/background_io.h: what may take its time is done on a thread of its own, in order.
//
// Closing a packet socket, for one: the kernel waits until no processor can be using it any more,
// which takes 10 to 30 ms each. Whoever has to hand over an address cannot wait for that.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace herald {

class Background {
 public:
  Background() = default;
  ~Background() { stop(); }
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  void start();
  // Does what is left, and ends the thread.
  void stop();
  // From any thread. Before start() and after stop() it is done at once.
  void run(std::function<void()> work);

 private:
  void serve();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> work_;  // under mutex_
  bool running_ = false;                    // under mutex_
  std::thread thread_;
};

}  // namespace herald
