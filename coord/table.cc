#include "coord/table.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "coord/peers.h"

namespace herald::coord {
namespace {

constexpr Duration kRankStep = 60ms;  // T3
constexpr Duration kRetry = 60ms;

// What this process remembers besides the documents.
struct Memory {
  const std::map<IpAddress, Epoch>& floors;
  const std::map<IpAddress, Epoch>& passed_on;
  const std::map<IpAddress, AskedMove>& asked_moves;
  const std::map<IpAddress, Finding>& findings;

  static bool at_least(const std::map<IpAddress, Epoch>& known, const IpAddress& vip, Epoch epoch) {
    const auto it = known.find(vip);
    return it != known.end() && it->second >= epoch;
  }
};

// Whom new owners are chosen by. When nodes are lost together, several others write, each some of
// the shards: so all VIPs of lost owners are dealt out at once, in one order. Who sees the same
// table deals alike, and the outcome is even whoever writes what. Shards that this node is writing
// count as they were written.
class Dealer {
 public:
  Dealer(const std::array<Table::Shard, kShards>& shards, std::map<NodeName, std::size_t> counts,
         const std::array<bool, kShards>& busy, const TablePlan& plan, const Editor& editor,
         const Peers& peers, Instant now)
      : shards_(shards),
        busy_(busy),
        counts_(std::move(counts)),
        plan_(plan),
        editor_(editor),
        peers_(peers),
        now_(now) {}

  std::optional<NodeName> choose(const IpAddress& vip, const VipPlan& planned) {
    deal();
    if (const auto it = dealt_.find(vip); it != dealt_.end()) return it->second;
    return pick(vip, planned);
  }
  // An owner changes.
  void count(const IpAddress& vip, const std::optional<NodeName>& from,
             const std::optional<NodeName>& to) {
    deal();
    if (const auto it = dealt_.find(vip); it != dealt_.end()) {
      if (it->second == to) return;  // counted when it was dealt
      --counts_[it->second];
    } else if (from && counts_[*from] > 0) {
      --counts_[*from];
    }
    if (to) ++counts_[*to];
  }

 private:
  std::optional<NodeName> pick(const IpAddress& vip, const VipPlan& planned) const {
    if (!editor_.leaving) return choose_owner(vip, *planned.candidates, counts_);
    std::vector<Candidate> others;
    std::copy_if(planned.candidates->begin(), planned.candidates->end(), std::back_inserter(others),
                 [&](const Candidate& c) { return c.node != editor_.self; });
    return choose_owner(vip, others, counts_);
  }

  // Silent ones count as lost: they are about to be, and it is only about who gets how many.
  bool lost(const NodeName& node, Incarnation inc) {
    const auto [it, first] = lost_.try_emplace({node, inc}, false);
    if (first && node != editor_.self) {
      it->second = peers_.gone(node, inc) || !peers_.heard(node, now_);
    }
    return it->second;
  }

  void deal() {
    if (std::exchange(done_, true)) return;
    for (unsigned s = 0; s < kShards; ++s) {
      if (busy_[s]) continue;
      for (const auto& [vip, entry] : shards_[s]->entries) {
        if (!entry.owner || !lost(*entry.owner, entry.inc)) continue;
        const auto planned = plan_.find(vip);
        if (planned == plan_.end()) continue;
        const auto& candidates = *planned->second.candidates;
        const NodeName& owner = *entry.owner;
        const bool returns = std::any_of(candidates.begin(), candidates.end(),
                                         [&](const Candidate& c) { return c.node == owner; });
        const auto to = returns ? std::nullopt : pick(vip, planned->second);
        if (!to) continue;
        if (counts_[owner] > 0) --counts_[owner];
        ++counts_[*to];
        dealt_.emplace(vip, *to);
      }
    }
  }

  const std::array<Table::Shard, kShards>& shards_;
  const std::array<bool, kShards> busy_;  // before this pass
  std::map<NodeName, std::size_t> counts_;
  const TablePlan& plan_;
  const Editor& editor_;
  const Peers& peers_;
  Instant now_;
  bool done_ = false;
  std::map<std::pair<NodeName, Incarnation>, bool> lost_;
  std::map<IpAddress, NodeName> dealt_;
};

// One pass over one shard: what it should be, as far as this editor may say.
class ShardEdit {
 public:
  ShardEdit(const TableDocument& view, const TablePlan& plan, const Editor& editor,
            const Peers& peers, const Memory& memory, Dealer& dealer)
      : next_(view), plan_(plan), editor_(editor), peers_(peers), memory_(memory), dealer_(dealer) {
    epoch_ = view.highest.next();
  }

