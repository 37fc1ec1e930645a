#include "tests/sim/store_sim.h"

#include <fmt/core.h>

#include <algorithm>

namespace herald::sim {

using namespace coord;

namespace {

bool has(const TableEntry& entry, const ObjectName& service) {
  return std::find(entry.services.begin(), entry.services.end(), service) != entry.services.end();
}

}  // namespace

StoreReply StoreSim::read(const DocumentKey& key) const {
  const auto it = documents_.find(key);
  if (it == documents_.end()) return ReadReply{};
  return ReadReply{it->second};
}

StoreReply StoreSim::list() const {
  ListReply out;
  for (const auto& [key, document] : documents_) out.documents.push_back(document);
  return out;
}

CasOutcome StoreSim::cas(const CasDocument& request) {
  const DocumentKey key = key_of(request.document);
  const auto it = documents_.find(key);
  const Revision current = it == documents_.end() ? Revision{} : revision_of(it->second);
  if (current != request.base && !ignore_base_) return CasOutcome::Conflict;
  if (const auto* table = std::get_if<TableDocument>(&request.document)) {
    ++table_writes_;
    TableDocument none;
    none.shard = table->shard;
    check(it == documents_.end() ? none : std::get<TableDocument>(it->second), *table);
  } else if (const auto* status = std::get_if<StatusDocument>(&request.document)) {
    check(*status);
  }
  documents_[key] = request.document;
  return CasOutcome::Won;
}

void StoreSim::set_wanted(std::set<ObjectName> wanted) {
  wanted_ = std::move(wanted);
}

std::map<IpAddress, TableEntry> StoreSim::table() const {
  std::map<IpAddress, TableEntry> out;
  for (const auto& [key, document] : documents_) {
    if (const auto* t = std::get_if<TableDocument>(&document)) {
      out.insert(t->entries.begin(), t->entries.end());
    }
  }
  return out;
}

// A service that was told of an IP keeps it. (One that got two by two leaders was told of one.)
bool StoreSim::told(const ObjectName& service, const IpAddress& vip) const {
  const auto it = documents_.find(status_key(service));
  if (it == documents_.end()) return false;
  const auto& ips = std::get<StatusDocument>(it->second).ips;
  return std::find(ips.begin(), ips.end(), vip) != ips.end();
}

// No IP is lost, given twice, or given to an owner under an epoch that it had before.
void StoreSim::check(const TableDocument& before, const TableDocument& after) {
  for (const auto& [vip, entry] : before.entries) {
    const auto now = after.entries.find(vip);
    for (const ObjectName& service : entry.services) {
      if (!wanted_.contains(service) || entry.quarantine) continue;
      // One that comes back while its release is under way finds its IP at rest.
      const bool kept = now != after.entries.end() &&
                        (has(now->second, service) || now->second.kept_for == service);
      if (!kept && !surplus(service, vip)) {
        fail(fmt::format("{} lost {}", to_string(service), to_string(vip)));
      }
    }
    if (now == after.entries.end() && entry.owner) {
      fail(fmt::format("{} was freed while {} owned it", to_string(vip), entry.owner->str()));
    }
  }
  for (const auto& [vip, entry] : after.entries) {
    for (std::size_t i = 0; i < entry.services.size(); ++i) {
      for (std::size_t j = i + 1; j < entry.services.size(); ++j) {
        if (may_share_ && may_share_(entry.services[i], entry.services[j])) continue;
        fail(fmt::format("{} was given to {} and {}", to_string(vip), to_string(entry.services[i]),
                         to_string(entry.services[j])));
      }
    }
    const auto was = before.entries.find(vip);
    if (was != before.entries.end() && was->second.kept_for && !entry.services.empty() &&
        !has(entry, *was->second.kept_for)) {
      fail(fmt::format("{} rested for {} and was given to {}", to_string(vip),
                       to_string(*was->second.kept_for), to_string(entry.services.front())));
    }
    const bool same_owner = was != before.entries.end() && was->second.owner == entry.owner &&
                            was->second.inc == entry.inc;
    Epoch& highest = epochs_[vip];
    if (entry.owner && !same_owner && entry.epoch <= highest) {
      fail(fmt::format("{} changed its owner under the old epoch {}", to_string(vip),
                       entry.epoch.value));
    }
    highest = std::max(highest, entry.epoch);
  }
}

// Two leaders one after the other may give a service two IPs, in two shards. The one that no status
// has told of may be taken back, as long as the other stays.
bool StoreSim::surplus(const ObjectName& service, const IpAddress& vip) const {
  if (told_elsewhere_ && told_elsewhere_(service, vip)) return false;
  const auto status = documents_.find(status_key(service));
  if (status != documents_.end()) {
    const auto& told = std::get<StatusDocument>(status->second).ips;
    if (std::find(told.begin(), told.end(), vip) != told.end()) return false;
  }
  const auto all = table();
  return std::any_of(all.begin(), all.end(), [&](const auto& held) {
    const auto& services = held.second.services;
    return held.first != vip &&
           std::find(services.begin(), services.end(), service) != services.end();
  });
}

void StoreSim::check(const StatusDocument& status) {
  for (const IpAddress& ip : status.ips) {
    const auto shard = documents_.find(table_key(shard_of(ip)));
    const bool held =
        shard != documents_.end() && std::get<TableDocument>(shard->second).entries.contains(ip);
    // The service may have been deleted, and its IP freed, while the status was on its way.
    if (!held && wanted_.contains(status.service)) {
      fail(fmt::format("the status of {} names {}, which is not in the table",
                       to_string(status.service), to_string(ip)));
    }
  }
}

void StoreSim::fail(std::string what) {
  if (violation_.empty()) violation_ = std::move(what);
}

}  // namespace herald::sim
