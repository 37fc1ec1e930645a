// ipam/sharing.h: may two services have one IP, and if not, why.
//
// Both have the same key; each permits the namespace of the other; both have the same
// externalTrafficPolicy, and with Local, which sends to the pods of one service only, the same
// pods; and no port of one is a port of the other. All of that is symmetric.
#pragma once

#include "ipam/reason.h"
#include "model/objects.h"

namespace herald::ipam {

// Allocated: nothing but ports could be in the way. Else the first Sharing... reason.
Reason compare_terms(const Service& a, const Service& b);

// The first port that both have; null if there is none.
const ServicePort* common_port(const Service& a, const Service& b);

// Allocated: they may share. Else the reason.
Reason may_share(const Service& a, const Service& b);

// Whatever compare_terms() says of the one, it says of the other.
bool same_terms(const Service& a, const Service& b);

// Whether the namespace may hold services that this one shares with. It has to have a key.
bool permits_namespace(const Service& service, const std::string& ns);

}  // namespace herald::ipam
