// Arbitrary text as an object of an API server: nothing may crash; what says the same changes
// nothing; what is nonsense leaves the good version in use; what is removed is gone.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "config/json_document.h"
#include "config/manifests.h"
#include "daemon/plan.h"
#include "daemon/plan_wire.h"
#include "kube/resources.h"

namespace {

using herald::Desired;
using herald::config::Change;
using herald::config::Manifests;
using herald::kube::SourceKind;

bool has_word(std::string_view text, std::string_view word) {
  return text.find(word) != std::string_view::npos;
}

// The kind that the text names with its group; else a Service: so the seeds stay plain JSON.
Manifests::ApiObject object_in(std::string_view text) {
  const herald::kube::Resource* found = &herald::kube::source_kinds().front().versions.front();
  for (const SourceKind& kind : herald::kube::source_kinds()) {
    const auto& first = kind.versions.front();
    if (kind.wanted && has_word(text, "\"" + first.kind.str() + "\"") &&
        has_word(text, first.group)) {
      found = &first;
    }
  }
  const std::string ns = found->namespaced ? "default" : "";
  return {path_of(herald::kube::ObjectRef{*found, ns, "a"}), api_version(*found), found->kind.str(),
          ns, "a"};
}

// What is wanted, without what was said about it; and without slices, as those of a service that
// is not ours (there is none here) are given only while they have a fault.
Desired bare(Desired out) {
  out.problems.clear();
  out.findings.clear();
  out.endpoint_slices = {};
  out.objects_read = 0;
  out.complete = true;
  return out;
}

void check_plan(Desired desired) {
  const herald::daemon::Policies wanted(std::make_shared<const Desired>(std::move(desired)));
  (void)herald::daemon::plan_wire(wanted, herald::daemon::plan_offline(wanted));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Manifests::ApiObject object = object_in(text);
  Manifests manifests;
  manifests.set_object(object, text);
  const Desired first = manifests.desired();
  HERALD_CHECK(manifests.set_object(object, text) == Change::None);
  HERALD_CHECK(manifests.desired() == first);

  // A JSON object ends at its last brace.
  const std::string_view half = text.substr(0, text.rfind('}') == text.npos ? 0 : text.rfind('}'));
  HERALD_CHECK(!herald::config::parse_json(half) || !herald::config::parse_json(text));
  for (const std::string_view bad : {half, std::string_view("[]")}) {
    if (herald::config::parse_json(half)) continue;
    manifests.set_object(object, bad);
    HERALD_CHECK(bare(manifests.desired()) == bare(first));
  }
  manifests.set_object(object, text);
  HERALD_CHECK(bare(manifests.desired()) == bare(first));

  check_plan(first);
  manifests.remove_object(object);
  HERALD_CHECK(bare(manifests.desired()) == Desired{});
  return 0;
}
