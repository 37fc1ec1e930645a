// One document in an API server: read, and compared and swapped.
#include <algorithm>
#include <functional>
#include <utility>

#include "base/clock_io.h"
#include "daemon/kubernetes_store_parts_io.h"

namespace herald::daemon {
namespace {

using coord::CasDocument;
using coord::CasOutcome;
using coord::CasReply;
using coord::ReadReply;
using coord::StoreFailed;
using Method = kube::Request::Method;

constexpr int kMaxWrites = 4;  // of one CAS, each refused for want of the newest resourceVersion

const char* verb_of(Method method) {
  return method == Method::Post ? "create" : method == Method::Put ? "update" : "get";
}

}  // namespace

void KubernetesStore::call(
    const JobPtr& job, Method method, std::string body,
    std::function<void(const kube::Answer&, const KubernetesHistory::Mark&)> then) {
  kube::Request request;
  request.method = method;
  request.path =
      method == Method::Post ? path_of(job->object.resource, job->object.ns) : path_of(job->object);
  request.body = std::move(body);
  request.priority = kube::Request::Priority::Lease;
  request.timeout = std::max<Duration>(job->deadline - boot_now(), 1ms);
  const auto mark = history_.mark(job->key);
  client_->call(std::move(request),
                [this, job, mark, then = std::move(then)](const kube::Answer& answer) {
                  if (!job->over) then(answer, mark);
                });
}

void KubernetesStore::look(const JobPtr& job, std::function<void(Look)> then) {
  call(job, Method::Get, "",
       [this, job, then = std::move(then)](const kube::Answer& answer,
                                           const KubernetesHistory::Mark& mark) {
         then(read_look(job, answer, mark));
       });
}

KubernetesStore::Look KubernetesStore::read_look(const JobPtr& job, const kube::Answer& answer,
                                                 const KubernetesHistory::Mark& mark) {
  Look out;
  if (!lost_.empty()) {
    out.why = lost_;
  } else if (answer.kind != kube::Answer::Kind::Answered) {
    out.why = answer.why;
  } else if (!answer.ok()) {
    const Refusal refusal = parse_refusal(answer.status, answer.body, job->object);
    out.absent = refusal.absent && mark.rev.value == 0;
    out.deleted = refusal.absent && !out.absent;
    if (out.deleted) {
      out.why = deleted_words(job);
      watch_of(job->object).suspect();  // it may not have told yet
    } else if (!out.absent) {
      out.why = to_sentence(refusal, answer.status, "get", job->object);
    }
  } else {
    auto object = parse_object(job->object.resource, answer.body);
    if (!object || object->name != job->object.name) {
      out.why = "the API server answered wrongly for " + kube::to_string(job->object) + ": " +
                (object ? "it gave another object" : object.error());
      return out;
    }
    out.why = readable(*object);
    if (!out.why.empty()) return out;
    if (const auto same = history_.answered(*object, mark); !same) {
      lose(same.error());
      out.why = lost_;
      return out;
    }
    watch_of(job->object).expect(object->resource_version, kWatchPatience);
    if (revision_of(*object->document) > mark.rev) after_news(*object->document);
    out.there = std::move(*object);
  }
  return out;
}

void KubernetesStore::read(const JobPtr& job) {
  look(job, [this, job](Look found) {
    if (found.there) return finish(job, ReadReply{std::move(*found.there->document)});
    if (found.absent) return finish(job, ReadReply{});
    finish(job, StoreFailed{found.why});
  });
}

// ---- compare-and-swap

void KubernetesStore::cas(const JobPtr& job) {
  const coord::Revision base = std::get<CasDocument>(job->request).base;
  const auto* seen = history_.find(job->key);
  if (seen == nullptr && base.value == 0) return write(job, std::nullopt);
  if (seen != nullptr && seen->rev == base && !seen->deleted) return write(job, seen->version);
  cas_by_look(job);
}

void KubernetesStore::cas_by_look(const JobPtr& job) {
  look(job, [this, job](Look found) {
    const CasDocument& wanted = std::get<CasDocument>(job->request);
    if (found.absent) {
      // Nothing was ever there, as far as this process knows.
      if (wanted.base.value != 0) return finish(job, CasReply{CasOutcome::Conflict, {}});
      if (job->writes < kMaxWrites) return write(job, std::nullopt);
    } else if (!found.there) {
      // After a write that was refused: of such a refusal alone one can't be sure (a proxy).
      const bool maybe = job->writes > 0 && !found.deleted;
      const auto outcome = maybe ? CasOutcome::Unknown : CasOutcome::NotSent;
      return finish(job, CasReply{outcome, found.why});
    } else if (revision_of(*found.there->document) != wanted.base) {
      // A nonce makes this node's own document its own alone; only for that is A5 a matter of
      // safety. Another's is revoked by several at once, each in the same words.
      const auto* member = std::get_if<coord::MemberDocument>(&wanted.document);
      const bool own = member != nullptr && member->node.str() == options_.node;
      if (own && job->writes > 0 && *found.there->document == wanted.document) {
        return finish(job, CasReply{CasOutcome::Unknown,
                                    kube::to_string(job->object) +
                                        " holds what was written, but the write was refused: does "
                                        "a proxy before the API server repeat requests?"});
      }
      return finish(job, CasReply{CasOutcome::Conflict, {}});
    } else if (job->writes < kMaxWrites) {
      return write(job,
                   Replaced{found.there->uid, found.there->resource_version, found.there->times});
    }
    finish(job, CasReply{CasOutcome::NotSent,
                         kube::to_string(job->object) +
                             " is changed all the time by another program, which must leave it "
                             "alone: see its metadata.managedFields"});
  });
}

void KubernetesStore::write(const JobPtr& job, const std::optional<Replaced>& replaced) {
  const coord::Document& document = std::get<CasDocument>(job->request).document;
  auto body = print_object(document, job->object, replaced, for_people(document));
  say("size of " + job->key.str(), body ? "" : body.error());
  if (!body) {
    // Not from within: the caller may be in the middle of its queue.
    asio::post(loop_, [this, job, why = body.error()] {
      if (!job->over) finish(job, CasReply{CasOutcome::NotSent, why});
    });
    return;
  }
  const Method method = replaced ? Method::Put : Method::Post;
  job->writing = true;
  call(job, method, std::move(*body),
       [this, job, method](const kube::Answer& answer, const KubernetesHistory::Mark& mark) {
         written(job, method, answer, mark);
       });
}

void KubernetesStore::written(const JobPtr& job, Method method, const kube::Answer& answer,
                              const KubernetesHistory::Mark& mark) {
  if (answer.kind != kube::Answer::Kind::Answered) {
    const bool sent = answer.kind == kube::Answer::Kind::Unknown;
    return finish(job, CasReply{sent ? CasOutcome::Unknown : CasOutcome::NotSent, answer.why});
  }
  if (answer.ok()) return finish(job, won_or_unknown(job, answer.body, mark));
  const Refusal refusal = parse_refusal(answer.status, answer.body, job->object);
  const std::string why = to_sentence(refusal, answer.status, verb_of(method), job->object);
  if (refusal.conflict) {
    job->writing = false;
    ++job->writes;
    return cas_by_look(job);
  }
  if (refusal.absent) {
    watch_of(job->object).suspect();
    return finish(job, CasReply{CasOutcome::NotSent, deleted_words(job)});
  }
  if (refusal.not_applied) return finish(job, CasReply{CasOutcome::NotSent, why});
  if (refusal.full) return settle_full(job, why);
  finish(job, CasReply{CasOutcome::Unknown, why});
}

CasReply KubernetesStore::won_or_unknown(const JobPtr& job, const std::string& body,
                                         const KubernetesHistory::Mark& mark) {
  if (!lost_.empty()) return {CasOutcome::Unknown, lost_};
  const auto object = parse_object(job->object.resource, body);
  if (!object || !object->document ||
      *object->document != std::get<CasDocument>(job->request).document) {
    return {CasOutcome::Unknown, "the API server answered a write of " +
                                     kube::to_string(job->object) + " wrongly: " +
                                     (!object             ? object.error()
                                      : !object->document ? object->document.error()
                                                          : "it holds another document; does an "
                                                            "admission webhook change it?")};
  }
  if (const auto same = history_.answered(*object, mark); !same) {
    lose(same.error());
    return {CasOutcome::Unknown, lost_};
  }
  watch_of(job->object).expect(object->resource_version, 1s + options_.timeout);
  after_news(*object->document);
  return {CasOutcome::Won, {}};
}

// A full etcd says so before, instead of or after it applied a write, but never before the write is
// decided: a read tells. Unknown would cost the node its right although the store is there.
void KubernetesStore::settle_full(const JobPtr& job, const std::string& why) {
  job->deadline = boot_now() + options_.timeout;
  look(job, [this, job, why](const Look& found) {
    const coord::Revision base = std::get<CasDocument>(job->request).base;
    const bool still =
        found.absent ? base.value == 0 : found.there && revision_of(*found.there->document) == base;
    finish(job, CasReply{still ? CasOutcome::NotSent : CasOutcome::Unknown, why});
  });
}

}  // namespace herald::daemon
