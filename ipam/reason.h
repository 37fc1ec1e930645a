// ipam/reason.h: why a service has no IP, or not the one it wants. The same words in conditions,
// events, metrics and `heraldctl explain`; users' scripts match on them, so none is ever renamed.
#pragma once

#include <cstdint>

namespace herald::ipam {

enum class Reason : std::uint8_t {
  Allocated,  // everything that was asked for is there
  NoMatchingPool,
  PoolExhausted,
  RequestedIPNotInPool,
  RequestedPoolUnknown,
  PoolSelectorMismatch,
  PoolDisabled,
  PoolConflict,
  AlreadyAllocated,
  SharingKeyMismatch,
  SharingPortConflict,
  SharingPolicyMismatch,
  SharingBackendMismatch,
  SharingNamespaceNotPermitted,
  ReservedIP,
  FamilyMismatch,
  InvalidRequest,
  NoClusterIP,
  NotManaged,
};

const char* to_string(Reason reason);  // "PoolExhausted"

}  // namespace herald::ipam
