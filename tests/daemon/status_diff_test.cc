#include "daemon/status_diff.h"

#include <gtest/gtest.h>

namespace herald::daemon {
namespace {

using Where = WantedObject::Generation;

struct Row {
  const char* what;
  const char* wanted;
  const char* seen;
  const char* managed;
  std::vector<std::string> differs;
};

TEST(StatusDiff, Table) {
  const std::vector<Row> rows = {
      {"nothing wanted, nothing there", "", "", "", {}},
      {"nothing wanted, others' there", "", R"({"a":1})", "", {}},
      {"ours is left", "", R"({"a":1,"b":2})", R"({"f:a":{}})", {"status.a = 1"}},
      {"ours, and gone already", "", R"({"b":2})", R"({"f:a":{}})", {}},
      {"as wanted", R"({"a":1})", R"({"a":1,"b":2})", R"({"f:a":{}})", {}},
      {"another value", R"({"a":1})", R"({"a":2})", "", {"status.a = 2"}},
      {"the same number", R"({"a":1})", R"({"a":1})", "", {}},
      {"not there", R"({"a":1})", "", "", {"status.a = nothing"}},
      {"deep", R"({"a":{"b":"x"}})", R"({"a":{"c":1}})", "", {"status.a.b = nothing"}},
      {"a list is one value", R"({"l":[1,2]})", R"({"l":[2,1]})", "", {"status.l = [2,1]"}},
      {"an empty list is none", R"({"l":[]})", R"({})", "", {}},
      {"no empty list", R"({"l":[]})", R"({"l":[1]})", "", {"status.l = [1]"}},
      {"an empty map is none", R"({"m":{}})", R"({})", R"({"f:m":{}})", {}},
      {"text where a map should be",
       R"({"m":{"a":1}})",
       R"({"m":"x"})",
       "",
       {"status.m.a = nothing"}},
      {"a condition's time is its own",
       R"({"conditions":[{"type":"T","status":"True"}]})",
       R"({"conditions":[{"type":"O"},{"type":"T","status":"True","lastTransitionTime":"t"}]})",
       "",
       {}},
      {"a condition's reason",
       R"({"conditions":[{"type":"T","status":"True","reason":"A"}]})",
       R"({"conditions":[{"type":"T","status":"True","reason":"B"}]})",
       "",
       {"status.conditions[T].reason = \"B\""}},
      {"a condition is missing",
       R"({"conditions":[{"type":"T","status":"True"}]})",
       R"({"conditions":[]})",
       "",
       {"status.conditions[T] = nothing"}},
      {"a condition of ours is left",
       R"({"conditions":[{"type":"T","status":"True"}]})",
       R"({"conditions":[{"type":"T","status":"True"},{"type":"x.io/U","status":"True"}]})",
       R"({"f:conditions":{"k:{\"type\":\"T\"}":{".":{},"f:status":{}},
           "k:{\"type\":\"x.io/U\"}":{".":{},"f:status":{}}}})",
       {"status.conditions[x.io/U] = nothing"}},
      {"garbage is nothing", R"({"a":1})", "[", "{", {"status.a = nothing"}},
  };
  for (const Row& row : rows) {
    kube::ObservedObject seen;
    seen.status = row.seen;
    seen.managed = row.managed;
    EXPECT_EQ(compare({row.wanted, Where::Nowhere, "", false, false}, seen, "now").what,
              row.differs)
        << row.what;
  }
}

TEST(StatusDiff, TimesAndGenerationsAreFilledIn) {
  kube::ObservedObject seen;
  seen.generation = 7;
  seen.status = R"({"conditions":[{"type":"A","status":"True","lastTransitionTime":"then"},
                                  {"type":"B","status":"True","lastTransitionTime":"then"}]})";
  const WantedObject wanted{
      R"({"conditions":[{"type":"A","status":"True"},{"type":"B","status":"False"}]})",
      Where::Everywhere, "", false, false};
  EXPECT_EQ(
      compare(wanted, seen, "now").status,
      R"({"conditions":[{"type":"A","status":"True","observedGeneration":7,"lastTransitionTime":"then"},)"
      R"({"type":"B","status":"False","observedGeneration":7,"lastTransitionTime":"now"}],)"
      R"("observedGeneration":7})");
  seen.generation = 0;
  EXPECT_EQ(compare(wanted, seen, "now").status.find("observedGeneration"), std::string::npos);
}

TEST(StatusDiff, TimesAreWrittenAsKubernetesDoes) {
  EXPECT_EQ(kube_time(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(kube_time(1795251600), "2026-11-21T09:00:00Z");
}

}  // namespace
}  // namespace herald::daemon
