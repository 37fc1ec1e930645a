// daemon/story.h: the parts of which every explanation is made. For daemon/explain*.cc alone.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/json/fwd.hpp>

#include "daemon/view.h"
#include "model/problem.h"

namespace herald::daemon {

struct Story {
  std::string object;   // "pool lan"
  std::string verdict;  // one line
  std::string remedy;   // what to change; empty: nothing
  bool in_force = true;
  std::vector<Problem> problems;
  std::vector<std::string> facts;
  std::shared_ptr<boost::json::object> fields;  // of the kind of object; never null

  Story();
  void set(std::string_view field, const boost::json::value& value);
  void set(std::string_view field, std::string_view text);
  void set(std::string_view field, const char* text) { set(field, std::string_view(text)); }
  void fact(std::string sentence) { facts.push_back(std::move(sentence)); }
  // The first remedy is the one nearest to the cause.
  void advise(const std::string& what) {
    if (remedy.empty()) remedy = what;
  }
  // Problems become the first facts; an error is the remedy, a warning if there is no other.
  void take_problems(std::vector<Problem> found);
  bool keeps_old_version() const;
  boost::json::object to_json() const;
};

// What config found about an object of one of these kinds, and about the file that it was read
// from.
std::vector<Problem> problems_of(const Desired& desired, const std::vector<std::string_view>& kinds,
                                 std::string_view ns, std::string_view name, const Source* source);
// "n1, n2, n3 and 4 more"; "none".
std::string some(const std::vector<std::string>& names);

// One for each kind; nullopt: no such object, nor any problem of it.
std::optional<Story> explain_service(const View& view, const ObjectName& name);
Story explain_ip(const View& view, const IpAddress& ip);
std::optional<Story> explain_pool(const View& view, std::string_view name);
std::optional<Story> explain_policy(const View& view, std::string_view name);
std::optional<Story> explain_peer(const View& view, std::string_view name);
std::optional<Story> explain_node(const View& view, std::string_view name);

}  // namespace herald::daemon
