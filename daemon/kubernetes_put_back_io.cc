// What others write to the documents in an API server, and what people delete: that is put back.
#include <utility>

#include "base/clock_io.h"
#include "daemon/kubernetes_store_parts_io.h"

namespace herald::daemon {
namespace {

using coord::DocumentKey;
using Method = kube::Request::Method;

constexpr Duration kAbsentFor = 5s;  // a document that a list lacks and nobody puts back is lost

}  // namespace

void KubernetesStore::told(const kube::Resource& resource, const StoredEvent& event) {
  if (down_ || !lost_.empty()) return;
  const StoredObject& object = *event.object;
  if (!readable(object).empty()) return;
  const auto* before = history_.find(object.key);
  const bool news = before == nullptr || before->rev < revision_of(*object.document);
  if (const auto same = history_.told(resource, event); !same) return lose(same.error());
  if (event.kind == StoredEvent::Kind::Deleted) {
    if (history_.find(object.key)->deleted) put_back(object.key, boot_now(), 0s);
    return;
  }
  callbacks_.changed({*object.document});
  if (news) after_news(*object.document);
}

// The IPs of a member that is revoked are given to others now, and those must learn of it.
void KubernetesStore::after_news(const coord::Document& document) {
  const auto* member = std::get_if<coord::MemberDocument>(&document);
  if (member != nullptr && member->revoked) {
    watches_.at(shard_resource())->expect_news(kWatchPatience);
  }
}

// A list shows less than there was: the watch may not have told yet, or somebody may be putting it
// back.
void KubernetesStore::lacks(const kube::Resource& resource, const std::string& name) {
  const auto key = key_of(resource, name);
  if (down_ || !lost_.empty() || !key || history_.find(*key) == nullptr) return;
  put_back(*key, boot_now(), 0s);
}

void KubernetesStore::put_back(const DocumentKey& key, Instant absent_since, Duration pause) {
  absent_since_.try_emplace(key, absent_since);
  auto& timer = put_backs_[key];
  if (timer) return;
  timer = std::make_unique<asio::steady_timer>(loop_);
  timer->expires_after(pause);
  timer->async_wait([this, key](boost::system::error_code canceled) {
    if (canceled || down_ || !lost_.empty()) return;
    put_backs_.erase(key);
    auto job = std::make_shared<Job>();
    job->kind = Job::Kind::PutBack;
    job->key = key;
    job->object = *object_of(key, options_.ns);
    job->deadline = boot_now() + options_.timeout;
    enqueue(std::move(job));
  });
}

// Whoever sees first that a document was deleted makes it anew as it was last: the same rev, the
// same text, so it does not matter who does. It is created, so a second one fails.
void KubernetesStore::run_put_back(const JobPtr& job) {
  const std::string subject = "deleted " + job->key.str();
  const auto again = [this, job, subject](const std::string& why) {
    const Instant since = absent_since_.at(job->key);
    say(subject, why);
    finish(job, {});
    put_back(job->key, since, kPutBackPause);
  };
  call(
      job, Method::Get, "",
      [this, job, subject, again](const kube::Answer& answer, const KubernetesHistory::Mark& mark) {
        const bool spoken = answer.kind == kube::Answer::Kind::Answered;
        if (spoken && answer.ok()) {
          const Look found = read_look(job, answer, mark);
          if (found.there) {
            absent_since_.erase(job->key);
            say(subject, "");
            return finish(job, {});
          }
          return lost_.empty() ? again(found.why) : finish(job, {});
        }
        const Refusal refusal = parse_refusal(answer.status, answer.body, job->object);
        if (!spoken || !refusal.absent) {
          return again(
              deleted_words(job) + "; but " +
              (spoken ? to_sentence(refusal, answer.status, "get", job->object) : answer.why));
        }
        const auto* seen = history_.find(job->key);
        if (seen == nullptr || !seen->deleted) {
          if (boot_now() < absent_since_.at(job->key) + kAbsentFor) return again("");
          lose(kube::to_string(job->object) +
               " was deleted by hand, and this heraldd does not know what it was last: who may "
               "answer for which IP is lost with it. Stop every heraldd of this cluster, delete "
               "the rest of what has the label app.kubernetes.io/name=herald among leases, "
               "iptableshards and secrets of namespace " +
               options_.ns + ", then start them again");
          return finish(job, {});
        }
        const auto body =
            print_object(*seen->deleted, job->object, std::nullopt, for_people(*seen->deleted));
        if (!body) return again(body.error());
        say(subject, deleted_words(job));
        call(job, Method::Post, *body,
             [this, job, subject, again](const kube::Answer& created,
                                         const KubernetesHistory::Mark& before) {
               // One that is there by now, by whomever, is found by the look that comes next.
               if (created.ok()) {
                 const auto object = parse_object(job->object.resource, created.body);
                 if (object && object->document) {
                   if (const auto same = history_.answered(*object, before); !same) {
                     lose(same.error());
                     return finish(job, {});
                   }
                   absent_since_.erase(job->key);
                   say(subject, "");
                   return finish(job, {});
                 }
               }
               if (created.kind != kube::Answer::Kind::Answered) return again(created.why);
               const Refusal refused = parse_refusal(created.status, created.body, job->object);
               again(refused.conflict || created.ok()
                         ? ""
                         : to_sentence(refused, created.status, "create", job->object));
             });
      });
}

}  // namespace herald::daemon
