// daemon/object_status.h: what should be in the status of objects of an API server, as plain
// values.
//
// Pure functions make these from decisions, each for the kinds of one dialect; daemon/object_writer
// finds what differs from what is there, and writes that. Times and generations are its work: a
// wanted condition has type, status, reason and message, and nothing else.
#pragma once

#include <cstdint>
#include <map>

#include "base/shared.h"
#include "kube/object.h"

namespace herald::daemon {

struct WantedObject {
  // JSON object: all that is Herald's in .status. What was Herald's there before and is not in it
  // goes. Empty: nothing is to be there.
  SharedText status;
  // Where the generation is told that was looked at: nowhere, as observedGeneration of each
  // condition, or at the top of .status as well.
  enum class Generation : std::uint8_t { Nowhere, InConditions, Everywhere };
  Generation generation = Generation::InConditions;
  // JSON object: all but apiVersion, kind, .status and metadata's name and namespace, for an object
  // that Herald makes ({"metadata":{"labels":...,"ownerReferences":[...]},"spec":...}). Empty:
  // users make it, and it is left alone while it is not there.
  SharedText create;
  bool first = false;  // before the others
  bool wait = false;   // what is there stays as it is, for now
  bool operator==(const WantedObject&) const = default;
};

// An object of Herald's making that is not in it is deleted.
using WantedObjects = std::map<kube::ObjectRef, WantedObject>;

}  // namespace herald::daemon
