"""Addresses stay with their services, whatever happens to the daemons."""

from herald_case import REQUESTED, HeraldCase, vips_of


class Restart(HeraldCase):
    def test_restart_of_everything_moves_no_address(self):
        self.start_all()
        before = self.addresses()
        for service, ip in REQUESTED.items():
            self.assertEqual(before[service], [ip])
        self.assertEqual(sorted(":" in ip for ip in before["default/wiki"]), [False, True])
        self.owners(vips_of(before))

        for node in self.lab.nodes:
            self.assertEqual(node.stop(), 0, f"exit code of {node.name} after SIGTERM")
        self.start_all()
        self.assertEqual(self.addresses(), before)
        self.owners(vips_of(before))

        for node in self.lab.nodes:
            node.crash()
        self.start_all()
        self.assertEqual(self.addresses(), before)
        self.owners(vips_of(before))

    def test_one_by_one_without_loss_of_addresses(self):
        self.start_all()
        before = self.addresses()
        for node in self.lab.nodes:
            self.owners(vips_of(before))
            self.assertEqual(node.stop(), 0)
            left = {n.name for n in self.lab.nodes if n.alive()}
            self.assertLessEqual(set(self.owners(vips_of(before)).values()), left)
            node.start()
            self.assertEqual(self.addresses(), before)
