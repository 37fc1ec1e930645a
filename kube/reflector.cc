#include "kube/reflector.h"

#include <algorithm>
#include <utility>

#include "base/back_off.h"
#include "base/check.h"

namespace herald::kube {
namespace {

// A server that has just started refuses what it allows a moment later: it has yet to read the
// roles.
constexpr Duration kFirstRefusedWait = 2s, kRefusedWait = 60s, kUnauthorizedWait = 5s;
// A server that is not there is not burdened by who looks for it.
constexpr Duration kUnreachedWait = 8s, kReachedSpread = 3s;
// A score of kinds that may never come must not cost a request every few seconds.
constexpr Duration kAbsentWait = 60s, kLongestAbsentWait = 15min;
// Watches end after a random time in this range, so that those of all kinds and nodes do not end
// together; 20 kinds then cost a request a minute.
constexpr Duration kShortestWatch = 15min, kLongestWatch = 30min;
// An API server sends a bookmark about once a minute.
constexpr Duration kBookmarkPatience = 150s;
constexpr Duration kUnknownPatience = 5min;  // as long as it is not known whether it sends any
// A server that does not know sendInitialEvents never says that the list is complete.
constexpr Duration kStreamPatience = 10s;
constexpr Duration kLongestStream = 60s;
constexpr Duration kListPatience = 90s;  // the client answers within its own timeout
constexpr Duration kShortWatch = 5s;     // one that ends earlier says that something is wrong
constexpr unsigned kFailuresToTell = 2;  // one cut connection is nobody's news
constexpr unsigned kResumesBeforeList = 3;
constexpr unsigned kBelieveAfter = 5;
constexpr unsigned kLargestPage = 1'000'000;
constexpr std::size_t kMaxObjects = 1'000'000;

std::uint64_t hash_of(std::string_view text) {  // FNV-1a
  std::uint64_t h = 14695981039346656037U;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 1099511628211U;
  return h;
}

std::int64_t whole_seconds(Duration d) {
  return std::chrono::duration_cast<std::chrono::seconds>(d).count();
}

bool is_expired(const Status& status) {
  return status.code == 410 || status.reason == "Expired" || status.reason == "Gone";
}

}  // namespace

Reflector::Reflector(ReflectorOptions options, Rng rng)
    : options_(std::move(options)),
      rng_(rng),
      page_(options_.page),
      refused_wait_(kFirstRefusedWait),
      streams_(options_.stream_lists) {
  HERALD_CHECK(!options_.versions.empty() && options_.versions.size() < 256);
}

// ---- orders
// --------------------------------------------------------------------------------------

void Reflector::start(Instant now) {
  if (started()) return;
  version_ = 0;
  wait(Next::List, 0s, now);
  begin(now);
}

void Reflector::poke(Instant now) {
  if (state_ == State::Waiting && (absent() || refused_)) at_ = std::min(at_, now);
}

void Reflector::suspect(Instant now) {
  if (state_ == State::Waiting) {
    at_ = std::min(at_, now);
  } else if (state_ == State::Watching) {
    drop_request();
    begin_watch(false, now);
  }
}

void Reflector::reached(Instant now) {
  if (state_ != State::Waiting || !unreached_) return;
  at_ = std::min(at_, now + rng_.between(0ms, kReachedSpread));
}

void Reflector::prefer_first_version(Instant now) {
  if (!started() || version_ == 0) return poke(now);
  drop_request();
  version_ = 0;
  wait(Next::List, 0s, now);
}

void Reflector::forget() {
  drop_request();
  state_ = State::Parked;
  for (const auto& [key, known] : known_) changes_.emplace_back(Gone{ref_of(key, known.served)});
  known_.clear();
  synced_ = refused_ = false;
  failures_ = resume_failures_ = stale_lists_ = absent_rounds_ = 0;
  last_version_.clear();
  highest_ = 0;
  trouble_.clear();
}

// ---- time
// ----------------------------------------------------------------------------------------

void Reflector::tick(Instant now) {
  switch (state_) {
    case State::Parked:
      return;
    case State::Waiting:
      if (now >= at_) begin(now);
      return;
    case State::Listing:
      if (now >= at_) {
        drop_request();
        fail(Next::List, "no answer came", now);
      }
      return;
    case State::Streaming:
      if (now >= std::min(at_, heard_ + idle_)) {
        // Whether it is dead or does not know what it was asked: pages will tell.
        drop_request();
        streams_ = false;
        begin_list(now);
      }
      return;
    case State::Watching:
      if (now >= heard_ + idle_) {
        silent_ = silent_ || !bookmarks_;
        drop_request();
        begin_watch(false, now);
      }
      return;
  }
}

std::optional<Instant> Reflector::next_deadline() const {
  switch (state_) {
    case State::Parked:
      return std::nullopt;
    case State::Waiting:
    case State::Listing:
      return at_;
    case State::Streaming:
      return std::min(at_, heard_ + idle_);
    case State::Watching:
      return heard_ + idle_;
  }
  return std::nullopt;
}

std::vector<Ask> Reflector::take_asks() {
  return std::exchange(asks_, {});
}
std::vector<Change> Reflector::take_changes() {
  return std::exchange(changes_, {});
}

// ---- requests
// ------------------------------------------------------------------------------------

void Reflector::wait(Next next, Duration how_long, Instant now) {
  state_ = State::Waiting;
  next_ = next;
  at_ = now + how_long;
}

void Reflector::begin(Instant now) {
  if (next_ == Next::Resume) {
    begin_watch(false, now);
  } else if (streams_) {
    begin_watch(true, now);
  } else {
    begin_list(now);
  }
}

void Reflector::drop_request() {
  if (request_ != 0) asks_.push_back({.kind = Ask::Kind::Cancel, .id = request_});
  request_ = 0;
}

std::string Reflector::path() const {
  return path_of(resource(), options_.ns) + "?" + options_.selector +
         (options_.selector.empty() ? "" : "&");
}

void Reflector::begin_list(Instant now) {
  state_ = State::Listing;
  ++list_;
  list_version_.clear();
  continue_.clear();
  at_ = now + kListPatience;
  ask_page();
}

void Reflector::ask_page() {
  request_ = ++last_id_;
  std::string query = path() + "limit=" + std::to_string(page_);
  if (!continue_.empty()) query += "&continue=" + continue_;
  asks_.push_back({.kind = Ask::Kind::List, .id = request_, .path = std::move(query)});
}

void Reflector::begin_watch(bool with_list, Instant now) {
  state_ = with_list ? State::Streaming : State::Watching;
  request_ = ++last_id_;
  watch_began_ = heard_ = now;
  lines_heard_ = false;
  const Duration lasts = rng_.between(kShortestWatch, kLongestWatch);
  idle_ = bookmarks_ ? kBookmarkPatience : silent_ ? lasts + 30s : kUnknownPatience;
  std::string query = path() + "watch=true&allowWatchBookmarks=true";
  if (with_list) {
    ++list_;
    idle_ = kStreamPatience;
    at_ = now + kLongestStream;
    query += "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan";
  } else {
    query += "&resourceVersion=" + last_version_;
  }
  query += "&timeoutSeconds=" + std::to_string(whole_seconds(lasts));
  asks_.push_back(
      {.kind = Ask::Kind::Watch, .id = request_, .path = std::move(query), .idle = lasts + 60s});
}

// ---- answers
// -------------------------------------------------------------------------------------

void Reflector::on_reply(std::uint64_t id, const Reply& reply, Instant now) {
  if (id != request_ || request_ == 0) return;
  request_ = 0;
  note_answer(reply.status != 0);
  if (state_ == State::Listing) {
    on_page(reply, now);
  } else {
    on_watch_ended(reply, now);
  }
}

void Reflector::on_page(const Reply& reply, Instant now) {
  if (reply.status == 410) {
    // The rest of a list that took too long. Larger pages take less time.
    page_ = std::min(page_ * 4, kLargestPage);
    return on_expired(said(reply), now);
  }
  if (reply.status != 200) return on_refusal(reply, now);
  const auto page = parse_page(reply.body);
  if (!page) return fail(Next::List, "the list " + page.error(), now);
  if (list_version_.empty()) {
    if (!believes(page->resource_version)) {
      return fail(Next::List, "the list is older than what was seen before", now);
    }
    list_version_ = page->resource_version;
  }
  for (const std::string_view item : page->items) {
    const auto metadata = parse_metadata(item);
    if (!metadata || metadata->name.empty()) {
      return fail(Next::List,
                  "an object of the list " + (metadata ? "has no name" : metadata.error()), now);
    }
    if (!take_in(*metadata, item)) return fail(Next::List, "the list is too long", now);
  }
  if (page->continue_token.empty()) return complete(list_version_, now);
  if (page->continue_token == continue_ || page->items.empty()) {
    return fail(Next::List, "the list does not go on", now);
  }
  continue_ = page->continue_token;
  at_ = now + kListPatience;
  ask_page();
}

void Reflector::on_watch_ended(const Reply& reply, Instant now) {
  const bool listing = state_ == State::Streaming;
  if (listing && (reply.status == 400 || reply.status == 422)) {
    streams_ = false;
    return begin_list(now);
  }
  if (listing && (reply.status == 200 || reply.status == 0)) {
    return watch_is_broken(reply.status == 0 ? said(reply) : "the list ended early", now);
  }
  if (reply.status == 200) {
    if (now - watch_began_ < kShortWatch) return fail(Next::Resume, "watches end at once", now);
    return wait(Next::Resume, rng_.between(0ms, 1s), now);
  }
  if (reply.status == 410) return on_expired(said(reply), now);
  if (listing) return on_refusal(reply, now);
  // A server that is not there, or has too much to do, would have the more to do with a new list.
  if (reply.status == 0 || reply.status == 429 || reply.status == 503) {
    return fail(Next::Resume, said(reply), now, reply.retry_after);
  }
  if (reply.status >= 500) return watch_is_broken(said(reply), now);
  on_refusal(reply, now);
}

void Reflector::on_refusal(const Reply& reply, Instant now) {
  if (reply.status == 404) return on_absent(now);
  if (reply.status == 403) {
    refused_ = true;
    fail(Next::List, said(reply), now, refused_wait_);
    refused_wait_ = std::min(refused_wait_ * 2, kRefusedWait);
    trouble_ = name_of(resource()) + " cannot be read: " + said(reply) + "; give heraldd's " +
               (options_.ns.empty() ? "ClusterRole" : "Role in namespace " + options_.ns) +
               " the verbs list and watch on " + name_of(resource());
    return;
  }
  if (reply.status == 401) {
    fail(Next::List, said(reply), now, kUnauthorizedWait);
    trouble_ = name_of(resource()) + " cannot be read: " + said(reply) +
               "; the token or certificate of heraldd is not valid (any more)";
    return;
  }
  fail(Next::List, said(reply), now, reply.retry_after);
}

void Reflector::on_expired(const std::string& why, Instant now) {
  // Once is part of every long life: what was missed is too long ago. Listed again at once.
  resume_failures_ = 0;
  if (failures_ > 0) return fail(Next::List, why, now);
  ++failures_;
  wait(Next::List, rng_.between(0ms, options_.first_wait), now);
}

void Reflector::on_absent(Instant now) {
  if (version_ + 1 < options_.versions.size()) {
    ++version_;
    return wait(Next::List, 0s, now);
  }
  version_ = 0;
  refused_ = false;
  trouble_.clear();
  if (synced_) {
    trouble_ = name_of(resource()) + " are not served any more: what is known of them is kept";
  }
  const Duration pause = herald::back_off(kAbsentWait, absent_rounds_++, kLongestAbsentWait);
  wait(Next::List, rng_.between(pause * 3 / 4, pause * 5 / 4), now);
}

// ---- a watch's lines
// -----------------------------------------------------------------------------

void Reflector::on_line(std::uint64_t id, std::string_view line, Instant now) {
  if (id != request_ || request_ == 0 || state_ == State::Listing) return;
  heard_ = now;
  lines_heard_ = true;
  note_answer(true);
  const auto event = parse_watch_line(line);
  if (!event) return watch_is_broken("a line of the watch " + event.error(), now);
  if (event->type == WatchLine::Type::Error) return on_line_error(event->object, now);
  const auto metadata = parse_metadata(event->object);
  if (!metadata) return watch_is_broken("an object of the watch " + metadata.error(), now);
  if (event->type == WatchLine::Type::Bookmark) return on_bookmark(*metadata, now);
  if (metadata->name.empty()) return watch_is_broken("an object of the watch has no name", now);
  // A server that sends again what came before the resume point: an object that is gone by now
  // would come back, and its end would not be told again.
  const auto number = version_number(metadata->resource_version);
  const auto resumed = version_number(last_version_);
  if (state_ == State::Watching && number && resumed && *number <= *resumed) return;
  if (event->type == WatchLine::Type::Deleted) {
    take_out(*metadata, event->object);
  } else if (!take_in(*metadata, event->object)) {
    return watch_is_broken("there are too many objects", now);
  }
  if (state_ == State::Watching) {
    seen_version(metadata->resource_version);
    well();
  }
}

void Reflector::on_bookmark(const Metadata& metadata, Instant now) {
  if (state_ == State::Streaming) {
    if (!metadata.initial_events_end) {  // an ordinary one: it does not know what it was asked
      drop_request();
      streams_ = false;
      return begin_list(now);
    }
    if (!believes(metadata.resource_version)) {
      drop_request();
      return fail(Next::List, "the list is older than what was seen before", now);
    }
    const std::uint64_t stream = request_;
    complete(metadata.resource_version, now);
    // The same stream goes on as a watch.
    if (state_ == State::Watching) request_ = stream;
    return;
  }
  bookmarks_ = true;
  idle_ = kBookmarkPatience;
  seen_version(metadata.resource_version);
  well();
}

void Reflector::on_line_error(std::string_view object, Instant now) {
  const auto status = parse_status(object);
  if (status && is_expired(*status)) {
    drop_request();
    return on_expired(status->message, now);
  }
  if (state_ == State::Streaming) {  // over an etcd that is too old to stream, for one
    drop_request();
    streams_ = false;
    return begin_list(now);
  }
  watch_is_broken(status ? status->message : "the watch ended with an error", now);
}

void Reflector::watch_is_broken(const std::string& why, Instant now) {
  const bool listing = state_ == State::Streaming;
  drop_request();
  if (listing && lines_heard_ && ++cut_streams_ >= kResumesBeforeList) streams_ = false;
  // If resuming there does not help, a new list will.
  const bool again = listing || ++resume_failures_ > kResumesBeforeList;
  if (again) resume_failures_ = 0;
  fail(again ? Next::List : Next::Resume, why, now);
}

// ---- what is known
// -------------------------------------------------------------------------------

ObjectRef Reflector::ref_of(const std::string& key, std::uint8_t served) const {
  const auto slash = key.find('/');
  return {options_.versions[served], key.substr(0, slash), key.substr(slash + 1)};
}

// False: there is no room.
bool Reflector::take_in(const Metadata& metadata, std::string_view text) {
  Known now_known;
  const auto number = version_number(metadata.resource_version);
  now_known.uid = hash_of(metadata.uid);
  now_known.ordered = number.has_value();
  now_known.version = number.value_or(hash_of(metadata.resource_version));
  now_known.served = static_cast<std::uint8_t>(version_);
  now_known.seen_in = list_;
  highest_ = std::max(highest_, number.value_or(0));
  const std::string key = metadata.ns + "/" + metadata.name;
  const auto [at, fresh] = known_.try_emplace(key, now_known);
  if (fresh && known_.size() > kMaxObjects) {
    known_.erase(at);
    return false;
  }
  Known& known = at->second;
  if (!fresh) {
    const bool same = known.uid == now_known.uid && known.version == now_known.version;
    const bool older = known.ordered && now_known.ordered && now_known.version < known.version;
    if ((same || older) && known.served == now_known.served) {
      known.seen_in = list_;
      return true;
    }
  }
  const std::uint8_t served_before = known.served;
  known = now_known;
  changes_.emplace_back(Put{ref_of(key, known.served), metadata, std::string(text)});
  if (!fresh && served_before != known.served) {
    changes_.emplace_back(Gone{ref_of(key, served_before)});
  }
  return true;
}

void Reflector::take_out(const Metadata& metadata, std::string_view text) {
  const auto at = known_.find(metadata.ns + "/" + metadata.name);
  if (at == known_.end()) return;
  const auto number = version_number(metadata.resource_version);
  if (number && at->second.ordered && *number < at->second.version) return;
  changes_.emplace_back(Gone{ref_of(at->first, at->second.served), std::string(text)});
  known_.erase(at);
}

void Reflector::seen_version(const std::string& resource_version) {
  if (resource_version.empty()) return;
  if (const auto number = version_number(resource_version)) {
    if (*number < highest_) return;
    highest_ = *number;
  }
  last_version_ = resource_version;
}

bool Reflector::believes(const std::string& resource_version) {
  const auto number = version_number(resource_version);
  if (!number || *number >= highest_) return true;
  if (++stale_lists_ < kBelieveAfter) return false;
  highest_ = 0;
  for (auto& [key, known] : known_) known.version = 0;
  return state_ == State::Listing;  // a stream's objects were compared with the old versions
}

void Reflector::complete(const std::string& resource_version, Instant now) {
  for (auto at = known_.begin(); at != known_.end();) {
    if (at->second.seen_in == list_) {
      ++at;
      continue;
    }
    changes_.emplace_back(Gone{ref_of(at->first, at->second.served)});
    at = known_.erase(at);
  }
  if (!synced_) changes_.emplace_back(Synced{});
  synced_ = true;
  stale_lists_ = cut_streams_ = absent_rounds_ = 0;
  page_ = options_.page;
  last_version_ = resource_version;
  highest_ = std::max(highest_, version_number(resource_version).value_or(0));
  well();
  if (state_ == State::Streaming) {
    state_ = State::Watching;
    idle_ = bookmarks_ ? kBookmarkPatience : kUnknownPatience;
  } else {
    begin_watch(false, now);
  }
}

// ---- trouble
// -------------------------------------------------------------------------------------

// That it was not there says nothing about how it is now.
void Reflector::note_answer(bool answered) {
  if (answered && unreached_) failures_ = 0;
  unreached_ = !answered;
}

void Reflector::well() {
  failures_ = resume_failures_ = absent_rounds_ = 0;
  refused_ = false;
  refused_wait_ = kFirstRefusedWait;
  trouble_.clear();
}

Duration Reflector::back_off() {
  const Duration longest =
      unreached_ ? std::min(options_.longest_wait, kUnreachedWait) : options_.longest_wait;
  const Duration base = herald::back_off(options_.first_wait, failures_ - 1, longest);
  return rng_.between(base / 2, base * 3 / 2);
}

void Reflector::fail(Next next, const std::string& why, Instant now,
                     std::optional<Duration> least) {
  ++failures_;
  Duration pause = back_off();
  if (least) pause = std::max(pause, rng_.between(*least, *least + *least / 4));
  if (failures_ >= kFailuresToTell) {
    trouble_ = name_of(resource()) + " cannot be " +
               (synced_ ? "watched, and are as they were last seen: " : "read: ") + why;
  }
  wait(next, pause, now);
}

std::string Reflector::said(const Reply& reply) const {
  if (reply.status == 0) return reply.why.empty() ? "there was no answer" : reply.why;
  const auto status = parse_status(reply.body);
  return "the API server says " + std::to_string(reply.status) +
         (status && !status->message.empty() ? " (" + status->message + ")" : "");
}

}  // namespace herald::kube
