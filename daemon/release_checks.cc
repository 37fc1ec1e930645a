#include "daemon/release_checks.h"

#include <algorithm>
#include <utility>

#include <boost/json.hpp>

#include "base/back_off.h"
#include "base/lists.h"
#include "kube/observe.h"

namespace herald::daemon {
namespace {

namespace json = boost::json;

constexpr Duration kFirstRetry = 500ms, kLastRetry = 2min;
constexpr Duration kAnswerIsDue = 60s;

// Services of other types are not watched, unless something of theirs is ours.
bool may_be_balanced(std::string_view service) {
  boost::system::error_code failed;
  const json::value root = json::parse(json::string_view(service.data(), service.size()), failed);
  if (failed) return true;
  const json::value* type = root.find_pointer("/spec/type", failed);
  return type == nullptr || !type->is_string() || type->get_string() == "LoadBalancer";
}

}  // namespace

kube::ObjectRef service_ref(const ObjectName& name) {
  static const kube::Resource kServices{"", "v1", "services", "Service", true};
  return {kServices, name.ns, name.name};
}

std::vector<IpAddress> ingress_of(std::string_view status) {
  std::vector<IpAddress> out;
  boost::system::error_code failed;
  const json::value root = json::parse(json::string_view(status.data(), status.size()), failed);
  if (failed) return out;
  const json::value* list = root.find_pointer("/loadBalancer/ingress", failed);
  if (list == nullptr || !list->is_array()) return out;
  for (const json::value& one : list->get_array()) {
    const json::object* entry = one.if_object();
    const json::value* ip = entry == nullptr ? nullptr : entry->if_contains("ip");
    if (ip == nullptr || !ip->is_string()) continue;
    const json::string& text = ip->get_string();
    if (const auto read = IpAddress::parse({text.data(), text.size()})) out.push_back(*read);
  }
  return out;
}

void ReleaseChecks::set(const std::set<ipam::Holding>& awaited, const ipam::Plan& plan,
                        const kube::Observed& observed, Instant now) {
  // Good for this release alone: the service may have the IP again one day.
  std::erase_if(untold_, [&](const ipam::Holding& h) { return !contains(plan.released, h); });
  std::map<ObjectName, Check> checks;
  for (const ipam::Holding& h : awaited) checks[h.service].leaving.push_back(h.ip);
  if (checks.empty() && checks_.empty()) return;
  for (const ipam::Decision& d : plan.decisions) {
    const auto check = checks.find(d.service);
    if (check == checks.end()) continue;
    for (const ipam::GivenIp& given : d.ips) check->second.has.push_back(given.ip);
    std::sort(check->second.has.begin(), check->second.has.end());
  }
  for (auto& [service, check] : checks) {
    const auto before = checks_.find(service);
    check.next = now;
    if (before == checks_.end()) continue;
    const Check& was = before->second;
    // An answer to what was asked before is no answer to this.
    if (was.leaving != check.leaving || was.has != check.has) continue;
    check = was;
  }
  for (auto& [service, check] : checks) {
    const auto shown = observed.objects.find(service_ref(service));
    check.shown = shown ? shown->resource_version : "";
  }
  checks_ = std::move(checks);
}

void ReleaseChecks::forget() {
  if (checks_.empty() && untold_.empty()) return;
  checks_.clear();
  untold_.clear();
  seen_.clear();
  ++version_;
}

std::vector<AskKube> ReleaseChecks::take_requests(Instant now) {
  std::vector<AskKube> out;
  std::size_t under_way = 0;
  for (auto& [service, check] : checks_) {
    if (check.under_way != 0 && now >= check.sent + kAnswerIsDue) check.under_way = 0;
    under_way += check.under_way != 0;
  }
  for (auto& [service, check] : checks_) {
    if (under_way >= kMostAtOnce) break;
    if (check.under_way != 0 || check.next > now) continue;
    check.under_way = next_id_++;
    check.sent = now;
    ++under_way;
    kube::Write look;
    look.verb = kube::Write::Verb::Look;
    look.object = service_ref(service);
    out.push_back({check.under_way, std::move(look)});
  }
  return out;
}

bool ReleaseChecks::on_answer(std::uint64_t id, const kube::WriteAnswer& answer, Instant now) {
  if (id < first_id_ || id >= next_id_) return false;
  const auto it = std::find_if(checks_.begin(), checks_.end(),
                               [&](const auto& check) { return check.second.under_way == id; });
  if (it == checks_.end()) return true;
  const ObjectName service = it->first;
  Check& check = it->second;
  check.under_way = 0;
  const Duration wait = back_off(kFirstRetry, check.tries++, kLastRetry);
  check.next = now + rng_.between(wait / 2, wait);
  using Outcome = kube::WriteAnswer::Outcome;
  if (answer.outcome != Outcome::Done && answer.outcome != Outcome::Gone) return true;
  std::vector<IpAddress> told;
  if (answer.outcome == Outcome::Done) {
    const auto object = kube::observe(answer.body, "");
    if (!object) return true;
    seen_.push_back({service_ref(service), answer.body});
    told = ingress_of(object->status);
    std::sort(told.begin(), told.end());
    // A status that is about to be written may be late by another leader, too; when it names what
    // the service has now, whatever was sent before comes too late.
    // (A list with a hostname is another controller's, and never names that.)
    const bool foreign = object->status.find("\"hostname\"") != std::string::npos;
    if (!foreign && !check.has.empty() && told != check.has) return true;
    if (check.has.empty() && may_be_balanced(answer.body) &&
        !kube::at_least(check.shown, object->resource_version)) {
      return true;
    }
  }
  for (const IpAddress& ip : check.leaving) {
    if (contains(told, ip)) return true;
  }
  for (const IpAddress& ip : check.leaving) untold_.insert({ip, service});
  checks_.erase(it);
  ++version_;
  return true;
}

std::optional<Instant> ReleaseChecks::next_deadline() const {
  std::optional<Instant> next, answer;
  std::size_t under_way = 0;
  for (const auto& [service, check] : checks_) {
    if (check.under_way != 0) {
      ++under_way;
      answer = earliest(answer, check.sent + kAnswerIsDue);
    } else {
      next = earliest(next, check.next);
    }
  }
  return under_way >= kMostAtOnce ? answer : earliest(next, answer);
}

}  // namespace herald::daemon
