// heraldctl: asks the daemon of this node, prints its answer, has it pass IPs on. JSON alone goes
// to stdout, messages to stderr. Exit codes: 0 ok, 1 the answer is no, 2 usage, 3 daemon not
// reachable.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <map>
#include <string>
#include <thread>

#include <CLI/CLI.hpp>

#include "base/text.h"
#include "cli/cluster_io.h"
#include "cli/convert_io.h"
#include "cli/events.h"
#include "cli/offline_io.h"
#include "cli/print.h"
#include "cli/request.h"
#include "cli/request_io.h"

namespace {

using namespace herald::cli;

constexpr auto kEventsEvery = std::chrono::milliseconds(500);

const std::map<std::string, herald::cli::Format> kFormats = {{"table", herald::cli::Format::Table},
                                                             {"wide", herald::cli::Format::Wide},
                                                             {"json", herald::cli::Format::Json},
                                                             {"yaml", herald::cli::Format::Yaml}};

// Who types `get service` or `explain pools` is understood.
CLI::Validator one_of(std::vector<std::string> names) {
  const auto check = [names = std::move(names)](std::string& word) -> std::string {
    for (const std::string& name : names) {
      if (word == name || word + "s" == name || word == name + "s" ||
          (word == "policies" && name == "policy") || (word == "policy" && name == "policies")) {
        word = name;
        return {};
      }
    }
    return "there is no '" + word + "': choose from " + herald::join(names, ", ");
  };
  return {check, ""};
}

// The one order that can do harm: if the node lives, two will answer for its IPs.
bool confirmed(const std::string& node) {
  std::fprintf(stderr,
               "Declare %s dead? Only if it is switched off or its cables are pulled: if it still "
               "runs, two nodes will answer for its IPs.\nType its name to go on: ",
               node.c_str());
  std::string typed;
  return std::getline(std::cin, typed) && typed == node;
}

// Until it is interrupted, or nobody reads any more. A daemon that is restarted is waited for.
int watch_events(Request request, Format format, const std::string& socket) {
  for (bool first = true;; first = false) {
    const auto reply = ask(socket, to_line(request));
    if (!reply && first) {
      std::fprintf(stderr, "heraldctl: %s\n", reply.error().c_str());
      return kExitUnreachable;
    }
    if (reply) {
      const Followed followed = follow(format, *reply, request.since);
      if (followed.answer.exit_code != kExitOk) {
        std::fprintf(stderr, "heraldctl: %s", followed.answer.err.c_str());
        return followed.answer.exit_code;
      }
      std::fwrite(followed.answer.out.data(), 1, followed.answer.out.size(), stdout);
      if (std::fflush(stdout) != 0) return kExitNo;
      request.since = followed.since;
    }
    std::this_thread::sleep_for(kEventsEvery);
  }
}

// Through the API server: what only a daemon can do is said, and how to have it done.
herald::Result<std::string> ask_cluster(const Request& request, const ClusterAccess& access,
                                        const herald::config::ManifestOptions& options,
                                        int& exit_code) {
  exit_code = kExitUsage;
  const bool reads = request.command == "status" || request.command == "get" ||
                     request.command == "explain" || request.command == "lint";
  if (!reads) {
    return herald::error(request.command +
                         " needs a daemon: run heraldctl on a node, or `kubectl -n " + access.ns +
                         " exec ds/heraldd -- heraldctl " + request.command +
                         " ...`; the API server answers status, get, explain and lint");
  }
  const auto facts = read_cluster(access, options);
  if (!facts) {
    exit_code = facts.error().unreachable ? kExitUnreachable : kExitNo;
    return herald::error(facts.error().sentence);
  }
  for (const std::string& warning : facts->warnings) {
    if (request.command == "status") break;  // has them itself
    std::fprintf(stderr, "warning: %s\n", warning.c_str());
  }
  return herald::daemon::answer(*facts, to_line(request));
}

}  // namespace

