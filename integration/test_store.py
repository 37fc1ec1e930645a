"""A store file that is not one: heraldd says so, and leaves it as it is."""

import os

from herald_case import HeraldCase


class Store(HeraldCase):
    nodes = 1

    def refused(self, path):
        done = self.heraldd(
            "--node-name", "n1", "--store", f"embedded:{path}", "--manifests", self.lab.manifests,
            "--admin", f"{self.lab.dir}/refused.sock", "--run-dir", f"{self.lab.dir}/refused")
        text = done.stdout + done.stderr
        self.assertEqual(done.returncode, 1, text)
        self.assertIn(path, text)
        return text

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

    def test_directory_that_is_missing(self):
        self.refused(f"{self.lab.dir}/nowhere/herald.db")
