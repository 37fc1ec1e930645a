// Every answer of an API server on every input; a document that is read is the same when it is
// printed and read again.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "daemon/kubernetes_history.h"

namespace {
using namespace herald;
using namespace herald::daemon;

void print_again(const kube::Resource& resource, const StoredObject& object) {
  if (!object.document) return;
  const auto at = object_of(object.key, "ns");
  HERALD_CHECK(at && at->resource == resource && at->name == object.name);
  const Replaced replaced{object.uid, object.resource_version, object.times};
  const auto again = print_object(*object.document, *at, replaced, {"now", true, 15s});
  if (!again) return;  // too large
  const auto back = parse_object(resource, *again);
  HERALD_CHECK(back && back->document && *back->document == *object.document);
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string text(data + 1, data + size);
  const kube::Resource* kinds[] = {&lease_resource(), &shard_resource(), &secret_resource()};
  const kube::Resource& resource = *kinds[data[0] % 3];
  KubernetesHistory history;
  if (const auto object = parse_object(resource, text)) {
    print_again(resource, *object);
    if (object->document) {
      HERALD_CHECK(history.answered(*object, history.mark(object->key)));
      HERALD_CHECK(history.answered(*object, history.mark(object->key)));
    }
  }
  if (const auto list = parse_list(resource, text)) {
    for (const StoredObject& object : list->objects) print_again(resource, object);
    HERALD_CHECK(history.listed(list->resource_version, history.list_mark(resource)));
  }
  if (const auto event = parse_event(resource, text)) history.told(resource, *event);
  const auto at = *object_of(coord::leader_key(), "ns");
  const unsigned status = 400 + data[0];
  const Refusal refusal = parse_refusal(status, text, at);
  HERALD_CHECK(to_sentence(refusal, status, "get", at).size() < 2000);
  return 0;
}