  // `orphans_due`: it is this node's turn to rewrite what members that are gone have left.
  // `planned`: the VIPs of the plan that belong into this shard.
  void run(bool orphans_due, const std::vector<IpAddress>& planned) {
    for (auto it = next_.entries.begin(); it != next_.entries.end();) {
      const bool keep = visit(it->first, it->second, orphans_due);
      it = keep ? std::next(it) : next_.entries.erase(it);
    }
    if (editor_.leads && editor_.plan_known) add_missing(planned);
  }

  // True if an orphan was left for another node, or for later.
  bool orphans_left() const { return orphans_left_; }
  const std::vector<std::pair<IpAddress, Epoch>>& given_up() const { return given_up_; }
  const std::vector<RefusedMove>& refused_moves() const { return refused_moves_; }
  bool changed() const { return changed_; }
  TableDocument take_result() {
    next_.rev = next_.rev.next();
    if (reowned_) next_.highest = epoch_;
    return std::move(next_);
  }

 private:
  static const VipPlan* lookup(const TablePlan& plan, const IpAddress& vip) {
    const auto it = plan.find(vip);
    return it == plan.end() ? nullptr : &it->second;
  }

  // False: the entry is to be removed.
  bool visit(const IpAddress& vip, TableEntry& entry, bool orphans_due) {
    const VipPlan* planned = lookup(plan_, vip);
    const bool wanted = planned != nullptr && !planned->services.empty();
    const bool unwanted = editor_.plan_known && !wanted && editor_.may_release;
    if (editor_.leads && wanted && entry.services != planned->services) {
      entry.services = planned->services;
      entry.kept_for.reset();
      changed_ = true;
    }
    if (editor_.leads && wanted && !planned->probe && entry.must_probe()) {
      entry.unproven = false;
      entry.quarantine.reset();
      changed_ = true;
    }
    if (editor_.leads && wanted && planned->routed && entry.unproven) {
      entry.unproven = false;
      changed_ = true;
    }
    if (!entry.owner) {
      if (!editor_.leads || !editor_.plan_known) return true;
      if (unwanted) return rest(entry, planned);
      if (wanted) assign(vip, entry, choose(vip, *planned));
      return true;
    }
    mark_move(vip, entry);
    if (*entry.owner == editor_.self && entry.inc == editor_.inc) {
      visit_own(vip, entry, planned);
    } else if (peers_.gone(*entry.owner, entry.inc)) {
      visit_orphan(vip, entry, planned, orphans_due);
    }
    if (editor_.leads && entry.owner && (wanted || unwanted)) mark_wish(entry, unwanted);
    return true;
  }

  // Nobody wants it, and nobody owns it any more. False: it is free.
  bool rest(TableEntry& entry, const VipPlan* planned) {
    if (planned == nullptr || !planned->stays) {
      changed_ = true;
      return false;
    }
    if (!entry.services.empty() || entry.kept_for != planned->kept_for) {
      entry.services.clear();
      entry.kept_for = planned->kept_for;
      changed_ = true;
    }
    return true;
  }

  // What this node has found out by probing. That it is known does no harm to a VIP that is given
  // up in the same write.
  void mark_finding(const IpAddress& vip, TableEntry& entry) {
    const auto found = memory_.findings.find(vip);
    if (found == memory_.findings.end() || found->second.epoch != entry.epoch) return;
    const auto& seen = found->second.quarantine;
    if (entry.unproven == seen.has_value() && entry.quarantine == seen) return;
    entry.unproven = seen.has_value();
    entry.quarantine = seen;
    changed_ = true;
  }

