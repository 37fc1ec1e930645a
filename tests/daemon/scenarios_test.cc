// Every case of tests/scenarios, from manifests to what `plan` and `lint` say of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "config/convert.h"
#include "config/manifests.h"
#include "daemon/lint.h"
#include "daemon/plan.h"
#include "daemon/plan_wire.h"
#include "scenario_dialects.h"

namespace herald::daemon {
namespace {

using namespace herald::scenarios;

Desired desired_of(const Objects& objects) {
  config::Manifests manifests;
  manifests.set_file("case.yaml", to_manifests(objects));
  return manifests.desired();
}

json::object plan_of(const Desired& desired) {
  const Policies policies(std::make_shared<Desired>(desired));
  const json::value said = json::parse(plan_wire(policies, plan_offline(policies)));
  return said.as_object().at("data").as_object();
}

// Who has what and from where it is announced; without sentences, which name the objects' kinds.
std::string outline(const json::object& plan) {
  json::array out{plan.at("pools"), plan.at("peers")};
  for (const json::value& v : plan.at("services").as_array()) {
    json::object service = v.as_object();
    service["allocated"].as_object().erase("message");
    for (json::value& a : service["announcements"].as_array()) a.as_object().erase("message");
    out.push_back(std::move(service));
  }
  return json::serialize(out);
}

// Whatever is planned, Herald's own words for it plan to the same.
json::object plan_of(const Objects& objects) {
  const Desired desired = desired_of(objects);
  json::object said = plan_of(desired);
  config::Manifests converted;
  const std::string native =
      config::convert(desired, {to_manifests(objects)}, config::ManifestForm::Yaml);
  converted.set_file("native.yaml", native);
  EXPECT_EQ(outline(plan_of(converted.desired())), outline(said)) << native;
  return said;
}

// The classes of reasons that cases name, and the words for them here.
bool is_of_class(const std::string& reason, const std::string& wanted) {
  static const std::map<std::string, std::set<std::string>> kClasses = {
      {"pool_exhausted", {"PoolExhausted"}},
      {"no_matching_pool", {"NoMatchingPool"}},
      {"request_not_in_pool", {"RequestedIPNotInPool"}},
      {"pool_selector_mismatch", {"PoolSelectorMismatch"}},
      {"already_allocated", {"AlreadyAllocated"}},
      {"conflict_ports", {"SharingPortConflict"}},
      {"shared_key_mismatch", {"SharingKeyMismatch"}},
      {"namespace_not_permitted", {"SharingNamespaceNotPermitted"}},
      {"traffic_policy_mismatch", {"SharingPolicyMismatch"}},
      {"backend_mismatch", {"SharingBackendMismatch"}},
      {"no_selector_with_local_policy", {"SharingBackendMismatch"}},
      {"reserved_ip", {"ReservedIP"}},
      {"pool_disabled", {"PoolDisabled"}},
      {"family_mismatch", {"FamilyMismatch"}},
      {"invalid_request", {"InvalidRequest"}},
      {"pool_request_mismatch", {"RequestedIPNotInPool"}},
      {"unknown_pool", {"RequestedPoolUnknown"}},
      {"no_cluster_ip", {"NoClusterIP"}},
      {"not_managed", {"NotManaged"}}};
  const auto at = kClasses.find(wanted);
  if (at == kClasses.end()) throw std::runtime_error("unknown class of reasons: " + wanted);
  return at->second.contains(reason);
}

IpAddress ip_of(const std::string& text) {
  const auto ip = IpAddress::parse(text);
  if (!ip) throw std::runtime_error(text + " is no IP");
  return *ip;
}

// One story: the cluster's objects as the steps change them.
class Story {
 public:
  Story(bool is_metallb, const json::object& scenario) : metallb_(is_metallb), scenario_(scenario) {
    for (const json::value& pool : list(scenario, "pools")) set_pool(pool.as_object());
  }

