#include "ipam/reason.h"

#include "base/check.h"

namespace herald::ipam {

const char* to_string(Reason reason) {
  switch (reason) {
    case Reason::Allocated:
      return "Allocated";
    case Reason::NoMatchingPool:
      return "NoMatchingPool";
    case Reason::PoolExhausted:
      return "PoolExhausted";
    case Reason::RequestedIPNotInPool:
      return "RequestedIPNotInPool";
    case Reason::RequestedPoolUnknown:
      return "RequestedPoolUnknown";
    case Reason::PoolSelectorMismatch:
      return "PoolSelectorMismatch";
    case Reason::PoolDisabled:
      return "PoolDisabled";
    case Reason::PoolConflict:
      return "PoolConflict";
    case Reason::AlreadyAllocated:
      return "AlreadyAllocated";
    case Reason::SharingKeyMismatch:
      return "SharingKeyMismatch";
    case Reason::SharingPortConflict:
      return "SharingPortConflict";
    case Reason::SharingPolicyMismatch:
      return "SharingPolicyMismatch";
    case Reason::SharingBackendMismatch:
      return "SharingBackendMismatch";
    case Reason::SharingNamespaceNotPermitted:
      return "SharingNamespaceNotPermitted";
    case Reason::ReservedIP:
      return "ReservedIP";
    case Reason::FamilyMismatch:
      return "FamilyMismatch";
    case Reason::InvalidRequest:
      return "InvalidRequest";
    case Reason::NoClusterIP:
      return "NoClusterIP";
    case Reason::NotManaged:
      return "NotManaged";
  }
  HERALD_CHECK(false);
  return "";
}

}  // namespace herald::ipam
