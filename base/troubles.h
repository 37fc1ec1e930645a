// base/troubles.h: what to tell of troubles that last, come again, or change all the time.
//
// Each has a subject: an endpoint, the watch, a document. Its sentence is told when it begins or
// changes; one that flaps is told a few times a minute, and the last of them says so. Pure.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>

#include "base/time.h"

namespace herald {

class Troubles {
 public:
  static constexpr int kTimes = 5;
  static constexpr Duration kWindow = 1min;
  static constexpr std::size_t kMaxSubjects = 1000;  // a stranger may choose them

  // The subject's trouble is `sentence` now; empty: it is over. Returns what is to be told, if
  // anything.
  std::optional<std::string> set(const std::string& subject, const std::string& sentence,
                                 Instant now);
  // A trouble that lasts says this already, or is said by it.
  bool covers(const std::string& sentence) const;

 private:
  struct Trouble {
    std::string sentence;  // empty: over
    Instant since{};       // begin of the window
    int told = 0;          // in it
  };
  std::map<std::string, Trouble> subjects_;
};

}  // namespace herald
