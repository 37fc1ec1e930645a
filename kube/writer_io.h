// kube/writer_io.h: carries out what the core asks to be written: one request for each, so many at
// a time, and what came of it in the core's words.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>

#include "kube/client_io.h"
#include "kube/write.h"

namespace herald::kube {

// The request that does it. Priority Write.
Request request_of(const Write& write);
// What an answer to it means.
WriteAnswer answer_of(const Write& write, Answer answer);

class Writer {
 public:
  using Answered = std::function<void(std::uint64_t id, WriteAnswer answer)>;
  Writer(Client& client, Answered answered);

  // `answered` is called once for each, on the client's thread.
  void ask(std::uint64_t id, Write write);

 private:
  struct Asked {
    std::uint64_t id = 0;
    Write write;
  };
  void go_on();

  Client& client_;
  Answered answered_;
  std::deque<Asked> waiting_;
  std::size_t under_way_ = 0;
  std::shared_ptr<Writer*> self_;  // gone: answers come to nobody
};

}  // namespace herald::kube