  void run() {
    for (const json::value& step : scenario_.at("steps").as_array()) {
      const json::object& done = step.as_object().at("do").as_object();
      SCOPED_TRACE(json::serialize(step));
      const auto services = services_;
      const auto ips = ips_;
      for (const auto& [what, with] : done) {
        if (what == "pools_set") {
          set_pools(with.as_array());
        } else {
          act(std::string(what), with.as_object());
        }
      }
      look();
      if ((done.contains("assign") || done.contains("allocate")) &&
          reasons_[subject_] != "Allocated") {
        take_back(services, ips);
      }
      if (const json::value* expected = step.as_object().if_contains("expect")) {
        check(expected->as_object());
      }
    }
  }

 private:
  // What an allocator refuses has not happened: nobody waits, and what was held still is.
  void take_back(const std::map<std::string, json::object>& services,
                 const std::map<std::string, std::vector<std::string>>& ips) {
    const std::string reason = reasons_[subject_];
    services_ = services;
    ips_ = ips;
    look();
    reasons_[subject_] = reason;
  }

  void forget(const std::string& name) {
    services_.erase(name);
    ips_.erase(name);
    born_.erase(name);  // one that comes back under the same name is a new object
  }

  void set_pool(const json::object& pool) {
    pools_[text(pool, "name")] = metallb_ ? metallb_pool(pool) : cilium_pool(pool);
  }

  void set_pools(const json::array& pools) {
    pools_.clear();
    for (const json::value& pool : pools) set_pool(pool.as_object());
  }

  void set_service(json::object service) {
    const std::string name =
        (service.contains("ns") ? text(service, "ns") : "default") + "/" + text(service, "name");
    if (!service.contains("created")) {
      // As an API server has it: the first to come is the older.
      if (!born_.contains(name)) born_[name] = births_++;
      char stamp[32];
      std::snprintf(stamp, sizeof stamp, "2024-01-01T%02d:%02d:00Z", born_[name] / 60,
                    born_[name] % 60);
      service["created"] = stamp;
    }
    // An update of the object comes with the status that it has, unless the step says another.
    if (!service.contains("statusIPs") && ips_.contains(name)) {
      service["statusIPs"] = ips_of(name);
    }
    services_[name] = std::move(service);
    subject_ = name;
  }

  json::array ips_of(const std::string& name) {
    json::array out;
    for (const std::string& ip : ips_[name]) out.emplace_back(ip);
    return out;
  }

  void act(const std::string& what, const json::object& with) {
    subject_.clear();
    if (what == "pool_upsert") {
      set_pool(with);
    } else if (what == "pool_delete") {
      pools_.erase(remembered(text(with, "name")));
    } else if (what == "svc_upsert") {
      set_service(with);
    } else if (what == "svc_delete") {
      const std::string name = text(with, "ns") + "/" + text(with, "name");
      forget(name);
    } else if (what == "assign" || what == "allocate") {
      know(with, {"svc", "ips", "ns", "family", "pool", "ports", "sharingKey", "familyPolicy",
                  "labels", "etp", "podSelector"});
      json::object service{{"name", with.at("svc")}};
      carry(with, service,
            {{"ns", "ns"},
             {"ips", "requestIPs"},
             {"pool", "requestPool"},
             {"ports", "ports"},
             {"sharingKey", "sharingKey"},
             {"familyPolicy", "familyPolicy"},
             {"labels", "labels"},
             {"etp", "etp"},
             {"podSelector", "podSelector"}});
      const std::string family = text(with, "family");
      if (family == "IPv4") service["families"] = json::array{"IPv4"};
      if (family == "IPv6") service["families"] = json::array{"IPv6"};
      if (family == "DualStack") service["families"] = json::array{"IPv4", "IPv6"};
      set_service(std::move(service));
    } else if (what == "release") {
      const std::string name = "default/" + text(with, "svc");
      forget(name);
    } else if (what != "restart" && what != "stop" && what != "start" && what != "nothing") {
      throw std::runtime_error("unknown step: " + what);
    }
  }

