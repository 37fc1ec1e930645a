#include "coord/document.h"

#include "coord/placement.h"

namespace herald::coord {

DocumentKey member_key(const NodeName& node) {
  return DocumentKey("member/" + node.str());
}
DocumentKey table_key(unsigned shard) {
  return DocumentKey("table/" + std::to_string(shard));
}
DocumentKey leader_key() {
  return DocumentKey("leader");
}
DocumentKey status_key(const ObjectName& service) {
  return DocumentKey("status/" + to_string(service));
}
DocumentKey cluster_key() {
  return DocumentKey("cluster");
}

namespace {
struct KeyOf {
  DocumentKey operator()(const MemberDocument& d) const { return member_key(d.node); }
  DocumentKey operator()(const TableDocument& d) const { return table_key(d.shard); }
  DocumentKey operator()(const LeaderDocument&) const { return leader_key(); }
  DocumentKey operator()(const StatusDocument& d) const { return status_key(d.service); }
  DocumentKey operator()(const ClusterDocument&) const { return cluster_key(); }
};
}  // namespace

DocumentKey key_of(const Document& document) {
  return std::visit(KeyOf{}, document);
}

Revision revision_of(const Document& document) {
  return std::visit([](const auto& d) { return d.rev; }, document);
}

unsigned shard_of(const IpAddress& vip) {
  return static_cast<unsigned>(placement_hash({}, vip) % kShards);
}

}  // namespace herald::coord
