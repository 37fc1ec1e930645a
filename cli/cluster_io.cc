#include "cli/cluster_io.h"

#include <fmt/chrono.h>
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/json.hpp>

#include "base/text.h"
#include "daemon/kubernetes_store_wire.h"
#include "kube/access_io.h"
#include "kube/client_io.h"
#include "kube/kubeconfig.h"
#include "kube/resources.h"
#include "kube/server_status.h"
#include "kube/wire.h"

namespace herald::cli {
namespace {

namespace json = boost::json;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// As kubectl looks for it, but that of several files the first counts. Empty: there is none.
std::string default_kubeconfig() {
  for (const std::string& path : split_list(environment("KUBECONFIG"), ':')) {
    if (!path.empty()) return path;
  }
  const std::string home = environment("HOME") + "/.kube/config";
  std::error_code ignored;
  return std::filesystem::exists(home, ignored) ? home : "";
}

Result<kube::Access> access_of(const ClusterAccess& wanted) {
  const std::string path = wanted.kubeconfig.empty() ? default_kubeconfig() : wanted.kubeconfig;
  if (path.empty()) {
    auto in_cluster = kube::load_access("", {});
    if (in_cluster) return in_cluster;
    return error(
        "there is no kubeconfig: $KUBECONFIG names none, and ~/.kube/config is not there; name "
        "one with --kubeconfig");
  }
  std::ifstream file(path);
  if (!file) return error(path + ": cannot be read; name another one with --kubeconfig");
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  return kube::parse_kubeconfig(text, path, wanted.context);
}

// One kind of objects, read page by page.
struct List {
  std::vector<kube::Resource> versions;
  std::string selector, ns;
  unsigned page = 250;
  std::function<void(const kube::Resource&, std::string_view item)> each;
  std::string what;  // "services": for messages

  std::size_t version = 0;
  bool absent = false, forbidden = false;
  std::string trouble = {};  // why it could not be read; empty: it was
};

class Reader {
 public:
  Reader(kube::Client& client, Duration timeout) : client_(client), timeout_(timeout) {}

  void read(std::shared_ptr<List> list) {
    ++open_;
    ask(std::move(list), "");
  }
  bool done() const { return open_ == 0; }
  const std::string& unreachable() const { return unreachable_; }

 private:
  void ask(std::shared_ptr<List> list, const std::string& next) {
    kube::Request request;
    const kube::Resource& resource = list->versions[list->version];
    request.path = fmt::format("{}?limit={}", kube::path_of(resource, list->ns), list->page);
    if (!list->selector.empty()) request.path += "&" + list->selector;
    if (!next.empty()) request.path += "&continue=" + next;
    request.timeout = timeout_;
    client_.call(std::move(request), [this, list = std::move(list)](kube::Answer answer) mutable {
      take(std::move(list), answer);
    });
  }

  void take(std::shared_ptr<List> list, const kube::Answer& answer) {
    if (answer.kind != kube::Answer::Kind::Answered) {
      unreachable_ = answer.why;
      list->trouble = answer.why;
    } else if (answer.status == 404) {
      if (++list->version < list->versions.size()) return ask(std::move(list), "");
      list->absent = true;
    } else if (!answer.ok()) {
      list->forbidden = answer.status == 403;
      list->trouble = kube::parse_server_status(answer.body, answer.status).message;
      if (answer.status == 401) {
        unreachable_ = "the API server does not know who asks: " + list->trouble +
                       "; look at the user of the kubeconfig's context";
      }
    } else if (const auto page = kube::parse_page(answer.body); !page) {
      list->trouble = "the list " + page.error();
    } else {
      for (const std::string_view item : page->items) {
        list->each(list->versions[list->version], item);
      }
      if (!page->continue_token.empty() && !page->items.empty()) {
        return ask(std::move(list), page->continue_token);
      }
    }
    --open_;
  }