  // Plans until nothing changes: a status is what the plan before said.
  void look() {
    for (int round = 0; round < 5; ++round) {
      Objects objects;
      for (const auto& [name, pool] : pools_) objects.push_back(pool);
      for (const auto& [name, service] : services_) {
        objects.push_back(service_manifest(service, metallb_));
      }
      said_ = plan_of(objects);
      bool changed = false;
      std::set<std::string> listed;
      for (const json::value& v : said_.at("services").as_array()) {
        const json::object& s = v.as_object();
        const std::string name = text(s, "namespace") + "/" + text(s, "name");
        listed.insert(name);
        std::vector<std::string> ips;
        for (const json::value& ip : list(s, "ips")) ips.push_back(text(ip));
        changed = changed || ips_[name] != ips;
        ips_[name] = ips;
        services_[name]["statusIPs"] = ips_of(name);
        services_[name].erase("statusHostnames");
        reasons_[name] = text(s.at("allocated").as_object(), "reason");
        json::array pools = list(s, "pools");
        pool_[name] = pools.empty() ? "" : text(pools.front());
      }
      for (const auto& [name, service] : services_) {
        EXPECT_TRUE(listed.contains(name)) << "plan says nothing of " << name;
      }
      if (!changed) return;
    }
    ADD_FAILURE() << "does not settle";
  }

  std::string remembered(const std::string& word) {
    return word.starts_with("$") ? memory_.at(word.substr(1)) : word;
  }

  std::vector<std::string> expected_ips(const json::array& words) {
    std::vector<std::string> out;
    for (const json::value& word : words) {
      out.push_back(to_string(ip_of(remembered(text(word)))));
    }
    return out;
  }

  void check(const json::object& expected) {
    for (const auto& [key, value] : expected) {
      if (key == "services") {
        for (const auto& [name, wants] : value.as_object()) check_service(name, wants.as_object());
      } else if (key == "pools") {
        for (const auto& [name, wants] : value.as_object()) check_pool(name, wants.as_object());
      } else if (key == "pool_of") {
        for (const auto& [name, wants] : value.as_object()) {
          EXPECT_EQ(pool_["default/" + std::string(name)], text(wants));
        }
      } else if (key == "ok") {
        EXPECT_EQ(reasons_[subject_] == "Allocated", value.as_bool()) << reasons_[subject_];
      } else {
        check_service_word(subject_, std::string(key), value);
      }
    }
  }

  void check_service(const std::string& name, const json::object& wants) {
    SCOPED_TRACE(name);
    for (const auto& [key, value] : wants) check_service_word(name, std::string(key), value);
  }

  void check_service_word(const std::string& name, const std::string& key,
                          const json::value& value) {
    SCOPED_TRACE(key + " of " + name + ": " + testing::PrintToString(ips_[name]) + " " +
                 reasons_[name]);
    const std::vector<std::string>& has = ips_[name];
    const auto peer_name = [](const json::value& v) {
      const std::string word = text(v);
      return word.find('/') == std::string::npos ? "default/" + word : word;
    };
    if (key == "ips" || key == "holds") {
      EXPECT_EQ(has, expected_ips(value.as_array()));
    } else if (key == "ips_any_order") {
      EXPECT_THAT(has, testing::UnorderedElementsAreArray(expected_ips(value.as_array())));
    } else if (key == "count") {
      EXPECT_EQ(static_cast<std::int64_t>(has.size()), value.as_int64());
    } else if (key == "count_min") {
      EXPECT_GE(static_cast<std::int64_t>(has.size()), value.as_int64());
    } else if (key == "families" || key == "families_requested") {
      std::vector<std::string> got, wanted;
      for (const std::string& ip : has) got.push_back(ip_of(ip).is_v4() ? "IPv4" : "IPv6");
      for (const json::value& f : value.as_array()) wanted.push_back(text(f));
      EXPECT_EQ(got, wanted);
    } else if (key == "within") {
      for (const std::string& ip : has) {
        bool inside = false;
        for (const json::value& cidr : value.as_array()) {
          inside = inside || IpPrefix::parse(text(cidr)).value().contains(ip_of(ip));
        }
        EXPECT_TRUE(inside) << ip;
      }
      EXPECT_FALSE(has.empty());
    } else if (key == "within_range") {
      for (const std::string& ip : has) {
        EXPECT_GE(ip_of(ip), ip_of(text(value.as_array()[0])));
        EXPECT_LE(ip_of(ip), ip_of(text(value.as_array()[1])));
      }
    } else if (key == "one_of" || key == "preferred") {
      ASSERT_EQ(has.size(), 1U);
      EXPECT_THAT(expected_ips(value.as_array()), testing::Contains(has[0]));
    } else if (key == "not_ips") {
      for (const std::string& ip : expected_ips(value.as_array())) {
        EXPECT_THAT(has, testing::Not(testing::Contains(ip)));
      }
    } else if (key == "same_as" || key == "differs_from") {
      const json::array others = value.is_array() ? value.as_array() : json::array{value};
      for (const json::value& other : others) {
        EXPECT_EQ(has == ips_[peer_name(other)], key == "same_as");
      }
    } else if (key == "pool") {
      EXPECT_EQ(pool_[name], remembered(text(value)));
    } else if (key == "not_from_pool") {
      EXPECT_NE(pool_[name], remembered(text(value)));
    } else if (key == "remember") {
      ASSERT_FALSE(has.empty());
      memory_[text(value)] = has[0];
    } else if (key == "remember_pool") {
      memory_[text(value)] = pool_[name];
    } else if (key == "reason") {
      const json::array classes = value.is_array() ? value.as_array() : json::array{value};
      bool found = false;
      for (const json::value& one : classes) found |= is_of_class(reasons_[name], text(one));
      EXPECT_TRUE(found) << reasons_[name];
    } else if (key == "satisfied") {
      EXPECT_EQ(reasons_[name] == "Allocated", value.as_bool());
    } else if (key == "pools") {
      for (const auto& [pool, wants] : value.as_object()) check_pool(pool, wants.as_object());
    } else if (key != "warning" && key != "why_not_shared") {  // what a log says
      throw std::runtime_error("unknown expectation: " + key);
    }
  }

