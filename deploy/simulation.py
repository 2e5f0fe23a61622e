"""The benchmark `simulate`: rules of admission side by side, and the same by a reference script."""

import json
import re
import resource
import subprocess
import sys
import time

from main_job import DemoError

RUNS = 200
REFERENCE_RUNS = 20  # It takes minutes.
SUBMISSIONS = 200
BETTER = 20
NOISE, GROUPS = 0.05, 400
RULES = ["gated", "gated-uninflated", "naive", "bootstrap", "top-k"]
PEERS = ["naive", "bootstrap", "top-k"]
# The reference's names of the rules that it has. Its gate inflates no standard error (and takes the normal quantile).
REFERENCE_RULES = {"naive": "naive", "bootstrap": "boot95", "gated-uninflated": "twoB_recme"}
LINE = re.compile(
    r"(?P<rule>\w+)\s+false/run\s+(?P<false>\S+) P\(any\) \S+ true \S+ power \{(?P<power>.*)\} "
    r"fresh gain (?P<fresh>\S+) of \S+ val-claimed (?P<claimed>\S+)")


def simulate(options, entry):
    """Entries of the streams without and with truly better submissions."""
    entries = []
    for better in (0, BETTER):
        ours = ours_of(options.programs, RUNS, better, RULES)[0]
        entries += side_by_side(ours, better, entry)
        if options.reference:
            entries += against_reference(options, better, entry)
    return entries


def measured(command):
    """Output, wall seconds and processor seconds of a command."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise DemoError(f"{command[0]} failed: {done.stderr}")
    return done.stdout, seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def ours_of(programs, runs, better, rules):
    output, *seconds = measured([
        f"{programs}/registry", "simulate", "--runs", runs, "--submissions", SUBMISSIONS, "--truly-better", better,
        "--groups", GROUPS, "--noise", NOISE, "--rule", ",".join(rules), "--json"])
    return {report["rule"]: report for report in json.loads(output)}, *seconds


def side_by_side(reports, better, entry):
    """Our gate beside the other rules."""
    print(f"{SUBMISSIONS} submissions, {better} of them truly better, {RUNS} runs", flush=True)
    for rule, report in reports.items():
        print(f"  {rule:16} {figures(report)}", flush=True)
    gate, entries = reports["gated"], []
    for rule in PEERS:
        peer = reports[rule]
        entries.append(entry(
            f"false promotions a run, {SUBMISSIONS - better} useless of {SUBMISSIONS}", gate["false_promotions"],
            peer["false_promotions"], rule, "", False, least=1 / RUNS))
        for ours, theirs in zip(gate["power"], peer["power"]):
            entries.append(entry(
                f"power at a true gain of {ours['true_gain']:.2%}", ours["power"], theirs["power"], rule, "", True,
                least=1 / ours["submitted"]))
    return entries


def figures(report):
    power = " ".join(f"{p['true_gain']:.2%}: {p['power']:.2f}" for p in report["power"])
    return (
        f"false promotions {report['false_promotions']:6.2f}  gate tests {report['gate_tests']:5.1f}  claimed "
        f"{report['claimed_gain']:+.4f}  fresh {report['fresh_gain']:+.4f} nats  {power and 'power at ' + power}")


def against_reference(options, better, entry):
    """The same setting by the script, with its seconds."""
    ours, wall, processor = ours_of(options.programs, REFERENCE_RUNS, better, list(REFERENCE_RULES))
    output, peer_wall, peer_processor = measured([
        sys.executable, options.reference / "simulate.py", REFERENCE_RUNS, NOISE, GROUPS, better,
        ",".join(REFERENCE_RULES.values())])
    rows = {match["rule"]: match for match in LINE.finditer(output)}
    entries = []
    for rule, name in REFERENCE_RULES.items():
        if name not in rows:
            raise DemoError(f"simulate.py printed no line of the rule {name}:\n{output}")
        row, report = rows[name], ours[rule]
        power = [float(value) for value in re.findall(r": ([\d.]+)", row["power"])]
        print(
            f"  {rule:16} false promotions {float(row['false']):6.2f}  claimed {float(row['claimed']):+.4f}  fresh "
            f"{float(row['fresh']):+.4f} nats  power {power if better else ''} by the reference", flush=True)
        for kind, theirs in zip(report["power"], power):
            entries.append(entry(
                f"{rule}: power at a true gain of {kind['true_gain']:.2%}", kind["power"], theirs, "simulate.py", "",
                True, least=1 / kind["submitted"]))
    setting = f"{REFERENCE_RUNS} runs of {SUBMISSIONS}, {better} better, {len(REFERENCE_RULES)} rules"
    return entries + [
        entry(f"{setting}, all cores", wall, peer_wall, "simulate.py (numpy)", "s", False),
        entry(f"{setting}, processor time", processor, peer_processor, "simulate.py (numpy)", "s", False),
    ]
