// kube/sources.h: all kinds that Herald reads from an API server, each by its reflector.
//
// Kinds of Kubernetes itself are always there. Optional ones are watched while their
// CustomResourceDefinition is: it is picked up when it is installed later, and what it had is gone
// when it goes. Where definitions may not be listed, each optional kind is asked for now and then.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "base/time.h"
#include "kube/reflector.h"
#include "kube/resources.h"

namespace herald::kube {

struct SourceAsk {
  Ask ask;  // its id is unlike that of any other kind's
  bool metadata_only = false;
};

struct SourceChange {
  const SourceKind* kind = nullptr;
  Change change;
};

class Sources {
 public:
  explicit Sources(std::vector<SourceKind> kinds, Rng rng);

  void start(Instant now);
  void on_reply(std::uint64_t id, const Reply& reply, Instant now);
  void on_line(std::uint64_t id, std::string_view line, Instant now);
  void tick(Instant now);
  std::optional<Instant> next_deadline() const;
  std::vector<SourceAsk> take_asks();
  std::vector<SourceChange> take_changes();

  // What is there is known, as far as it can be: each kind of Kubernetes itself is listed, each
  // other is listed, or not there, or cannot be read. Stays true.
  bool settled() const { return settled_; }
  // Path of a kind -> why it was never read; what is wanted is not known as a whole.
  std::map<std::string, std::string> unread() const;
  // The optional kinds that the server has.
  std::set<std::string> present() const;
  // Of all kinds, sentences: what keeps them from being up to date.
  std::vector<std::string> troubles() const;

 private:
  struct Kind {
    const SourceKind* what;
    Reflector reflector;
  };
  Reflector* find(std::uint64_t id);
  void follow_definitions(Instant now);
  void follow(Instant now);
  void reached(Instant now);

  std::vector<SourceKind> kinds_;
  Reflector definitions_;
  std::vector<Kind> readers_;
  std::set<std::string> defined_;  // name_of() those of ours
  bool guessing_ = false;          // definitions cannot be listed
  bool settled_ = false;
};

}  // namespace herald::kube
