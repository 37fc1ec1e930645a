// A server that is edited at random and fails at random; after the calm the reflector's picture is
// the server's, and nothing was ever reported gone that was there all the time.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/text.h"
#include "kube/reflector.h"

namespace herald::kube {
namespace {

struct Object {
  int uid = 0, version = 0;
  bool operator==(const Object&) const = default;
};
using Objects = std::map<std::string, Object>;
struct Edit {
  int version = 0;
  std::string type, name;
  Object object;
};

std::string text_of(const std::string& name, const Object& o) {
  return R"({"metadata":{"name":")" + name + R"(","uid":"u)" + std::to_string(o.uid) +
         R"(","resourceVersion":")" + std::to_string(o.version) + R"("}})";
}
std::string line(const std::string& type, const std::string& object) {
  return R"({"type":")" + type + R"(","object":)" + object + "}";
}
std::string bookmark(int version, bool end) {
  return line("BOOKMARK",
              R"({"metadata":{"resourceVersion":")" + std::to_string(version) + R"(")" +
                  (end ? R"(,"annotations":{"k8s.io/initial-events-end":"true"})" : "") + "}}");
}
std::string value_of(const std::string& path, const std::string& key) {
  const auto at = path.find(key + "=");
  if (at == std::string::npos) return "";
  const auto from = at + key.size() + 1;
  return path.substr(from, path.find('&', from) - from);
}

// Keeps its whole history, so that it can also answer as one that lags behind.
class Server {
 public:
  Server() { past_[version_] = {}; }

  void edit(Rng& rng) {
    ++version_;
    const std::string name(1, static_cast<char>('a' + rng.below(8)));
    const auto at = objects_.find(name);
    if (at == objects_.end()) {
      objects_[name] = {++last_uid_, version_};
      history_.push_back({version_, "ADDED", name, objects_[name]});
    } else if (rng.one_in(3)) {
      const Object last{at->second.uid, version_};
      objects_.erase(at);
      history_.push_back({version_, "DELETED", name, last});
    } else {
      at->second.version = version_;
      history_.push_back({version_, "MODIFIED", name, at->second});
    }
    past_[version_] = objects_;
  }
  // Forgets the events until now, as etcd's compaction does.
  void compact() { compacted_ = version_; }

  std::string page(const std::string& path, int lag) const {
    const std::string token = value_of(path, "continue");
    const auto limit = std::stoul(value_of(path, "limit"));
    int at = std::max(version_ - lag, 1);
    std::string after;
    if (!token.empty()) {  // "VERSION.NAME"
      at = std::stoi(token);
      after = token.substr(token.find('.') + 1);
    }
    std::vector<std::string> items;
    std::string next;
    for (const auto& [name, object] : past_.at(at)) {
      if (!after.empty() && name <= after) continue;
      if (items.size() == limit) {
        next = std::to_string(at) + "." + after;
        break;
      }
      items.push_back(text_of(name, object));
      after = name;
    }
    return R"({"metadata":{"resourceVersion":")" + std::to_string(at) + R"(","continue":")" + next +
           R"("},"items":[)" + join(items, ",") + "]}";
  }

  bool too_old(int from) const { return from < compacted_; }
  const Edit* after(int from) const {
    for (const Edit& e : history_) {
      if (e.version > from) return &e;
    }
    return nullptr;
  }
  int version() const { return version_; }
  const Objects& objects() const { return objects_; }
  const Objects& objects_at(int version) const { return past_.at(version); }

 private:
  int version_ = 1, last_uid_ = 0, compacted_ = 0;
  Objects objects_;
  std::vector<Edit> history_;
  std::map<int, Objects> past_;
};

struct World {
  World(std::uint64_t seed, bool streams)
      : rng(seed),
        reflector({.versions = {{"", "v1", "services", "Service", true}},
                   .page = 3,
                   .stream_lists = streams},
                  Rng(seed + 1)),
        streams_known(rng.one_in(2)) {
    for (int i = 0; i < 6; ++i) server.edit(rng);
    reflector.start(now);
  }

  void collect() {
    for (const Ask& ask : reflector.take_asks()) {
      if (ask.kind == Ask::Kind::Cancel) {
        if (open && open->id == ask.id) open.reset();
        continue;
      }
      open = ask;
      sent = 0;
      to_send.clear();
      listing = ask.path.find("sendInitialEvents=true") != std::string::npos;
      const std::string from = value_of(ask.path, "resourceVersion");
      position = from.empty() ? server.version() : std::stoi(from);
    }
    for (const Change& change : reflector.take_changes()) {
      if (const auto* put = std::get_if<Put>(&change)) {
        picture[put->ref.name] = {std::stoi(put->metadata.uid.substr(1)),
                                  std::stoi(put->metadata.resource_version)};
      } else if (const auto* gone = std::get_if<Gone>(&change)) {
        const auto known = picture.find(gone->ref.name);
        RC_ASSERT(known != picture.end());
        const auto there = server.objects().find(gone->ref.name);
        RC_ASSERT(there == server.objects().end() || there->second.uid != known->second.uid);
        picture.erase(known);
      } else {
        RC_ASSERT(!synced);
        synced = true;
      }
    }
  }