  void check_pool(const std::string& name, const json::object& wants) {
    SCOPED_TRACE("pool " + name);
    json::object has{{"total", 0}, {"used", 0}, {"available_v4", 0}, {"available_v6", 0}};
    for (const json::value& pool : said_.at("pools").as_array()) {
      if (text(pool.as_object(), "name") == name) has = pool.as_object();
    }
    for (const auto& [key, value] : wants) {
      if (key == "usable_blocks") {
        EXPECT_EQ(has.at("conflicting").as_bool(), value.as_int64() == 0);
      } else {
        EXPECT_EQ(text(has, key), text(value)) << key;
      }
    }
  }

  bool metallb_;
  const json::object& scenario_;
  std::map<std::string, json::object> pools_, services_;
  std::map<std::string, int> born_;
  int births_ = 0;
  std::map<std::string, std::vector<std::string>> ips_;
  std::map<std::string, std::string> reasons_, pool_, memory_;
  std::string subject_;
  json::object said_;
};

struct Case {
  std::string file;
  bool is_metallb = false;
  json::object data;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.file << " " << text(c.data, "name");
}

std::vector<Case> cases_of(const std::vector<std::string>& files) {
  std::vector<Case> out;
  for (const std::string& file : files) {
    const json::object data = read_data(file);
    for (const json::value& v : data.at("cases").as_array()) {
      json::object one = v.as_object();
      const json::value* pools = one.if_contains("pools");
      if (pools != nullptr && pools->is_string()) {
        one["pools"] = data.at("pool_sets").as_object().at(text(*pools));
      }
      out.push_back({file, text(data, "semantics") == "metallb", std::move(one)});
    }
  }
  return out;
}

std::string name_of(const testing::TestParamInfo<Case>& info) {
  std::string out = info.param.file + "_" + text(info.param.data, "name");
  for (char& c : out) c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return out + "_" + std::to_string(info.index);
}

class Ipam : public testing::TestWithParam<Case> {};
TEST_P(Ipam, IsAsTheCaseSays) {
  Story(GetParam().is_metallb, GetParam().data).run();
}
INSTANTIATE_TEST_SUITE_P(Scenario, Ipam,
                         testing::ValuesIn(cases_of({"ipam_cilium", "ipam_cilium_more",
                                                     "ipam_metallb", "ipam_metallb_more"})),
                         name_of);

class Config : public testing::TestWithParam<Case> {};
TEST_P(Config, IsRefusedOrTaken) {
  const Case& c = GetParam();
  if (text(c.data, "mode") == "simple-bgp") return;  // a limit of another program
  const json::object& config = c.data.at("config").as_object();
  const Objects objects = c.is_metallb ? metallb_config(config) : cilium_config(config);
  const json::value said = json::parse(lint(desired_of(objects)));
  const json::array& problems = said.as_object().at("data").as_object().at("problems").as_array();
  bool refused = false;
  for (const json::value& p : problems) refused |= text(p.as_object(), "severity") == "error";
  EXPECT_EQ(refused, text(c.data, "verdict") == "invalid")
      << to_manifests(objects) << json::serialize(problems);
}
INSTANTIATE_TEST_SUITE_P(Scenario, Config,
                         testing::ValuesIn(cases_of({"config_cilium", "config_cilium_more",
                                                     "config_metallb", "config_metallb_modes",
                                                     "config_metallb_more"})),
                         name_of);

// ---- from where it is announced
// ------------------------------------------------------------------

// The manifests of one moment; `pools` carry their advertisements.
Objects announce_manifests(const json::object& now) {
  know(now, {"name", "node", "nodes", "peers", "pools", "pool", "bgpAdvs", "l2Advs", "service",
             "endpoints", "excluded_from_lb", "ignore_exclude_label", "expect", "steps"});
  Objects out;
  std::set<std::string> nodes;
  if (now.contains("node")) nodes.insert(text(now, "node"));
  for (const json::value& n : list(now, "nodes")) nodes.insert(text(n));
  for (const json::value& e : list(now, "endpoints")) nodes.insert(text(e.as_object(), "node"));
  const auto add_nodes_of = [&](const json::array& ads) {
    for (const json::value& ad : ads) {
      for (const json::value& n : list(ad.as_object(), "nodes")) nodes.insert(text(n));
    }
  };
  add_nodes_of(list(now, "bgpAdvs"));
  add_nodes_of(list(now, "l2Advs"));
  for (const json::value& pool : list(now, "pools"))
    add_nodes_of(list(pool.as_object(), "bgpAdvs"));
  const json::array excluded = list(now, "excluded_from_lb");
  for (const std::string& name : nodes) {
    json::object labels{{"kubernetes.io/hostname", name}};
    if (std::find(excluded.begin(), excluded.end(), json::value(name)) != excluded.end()) {
      labels["node.kubernetes.io/exclude-from-external-load-balancers"] = "";
    }
    out.push_back(node_manifest({{"name", name}, {"labels", std::move(labels)}}));
  }
  std::size_t n = 0;
  const auto advertise = [&](const json::array& ads, const json::value* pool, bool l2) {
    for (const json::value& v : ads) {
      json::object ad = v.as_object();
      if (pool != nullptr) ad["pools"] = json::array{*pool};
      const std::string name = "ad-" + std::to_string(++n);
      out.push_back(l2 ? metallb_l2_adv(ad, name) : metallb_bgp_adv(ad, name));
    }
  };
  for (const json::value& v : list(now, "pools")) {
    json::object pool = v.as_object();
    advertise(list(pool, "bgpAdvs"), &pool.at("name"), false);
    pool.erase("bgpAdvs");
    out.push_back(metallb_pool(pool));
  }
  if (now.contains("pool")) {
    out.push_back(metallb_pool({{"name", "default"}, {"addresses", json::array{now.at("pool")}}}));
  }
  advertise(list(now, "bgpAdvs"), nullptr, false);
  advertise(list(now, "l2Advs"), nullptr, true);
  for (const json::value& v : list(now, "peers")) {
    json::object peer = v.as_object();
    const std::string name = text(peer, "name");
    peer.erase("name");       // AS numbers are filled in
    peer["peerASN"] = 64512;  // internal: these are told of local preferences
    out.push_back(metallb_peer(peer, name, "metallb-system"));
  }
  if (const json::value* v = now.if_contains("service")) {
    json::object service = v->as_object();
    if (!service.contains("name")) service["name"] = "test1";
    if (service.contains("ip")) service["statusIPs"] = json::array{service.at("ip")};
    service.erase("ip");
    out.push_back(service_manifest(service, true));
    if (now.contains("endpoints")) {
      out.push_back(endpoints_manifest("default", text(service, "name"), list(now, "endpoints")));
    }
  }
  return out;
}

json::array announced(const json::object& plan) {
  json::array out;
  for (const json::value& service : plan.at("services").as_array()) {
    for (const json::value& a : service.as_object().at("announcements").as_array()) {
      out.push_back(a);
    }
  }
  return out;
}

// {"1.2.3.4": [{"prefix", "localPref", "communities"}]} of one node.
void expect_routes(const json::object& plan, const json::object& now, const json::object& wanted) {
  for (const json::value& v : list(now, "peers")) {
    const json::object& peer = v.as_object();
    json::array has;
    for (const json::value& a : announced(plan)) {
      const json::object& route = a.as_object();
      if (text(route, "via") != "bgp" || text(route, "node") != text(now, "node") ||
          text(route, "peer") != text(peer, "name")) {
        continue;
      }
      const json::object& attributes = route.at("attributes").as_object();
      json::object said{{"prefix", route.at("prefix")}};
      carry(attributes, said, {{"local_pref", "localPref"}});
      if (!list(attributes, "communities").empty()) {
        said["communities"] = attributes.at("communities");
      }
      has.push_back(std::move(said));
    }
    const json::value* expected = wanted.if_contains(text(peer, "address"));
    EXPECT_EQ(json::serialize(has),
              json::serialize(expected == nullptr ? json::array{} : expected->as_array()));
  }
  for (const auto& [address, routes] : wanted) {
    bool known = false;
    for (const json::value& v : list(now, "peers")) {
      known = known || text(v.as_object(), "address") == address;
    }
    EXPECT_TRUE(known || routes.as_array().empty()) << address;
  }
}

void expect_announcers(const json::object& plan, const json::object& wanted) {
  std::set<std::string> has, allowed;
  for (const json::value& a : announced(plan)) {
    if (text(a.as_object(), "via") == "bgp") has.insert(text(a.as_object(), "node"));
    for (const json::value& node : list(a.as_object(), "nodes")) has.insert(text(node));
  }
  for (const json::value& node : list(wanted, "nodes")) allowed.insert(text(node));
  if (wanted.at("announcers").is_array()) {
    for (const json::value& node : wanted.at("announcers").as_array()) allowed.insert(text(node));
    EXPECT_EQ(has, allowed);
  } else if (text(wanted, "announcers") == "exactly") {
    EXPECT_EQ(has, allowed);
  } else {
    ASSERT_EQ(text(wanted, "announcers"), "exactly one of");
    ASSERT_EQ(has.size(), 1U);
    EXPECT_TRUE(allowed.contains(*has.begin())) << *has.begin();
  }
}

void expect_announced(const json::object& now, const json::object& wanted) {
  const Objects objects = announce_manifests(now);
  SCOPED_TRACE(to_manifests(objects));
  const json::object plan = plan_of(objects);
  SCOPED_TRACE(json::serialize(plan));
  if (wanted.contains("conflict")) {
    bool refused = false;
    for (const json::value& p : plan.at("problems").as_array()) {
      refused = refused || text(p.as_object(), "severity") == "error";
    }
    EXPECT_EQ(refused, wanted.at("conflict").as_bool());
  } else if (wanted.contains("announcers")) {
    expect_announcers(plan, wanted);
  } else if (wanted.contains("advs")) {
    // Which advertisements apply: by what is sent to a peer of all of them.
    EXPECT_EQ(announced(plan).empty(), wanted.at("advs").as_array().empty());
  } else {
    expect_routes(plan, now, wanted);
  }
}

class Announce : public testing::TestWithParam<Case> {};
TEST_P(Announce, IsAsTheCaseSays) {
  json::object now = GetParam().data;
  if (!now.contains("steps")) {
    expect_announced(now, now.at("expect").as_object());
    return;
  }
  for (const json::value& step : GetParam().data.at("steps").as_array()) {
    for (const auto& [key, value] : step.as_object()) now[key] = value;
    expect_announced(now, step.as_object().at("expect").as_object());
  }
}
INSTANTIATE_TEST_SUITE_P(
    Scenario, Announce,
    testing::ValuesIn(cases_of({"announce_metallb_bgp", "announce_metallb_l2"})), name_of);

}  // namespace
}  // namespace herald::daemon