int main(int argc, char** argv) {
  using namespace herald::cli;
  using namespace std::chrono_literals;

  Request request;
  std::string socket = "/run/herald/admin.sock";

  // As `kubectl herald`, it asks the API server unless a socket is named.
  const std::string called = std::filesystem::path(argc > 0 ? argv[0] : "").filename().string();
  const bool plugin = called.rfind("kubectl-herald", 0) == 0;
  ClusterAccess access;

  CLI::App app("Asks the Herald daemon of this node, or the API server, what there is and why.",
               plugin ? "kubectl herald" : "heraldctl");
  app.require_subcommand(0, 1);  // checked below, so that a word that is none is named
  app.fallthrough();             // -o and --admin may stand anywhere
  app.set_version_flag("--version", "heraldctl " HERALD_VERSION);
  app.add_option("--admin", socket, "the daemon's admin socket")
      ->envname("HERALD_ADMIN")
      ->capture_default_str();
  const CLI::Option* kubeconfig =
      app.add_option("--kubeconfig", access.kubeconfig,
                     "ask the API server that this file names; as kubectl herald: $KUBECONFIG, "
                     "~/.kube/config")
          ->type_name("FILE");
  const CLI::Option* context =
      app.add_option("--context", access.context, "of the kubeconfig; default: the current one")
          ->type_name("NAME");
  const CLI::Option* ns =
      app.add_option("--herald-namespace", access.ns, "where Herald runs")->capture_default_str();
  std::string format_name = "table";
  app.add_option("-o,--output", format_name, "table, wide, json or yaml")
      ->check(CLI::IsMember({"table", "wide", "json", "yaml"}).description(""))
      ->capture_default_str();
  app.footer(
      "Exit codes: 0 ok, 1 the answer is no (not found, refused), 2 usage, 3 daemon not "
      "reachable.");

  app.add_subcommand("status", "this node, leader, members, store, counts, warnings");
  app.add_subcommand("ready",
                     "whether this node may answer for IPs; exit code 1 if not: for probes");

  CLI::App* get = app.add_subcommand("get", "lists");
  get->add_option("WHAT", request.what, "services, ips, nodes, pools, policies or peers")
      ->required()
      ->transform(one_of({"services", "ips", "nodes", "pools", "policies", "peers"}));
  get->add_option("NAME", request.name, "one of them; a service is NAMESPACE/NAME");

  std::vector<std::string> paths;
  bool offline = false;
  herald::config::ManifestOptions options;
  const auto takes_files = [&](CLI::App* command) {
    command
        ->add_option("-f,--filename", paths,
                     "manifests: files, directories, or - for stdin; may be given again")
        ->type_name("PATH");
    command
        ->add_option("--load-balancer-classes", options.load_balancer_classes,
                     "offline: the spec.loadBalancerClass that are Herald's")
        ->delimiter(',')
        ->type_name("CLASS");
  };
  CLI::App* explain = app.add_subcommand("explain", "the chain of facts, and what to change");
  explain->add_option("WHAT", request.what, "service, ip, pool, peer, node or policy")
      ->required()
      ->transform(one_of({"service", "ip", "pool", "peer", "node", "policy"}));
  explain->add_option("NAME", request.name, "its name; a service is NAMESPACE/NAME")->required();
  takes_files(explain);

  CLI::App* lint = app.add_subcommand(
      "lint", "every problem of manifests; without -f, of those that the daemon has read");
  takes_files(lint);
  CLI::App* plan = app.add_subcommand(
      "plan", "who would have which IP if these manifests were applied, and what would change");
  takes_files(plan);
  plan->add_flag("--offline", offline, "by nothing but the manifests, without a daemon");

  bool watch = false;
  CLI::App* events = app.add_subcommand(
      "events", "the last transitions: IPs, members, leases, sessions, conflicts");
  events->add_flag("-w,--watch", watch, "go on with those that follow");

  std::vector<std::string> converted;
  CLI::App* convert = app.add_subcommand(
      "convert", "Cilium's or MetalLB's manifests as Herald's own, on stdout (-o yaml or json)");
  convert
      ->add_option("-f,--filename", converted,
                   "manifests: files, directories, or - for stdin; may be given again")
      ->type_name("PATH")
      ->required();
  std::string dialect = "herald";
  convert->add_option("--to", dialect, "herald")
      ->check(CLI::IsMember({"herald"}).description(""))
      ->capture_default_str();

  std::string timeout = "10s";
  bool yes = false;
  const auto waits = [&](CLI::App* order) {
    order->add_flag("--wait,!--no-wait", request.wait,
                    "answer when all has happened (default), or when it is written");
    order->add_option("--timeout", timeout, "how long to wait")
        ->type_name("DURATION")
        ->capture_default_str();
  };
  CLI::App* drain = app.add_subcommand(
      "drain", "has a node hand all its IPs over to others, and own none until undrain");
  drain->add_option("NODE", request.node, "a node; default: the one that is asked");
  waits(drain);
  CLI::App* undrain = app.add_subcommand("undrain", "lets a drained node own IPs again");
  undrain->add_option("NODE", request.node, "a node; default: the one that is asked");
  waits(undrain);
  CLI::App* move = app.add_subcommand("move", "has the owner of an IP hand it over to a node");
  move->add_option("IP", request.ip, "the IP")->required();
  move->add_option("NODE", request.node, "who is to own it")->required();
  waits(move);
  CLI::App* node = app.add_subcommand("node", "what concerns one node")->require_subcommand(1);
  CLI::App* dead = node->add_subcommand(
      "force-dead", "a node is switched off for sure: others take over its IPs at once");
  dead->add_option("NODE", request.node, "the dead one")->required();
  dead->add_flag("--yes", yes, "do not ask whether it really is");
  waits(dead);

  try {
    app.parse(argc, argv);
    if (app.get_subcommands().empty()) throw CLI::RequiredError("A command");
    request.command = app.get_subcommands().front()->get_name();
    if (request.command == "node") request.command = "force-dead";
    const auto limit = herald::parse_duration(timeout);
    if (!limit || *limit > 10min) {
      throw CLI::ValidationError("--timeout",
                                 "'" + timeout + "' is no duration: write 10s, at most 10m");
    }
    request.timeout = *limit;
    if (offline && paths.empty()) {
      throw CLI::ValidationError("--offline", "needs manifests: name them with -f");
    }
    const bool is_service = request.what == "service" || request.what == "services";
    if (is_service && !request.name.empty() && request.name.find('/') == std::string::npos) {
      throw CLI::ValidationError(
          "NAME", "'" + request.name + "' has no namespace: write default/" + request.name);
    }
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? kExitOk : kExitUsage;
  }

  const bool socket_named = app.count("--admin") > 0;
  const bool server_named = kubeconfig->count() + context->count() + ns->count() > 0;
  if (server_named && socket_named) {
    std::fprintf(stderr,
                 "heraldctl: --admin asks a daemon, --kubeconfig the API server: "
                 "leave one out\n");
    return kExitUsage;
  }
  const bool by_files = request.command == "lint" || request.command == "explain";
  const bool own_files = offline || request.command == "convert" || (by_files && !paths.empty());
  const bool by_server = !own_files && (server_named || (plugin && !socket_named));
  if (by_server && watch) {
    std::fprintf(stderr,
                 "heraldctl: events come from a daemon: run heraldctl on a node, or `kubectl "
                 "get events`\n");
    return kExitUsage;
  }

  if (request.command == "force-dead" && !yes && !by_server) {
    if (::isatty(STDIN_FILENO) == 0) {
      std::fprintf(stderr, "heraldctl: nobody can be asked whether %s is dead: add --yes\n",
                   request.node.c_str());
      return kExitUsage;
    }
    if (!confirmed(request.node)) {
      std::fprintf(stderr, "heraldctl: not confirmed: nothing was done\n");
      return kExitNo;
    }
  }

  if (request.command == "convert") {
    const bool json = kFormats.at(format_name) == Format::Json;
    return herald::cli::convert(
        converted, json ? herald::config::ManifestForm::Json : herald::config::ManifestForm::Yaml);
  }
  if (watch) return watch_events(request, kFormats.at(format_name), socket);
  herald::Result<std::string> reply{std::string()};
  if (offline || (by_files && !paths.empty())) {
    reply = answer_offline(request, paths, options);
  } else if (by_server) {
    int exit_code = kExitOk;
    reply = ask_cluster(request, access, options, exit_code);
    if (!reply) {
      std::fprintf(stderr, "heraldctl: %s\n", reply.error().c_str());
      return exit_code;
    }
  } else {
    if (const auto read = attach_files(request, paths); !read) {
      std::fprintf(stderr, "heraldctl: %s\n", read.error().c_str());
      return kExitNo;
    }
    reply = ask(socket, to_line(request), 5s + request.timeout);
  }
  if (!reply) {
    std::fprintf(stderr, "heraldctl: %s%s\n", reply.error().c_str(),
                 request.command == "plan" ? "; or plan --offline, from the manifests alone" : "");
    return kExitUnreachable;
  }
  const Answer said = answer(request, kFormats.at(format_name), *reply);
  std::fwrite(said.out.data(), 1, said.out.size(), stdout);
  if (!said.err.empty()) std::fprintf(stderr, "heraldctl: %s", said.err.c_str());
  if (std::fflush(stdout) != 0) return kExitNo;  // a full disk, a closed pipe
  return said.exit_code;
}