  void answer(unsigned status, const std::string& body = "") {
    const auto id = open->id;
    open.reset();
    reflector.on_reply(id, {.status = status, .body = body, .retry_after = {}, .why = "cut"}, now);
  }

  // The server does what is next, in good order.
  void serve(int lag) {
    if (!open) return;
    if (open->kind == Ask::Kind::List) return answer(200, server.page(open->path, lag));
    if (listing && !streams_known) return answer(422);
    if (listing) return serve_stream(lag);
    if (server.too_old(position)) {
      return hear(line("ERROR", R"({"kind":"Status","code":410,"reason":"Expired"})"));
    }
    const Edit* next = server.after(position);
    if (next == nullptr) {
      if (rng.one_in(4)) hear(bookmark(server.version(), false));
      return;
    }
    position = next->version;
    hear(line(next->type, text_of(next->name, next->object)));
  }

  void serve_stream(int lag) {
    if (sent == 0) {
      position = std::max(server.version() - lag, 1);
      for (const auto& [name, object] : server.objects_at(position)) {
        to_send.push_back(line("ADDED", text_of(name, object)));
      }
    }
    ++sent;
    if (!to_send.empty()) {
      const std::string next = to_send.back();
      to_send.pop_back();
      return hear(next);
    }
    listing = false;
    hear(bookmark(position, true));
  }

  void hear(const std::string& text) { reflector.on_line(open->id, text, now); }

  void misbehave() {
    if (!open) return;
    const bool list = open->kind == Ask::Kind::List;
    switch (rng.below(list ? 7 : 8)) {
      case 0:
        return answer(0);
      case 1:
        return answer(500);
      case 2:
        return answer(410);
      case 3:
        return answer(429);
      case 4:
        return serve(static_cast<int>(rng.below(5)));  // one that lags behind
      case 5:
        if (list) {
          const std::string body = server.page(open->path, 0);
          return answer(200, body.substr(0, rng.below(body.size())));
        }
        return hear(R"({"type":"ADDED","object":{"metadata":{"name":"a")");
      case 6:
        if (list) return answer(503);
        return hear(line("ERROR", R"({"kind":"Status","code":500,"message":"boo"})"));
      default:
        // Sends again what it sent before: another server took over, and is behind.
        position = std::max(position - static_cast<int>(rng.below(6)), 1);
        if (!listing && rng.one_in(2)) answer(200);
    }
  }

  void pass(Duration time) {
    now += time;
    if (reflector.next_deadline() && *reflector.next_deadline() <= now) reflector.tick(now);
  }

  Rng rng;
  Instant now{100s};
  Server server;
  Reflector reflector;
  bool streams_known;
  std::optional<Ask> open;
  bool listing = false, synced = false;
  int position = 0, sent = 0;
  std::vector<std::string> to_send;
  Objects picture;
};

void live_through(std::uint64_t seed, bool streams) {
  World w(seed, streams);
  w.collect();
  for (int step = 0; step < 400; ++step) {
    switch (w.rng.below(6)) {
      case 0:
        w.server.edit(w.rng);
        break;
      case 1:
        if (w.rng.one_in(4)) w.misbehave();
        break;
      case 2:
        w.pass(w.rng.between(0ms, w.rng.one_in(10) ? 200s : 2s));
        if (w.rng.one_in(10)) w.server.compact();
        break;
      default:
        w.serve(0);
    }
    w.collect();
    RC_ASSERT(!w.synced || w.reflector.synced());
  }
  for (int i = 0; i < 400; ++i) {
    w.serve(0);
    w.collect();
    if (!w.open) w.pass(2s);
    w.collect();
  }
  RC_ASSERT(w.reflector.synced());
  RC_ASSERT(w.reflector.trouble().empty());
  RC_ASSERT(w.picture == w.server.objects());
}

RC_GTEST_PROP(ReflectorProperty, MirrorsAServerThatIsListedInPages, (std::uint64_t seed)) {
  live_through(seed, false);
}

RC_GTEST_PROP(ReflectorProperty, MirrorsAServerThatStreamsItsLists, (std::uint64_t seed)) {
  live_through(seed, true);
}

}  // namespace
}  // namespace herald::kube
