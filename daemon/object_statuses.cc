#include "daemon/object_statuses.h"

#include <algorithm>
#include <utility>

#include "daemon/dead_node_statuses.h"
#include "daemon/node_status.h"

namespace herald::daemon {
namespace {

constexpr std::uint64_t kFirstWrite = 1, kFirstCheck = std::uint64_t{1} << 56,
                        kFirstEvent = std::uint64_t{2} << 56;
// What has changed together is told together; and grants go first.
constexpr Duration kAfter = 10ms, kBetween = 250ms;
// With so many services it takes long to make every status anew, though most come to the same: then
// that is done less often, and in between only those whose IPs or owners are others.
constexpr std::size_t kMany = 500;
constexpr Duration kBetweenAll = 1s;

}  // namespace

ObjectStatuses::ObjectStatuses(const std::string& field_manager, const NodeName& self,
                               std::size_t service_status_limit, std::uint64_t seed)
    : self_(self),
      service_status_limit_(service_status_limit),
      writer_({field_manager, kFirstWrite, 32}, Rng(seed)),
      checks_(kFirstCheck, Rng(seed + 1)),
      events_(kFirstEvent, self) {}

void ObjectStatuses::on_seen(std::shared_ptr<const kube::Observed> observed) {
  observed_ = std::move(observed);
  statuses_.reset();
  events_.set_node_uid(uid_of(node_ref(self_)));
}

std::string ObjectStatuses::uid_of(const kube::ObjectRef& object) const {
  const auto is = observed(object);
  return is ? is->uid : "";
}

std::shared_ptr<const kube::ObservedObject> ObjectStatuses::observed(
    const kube::ObjectRef& object) const {
  return observed_ ? observed_->objects.find(object) : nullptr;
}

void ObjectStatuses::tick(Instant now) {
  writer_.tick(now);
  for (ObjectWriter::Said& said : writer_.take_said()) {
    events_.add({said.object, uid_of(said.object), true, said.reason, "WriteStatus", said.log.text},
                now);
    logs_.push_back(std::move(said.log));
  }
  for (Log& log : events_.take_logs()) logs_.push_back(std::move(log));
}

bool ObjectStatuses::on_answer(std::uint64_t id, const kube::WriteAnswer& answer, Instant now) {
  if (writer_.on_answer(id, answer, now) || events_.on_answer(id, answer, now)) return true;
  if (!checks_.on_answer(id, answer, now)) return false;
  for (const ReleaseChecks::Seen& seen : checks_.take_seen()) {
    writer_.learn(seen.object, seen.body, now);
    ++seen_version_;
  }
  return true;
}

Told ObjectStatuses::told() {
  if (std::exchange(told_version_, writer_.version()) != writer_.version()) {
    told_.clear();
    writer_.for_each_newer([&](const kube::ObjectRef& object, const kube::ObservedObject& is) {
      if (object.resource.kind != "Service") return;
      coord::StatusDocument& told = told_[{object.ns, object.name}];
      told.service = {object.ns, object.name};
      told.ips = ingress_of(is.status);
    });
  }
  given_version_ = seen_version_ + checks_.version();
  return {told_, given_version_, &checks_.untold()};
}

const Statuses& ObjectStatuses::statuses() const {
  if (statuses_) return *statuses_;
  statuses_.emplace();
  if (!observed_) return *statuses_;
  for (const auto& [object, is] : observed_->objects) {
    if (object.resource != service_ref({}).resource || is.status.empty()) continue;
    const ObjectName name{object.ns, object.name};
    if (auto said = told_in(name, is.status)) (*statuses_)[name] = std::move(*said);
  }
  return *statuses_;
}

void ObjectStatuses::set(const Facts& facts, Instant now) {
  if (!observed_) return;
  checks_.set(facts.allocations.awaited(), facts.allocation->plan, *observed_, now);
  MadeOf made_of{facts.policies.identity(),   observed_,
                 facts.allocations.version(), facts.table.version(),
                 facts.peers.version(),       facts.drained};
  if (made_of_ != made_of) {
    make_at_ = earliest(make_at_, std::max(now + kAfter, made_ + kBetween));
  }
  if (!make_at_ || now < *make_at_) return;
  make_at_.reset();
  made_ = now;
  made_of_ = std::move(made_of);
  const bool all =
      !wanted_ || facts.allocation->plan.decisions.size() < kMany || now >= all_made_ + kBetweenAll;
  if (all) {
    all_made_ = now;
  } else {
    make_at_ = all_made_ + kBetweenAll;
  }
  static const WantedObjects kNone;
  auto wanted = std::make_shared<WantedObjects>();
  services_.add(
      {facts.policies, facts.allocation, facts.table, facts.peers, facts.drained, *observed_},
      wanted_ ? *wanted_ : kNone, all, now, *wanted, events_);
  if (all) {
    of_dialects_.clear();
    dialects_.add({*observed_, facts.policies, &facts.allocation->plan.pools, facts.table,
                   facts.peers, facts.drained, now, service_status_limit_},
                  of_dialects_);
  }
  wanted->insert(of_dialects_.begin(), of_dialects_.end());
  make_at_ = earliest(make_at_, want_dead_nodes(facts.peers, *observed_, now, *wanted));
  wanted_ = wanted;
  writer_.set(std::move(wanted), observed_, facts.policies.desired().complete, now);
}

void ObjectStatuses::forget() {
  made_of_.reset();
  make_at_.reset();
  wanted_.reset();
  of_dialects_.clear();
  services_.forget();
  writer_.forget();
  checks_.forget();
  events_.forget();
}

bool ObjectStatuses::due(Instant now) const {
  return (make_at_ && now >= *make_at_) ||
         (made_of_ && given_version_ != seen_version_ + checks_.version());
}

std::optional<Instant> ObjectStatuses::next_deadline() const {
  return earliest(earliest(make_at_, events_.next_deadline()),
                  earliest(writer_.next_deadline(), checks_.next_deadline()));
}

std::vector<AskKube> ObjectStatuses::take_requests(Instant now) {
  auto out = writer_.take_writes(now);
  for (AskKube& ask : checks_.take_requests(now)) out.push_back(std::move(ask));
  for (AskKube& ask : events_.take_requests(now)) out.push_back(std::move(ask));
  return out;
}

}  // namespace herald::daemon
