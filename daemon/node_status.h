// daemon/node_status.h: with an API server, each node tells of itself in an object of its own: kind
// NodeStatus, named after the node, which goes when the Node goes (its owner).
//
// It is written when something has changed, at most every five seconds; when the watch shows
// another word than the node's own; and once in a while all the same, in case somebody has deleted
// it and nobody watches. docs/kubernetes-status.md has its fields.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/names.h"
#include "base/rng.h"
#include "base/time.h"
#include "daemon/events.h"
#include "kube/observed.h"

namespace herald::daemon {

class Node;

kube::ObjectRef node_status_ref(const NodeName& node);
// Of the Node object, for owner references and events.
kube::ObjectRef node_ref(const NodeName& node);

// What a node has to say of itself, as JSON without times that pass. wall_clock: what the clock on
// the wall shows at Instant{}. ready_since: for the condition, which `ready` says.
struct NodeStatusText {
  std::string status;
  bool ready = false;
};
NodeStatusText node_status_of(const Node& node, Duration wall_clock, std::int64_t ready_since,
                              Instant now);
// What is left to say by one that has left: Ready is False, Stopped.
std::string last_word_of(const Node& node, Duration wall_clock, Instant now);

// What a leader says in a NodeStatus of a node that is dead: Ready is Unknown. A node that stopped
// in an orderly way has said so itself.
constexpr const char* kNodeNotHeard = "NodeNotHeard";
constexpr const char* kNodeStopped = "Stopped";

class NodeStatusWriter {
 public:
  NodeStatusWriter(std::uint64_t first_id, NodeName self, Rng rng)
      : first_id_(first_id), next_id_(first_id), self_(std::move(self)), rng_(rng) {}

  // Whether it is time to look what there is to say.
  bool due(Instant now) const {
    return now >= look_at_ && (under_way_ == 0 || now >= sent_ + kAnswerIsDue);
  }
  void set(std::string status, const std::string& node_uid, Instant now);
  // The object as the watch shows it; null: it does not. What differs in it from what was told is
  // told again: a leader that lost sight of this node has taken it for dead, or a word of its
  // former life came late.
  void see(std::shared_ptr<const kube::ObservedObject> is) { seen_ = std::move(is); }
  // The last that is said: at once, or when what is under way is answered.
  void close(std::string status, Instant now);
  // It is not answered yet.
  bool closing() const { return closing_ != Closing::No; }

  bool on_answer(std::uint64_t id, const kube::WriteAnswer& answer, Instant now);
  std::vector<AskKube> take_requests() { return std::exchange(requests_, {}); }
  std::vector<Log> take_logs() { return std::exchange(logs_, {}); }

 private:
  static constexpr Duration kAnswerIsDue = 60s;  // later, it was lost on the way
  void ask(kube::Write::Verb verb, Instant now);
  bool undone();

  std::uint64_t first_id_, next_id_;
  NodeName self_;
  Rng rng_;
  std::string status_, uid_;     // to be there
  std::string told_, told_uid_;  // are there, as far as is known
  std::shared_ptr<const kube::ObservedObject> seen_, compared_;
  bool made_ = false;
  Instant told_at_ = Instant::min();
  Instant look_at_ = Instant::min();
  Instant sent_;
  std::uint64_t under_way_ = 0;
  kube::Write::Verb verb_ = kube::Write::Verb::Apply;
  unsigned failures_ = 0;
  bool refused_ = false;
  enum class Closing : std::uint8_t { No, Waits, Asked } closing_ = Closing::No;
  std::vector<AskKube> requests_;
  std::vector<Log> logs_;
};

}  // namespace herald::daemon
