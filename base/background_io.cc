#include "base/background_io.h"

#include <utility>

namespace herald {

void Background::start() {
  {
    const std::lock_guard lock(mutex_);
    running_ = true;
  }
  thread_ = std::thread([this] { serve(); });
}

void Background::stop() {
  {
    const std::lock_guard lock(mutex_);
    running_ = false;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Background::run(std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    if (running_) {
      work_.push_back(std::move(work));
      work = nullptr;
    }
  }
  if (work) {
    work();
  } else {
    changed_.notify_all();
  }
}

void Background::serve() {
  std::unique_lock lock(mutex_);
  while (running_ || !work_.empty()) {
    if (work_.empty()) {
      changed_.wait(lock);
      continue;
    }
    auto next = std::move(work_.front());
    work_.pop_front();
    lock.unlock();
    next();
    next = nullptr;  // what it holds is let go here as well
    lock.lock();
  }
}

}  // namespace herald
