#include "daemon/object_writer.h"

#include <fmt/core.h>

#include <algorithm>
#include <functional>
#include <utility>

#include <boost/json.hpp>

#include "base/back_off.h"
#include "base/check.h"
#include "base/text.h"
#include "daemon/status_diff.h"
#include "kube/observe.h"

namespace herald::daemon {
namespace {

namespace json = boost::json;

constexpr Duration kAnswerIsDue = 60s;  // later, it was lost on the way
constexpr Duration kWatchIsDue = 30s;   // shows an own write by then, or is not believed
constexpr Duration kFirstRetry = 1s, kLastRetry = 60s;
constexpr Duration kRefusedRetry = 5min, kRefusedToldAgain = 1h;
constexpr Duration kRefusedOther = 10s;  // if something else is wanted meanwhile
constexpr Duration kFightWindow = 5min, kPeace = 10min;
constexpr std::size_t kMostUndone = 3;
constexpr unsigned kMostFruitless = 3;

std::size_t hash_of(const WantedObject* wanted) {
  if (wanted == nullptr) return 0;
  const std::hash<std::string> hash;
  const std::size_t out = hash(*wanted->status) * 31 + hash(*wanted->create) * 7 +
                          static_cast<std::size_t>(wanted->generation) * 2 + wanted->wait;
  return out == 0 ? 1 : out;
}

// Whom a conflict is with: 'conflict with "a" using v1', 'conflicts with "a"'.
std::string managers_in(const std::string& message) {
  std::vector<std::string> out;
  static constexpr std::string_view kMark = " with \"";
  for (std::size_t at = message.find(kMark); at != std::string::npos;
       at = message.find(kMark, at)) {
    at += kMark.size();
    const std::size_t end = message.find('"', at);
    if (end == std::string::npos) break;
    std::string name = message.substr(at, std::min<std::size_t>(end - at, 128));
    if (std::find(out.begin(), out.end(), name) == out.end() && out.size() < 5) {
      out.push_back(std::move(name));
    }
  }
  return join(out, ", ");
}

// A server may answer a patch of a Service that is not there as if it were to be made (422), or as
// if it were another one (409), and never 404.
bool may_be_gone(const kube::WriteAnswer& answer) {
  return answer.status == 422 ||
         (answer.status == 409 && answer.message.find("uid mismatch") != std::string::npos);
}

std::string short_of(const std::string& text) {
  return text.size() <= 300 ? text : text.substr(0, 300) + "...";
}

}  // namespace

const WantedObject* ObjectWriter::wanted(const kube::ObjectRef& object) const {
  if (!wanted_) return nullptr;
  const auto it = wanted_->find(object);
  return it == wanted_->end() ? nullptr : &it->second;
}

ObjectWriter::Object ObjectWriter::observed(const kube::ObjectRef& object) const {
  if (!observed_) return nullptr;
  return observed_->objects.find(object);
}

ObjectWriter::Object ObjectWriter::known(const kube::ObjectRef& object) const {
  const auto newer = newer_.find(object);
  return newer == newer_.end() ? observed(object) : newer->second.object;
}

void ObjectWriter::learn(const kube::ObjectRef& object, const std::string& body, Instant now) {
  auto read = kube::observe(body, options_.field_manager);
  if (!read) return;
  const Object before = observed(object);
  if (before && before->uid == read->uid &&
      kube::at_least(before->resource_version, read->resource_version)) {
    return;
  }
  newer_[object] = {std::make_shared<const kube::ObservedObject>(std::move(*read)), before,
                    now + kWatchIsDue};
  ++version_;
}

// The watch has caught up, or shows something that came after.
void ObjectWriter::drop_seen_newer(Instant now) {
  for (auto it = newer_.begin(); it != newer_.end();) {
    const Newer& newer = it->second;
    const Object seen = observed(it->first);
    const bool shown = seen != nullptr && seen != newer.instead_of &&
                       (kube::at_least(seen->resource_version, newer.object->resource_version) ||
                        seen->uid != newer.object->uid);
    const bool gone = seen == nullptr && newer.instead_of != nullptr;
    if (!shown && !gone && now < newer.until) {
      ++it;
      continue;
    }
    it = newer_.erase(it);
    ++version_;
  }
}

void ObjectWriter::set(std::shared_ptr<const WantedObjects> wanted,
                       std::shared_ptr<const kube::Observed> observed, bool complete, Instant now) {
  HERALD_CHECK(wanted != nullptr && observed != nullptr);
  if (wanted == wanted_ && observed == observed_ && complete == complete_) return;
  wanted_ = std::move(wanted);
  observed_ = std::move(observed);
  complete_ = complete;
  drop_seen_newer(now);
  for (const auto& [object, what] : *wanted_) look(object, now);
  for (const auto& [object, seen] : observed_->objects) {
    if ((!seen.managed.empty() || seen.created) && !wanted_->contains(object)) look(object, now);
  }
  std::vector<kube::ObjectRef> gone;
  for (const auto& [object, entry] : entries_) {
    if (!observed_->objects.contains(object) && !wanted_->contains(object)) gone.push_back(object);
  }
  for (const kube::ObjectRef& object : gone) look(object, now);
}

void ObjectWriter::forget() {
  if (!wanted_) return;
  wanted_.reset();
  observed_.reset();
  entries_.clear();
  newer_.clear();
  queue_.clear();
  waiting_.clear();
  under_way_.clear();
  pause_.reset();
  ++version_;
}

// Nothing of ours is to be there, or nothing can be.
bool ObjectWriter::idle(const WantedObject* want, const Object& seen) const {
  if (want != nullptr) return seen == nullptr && want->create.empty();
  return seen == nullptr || !complete_ || (seen->managed.empty() && !seen->created);
}

void ObjectWriter::look(const kube::ObjectRef& object, Instant now) {
  const WantedObject* want = wanted(object);
  Object seen = known(object);
  const auto it = entries_.find(object);
  if (idle(want, seen)) {
    if (it != entries_.end()) leave(object, it->second);
    return;
  }
  Entry& entry = it == entries_.end() ? entries_[object] : it->second;
  const std::size_t hash = hash_of(want);
  if (entry.compared && entry.wanted == hash && entry.seen == seen) return;
  if (seen && entry.seen && seen->uid != entry.seen->uid) {  // another object under the same name
    hold(object, entry, Instant::min());
    const std::uint64_t under_way = entry.under_way;
    entry = {};
    entry.under_way = under_way;
  }
  if (entry.wanted != hash && entry.trouble && std::exchange(entry.trouble->refused, false)) {
    hold(object, entry, std::min(entry.not_before, now + kRefusedOther));
  }
  entry.compared = true;
  entry.wanted = hash;
  entry.seen = std::move(seen);
  judge(object, entry, now);
}

void ObjectWriter::leave(const kube::ObjectRef& object, Entry& entry) {
  hold(object, entry, Instant::min());
  entry.need = Need::Nothing;
  entry.compared = false;
  if (entry.under_way == 0) entries_.erase(object);
}

void ObjectWriter::judge(const kube::ObjectRef& object, Entry& entry, Instant now) {
  const WantedObject* want = wanted(object);
  entry.need = Need::Nothing;
  if (idle(want, entry.seen) || (want != nullptr && want->wait)) return;
  if (Rare<Trouble>& trouble = entry.trouble) {
    if (trouble->doubt) {
      entry.need = Need::Look;
      return enqueue(object, entry, now);
    }
    const bool awaited = trouble->stale && trouble->stale == entry.seen;
    if (awaited && trouble->stale_for == entry.wanted) return;
    trouble->stale.reset();
  }
  if (entry.seen == nullptr) {
    entry.need = Need::Apply;
  } else if (want == nullptr) {
    entry.need = entry.seen->created ? Need::Delete : Need::ApplyStatus;
  } else {
    const StatusDiff diff = compare(*want, *entry.seen, "");
    const std::size_t made_from = std::hash<std::string>{}(*want->create);
    if (diff.what.empty()) {
      entry.good = entry.wanted;
      entry.good_generation = entry.seen->generation;
      if (entry.trouble) entry.trouble->fruitless = 0;
    } else if (!entry.trouble || entry.trouble->accepted_for != entry.wanted ||
               entry.trouble->accepted != join(diff.what, "; ")) {
      entry.need = Need::ApplyStatus;
      const bool undone =
          entry.good == entry.wanted && entry.good_generation == entry.seen->generation;
      entry.good = 0;
      if (undone) note_undone(object, entry, now);
    }
    if (entry.need == Need::Nothing && entry.made_from != 0 && entry.made_from != made_from) {
      entry.need = Need::Apply;
    }
  }
  if (entry.need != Need::Nothing) enqueue(object, entry, now);
}

// It was there as wanted, nothing else is wanted, and it is not there any more.
void ObjectWriter::note_undone(const kube::ObjectRef& object, Entry& entry, Instant now) {
  Trouble& trouble = entry.troubled();
  trouble.undone.push_back(now);
  std::erase_if(trouble.undone, [&](Instant at) { return now - at > kFightWindow; });
  if (trouble.undone.size() < kMostUndone) return;
  trouble.undone.clear();
  hold(object, entry, now + kPeace);
  const std::string who = trouble.others.empty()
                              ? "another writer (metadata.managedFields names it)"
                              : "field manager " + trouble.others;
  say(object, "StatusConflict",
      fmt::format(
          "{} has changed what Herald writes to its status {} times within 5 minutes: it is "
          "left alone for 10 minutes; let only one of the two write it",
          who, kMostUndone));
}

void ObjectWriter::enqueue(const kube::ObjectRef& object, Entry& entry, Instant now) {
  if (entry.under_way != 0 || entry.queued) return;
  if (entry.not_before > now) {
    waiting_.insert({entry.not_before, object});
    return;
  }
  const WantedObject* want = wanted(object);
  queue_.insert({want == nullptr || !want->first, object});
  entry.queued = true;
}

void ObjectWriter::hold(const kube::ObjectRef& object, Entry& entry, Instant until) {
  waiting_.erase({entry.not_before, object});
  if (entry.queued) {
    queue_.erase({false, object});
    queue_.erase({true, object});
    entry.queued = false;
  }
  entry.not_before = until;
}

void ObjectWriter::tick(Instant now) {
  if (pause_ && now >= *pause_) pause_.reset();
  while (!waiting_.empty() && waiting_.begin()->first <= now) {
    const kube::ObjectRef object = waiting_.extract(waiting_.begin()).value().second;
    const auto it = entries_.find(object);
    if (it == entries_.end()) continue;
    if (it->second.trouble) it->second.trouble->stale.reset();
    judge(object, it->second, now);
  }
  std::vector<std::uint64_t> lost;
  for (const auto& [id, request] : under_way_) {
    if (now < request.sent + kAnswerIsDue) break;
    lost.push_back(id);
  }
  for (const std::uint64_t id : lost) {
    kube::WriteAnswer none;
    none.message = "no answer came";
    on_answer(id, none, now);
  }
  const bool stale = std::any_of(newer_.begin(), newer_.end(),
                                 [&](const auto& n) { return now >= n.second.until; });
  if (!stale) return;
  std::vector<kube::ObjectRef> again;
  for (const auto& [object, newer] : newer_) {
    if (now >= newer.until) again.push_back(object);
  }
  drop_seen_newer(now);
  for (const kube::ObjectRef& object : again) look(object, now);
}

std::optional<Instant> ObjectWriter::next_deadline() const {
  std::optional<Instant> next;
  if (!waiting_.empty()) next = waiting_.begin()->first;
  if (!under_way_.empty()) next = earliest(next, under_way_.begin()->second.sent + kAnswerIsDue);
  if (pause_ && !queue_.empty()) next = earliest(next, *pause_);
  for (const auto& [object, newer] : newer_) next = earliest(next, newer.until);
  return next;
}

std::string ObjectWriter::now_text(Instant now) const {
  const auto at = std::chrono::floor<std::chrono::seconds>(*wall_clock_ + now.time_since_epoch());
  return kube_time(at.count());
}

kube::Write ObjectWriter::write_of(const kube::ObjectRef& object, Entry& entry, Instant now) const {
  kube::Write out;
  out.object = object;
  out.field_manager = options_.field_manager;
  out.force = entry.trouble && entry.trouble->force;
  const kube::Resource& resource = object.resource;
  json::object body{{"apiVersion", kube::api_version(resource)}, {"kind", resource.kind.str()}};
  json::object meta;
  const WantedObject* want = wanted(object);
  if (entry.need == Need::Delete) {
    out.verb = kube::Write::Verb::Delete;
    return out;
  }
  if (entry.need == Need::Look) {
    out.verb = kube::Write::Verb::Look;
    return out;
  }
  if (entry.need == Need::Apply) {
    out.verb = kube::Write::Verb::Apply;
    boost::system::error_code failed;
    const json::value made = json::parse(*want->create, failed);
    HERALD_CHECK(!failed && made.is_object());
    for (const auto& field : made.get_object()) body[field.key()] = field.value();
    if (const json::value* given = body.if_contains("metadata")) {
      HERALD_CHECK(given->is_object());
      meta = given->get_object();
    }
    entry.made_from = std::hash<std::string>{}(*want->create);
  } else {
    meta["resourceVersion"] = entry.seen->resource_version;
    static const WantedObject kNothing;
    const StatusDiff diff = compare(want == nullptr ? kNothing : *want, *entry.seen, now_text(now));
    if (!diff.status.empty()) body["status"] = json::parse(diff.status);
  }
  meta["name"] = object.name;
  if (!object.ns.empty()) meta["namespace"] = object.ns;
  body["metadata"] = std::move(meta);
  out.body = json::serialize(body);
  return out;
}

std::vector<AskKube> ObjectWriter::take_writes(Instant now) {
  std::vector<AskKube> out;
  if (!wall_clock_ || (pause_ && now < *pause_)) return out;
  while (!queue_.empty() && under_way_.size() < options_.most_at_once) {
    const kube::ObjectRef object = queue_.extract(queue_.begin()).value().second;
    Entry& entry = entries_.at(object);
    entry.queued = false;
    if (entry.need == Need::Nothing) continue;
    const std::uint64_t id = next_id_++;
    kube::Write write = write_of(object, entry, now);
    entry.under_way = id;
    under_way_[id] = {object, entry.need, now, entry.wanted, entry.seen ? entry.seen->uid : ""};
    out.push_back({id, std::move(write)});
  }
  return out;
}

bool ObjectWriter::on_answer(std::uint64_t id, const kube::WriteAnswer& answer, Instant now) {
  const auto asked = under_way_.extract(id);
  if (asked.empty()) return id >= options_.first_id && id < next_id_;
  const UnderWay& sent = asked.mapped();
  const kube::ObjectRef& object = sent.object;
  const auto it = entries_.find(object);
  if (it == entries_.end()) return true;
  Entry& entry = it->second;
  entry.under_way = 0;
  std::optional<Duration> again_after;
  if (sent.what == Need::ApplyStatus && may_be_gone(answer)) {
    const bool same = entry.seen != nullptr && entry.seen->uid == sent.uid;
    if (same) entry.troubled().doubt = Refusal{answer.status, answer.message, sent.wanted};
  } else if (sent.what == Need::Look) {
    again_after = looked(sent, entry, answer, now);
  } else {
    again_after = answered(sent, entry, answer, now);
  }
  if (again_after) {
    hold(object, entry, now + *again_after);
    waiting_.insert({entry.not_before, object});
  }
  entry.compared = false;
  look(object, now);
  return true;
}

// How long to wait before the next one, whatever differs.
std::optional<Duration> ObjectWriter::answered(const UnderWay& sent, Entry& entry,
                                               const kube::WriteAnswer& answer, Instant now) {
  using Outcome = kube::WriteAnswer::Outcome;
  switch (answer.outcome) {
    case Outcome::Done:
      return done(sent, entry, answer, now);
    case Outcome::Conflict: {
      std::string managers = managers_in(answer.message);
      if (!managers.empty() && !entry.troubled().force) {
        entry.trouble->others = std::move(managers);
        entry.trouble->force = true;
        return std::nullopt;
      }
      // It is not what it was when it was looked at: the watch will show it.
      if (managers.empty()) await_change(entry);
      return back_off(entry);
    }
    case Outcome::Gone:
      if (sent.what == Need::Apply) entry.made_from = 0;
      await_change(entry);
      return kRefusedRetry;
    case Outcome::Refused:
      if (sent.what == Need::Apply) entry.made_from = 0;
      return refused(sent.object, entry, {answer.status, answer.message, sent.wanted}, now);
    case Outcome::Later:
      break;
  }
  Duration wait = back_off(entry);
  if (answer.retry_after) {
    const Duration asked_for = std::min<Duration>(*answer.retry_after, kLastRetry);
    pause_ = now + asked_for;
    wait = std::max(wait, asked_for);
  }
  return wait;
}

void ObjectWriter::await_change(Entry& entry) {
  entry.troubled().stale = entry.seen;
  entry.trouble->stale_for = entry.wanted;
}

Duration ObjectWriter::back_off(Entry& entry) {
  unsigned& failures = entry.troubled().failures;
  const Duration wait = herald::back_off(kFirstRetry, failures++, kLastRetry);
  return rng_.between(wait / 2, wait);
}

Duration ObjectWriter::refused(const kube::ObjectRef& object, Entry& entry, const Refusal& refusal,
                               Instant now) {
  // The first time, soon: a server that has just started has yet to read the roles.
  bool& again = entry.troubled().refused;
  const Duration wait = again ? kRefusedRetry : kRefusedOther;
  again = refusal.wanted == entry.wanted;
  if (tell_refused(object, refusal.status, now)) {
    say(object, "StatusRefused",
        fmt::format("the API server refuses what Herald writes to it ({}): {}; it is tried "
                    "again every 5 minutes, and so are others of this kind that it refuses",
                    refusal.status, short_of(refusal.message)));
  }
  return wait;
}

std::optional<Duration> ObjectWriter::looked(const UnderWay& sent, Entry& entry,
                                             const kube::WriteAnswer& answer, Instant now) {
  using Outcome = kube::WriteAnswer::Outcome;
  if (answer.outcome == Outcome::Later) return answered(sent, entry, answer, now);
  const auto doubt = std::exchange(entry.troubled().doubt, std::nullopt);
  if (!doubt) return std::nullopt;  // it was for another object of this name
  if (answer.outcome == Outcome::Gone) return answered(sent, entry, answer, now);
  if (answer.outcome == Outcome::Done) learn(sent.object, answer.body, now);
  const Object is = known(sent.object);
  if (is && is->uid != sent.uid) return std::nullopt;
  return doubt->status == 409 ? back_off(entry) : refused(sent.object, entry, *doubt, now);
}

// Once an hour for each kind.
bool ObjectWriter::tell_refused(const kube::ObjectRef& object, unsigned status, Instant now) {
  const auto [it, first] =
      told_refused_.try_emplace(object.resource.kind.str() + " " + std::to_string(status), now);
  if (!first && now - it->second < kRefusedToldAgain) return false;
  it->second = now;
  return true;
}

// How long to wait before the next one, whatever differs.
std::optional<Duration> ObjectWriter::done(const UnderWay& sent, Entry& entry,
                                           const kube::WriteAnswer& answer, Instant now) {
  if (entry.trouble) {
    entry.trouble->failures = 0;
    entry.trouble->force = entry.trouble->refused = false;
  }
  const auto body = kube::observe(answer.body, options_.field_manager);
  if (sent.what == Need::Delete || !body) {  // the watch will show it
    await_change(entry);
    return kWatchIsDue;
  }
  learn(sent.object, answer.body, now);
  const WantedObject* want = wanted(sent.object);
  if (want == nullptr || sent.what != Need::ApplyStatus || sent.wanted != entry.wanted) {
    return std::nullopt;
  }
  const StatusDiff diff = compare(*want, *body, "");
  if (diff.what.empty()) return std::nullopt;
  Trouble& trouble = entry.troubled();
  trouble.accepted = join(diff.what, "; ");
  trouble.accepted_for = entry.wanted;
  constexpr std::size_t kMostTold = 100;
  if (told_dropped_.size() < kMostTold &&
      told_dropped_.insert(sent.object.resource.kind.str() + diff.what.front()).second) {
    say(sent.object, "StatusDropped",
        fmt::format("the API server does not keep what Herald writes to it: there is {}; update "
                    "the CustomResourceDefinition, or the server",
                    short_of(trouble.accepted)));
  }
  if (++trouble.fruitless < kMostFruitless) return std::nullopt;
  return kRefusedRetry;
}

void ObjectWriter::say(const kube::ObjectRef& object, std::string reason, std::string text,
                       Log::Level level) {
  said_.push_back(
      {Log{level, "status of " + to_string(object) + ": " + text}, object, std::move(reason)});
}

}  // namespace herald::daemon
