// config/manifests.h: from the texts of manifest files to what users want.
//
// Files come and go by set_file() and remove_file(); desired() is the whole picture at any moment.
// A bad new version of an object does not replace the good one read before: what is announced is
// never withdrawn because of a slip of the pen. Pure: nothing here opens a file.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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

  // The file (or directory) cannot be read: what was read before stays, a problem is listed and
  // the picture is incomplete, until set_file(), remove_file() or set_readable() of that path.
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
  const Translated* last_good(const std::string& path, const Translated& bad) const;

  // What others name, and goes before they do.
  void remember_names();
  void add_peer_configs_that_are_gone(CiliumBgp& cilium, Desired& out) const;

  ManifestOptions options_;
  std::map<std::string, File> files_;
  // Of MetalLB's communities: what an advertisement names keeps its value when the definition goes.
  metallb::Aliases aliases_;
  // Of Cilium: the newest of each that is there, or that a cluster config names.
  std::map<std::string, CiliumBgpPeerConfig> peer_configs_;
  std::map<std::string, std::string> unreadable_;  // path -> reason
};

}  // namespace herald::config
