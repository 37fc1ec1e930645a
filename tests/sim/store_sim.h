// tests/sim/store_sim.h: the store of the simulated world: linearizable compare-and-swap, and a
// history that is checked at every write.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "coord/store.h"

namespace herald::sim {

// What holds between one write and the next, whoever writes.
class StoreSim {
 public:
  // ignore_base: the wrong variant whose CAS always wins.
  explicit StoreSim(bool ignore_base = false) : ignore_base_(ignore_base) {}

  coord::StoreReply read(const coord::DocumentKey& key) const;
  coord::StoreReply list() const;
  // The outcome, after the checks of the history.
  coord::CasOutcome cas(const coord::CasDocument& request);

  // Which services may have one IP; by default none.
  void set_may_share(std::function<bool(const ObjectName&, const ObjectName&)> may_share) {
    may_share_ = std::move(may_share);
  }
  // Which IPs services are told of by somebody else than the store.
  void set_told(std::function<bool(const ObjectName&, const IpAddress&)> told) {
    told_elsewhere_ = std::move(told);
  }
  // Services that exist now: only these must keep what they hold.
  void set_wanted(std::set<ObjectName> wanted);

  const std::map<coord::DocumentKey, coord::Document>& documents() const { return documents_; }
  std::map<IpAddress, coord::TableEntry> table() const;
  // What was wrong first; empty: nothing.
  const std::string& violation() const { return violation_; }
  std::uint64_t table_writes() const { return table_writes_; }

 private:
  void check(const coord::TableDocument& before, const coord::TableDocument& after);
  void check(const coord::StatusDocument& status);
  bool surplus(const ObjectName& service, const IpAddress& vip) const;
  bool told(const ObjectName& service, const IpAddress& vip) const;
  void fail(std::string what);

  bool ignore_base_;
  std::function<bool(const ObjectName&, const ObjectName&)> may_share_;
  std::function<bool(const ObjectName&, const IpAddress&)> told_elsewhere_;
  std::map<coord::DocumentKey, coord::Document> documents_;
  std::set<ObjectName> wanted_;
  std::map<IpAddress, coord::Epoch> epochs_;  // the highest that each VIP ever had
  std::uint64_t table_writes_ = 0;
  std::string violation_;
};

}  // namespace herald::sim
