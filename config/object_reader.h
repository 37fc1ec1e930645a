// config/object_reader.h: reads the fields of one object, and notes every fault on the way.
//
// Each asked field becomes known; finish() then reports the keys that nobody asked for, with the
// known one that was probably meant. A reader of a missing map gives nothing for every field, so
// callers read straight down; a field of the wrong form is a problem and reads as missing.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"
#include "config/yaml_document.h"
#include "model/labels.h"
#include "model/problem.h"
#include "net/ip.h"

namespace herald::config {

struct Translated;

class MapReader {
 public:
  // `map` may be null (all fields missing). `path` is what fields are called by: "spec".
  MapReader(const Value* map, std::string path, Translated& object);

  bool present() const { return map_ != nullptr; }
  bool has(std::string_view key) const;

  std::optional<std::string> text(const std::string& key);  // a number or boolean counts as text
  std::optional<std::int64_t> integer(const std::string& key, std::int64_t min, std::int64_t max);
  std::optional<bool> boolean(const std::string& key);
  std::optional<Duration> duration(const std::string& key, Duration min, Duration max);
  std::optional<IpAddress> ip(const std::string& key);
  std::vector<std::string> texts(const std::string& key);  // a list of texts
  std::optional<LabelSelector> selector(const std::string& key);
  LabelSelector as_selector();  // this map itself
  // One selector, as a list of it; empty if it is missing.
  Selectors selectors(const std::string& key);
  Labels labels(const std::string& key);
  // What the members of a map are called; no message tells their values, which may be secret.
  std::vector<std::string> keys(const std::string& key);
  MapReader map(const std::string& key);
  // One reader for each member of a list of maps.
  std::vector<MapReader> maps(const std::string& key);
  // A member of `words`, by its place among them.
  std::optional<std::size_t> choice(const std::string& key, const std::vector<std::string>& words);
  // The places among `words` of all members of a list.
  std::optional<std::vector<std::size_t>> choices(const std::string& key,
                                                  const std::vector<std::string>& words);
  // Calls `take` with the text of each member of a list; a returned sentence is that member's
  // error.
  void each(const std::string& key,
            const std::function<std::optional<std::string>(const std::string&)>& take);

  // Notes that a field is there which has no effect yet.
  void not_yet(const std::string& key);
  void ignore(const std::string& key) { ask(key); }

  void error(const std::string& key, const std::string& message);
  // An error that leaves the object usable.
  void fault(const std::string& key, const std::string& message);
  void warning(const std::string& key, const std::string& message);

  // Reports the keys that were never asked for.
  void finish();
  // Warns of those that were never asked for and begin like this, or if no prefix is given, look
  // like one that was: for maps of Kubernetes' own, where a strange key is nobody's fault.
  void warn_of_slips(const std::vector<std::string>& prefixes = {});

 private:
  const Value* ask(const std::string& key);
  void complain(Severity severity, const std::string& key, int line, const std::string& message);
  std::string path_of(const std::string& key) const;

  const Value* map_;
  std::string path_;
  Translated* object_;
  std::vector<std::string> known_;
};

// "10.0.0.0/24", "10.0.0.1-10.0.0.9", "10.0.0.1" as a range, or the sentence of what is wrong.
struct AddressBlock {
  IpRange range;
  std::optional<IpPrefix> prefix;  // if it was written as one
};
std::optional<std::string> parse_block(const std::string& text, AddressBlock& out);

}  // namespace herald::config