  // T4: this node is the owner; it alone may pass the VIP on while it lives.
  void visit_own(const IpAddress& vip, TableEntry& entry, const VipPlan* planned) {
    mark_finding(vip, entry);
    const bool silent = Memory::at_least(memory_.floors, vip, entry.epoch);
    const bool release = entry.wish == TableEntry::Wish::Release;
    const bool ineligible = editor_.plan_known && editor_.has_right && planned != nullptr &&
                            !planned->candidates.empty() && !is_candidate(*planned, editor_.self);
    const bool knows = editor_.plan_known && editor_.has_right && planned != nullptr;
    const bool move = entry.wish == TableEntry::Wish::Move && knows;
    const std::optional<NodeName> target = move ? move_target(entry, *planned) : std::nullopt;
    if (!silent && !release && !ineligible && !editor_.leaving && !target) {
      if (move) refuse_move(vip, entry);
      return;
    }
    given_up_.emplace_back(vip, entry.epoch);
    std::optional<NodeName> next = target;
    if (!next && !release && planned != nullptr) next = choose(vip, *planned);
    assign(vip, entry, next);
  }

  // T3. The same node in a new life keeps what it had; otherwise somebody else gets it.
  void visit_orphan(const IpAddress& vip, TableEntry& entry, const VipPlan* planned,
                    bool orphans_due) {
    if (!editor_.plan_known) {
      orphans_left_ = true;  // who is eligible is not known yet
      return;
    }
    const auto passed = memory_.passed_on.find(vip);
    const bool by_me = passed != memory_.passed_on.end() && passed->second == entry.epoch;
    const bool at_once =
        by_me || peers_.revoked_by_me(*entry.owner, entry.inc) || *entry.owner == editor_.self;
    if (!at_once && !orphans_due) {
      orphans_left_ = true;
      return;
    }
    std::optional<NodeName> next;
    if (planned != nullptr) {
      if (entry.wish == TableEntry::Wish::Move) next = move_target(entry, *planned);
      if (!next && !editor_.leaving) {
        if (is_candidate(*planned, *entry.owner)) next = entry.owner;
        if (!next && by_me && is_candidate(*planned, editor_.self)) next = editor_.self;
      }
      if (!next) next = choose(vip, *planned);
    }
    assign(vip, entry, next);
  }

  void mark_wish(TableEntry& entry, bool unwanted) {
    const bool release = entry.wish == TableEntry::Wish::Release;
    if (release == unwanted) return;
    wish(entry, unwanted ? TableEntry::Wish::Release : TableEntry::Wish::Keep);
  }

  void wish(TableEntry& entry, TableEntry::Wish what, Rare<NodeName> to = std::nullopt) {
    entry.wish = what;
    entry.move_to = std::move(to);
    changed_ = true;
  }

  // What was asked of this node for the owner that the VIP has now.
  void mark_move(const IpAddress& vip, TableEntry& entry) {
    const auto asked = memory_.asked_moves.find(vip);
    if (asked == memory_.asked_moves.end() || asked->second.epoch != entry.epoch ||
        entry.wish == TableEntry::Wish::Release || entry.move_to == asked->second.to) {
      return;
    }
    wish(entry, TableEntry::Wish::Move, asked->second.to);
  }

  // nullopt: it may not own the VIP now.
  std::optional<NodeName> move_target(const TableEntry& entry, const VipPlan& planned) const {
    const bool leaving_self = editor_.leaving && entry.move_to == editor_.self;
    if (*entry.move_to == *entry.owner || leaving_self) return std::nullopt;
    return is_candidate(planned, *entry.move_to) ? std::optional(*entry.move_to) : std::nullopt;
  }

  void refuse_move(const IpAddress& vip, TableEntry& entry) {
    refused_moves_.push_back({vip, *entry.move_to});
    wish(entry, TableEntry::Wish::Keep);
  }

  void add_missing(const std::vector<IpAddress>& vips) {
    for (const IpAddress& vip : vips) {
      const VipPlan& planned = plan_.at(vip);
      if (planned.services.empty() || next_.entries.contains(vip)) continue;
      TableEntry entry;
      entry.services = planned.services;
      entry.unproven = planned.probe && !planned.in_use && !planned.routed;
      next_.entries[vip] = entry;
      changed_ = true;
      assign(vip, next_.entries[vip], choose(vip, planned));
    }
  }

  static bool is_candidate(const VipPlan& planned, const NodeName& node) {
    return std::any_of(planned.candidates->begin(), planned.candidates->end(),
                       [&](const Candidate& c) { return c.node == node; });
  }

  std::optional<NodeName> choose(const IpAddress& vip, const VipPlan& planned) const {
    return dealer_.choose(vip, planned);
  }

