// What is written as the status of Herald's own kinds is what deploy/crds has room for, and all of
// it: the API server refuses a field that the schema lacks.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "config/yaml_document.h"
#include "dialect_world.h"

namespace herald::daemon {
namespace {

namespace json = boost::json;

config::Value schema_of_status(const TestKind& kind) {
  std::ifstream in(std::string(HERALD_SOURCE_DIR) + "/deploy/crds/" + kind.plural.str() + ".yaml");
  EXPECT_TRUE(in.is_open()) << kind.plural.view();
  const auto yaml = config::parse_yaml(std::string{std::istreambuf_iterator<char>(in), {}});
  const config::Value& version = yaml.documents.at(0).find("spec")->find("versions")->items.at(0);
  return *version.find("schema")->find("openAPIV3Schema")->find("properties")->find("status");
}

// The fields written are of the schema's types; their names are added to `seen`.
void compare(const json::object& status, const config::Value& schema, std::set<std::string>& seen) {
  const config::Value& properties = *schema.find("properties");
  for (const auto& [key, value] : status) {
    const std::string name(key);
    seen.insert(name);
    const config::Value* field = properties.find(name);
    ASSERT_NE(field, nullptr) << name;
    const std::string type = field->find("type")->text;
    EXPECT_EQ(type, value.is_string()                       ? "string"
                    : value.is_int64() || value.is_uint64() ? "integer"
                    : value.is_bool()                       ? "boolean"
                    : value.is_array()                      ? "array"
                                                            : "object")
        << name;
    if (!value.is_array()) continue;
    std::set<std::string> ignored;
    for (const json::value& item : value.get_array()) {
      compare(item.get_object(), *field->find("items"), ignored);
    }
  }
}

TEST(StatusSchema, HasEveryFieldThatIsWrittenAndNoOther) {
  DialectWorld world;
  world.member("n1");
  world.service("web", {"10.0.0.1", "fd00::1"}, "n1");
  const std::string asn = "address: 10.9.9.1, peerASN: 64512, localASN: 64513";
  const struct {
    TestKind kind;
    std::vector<kube::ObjectRef> objects;
  } cases[] = {
      {kHeraldPool,
       {world.add(kHeraldPool, "old", "spec: {addresses: [10.0.0.0/24, \"fd00::/64\"]}"),
        world.add(kHeraldPool, "new", "spec: {addresses: [10.0.0.0/25]}", "2026-02-01T00:00:00Z"),
        world.add(kHeraldPool, "bad", "spec: {addresses: [10.0.0.0/33]}")}},
      {kHeraldL2, {world.add(kHeraldL2, "all", "spec: {}")}},
      {kHeraldPeer, {world.add(kHeraldPeer, "tor", "spec: {" + asn + "}")}},
      {kHeraldAdvertisement, {world.add(kHeraldAdvertisement, "ad", "spec: {}")}},
      {kHeraldBfd, {world.add(kHeraldBfd, "fast", "spec: {}")}},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.kind.kind.view());
    const config::Value schema = schema_of_status(c.kind);
    std::set<std::string> seen = {"observedGeneration"};  // by the writer
    for (const kube::ObjectRef& object : c.objects) {
      compare(json::parse(world.status(object)).get_object(), schema, seen);
    }
    const auto& keys = schema.find("properties")->keys;
    EXPECT_EQ(seen, std::set<std::string>(keys.begin(), keys.end()));
  }
}

}  // namespace
}  // namespace herald::daemon
