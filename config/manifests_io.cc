#include "config/manifests_io.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "config/manifest_text_io.h"

namespace herald::config {
namespace {

constexpr std::uint32_t kEvents = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM |
                                  IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ATTRIB;

std::string why(int code) {
  return std::strerror(code);
}

}  // namespace

Result<std::unique_ptr<ManifestWatcher>> ManifestWatcher::open(
    const std::vector<std::string>& directories) {
  const int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (fd < 0) {
    return error("manifests cannot be watched: inotify: " + why(errno) +
                 "; raise fs.inotify.max_user_instances");
  }
  std::unique_ptr<ManifestWatcher> out(new ManifestWatcher(fd));
  for (const std::string& path : directories) {
    Directory directory;
    directory.path = path;
    directory.watch = inotify_add_watch(fd, path.c_str(), kEvents | IN_ONLYDIR);
    if (directory.watch < 0) {
      return error("manifests directory '" + path + "' cannot be watched: " + why(errno) +
                   "; create it, or correct --manifests");
    }
    if (const auto names = list_manifests(path); !names) {
      return error("manifests directory '" + path + "' cannot be read: " + names.error() +
                   "; let this user read it, or correct --manifests");
    }
    out->directories_.push_back(std::move(directory));
  }
  return out;
}

ManifestWatcher::~ManifestWatcher() {
  ::close(fd_);
}

void ManifestWatcher::take_events() {
  alignas(inotify_event) std::array<char, 8192> buffer;
  while (true) {
    const auto n = ::read(fd_, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    for (std::size_t at = 0; at < static_cast<std::size_t>(n);) {
      inotify_event event{};
      std::memcpy(&event, buffer.data() + at, sizeof event);
      at += sizeof event + event.len;
      for (Directory& directory : directories_) {
        if ((event.mask & IN_Q_OVERFLOW) != 0 || directory.watch == event.wd) {
          directory.dirty = true;
        }
        const bool gone = (event.mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED)) != 0;
        if (gone && directory.watch == event.wd) {
          inotify_rm_watch(fd_, directory.watch);
          directory.watch = -1;
        }
      }
    }
  }
}

bool ManifestWatcher::scan(Directory& directory, Manifests& manifests) {
  if (directory.watch < 0) {  // it vanished, or its place was taken by another
    directory.watch = inotify_add_watch(fd_, directory.path.c_str(), kEvents | IN_ONLYDIR);
  }
  const auto names = list_manifests(directory.path);
  if (!names) {
    const bool news = directory.trouble != names.error();
    directory.trouble = names.error();
    if (news) manifests.set_unreadable(directory.path, names.error());
    return news;
  }
  bool changed = !directory.trouble.empty();
  directory.trouble.clear();
  manifests.set_readable(directory.path);
  directory.dirty = false;

  std::map<std::string, std::string> texts;
  for (const std::string& name : *names) {
    const std::string path = directory.path + "/" + name;
    auto text = read_manifest(path);
    const auto before = directory.texts.find(path);
    if (!text) {
      const std::string mark = "!" + text.error();
      if (before == directory.texts.end() || before->second != mark) {
        manifests.set_unreadable(path, text.error());
        changed = true;
      }
      texts[path] = mark;
      continue;
    }
    std::string mark = "=" + *text;
    if (before == directory.texts.end() || before->second != mark) {
      manifests.set_file(path, *text);
      changed = true;
    }
    texts[path] = std::move(mark);
  }
  // Removed last: an object that moved to another file was taken over by now.
  for (const auto& [path, text] : directory.texts) {
    if (texts.count(path) != 0) continue;
    manifests.remove_file(path);
    changed = true;
  }
  directory.texts = std::move(texts);
  return changed;
}

bool ManifestWatcher::poll_changes(Manifests& manifests) {
  take_events();
  bool changed = false;
  for (Directory& directory : directories_) {
    if (!directory.dirty && directory.watch >= 0) continue;
    changed = scan(directory, manifests) || changed;
  }
  return changed;
}

}  // namespace herald::config
