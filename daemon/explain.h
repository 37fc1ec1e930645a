// daemon/explain.h: why an object is as it is: the chain of facts, and what to change.
//
// Every object has an answer from the same parts: problems that its manifests have (even if it
// could not be loaded at all, or an older version of it stays in force), facts, one verdict, and
// one remedy if anything is to be done. Pure.
#pragma once

#include <string>
#include <string_view>

#include <boost/json/fwd.hpp>

#include "base/result.h"
#include "daemon/view.h"

namespace herald::daemon {

// `what`: service (name "ns/name"), ip, pool, peer, node or policy (an L2AnnouncementPolicy, a
// BGPAdvertisement, or both of that name). In the answer of each: "object", "verdict", "in_force",
// "problems" (as `lint` has them), "facts" (sentences, in order; also as "chain", their name
// before), "remedy" (may be empty), and fields of the kind. The error is a sentence: not found, and
// which files have problems.
Result<boost::json::object> explain(const View& view, std::string_view what, std::string_view name);

}  // namespace herald::daemon
