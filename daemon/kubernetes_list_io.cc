// All documents in an API server.
#include <algorithm>
#include <iterator>
#include <utility>

#include "base/clock_io.h"
#include "daemon/kubernetes_store_parts_io.h"

namespace herald::daemon {
namespace {

using coord::DocumentKey;
using coord::ListReply;
using coord::StoreFailed;

constexpr unsigned kPage = 500;

}  // namespace

// The kinds one after the other, the Leases first; of the Secret there is one.
void KubernetesStore::list(const JobPtr& job, std::size_t kind, const std::string& next,
                           const std::shared_ptr<KubernetesHistory::ListMark>& mark,
                           const std::shared_ptr<std::vector<StoredObject>>& objects) {
  const kube::Resource* const kinds[] = {&lease_resource(), &shard_resource(), &secret_resource()};
  if (kind == std::size(kinds)) return finish(job, ListReply{std::move(job->listed)});
  const kube::Resource& resource = *kinds[kind];
  job->object = {resource, options_.ns, ""};
  const auto marked =
      mark ? mark : std::make_shared<KubernetesHistory::ListMark>(history_.list_mark(resource));
  const auto found = objects ? objects : std::make_shared<std::vector<StoredObject>>();
  kube::Request request;
  request.path = path_of(resource, options_.ns) + "?" +
                 (resource == secret_resource() ? kTheSecret : kHeralds) +
                 "&limit=" + std::to_string(kPage) + (next.empty() ? "" : "&continue=" + next);
  request.timeout = std::max<Duration>(job->deadline - boot_now(), 1ms);
  client_->call(std::move(request), [this, job, kind, marked, found](const kube::Answer& answer) {
    if (!job->over) list_page(job, kind, marked, found, answer);
  });
}

void KubernetesStore::list_page(const JobPtr& job, std::size_t kind,
                                const std::shared_ptr<KubernetesHistory::ListMark>& mark,
                                const std::shared_ptr<std::vector<StoredObject>>& objects,
                                const kube::Answer& answer) {
  if (!lost_.empty()) return finish(job, StoreFailed{lost_});
  if (answer.kind != kube::Answer::Kind::Answered) return finish(job, StoreFailed{answer.why});
  if (!answer.ok()) {
    const Refusal refusal = parse_refusal(answer.status, answer.body, job->object);
    return finish(job, StoreFailed{to_sentence(refusal, answer.status, "list", job->object)});
  }
  auto page = parse_list(job->object.resource, answer.body);
  if (!page) {
    return finish(job, StoreFailed{"the API server answered wrongly for " +
                                   kube::name_of(job->object.resource) + ": " + page.error()});
  }
  if (const auto same = history_.listed(page->resource_version, *mark); !same) {
    lose(same.error());
    return finish(job, StoreFailed{lost_});
  }
  for (StoredObject& object : page->objects) {
    const auto at = mark->documents.find(object.key);
    if (readable(object).empty()) {
      const auto same = history_.answered(
          object, at == mark->documents.end() ? KubernetesHistory::Mark() : at->second);
      if (!same) {
        lose(same.error());
        return finish(job, StoreFailed{lost_});
      }
      job->listed.push_back(*object.document);
    }
    objects->push_back(std::move(object));
  }
  watches_.at(job->object.resource)->poke();
  if (!page->next.empty() && !page->objects.empty()) {
    return list(job, kind, page->next, mark, objects);
  }
  for (const DocumentKey& key : KubernetesHistory::lacking(*objects, *mark)) {
    lacks(job->object.resource, object_of(key, options_.ns)->name);
    return finish(job, StoreFailed{"document " + key.str() +
                                   " was deleted by hand; it is put "
                                   "back as it was"});
  }
  list(job, kind + 1, "", nullptr, nullptr);
}

}  // namespace herald::daemon
