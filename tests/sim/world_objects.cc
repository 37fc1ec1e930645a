// The API server of worlds that have one: Service objects with their statuses, watches that lag,
// requests and answers that are lost or late, and people who edit.
#include <fmt/core.h>

#include <algorithm>

#include "base/lists.h"
#include "daemon/node_status.h"
#include "daemon/release_checks.h"
#include "tests/sim/world_host.h"

namespace herald::sim {

using kube::Write;
using kube::WriteAnswer;

namespace {
constexpr Duration kTimeout = 2s;
constexpr int kMostWipes = 2;  // of one service: more is a fight, which is given up for a while
}  // namespace

// What users have made of services is what the API server has.
void World::set_objects() {
  for (const ObjectName& name : services_) {
    if (!api_.has(daemon::service_ref(name))) api_.create(daemon::service_ref(name));
  }
  for (const ObjectName& name : deleted_) api_.remove(daemon::service_ref(name));
  objects_changed();
}

// The API server's picture now: the same for whoever asks.
World::Picture World::picture() {
  Picture out;
  out.version = api_version_;
  out.observed = std::make_shared<kube::Observed>(api_.observed("heraldd"));
  auto desired = std::make_shared<Desired>(*desired_);
  desired->services = {};
  for (Service s : desired_->services) {
    s.held = daemon::ingress_of(api_.status(daemon::service_ref(s.name)));
    desired->services.push_back(std::move(s));
  }
  out.desired = std::move(desired);
  return out;
}

void World::objects_changed() {
  ++api_version_;
  for (auto& host : hosts_) show_objects(*host);
}

// One change after the other: what is shown is what was there when it set out.
void World::show_objects(Host& host) {
  if (!objects_ || !host.node || host.watching) return;
  host.watching = true;
  Duration lag = rng_.between(500us, 20ms);
  if (!calm_ && swarm_.stale_watch && rng_.one_in(4)) lag += rng_.between(10ms, 6s);
  after(lag, [this, &host, life = host.life, shown = picture()] {
    if (host.life != life) return;
    host.watching = false;
    const bool away = !calm_ && (host.cut || outage_);
    if (!away) show(host, shown);
    if (away) {
      after(100ms, [this, &host, life] {
        if (host.life == life) show_objects(host);
      });
    } else if (shown.version != api_version_) {
      show_objects(host);
    }
  });
}

void World::show(Host& host, const Picture& shown) {
  if (!host.node) return;
  const daemon::Event events[] = {
      daemon::WallClockRead{
          1795251600 + std::chrono::floor<std::chrono::seconds>(now_.time_since_epoch()).count()},
      daemon::ObjectsSeen{shown.observed}, daemon::DesiredRead{shown.desired}};
  if (host.frozen || host.stalled) {
    host.backlog.insert(host.backlog.end(), std::begin(events), std::end(events));
  } else {
    step(host, events);
  }
}

void World::ask_objects(Host& host, const daemon::AskKube& ask) {
  const bool service = ask.write.object.resource.kind == "Service";
  const bool node = ask.write.object.resource.kind == "NodeStatus";
  const auto answer = [this, &host, life = host.life, id = ask.id](Duration delay, WriteAnswer a) {
    after(delay, [this, &host, life, id, a = std::move(a)] {
      if (host.life == life) deliver(host, daemon::KubeAnswered{id, a});
    });
  };
  if (!service && !node) {  // nothing depends on what is told there
    WriteAnswer done;
    done.outcome = WriteAnswer::Outcome::Done;
    answer(2ms, std::move(done));
    return;
  }
  const bool away = !calm_ && (host.cut || outage_);
  const bool lost = !calm_ && swarm_.lose_requests && rng_.one_in(20);
  const bool unheard = !calm_ && swarm_.lose_replies && rng_.one_in(15);
  if (away || lost || unheard) answer(kTimeout, {});
  if (away || lost) return;
  Duration delay = rng_.between(500us, 8ms);
  if (!calm_ && swarm_.slow && rng_.one_in(8)) delay += rng_.between(10ms, 90ms);
  if (!calm_ && swarm_.late_writes && rng_.one_in(12)) delay += rng_.between(100ms, 4s);
  after(delay, [this, ask, answer, unheard, service] {
    const std::uint64_t before = api_.changes();
    auto done = api_.answer(ask.write);
    if (api_.changes() != before) {
      if (service) check_status({ask.write.object.ns, ask.write.object.name});
      objects_changed();
    }
    if (!unheard) answer(rng_.between(500us, 8ms), std::move(done));
  });
}

// No status names an IP that the table does not have for the service.
void World::check_status(const ObjectName& service) {
  const auto table = store_.table();
  for (const IpAddress& ip : daemon::ingress_of(api_.status(daemon::service_ref(service)))) {
    const auto entry = table.find(ip);
    if (entry == table.end() ||
        (!contains(entry->second.services, service) && !entry->second.quarantine)) {
      fail(fmt::format("the status of {} names {}, which the table does not have for it",
                       to_string(service), to_string(ip)));
    }
  }
}

bool World::told(const ObjectName& service, const IpAddress& vip) const {
  return contains(daemon::ingress_of(api_.status(daemon::service_ref(service))), vip);
}

// kubectl edit, and another controller's word in a condition.
void World::edit_status() {
  if (services_.empty()) return;
  const ObjectName name = services_[rng_.below(services_.size())];
  const kube::ObjectRef object = daemon::service_ref(name);
  if (rng_.one_in(2) && wipes_[name]++ < kMostWipes) {
    tell("the status of " + to_string(name) + " is wiped");
    api_.set_status(object, "kubectl-edit", "{}");
  } else {
    api_.next_generation(object);
  }
  objects_changed();
}

std::string World::statuses_fault() const {
  std::map<ObjectName, std::set<IpAddress>> held;
  for (const auto& [vip, entry] : store_.table()) {
    for (const ObjectName& s : entry.services) held[s].insert(vip);
  }
  for (const ObjectName& s : services_) {
    const std::string status = api_.status(daemon::service_ref(s));
    const auto said = daemon::ingress_of(status);
    if (std::set<IpAddress>(said.begin(), said.end()) != held[s]) {
      return fmt::format("the status of {} is not what the table has: {}", to_string(s), status);
    }
  }
  // Who was taken for dead, or was stopped, and runs again.
  for (const auto& host : hosts_) {
    const std::string status = api_.status(daemon::node_status_ref(host->name));
    if (host->node && status.find(R"("reason":"Ready")") == std::string::npos) {
      return fmt::format("{} runs, and its NodeStatus says {}", host->name.str(), status);
    }
  }
  return "";
}

}  // namespace herald::sim
