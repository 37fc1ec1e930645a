#!/usr/bin/env python3
"""Wrong variants of the rules: each must be caught by the simulation.

Each mutant is a change of a line or two of the product's source, as somebody might make it in good
faith. The changed file is compiled beside the others, and the simulation hunts with it until a
seed finds it. A mutant whose text is not there any more, or that nothing finds, is a failure: then
either the rule is not tested, or it is not needed. A few need so many accidents at once that the
simulation needs thousands of seeds to find them; those are for the unit tests of their folder.

    tests/sim/mutants.py --build build/release [--seeds 4000] [--jobs 2] [NAME...]
"""
import argparse
import concurrent.futures
import json
import os
import re
import shlex
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MEMBERSHIP, GUARD, PEERS, TABLE, TIMING = (
    f"coord/{n}.cc" for n in ("membership", "guard", "peers", "table", "timing"))
DECIDE, L2_SPEAKER = "daemon/decide.cc", "daemon/l2_speaker.cc"
SERVICES, ALLOCATIONS, WRITER, RELEASES = (
    f"daemon/{n}.cc" for n in ("service_statuses", "allocations", "object_writer", "release_checks"))

# name, rule, file, [(text that is there once, what replaces it)...], and how it is found
# if not by a hunt (herald_sim --hunt): WHOLE worlds, as what it does is seen after the calm; or UNIT
# tests.
WHOLE = "whole"
UNIT = "Membership.*:Guard.*:Peers.*:Table.*"  # of coord_test
OBJECTS = "Objects.*:Writing.*"  # of daemon_test
MUTANTS = [
    ("deadline-from-reply", "A3", MEMBERSHIP, [("known_sent_ = it->sent;", "known_sent_ = now;")]),
    ("deadline-from-ack-arrival", "A4", GUARD, [
        ("void Guard::on(const GuardMessage& m, const Ack& ack, Instant) {",
         "void Guard::on(const GuardMessage& m, const Ack& ack, Instant now) {"),
        ("const Acked now_known{m.inc, ack.rev, sent->at};",
         "const Acked now_known{m.inc, ack.rev, now};")]),
    ("a-read-renews", "A6", MEMBERSHIP, [
        ("if (current && adopt(*current, now)) return;",
         "if (current && known_ && current->rev == known_->rev) known_sent_ = sent;\n"
         "  if (current && adopt(*current, now)) return;")]),
    ("resumes-by-itself", "A6", GUARD, [
        ("for (auto& [node, ward] : wards_) {\n      if (!ward.fenced) ward.since = now;\n    }",
         "auto again = *orders_;\n    again.base = now;\n"
         "    orders_ = std::make_shared<const GuardOrders>(again);")]),
    ("cas-on-newer-rev-than-evidence", "V3", PEERS, [
        ("if (current->rev > peer.document.rev) on_seen(*current, now);",
         "const bool was_over = may_revoke(peer, now);\n"
         "  if (current->rev > peer.document.rev) {\n    on_seen(*current, now);\n"
         "    if (was_over) return revoke(peer);\n  }")]),
    ("seq-not-checked", "A4", GUARD, [
        ("[&](const Sent& s) { return s.seq == ack.seq; }",
         "[&](const Sent& s) { return s.seq == log_.back().seq; }"),
        ("sent->rev != ack.rev", "sent->rev < ack.rev")]),
    ("an-older-rev-is-acknowledged", "H1", GUARD, [
        ("if (heartbeat.rev < ward.rev) return;", "")]),
    ("guards-life-not-checked", "A4", GUARD, [("it->second.inc == guard.inc &&", "")], UNIT),
    ("fence-of-another-rev-counts", "V1", PEERS, [
        ("fence->second.second == document.rev", "fence->second.second <= document.rev")]),
    ("table-inc-not-checked", "A1", TABLE, [
        ("if (entry.owner == self && entry.inc == inc && !given_up(vip, entry.epoch)) {",
         "if (entry.owner == self && !given_up(vip, entry.epoch)) {")]),
    ("inc-reused", "J2", MEMBERSHIP, [
        ("known_ ? known_->inc : highest_inc_.next();",
         "known_ ? known_->inc : std::max(highest_inc_, Incarnation(1));")]),
    ("lone-lease-outlives-its-document", "A3", MEMBERSHIP, [
        ("out = known_sent_ + known_->terms.lease;", "out = known_sent_ + timing_.declared_lease(true);")]),
    ("one-clock-only", "V1", TIMING, [("* (1 + clock_drift) / (1 - clock_drift);", "* (1 + clock_drift);")]),
    ("lost-reply-ignored", "A5", MEMBERSHIP, [
        ("it->in_flight = false;\n      next_read_ = now + retry_delay();",
         "attempts_.erase(it);\n      next_read_ = now + retry_delay();")]),
    ("lost-reply-dropped-on-read", "A5", MEMBERSHIP, [
        ("} else if (const auto change = guard_change();",
         "} else if (attempts_.clear(); false) {\n  } else if (const auto change = guard_change();")], UNIT),
    ("fenced-ward-acknowledged", "H1", GUARD, [("if (ward.fenced) return;", "")]),
    ("stops-after-the-reply", "T4", TABLE, [("floor = std::max(floor, epoch);", "(void)floor, (void)epoch;")]),
    ("one-fence-is-enough", "V1", PEERS, [(">= guards - quorum(guards) + 1;", ">= 1;")]),
    ("an-ack-less-is-enough", "A3", GUARD, [
        ("proved_ = times[quorum(times.size()) - 1];",
         "proved_ = times[quorum(times.size()) > 1 ? quorum(times.size()) - 2 : 0];")]),
    ("timer-not-started-at-first-sight", "H1", GUARD, [
        ("ward.since = now;\n      ward.fenced = false;",
         "if (ward.rev > Revision(1)) ward.since = Instant();\n      ward.fenced = false;")]),
    ("an-unknown-write-counts-as-lost", "A3", MEMBERSHIP, [
        ("for (const Attempt& a : attempts_) {\n    out =",
         "for (const Attempt& a : std::vector<Attempt>()) {\n    out =")]),
    ("revokes-without-waiting", "V2", PEERS, [
        ("return peer.since + *wait;", "return peer.since + *wait / 2;")]),
    ("declared-lease-ignored", "V2", TIMING, [
        ("stretched(std::max(revoke_after, document.terms.lease), clock_drift)",
         "stretched(revoke_after, clock_drift)")]),
    ("declared-patience-ignored", "H2", GUARD, [
        ("stretched(std::max(timing_.patience, peer.patience), timing_.clock_drift)",
         "timing_.patience_drift()")]),
    ("takes-what-a-living-member-owns", "T1", PEERS, [
        ("(document->inc == inc && document->revoked);", "document->inc == inc;")]),
    ("force-dead-holds-for-every-life", "V4", PEERS, [
        ("forced_dead_.contains({document.node, document.inc}) ||",
         "std::any_of(forced_dead_.begin(), forced_dead_.end(),\n"
         "                     [&](const auto& f) { return f.first == document.node; }) ||")]),
    ("the-last-one-is-drained-away", "drain", DECIDE, [
        ("prefer([](const Chair* c) { return c->willing; });",
         "std::erase_if(left, [](const Chair* c) { return !c->willing; });")], WHOLE),
    ("drained-nodes-keep-theirs", "drain", DECIDE, [
        ("!n.drained && !policies.yields(name)", "!policies.yields(name)")], WHOLE),
    ("a-resting-ip-is-given-to-others", "rest", DECIDE, [
        ("if (entry.kept_for) input.resting.emplace(vip, *entry.kept_for);", "")], WHOLE),
    ("announced-while-it-is-probed", "probe", L2_SPEAKER, [
        ("if (!is_free(unproven)) continue;", "")], WHOLE),
    ("a-status-before-the-table", "T5", SERVICES, [
        ("if (!recorded) {",
         "static const coord::TableEntry kNone;\n    entries.resize(ips.size(), &kNone);\n"
         "    if (false) {")], WHOLE),
    ("released-by-what-the-watch-shows", "T5", ALLOCATIONS, [
        ("if (told.untold == nullptr || told.untold->contains(holding)) {", "if (true) {")],
     OBJECTS),
    ("released-before-the-watch-shows-it", "T5", RELEASES, [
        ("!kube::at_least(check.shown, object->resource_version)", "false")], OBJECTS),
    ("overwrites-what-it-has-not-seen", "T5", WRITER, [
        ('meta["resourceVersion"] = entry.seen->resource_version;', "")], OBJECTS),
    ("unknown-write-never-settled", "A5", MEMBERSHIP, [
        ("it->in_flight = false;\n      next_read_ = now + retry_delay();", "it->in_flight = false;")],
     WHOLE),
    ("an-older-table-after-a-newer-one", "A2", TABLE, [
        ("document.rev <= shard(document.shard).rev", "document.rev == shard(document.shard).rev")],
     UNIT),
]


