"""Routers go and come back; the segment does not notice."""

from herald_case import HeraldCase, vips_of
from lab.lab import COMMUNITY


class Routers(HeraldCase):
    routers = ("frr", "bird")

    def has_everything(self, router, vips, nodes):
        """Whether the router has each VIP from each of the nodes, and from nobody else."""
        def hops(node, vip):
            return node.address6 if ":" in vip else node.address
        wanted = {f"{v}/{128 if ':' in v else 32}": {hops(n, v) for n in nodes} for v in vips}
        routes = router.routes()
        return (set(routes) == set(wanted) and
                all({p["next_hop"] for p in routes[prefix]} == wanted[prefix] and
                    all(p["valid"] and p["communities"] == [COMMUNITY] for p in routes[prefix])
                    for prefix in wanted))

    def wait_for_routes(self, router, vips, nodes):
        self.wait(lambda: self.has_everything(router, vips, nodes),
                  f"{router.name} has {', '.join(vips)} via {', '.join(n.name for n in nodes)} "
                  f"with community {COMMUNITY}", seconds=40)

    def test_router_dies_and_returns(self):
        self.start_all()
        vips = vips_of(self.addresses())
        owner = self.owners(vips)
        for router in self.lab.routers:
            self.wait_for_routes(router, vips, self.lab.nodes)

        frr, bird = self.lab.router("frr"), self.lab.router("bird")
        probe = self.client.start_probe(vips)
        frr.stop()
        self.wait_for_routes(bird, vips, self.lab.nodes)
        frr.start()
        self.wait_for_routes(frr, vips, self.lab.nodes)
        self.assertEqual(set(frr.sessions().values()), {"Established"})
        self.assertUndisturbed(self.client.end_probe(probe), owner)

    def test_dead_node_is_no_next_hop(self):
        self.start_all()
        vips = vips_of(self.addresses())
        for router in self.lab.routers:
            self.wait_for_routes(router, vips, self.lab.nodes)
        self.lab.nodes[2].crash()
        for router in self.lab.routers:
            self.wait_for_routes(router, vips, self.lab.nodes[:2])
