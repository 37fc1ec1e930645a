#include "daemon/status_cilium.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include <boost/json.hpp>

#include "base/text.h"

namespace herald::daemon {

namespace json = boost::json;

namespace {

constexpr const char* kGroup = "cilium.io";

Uint128 saturating_sum(Uint128 a, Uint128 b) {
  return a + b < a ? ~Uint128{0} : a + b;
}

// "10.0.0.1 - 10.0.0.9"; one address alone too.
std::string text_of(const IpRange& range) {
  return to_string(range.first) + " - " + to_string(range.last);
}

const Pool* find_pool(const Desired& desired, const PoolName& name) {
  const auto it = std::find_if(desired.pools.begin(), desired.pools.end(),
                               [&](const Pool& p) { return p.name == name; });
  return it == desired.pools.end() ? nullptr : &*it;
}

// The first pair of ranges that two pools, or two blocks of one pool, have in common.
std::string overlap(const Pool& pool, const Pool& other) {
  for (std::size_t i = 0; i < pool.ranges.size(); ++i) {
    for (std::size_t j = 0; j < other.ranges.size(); ++j) {
      if (&pool == &other && i == j) continue;
      const IpRange &mine = pool.ranges[i], &theirs = other.ranges[j];
      if (mine.family() != theirs.family() || !mine.overlaps(theirs)) continue;
      return fmt::format("Pool conflicts since range '{}' overlaps range '{}' from IP Pool '{}'",
                         text_of(mine), text_of(theirs), other.name.str());
    }
  }
  return conflict_of(pool);
}

// A number as Cilium tells it.
json::object counter(const char* type, Uint128 n) {
  json::object out = condition(type, false, "noreason", to_string(n));
  out["status"] = "Unknown";
  return out;
}

void add_problems(const ReadObject& read, json::array& to) {
  std::string words = read.in_words(Severity::Error);
  const bool invalid = !words.empty();
  const std::string warnings = read.in_words(Severity::Warning);
  if (invalid && !warnings.empty()) words += "\n";
  words += warnings;
  if (words.empty()) return;
  to.push_back(condition("herald.io/Problems", true, invalid ? "Invalid" : "Warnings", words));
}

json::array pool_conditions(const DialectView& view, const ReadObject& read) {
  json::array out;
  if (const Pool* pool = read.pool) {
    const Pool* other =
        pool->conflicts_with ? find_pool(view.desired(), *pool->conflicts_with) : nullptr;
    const bool conflict = pool->conflicts_with.has_value();
    out.push_back(condition("cilium.io/PoolConflict", conflict,
                            conflict ? "cidr_overlap" : "resolved",
                            !conflict          ? ""
                            : other == nullptr ? conflict_of(*pool)
                                               : overlap(*pool, *other)));
    if (read.usage != nullptr) {
      // Reserved addresses (allowFirstLastIPs: No) are part of the total, and used.
      const Uint128 available = read.usage->available();
      Uint128 total = read.usage->total();
      for (const IpRange& reserved : pool->avoided) total = saturating_sum(total, reserved.size());
      out.push_back(counter("cilium.io/IPsTotal", total));
      out.push_back(counter("cilium.io/IPsAvailable", available));
      out.push_back(counter("cilium.io/IPsUsed", total - std::min(total, available)));
    }
  }
  add_problems(read, out);
  return out;
}

// Each is there while its fault is, and stays as False where somebody has written it.
json::array l2_conditions(const ReadObject& read, const std::string& present) {
  struct Row {
    const char *type, *field;
  };
  static constexpr std::array kRows = {
      Row{"io.cilium/bad-interface-regex", "spec.interfaces"},
      Row{"io.cilium/bad-node-selector", "spec.nodeSelector"},
      Row{"io.cilium/bad-service-selector", "spec.serviceSelector"}};
  json::array out;
  for (const Row& row : kRows) {
    const auto fault =
        std::find_if(read.problems.begin(), read.problems.end(), [&](const Problem* p) {
          return p->severity == Severity::Error && p->field.rfind(row.field, 0) == 0;
        });
    if (fault != read.problems.end()) {
      out.push_back(condition(row.type, true, "error", (*fault)->message));
    } else if (present.find(row.type) != std::string::npos) {
      out.push_back(condition(row.type, false, "error", ""));
    }
  }
  add_problems(read, out);
  return out;
}

json::array finding_conditions(const ReadObject& read) {
  json::array out;
  for (const Finding* f : read.findings) {
    const std::string& topic = f->topic;
    if (topic == "NoMatchingNode") {  // Cilium says the same whether it holds or not
      out.push_back(condition("cilium.io/NoMatchingNode", f->holds, topic,
                              "No node matches spec.nodeSelector"));
    } else if (topic == "MissingPeerConfigs") {
      out.push_back(condition("cilium.io/MissingPeerConfigs", f->holds, topic,
                              f->holds ? fmt::format("Referenced CiliumBGPPeerConfig(s) are "
                                                     "missing: [{}]",
                                                     join(f->about, " "))
                                       : ""));
    } else if (topic == "ConflictingClusterConfigs") {
      out.push_back(condition("cilium.io/ConflictingClusterConfig", f->holds, topic,
                              f->holds ? fmt::format("Selecting the same node(s) with "
                                                     "ClusterConfig(s): [{}]",
                                                     join(f->about, " "))
                                       : ""));
    } else if (topic == "MissingAuthSecret") {
      out.push_back(condition(
          "cilium.io/MissingAuthSecret", f->holds, topic,
          f->holds ? fmt::format("Referenced Auth Secret \"{}\" is missing", join(f->about, " "))
                   : ""));
    }
  }
  std::sort(out.begin(), out.end(), [](const json::value& a, const json::value& b) {
    return a.at("type").as_string() < b.at("type").as_string();
  });
  add_problems(read, out);
  return out;
}

}  // namespace

void want_cilium_statuses(const DialectView& view, WantedObjects& out) {
  for (const auto& [object, seen] : view.facts().observed.objects) {
    if (object.resource.group != kGroup) continue;
    const ReadObject& read = view.read_from(object);
    const std::string_view kind = object.resource.kind;
    json::array conditions;
    if (kind == "CiliumLoadBalancerIPPool") {
      conditions = pool_conditions(view, read);
    } else if (kind == "CiliumL2AnnouncementPolicy") {
      conditions = l2_conditions(read, seen.status);
    } else if (kind == "CiliumBGPClusterConfig" || kind == "CiliumBGPPeerConfig") {
      conditions = finding_conditions(read);
    } else {
      continue;
    }
    // Nothing to say: what we said before goes.
    const std::string status =
        conditions.empty() ? "" : json::serialize(json::object{{"conditions", conditions}});
    out[object] = {status, WantedObject::Generation::InConditions, {}, false};
  }
}

}  // namespace herald::daemon