class Builder:
    """Compiles one changed file as the build would, and links the simulation with it."""

    def __init__(self, build):
        self.build = os.path.abspath(build)
        with open(os.path.join(self.build, "compile_commands.json")) as f:
            self.compile = {os.path.relpath(c["file"], ROOT): c for c in json.load(f)}
        programs = ("herald_sim", "coord_test", "daemon_test")
        self.link = {name: self.link_command(name) for name in programs}

    def link_command(self, program):
        commands = subprocess.run(["ninja", "-C", self.build, "-t", "commands", program],
                                  capture_output=True, text=True, check=True).stdout
        link = [c for c in commands.splitlines() if f"-o bin/{program} " in c][-1]
        end = link.find(" && ", link.index("-o "))  # what CMake does after linking
        return link if end < 0 else link[:end]

    def make(self, target, name, file, changes):
        with open(os.path.join(ROOT, file)) as f:
            text = f.read()
        for old, new in changes:
            pattern = re.compile(r"\s+".join(re.escape(w) for w in old.split()))
            if len(pattern.findall(text)) != 1:
                raise LookupError(f"the text to change is there {len(pattern.findall(text))} times "
                                  f"in {file}, not once: {old!r}")
            text = pattern.sub(lambda _, new=new: new, text)
        place = os.path.join(self.build, "mutants", name)
        os.makedirs(place, exist_ok=True)
        source, obj, program = (os.path.join(place, n) for n in ("mutant.cc", "mutant.o", "sim"))
        with open(source, "w") as f:
            f.write(text)
        entry = self.compile[file]
        words = shlex.split(entry["command"])
        words[words.index("-o") + 1] = obj
        words[words.index("-c") + 1] = source
        words = [w for w in words if w != "-Werror"]
        self.run(words, entry["directory"])
        # The mutant's symbols are found before the archive that holds the right ones.
        link = re.sub(r"-o \S+", f"-o {program} {obj}", self.link[target], count=1)
        self.run(["sh", "-c", link], self.build)
        return program

    @staticmethod
    def run(words, where):
        done = subprocess.run(words, cwd=where, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(done.stdout + done.stderr)


def hunt(builder, seeds, mutant):
    name, rule, file, changes, *how = mutant
    unit = how if how != [WHOLE] else []
    try:
        tests = f"{os.path.dirname(file)}_test"
        program = builder.make(tests if unit else "herald_sim", name, file, changes)
    except (LookupError, RuntimeError) as e:
        return f"{name} ({rule}): {e}", False
    if unit:
        done = subprocess.run([program, f"--gtest_filter={unit[0]}"], capture_output=True, text=True)
        found = sorted(set(re.findall(r"^\[  FAILED  \] (\S+\.\S+)", done.stdout, re.M)))
        return f"{name} ({rule}): {', '.join(found) or 'NOT CAUGHT by the unit tests'}", bool(found)
    began = time.monotonic()
    mode = [] if how == [WHOLE] else ["--hunt"]
    done = subprocess.run([program, *mode, "--count", str(seeds), "--first"], capture_output=True,
                          text=True)
    took = time.monotonic() - began
    found = re.search(r"^seed (\d+): (.*)$", done.stdout, re.M)
    if found:
        return f"{name} ({rule}): seed {found[1]}, {took:.1f} s: {found[2]}", True
    if done.returncode != 0:  # it stopped by its own checks
        return f"{name} ({rule}): {took:.1f} s: {done.stderr.strip()[-100:]}", True
    return f"{name} ({rule}): NOT CAUGHT by {seeds} seeds", False


def main():
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--build", default=os.path.join(ROOT, "build/release"))
    words.add_argument("--seeds", type=int, default=8000)
    words.add_argument("--jobs", type=int, default=os.cpu_count())
    words.add_argument("names", nargs="*", help="only these mutants")
    args = words.parse_args()
    chosen = [m for m in MUTANTS if not args.names or m[0] in args.names]
    unknown = set(args.names) - {m[0] for m in chosen}
    if unknown:
        sys.exit(f"no such mutant: {', '.join(sorted(unknown))}")
    builder = Builder(args.build)
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for line, caught in pool.map(lambda m: hunt(builder, args.seeds, m), chosen):
            print(("  " if caught else "! ") + line, flush=True)
            failed += not caught
    print(f"{len(chosen) - failed} of {len(chosen)} mutants caught")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