  void assign(const IpAddress& vip, TableEntry& entry, const std::optional<NodeName>& owner) {
    if (!owner && !entry.owner) return;
    dealer_.count(vip, entry.owner, owner);
    entry.owner = owner;
    entry.inc = Incarnation{};
    if (owner) {
      // A candidate is a member, so its document is known.
      entry.inc = *owner == editor_.self ? editor_.inc : peers_.find(*owner)->inc;
    }
    entry.wish = TableEntry::Wish::Keep;
    entry.move_to.reset();
    entry.epoch = epoch_;  // T2, and above whatever this VIP had in an earlier life of the entry
    reowned_ = changed_ = true;
  }

  TableDocument next_;
  const TablePlan& plan_;
  const Editor& editor_;
  const Peers& peers_;
  const Memory& memory_;
  Dealer& dealer_;
  Epoch epoch_;
  bool changed_ = false, reowned_ = false, orphans_left_ = false;
  std::vector<std::pair<IpAddress, Epoch>> given_up_;
  std::vector<RefusedMove> refused_moves_;
};

std::map<NodeName, std::size_t> owners(const TableDocument& shard) {
  std::map<NodeName, std::size_t> out;
  for (const auto& [vip, entry] : shard.entries) {
    if (entry.owner) ++out[*entry.owner];
  }
  return out;
}

bool same_holdings(const std::map<IpAddress, TableEntry>& a,
                   const std::map<IpAddress, TableEntry>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.first == y.first && x.second.services == y.second.services &&
           x.second.kept_for == y.second.kept_for && x.second.quarantine == y.second.quarantine;
  });
}

}  // namespace

std::array<Table::Shard, kShards> Table::initial() {
  std::array<Shard, kShards> out;
  for (unsigned s = 0; s < kShards; ++s) {
    TableDocument empty;
    empty.shard = s;
    out[s] = std::make_shared<const TableDocument>(std::move(empty));
  }
  return out;
}

Table::Shard Table::on_seen(const TableDocument& document, Instant) {
  if (document.shard >= kShards || document.rev <= shard(document.shard).rev) return nullptr;
  if (!same_holdings(shard(document.shard).entries, document.entries)) ++holdings_version_;
  ++version_;
  counts_[document.shard] = owners(document);
  return std::exchange(shards_[document.shard], std::make_shared<const TableDocument>(document));
}

const TableEntry* find(const TableDocument& shard, const IpAddress& vip) {
  const auto it = shard.entries.find(vip);
  return it == shard.entries.end() ? nullptr : &it->second;
}

const TableEntry* Table::find(const IpAddress& vip) const {
  return coord::find(shard(shard_of(vip)), vip);
}

std::size_t Table::size() const {
  std::size_t n = 0;
  for (const Shard& s : shards_) n += s->entries.size();
  return n;
}

bool Table::given_up(const IpAddress& vip, Epoch epoch) const {
  const auto it = floors_.find(vip);
  return it != floors_.end() && it->second >= epoch;
}

bool Table::owns(const NodeName& self, Incarnation inc, const IpAddress& vip) const {
  const TableEntry* entry = find(vip);
  return entry != nullptr && entry->owner == self && entry->inc == inc &&
         !given_up(vip, entry->epoch);
}

