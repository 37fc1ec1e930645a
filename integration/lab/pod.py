"""A node whose heraldd is the DaemonSet's: the files of the image, in-cluster, with the settings that
deploy/base gives and the ServiceAccount's token in its place.
"""

import os

from . import image
from .node import Node

ACCOUNT = "var/run/secrets/kubernetes.io/serviceaccount"


class PodNode(Node):
    def start_speaker(self, *extra):
        if extra:
            raise ValueError(f"a pod has its settings from deploy/base, not {extra}")
        lab = self.lab
        root, host_run = (os.path.join(lab.dir, f"{self.name}.{d}") for d in ("root", "run"))
        if not os.path.exists(root):
            if not os.path.exists(os.path.join(lab.dir, "image")):
                image.lay_out(lab.bin_dir, os.path.join(lab.dir, "image"))
            image.copy(os.path.join(lab.dir, "image"), root)
            os.mkdir(host_run)
            os.makedirs(os.path.join(root, ACCOUNT))
        self.admin = os.path.join(root, "run/herald/admin.sock")
        files = {"token": lab.kube.token, "namespace": "herald-system"}
        with open(os.path.join(lab.kube.dir, "ca.pem"), encoding="ascii") as file:
            files["ca.crt"] = file.read()
        for name, text in files.items():
            path = os.path.join(root, ACCOUNT, name)
            with open(path, "w", encoding="ascii") as file:
                file.write(text)
            os.chown(path, 0, image.USER)  # fsGroup
            os.chmod(path, 0o640)
        self.heraldd = lab.spawn(self.name, f"{self.name}-heraldd", image.command(
            root, host_run, lab.kube.pod_environment(self)))