  kube::Client& client_;
  Duration timeout_;
  std::size_t open_ = 0;
  std::string unreachable_;
};

config::Manifests::ApiObject named(const kube::Resource& resource, const kube::Metadata& metadata) {
  return {kube::path_of({resource, metadata.ns, metadata.name}), kube::api_version(resource),
          resource.kind.str(), metadata.ns, metadata.name};
}

// When the object was last written, as it says itself.
std::string written(std::string_view item) {
  boost::system::error_code bad;
  const json::value value = json::parse(item, bad);
  if (bad) return {};
  const json::value* list = value.find_pointer("/metadata/managedFields", bad);
  if (list == nullptr || !list->is_array()) return {};
  std::string newest;  // RFC 3339 in UTC: as texts they sort by time
  for (const json::value& one : list->get_array()) {
    const json::value* time = one.find_pointer("/time", bad);
    if (time == nullptr || !time->is_string()) continue;
    newest = std::max(newest, std::string(time->get_string().c_str()));
  }
  return newest;
}

}  // namespace

tl::expected<daemon::ClusterFacts, ClusterTrouble> read_cluster(
    const ClusterAccess& wanted, const config::ManifestOptions& options) {
  const auto fail = [](std::string why, bool unreachable = true) {
    return tl::unexpected(ClusterTrouble{std::move(why), unreachable});
  };
  auto access = access_of(wanted);
  if (!access) return fail(access.error());
  access->user_agent = "heraldctl";
  daemon::ClusterFacts facts;
  facts.server = access->servers.empty()
                     ? access->where
                     : fmt::format("{} ({})", to_string(access->servers.front()), access->where);
  facts.read_at = fmt::format(
      "{:%FT%T}Z", std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()));

  boost::asio::io_context loop;
  auto client = kube::make_client(loop, *access, 1, [](const auto&, const auto&) {});
  if (!client) return fail(client.error());

  config::Manifests manifests(options);
  Reader reader(**client, wanted.timeout);
  std::vector<std::shared_ptr<List>> lists;
  const auto read = [&](List list) {
    lists.push_back(std::make_shared<List>(std::move(list)));
    reader.read(lists.back());
  };
  for (const kube::SourceKind& kind : kube::source_kinds()) {
    const bool node_status = kind.name() == "nodestatuses.herald.io";
    if (!kind.wanted && !node_status) continue;
    const bool service = kind.name() == "services";
    read({kind.versions, kind.selector, "", kind.page,
          [&, node_status, service](const kube::Resource& resource, std::string_view item) {
            const auto metadata = kube::parse_metadata(item);
            if (!metadata) return;
            if (node_status) {
              facts.nodes[NodeName(metadata->name)] = {std::string(kube::member(item, "status")),
                                                       written(item)};
              return;
            }
            if (service) {
              facts.service_status[{metadata->ns, metadata->name}] =
                  std::string(kube::member(item, "status"));
            }
            manifests.set_object(named(resource, *metadata), item);
          },
          kind.name()});
  }
  for (const kube::Resource& resource : {daemon::lease_resource(), daemon::shard_resource()}) {
    read({{resource},
          "",
          wanted.ns,
          250,
          [&](const kube::Resource& kind, std::string_view item) {
            const auto object = daemon::parse_object(kind, item);
            if (!object || !daemon::key_of(kind, object->name)) return;
            if (object->document) {
              facts.documents.push_back(*object->document);
            } else {
              facts.warnings.push_back(
                  fmt::format("{} {}: {}", kind.kind, object->name, object->document.error()));
            }
          },
          kube::name_of(resource)});
  }

  boost::asio::steady_timer limit(loop, wanted.timeout);
  bool late = false;
  limit.async_wait([&](const boost::system::error_code& cancelled) { late = !cancelled; });
  while (!reader.done() && !late && loop.run_one() > 0) {
  }
  if (!reader.unreachable().empty()) return fail(reader.unreachable());
  if (!reader.done()) {
    return fail(
        fmt::format("{}: not all was read within {}", facts.server, to_string(wanted.timeout)));
  }

  std::vector<std::string> refused;
  bool none = true;
  for (const auto& list : lists) {
    const kube::Resource& first = list->versions.front();
    if (first.group == "herald.io" && !list->absent) none = false;
    if (list->trouble.empty()) continue;
    facts.warnings.push_back(fmt::format("{} could not be read: {}", list->what, list->trouble));
    if (list->forbidden) refused.push_back(list->what);
    if (list->ns.empty()) manifests.set_unreadable(kube::path_of(first), list->trouble);
  }
  if (none) {
    return fail(fmt::format("no Herald is installed at {}: it has none of its "
                            "CustomResourceDefinitions; docs/install.md says how",
                            facts.server),
                false);
  }
  if (refused.size() == lists.size()) {
    return fail(fmt::format("{} refuses every list: bind the ClusterRole herald-viewer to whoever "
                            "asks (kubectl auth whoami)",
                            facts.server),
                false);
  }
  const bool stored =
      std::any_of(facts.documents.begin(), facts.documents.end(),
                  [](const auto& d) { return std::holds_alternative<coord::MemberDocument>(d); });
  if (!stored) {
    facts.warnings.push_back(fmt::format(
        "there is no Lease herald-member-... in the namespace {}: is Herald in another one "
        "(--herald-namespace), or its store another (etcd)? Then ask a daemon",
        wanted.ns));
  }
  facts.desired = std::make_shared<const Desired>(manifests.desired());
  return facts;
}

}  // namespace herald::cli
