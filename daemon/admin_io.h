// daemon/admin_io.h: the socket that heraldctl speaks to: one line of JSON in, one line out.
//
// Clients are not trusted to be quick or few: a request line is at most 32 MiB (`plan` sends whole
// manifests; a connection has no more memory than it has sent bytes), each step
// (a line in, an answer out) may take 30 s, and of 32 connections the one that has been idle
// longest makes room for the next. What is asked may take its time to be answered. Only the user of
// the daemon may connect (mode 0600).
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace boost::asio {
class io_context;
}

namespace herald::daemon {

struct AdminLimits {
  std::size_t line = std::size_t{32} << 20;  // bytes
  std::size_t connections = 32;
  Duration idle = 30s;
};

class AdminServer {
 public:
  // Takes a request line, and calls `reply` with the answer, both without their line feed: once,
  // from the loop, at once or later. An answer that nobody waits for any more is dropped.
  using Reply = std::function<void(std::string answer)>;
  using Handler = std::function<void(std::string_view request, Reply reply)>;

  // Listens at `path`, whose directory is created if missing. What a dead process left there is
  // removed; a living one is not. The error is a sentence with the path and what to do. The handler
  // is called from loop.run() only.
  static Result<std::unique_ptr<AdminServer>> open(boost::asio::io_context& loop,
                                                   const std::string& path, Handler handler,
                                                   AdminLimits limits = {});
  ~AdminServer();  // closes every connection and removes the socket
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

 private:
  class Impl;
  explicit AdminServer(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace herald::daemon
