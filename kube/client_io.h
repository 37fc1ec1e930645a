// kube/client_io.h: requests to the API server, by whichever of its endpoints can serve them.
//
// Connections are HTTP/1.1 over TLS 1.3, kept and reused; each exchange and each watch has one of
// its own. Requests wait in three lanes, one for each priority, with connections of their own, so
// that leases never stand behind anything else; of the rest only so many are under way at once, and
// a server that says "too many" (429) is left alone for as long as it asks. Reads go on to another
// server if one fails, writes only if they were surely not taken; one whose outcome is not known is
// never repeated here: the caller knows whether it may be. Tokens and certificates are read again
// as their files change, and when a server does not take them any more (401). No redirect is
// followed.
//
// All on the thread of the io_context that is handed in, callbacks included.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "kube/access.h"
#include "kube/request.h"

namespace boost::asio {
class io_context;
}

namespace herald::kube {

class Client {
 public:
  virtual ~Client() = default;  // drops everything without an answer

  // `done` is called once, by `timeout` from now or a little later; never from within.
  virtual void call(Request request, std::function<void(Answer)> done) = 0;

  // A stream of lines until either side ends it. `on_end` is called once, with the server's refusal
  // (Answered, status not 200), or why it ended (Answered 200: the server ended it in good order);
  // not after cancel(), which may be called from within on_line. A stream without a line for `idle`
  // is half-dead, and ended (Unknown). request.timeout: until the server begins to answer.
  virtual std::uint64_t watch(Request request, Duration idle,
                              std::function<void(std::string_view)> on_line,
                              std::function<void(Answer)> on_end) = 0;
  virtual void cancel(std::uint64_t watch) = 0;
};

// A trouble of a subject begins or changes; empty sentence: it is over. One that comes and goes is
// said a few times a minute.
using Say = std::function<void(std::string subject, std::string sentence)>;

// Reads the files of `access`. The error says which of them or what setting is wrong, and what to
// do. The server need not be there yet.
Result<std::unique_ptr<Client>> make_client(boost::asio::io_context& loop, Access access,
                                            std::uint64_t seed, Say say);

}  // namespace herald::kube
