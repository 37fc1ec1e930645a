"""A store file that is not one: heraldd says so, and leaves it as it is."""

import os

from herald_case import HeraldCase


class Store(HeraldCase):
    nodes = 1

    def refused(self, path, named=None):
        """heraldd ends with 1 and a sentence about the store at `path`, or about `named`."""
        done = self.heraldd(
            "--node-name", "n1", "--store", f"embedded:{path}", "--manifests", self.lab.manifests,
            "--admin", f"{self.lab.dir}/refused.sock", "--run-dir", f"{self.lab.dir}/refused")
        text = done.stdout + done.stderr
        self.assertEqual(done.returncode, 1, text)
        self.assertIn(named or path, text)
        self.assertIn("store", text)

    def test_garbage_is_refused_and_kept(self):
        path = f"{self.lab.dir}/garbage.db"
        garbage = b"these are the only photos of the wedding\n" * 1000
        with open(path, "wb") as file:
            file.write(garbage)
        self.refused(path)
        with open(path, "rb") as file:
            self.assertEqual(file.read(), garbage)

    def test_damaged_store_is_refused_and_kept(self):
        self.lab.nodes[0].start()
        self.addresses()
        self.assertEqual(self.lab.nodes[0].stop(), 0)
        path = f"{self.lab.dir}/herald.db"
        with open(path, "rb") as file:
            content = file.read()
        damaged = b"\xff" * 100 + content[100:]
        for name in (path + "-wal", path + "-shm"):
            if os.path.exists(name):
                os.remove(name)
        with open(path, "wb") as file:
            file.write(damaged)
        self.refused(path)
        with open(path, "rb") as file:
            self.assertEqual(file.read(), damaged)

    def test_place_that_cannot_be_written(self):
        self.refused(f"{self.lab.config}/herald.db", named=self.lab.config)  # that is a file
