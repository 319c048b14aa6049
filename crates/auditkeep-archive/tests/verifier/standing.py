"""What a trail's leaves add up to (§4.4), and whose signatures count (§6).

Part of the verifier in `verify.py`; see there what it is for.
"""

import copy

from objects import JOURNAL, by_id, parse_time, understood


class Trust:
    """Which key is in force for which commit (§6).  It learns from the journal, commit by commit."""

    def __init__(self, roots):
        self.keys = by_id(roots)
        self.added = {key.id: 0 for key in roots}  # in the journal, a key signs commits after this one
        self.retired = {}  # key id -> (journal commit that retires it, the last commit it may have signed by trail)

    def copy(self):
        other = Trust([])
        other.keys, other.added, other.retired = dict(self.keys), dict(self.added), dict(self.retired)
        return other

    def in_force(self, trail, commit_number):
        return {key_id: key for key_id, key in self.keys.items() if self.allows(key_id, trail, commit_number)}

    def allows(self, key_id, trail, commit_number):
        retired, last = self.retired.get(key_id, (None, {}))
        if trail == JOURNAL:
            return self.added[key_id] < commit_number and (retired is None or commit_number <= retired)
        return retired is None or commit_number <= last.get(trail, 0)

    def add(self, key, commit_number):
        if key.id not in self.keys:
            self.keys[key.id] = key
            self.added[key.id] = commit_number

    def retire(self, key_id, commit_number, heads):
        """`heads` are those of the seal up to which its signatures count in other trails; None if there is no such seal."""
        last = {trail: head["number"] for trail, head in (heads or {}).items()}
        self.retired.setdefault(key_id, (commit_number, last))


def keys_put_in_force(leaf):
    """The public keys that a journal leaf says may sign."""
    said = understood(leaf)
    if said is None or leaf["event"] not in ("archive-created", "key-added"):
        return []
    return said["keys"] if "keys" in said else [said["key"]]


# ---- The standing (§4.4) ----

STATES = {"source-started": "started", "source-resumed": "started", "source-silent": "silent", "source-stopped": "stopped"}


def standing_after(body):
    """What a commit states.  After one of version 1 it is always the same; before the first commit it is empty."""
    if body is None:
        return {}
    return body["standing"] if body["format"] >= 2 else {"state": "started"}


def fold(before, body):
    """The standing before a commit of version 2, with that commit's leaves."""
    after = copy.deepcopy(before)
    for leaf in body["leaves"]:
        if leaf["kind"] == "segment":
            if "received" not in after or parse_time(leaf["received"]) > parse_time(after["received"]):
                after["received"] = leaf["received"]
        elif leaf["kind"] == "seal":
            after["sealed"] = body["number"]
        elif understood(leaf) is not None:
            fold_event(after, leaf, understood(leaf), body["number"])
    left_out_if_0 = {key: 0 for key in ("expired_through", "sealed")}
    return {key: value for key, value in after.items() if value != {} and value is not None and left_out_if_0.get(key) != value}


def fold_event(after, leaf, said, commit_number):
    event = leaf["event"]
    if event in STATES:
        after["state"] = STATES[event]
    elif event == "gap-opened":
        after.setdefault("gaps", {}).setdefault(said["gap"], commit_number)
    elif event == "gap-closed":
        after.get("gaps", {}).pop(said["gap"], None)
    elif event == "hold-placed":
        after.setdefault("holds", {}).setdefault(said["hold"], commit_number)
    elif event == "hold-released":
        after.get("holds", {}).pop(said["hold"], None)
    elif event == "retention-set":
        after["keep_days"], after["keep_until"] = said.get("keep_days"), said.get("keep_until")
    elif event == "expired":
        after["expired_through"] = max(after.get("expired_through", 0), said["through"])
    elif event in ("archive-created", "key-added"):
        for key in keys_put_in_force(leaf):
            after.setdefault("keys", {}).setdefault(key.id, {"key": key.text, "added": commit_number})
    elif event == "key-retired":
        entry = after.get("keys", {}).get(said["key"])
        if entry is not None and "retired" not in entry:
            entry.update({"retired": commit_number, "seal": said["seal"]})
    elif event == "witness-reached":
        after.setdefault("witnesses", {})[said["witness"]] = {"seal": said["seal"], "time": leaf["time"]}
