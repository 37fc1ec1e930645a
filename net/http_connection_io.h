// net/http_connection_io.h: one HTTP/1.1 connection to one server, plain or TLS, kept open
// between requests.
//
// One request at a time: either an exchange (one answer, of bounded size, before a deadline) or a
// stream (lines until either side ends it). The outcome never claims more than is known: once the
// first byte of a request may have left, a failure is MaybeSent.
//
// All on the thread of the io_context that is handed in, callbacks included. A callback is called
// once; after close() none is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "net/http_url.h"

namespace boost::asio {
class io_context;
}

namespace herald {

class TlsClient;  // net/tls_client_io.h

struct HttpRequest {
  enum class Method : std::uint8_t { Get, Post, Put, Patch, Delete };
  std::string path;  // with its query
  std::string body;
  std::string token;  // "authorization", if not empty
  Method method = Method::Post;
  std::string content_type = "application/json";  // of the body, if there is one
  std::string accept = {}, user_agent = {};       // or empty
};

struct HttpOutcome {
  enum class Kind { Answered, NotSent, MaybeSent };
  Kind kind = Kind::NotSent;
  unsigned status = 0;
  std::string body;
  std::string why;         // unless Answered: half a sentence, "refused the connection"
  bool too_large = false;  // of an answer, or a stream's line: above the limit
  bool begun = false;      // something came back, even if no whole answer
  // RFC 9110 §10.2.3, in seconds. A date would need clocks that agree: it is passed over.
  std::optional<Duration> retry_after;
};

class HttpConnection {
 public:
  virtual ~HttpConnection() = default;
  // Connects first if it has to, within `connect`; all of it takes `total` at most.
  virtual void exchange(HttpRequest request, Duration connect, Duration total,
                        std::function<void(HttpOutcome)> done) = 0;
  // Until the answer's header is there `open` may pass, and then `idle` from line to line; without
  // it, TCP alone finds out that the server is gone. on_end: Answered if the status was not 200, or
  // the server ended the stream in good order.
  virtual void stream(HttpRequest request, Duration open, std::optional<Duration> idle,
                      std::function<void(std::string_view)> on_line,
                      std::function<void(HttpOutcome)> on_end) = 0;
  // Open, idle, and with no word or end from the server since the last answer.
  virtual bool reusable() = 0;
  virtual void close() = 0;
};

// `tls` may be null if the URL is plain. No answer's body, nor a line, may be above `max_bytes`.
// `maybe_tls` is what to do if a plain server hangs up before its first answer, as one with TLS
// does.
std::shared_ptr<HttpConnection> make_http_connection(boost::asio::io_context& loop, HttpUrl url,
                                                     std::shared_ptr<TlsClient> tls,
                                                     std::size_t max_bytes,
                                                     std::string maybe_tls = "");

}  // namespace herald
