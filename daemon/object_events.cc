#include "daemon/object_events.h"

#include <fmt/core.h>

#include <algorithm>

#include <boost/json.hpp>

#include "base/text.h"
#include "daemon/status_diff.h"

namespace herald::daemon {
namespace {

namespace json = boost::json;

constexpr std::int64_t kBurst = 50;
constexpr Duration kOneEach = 200ms;  // after the burst
constexpr std::size_t kMostQueued = 100;
constexpr std::size_t kMostUnderWay = 64;
constexpr unsigned kMostTries = 3;
constexpr Duration kSummaryAfter = 10s;
constexpr std::int64_t kSameFor = 600;  // seconds
constexpr std::size_t kLongestNote = 1000, kLongestName = 230;

std::uint64_t fnv(std::uint64_t hash, std::string_view text) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  return (hash ^ 0xff) * 0x100000001b3ull;
}

// No longer than the server takes, and no half of a character.
std::string cut(const std::string& text) {
  if (text.size() <= kLongestNote) return text;
  std::size_t end = kLongestNote;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end) + "...";
}

const kube::Resource& events() {
  static const kube::Resource kEvents{"events.k8s.io", "v1", "events", "Event", true};
  return kEvents;
}

}  // namespace

kube::Write ObjectEvents::write_of(const ObjectEvent& event, Instant now) const {
  const Duration wall = *wall_clock_ + now.time_since_epoch();
  const std::int64_t seconds = std::chrono::floor<std::chrono::seconds>(wall).count();
  std::uint64_t hash = 0xcbf29ce484222325ull;
  for (const std::string* part : {&event.uid, &event.reason, &event.action, &event.note}) {
    hash = fnv(hash, *part);
  }
  hash = fnv(hash, std::to_string(seconds / kSameFor));
  const kube::ObjectRef& about = event.regarding;
  const std::string ns = about.ns.empty() ? "default" : about.ns;
  kube::Write out;
  out.verb = kube::Write::Verb::Create;
  out.object = {events(), ns, fmt::format("{}.{:016x}", about.name.substr(0, kLongestName), hash)};
  json::object regarding{{"apiVersion", kube::api_version(about.resource)},
                         {"kind", about.resource.kind.str()},
                         {"name", about.name}};
  if (!about.ns.empty()) regarding["namespace"] = about.ns;
  if (!event.uid.empty()) regarding["uid"] = event.uid;
  std::string time = kube_time(seconds);
  time.insert(time.size() - 1, ".000000");
  out.body = json::serialize(
      json::object{{"apiVersion", "events.k8s.io/v1"},
                   {"kind", "Event"},
                   {"metadata", json::object{{"name", out.object.name}, {"namespace", ns}}},
                   {"eventTime", time},
                   {"reportingController", "herald.io/heraldd"},
                   {"reportingInstance", ("heraldd-" + self_.str()).substr(0, 128)},
                   {"action", event.action},
                   {"reason", event.reason},
                   {"type", event.warning ? "Warning" : "Normal"},
                   {"note", cut(event.note)},
                   {"regarding", std::move(regarding)}});
  return out;
}

void ObjectEvents::add(ObjectEvent event, Instant now) {
  if (queue_.size() + early_.size() >= kMostQueued) {
    ++untold_[event.reason];
    if (!summary_at_) summary_at_ = now + kSummaryAfter;
    return;
  }
  if (!wall_clock_) {
    early_.emplace_back(now, std::move(event));
    return;
  }
  queue_.push_back({write_of(event, now), 0});
}

void ObjectEvents::forget() {
  queue_.clear();
  early_.clear();
  untold_.clear();
  summary_at_.reset();
}

void ObjectEvents::refill(Instant now) {
  if (!filled_) {
    tokens_ = kBurst;
    filled_ = now;
  }
  const std::int64_t more = (now - *filled_) / kOneEach;
  if (more <= 0) return;
  tokens_ = std::min(kBurst, tokens_ + more);
  filled_ = *filled_ + more * kOneEach;
}

std::vector<AskKube> ObjectEvents::take_requests(Instant now) {
  std::vector<AskKube> out;
  if (!wall_clock_) return out;
  for (auto& [at, event] : early_) queue_.push_back({write_of(event, at), 0});
  early_.clear();
  if (summary_at_ && now >= *summary_at_) {
    summary_at_.reset();
    std::size_t count = 0;
    std::vector<std::string> each;
    for (const auto& [reason, times] : untold_) {
      count += times;
      each.push_back(fmt::format("{} {}", times, reason));
    }
    untold_.clear();
    static const kube::Resource kNodes{"", "v1", "nodes", "Node", false};
    const ObjectEvent summary{
        {kNodes, "", self_.str()},
        node_uid_,
        false,
        "ManyChanges",
        "Summarise",
        fmt::format("{} more changes of services than can be told one by one ({}): their "
                    "conditions tell",
                    count, join(each, ", "))};
    queue_.push_front({write_of(summary, now), 0});
  }
  refill(now);
  while (!queue_.empty() && tokens_ > 0 && under_way_.size() < kMostUnderWay) {
    --tokens_;
    const std::uint64_t id = next_id_++;
    out.push_back({id, queue_.front().write});
    under_way_[id] = std::move(queue_.front());
    queue_.pop_front();
  }
  return out;
}

bool ObjectEvents::on_answer(std::uint64_t id, const kube::WriteAnswer& answer, Instant) {
  if (id < first_id_ || id >= next_id_) return false;
  auto asked = under_way_.extract(id);
  if (asked.empty()) return true;
  using Outcome = kube::WriteAnswer::Outcome;
  if (answer.outcome == Outcome::Later && ++asked.mapped().tries < kMostTries) {
    queue_.push_back(std::move(asked.mapped()));
  } else if (answer.outcome == Outcome::Refused && !std::exchange(refused_, true)) {
    logs_.push_back(Log{Log::Level::Warning, "events: the API server refuses them (" +
                                                 std::to_string(answer.status) +
                                                 "): " + cut(answer.message)});
  }
  return true;
}

std::optional<Instant> ObjectEvents::next_deadline() const {
  std::optional<Instant> next = summary_at_;
  if (!wall_clock_) return std::nullopt;
  if (!queue_.empty() && under_way_.size() < kMostUnderWay && filled_) {
    next = earliest(next, *filled_ + kOneEach);
  }
  return next;
}

}  // namespace herald::daemon
