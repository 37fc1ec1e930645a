// kube/source_io.h: the API server as the place where manifests come from, and statuses go to: a
// thread of its own with a client, a reflector for each kind, and the manifests that these make.
//
// What users want is told as a whole, a moment after something of it changed; first when all kinds
// that there are have been listed. What there is no permission to read is unknown, not empty:
// Desired::complete is false then. EndpointSlices, Nodes and all else is known again at once after
// a break, as nothing is forgotten.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/manifests.h"
#include "kube/access.h"
#include "kube/observed.h"
#include "kube/write.h"
#include "model/desired.h"

namespace herald::kube {

struct SourceOptions {
  Access access;
  config::ManifestOptions manifests;
  // Whose fields of a status are told as ours: those of this field manager.
  std::string field_manager = "heraldd";
  // The one object with statuses of a manager of its own: NodeStatus of this name.
  std::string node_name;
  std::uint64_t seed = 1;
};

// On the source's thread.
struct SourceCallbacks {
  // What is there and what is wanted of the same moment; null: as before.
  std::function<void(std::shared_ptr<const Observed>, std::shared_ptr<const Desired>)> changed;
  std::function<void(std::uint64_t id, WriteAnswer)> answered;
  std::function<void(std::string sentence)> trouble;  // for the log
};

class Source {
 public:
  virtual ~Source() = default;  // as close()

  virtual void start() = 0;
  // From any thread: carried out in the order of asking, many at a time; answered once.
  virtual void write(std::uint64_t id, Write write) = 0;
  // From any thread: what was read until now.
  virtual config::Manifests manifests() const = 0;
  // From any thread: what keeps it from being up to date, in sentences.
  virtual std::vector<std::string> warnings() const = 0;
  // No callback comes after it.
  virtual void close() = 0;
};

// Reads the files of `access`; the error is a sentence with what to do. The server need not be
// there yet.
Result<std::unique_ptr<Source>> open_source(SourceOptions options, SourceCallbacks callbacks);

}  // namespace herald::kube
