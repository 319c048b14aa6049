"""The verification of an archive: each trail, what the trails say of one another, and checkpoints kept elsewhere (§7).

Part of the verifier in `verify.py`; see there what it is for.
"""

import json

from archive import COMMIT_NAME, PART, Pin, commit_name, pins_of_heads, read_commit
from objects import (
    MANIFEST, JOURNAL, Damaged, Unreadable, UnknownKey, add_to_frontier, by_id, canonical, check_note, names_an_object, newer,
    newer_format, open_segment, parse_canonical, parse_key, parse_time, segment_fault, sha256, tree_of, understood, NoteText,
)
from standing import Trust, fold, keys_put_in_force, standing_after

DAY = 86400 * 10**9  # nanoseconds
CHAIN_START = "00" * 32


def is_evidence(name):
    """Whether it is there because something was collected (§7.2, 4)."""
    return name.startswith(("raw/", "trails/")) and not f"{name}/".startswith(f"trails/{JOURNAL}/")


class Misplaced(Exception):
    """A commit that sits where another one belongs."""


class Verifier:
    def __init__(self, store, roots, checkpoints=(), since=None, only=(), shallow=False):
        self.store = store
        self.roots = by_id(roots)
        self.checkpoints = list(checkpoints) + ([since] if since else [])
        self.since = since
        self.only = set(only)
        self.shallow = shallow
        self.findings = []
        self.archive_id = None
        self.version = None  # what archive.json says, if it can be believed
        self.trust = Trust(roots)
        self.bases = {}  # trail -> the Commit after which an incremental verification begins
        self.believed = {}  # trail -> its Commits that stood steps 1 to 3
        self.named = set()  # the segments that these name
        self.pins = []
        self.last_heads = {}  # what the seal before stated
        self.segments = self.raw_bytes = 0

    def accuse(self, verdict, name, detail):
        if not any((known["verdict"], known["object"]) == (verdict, name) for known in self.findings):
            self.findings.append({"verdict": verdict, "object": name, "detail": str(detail), "against": True})

    def remark(self, verdict, name, detail):
        self.findings.append({"verdict": verdict, "object": name, "detail": detail, "against": False})

    def concerns(self, trail):
        return not self.only or trail == JOURNAL or trail in self.only

    def run(self):
        unknown = self.only - {name.split("/")[1] for name in self.store.names if name.startswith("trails/")}
        if unknown:
            raise Unreadable(f"there is no trail {sorted(unknown)[0]}")
        self.check_manifest()
        if self.since:
            self.begin_after_checkpoint()
        for trail in [JOURNAL] + sorted(set(self.store.numbers) - {JOURNAL}):
            if self.concerns(trail):
                self.check_trail(trail)
            if trail == JOURNAL:
                for checkpoint in self.checkpoints:
                    self.check_checkpoint(checkpoint)
        self.check_pins()
        self.look_for_extra()

    # -- archive.json (§3; §7.2, 1)

    def check_manifest(self):
        stored = self.store.read("archive.json")
        first = self.first_of_journal()
        if stored is None:
            self.identify(first)
            self.accuse("MISSING", "archive.json", "it is not there")
            return
        stated = understood_manifest(first)
        if stated is not None and stated != sha256(stored).hex():
            self.accuse("MODIFIED", "archive.json", "it is not the one that the journal begins with")
            self.archive_id = first.body["archive"]
            return
        if newer_format(stored, "format"):
            raise newer("archive.json", newer_format(stored, "format"))
        try:
            value = parse_canonical(stored)
            MANIFEST(value, "archive.json")
            self.archive_id, self.version = value["id"], value["format"]
        except Damaged as error:
            self.identify(first)
            self.accuse("MODIFIED", "archive.json", error)

    def first_of_journal(self):
        """Commit 1 of the journal, if a root has signed it."""
        data = self.store.read(commit_name(JOURNAL, 1))
        try:
            commit = read_commit(data) if data is not None else None
            return commit if commit and check_note(commit.note, self.roots) == commit.note_text else None
        except (Damaged, UnknownKey):
            return None

    def identify(self, first):
        """Without archive.json, the archive's id is what its commits say (§7.2, 1)."""
        if first:
            self.archive_id = first.body["archive"]
            return
        for trail in [JOURNAL] + sorted(set(self.store.numbers) - {JOURNAL}):
            for commit_number in self.store.numbers.get(trail, []):
                try:
                    self.archive_id = read_commit(self.store.read(commit_name(trail, commit_number))).body["archive"]
                    return
                except Damaged:
                    continue
        raise Unreadable("this is no archive: neither archive.json nor any commit can be read")

    # -- each trail (§7.1)

    def believe(self, trail, commit_number, trust=None):
        """Steps 1 to 3.  The commit; None if it is not there."""
        name = commit_name(trail, commit_number)
        if commit_number not in self.store.numbers.get(trail, []):
            return None
        data = self.store.read(name)
        keys = (trust or self.trust).in_force(trail, commit_number)
        try:
            commit = read_commit(data)
        except Damaged:
            refuse_newer(name, data, keys)
            raise
        if check_note(commit.note, keys) != commit.note_text:
            raise Damaged("the note does not say what the body says")
        if commit.body["archive"] != self.archive_id or commit.name != name:
            raise Misplaced(f"it was signed for {commit.body['archive']}/{commit.name}")
        return commit

    def believe_or_accuse(self, trail, commit_number):
        name = commit_name(trail, commit_number)
        try:
            return self.believe(trail, commit_number)
        except Damaged as error:
            self.accuse("MODIFIED", name, error)
        except UnknownKey as error:
            self.accuse("KEY-UNKNOWN", name, error)
        except Misplaced as error:
            self.accuse("REORDERED", name, error)
        return None

    def believed_or_none(self, trail, commit_number, trust=None):
        try:
            return self.believe(trail, commit_number, trust)
        except (Damaged, UnknownKey, Misplaced):
            return None

    def check_trail(self, trail):
        past = self.bases.get(trail)  # the Commit before; None if it is not known, or if there is none
        is_known = True
        expected = past.number + 1 if past else 1
        believed = self.believed.setdefault(trail, [])
        for commit_number in self.store.numbers.get(trail, []):
            if commit_number < expected:
                continue  # an incremental verification believes it
            if commit_number > expected:
                detail = f"commits {expected} to {commit_number - 1} are not there"
                self.accuse("MISSING", commit_name(trail, expected), detail)
                is_known = False
            expected = commit_number + 1
            commit = self.believe_or_accuse(trail, commit_number)
            if commit is None:
                is_known = False
                continue
            self.check_by_itself(commit)
            if is_known:
                self.check_history(commit, past)
            if trail == JOURNAL:
                self.check_journal_commit(commit, is_known)
            self.pins += commit.journal_pin()
            believed.append(commit)
            past, is_known = commit, True
        last = believed[-1] if believed else self.bases.get(trail)
        standing = standing_after(last.body) if last else {}
        expired = standing.get("expired_through", 0)
        self.check_segments(trail, expired)
        if expired:
            self.remark("EXPIRED", f"trails/{trail}", f"the segments of commits 1 to {expired} were given up")
        for gap, opened in standing.get("gaps", {}).items():
            self.remark("GAP", gap, f"open since commit {opened} of {trail}, and explained there")

    def check_by_itself(self, commit):
        """What a commit contradicts by itself, whatever came before it (steps 4 and 5)."""
        size, nodes = tree_of(commit.body)
        if len(nodes) != bin(size).count("1"):
            self.accuse("MODIFIED", commit.name, "tree.nodes are not as many as a tree of that size has")
        for leaf in commit.segments():
            if segment_fault(leaf):
                self.accuse("MODIFIED", commit.name, segment_fault(leaf))
            name = leaf["family"] + "#" + leaf["generation"]
            if name not in commit.body["cursors"]:
                self.accuse("GAP", commit.name, f"{name}: there is a segment, and no cursor")
        seals = commit.seals()
        if len(seals) > 1 or (seals and commit.trail != JOURNAL) or any(JOURNAL in heads for heads in seals):
            self.accuse("MODIFIED", commit.name, "a seal that must not be there")
        for index, leaf in enumerate(commit.leaves):
            is_first = (commit.trail, commit.number, index) == (JOURNAL, 1, 0)
            if leaf.get("event") == "archive-created" and not is_first:
                self.accuse("MODIFIED", commit.name, "archive-created is not only the first leaf of the journal")
        for name, cursor in commit.body["cursors"].items():
            ends = [0] + cursor["cuts"]
            if name != cursor["family"] + "#" + cursor["generation"]:
                self.accuse("MODIFIED", commit.name, f"{name}: the cursor is of another generation")
            if ends[-1] != cursor["offset"] or any(end >= later for end, later in zip(ends, ends[1:])):
                self.accuse("MODIFIED", commit.name, f"{name}: the cuts do not ascend to the offset")
            if cursor["complete_to"] > cursor["offset"]:
                self.accuse("MODIFIED", commit.name, f"{name}: complete_to is beyond the offset")

    def check_history(self, commit, past):
        """Steps 4 to 7, where the commit before is known.  `past` is None before commit 1."""
        if commit.body.get("previous") != (past.hash if past else None):
            self.accuse("FORKED", commit.name, "its `previous` is not the hash of the commit before it")
            return  # it continues another history, of which nothing is known
        size, nodes = tree_of(past.body) if past else (0, [])
        for leaf in commit.leaf_hashes:
            nodes = add_to_frontier(size, nodes, leaf)
            size += 1
        if (size, nodes) != tree_of(commit.body):
            self.accuse("MODIFIED", commit.name, "its tree is not the earlier tree with these leaves")
        self.check_continuation(commit, past)
        before = standing_after(past.body if past else None)
        if past and commit.body["format"] < past.body["format"]:
            self.accuse("MODIFIED", commit.name, "a commit of version 1 after one of version 2")
        if commit.body["format"] >= 2:
            if fold(before, commit.body) != commit.body["standing"]:
                self.accuse("MODIFIED", commit.name, "its standing is not the earlier one with these leaves")
            went_back = past and parse_time(commit.body["time"]) < parse_time(past.body["time"])
            if went_back and not commit.events("clock-went-back"):
                self.accuse("REORDERED", commit.name, "its time is before that of the commit before it")
        for leaf in commit.events("expired"):
            if understood(leaf):
                self.check_retention(commit, leaf, before)

    def check_continuation(self, commit, past):
        """Step 5: segments continue one another, and the cursors are what they add up to."""
        start = 0, CHAIN_START
        cursors = past.body["cursors"] if past else {}
        reached = {name: (cursor["offset"], cursor["chain"]) for name, cursor in cursors.items()}
        for leaf in commit.segments():
            name = leaf["family"] + "#" + leaf["generation"]
            offset, chain = reached.get(name, start)
            if leaf["from"] != offset:
                self.accuse("GAP", commit.name, f"{name}: a segment from {leaf['from']} follows {offset}")
            reached[name] = leaf["to"], sha256(bytes.fromhex(chain + leaf["raw_sha256"])).hex()
        for name, cursor in commit.body["cursors"].items():
            if (cursor["offset"], cursor["chain"]) != reached.get(name, start):
                self.accuse("GAP", commit.name, f"{name}: the cursor is not what the segments add up to")

    def check_retention(self, commit, leaf, before):
        """Step 7."""
        through, now = understood(leaf)["through"], parse_time(leaf["time"])
        given_up = self.believed_or_none(commit.trail, through) if through < commit.number else None
        problem = None
        if "holds" in before:
            problem = "a hold was in place: " + ", ".join(before["holds"])
        elif "keep_days" not in before:
            problem = "no retention was set"
        elif "keep_until" in before and now < parse_time(before["keep_until"]):
            problem = "nothing was to be given up before " + before["keep_until"]
        elif given_up is None:
            problem = f"there is no commit {through} before this one that can be believed"
        elif now < parse_time(given_up.body["time"]) + before["keep_days"] * DAY:
            problem = f"what commit {through} names was to be kept longer"
        if problem:
            self.accuse("MISSING", commit.name, "given up too early: " + problem)

    def check_journal_commit(self, commit, is_known):
        """What the journal says of keys (§6), of itself (§4.1), and of heads (§7.2)."""
        if commit.number == 1 and understood_manifest(commit) is None:
            self.accuse("MODIFIED", commit.name, "the journal does not begin with the archive's creation")
        if not is_known:
            self.take_keys(commit.body["standing"], self.trust)
        for leaf in commit.leaves:
            for key in keys_put_in_force(leaf):
                self.trust.add(key, commit.number)
            said = understood(leaf) if leaf.get("event") == "key-retired" else None
            if said:
                sealed = self.believed_or_none(JOURNAL, said["seal"]) if said["seal"] < commit.number else None
                heads = sealed.heads() if sealed else None
                if heads is None:
                    self.accuse("MODIFIED", commit.name, f"it retires a key by the seal in commit {said['seal']}, which has none")
                self.trust.retire(said["key"], commit.number, heads)
        for heads in commit.seals():
            for trail, head in self.last_heads.items():
                if trail not in heads or heads[trail]["number"] < head["number"]:
                    self.accuse("ROLLED-BACK", commit.name, f"its seal names less of {trail} than the one before it")
            new = {trail: head for trail, head in heads.items() if self.last_heads.get(trail) != head}
            self.pins += pins_of_heads(new, commit.name, True)
            self.last_heads = heads

    def take_keys(self, standing, trust):
        """After a journal commit that cannot be believed, the keys of the next standing are in force, too (§6)."""
        for entry in standing.get("keys", {}).values():
            trust.add(parse_key(entry["key"]), entry["added"])
        self.take_retired(standing, trust)

    def take_retired(self, standing, trust):
        for key_id, entry in standing.get("keys", {}).items():
            if "retired" in entry:
                sealed = self.believed_or_none(JOURNAL, entry.get("seal", 0), trust)
                trust.retire(key_id, entry["retired"], sealed.heads() if sealed else None)

    def check_segments(self, trail, expired_through):
        """Step 8."""
        commits = self.believed[trail]
        needed = set()  # what must be there although it is named by a commit up to `expired_through`
        for commit in commits:
            if commit.number == expired_through:
                for cursor in commit.body["cursors"].values():
                    needed.update(leaf["object"] for leaf in cursor.get("unfinished", []))
        for commit in commits:
            for leaf in commit.segments():
                name = leaf["object"]
                if names_an_object(leaf):
                    self.named.add(name)
                    if commit.number > expired_through or name in needed:
                        self.check_segment(commit, leaf)

    def check_segment(self, commit, leaf):
        name = leaf["object"]
        self.segments += 1
        if self.shallow:
            self.raw_bytes += max(leaf["to"] - leaf["from"], 0)
            if self.only or self.since:
                return
        if name not in self.store.names:
            self.accuse("MISSING", name, f"{commit.name} names it")
            return
        try:
            if not self.shallow:
                self.raw_bytes += len(open_segment(leaf, self.store.read(name)))
            elif self.store.size(name) != leaf["object_size"]:
                raise Damaged("it has another size than the one stated")
        except Damaged as error:
            self.accuse("MODIFIED", name, error)

    # -- what the trails say of one another (§7.2, 2)

    def check_pins(self):
        beyond = {}  # trail -> the highest pin beyond its end
        for pin in self.pins:
            stored = self.store.numbers.get(pin.trail, [])
            base = self.bases.get(pin.trail)
            if not self.concerns(pin.trail) or (base and pin.number < base.number):
                continue
            if not stored:
                self.accuse("MISSING", f"trails/{pin.trail}", f"{pin.said_by} names its commit {pin.number}")
            elif pin.number <= stored[-1]:
                self.check_pinned_commit(pin, base)
            elif pin.trail not in beyond or pin.number > beyond[pin.trail].number:
                beyond[pin.trail] = pin
        for trail, pin in beyond.items():
            detail = f"it ends at commit {self.store.numbers[trail][-1]}, and {pin.said_by} names commit {pin.number}"
            self.accuse("TRUNCATED", f"trails/{trail}", detail)
        if self.version == 2 and not self.store.numbers.get(JOURNAL) and any(map(is_evidence, self.store.names)):
            self.accuse("MISSING", f"trails/{JOURNAL}", "it begins before anything else is stored")

    def check_pinned_commit(self, pin, base):
        """If it is not there or not believed, it was accused already."""
        candidates = [base] if base else []
        commit = next((each for each in candidates + self.believed.get(pin.trail, []) if each.number == pin.number), None)
        if commit is None:
            return
        if commit.hash != pin.hash:
            self.accuse("FORKED", commit_name(pin.trail, pin.number), f"{pin.said_by} names another commit of this number")
        elif pin.tree and pin.tree != commit.size_and_root():
            self.accuse("MODIFIED", pin.said_by, f"its seal states another tree than commit {pin.number} of {pin.trail} has")

    # -- checkpoints that were kept elsewhere (§7.3)

    def is_in_force(self, checkpoint, trust, accuse):
        """Whether a checkpoint is of this archive, and signed by a key that counts there."""
        try:
            check_note(checkpoint.note, trust.in_force(JOURNAL, checkpoint.number))
            problem = None
        except (UnknownKey, Damaged) as error:
            problem = ("KEY-UNKNOWN" if isinstance(error, UnknownKey) else "MODIFIED"), error
        if checkpoint.said.archive != self.archive_id:
            problem = "FORKED", f"it is of the archive {checkpoint.said.archive}"
        if problem and accuse:
            self.accuse(problem[0], checkpoint.name, problem[1])
        return problem is None

    def stored_commit(self, checkpoint):
        """The journal's commit that the checkpoint is of, as it is stored; None if that is not there."""
        if checkpoint.number not in self.store.numbers.get(JOURNAL, []):
            return None
        try:
            commit = read_commit(self.store.read(commit_name(JOURNAL, checkpoint.number)))
        except Damaged:
            return None
        return commit if checkpoint.is_of(commit) else None

    def check_checkpoint(self, checkpoint):
        if not self.is_in_force(checkpoint, self.trust, True):
            return
        name, base = commit_name(JOURNAL, checkpoint.number), self.bases.get(JOURNAL)
        last = self.store.numbers.get(JOURNAL, [0])[-1]
        stored = self.stored_commit(checkpoint)
        if checkpoint.number > last:
            self.accuse("ROLLED-BACK", f"trails/{JOURNAL}", f"it ends at commit {last}, before {checkpoint.name}")
        elif stored is None:
            is_covered = base is not None and checkpoint.number <= base.number
            if is_covered or self.believed_or_none(JOURNAL, checkpoint.number):  # else it was accused already
                self.accuse("FORKED", name, f"{checkpoint.name} is of another commit of this number")
        heads = next((commit.heads() for commit in (checkpoint.commit, stored) if commit), None)
        self.pins += pins_of_heads(heads or {}, checkpoint.name, False)

    def begin_after_checkpoint(self):
        """An incremental verification: finds the commits after which each trail is looked at.  Where there is none, the
        trail is looked at from its beginning; the checkpoint's pins will say what is wrong."""
        journal = self.stored_commit(self.since)
        if journal is None:
            return
        trust = self.trust.copy()
        standing = journal.body.get("standing", {})
        for entry in sorted(standing.get("keys", {}).values(), key=lambda entry: entry["added"]):
            adding = self.believed_or_none(JOURNAL, entry["added"], trust)
            for key in (key for leaf in adding.leaves for key in keys_put_in_force(leaf)) if adding else ():
                if key.text == entry["key"]:
                    trust.add(key, entry["added"])
        self.take_retired(standing, trust)
        if not self.is_in_force(self.since, trust, False):
            return
        self.trust = trust
        if journal.heads() is None:
            raise Unreadable(f"{self.since.name} has no seal: there is nothing to begin after")
        self.bases[JOURNAL] = journal
        self.last_heads = journal.heads()
        for trail, head in journal.heads().items():
            data = self.store.read(commit_name(trail, head["number"]))
            if data is not None and sha256(data).hex() == head["commit"]:
                try:
                    self.bases[trail] = read_commit(data)
                except Damaged:
                    continue
        self.pins += [Pin(JOURNAL, journal.number, journal.hash, self.since.name, None)]

    # -- what nobody names

    def look_for_extra(self):
        for name in sorted(self.store.names):
            parts = name.split("/")
            if parts[0] == "raw" and not self.only and not self.since and name not in self.named:
                self.remark("EXTRA", name, "no commit names it")
            elif parts[0] == "trails" and not (len(parts) > 2 and PART.fullmatch(parts[1])):
                self.remark("EXTRA", name, "it is of no trail")
            elif parts[0] == "trails" and self.concerns(parts[1]):
                match = COMMIT_NAME.fullmatch(name)
                is_commit = match and int(match.group(2)) > 0
                if not is_commit and parts[2:] != ["head"]:
                    self.remark("EXTRA", name, "it is no part of a trail")

    def report(self, strict):
        trails = {trail: len(commits) for trail, commits in self.believed.items() if trail != JOURNAL}
        return {
            "verdict": verdict_of(self.findings, strict),
            "trails": len(set(trails) & set(self.store.numbers)),
            "commits": sum(trails.values()),
            "journal_commits": len(self.believed.get(JOURNAL, [])),
            "segments": self.segments,
            "raw_bytes": self.raw_bytes,
            "findings": self.findings,
        }


