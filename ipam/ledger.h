// ipam/ledger.h: who has which IP while a plan is made, and what each pool has left.
//
// An IP may have several holders: they share it. A newcomer has to get along with all of them, so
// each IP knows its holders' ports and the different terms among them, and each sharing key the IPs
// under it: nobody is ever compared with every service there is.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "ipam/pool_space.h"
#include "ipam/reason.h"
#include "model/objects.h"
#include "net/ip.h"

namespace herald::ipam {

class Ledger {
 public:
  explicit Ledger(const std::vector<Pool>& pools);

  // The IP is not to be given to anybody whom the caller does not say.
  void close(const IpAddress& ip);
  // Null: somebody who shares with nobody.
  void add(const IpAddress& ip, const Service* holder);
  void remove(const IpAddress& ip, const Service* holder);
  bool held(const IpAddress& ip) const { return seats_.contains(ip); }

  struct Obstacle {
    Reason reason = Reason::Allocated;
    const Service* holder = nullptr;  // null: the somebody of add()
  };
  // Who of the holders does not let the service share the IP; none if all do, or nobody holds it.
  std::optional<Obstacle> obstacle(const IpAddress& ip, const Service& service) const;

  // The lowest IP of the range that the service may share with those who hold it.
  std::optional<IpAddress> lowest_shareable(const Service& service, const IpRange& range);

  // By index into the pools given.
  PoolSpace& space(std::size_t pool) { return spaces_[pool]; }
  const PoolSpace& space(std::size_t pool) const { return spaces_[pool]; }

 private:
  struct Party {  // holders with the same terms
    const Service* one;
    std::size_t count;
  };
  struct Shared {
    std::vector<const Service*> holders;
    std::vector<Party> parties;
    std::map<ServicePort, const Service*> ports;
    std::size_t strangers = 0;
    void join(const Service* holder);
    void leave(const Service* holder);
  };
  // What an IP costs while it has one holder is what matters: Shared comes with the second.
  struct Seat {
    const Service* only = nullptr;
    std::unique_ptr<Shared> shared;
  };
  // The IPs of the holders with a key, in the order they came. One that somebody left is there
  // again, for now it may suit those whom it did not suit before.
  struct Members {
    std::vector<IpAddress> log;
    std::set<IpAddress> now;
  };
  // What services with the same terms and ports have not been refused yet: where one of them has no
  // place, neither has the next.
  struct Search {
    std::size_t seen_near = 0, seen_far = 0;  // of the logs
    std::set<IpAddress> open;
  };

  static std::optional<Obstacle> obstacle(const Seat& seat, const Service& service);
  std::vector<Members*> members_with(const Service& holder);

  std::vector<PoolSpace> spaces_;
  std::map<IpAddress, Seat> seats_;
  std::set<IpAddress> closed_;
  // By key and namespace ("near"), and by key alone those who permit other namespaces ("far").
  std::unordered_map<std::string, Members> members_;
  std::unordered_map<std::string, Search> searches_;
};

}  // namespace herald::ipam
