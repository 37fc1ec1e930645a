// config/manifests.h: from the texts of manifests to what users want.
//
// Files come and go by set_file() and remove_file(), an API server's objects by set_object() and
// remove_object(); desired() is the whole picture at any moment.
// A bad new version of an object does not replace the good one read before: what is announced is
// never withdrawn because of a slip of the pen. Pure: nothing here opens a file.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/core_objects.h"
#include "config/translate.h"
#include "model/desired.h"

namespace herald::config {

// Which Services of type LoadBalancer are ours; the same on all nodes.
struct ManifestOptions {
  std::vector<std::string> load_balancer_classes = {"herald.io/herald", "io.cilium/l2-announcer",
                                                    "io.cilium/bgp-control-plane"};
  bool class_less_services = true;  // those without spec.loadBalancerClass
};

class Manifests {
 public:
  explicit Manifests(ManifestOptions options = {}) : options_(std::move(options)) {}

  // Reads the new text of a file (multi-document YAML or JSON). An object that was in the file and
  // is not any more is gone, unless a part of the file cannot be parsed.
  void set_file(const std::string& path, std::string_view text);
  void remove_file(const std::string& path);
  // The same as set_file(), but its objects take the place of those of the same kind and name in
  // other files, as if they were applied to a cluster that has those.
  void apply_file(const std::string& path, std::string_view text);

  // An object of an API server. An earlier one of that path is replaced; if this one is bad, that
  // stays in use. One that is being deleted (metadata.deletionTimestamp) counts as any other until
  // remove_object(): a finalizer of somebody else may hold it for hours, while its traffic flows;
  // its IP is free when it is gone.
  struct ApiObject {
    std::string path;      // becomes Source::file: "/api/v1/namespaces/default/services/web"
    std::string api;       // "v1": items of a list do not say themselves
    std::string kind;      // "Service"
    std::string ns, name;  // ns: empty if it is cluster-scoped
  };
  Change set_object(const ApiObject& object, std::string_view json);
  Change remove_object(const ApiObject& object);

  // The file (or directory, or kind of objects) cannot be read: what was read before stays, a
  // problem is listed and the picture is incomplete, until set_file(), remove_file() or
  // set_readable() of that path.
  void set_unreadable(const std::string& path, const std::string& reason);
  void set_readable(const std::string& path) { unreadable_.erase(path); }

  // Everything that the files want, each kind sorted by name, with all problems.
  Desired desired() const;

 private:
  struct File {
    std::vector<Translated> objects;
    std::vector<Problem> problems;  // of the file itself
    bool complete = true;           // no Service can have been lost in it
    int objects_read = 0;
    bool applied = false;
  };
  void put_file(const std::string& path, File file);
  Change put_faulty(const std::string& path, Translated object);
  const Translated* last_good(const std::string& path, const Translated& bad) const;

  // What others name, and goes before they do.
  void remember_names();
  void add_peer_configs_that_are_gone(CiliumBgp& cilium, Desired& out) const;

  ManifestOptions options_;
  std::map<std::string, File> files_;  // of an API server's objects, those that are not in core_
  CoreObjects core_;
  // Of MetalLB's communities: what an advertisement names keeps its value when the definition goes.
  metallb::Aliases aliases_;
  // Of Cilium: the newest of each that is there, or that a cluster config names.
  std::map<std::string, CiliumBgpPeerConfig> peer_configs_;
  std::map<std::string, std::string> unreadable_;  // path -> reason
};

}  // namespace herald::config
