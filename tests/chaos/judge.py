"""What must be true after a round: nothing lost, nothing counted twice, nothing paid twice beyond what died."""
import re

import invariants

CAUSES = {1: "second_answer", 2: "died", 3: "abandoned"}
BUGS = r"Sanitizer: |runtime error: |^bug: |[Ss]egmentation"
FINE = {"w": {0, -9}, "c": {0, 3, -9}, "d": None}  # how a part may end, by its name's first letter; None: anyhow


def count(fleet, query):
    return int(fleet.sql(query)[0][0])


def settle(fleet, samples):
    """Until every run has ended, all parts are back, and workers have said what became of what they held."""
    fleet.wait(lambda: ended(fleet), 120, "every run has ended")
    fleet.wait(fleet.whole, 60, "all parts are back")
    fleet.wait(lambda: count(fleet, "SELECT coalesce(sum(lost_open), 0) FROM assay.run_summary") == 0, 60,
               "nothing is 'at most n more' any longer")
    fleet.wait(lambda: count(fleet, "SELECT count(*) FROM assay.result") >= samples, 10, "rows")


def ended(fleet):
    try:
        return fleet.sql("SELECT count(*) FROM assay.run WHERE state IN (0, 1)", 5) == [["0"]]
    except Exception as e:  # the database may be away for a moment yet
        if type(e).__name__ != "Away":
            raise
        return False


def paid_twice(fleet):
    by_cause = dict.fromkeys(CAUSES.values(), 0)
    for cause, n in fleet.sql("SELECT cause, count(*) FROM assay.paid_twice GROUP BY 1"):
        by_cause[CAUSES[int(cause)]] = int(n)
    return by_cause


def verdict(fleet, samples, faults):
    """Complaints (none: it held) and the figures of the round."""
    wrong = []
    rows = count(fleet, "SELECT count(*) FROM assay.result")
    keys = count(fleet, "SELECT count(*) FROM (SELECT DISTINCT run_id, item_no, epoch FROM assay.result) k")
    scored = count(fleet, "SELECT count(*) FROM (SELECT DISTINCT run_id, item_no, epoch FROM assay.result WHERE outcome = 1) k")
    said = count(fleet, "SELECT coalesce(sum(n), 0) FROM assay.run_summary WHERE slice_no = 0 AND metric = -1 AND scoring_no = 0")
    if keys != samples:
        wrong.append(f"{samples} samples, {keys} with a row")
    if rows != keys:
        wrong.append(f"{rows} rows of {keys} samples: retries that nobody asked for")
    if scored != samples:
        causes = fleet.sql("SELECT outcome, error_class, count(*) FROM assay.result WHERE outcome > 1 GROUP BY 1, 2")
        wrong.append(f"{samples} samples, {scored} scored; (outcome, class, n): {causes}")
    if said != keys:
        wrong.append(f"the summary says {said}, there are {keys}")
    wrong += invariants.violations(fleet.sql)
    stats = fleet.endpoint.stats()
    paid = paid_twice(fleet)
    allowed = sum(f.allowed_twice() for f in faults)
    twice = stats["twice"]
    if stats["prompts"] != samples:
        wrong.append(f"{samples} samples, {stats['prompts']} prompts answered")
    if twice > allowed:
        wrong.append(f"{twice} prompts asked twice, the faults allow {allowed}")
    # An ask is on disk before its first byte leaves, so one that died between the two is counted and was never asked.
    if twice > sum(paid.values()):
        wrong.append(f"the endpoint was asked {twice} prompts again, paid_twice knows of {sum(paid.values())} {paid}")
    if sum(paid.values()) > allowed:
        wrong.append(f"paid_twice has {sum(paid.values())} {paid}, the faults allow {allowed}")
    wrong += broken(fleet)
    return wrong, {"samples": samples, "lost": samples - keys, "double": rows - keys, "twice": twice, "allowed": allowed,
                   "paid_twice": paid}


def broken(fleet):
    """What no fault excuses: a bug that stopped a program, a crash, an end with an error."""
    found = []
    for part in fleet.parts.values():
        fine = FINE[part.name[0]]
        bad = [e for e in part.endings if fine is not None and e not in fine]
        if bad:
            found.append(f"{part.name} ended with {bad}")
        bug = re.search(BUGS, part.log(), re.M) if fine is not None else None
        if bug:
            found.append(f"{part.name}: {part.log()[max(0, bug.start() - 300):bug.start() + 500]}")
    return found
