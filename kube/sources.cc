#include "kube/sources.h"

#include <algorithm>
#include <utility>

namespace herald::kube {
namespace {

// An id of a reflector, and which one's it is; 0: of the definitions.
constexpr unsigned kIdBits = 48;
constexpr std::uint64_t kIdMask = (std::uint64_t{1} << kIdBits) - 1;
// Where definitions cannot be seen: as often asked in vain, and it is gone.
constexpr unsigned kRoundsUntilGone = 3;
constexpr unsigned kDefinitionsInAPage = 100;

bool is_optional(const SourceKind& kind) {
  return kind.presence == SourceKind::Presence::ByCrd;
}

}  // namespace

Sources::Sources(std::vector<SourceKind> kinds, Rng rng)
    : kinds_(std::move(kinds)),
      definitions_({.versions = {crd_resource()}, .page = kDefinitionsInAPage}, Rng(rng.next())) {
  readers_.reserve(kinds_.size());
  for (const SourceKind& kind : kinds_) {
    ReflectorOptions options{
        .versions = kind.versions, .selector = kind.selector, .page = kind.page};
    readers_.push_back({&kind, Reflector(std::move(options), Rng(rng.next()))});
  }
}

void Sources::start(Instant now) {
  definitions_.start(now);
  for (Kind& kind : readers_) {
    if (!is_optional(*kind.what)) kind.reflector.start(now);
  }
}

Reflector* Sources::find(std::uint64_t id) {
  const std::uint64_t place = id >> kIdBits;
  if (place > readers_.size()) return nullptr;
  return place == 0 ? &definitions_ : &readers_[place - 1].reflector;
}

void Sources::on_reply(std::uint64_t id, const Reply& reply, Instant now) {
  if (Reflector* reader = find(id)) {
    const bool unreached = reader->unreached();
    reader->on_reply(id & kIdMask, reply, now);
    if (unreached && !reader->unreached()) reached(now);
  }
  follow(now);
}

void Sources::on_line(std::uint64_t id, std::string_view line, Instant now) {
  if (Reflector* reader = find(id)) {
    const bool unreached = reader->unreached();
    reader->on_line(id & kIdMask, line, now);
    if (unreached && !reader->unreached()) reached(now);
  }
  follow(now);
}

// The server answers one of them: the others need not wait any longer.
void Sources::reached(Instant now) {
  definitions_.reached(now);
  for (Kind& kind : readers_) kind.reflector.reached(now);
}

void Sources::tick(Instant now) {
  definitions_.tick(now);
  for (Kind& kind : readers_) kind.reflector.tick(now);
  follow(now);
}

std::optional<Instant> Sources::next_deadline() const {
  auto next = definitions_.next_deadline();
  for (const Kind& kind : readers_) next = earliest(next, kind.reflector.next_deadline());
  return next;
}

std::vector<SourceAsk> Sources::take_asks() {
  std::vector<SourceAsk> out;
  for (Ask& ask : definitions_.take_asks()) out.push_back({std::move(ask), true});
  for (std::size_t i = 0; i < readers_.size(); ++i) {
    for (Ask& ask : readers_[i].reflector.take_asks()) {
      ask.id |= (i + 1) << kIdBits;
      out.push_back({std::move(ask), false});
    }
  }
  return out;
}

std::vector<SourceChange> Sources::take_changes() {
  std::vector<SourceChange> out;
  for (Kind& kind : readers_) {
    for (Change& change : kind.reflector.take_changes()) {
      out.push_back({kind.what, std::move(change)});
    }
  }
  return out;
}

// ---- which kinds there are
// -----------------------------------------------------------------------

void Sources::follow_definitions(Instant now) {
  const auto reader_of = [&](const std::string& definition) {
    const auto at = std::find_if(readers_.begin(), readers_.end(), [&](const Kind& kind) {
      return is_optional(*kind.what) && kind.what->name() == definition;
    });
    return at == readers_.end() ? nullptr : &at->reflector;
  };
  for (const Change& change : definitions_.take_changes()) {
    if (const auto* put = std::get_if<Put>(&change)) {
      Reflector* reader = reader_of(put->ref.name);
      if (reader == nullptr) continue;
      defined_.insert(put->ref.name);
      if (reader->started()) {
        reader->prefer_first_version(now);  // what it serves may be another version now
      } else {
        reader->start(now);
      }
    } else if (const auto* gone = std::get_if<Gone>(&change)) {
      defined_.erase(gone->ref.name);
      if (Reflector* reader = reader_of(gone->ref.name)) reader->forget();
    } else if (guessing_) {
      guessing_ = false;
      for (Kind& kind : readers_) {
        if (is_optional(*kind.what) && !defined_.contains(kind.what->name())) {
          kind.reflector.forget();
        }
      }
    }
  }
}

void Sources::follow(Instant now) {
  follow_definitions(now);
  if (!definitions_.synced() && !guessing_) {
    guessing_ = definitions_.absent() || !definitions_.trouble().empty();
    for (Kind& kind : readers_) {
      if (guessing_ && is_optional(*kind.what)) kind.reflector.start(now);
    }
  }
  if (guessing_) {
    for (Kind& kind : readers_) {
      if (!is_optional(*kind.what) || kind.reflector.absent_rounds() < kRoundsUntilGone) continue;
      if (!kind.reflector.synced()) continue;
      kind.reflector.forget();
      kind.reflector.start(now);
    }
  }
  if (settled_) return;
  settled_ = definitions_.synced() || guessing_;
  for (const Kind& kind : readers_) {
    const Reflector& r = kind.reflector;
    if (!is_optional(*kind.what)) {
      settled_ = settled_ && r.synced();
    } else if (r.started()) {
      settled_ = settled_ && (r.synced() || r.absent() || !r.trouble().empty());
    }
  }
}

// ---- what is said
// --------------------------------------------------------------------------------

std::map<std::string, std::string> Sources::unread() const {
  std::map<std::string, std::string> out;
  for (const Kind& kind : readers_) {
    const Reflector& r = kind.reflector;
    if (!kind.what->wanted || !r.started()) continue;
    if (r.refused() || (!r.synced() && !r.absent())) {
      out[path_of(r.resource())] = r.trouble().empty() ? "it is being listed" : r.trouble();
    }
  }
  return out;
}

std::set<std::string> Sources::present() const {
  std::set<std::string> out;
  for (const Kind& kind : readers_) {
    if (!is_optional(*kind.what) || !kind.reflector.started()) continue;
    const bool known = guessing_ ? kind.reflector.synced() : defined_.contains(kind.what->name());
    if (known && !kind.reflector.absent()) out.insert(kind.what->name());
  }
  return out;
}

std::vector<std::string> Sources::troubles() const {
  std::vector<std::string> out;
  if (!definitions_.trouble().empty()) {
    out.push_back(definitions_.trouble() +
                  ": optional kinds are asked for one by one, every few minutes");
  }
  for (const Kind& kind : readers_) {
    if (!kind.reflector.trouble().empty()) out.push_back(kind.reflector.trouble());
  }
  return out;
}

}  // namespace herald::kube
