// config/manifests_io.h: directories of manifests, watched by inotify.
//
// Only *.yaml, *.yml and *.json of the directory itself count; hidden files and the droppings of
// editors do not. A Kubernetes volume swaps the symlink ..data: any event rescans its directory,
// and a file is read again only when its text may have changed, so the swap is seen like any edit.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/manifests.h"

namespace herald::config {

class ManifestWatcher {
 public:
  // Starts to watch; what the directories hold is read by the first poll_changes(). The error says
  // which directory cannot be read, why, and what to do.
  static Result<std::unique_ptr<ManifestWatcher>> open(const std::vector<std::string>& directories);
  ~ManifestWatcher();
  ManifestWatcher(const ManifestWatcher&) = delete;
  ManifestWatcher& operator=(const ManifestWatcher&) = delete;

  // Readable when something changed; edge of nothing else. Never read it yourself.
  int fd() const { return fd_; }

  // Takes in what has happened; true if `manifests` changed. Call it once after open(), when fd()
  // is readable (debounce as you like), and every few seconds: a directory that vanished and is
  // back gives no event.
  bool poll_changes(Manifests& manifests);

 private:
  struct Directory {
    std::string path;
    int watch = -1;
    bool dirty = true;                         // to be scanned
    std::string trouble;                       // why it cannot be read just now
    std::map<std::string, std::string> texts;  // file -> "=" + text or "!" + reason
  };
  explicit ManifestWatcher(int fd) : fd_(fd) {}
  void take_events();
  bool scan(Directory& directory, Manifests& manifests);

  int fd_ = -1;
  std::vector<Directory> directories_;
};

}  // namespace herald::config