def verdict_of(findings, strict=False):
    counts = [finding["against"] or (strict and finding["verdict"] != "EXPIRED") for finding in findings]
    return "FAILED" if any(counts) else "OK"


def understood_manifest(commit):
    """The hash of archive.json that the journal's first leaf states; None if there is none."""
    leaf = commit.leaves[0] if commit and commit.leaves else {}
    return leaf.get("detail", {}).get("manifest") if leaf.get("event") == "archive-created" else None


def refuse_newer(name, data, keys):
    """A commit of a higher format is not damaged if its note is right as far as that can be told (§2)."""
    version = newer_format(data, "body", "format")
    if not version:
        return
    try:
        value = json.loads(data)  # in whatever spelling a later document allows
        said = NoteText(check_note(value["checkpoint"], keys))
        is_right = said.body_hash == sha256(canonical(value["body"])).hex()
    except (Damaged, UnknownKey, KeyError, TypeError):
        return
    if is_right:
        raise newer(name, version)


def keys_of_archive(store):
    """The archive's own keys, for whoever has no others (§3)."""
    try:
        value = parse_canonical(store.read("archive.json") or b"")
        MANIFEST(value, "archive.json")
    except Damaged as error:
        raise Unreadable(f"archive.json has no keys to use: {error}") from error
    return [parse_key(key) for key in value["keys"]]

