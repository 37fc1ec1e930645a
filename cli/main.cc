// heraldctl: asks the daemon of this node, prints its answer. JSON alone goes to stdout, messages
// to stderr. Exit codes: 0 ok, 1 the answer is no, 2 usage, 3 daemon not reachable.
#include <cstdio>
#include <map>
#include <string>

#include <CLI/CLI.hpp>

#include "cli/print.h"
#include "cli/request.h"
#include "cli/request_io.h"

namespace {

const std::map<std::string, herald::cli::Format> kFormats = {{"table", herald::cli::Format::Table},
                                                             {"wide", herald::cli::Format::Wide},
                                                             {"json", herald::cli::Format::Json},
                                                             {"yaml", herald::cli::Format::Yaml}};

}  // namespace

int main(int argc, char** argv) {
  using namespace herald::cli;

  Request request;
  std::string socket = "/run/herald/admin.sock";

  CLI::App app("Asks the Herald daemon of this node what it knows and why.", "heraldctl");
  app.require_subcommand(1);
  app.fallthrough();  // -o and --admin may stand anywhere
  app.set_version_flag("--version", "heraldctl " HERALD_VERSION);
  app.add_option("--admin", socket, "the daemon's admin socket")
      ->envname("HERALD_ADMIN")
      ->capture_default_str();
  std::string format_name = "table";
  app.add_option("-o,--output", format_name, "table, wide, json or yaml")
      ->check(CLI::IsMember({"table", "wide", "json", "yaml"}).description(""))
      ->capture_default_str();
  app.footer(
      "Exit codes: 0 ok, 1 the answer is no (not found, refused), 2 usage, 3 daemon not "
      "reachable.");

  app.add_subcommand("status", "this node, leader, members, store, counts, warnings");

  CLI::App* get = app.add_subcommand("get", "lists");
  get->add_option("WHAT", request.what, "services, ips, nodes, pools or peers")
      ->required()
      ->check(CLI::IsMember({"services", "ips", "nodes", "pools", "peers"}).description(""));
  get->add_option("NAME", request.name, "one of them; a service is NAMESPACE/NAME");

  CLI::App* explain = app.add_subcommand("explain", "the chain of facts, and what to change");
  explain->add_option("WHAT", request.what, "service, ip, pool, peer, node or policy")
      ->required()
      ->check(CLI::IsMember({"service", "ip", "pool", "peer", "node", "policy"}).description(""));
  explain->add_option("NAME", request.name, "its name; a service is NAMESPACE/NAME")->required();

  try {
    app.parse(argc, argv);
    request.command = app.get_subcommands().front()->get_name();
    const bool is_service = request.what == "service" || request.what == "services";
    if (is_service && !request.name.empty() && request.name.find('/') == std::string::npos) {
      throw CLI::ValidationError(
          "NAME", "'" + request.name + "' has no namespace: write default/" + request.name);
    }
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? kExitOk : kExitUsage;
  }

  const auto reply = ask(socket, to_line(request));
  if (!reply) {
    std::fprintf(stderr, "heraldctl: %s\n", reply.error().c_str());
    return kExitUnreachable;
  }
  const Answer said = answer(request, kFormats.at(format_name), *reply);
  std::fwrite(said.out.data(), 1, said.out.size(), stdout);
  if (!said.err.empty()) std::fprintf(stderr, "heraldctl: %s", said.err.c_str());
  if (std::fflush(stdout) != 0) return kExitNo;  // a full disk, a closed pipe
  return said.exit_code;
}
