#include "base/troubles.h"

#include <algorithm>

namespace herald {

std::optional<std::string> Troubles::set(const std::string& subject, const std::string& sentence,
                                         Instant now) {
  auto it = subjects_.find(subject);
  if (it == subjects_.end()) {
    if (sentence.empty()) return std::nullopt;
    if (subjects_.size() >= kMaxSubjects) {
      std::erase_if(subjects_, [now](const auto& s) {
        return s.second.sentence.empty() && now - s.second.since >= kWindow;
      });
    }
    if (subjects_.size() >= kMaxSubjects) return std::nullopt;
    it = subjects_.emplace(subject, Trouble{{}, now, 0}).first;
  }
  Trouble& trouble = it->second;
  if (trouble.sentence == sentence) return std::nullopt;
  trouble.sentence = sentence;
  if (sentence.empty()) return std::nullopt;
  if (now - trouble.since >= kWindow) {
    trouble.since = now;
    trouble.told = 0;
  }
  if (++trouble.told > kTimes) return std::nullopt;
  return trouble.told < kTimes ? sentence
                               : sentence + " (it comes and goes: no more of it for a minute)";
}

bool Troubles::covers(const std::string& sentence) const {
  return std::any_of(subjects_.begin(), subjects_.end(), [&](const auto& s) {
    const std::string& said = s.second.sentence;
    return !said.empty() &&
           (said.find(sentence) != std::string::npos || sentence.find(said) != std::string::npos);
  });
}

}  // namespace herald
