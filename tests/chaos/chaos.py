"""Rounds of chaos on real processes. See README.md; `run` calls this.

    python3 tests/chaos/chaos.py [--faults N] [--seed S] [--round K] [--only NAME] [--keep]

A round is a fleet of its own under a load of 20,000 samples; its draws follow from (seed, round) alone, so `--seed S
--round K` plays one round again. Says `ok`, `not ok` or `skip` for each round, and one line of figures at the end.
"""
import argparse
import json
import os
import pathlib
import random
import shlex
import statistics
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "integration")]
import machine  # noqa: E402

SAMPLES, RUNS, CONCURRENCY = 20000, 3, 24
FAULTS_A_ROUND, FAULT_S = 6, 7.5
FAULTS_SHORT = 24
SEED_SHORT = 7  # commits are compared under the same faults; longer forms draw new ones
WHOLE_S = 60


class Round:
    def __init__(self, options, missing, number):
        import fleet
        import faults
        self.random = random.Random(f"{options.seed}/{number}")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"assay-chaos-{number}-", dir="/tmp"))
        kinds = [f for f in faults.possible(missing) if not options.only or options.only in f.name]
        clocks = ("w1", "c1") if self.random.random() < 0.5 else ("w2", "c2")
        self.fleet = fleet.Fleet(self.folder, self.random.getrandbits(31), missing, clocks=clocks,
                                 endpoint_flags=("--latency-ms", 200, "--sigma", 0.6, "--error-share", 0.01,
                                                 "--rate-limit-share", 0.01))
        # Each kind before any comes again, over the rounds of one seed: a bag that is shuffled when it is empty.
        bag = random.Random(options.seed)
        drawn = []
        while len(drawn) < (number + 1) * options.per_round:
            some = list(kinds)
            bag.shuffle(some)
            drawn += some
        self.faults = [f(self.fleet, self.random) for f in drawn[number * options.per_round:(number + 1) * options.per_round]]
        self.recovery_ms, self.log, self.overlap = [], [], options.overlap
        self.slowest = (0, "")  # milliseconds, after what

    def say(self, text):
        self.log.append(f"{time.monotonic() - self.began:7.2f} {text}")
        with open(self.folder / "logs" / "faults.log", "a", encoding="utf-8") as out:
            out.write(self.log[-1] + "\n")

    def start(self):
        fleet = self.fleet
        self.began = time.monotonic()
        fleet.start()
        for name in ("alpha", "beta", "gamma")[:RUNS]:
            fleet.add_model(name, CONCURRENCY)
        items = -(-SAMPLES // RUNS)
        fleet.push_suite("letters", items)
        self.samples = items * RUNS
        for name in ("alpha", "beta", "gamma")[:RUNS]:
            fleet.assay("run", "letters", "--model", name, "--detach")
        fleet.wait(lambda: (fleet.done() or 0) > 100, 60, "the load runs")
        self.say("load runs")

    def pace(self, faults_left):
        """So that the load lasts as long as the faults, and not longer."""
        done = self.fleet.done()
        if done is not None and faults_left:
            left = max(1, self.samples - done)
            self.fleet.latency(min(2000.0, max(2.0, 1000.0 * RUNS * CONCURRENCY * faults_left * FAULT_S / left)))

    def begin(self, fault):
        fault.begin()
        self.say(f"begins: {fault.text()}")

    def end(self, fault):
        fault.end()
        self.say(f"mended: {fault.text()}")

    def recover(self, faults):
        """Until one leads, all workers are with it, each asks again and rows are committed; measured from the last
        mending. Then until the other coordinator stands by, so that the next fault meets a whole fleet."""
        fleet, since = self.fleet, max(f.mended for f in faults)
        asked = fleet.asked_now()
        fleet.wait(fleet.whole, WHOLE_S, "a leader with all workers")
        before = fleet.done()
        while before is None:
            fleet.rest(0.05)
            before = fleet.done()
        fleet.wait(lambda: self.over() or ((fleet.done() or 0) > before and self.all_ask(asked)), WHOLE_S,
                   "commits, and prompts of each worker, after the fault")
        self.recovery_ms.append(1000 * (time.monotonic() - since))
        self.slowest = max(self.slowest, (round(self.recovery_ms[-1]), " + ".join(f.name for f in faults)))
        fleet.wait(fleet.stands_by, WHOLE_S, "a coordinator that stands by")
        self.say(f"whole again after {self.recovery_ms[-1]:.0f} ms, {before} done, standby after "
                 f"{1000 * (time.monotonic() - since):.0f} ms")

    def over(self):
        done = self.fleet.done()
        return done is not None and done >= self.samples - RUNS * CONCURRENCY

    def all_ask(self, before):
        now = self.fleet.asked_now()
        return all(now[name] > before[name] for name in now)

    def play(self):
        fleet = self.fleet
        self.start()
        left = list(self.faults)
        while left:
            self.pace(len(left))
            first = left.pop(0)
            second = left.pop(0) if left and self.random.random() < self.overlap else None
            self.begin(first)
            if second:
                fleet.rest(first.seconds * self.random.random())
                second.beside = first
                self.begin(second)
            for fault in sorted([f for f in (first, second) if f], key=lambda f: f.began + f.seconds):
                fleet.rest(max(0.0, fault.began + fault.seconds - time.monotonic()))
                self.end(fault)
            self.recover([f for f in (first, second) if f])
        fleet.latency(2)

    def run(self):
        import judge
        figures = {}
        try:
            self.play()
            judge.settle(self.fleet, self.samples)
            wrong, figures = judge.verdict(self.fleet, self.samples, self.faults)
        except AssertionError as e:
            wrong = [str(e)]
        if wrong:
            self.write_state()
        for name in ("twice", "stats"):
            try:
                import urllib.request
                with urllib.request.urlopen(f"{self.fleet.endpoint.url}/{name}", timeout=10) as answer:
                    (self.folder / "logs" / f"endpoint.{name}").write_bytes(answer.read())
            except OSError:
                pass  # the endpoint is gone: the verdict says so
        return wrong, figures

    def write_state(self):
        """What the database says, for whoever looks into it: it goes with its tmpfs."""
        with open(self.folder / "logs" / "state.txt", "w", encoding="utf-8") as out:
            for query in ("SELECT * FROM assay.leader_beat", "SELECT worker_id, outbox, name, term, gone, hello_at, gone_at, "
                          "lost_closed_at, lost_closed_term FROM assay.worker", "SELECT * FROM assay.run_summary WHERE "
                          "slice_no = 0 AND metric = -1", "SELECT run_id, item_no, epoch, started, alone, at, outbox, worker_id "
                          "FROM assay.attempt WHERE lost = 1 ORDER BY at", "SELECT * FROM assay.paid_twice ORDER BY at"):
                try:
                    rows = self.fleet.sql(query, 20)
                except Exception as e:  # whatever it is, the verdict stands
                    rows = [[str(e)]]
                out.write(f"-- {query}\n" + "\n".join("\t".join(r) for r in rows) + "\n\n")

    def close(self, keep_all):
        self.fleet.close()
        if not keep_all:
            self.fleet.remove()


def read_options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--faults", type=int, default=FAULTS_SHORT)
    parser.add_argument("--per-round", type=int, default=FAULTS_A_ROUND)
    parser.add_argument("--seed", type=int, help="default: ASSAY_SEED, else 7 in the short form and a new one in longer ones")
    parser.add_argument("--round", type=int)
    parser.add_argument("--overlap", type=float, default=0.3, help="share of faults that begin while another lasts")
    parser.add_argument("--only", help="only faults whose name holds this")
    parser.add_argument("--keep", action="store_true", help="keep the folders of rounds that held, too")
    options = parser.parse_args()
    if options.seed is None:
        drawn = SEED_SHORT if options.faults <= FAULTS_SHORT else random.SystemRandom().getrandbits(31)
        options.seed = int(os.environ.get("ASSAY_SEED") or drawn)
    return options


def replay(options, number):
    words = ["tests/chaos/run", "--seed", options.seed, "--round", number]
    if options.per_round != FAULTS_A_ROUND:
        words += ["--per-round", options.per_round]
    if options.overlap != 0.3:
        words += ["--overlap", options.overlap]
    if options.only:
        words += ["--only", shlex.quote(options.only)]
    return " ".join(map(str, words))


def quantile(values, q):
    return statistics.quantiles(values, n=100, method="inclusive")[q - 1] if len(values) > 1 else (values or [0])[0]


def main():
    options = read_options()
    missing = machine.enter()
    for what, why in missing.items():
        print(f"skip scenes_that_need_{what} {why}")
    rounds = [options.round] if options.round is not None else range(-(-options.faults // options.per_round))
    totals = {"seed": options.seed, "faults": 0, "rounds": 0, "samples": 0, "lost": 0, "double": 0, "twice": 0,
              "allowed": 0, "paid_twice": {}}
    recovery, failed, slowest = [], 0, (0, "")
    started = time.monotonic()
    for number in rounds:
        r = Round(options, missing, number)
        wrong, figures = ["it did not come to an end"], {}
        try:
            wrong, figures = r.run()
        finally:
            r.close(options.keep or wrong)
        recovery += r.recovery_ms
        slowest = max(slowest, (*r.slowest, f"round {number}"))
        totals["faults"] += len(r.faults)
        totals["rounds"] += 1
        for key in ("samples", "lost", "double", "twice", "allowed"):
            totals[key] += figures.get(key, 0)
        for cause, n in figures.get("paid_twice", {}).items():
            totals["paid_twice"][cause] = totals["paid_twice"].get(cause, 0) + n
        name = f"round_{number}"
        if wrong:
            failed += 1
            print("\n".join(["  " + line for line in r.log]))
            print("\n".join("  ! " + w for w in wrong))
            print(f"  logs: {r.folder}/logs; again: {replay(options, number)}")
        print(f"{'not ok' if wrong else 'ok'} {name} {len(r.faults)} faults, {figures.get('samples', 0)} samples, "
              f"{figures.get('twice', '?')} asked twice of {figures.get('allowed', '?')} allowed", flush=True)
    totals["recovery_ms"] = {"p50": round(quantile(recovery, 50)), "p99": round(quantile(recovery, 99))}
    totals["slowest"] = f"{slowest[0]} ms after {', '.join(slowest[1:])}"
    totals["seconds"] = round(time.monotonic() - started)
    totals["failed_rounds"] = failed
    print("figure: chaos " + json.dumps(totals).replace('"', ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
