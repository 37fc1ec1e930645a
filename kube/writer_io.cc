#include "kube/writer_io.h"

#include <utility>

#include "kube/server_status.h"

namespace herald::kube {
namespace {

constexpr std::size_t kMostUnderWay = 32;
constexpr Duration kTimeout = 10s;
constexpr const char* kApply = "application/apply-patch+yaml";  // JSON is YAML

std::string apply_query(const Write& write) {
  return "?fieldManager=" + write.field_manager + "&force=" + (write.force ? "true" : "false");
}

}  // namespace

Request request_of(const Write& write) {
  Request out;
  out.priority = Request::Priority::Write;
  out.timeout = kTimeout;
  out.body = write.body;
  switch (write.verb) {
    case Write::Verb::ApplyStatus:
      out.method = Request::Method::Patch;
      out.path = path_of(write.object) + "/status" + apply_query(write);
      out.content_type = kApply;
      break;
    case Write::Verb::Apply:
      out.method = Request::Method::Patch;
      out.path = path_of(write.object) + apply_query(write);
      out.content_type = kApply;
      break;
    case Write::Verb::Create:
      out.method = Request::Method::Post;
      out.path =
          path_of(write.object.resource, write.object.ns) + "?fieldManager=" + write.field_manager;
      break;
    case Write::Verb::Delete:
      out.method = Request::Method::Delete;
      out.path = path_of(write.object);
      break;
    case Write::Verb::Look:
      out.path = path_of(write.object);
      break;
  }
  return out;
}

WriteAnswer answer_of(const Write& write, Answer answer) {
  using Outcome = WriteAnswer::Outcome;
  WriteAnswer out;
  out.retry_after = answer.retry_after;
  if (answer.kind != Answer::Kind::Answered) {
    out.message = std::move(answer.why);
    return out;
  }
  out.status = answer.status;
  if (answer.ok()) {
    out.outcome = Outcome::Done;
    out.body = std::move(answer.body);
    return out;
  }
  const ServerStatus said = parse_server_status(answer.body, answer.status);
  out.message = said.message;
  switch (answer.status) {
    case 404:
      out.outcome = write.verb == Write::Verb::Delete ? Outcome::Done : Outcome::Gone;
      break;
    case 409:
      out.outcome = write.verb == Write::Verb::Create && said.reason == "AlreadyExists"
                        ? Outcome::Done
                        : Outcome::Conflict;
      break;
    case 401:  // the client gets itself another token
    case 408:
    case 429:
      out.outcome = Outcome::Later;
      break;
    default:
      out.outcome = answer.status >= 500 ? Outcome::Later : Outcome::Refused;
  }
  return out;
}

Writer::Writer(Client& client, Answered answered)
    : client_(client), answered_(std::move(answered)), self_(std::make_shared<Writer*>(this)) {}

void Writer::ask(std::uint64_t id, Write write) {
  waiting_.push_back({id, std::move(write)});
  go_on();
}

void Writer::go_on() {
  while (!waiting_.empty() && under_way_ < kMostUnderWay) {
    Asked next = std::move(waiting_.front());
    waiting_.pop_front();
    ++under_way_;
    Request request = request_of(next.write);
    client_.call(std::move(request), [weak = std::weak_ptr(self_), id = next.id,
                                      write = std::move(next.write)](Answer answer) {
      const auto self = weak.lock();
      if (!self) return;
      Writer& writer = **self;
      --writer.under_way_;
      writer.answered_(id, answer_of(write, std::move(answer)));
      writer.go_on();
    });
  }
}

}  // namespace herald::kube
