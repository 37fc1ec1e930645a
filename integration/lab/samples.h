// samples.h: what one stream of numbered probes saw, and what follows from it.
//
// ask() at the sending of each probe, answer() at the arrival of each answer, with the number of
// the probe that it is for; then summarize(). Pure: instants (CLOCK_MONOTONIC, ns) come in.
//
// A probe counts as answered only by an answer to itself, in time (`patience`): an answer to
// another probe never fills a gap. What the prober itself missed (it slept too long) is no gap of
// others, but hides one: `overruns` and `longest_pause` tell how much was not looked at.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace herald::lab {

using Nanoseconds = std::int64_t;
constexpr Nanoseconds kMillisecond = 1'000'000;

// Consecutive answered probes, all by the same station.
struct Run {
  int who = 0;
  Nanoseconds first = 0, last = 0;  // when the first and the last of them were sent
  std::size_t answered = 0;
};

struct Summary {
  std::size_t sent = 0, lost = 0;  // lost: not answered in time
  std::size_t late = 0;            // those of the lost that were answered later
  // The longest run of lost probes, from the sending of its first one to that of the next answered
  // one (or the end), and when it began.
  Nanoseconds outage = 0, outage_start = 0;
  std::size_t dual_probes = 0;  // answered by two stations or more: each proves two owners
  // For how long there were two: by probes, each of those counts until the next probe; or by
  // windows (the answers of a station that are at most kWindowGap apart), where two stations'
  // windows overlap. The greater of the two.
  Nanoseconds dual = 0;
  std::size_t changes = 0;   // how often, in order of arrival, another station answered than before
  std::size_t overruns = 0;  // intervals without a probe, because the prober was late
  Nanoseconds longest_pause = 0;
  std::vector<Run> runs;
};

class Samples {
 public:
  // Returns the probe's number: 0, 1, 2 …
  std::size_t ask(Nanoseconds now) {
    probes_.push_back({now, {}, 0});
    return probes_.size() - 1;
  }

  void answer(std::size_t probe, Nanoseconds at, int who) {
    if (probe >= probes_.size()) return;
    arrivals_.push_back({at, who});
    Probe& asked = probes_[probe];
    if (asked.who.empty()) asked.first_answer = at;
    if (std::find(asked.who.begin(), asked.who.end(), who) == asked.who.end()) {
      asked.who.push_back(who);
    }
  }

  // `end`: when the last answer was taken. Probes younger than `patience` then are left out unless
  // they are answered: their answers may be on the way.
  Summary summarize(Nanoseconds end, Nanoseconds interval, Nanoseconds patience) const {
    Summary out;
    std::optional<Nanoseconds> silent_since;
    Nanoseconds counted_until = end - patience;
    const auto close_gap = [&](Nanoseconds until) {
      if (silent_since && until - *silent_since > out.outage) {
        out.outage = until - *silent_since;
        out.outage_start = *silent_since;
      }
      silent_since.reset();
    };
    for (std::size_t i = 0; i < probes_.size(); ++i) {
      const Probe& probe = probes_[i];
      if (i > 0) {
        const Nanoseconds pause = probe.sent - probes_[i - 1].sent;
        out.longest_pause = std::max(out.longest_pause, pause);
        out.overruns += static_cast<std::size_t>(std::max<Nanoseconds>(pause / interval - 1, 0));
      }
      if (probe.sent > end - patience && probe.who.empty()) continue;
      counted_until = std::max(counted_until, probe.sent);
      ++out.sent;
      if (probe.who.empty() || probe.first_answer - probe.sent > patience) {
        ++out.lost;
        if (!probe.who.empty()) ++out.late;
        if (!silent_since) silent_since = probe.sent;
      } else {
        close_gap(probe.sent);
      }
      if (probe.who.size() > 1) {
        ++out.dual_probes;
        out.dual += (i + 1 < probes_.size() ? probes_[i + 1].sent : end) - probe.sent;
      }
      for (const int who : probe.who) {
        if (out.runs.empty() || out.runs.back().who != who) {
          out.runs.push_back({who, probe.sent, 0, 0});
        }
        out.runs.back().last = probe.sent;
        ++out.runs.back().answered;
      }
    }
    close_gap(counted_until);
    by_arrival(out);
    return out;
  }

 private:
  static constexpr Nanoseconds kWindowGap = 50 * kMillisecond;
  struct Probe {
    Nanoseconds sent;
    std::vector<int> who;  // who answered, each once
    Nanoseconds first_answer;
  };
  struct Arrival {
    Nanoseconds at;
    int who;
  };
  struct Window {
    Nanoseconds from, to;
  };

  void by_arrival(Summary& out) const {
    std::vector<Arrival> sorted = arrivals_;
    std::stable_sort(sorted.begin(), sorted.end(),
                     [](const Arrival& a, const Arrival& b) { return a.at < b.at; });
    std::map<int, std::vector<Window>> windows;
    for (std::size_t i = 0; i < sorted.size(); ++i) {
      if (i > 0 && sorted[i].who != sorted[i - 1].who) ++out.changes;
      auto& of = windows[sorted[i].who];
      if (of.empty() || sorted[i].at - of.back().to > kWindowGap) {
        of.push_back({sorted[i].at, sorted[i].at});
      }
      of.back().to = sorted[i].at;
    }
    Nanoseconds overlap = 0;
    for (auto a = windows.begin(); a != windows.end(); ++a) {
      for (auto b = std::next(a); b != windows.end(); ++b) {
        for (const Window& x : a->second) {
          for (const Window& y : b->second) {
            overlap += std::max<Nanoseconds>(std::min(x.to, y.to) - std::max(x.from, y.from), 0);
          }
        }
      }
    }
    out.dual = std::max(out.dual, overlap);
  }

  std::vector<Probe> probes_;
  std::vector<Arrival> arrivals_;
};

}  // namespace herald::lab
