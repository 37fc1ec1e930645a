"""Network namespaces as `ip netns` makes them, with names that say whose they are.

A namespace is called herald-<pid>-<name>, so two labs never meet, and what a lab that was killed
(SIGKILL) left behind can be told from what is in use: its pid is gone (orphans).
"""

import ctypes
import os
import re
import signal
import subprocess
import threading

PREFIX = "herald"
CLONE_NEWNET = 0x40000000
NEEDS = ("\nThe lab needs network namespaces: root has them on a host and in a virtual machine; in a "
         "container it takes CAP_SYS_ADMIN, CAP_NET_ADMIN, CAP_NET_RAW and a /proc/sys that can be "
         "written (docker run --privileged)")
_libc = ctypes.CDLL(None, use_errno=True)


def refused(what, stderr):
    """The error of a command: its own words and, where the kernel forbids it, what is needed."""
    denied = re.search(r"not permitted|denied|[Rr]ead-only file system", stderr)
    return RuntimeError(f"{what}: {stderr.strip()}{NEEDS if denied else ''}")


def run(*argv, check=True, timeout=30):
    """Runs a command to its end and returns its stdout."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout,
                          stdin=subprocess.DEVNULL)
    if check and done.returncode != 0:
        raise refused(f"{' '.join(argv)}: exit {done.returncode}", done.stderr)
    return done.stdout


def full_name(name):
    return f"{PREFIX}-{os.getpid()}-{name}"


def add(name):
    run("ip", "netns", "add", full_name(name))


def delete(name):
    run("ip", "netns", "del", full_name(name), check=False)


def ip(name, *argv, check=True):
    return run("ip", "-n", full_name(name), *argv, check=check)


def batch(name, lines):
    """Many `ip` commands at once."""
    done = subprocess.run(["ip", "-n", full_name(name), "-batch", "-"], input="\n".join(lines) + "\n",
                          capture_output=True, text=True, timeout=30)
    if done.returncode != 0:
        raise refused(f"ip -n {full_name(name)} ({'; '.join(lines)})", done.stderr)


def nft(name, rules):
    """Applies nftables rules in the namespace."""
    done = subprocess.run(["ip", "netns", "exec", full_name(name), "nft", "-f", "-"], input=rules + "\n",
                          capture_output=True, text=True, timeout=30)
    if done.returncode != 0:
        raise RuntimeError(f"nft in {full_name(name)}: {done.stderr.strip()} in: {rules}")


def inside(name, function, *args):
    """Calls function(*args) in the namespace, on a thread of its own (a namespace belongs to a
    thread), and returns what it returns or raises."""
    result = {}

    def work():
        try:
            with open(f"/run/netns/{full_name(name)}", "rb") as handle:
                if _libc.setns(handle.fileno(), CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
            result["value"] = function(*args)
        except BaseException as error:  # handed to the caller
            result["error"] = error

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join()
    if "error" in result:
        raise result["error"]
    return result["value"]


def sysctl(name, **values):
    """sysctl(ns, net__ipv4__ip_forward=1): two underscores stand for a slash."""
    # /proc/sys/net is that of the process, whatever namespace its thread has entered.
    script = "; ".join(f"echo {v} > /proc/sys/{k.replace('__', '/')}" for k, v in values.items())
    run("ip", "netns", "exec", full_name(name), "sh", "-ec", script)


def orphans():
    """Namespaces of labs whose process is gone: killed, or left up on purpose (--keep)."""
    for line in run("ip", "netns", "list").splitlines():
        name = line.split()[0] if line.split() else ""
        found = re.fullmatch(rf"{PREFIX}-(\d+)-[a-z0-9]+", name)
        if found and not os.path.exists(f"/proc/{found[1]}"):
            yield name


def remove_orphans(with_processes=False):
    """Deletes orphans; those where something still runs only when told so. Returns the names."""
    gone = []
    for name in list(orphans()):
        pids = [int(pid) for pid in run("ip", "netns", "pids", name, check=False).split()]
        if pids and not with_processes:
            continue
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        run("ip", "netns", "del", name, check=False)
        gone.append(name)
    return gone
