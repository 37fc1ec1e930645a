// tests/daemon/api_model.h: an API server, as small as it can be: server-side apply on the status
// of objects, with field managers, resourceVersions and uids. Who is told of what when is the
// test's business.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "kube/observe.h"
#include "kube/write.h"

namespace herald::daemon {

class ApiModel {
 public:
  // A user's deed. The object is another one than any before under this name.
  void create(const kube::ObjectRef& object);
  void remove(const kube::ObjectRef& object) { objects_.erase(object); }
  bool has(const kube::ObjectRef& object) const { return objects_.contains(object); }
  // Somebody writes .status, with or without what others have there (kubectl edit).
  void set_status(const kube::ObjectRef& object, const std::string& manager,
                  const std::string& status);
  void next_generation(const kube::ObjectRef& object);

  kube::WriteAnswer answer(const kube::Write& write);

  std::string status(const kube::ObjectRef& object) const;
  std::string json(const kube::ObjectRef& object) const;  // the whole object
  kube::Observed observed(const std::string& manager) const;
  // How often an object was really changed by a write of answer().
  std::uint64_t changes() const { return changes_; }
  std::uint64_t writes() const { return writes_; }
  // Fields of .status that the server does not know ("conditions/x/observedGeneration" ...): each
  // path that ends so is dropped.
  std::set<std::string> dropped;

 private:
  struct Field {
    std::string value;  // JSON
    std::set<std::string> owners;
    bool operator==(const Field&) const = default;
  };
  struct Object {
    std::string uid;
    std::uint64_t version = 0;
    std::int64_t generation = 1;
    std::map<std::string, Field> status;  // by path, "loadBalancer/ingress", "conditions/TYPE/..."
    std::set<std::string> makers;         // who applied the object itself
    std::string meta;                     // and with which body
  };
  using Fields = std::map<std::string, std::string>;
  static void flatten(const std::string& json, Fields& out);
  static std::string status_of(const Object& object);
  std::string json_of(const kube::ObjectRef& ref, const Object& object) const;
  static std::string managed_fields(const Object& object);

  std::map<kube::ObjectRef, Object> objects_;
  std::uint64_t version_ = 0, uids_ = 0, changes_ = 0, writes_ = 0;
  // What observed() gave of an object, while it stays the same.
  mutable kube::ObservedObjects seen_;
};

}  // namespace herald::daemon
