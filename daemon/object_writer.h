// daemon/object_writer.h: the way from the statuses that should be to those that are.
//
// set() says what should be there and what is; what differs is written: one patch for each object,
// one at a time for each, so many at a time in all. A write is good for the object as it was seen
// (its resourceVersion): if it has changed meanwhile, nothing is written, and it is looked at again
// once the watch has shown what it is now. So no late write of an older leader, nor one of a leader
// whose watch lags, overwrites what it has not seen.
//
// It never fights. Fields that others own are taken over once; whoever puts them back time and
// again has them, for a while, and that is said. What a server makes of a status (a field that it
// does not know, a default) is taken for done.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/rare.h"
#include "base/rng.h"
#include "base/time.h"
#include "daemon/events.h"
#include "daemon/object_status.h"
#include "kube/observed.h"
#include "kube/write.h"

namespace herald::daemon {

class ObjectWriter {
 public:
  struct Options {
    std::string field_manager = "heraldd";
    std::uint64_t first_id = 1;     // its requests count upwards from here
    std::size_t most_at_once = 32;  // a server is not flooded
  };
  ObjectWriter(Options options, Rng rng) : options_(std::move(options)), rng_(rng) {
    next_id_ = options_.first_id;
  }

  // complete: what is not wanted is surely not; else what is ours stays where it is. At once
  // cheap: an object is compared when what is wanted of it, or what is there, has changed.
  void set(std::shared_ptr<const WantedObjects> wanted,
           std::shared_ptr<const kube::Observed> observed, bool complete, Instant now);
  // Not the leader any more. What is under way may still arrive.
  void forget();
  // What the clock on the wall shows at Instant{}. Until it is known, nothing is written.
  void set_wall_clock(Duration at_zero) { wall_clock_ = at_zero; }

  // False: the id is not one of ours.
  bool on_answer(std::uint64_t id, const kube::WriteAnswer& answer, Instant now);
  void tick(Instant now);
  std::optional<Instant> next_deadline() const;
  std::vector<AskKube> take_writes(Instant now);

  // For the log and, as an event, on the object.
  struct Said {
    Log log;
    kube::ObjectRef object;
    std::string reason;  // "StatusConflict", "StatusRefused", "StatusDropped"
  };
  std::vector<Said> take_said() { return std::exchange(said_, {}); }

  // An object as it is now, as far as is known: by the answer to an own write, until the watch
  // shows that or something newer. Null: it is not there.
  std::shared_ptr<const kube::ObservedObject> known(const kube::ObjectRef& object) const;
  // The same of an answer that somebody else had.
  void learn(const kube::ObjectRef& object, const std::string& body, Instant now);
  // each(object, what it is), of those of which more is known than the watch has shown.
  template <typename F>
  void for_each_newer(F each) const {
    for (const auto& [object, newer] : newer_) each(object, *newer.object);
  }
  // What known() says may be another thing than before.
  std::uint64_t version() const { return version_; }
  // Nothing differs, and nothing is under way.
  bool quiet() const { return queue_.empty() && under_way_.empty() && waiting_.empty(); }

 private:
  using Object = std::shared_ptr<const kube::ObservedObject>;
  enum class Need : std::uint8_t { Nothing, ApplyStatus, Apply, Delete, Look };
  struct Refusal {
    unsigned status = 0;
    std::string message;
    std::size_t wanted = 0;
  };
  // Of an object with which not all went well; most never have any.
  struct Trouble {
    bool force = false;      // a conflict was answered
    unsigned failures = 0;   // in a row
    unsigned fruitless = 0;  // done, and still not as wanted
    bool refused = false;
    std::vector<Instant> undone;  // when others changed it back
    std::string others;           // who they are, as far as the server said
    std::string accepted;         // what the server made of `accepted_for`
    std::size_t accepted_for = 0;
    Object stale;               // another one than this is awaited
    std::size_t stale_for = 0;  // or that something else is wanted
    // What was answered as if the object were gone: whether it is, is looked at first.
    std::optional<Refusal> doubt;
  };
  struct Entry {
    std::size_t wanted = 0;  // what is wanted, as a hash; 0: nothing
    Object seen;             // what was known of it
    bool compared = false;   // these two
    bool queued = false;
    Need need = Need::Nothing;
    std::uint64_t under_way = 0;  // id; 0: nothing is
    Instant not_before = Instant::min();
    std::size_t good = 0;  // what was wanted when all was well last
    std::int64_t good_generation = 0;
    std::size_t made_from = 0;  // `create`, as applied by this leader
    Rare<Trouble> trouble;

    Trouble& troubled() { return trouble ? *trouble : trouble.emplace(); }
  };
  struct UnderWay {
    kube::ObjectRef object;
    Need what = Need::Nothing;
    Instant sent;
    std::size_t wanted = 0;
    std::string uid;  // of the object that was meant
  };
  struct Newer {  // than what the watch has shown
    Object object;
    Object instead_of;
    Instant until;
  };

  const WantedObject* wanted(const kube::ObjectRef& object) const;
  Object observed(const kube::ObjectRef& object) const;
  void look(const kube::ObjectRef& object, Instant now);
  void judge(const kube::ObjectRef& object, Entry& entry, Instant now);
  bool idle(const WantedObject* want, const Object& seen) const;
  void leave(const kube::ObjectRef& object, Entry& entry);
  void note_undone(const kube::ObjectRef& object, Entry& entry, Instant now);
  void enqueue(const kube::ObjectRef& object, Entry& entry, Instant now);
  void hold(const kube::ObjectRef& object, Entry& entry, Instant until);
  std::optional<Duration> done(const UnderWay& sent, Entry& entry, const kube::WriteAnswer& answer,
                               Instant now);
  std::optional<Duration> answered(const UnderWay& sent, Entry& entry,
                                   const kube::WriteAnswer& answer, Instant now);
  std::optional<Duration> looked(const UnderWay& sent, Entry& entry,
                                 const kube::WriteAnswer& answer, Instant now);
  Duration refused(const kube::ObjectRef& object, Entry& entry, const Refusal& refusal,
                   Instant now);
  void await_change(Entry& entry);
  Duration back_off(Entry& entry);
  kube::Write write_of(const kube::ObjectRef& object, Entry& entry, Instant now) const;
  std::string now_text(Instant now) const;
  void say(const kube::ObjectRef& object, std::string reason, std::string text,
           Log::Level level = Log::Level::Warning);
  bool tell_refused(const kube::ObjectRef& object, unsigned status, Instant now);
  void drop_seen_newer(Instant now);

  Options options_;
  Rng rng_;
  std::optional<Duration> wall_clock_;
  std::shared_ptr<const WantedObjects> wanted_;
  std::shared_ptr<const kube::Observed> observed_;
  bool complete_ = false;
  std::map<kube::ObjectRef, Entry> entries_;
  std::map<kube::ObjectRef, Newer> newer_;
  std::set<std::pair<bool, kube::ObjectRef>> queue_;  // those with `first` before the others
  std::set<std::pair<Instant, kube::ObjectRef>> waiting_;
  std::map<std::uint64_t, UnderWay> under_way_;
  std::uint64_t next_id_ = 1;
  std::optional<Instant> pause_;  // the server asked for it
  std::uint64_t version_ = 1;
  std::set<std::string> told_dropped_;
  std::map<std::string, Instant> told_refused_;
  std::vector<Said> said_;
};

}  // namespace herald::daemon