std::vector<IpAddress> Table::owned(const NodeName& self, Incarnation inc) const {
  std::vector<IpAddress> out;
  for (const Shard& s : shards_) {
    for (const auto& [vip, entry] : s->entries) {
      if (entry.owner == self && entry.inc == inc && !given_up(vip, entry.epoch)) {
        out.push_back(vip);
      }
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::map<NodeName, std::size_t> Table::counts() const {
  std::map<NodeName, std::size_t> out;
  for (const auto& shard : counts_) {
    for (const auto& [node, count] : shard) out[node] += count;
  }
  return out;
}

void Table::edit(const TablePlan& plan, const Editor& editor, const Peers& peers, Instant now) {
  orphans_due_.reset();
  if (!listed_) return;
  forget_moves();
  forget_findings();
  const bool other_plan =
      editor.plan_version == 0 || editor.plan_version != settled_for_.plan_version;
  if (other_plan || editor.leads != settled_for_.leads) {
    planned_ = {};  // who does not lead adds nothing
    for (const auto& [vip, planned] : plan) {
      if (editor.leads) planned_[shard_of(vip)].push_back(vip);
    }
  }
  if (editor.plan_version == 0 || editor != settled_for_ || peers.version() != settled_peers_) {
    settled_.fill(std::nullopt);
    settled_for_ = editor;
    settled_peers_ = peers.version();
  }
  const Memory memory{floors_, passed_on_, asked_moves_, findings_};
  std::map<NodeName, std::size_t> counts;
  for (unsigned s = 0; s < kShards; ++s) {
    for (const auto& [node, n] : busy_[s] ? counts_written_[s] : counts_[s]) counts[node] += n;
  }
  Dealer dealer(shards_, std::move(counts), busy_, plan, editor, peers, now);
  // One step for the owner's next life, which takes back its own at once.
  const Duration turn = kRankStep * (1 + peers.rank(now));
  for (unsigned s = 0; s < kShards; ++s) {
    if (busy_[s] || settled_[s] == shard(s).rev) continue;
    if (retry_at_[s] && now < *retry_at_[s]) {
      orphans_due_ = earliest(orphans_due_, retry_at_[s]);
      continue;
    }
    retry_at_[s].reset();
    const bool due = orphans_since_[s] && now >= *orphans_since_[s] + turn;
    ShardEdit pass(shard(s), plan, editor, peers, memory, dealer);
    pass.run(due, planned_[s]);
    if (!pass.orphans_left()) {
      orphans_since_[s].reset();
    } else {
      if (!orphans_since_[s]) orphans_since_[s] = now;
      // Without a plan nothing can be done about them, so there is nothing to wake up for.
      if (editor.plan_known) orphans_due_ = earliest(orphans_due_, *orphans_since_[s] + turn);
    }
    if (!pass.changed()) {
      if (!pass.orphans_left()) settled_[s] = shard(s).rev;
      continue;
    }
    TableDocument next = pass.take_result();
    for (const auto& [vip, epoch] : pass.given_up()) {
      Epoch& floor = floors_[vip];
      floor = std::max(floor, epoch);
      passed_on_[vip] = next.highest;
    }
    const auto& refused = pass.refused_moves();
    refused_moves_.insert(refused_moves_.end(), refused.begin(), refused.end());
    busy_[s] = true;
    counts_written_[s] = owners(next);
    requests_.push_back(CasDocument{shard(s).rev, std::move(next)});
  }
}

void Table::wish_move(const IpAddress& vip, const NodeName& to) {
  const TableEntry* entry = find(vip);
  if (entry == nullptr) return;
  asked_moves_[vip] = {to, entry->epoch};
  settled_[shard_of(vip)].reset();
}

void Table::found(const IpAddress& vip, Rare<Quarantine> quarantine) {
  const TableEntry* entry = find(vip);
  if (entry == nullptr) return;
  findings_[vip] = {entry->epoch, std::move(quarantine)};
  settled_[shard_of(vip)].reset();
}

void Table::forget_findings() {
  std::erase_if(findings_, [&](const auto& found) {
    const TableEntry* entry = find(found.first);
    const auto& seen = found.second.quarantine;
    return entry == nullptr || entry->epoch != found.second.epoch ||
           (entry->unproven == seen.has_value() && entry->quarantine == seen);
  });
}

// Those that the table shows, and those that came too late.
void Table::forget_moves() {
  std::erase_if(asked_moves_, [&](const auto& asked) {
    const TableEntry* entry = find(asked.first);
    return entry == nullptr || !entry->owner || entry->epoch != asked.second.epoch ||
           entry->owner == asked.second.to || entry->wish == TableEntry::Wish::Release ||
           entry->move_to == asked.second.to;
  });
}

Table::Shard Table::on_cas(const TableDocument& document, CasOutcome outcome, Instant now) {
  busy_[document.shard] = false;
  if (outcome == CasOutcome::Won) return on_seen(document, now);
  // Somebody else was there first, or the reply was lost: look, then decide anew.
  retry_at_[document.shard] = now + kRetry;
  requests_.push_back(ReadDocument{table_key(document.shard)});
  return nullptr;
}

std::vector<StoreRequest> Table::take_requests() {
  return std::exchange(requests_, {});
}

std::vector<RefusedMove> Table::take_refused_moves() {
  return std::exchange(refused_moves_, {});
}

}  // namespace herald::coord
