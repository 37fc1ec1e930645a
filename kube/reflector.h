// kube/reflector.h: one kind of an API server's objects, mirrored.
//
//   start() -> list, by a stream or in pages -> watch from there, for as long as it goes
//      ^            |  404: the next version of the kind, else it is absent
//      |            v
//      +--- 410, a broken resume: listed again, without forgetting: what is known stays until the
//           new list is complete, and what is missing from that is gone
//
// Unknown is not empty: nothing is ever gone because it could not be read. A list that is older
// than what was seen already (of a server that lags behind) is not believed; it is asked again.
// Nor is an event that is older than its object. Lists never name a resourceVersion, so a server
// has to answer with what is newest; but a server restored from a backup counts from an older
// version for good, and after kBelieveAfter such answers it is believed.
//
// Of each object only its version is kept here: the text goes out with the change. Answers and
// lines come in, requests and changes go out; replies to requests that were given up are ignored.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/rng.h"
#include "base/time.h"
#include "kube/object.h"
#include "kube/wire.h"

namespace herald::kube {

struct Put {  // it is new, or its version is another one
  ObjectRef ref;
  Metadata metadata;
  std::string text;  // JSON; of kinds of Kubernetes itself, without apiVersion and kind in a list
};
struct Gone {
  ObjectRef ref;
  std::string text = {};  // as it was last, if a watch told; empty: a list lacks it
};
struct Synced {};  // the first complete list is in
using Change = std::variant<Put, Gone, Synced>;

// What is to be asked of the API server.
struct Ask {
  enum class Kind : std::uint8_t { List, Watch, Cancel } kind = Kind::List;
  std::uint64_t id = 0;
  std::string path = {};  // with its query
  Duration idle = 0s;     // Watch: without a line for so long it is dead
};

struct Reply {
  unsigned status = 0;  // of HTTP; 0: there was none
  std::string body = {};
  std::optional<Duration> retry_after = {};
  std::string why = {};  // a sentence, if there was none
};

struct ReflectorOptions {
  std::vector<Resource> versions;  // preferred first
  std::string selector = {};       // "labelSelector=...", percent-encoded; empty: all objects
  unsigned page = 250;
  bool stream_lists = true;  // sendInitialEvents, where the server has it
  std::string ns = {};       // empty: of all namespaces
  // After a failure: so long, then twice that, and so on.
  Duration first_wait = 500ms, longest_wait = 30s;
};

class Reflector {
 public:
  Reflector(ReflectorOptions options, Rng rng);

  void start(Instant now);
  // Asks soon, if it waits for a kind to be served or for a right to be given.
  void poke(Instant now);
  // It should have told something by now: a watch is resumed on a new connection, a wait is over.
  void suspect(Instant now);
  // The server answers others again: a wait that is for want of any answer is soon over.
  void reached(Instant now);
  // Something about the kind's versions changed: it tries the preferred one again.
  void prefer_first_version(Instant now);
  // The kind is gone, and all its objects with it; until start().
  void forget();

  void on_reply(std::uint64_t id, const Reply& reply, Instant now);  // a page; how a watch ended
  void on_line(std::uint64_t id, std::string_view line, Instant now);
  void tick(Instant now);
  std::optional<Instant> next_deadline() const;

  std::vector<Ask> take_asks();
  std::vector<Change> take_changes();

  bool started() const { return state_ != State::Parked; }
  bool synced() const { return synced_; }
  bool absent() const { return absent_rounds_ > 0; }
  unsigned absent_rounds() const { return absent_rounds_; }  // in a row
  bool refused() const { return refused_; }                  // for want of rights
  bool unreached() const { return unreached_; }  // the last request had no answer at all
  // What keeps it from being up to date, in a sentence; empty: all is well.
  const std::string& trouble() const { return trouble_; }
  const Resource& resource() const { return options_.versions[version_]; }
  std::size_t size() const { return known_.size(); }

 private:
  enum class State : std::uint8_t { Parked, Waiting, Listing, Streaming, Watching };
  enum class Next : std::uint8_t { List, Resume };
  struct Known {
    std::uint64_t uid = 0;      // hash of it
    std::uint64_t version = 0;  // the number; a hash of it, if it is none
    bool ordered = false;       // it is a number
    std::uint8_t served = 0;    // place in options_.versions
    std::uint32_t seen_in = 0;  // the number of the list that had it last
  };

  void begin(Instant now);
  void begin_list(Instant now);
  void ask_page();
  void begin_watch(bool with_list, Instant now);
  void drop_request();
  void wait(Next next, Duration how_long, Instant now);
  void note_answer(bool answered);

  void on_page(const Reply& reply, Instant now);
  void on_watch_ended(const Reply& reply, Instant now);
  void on_refusal(const Reply& reply, Instant now);
  void on_expired(const std::string& why, Instant now);
  void on_absent(Instant now);
  void on_line_error(std::string_view object, Instant now);
  void on_bookmark(const Metadata& metadata, Instant now);
  bool take_in(const Metadata& metadata, std::string_view text);
  void take_out(const Metadata& metadata, std::string_view text);
  void seen_version(const std::string& resource_version);
  bool believes(const std::string& resource_version);
  void complete(const std::string& resource_version, Instant now);
  void watch_is_broken(const std::string& why, Instant now);
  void fail(Next next, const std::string& why, Instant now, std::optional<Duration> least = {});
  void well();
  Duration back_off();
  std::string path() const;
  ObjectRef ref_of(const std::string& key, std::uint8_t served) const;
  std::string said(const Reply& reply) const;

  ReflectorOptions options_;
  Rng rng_;
  State state_ = State::Parked;
  Next next_ = Next::List;
  Instant at_;  // Waiting: until then; else when the request is given up
  std::uint64_t last_id_ = 0, request_ = 0;
  std::size_t version_ = 0;
  std::map<std::string, Known> known_;  // "NS/NAME"

  std::uint32_t list_ = 0;  // its number
  std::string list_version_, continue_;
  unsigned page_;
  Duration refused_wait_;
  bool streams_;
  unsigned cut_streams_ = 0;

  std::string last_version_;   // where a watch resumes
  std::uint64_t highest_ = 0;  // of all versions seen, if they are numbers
  Instant watch_began_, heard_;
  Duration idle_ = 0s;
  bool lines_heard_ = false;                 // on this watch
  bool bookmarks_ = false, silent_ = false;  // the server sends some; it sends none

  unsigned failures_ = 0, resume_failures_ = 0, stale_lists_ = 0, absent_rounds_ = 0;
  bool synced_ = false, refused_ = false, unreached_ = false;
  std::string trouble_;
  std::vector<Ask> asks_;
  std::vector<Change> changes_;
};

}  // namespace herald::kube
