"""heraldd in the files of the image, as Kubernetes runs its pod: chroot, user 65532, the capabilities of
the DaemonSet and no other, the host's run directory read-only. As a program, it is that pod.
"""

import ctypes
import json
import os
import stat
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
USER = 65532
CAPABILITIES = {"NET_RAW": 13, "SYS_NICE": 23}  # linux/capability.h
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 24, 38


def lay_out(binaries, root):
    """The image's files, by deploy/image/rootfs."""
    subprocess.run([os.path.join(ROOT, "deploy", "image", "rootfs"), binaries, root], check=True)


def copy(shipped, root):
    """A container's own root, with what a runtime adds to the image."""
    subprocess.run(["cp", "-a", shipped, root], check=True)  # with its capabilities
    for folder in ("dev", "proc"):
        os.mkdir(os.path.join(root, folder))
    for number, name in ((3, "null"), (9, "urandom")):
        device = os.path.join(root, "dev", name)
        os.mknod(device, stat.S_IFCHR | 0o666, os.makedev(1, number))
        os.chmod(device, 0o666)


def command(root, host_run, environment, capabilities=tuple(CAPABILITIES), no_new_privs=False):
    """What runs heraldd there, in the network namespace of who starts it."""
    return ["unshare", "--mount", sys.executable, "-B", os.path.abspath(__file__), root, host_run,
            ",".join(capabilities), str(no_new_privs), json.dumps(environment)]


def become(root, host_run, capabilities, no_new_privs, environment):
    """This process, alone in a new mount namespace, becomes heraldd in its pod."""
    subprocess.run(["sh", "-ec", f"mount -t proc proc {root}/proc; "
                    f"mount --bind {host_run} {root}/run/herald-host; "
                    f"mount -o remount,bind,ro {root}/run/herald-host"], check=True)
    libc = ctypes.CDLL(None, use_errno=True)
    os.chroot(root)
    os.chdir("/")
    for number in range(64):
        if number not in [CAPABILITIES[c] for c in capabilities]:
            libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0)
    os.setgroups([])
    os.setresgid(USER, USER, USER)
    os.setresuid(USER, USER, USER)
    if no_new_privs:
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    os.execve("/usr/bin/heraldd", ["heraldd"], environment)


if __name__ == "__main__":
    become(sys.argv[1], sys.argv[2], [c for c in sys.argv[3].split(",") if c], sys.argv[4] == "True",
           json.loads(sys.argv[5]))
