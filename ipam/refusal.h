// ipam/refusal.h: the sentences for an IP that is not there. Each names the object, the values and
// the way out; the decisions themselves are made in choice.cc and allocator.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "ipam/pool_space.h"
#include "ipam/reason.h"
#include "model/objects.h"

namespace herald::ipam {

struct Refusal {
  Reason reason = Reason::Allocated;
  std::string message;
};

// A pool as one service sees it.
struct PoolView {
  const Pool& pool;
  const PoolSpace& space;
  std::size_t index = 0;     // into Input::pools
  bool selects = false;      // pool_selects()
  bool families_fit = true;  // FamilyCheck::Exact: families_fit()
  bool asked_for = false;    // by name: then it need not assign by itself
  bool apart = false;        // its IPs do not go together with those of the others (one_pool)
};

// What keeps a pool from giving the service an IP of a family: the first that applies.
enum class Bar : std::uint8_t {
  None,
  Family,       // it has none of that family
  Selectors,    // it is for others
  OnRequest,    // autoAssign false
  Apart,        // PoolView::apart
  FamilyCheck,  // PoolView::families_fit
  Conflict,
  Disabled,
};
Bar bar_of(const PoolView& view, IpFamily family);

// Nothing was found in `pools`, best first: every pool there is, or those of the name asked for.
Refusal refuse_choice(const Service& service, IpFamily family, const std::vector<PoolView>& pools);

// No pool has all of what a dual-stack service needs, and each gives all or none.
Refusal refuse_both(const Service& service);

// The service has one IP, of a pool that gives all or none and has no IP of the other family.
Refusal refuse_second(const Service& service, IpFamily family, const Pool& pool);

// Service::requested_pool names no pool of `all`.
Refusal refuse_unknown_pool(const Service& service, const std::vector<Pool>& all);

// A requested IP that is unfit for any service (0.0.0.0, loopback, multicast); Reason::Allocated
// otherwise.
Refusal check_usable(const Service& service, const IpAddress& ip);

// request_fits() says no.
Refusal refuse_family(const Service& service, const IpAddress& ip);

// No pool with this IP lets the service have it. `containing`: the pools whose ranges hold it, best
// first; `all`: every pool, or those of the name asked for. Reason::Allocated if one of
// `containing` does let it.
Refusal refuse_by_pools(const Service& service, const IpAddress& ip,
                        const std::vector<PoolView>& containing, const std::vector<PoolView>& all);

// The IPs that it asks for are of different pools, which give all or none.
Refusal refuse_several_pools(const Service& service);

// The IP belongs to `holder`, and who asks has no sharing key.
Refusal refuse_held(const IpAddress& ip, const ObjectName& holder);

// It belongs to a service that the manifests do not have.
Refusal refuse_gone(const IpAddress& ip, const ObjectName& holder);

// The holder and the service may not share: `reason` by compare_terms() or for a common port.
Refusal refuse_sharing(const Service& service, const Service& holder, const IpAddress& ip,
                       Reason reason);

// A released IP that is kept for `owner` for a while.
Refusal refuse_resting(const Service& service, const IpAddress& ip, const ObjectName& owner);

// A probe was answered by `user`: a MAC, and who saw it where.
Refusal refuse_quarantined(const Service& service, const IpAddress& ip, const std::string& user);

// Service::invalid_request, and Service::headless.
Refusal refuse_invalid(const Service& service);
Refusal refuse_headless(const Service& service);

// What a message says instead of a pool, of an IP that is in none.
std::string outside_of_pools(const Service& service, const IpAddress& ip);

// "IPv4, IPv6".
std::string names_of(std::span<const IpFamily> families, const char* separator = ", ");

// A list for a sentence: the first few, and how many more there are.
std::string few_of(std::vector<std::string> parts, const char* separator = ", ");

}  // namespace herald::ipam
