"""Tests of the verifier: a tiny writer builds archives by the specification, and damages them.

Run with `python -m unittest` in this folder.  The writer does what it can in another way than the verifier does.
"""

import base64
import contextlib
import hashlib
import io
import json
import os
import shutil
import sys
import tempfile
import unittest
from unittest import mock

import zstandard
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import objects  # noqa: E402
import verify  # noqa: E402

ARCHIVE = "0123456789abcdef0123456789abcdef"
FRAME = 512 * 1024
TRAIL = "a.r.db1.log-files"
OTHER = "a.r.db2.log-files"
DAY = 86400


# ---- The writer ----


def sha(data):
    return hashlib.sha256(data).digest()


def spell(value):
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def tree(leaf_hashes):
    """RFC 6962 §2.1, by its recursive definition, over hashes of leaves."""
    if not leaf_hashes:
        return sha(b"")
    if len(leaf_hashes) == 1:
        return leaf_hashes[0]
    split = largest_power_below(len(leaf_hashes))
    return sha(b"\x01" + tree(leaf_hashes[:split]) + tree(leaf_hashes[split:]))


def largest_power_below(size):
    power = 1
    while power * 2 < size:
        power *= 2
    return power


def path(index, leaf_hashes):
    if len(leaf_hashes) == 1:
        return []
    split = largest_power_below(len(leaf_hashes))
    if index < split:
        return path(index, leaf_hashes[:split]) + [tree(leaf_hashes[split:])]
    return path(index - split, leaf_hashes[split:]) + [tree(leaf_hashes[:split])]


def frontier(leaf_hashes):
    nodes, start, bit = [], 0, 1 << len(leaf_hashes).bit_length()
    while bit:
        if len(leaf_hashes) & bit:
            nodes.append(tree(leaf_hashes[start : start + bit]).hex())
            start += bit
        bit >>= 1
    return nodes


def leaf_hashes(leaves):
    return [sha(b"\x00" + spell(leaf)) for leaf in leaves]


class Ed25519Signer:
    def __init__(self, name):
        self.name, self.key = name, ed25519.Ed25519PrivateKey.generate()
        raw = self.key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self.key_id = sha(name.encode() + b"\n\x01" + raw)[:4]
        self.id = f"{name}+{self.key_id.hex()}"
        self.text = self.id + "+" + base64.b64encode(b"\x01" + raw).decode()

    def signature(self, message):
        return self.key.sign(message)

    def line(self, message):
        signature = base64.b64encode(self.key_id + self.signature(message)).decode()
        return f"\u2014 {self.name} {signature}\n"


class EcdsaSigner(Ed25519Signer):
    def __init__(self, name, curve=None):
        self.name, self.key = name, ec.generate_private_key(curve or ec.SECP256R1())
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        der = self.key.public_key().public_bytes(serialization.Encoding.DER, form)
        self.key_id = sha(der)[:4]
        self.id = f"{name}+{self.key_id.hex()}"
        self.text = self.id + "+" + base64.b64encode(b"\x02" + der).decode()

    def signature(self, message):
        return self.key.sign(message, ec.ECDSA(hashes.SHA256()))


ROOT = Ed25519Signer("test.example/root")
STRANGER = Ed25519Signer("test.example/stranger")
SECOND = EcdsaSigner("test.example/second")


def at(seconds):
    """A time, some seconds after a fixed one."""
    days, rest = divmod(seconds, DAY)
    return f"2026-01-{days + 1:02}T{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}Z"


def control(event, when=0, **detail):
    leaf = {"kind": "control", "event": event, "time": at(when)}
    if detail:
        leaf["detail"] = {key.rstrip("_"): value for key, value in detail.items()}
    return leaf


def note_of(text, signers):
    return text + "\n" + "".join(signer.line(text.encode()) for signer in signers)


def text_of(body, root):
    size, digest = body["tree"]["size"], sha(spell(body)).hex()
    origin = f"auditkeep/{body['archive']}/{body['trail']}"
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\ncommit {body['number']} {digest}\n"


def zstd(data):
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


def noise(size, seed=b""):
    """Bytes that do not compress well."""
    return b"".join(sha(seed + str(index).encode()) for index in range(size // 32 + 1))[:size]


class Writer:
    def __init__(self, directory, version=2, archive=ARCHIVE, signer=ROOT):
        self.directory, self.version, self.archive, self.signer = directory, version, archive, signer
        self.bodies = {}  # trail -> bodies
        self.hashes = {}  # trail -> hashes of stored commits
        self.leaves = {}  # trail -> all leaves
        self.notes = {}
        self.clock = 0
        manifest = {"format": version, "id": archive, "created": at(0), "keys": [signer.text]}
        self.put("archive.json", spell(manifest))
        if version == 2:
            self.create_journal()

    def create_journal(self):
        with open(os.path.join(self.directory, "archive.json"), "rb") as file:
            manifest = sha(file.read()).hex()
        self.commit("journal", [control("archive-created", manifest=manifest, keys=self.signer.text)])

    def put(self, name, data):
        file = os.path.join(self.directory, *name.split("/"))
        os.makedirs(os.path.dirname(file), exist_ok=True)
        with open(file, "wb") as opened:
            opened.write(data)

    def commit(self, trail, leaves, change=None, signers=None, version=None, note=None, cursors=None):
        """Writes the next commit.  `change` may alter the body before it is signed; the later commits follow the altered one."""
        version = version or self.version
        bodies = self.bodies.setdefault(trail, [])
        all_leaves = self.leaves.setdefault(trail, [])
        all_leaves += leaves
        before = bodies[-1] if bodies else None
        self.clock += 60
        body = {
            "format": version,
            "archive": self.archive,
            "trail": trail,
            "number": len(bodies) + 1,
            "time": at(self.clock),
            "writer": "test 1",
            "source": self.source(trail),
            "leaves": leaves,
            "tree": {"size": len(all_leaves), "nodes": frontier(leaf_hashes(all_leaves))},
        }
        if bodies:
            body["previous"] = self.hashes[trail][-1]
        body["cursors"] = {}
        if trail != "journal":
            body["cursors"] = cursors if cursors is not None else (before or {}).get("cursors", {})
            if version == 2:
                body["journal"] = {"number": len(self.bodies["journal"]), "commit": self.hashes["journal"][-1]}
        if version == 2:
            body["standing"] = standing(before, body)
        body = json.loads(spell(body))  # a copy
        if change:
            change(body)
        data = self.sealed_bytes(body, tree(leaf_hashes(all_leaves)), signers or [self.signer], note)
        bodies.append(body)
        self.hashes.setdefault(trail, []).append(sha(data).hex())
        self.put(f"trails/{trail}/commits/{body['number']:020}.json", data)
        return body

    def sealed_bytes(self, body, root, signers, note=None):
        spelled = note or note_of(text_of(body, root), signers)
        self.notes[body["trail"], body["number"]] = spelled
        return spell({"body": body, "checkpoint": spelled})

    def source(self, trail):
        if trail == "journal":
            empty = {key: "" for key in ("account", "region", "instance", "engine")}
            return {"kind": "journal", "resource_id": self.archive, **empty}
        source = {"kind": "log-files", "account": "a", "region": "r", "resource_id": trail.split(".")[2]}
        return {**source, "instance": "db", "engine": "postgres"}

    def segment(self, data, family="x.csv", start=0, chain=bytes(32), cuts=(), store=None, version=None, framed=True):
        """Stores a segment.  Returns its leaf and the cursor after it."""
        version = version or self.version
        frames = [zstd(data[position : position + FRAME]) for position in range(0, len(data), FRAME)]
        if version == 1 or not framed:
            frames = [zstd(data)]
        stored = b"".join(frames) if store is None else store
        raw_hash = sha(data)
        generation = sha(family.encode()).hex()[:16]
        end = start + len(data)
        name = f"raw/a/r/db/2026/01/01/{family}/{generation}/{start}-{end}-{raw_hash.hex()}.zst"
        self.put(name, stored)
        common = {"log": family, "family": family, "generation": generation, "format": "postgresql-csvlog", "complete_to": end}
        leaf = {"kind": "segment", "from": start, "to": end, "raw_sha256": raw_hash.hex(), "object": name, **common}
        leaf.update({"object_sha256": sha(stored).hex(), "object_size": len(stored), "received": at(self.clock)})
        if version == 2 and framed:
            leaf["frames"] = tree([sha(b"\x00" + frame) for frame in frames]).hex()
        cursor = {"day": "2026/01/01", "offset": end, "cuts": [*cuts, end], "chain": sha(chain + raw_hash).hex(), **common}
        cursor.update({"listed": {"size": end, "last_written_ms": 1}, "settled": False})
        return leaf, cursor

    def collect(self, trail, data, family="x.csv", extra=(), **options):
        """A commit with one more segment of a family."""
        known = self.bodies[trail][-1]["cursors"] if self.bodies.get(trail) else {}
        key = family + "#" + sha(family.encode()).hex()[:16]
        past = known.get(key, {"offset": 0, "chain": "00" * 32, "cuts": []})
        making = {key: options.pop(key) for key in ("store", "framed") if key in options}
        chain = bytes.fromhex(past["chain"])
        version = options.get("version")
        leaf, cursor = self.segment(data, family, past["offset"], chain, past["cuts"], version=version, **making)
        cursors = {**known, key: cursor}
        if "cursors" in options:
            cursors = options.pop("cursors")(cursors)
        self.commit(trail, [leaf, *extra], cursors=cursors, **options)
        return leaf

    def seal(self, **options):
        heads = {}
        for trail, bodies in self.bodies.items():
            if trail != "journal":
                leaves = self.leaves[trail]
                root = tree(leaf_hashes(leaves)).hex()
                heads[trail] = {"number": len(bodies), "commit": self.hashes[trail][-1], "size": len(leaves), "root": root}
        self.commit("journal", [{"kind": "seal", "time": at(0), "heads": heads}], **options)


def standing(before, body):
    """§4.4, for what these tests write."""
    if before is None:
        after = {}
    elif before["format"] == 1:
        after = {"state": "started"}
    else:
        after = json.loads(json.dumps(before["standing"]))
    number = body["number"]
    for leaf in body["leaves"]:
        detail, event = leaf.get("detail", {}), leaf.get("event")
        if leaf["kind"] == "segment":
            after["received"] = max(after.get("received", ""), leaf["received"])  # no fractions in these tests
        if leaf["kind"] == "seal":
            after["sealed"] = number
        if event in ("source-started", "source-resumed"):
            after["state"] = "started"
        if event == "source-stopped":
            after["state"] = "stopped"
        if event == "source-silent":
            after["state"] = "silent"
        for word, key, add, remove in (("gap", "gaps", "opened", "closed"), ("hold", "holds", "placed", "released")):
            if event == f"{word}-{add}" and detail[word] not in after.get(key, {}):
                after.setdefault(key, {})[detail[word]] = number
            if event == f"{word}-{remove}":
                after[key].pop(detail[word])
        if event == "retention-set":
            after["keep_days"], after["keep_until"] = int(detail.get("keep_days", 0)), detail.get("keep_until")
        if event == "expired":
            after["expired_through"] = max(int(detail["through"]), after.get("expired_through", 0))
        if event in ("archive-created", "key-added"):
            for key in detail.get("keys", detail.get("key")).split(" "):
                after.setdefault("keys", {}).setdefault("+".join(key.split("+")[:2]), {"key": key, "added": number})
        if event == "key-retired" and detail["key"] in after["keys"]:
            after["keys"][detail["key"]].update(retired=number, seal=int(detail["seal"]))
        if event == "witness-reached":
            reached = {"seal": int(detail["seal"]), "time": leaf["time"]}
            after.setdefault("witnesses", {})[detail["witness"]] = reached
    return {key: value for key, value in after.items() if value}


# ---- Help for the tests ----


class ArchiveTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.directory = os.path.join(self.folder, "archive")
        os.mkdir(self.directory)

    def run_verifier(self, *arguments):
        """Exit code, and what was printed."""
        output = io.StringIO()
        command = ["verify.py", *arguments]
        with mock.patch.object(sys, "argv", command), contextlib.redirect_stdout(output):
            with contextlib.redirect_stderr(io.StringIO()):
                code = verify.main()
        return code, json.loads(output.getvalue()) if output.getvalue() else None

    def check(self, expected, *arguments, keys=(ROOT,)):
        """Compares the findings, as set of (verdict, object)."""
        for key in keys:
            arguments += ("--key", key.text)
        code, report = self.run_verifier(self.directory, *arguments)
        self.assertIsNotNone(report, "could not be read")
        found = [(finding["verdict"], finding["object"]) for finding in report["findings"]]
        self.assertEqual(sorted(found), sorted(expected), report["findings"])
        failed = any(finding["against"] for finding in report["findings"])
        self.assertEqual((code, report["verdict"]), (3, "FAILED") if failed or "--strict" in arguments else (0, "OK"))
        return report

    def file(self, name):
        return os.path.join(self.directory, *name.split("/"))

    def read(self, name):
        with open(self.file(name), "rb") as file:
            return file.read()

    def write(self, name, data):
        os.makedirs(os.path.dirname(self.file(name)), exist_ok=True)
        with open(self.file(name), "wb") as file:
            file.write(data)

    def remove(self, name):
        os.remove(self.file(name))

    def outside(self, name, data):
        """A file outside the archive."""
        file = os.path.join(self.folder, name)
        with open(file, "wb") as opened:
            opened.write(data)
        return file


def commit_name(number, trail=TRAIL):
    return f"trails/{trail}/commits/{number:020}.json"


def journal_name(number):
    return commit_name(number, "journal")


def started():
    return control("source-started")


# ---- Archives that hold ----


class Good(ArchiveTest):
    def test_version_1(self):
        writer = Writer(self.directory, 1)
        writer.commit(TRAIL, [started()])
        writer.collect(TRAIL, b"one\n")
        writer.collect(TRAIL, b"two\n")
        writer.collect(TRAIL, b"other\n", family="y.csv")
        writer.put(f"trails/{TRAIL}/head", b"3")
        report = self.check([])
        counts = {key: report[key] for key in ("trails", "commits", "segments", "raw_bytes")}
        self.assertEqual(counts, {"trails": 1, "commits": 4, "segments": 3, "raw_bytes": 14})

    def test_version_2(self):
        writer = Writer(self.directory)
        writer.commit(TRAIL, [started()])
        writer.collect(TRAIL, noise(FRAME * 2 + 5))
        writer.collect(TRAIL, noise(FRAME * 2))
        writer.collect(OTHER, b"x", framed=False)
        writer.seal()
        writer.commit("journal", [control("witness-reached", witness="w", seal="2")])
        writer.commit(TRAIL, [control("source-silent"), control("source-resumed"), control("what-is-new", any="thing")])
        writer.seal()
        report = self.check([])
        self.assertEqual((report["trails"], report["commits"], report["journal_commits"]), (2, 5, 4))

    def test_version_2_after_version_1(self):
        writer = Writer(self.directory, 1)
        writer.commit(TRAIL, [started(), control("gap-opened", gap="g")])
        writer.collect(TRAIL, b"one\n")
        writer.version = 2
        writer.create_journal()
        writer.collect(TRAIL, b"two\n")
        writer.collect(TRAIL, b"three\n")
        self.check([])

    def test_ecdsa(self):
        writer = Writer(self.directory, signer=SECOND)
        writer.collect(TRAIL, b"one\n")
        self.check([], keys=[SECOND])
        self.check([("KEY-UNKNOWN", journal_name(1)), ("KEY-UNKNOWN", commit_name(1)), ("EXTRA", self.raw(writer))])

    def raw(self, writer):
        return writer.leaves[TRAIL][0]["object"]

    def test_more_signatures(self):
        writer = Writer(self.directory)
        writer.commit(TRAIL, [started()], signers=[STRANGER, ROOT, SECOND])
        self.check([])
        self.check([], keys=[ROOT, SECOND])

    def test_archive_without_trails(self):
        Writer(self.directory, 1)
        self.check([])

    def test_forgotten_cursor_begins_anew(self):
        writer = Writer(self.directory)
        writer.collect(TRAIL, b"one\n")
        writer.commit(TRAIL, [], cursors={})
        writer.collect(TRAIL, b"one\n")
        self.check([])

    def test_keys_from_a_file_and_none(self):
        Writer(self.directory)
        file = self.outside("keys", (STRANGER.text + "\n" + ROOT.text + "\n").encode())
        self.assertEqual(self.run_verifier(self.directory, "--key", file)[0], 0)
        self.assertEqual(self.run_verifier(self.directory)[0], 0)

    def test_open_gap(self):
        writer = Writer(self.directory)
        writer.commit(TRAIL, [control("gap-opened", gap="x#1@5", cursor="x#1", from_="5"), control("gap-opened", gap="other")])
        writer.commit(TRAIL, [control("gap-closed", gap="other", how="came")])
        self.check([("GAP", "x#1@5")])
        self.check([("GAP", "x#1@5")], "--strict")

    def test_extra(self):
        writer = Writer(self.directory)
        writer.commit(TRAIL, [started()])
        extra = ["raw/a/left.zst", f"trails/{TRAIL}/what", f"trails/{TRAIL}/commits/1.json", commit_name(0), "trails/x/head"]
        for name in extra + ["events/x", "problems/y", "else"]:
            self.write(name, b"")
        self.check([("EXTRA", name) for name in extra[:-1]])


# ---- Spelling ----


class Spelling(ArchiveTest):
    def test_canonical(self):
        value = {"\u20ac": 1, "\r": 2, "1": [True, False, "\x7f\x0f\n\"\\/\b"], "\U0001f600": 4, "\ufb33": 5}
        spelled = '{"\\r":2,"1":[true,false,"\x7f\\u000f\\n\\"\\\\/\\b"],"\u20ac":1,"\U0001f600":4,"\ufb33":5}'.encode()
        self.assertEqual(objects.canonical(value), spelled)
        self.assertEqual(objects.parse_canonical(spelled), value)

    def test_refused(self):
        refused = [
            b'{"a": 1}', b'{"b":1,"a":1}', b'{"a":1,"a":1}', b'{"a":1}\n', b'{"a":1.0}', b'{"a":1e2}', b'{"a":null}', b'{"a":-0}',
            b'{"a":9007199254740992}', b'{"a":' + b"1" * 5000 + b"}", b'{"a":"\\u0041"}', b'{"a":"\\/"}', b'{"a":"\\u000F"}',
            b'\xef\xbb\xbf{"a":1}', b'{"a":"\\ud800"}', b'{"a":"\xff"}', b'{"a":NaN}', b"", b"{", b"[" * 100000, b'{"\\ud800":1}',
            b'{"a":01}', b'{"a":"\n"}',
        ]
        for data in refused:
            with self.assertRaises(objects.Damaged, msg=data[:30]):
                objects.parse_canonical(data)
        self.assertEqual(objects.parse_canonical(b'{"a":9007199254740991}'), {"a": 2**53 - 1})

    def test_times(self):
        self.assertEqual(objects.parse_time("1970-01-02T00:00:01.5Z"), 86401 * 10**9 + 5 * 10**8)
        self.assertEqual(objects.parse_time("1970-01-01T00:00:00.000000001Z"), 1)
        for wrong in (
            "2026-01-01T00:00:00.10Z", "2026-01-01T00:00:00.0Z", "2026-02-30T00:00:00Z", "2026-01-01T00:00:00+00:00",
            "2026-01-01 00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:00:60Z", "2026-01-01T00:00:00.1234567891Z", "", "x",
        ):
            with self.assertRaises(objects.Damaged, msg=wrong):
                objects.parse_time(wrong)

    def test_spelling_of_a_commit(self):
        writer = Writer(self.directory)
        writer.commit(TRAIL, [started()])
        good = self.read(commit_name(1))
        for bad in (good + b"\n", good.replace(b":", b": ", 1), b"", b"{}", b"[]", good[:-1], good.replace(b'"body"', b'"bodi"')):
            self.write(commit_name(1), bad)
            self.check([("MODIFIED", commit_name(1))])

    def test_shape_of_a_commit(self):
        segment_changes = [
            ("from", -1), ("raw_sha256", "00"), ("received", "now"), ("extra", 1), ("log", 1), ("frames", "x"),
        ]
        changes = [lambda body, k=key, v=value: body["leaves"][0].update({k: v}) for key, value in segment_changes]
        changes += [
            lambda body: body.update(extra=1),
            lambda body: body.pop("writer"),
            lambda body: body.pop("standing"),
            lambda body: body.pop("journal"),
            lambda body: body.update(time="2026-01-01T00:00:00.0Z"),
            lambda body: body.update(time="2026-13-01T00:00:00Z"),
            lambda body: body.update(format=0),
            lambda body: body.update(format=True),
            lambda body: body.update(format="2"),
            lambda body: body.update(format=1),  # has keys of version 2
            lambda body: body["leaves"].append({"kind": "other"}),
            lambda body: body["leaves"].append({**control("x"), "detail": {}}),
            lambda body: body["leaves"].append(control("x", what=5)),
            lambda body: body["standing"].update(holds={}),
            lambda body: body["standing"].update(expired_through=0),
            lambda body: body["standing"].update(other=1),
            lambda body: next(iter(body["cursors"].values())).update(evidence_only=False),
            lambda body: next(iter(body["cursors"].values())).update(settled=1),
            lambda body: next(iter(body["cursors"].values())).update(unfinished=[]),
            lambda body: body["source"].pop("engine"),
            lambda body: body["source"].update(cluster=None or 7),
            lambda body: body.update(format=1, leaves=[{"kind": "seal", "time": at(0), "heads": {}}]),
        ]
        for index, change in enumerate(changes):
            with self.subTest(index):
                shutil.rmtree(self.directory)
                os.mkdir(self.directory)
                writer = Writer(self.directory)
                leaf = writer.collect(TRAIL, b"one\n", change=change)
                self.check([("MODIFIED", commit_name(1)), ("EXTRA", leaf["object"])])

    def test_what_a_commit_contradicts_by_itself(self):
        """It is believed, so that what it names is not extra; but it is accused."""
        object_changes = [("object", name) for name in ("raw/../x", "/etc/passwd", "raw/.x", "raw/a b", "archive.json", "raw//x")]
        for key, value in [("to", 0), ("complete_to", 99), *object_changes]:
            with self.subTest(key=key, value=value):
                self.start_anew()
                writer = Writer(self.directory)
                leaf, cursor = writer.segment(b"one\n")
                self.remove(leaf["object"])
                leaf[key] = value
                writer.commit(TRAIL, [leaf], cursors={leaf["family"] + "#" + leaf["generation"]: cursor})
                found = {(finding["verdict"], finding["object"]) for finding in self.findings()}
                self.assertIn(("MODIFIED", commit_name(1)), found)
                self.assertEqual(key != "object", ("MISSING", leaf["object"]) in found)
        for change in (
            lambda body: body["tree"]["nodes"].append("00" * 32),
            lambda body: body["leaves"].append({"kind": "seal", "time": at(0), "heads": {}}),
        ):
            self.start_anew()
            Writer(self.directory).commit(TRAIL, [started()], change=change)
            self.check([("MODIFIED", commit_name(1))])

    def start_anew(self):
        shutil.rmtree(self.directory)
        os.mkdir(self.directory)

    def findings(self):
        return self.run_verifier(self.directory, "--key", ROOT.text)[1]["findings"]

    def test_shape_of_a_journal_commit(self):
        head = {"number": 1, "commit": "00" * 32, "size": 1, "root": "00" * 32}
        seal = {"kind": "seal", "time": at(0), "heads": {}}
        for leaves, found in (
            ([{**seal, "heads": {"journal": head}}], [("MODIFIED", journal_name(2)), ("FORKED", journal_name(1))]),
            ([seal, seal], [("MODIFIED", journal_name(2))]),
        ):
            self.start_anew()
            Writer(self.directory).commit("journal", leaves)
            self.check(found)

    def test_malformed_control_leaves_change_nothing(self):
        for leaf in (
            control("key-added", key="x"),
            control("key-added", key=EcdsaSigner("x", ec.SECP384R1()).text),
            control("key-added", key=f"{SECOND.text} {STRANGER.text}"),
            control("key-retired", key=ROOT.id),
            control("key-retired", key=ROOT.id, seal="01"),
            control("witness-reached", witness="w", seal="x"),
            control("expired"),
            control("expired", through="01"),
            control("retention-set", keep_days="-1"),
            control("retention-set", keep_days="1", keep_until="now"),
            control("hold-placed"),
            control("gap-opened", cursor="x"),
        ):
            for trail in ("journal", TRAIL):
                with self.subTest(leaf=leaf, trail=trail):
                    self.start_anew()
                    writer = Writer(self.directory)
                    writer.commit(TRAIL, [started()])
                    with mock.patch(__name__ + ".standing", lambda before, body: before["standing"]):
                        writer.commit(trail, [leaf])
                    self.check([])

    def test_version_1_commit_in_the_journal(self):
        writer = Writer(self.directory)
        writer.commit("journal", [control("review")], version=1)
        self.check([("MODIFIED", journal_name(2))])

    def test_newer_format(self):
        writer = Writer(self.directory)
        writer.commit(TRAIL, [started()], change=lambda body: body.update(format=3))
        self.assertEqual(self.run_verifier(self.directory, "--key", ROOT.text), (1, None))
        self.start_anew()
        writer = Writer(self.directory)
        writer.commit(TRAIL, [started()], change=lambda body: body.update(format=3), signers=[STRANGER])
        self.check([("MODIFIED", commit_name(1))])
        self.remove(commit_name(1))
        self.check([])
        self.write("archive.json", b'{"format": 3}')
        self.check([("MODIFIED", "archive.json")])  # the journal knows better
        self.remove(journal_name(1))
        self.assertEqual(self.run_verifier(self.directory, "--key", ROOT.text), (1, None))

    def test_cannot_be_read(self):
        Writer(self.directory)
        wrong_id = ROOT.text.replace("+" + ROOT.key_id.hex(), "+00000000")
        for arguments in (
            [self.directory, "--key", "x"], [self.directory, "--key", wrong_id], [self.folder, "--key", ROOT.text], [],
            [os.path.join(self.folder, "none"), "--key", ROOT.text], [self.directory, "--bogus"],
            [self.directory, "--key", ROOT.text, "--checkpoint", "none"], ["--proof", "none", "--key", ROOT.text],
        ):
            self.assertEqual(self.run_verifier(*arguments), (1, None), arguments)


# ---- Keys and notes ----


class Notes(ArchiveTest):
    def test_vector_of_the_specification(self):
        """The example of C2SP signed-note."""
        key = objects.PublicKey("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")
        signature = "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM="
        note = f"This is an example message.\n\n\u2014 example.com/foo {signature}\n"
        self.assertEqual(objects.check_note(note, {key.id: key}), "This is an example message.\n")
        with self.assertRaises(objects.Damaged):
            objects.check_note(note.replace("an", "no"), {key.id: key})

    def with_note(self, make):
        writer = Writer(self.directory)
        body = writer.commit(TRAIL, [started()])
        text = text_of(body, tree(leaf_hashes(writer.leaves[TRAIL])))
        self.write(commit_name(1), spell({"body": body, "checkpoint": make(text)}))

    def test_unknown_key(self):
        self.with_note(lambda text: note_of(text, [STRANGER]))
        self.check([("KEY-UNKNOWN", commit_name(1))])

    def test_wrong_signature(self):
        other = Ed25519Signer(ROOT.name)
        other.key_id = ROOT.key_id
        for signers in ([other], [other, ROOT], [ROOT, other]):
            self.with_note(lambda text, signers=signers: note_of(text, signers))
            self.check([("MODIFIED", commit_name(1))])

    def test_same_name_other_key(self):
        self.with_note(lambda text: note_of(text, [Ed25519Signer(ROOT.name), ROOT]))
        self.check([])

    def test_other_text(self):
        for old, new in (("\n1\n", "\n2\n"), ("auditkeep", "audit"), ("commit 1", "commit 01"), ("/a.r", "/b.r")):
            self.with_note(lambda text, old=old, new=new: note_of(text.replace(old, new), [ROOT]))
            self.check([("MODIFIED", commit_name(1))])

    def test_more_text(self):
        self.with_note(lambda text: note_of(text + "more\n", [ROOT]))
        self.check([("MODIFIED", commit_name(1))])

    def test_malformed(self):
        for make in (
            lambda text: text,
            lambda text: text + "\n",
            lambda text: note_of(text, [ROOT])[:-1],
            lambda text: note_of(text, [ROOT]) + "more\n",
            lambda text: note_of(text, [ROOT]).replace("\u2014", "-"),
            lambda text: note_of(text, [ROOT]).replace("test.example", "test+example"),
            lambda text: note_of(text, [ROOT]) + "\u2014 x AAAA\n",
            lambda text: note_of(text, [ROOT]) + "\u2014 x AAAAAAB=\n",
            lambda text: note_of(text, [ROOT]).replace("\n", "\r\n"),
            lambda text: note_of(text, [ROOT]) + "\u2014 x\u00a0y AAAAAAAA\n",
        ):
            self.with_note(make)
            self.check([("MODIFIED", commit_name(1))])

    def test_key_of_small_kind(self):
        raw = base64.b64encode(b"\x04" + bytes(32)).decode()
        for text in ("x", "x+y", "x+00000000+AA==", "x+00000000+" + raw, ROOT.text.upper(), " " + ROOT.text, ROOT.text + "="):
            with self.assertRaises(objects.Damaged, msg=text):
                objects.PublicKey(text)
        with self.assertRaises(objects.Damaged):
            objects.PublicKey(EcdsaSigner("x", ec.SECP384R1()).text)


# ---- A trail ----


class Trails(ArchiveTest):
    def build(self):
        writer = Writer(self.directory)
        writer.commit(TRAIL, [started()])
        for index in range(5):
            writer.collect(TRAIL, b"line %d\n" % index)
        return writer

    def rebuild(self):
        shutil.rmtree(self.directory)
        os.mkdir(self.directory)
        return self.build()

    def raw(self, writer, number):
        return writer.bodies[TRAIL][number - 1]["leaves"][0]["object"]

    def test_missing_commits(self):
        writer = self.build()
        for number in (2, 3, 5):
            self.remove(commit_name(number))
        extra = [("EXTRA", self.raw(writer, number)) for number in (2, 3, 5)]
        self.check([("MISSING", commit_name(2)), ("MISSING", commit_name(5))] + extra)

    def test_missing_first(self):
        self.build()
        self.remove(commit_name(1))
        self.check([("MISSING", commit_name(1))])

    def test_planted_far_away(self):
        self.build()
        self.write(commit_name(99999999999999999999), b"junk")
        self.check([("MISSING", commit_name(7)), ("MODIFIED", commit_name(99999999999999999999))])

    def test_every_flipped_bit_is_found(self):
        writer = self.build()
        data = self.read(commit_name(3))
        for position in range(0, len(data), 7):
            changed = bytearray(data)
            changed[position] ^= 1 << position % 8
            self.write(commit_name(3), bytes(changed))
            code, report = self.run_verifier(self.directory, "--key", ROOT.text)
            if report is None:  # `format` became higher
                self.assertEqual(code, 1)
                continue
            against = [finding for finding in report["findings"] if finding["against"]]
            self.assertEqual([finding["object"] for finding in against], [commit_name(3)], position)
        self.write(commit_name(3), data)
        self.check([])
        del writer

    def test_swapped(self):
        writer = self.build()
        third, fourth = self.read(commit_name(3)), self.read(commit_name(4))
        self.write(commit_name(3), fourth)
        self.write(commit_name(4), third)
        extra = [("EXTRA", self.raw(writer, number)) for number in (3, 4)]
        self.check([("REORDERED", commit_name(3)), ("REORDERED", commit_name(4))] + extra)

    def test_of_another_trail_or_archive(self):
        writer = self.build()
        writer.commit(OTHER, [started()])
        self.write(commit_name(1), self.read(commit_name(1, OTHER)))
        self.check([("REORDERED", commit_name(1))])
        self.rebuild()
        other = os.path.join(self.folder, "other")
        foreign = Writer(other, archive="f" * 32)
        foreign.commit(TRAIL, [started()])
        shutil.copy(os.path.join(other, *commit_name(1).split("/")), self.file(commit_name(1)))
        self.check([("REORDERED", commit_name(1))])

    def test_replaced_by_a_signed_one(self):
        """The holder of the key writes another commit 3."""
        writer = self.build()
        body = writer.bodies[TRAIL][2]
        body["writer"] = "another"
        root = tree(leaf_hashes(writer.leaves[TRAIL][:3]))
        self.write(commit_name(3), writer.sealed_bytes(body, root, [ROOT]))
        self.check([("FORKED", commit_name(4))])

    def test_previous_of_the_first(self):
        writer = Writer(self.directory)
        writer.commit(TRAIL, [started()], change=lambda body: body.update(previous="00" * 32))
        self.check([("FORKED", commit_name(1))])

    def test_no_previous(self):
        writer = self.build()
        writer.commit(TRAIL, [], change=lambda body: body.pop("previous"))
        self.check([("FORKED", commit_name(7))])

    def test_wrong_tree(self):
        writer = self.build()
        writer.leaves[TRAIL].insert(0, control("never"))
        writer.commit(TRAIL, [control("x")])
        self.check([("MODIFIED", commit_name(7))])

    def test_hole_between_segments(self):
        writer = self.build()
        leaf, cursor = writer.segment(b"later", start=1000)
        key = "x.csv#" + leaf["generation"]
        writer.commit(TRAIL, [leaf], cursors={key: cursor})
        writer.collect(TRAIL, b"more")
        self.check([("GAP", commit_name(7))])

    def test_overlap(self):
        writer = self.build()
        leaf, cursor = writer.segment(b"line 0\n", start=0)
        writer.commit(TRAIL, [leaf], cursors={"x.csv#" + leaf["generation"]: cursor})
        self.check([("GAP", commit_name(7))])

    def test_cursor_of_other_value(self):
        def of(**values):
            return lambda cursors: {key: {**cursor, **values} for key, cursor in cursors.items()}

        for verdict, cursors in (
            ("GAP", of(chain="00" * 32)), ("GAP", lambda cursors: {}), ("GAP", of(offset=999, cuts=[999])),
            ("MODIFIED", of(cuts=[])), ("MODIFIED", of(cuts=[7, 7, 42])), ("MODIFIED", of(cuts=[0, 42])),
            ("MODIFIED", of(complete_to=43)), ("MODIFIED", of(family="y.csv")), ("MODIFIED", of(generation="0" * 16)),
        ):
            with self.subTest(verdict):
                writer = self.rebuild()
                writer.collect(TRAIL, b"line 5\n", cursors=cursors)
                self.check([(verdict, commit_name(7))])

    def test_cursor_from_nowhere(self):
        writer = self.build()
        cursors = dict(writer.bodies[TRAIL][-1]["cursors"])
        _, cursors["y.csv#" + sha(b"y.csv").hex()[:16]] = writer.segment(b"y", "y.csv")
        writer.commit(TRAIL, [], cursors=cursors)
        name = f"raw/a/r/db/2026/01/01/y.csv/{sha(b'y.csv').hex()[:16]}/0-1-{sha(b'y').hex()}.zst"
        self.check([("GAP", commit_name(7)), ("EXTRA", name)])

    def test_wrong_standing(self):
        for change in (
            lambda body: body["standing"].update(state="stopped"),
            lambda body: body["standing"].pop("received"),
            lambda body: body["standing"].update(expired_through=5),
            lambda body: body["standing"].update(keys={ROOT.id: {"key": ROOT.text, "added": 1}}),
        ):
            writer = self.rebuild()
            writer.commit(TRAIL, [control("x")], change=change)
            expired = [("EXPIRED", f"trails/{TRAIL}")] if "expired_through" in writer.bodies[TRAIL][-1]["standing"] else []
            self.check([("MODIFIED", commit_name(7))] + expired)

    def test_received_is_the_latest_time(self):
        writer = Writer(self.directory)
        times = ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.5Z", "2026-01-01T00:00:00.25Z"]
        for index, received in enumerate(times):
            leaf, cursor = writer.segment(b"x", family=str(index))
            leaf["received"] = received
            cursors = {**(writer.bodies[TRAIL][-1]["cursors"] if index else {}), f"{index}#{leaf['generation']}": cursor}
            expected = max(times[: index + 1], key=objects.parse_time)
            change = lambda body, expected=expected: body["standing"].update(received=expected)  # noqa: E731
            writer.commit(TRAIL, [leaf], cursors=cursors, change=change)
        self.check([])

    def test_lower_format(self):
        writer = self.build()
        writer.commit(TRAIL, [], version=1, change=lambda body: body.update(cursors={}))
        self.check([("MODIFIED", commit_name(7))])

    def test_clock(self):
        writer = self.build()
        writer.clock = 0
        writer.commit(TRAIL, [control("clock-went-back")])
        self.check([])
        writer.clock = 0
        writer.commit(TRAIL, [])
        self.check([])  # not before: the same time
        writer.clock = -60
        writer.commit(TRAIL, [])
        self.check([("REORDERED", commit_name(9))])

    def test_taken_at_its_word(self):
        """After a damaged commit the next one is believed, and the one after it is compared again."""
        writer = self.build()
        self.write(commit_name(4), b"junk")
        self.check([("MODIFIED", commit_name(4)), ("EXTRA", self.raw(writer, 4))])
        writer.commit(TRAIL, [], change=lambda body: body["standing"].update(state="stopped"))
        self.check([("MODIFIED", commit_name(4)), ("EXTRA", self.raw(writer, 4)), ("MODIFIED", commit_name(7))])

    def test_only_some_trails(self):
        writer = self.build()
        writer.commit(OTHER, [started()])
        writer.seal()
        self.remove(commit_name(3))
        self.check([], "--trail", OTHER)
        self.check([("MISSING", commit_name(3))], "--trail", TRAIL)
        self.assertEqual(self.run_verifier(self.directory, "--key", ROOT.text, "--trail", "none"), (1, None))


class Segments(ArchiveTest):
    def test_missing_and_damaged(self):
        for version in (1, 2):
            with self.subTest(version):
                shutil.rmtree(self.directory)
                os.mkdir(self.directory)
                writer = Writer(self.directory, version)
                leaf = writer.collect(TRAIL, noise(1000))
                good = self.read(leaf["object"])
                for position in range(0, len(good), 50):
                    bad = bytearray(good)
                    bad[position] ^= 1
                    self.write(leaf["object"], bytes(bad))
                    self.check([("MODIFIED", leaf["object"])])
                    self.check([], "--shallow")
                for bad in (good[:-1], good + b"x", b""):
                    self.write(leaf["object"], bad)
                    self.check([("MODIFIED", leaf["object"])])
                    self.check([("MODIFIED", leaf["object"])], "--shallow")
                self.remove(leaf["object"])
                self.check([("MISSING", leaf["object"])])
                self.check([("MISSING", leaf["object"])], "--shallow")

    def stored_as(self, data, store, version=2, framed=True, change=None):
        shutil.rmtree(self.directory)
        os.mkdir(self.directory)
        writer = Writer(self.directory, version)
        leaf, cursor = writer.segment(data, store=store, framed=framed)
        if change:
            change(leaf)
        writer.commit(TRAIL, [leaf], cursors={"x.csv#" + leaf["generation"]: cursor})
        return [("MODIFIED", leaf["object"])]

    def test_object_signed_but_wrong(self):
        """The stored object has the stated hash, but is not what the leaf says."""
        unframed = {"framed": False}
        bomb = zstd(bytes(200_000_000))
        plain = zstandard.ZstdCompressor(write_checksum=False)
        streamed = zstandard.ZstdCompressor(write_checksum=True, write_content_size=False)
        for data, store, options, good in (
            (b"abc", zstd(b"abd"), {}, False),
            (b"abc", zstd(b"abcd"), {}, False),
            (b"abc", zstd(b"ab"), {}, False),
            (b"abc", bomb, {}, False),
            (b"abc", streamed.compress(bytes(10_000_000)), unframed, False),
            (b"abc", b"not zstd", {}, False),
            (b"abc", b"", unframed, False),
            (b"abc", zstd(b"abc")[:-3], unframed, False),
            (b"abc", zstd(b"a") + zstd(b"bc"), {}, False),
            (b"abc", zstd(b"a") + zstd(b"bc"), unframed, True),
            (b"abc", streamed.compress(b"abc"), unframed, True),
            (b"abc", zstd(b"a") + b"\x50\x2a\x4d\x18\x02\x00\x00\x00xx" + zstd(b"bc"), unframed, True),
            (b"abc", zstd(b"a") + zstd(b"bc"), {"version": 1}, True),
            (b"abc", zstd(b"abc"), {"version": 1}, True),
            (b"abc", zstd(b"abc") + zstd(b""), {}, False),
            (b"abc", zstd(b"abc") + zstd(b""), unframed, True),
            (b"abc", zstd(b"abc") + b"\x50\x2a\x4d\x18\x00\x00\x00\x00", {}, False),
            (b"abc", plain.compress(b"abc"), {}, False),
            (b"abc", plain.compress(b"abc"), unframed, True),
            (bytes(FRAME + 1), zstd(bytes(FRAME + 1)), {}, False),
            (bytes(FRAME + 1), zstd(bytes(FRAME + 1)), unframed, True),
            (bytes(FRAME + 1), zstd(bytes(FRAME - 1)) + zstd(bytes(2)), {}, False),
        ):
            with self.subTest(store=store[:40], **options):
                expected = self.stored_as(data, store, **options)
                self.check([] if good else expected)

    def test_root_over_other_frames(self):
        expected = self.stored_as(noise(FRAME * 3), None, change=lambda leaf: leaf.update(frames="00" * 32))
        self.check(expected)

    def test_frames_must_not_fit_by_accident(self):
        """Frames of the wrong size, with the right root over them."""
        store = zstd(bytes(10)) + zstd(bytes(20))
        root = tree([sha(b"\x00" + zstd(bytes(size))) for size in (10, 20)]).hex()
        self.check(self.stored_as(bytes(30), store, change=lambda leaf: leaf.update(frames=root)))

    def test_too_big(self):
        limit = 8 * 1024 * 1024
        self.stored_as(bytes(limit), None)
        self.check([])
        self.check(self.stored_as(bytes(limit + 1), None) + [("MODIFIED", commit_name(1))])

    def test_bomb_in_small_memory(self):
        """An announced size is refused before anything is decompressed."""
        with self.assertRaises(objects.Damaged):
            objects.decompress(zstd(bytes(300_000_000)), 1000)


class Expiry(ArchiveTest):
    def build(self, before, leaf_time=3 * DAY, through="2", same=()):
        shutil.rmtree(self.directory)
        os.mkdir(self.directory)
        writer = Writer(self.directory)
        self.first = writer.collect(TRAIL, b"one\n")
        self.second = writer.collect(TRAIL, b"two\n")
        for leaf in before:
            writer.commit(TRAIL, [leaf])
        writer.clock = max(writer.clock, leaf_time)
        self.last = len(writer.bodies[TRAIL]) + 1
        writer.commit(TRAIL, [*same, control("expired", leaf_time, through=through, segments="2", raw_bytes="8", who="me")])
        self.third = writer.collect(TRAIL, b"three\n")
        return writer

    def test_given_up(self):
        self.build([control("retention-set", keep_days="2")])
        expired = [("EXPIRED", f"trails/{TRAIL}")]
        self.check(expired)
        self.remove(self.first["object"])
        self.check(expired)
        self.check(expired, "--shallow")
        self.write(self.second["object"], b"junk")  # what was given up is not looked at
        self.check(expired)
        self.check(expired, "--shallow")
        self.remove(self.second["object"])
        self.check(expired)
        self.remove(self.third["object"])
        self.check(expired + [("MISSING", self.third["object"])])

    def test_too_early(self):
        days = control("retention-set", keep_days="2")
        hold = control("hold-placed", hold="h")
        released = control("hold-released", hold="h")
        until = control("retention-set", keep_days="2", keep_until=at(10 * DAY))
        past_until = control("retention-set", keep_days="2", keep_until=at(3 * DAY))
        for name, good, before, options in (
            ("nothing set", False, [], {}),
            ("days", True, [days], {}),
            ("exactly", True, [days], {"leaf_time": 2 * DAY + 180}),
            ("a second early", False, [days], {"leaf_time": 2 * DAY + 179}),
            ("first past, second not", False, [days], {"leaf_time": 2 * DAY + 120}),
            ("only first", True, [days], {"leaf_time": 2 * DAY + 120, "through": "1"}),
            ("hold", False, [days, hold], {}),
            ("hold released", True, [days, hold, released], {}),
            ("hold released in the same commit", False, [days, hold], {"same": [released]}),
            ("set in the same commit", False, [], {"same": [days]}),
            ("until", False, [until], {}),
            ("until, past", True, [past_until], {}),
            ("only until", False, [control("retention-set", keep_until=at(0))], {}),
            ("set, and for ever again", False, [days, control("retention-set", who="me")], {}),
            ("beyond the end", False, [days], {"through": "99"}),
            ("itself", False, [days], {"through": "4"}),
        ):
            with self.subTest(name):
                self.build(before, **options)
                holds = [("MISSING", commit_name(self.last))] if not good else []
                self.check(holds + [("EXPIRED", f"trails/{TRAIL}")])

    def test_unfinished_is_kept(self):
        writer = Writer(self.directory)
        first = writer.collect(TRAIL, b"one\n")

        def unfinished(cursors):
            leaf = {key: value for key, value in first.items() if key != "kind"}
            return {key: {**cursor, "unfinished": [leaf]} for key, cursor in cursors.items()}

        second = writer.collect(TRAIL, b"two\n", cursors=unfinished)
        writer.commit(TRAIL, [control("retention-set", keep_days="1")])
        writer.clock = 3 * DAY
        writer.commit(TRAIL, [control("expired", 3 * DAY, through="2")])
        self.remove(second["object"])
        self.check([("EXPIRED", f"trails/{TRAIL}")])
        self.remove(first["object"])
        self.check([("EXPIRED", f"trails/{TRAIL}"), ("MISSING", first["object"])])

    def test_named_again_is_kept(self):
        writer = Writer(self.directory)
        first = writer.collect(TRAIL, b"one\n")
        writer.commit(TRAIL, [control("retention-set", keep_days="1")], cursors={})
        writer.clock = 3 * DAY
        writer.commit(TRAIL, [control("expired", 3 * DAY, through="1")])
        again = writer.collect(TRAIL, b"one\n")
        self.assertEqual(first["object"], again["object"])
        self.remove(first["object"])
        self.check([("EXPIRED", f"trails/{TRAIL}"), ("MISSING", first["object"])])


# ---- The journal ----


class Journal(ArchiveTest):
    def build(self):
        writer = Writer(self.directory)
        writer.commit(TRAIL, [started()])
        writer.commit(OTHER, [started()])
        writer.seal()
        writer.commit(TRAIL, [control("x")])
        writer.commit(TRAIL, [control("y")])
        writer.seal()
        return writer

    def test_journal_gone(self):
        self.build()
        shutil.rmtree(self.file("trails/journal"))
        self.check([("MISSING", "trails/journal")])

    def test_all_trails_gone(self):
        self.build()
        shutil.rmtree(self.file("trails"))
        self.check([])  # as if it had just been made
        for name in ("raw/x.zst", "trails/x/notes"):
            self.write(name, b"")
            self.check([("MISSING", "trails/journal"), ("EXTRA", name)])
            self.remove(name)

    def test_trail_gone(self):
        self.build()
        shutil.rmtree(self.file(f"trails/{OTHER}"))
        self.check([("MISSING", f"trails/{OTHER}")])

    def test_trail_cut_off(self):
        self.build()
        self.remove(commit_name(3))
        self.check([("TRUNCATED", f"trails/{TRAIL}")])
        self.remove(commit_name(2))
        self.check([("TRUNCATED", f"trails/{TRAIL}")])

    def test_journal_cut_off(self):
        writer = self.build()
        writer.commit(TRAIL, [control("z")])
        self.remove(journal_name(3))
        self.check([("TRUNCATED", "trails/journal")])

    def test_hole_is_accused_once(self):
        self.build()
        self.remove(commit_name(1))
        self.check([("MISSING", commit_name(1))])
        self.write(commit_name(1), b"junk")
        self.check([("MODIFIED", commit_name(1))])

    def test_last_commit_rewritten(self):
        writer = self.build()
        body = writer.bodies[TRAIL][2]
        body["writer"] = "another"
        self.write(commit_name(3), writer.sealed_bytes(body, tree(leaf_hashes(writer.leaves[TRAIL])), [ROOT]))
        self.check([("FORKED", commit_name(3))])

    def test_journal_rewritten(self):
        writer = self.build()
        writer.commit(TRAIL, [control("z")])
        body = writer.bodies["journal"][2]
        body["writer"] = "another"
        self.write(journal_name(3), writer.sealed_bytes(body, tree(leaf_hashes(writer.leaves["journal"])), [ROOT]))
        self.check([("FORKED", journal_name(3))])

    def test_seal_that_names_less(self):
        for less in ("absent", "lower"):
            with self.subTest(less):
                shutil.rmtree(self.directory)
                os.mkdir(self.directory)
                writer = self.build()
                heads = json.loads(spell(writer.leaves["journal"][-1]["heads"]))
                if less == "absent":
                    heads.pop(OTHER)
                else:
                    heads[TRAIL] = writer.leaves["journal"][1]["heads"][TRAIL]
                writer.commit("journal", [{"kind": "seal", "time": at(0), "heads": heads}])
                self.check([("ROLLED-BACK", journal_name(4))])

    def test_seal_of_another_tree(self):
        writer = self.build()
        heads = json.loads(spell(writer.leaves["journal"][-1]["heads"]))
        heads[TRAIL]["root"] = "00" * 32
        writer.commit("journal", [{"kind": "seal", "time": at(0), "heads": heads}])
        self.check([("MODIFIED", journal_name(4))])

    def test_manifest(self):
        writer = self.build()
        good = self.read("archive.json")
        manifest = json.loads(good)
        for change in ({"keys": [STRANGER.text]}, {"id": "f" * 32}, {"created": at(5)}, {"format": 1}, {"extra": 1}):
            self.write("archive.json", spell({**manifest, **change}))
            self.check([("MODIFIED", "archive.json")])
        self.write("archive.json", b"junk")
        self.check([("MODIFIED", "archive.json")])
        self.remove("archive.json")
        self.check([("MISSING", "archive.json")])
        del writer

    def test_manifest_of_version_1(self):
        writer = Writer(self.directory, 1)
        writer.commit(TRAIL, [started()])
        self.write("archive.json", b"junk")
        self.check([("MODIFIED", "archive.json")])
        self.remove("archive.json")
        self.check([("MISSING", "archive.json")])

    def test_first_leaf(self):
        writer = Writer(self.directory, 1)
        writer.version = 2
        with mock.patch(__name__ + ".standing", lambda before, body: {}):
            writer.commit("journal", [control("review")])
        self.check([("MODIFIED", journal_name(1))])

    def test_created_twice(self):
        writer = self.build()
        writer.create_journal()
        self.check([("MODIFIED", journal_name(4))])


class Keys(ArchiveTest):
    def test_added(self):
        writer = Writer(self.directory)
        writer.commit("journal", [control("key-added", key=SECOND.text)])
        writer.commit("journal", [control("review")], signers=[SECOND])
        writer.commit(TRAIL, [started()], signers=[SECOND])
        self.check([])

    def test_not_before_it_is_added(self):
        writer = Writer(self.directory)
        writer.commit("journal", [control("key-added", key=SECOND.text)], signers=[SECOND])
        self.check([("KEY-UNKNOWN", journal_name(2))])

    def test_added_in_another_trail(self):
        writer = Writer(self.directory)
        writer.commit(TRAIL, [control("key-added", key=SECOND.text)])  # in the standing, and not in force
        writer.commit(TRAIL, [control("x")], signers=[SECOND])
        self.check([("KEY-UNKNOWN", commit_name(2))])

    def retire(self, seal="2", signers=(ROOT,)):
        writer = Writer(self.directory)
        writer.commit("journal", [control("key-added", key=SECOND.text)])
        writer.commit(TRAIL, [started()])
        writer.commit(TRAIL, [control("x")], signers=[SECOND])
        writer.seal()  # journal 3: TRAIL at 2
        writer.commit("journal", [control("key-retired", key=ROOT.id, seal=seal)], signers=list(signers))
        return writer

    def test_retired(self):
        writer = self.retire("3")  # the last commit that ROOT signs is the one that retires it
        writer.commit(TRAIL, [control("x")], signers=[SECOND])
        writer.commit("journal", [control("review")], signers=[SECOND])
        self.check([])
        writer.commit("journal", [control("review")], signers=[ROOT])
        writer.commit(TRAIL, [control("x")], signers=[ROOT])
        writer.commit(OTHER, [started()], signers=[ROOT])
        accused = [journal_name(6), commit_name(4), commit_name(1, OTHER)]
        self.check([("KEY-UNKNOWN", name) for name in accused])

    def test_retired_by_a_seal_that_is_none(self):
        self.retire("2")
        self.check([("MODIFIED", journal_name(4)), ("KEY-UNKNOWN", commit_name(1))])

    def test_retired_by_a_later_seal(self):
        writer = self.retire("5")
        writer.seal(signers=[SECOND])
        self.check([("MODIFIED", journal_name(4)), ("KEY-UNKNOWN", commit_name(1))])

    def test_root_that_the_journal_never_named(self):
        writer = Writer(self.directory)
        writer.commit(TRAIL, [started()], signers=[STRANGER])
        writer.seal()
        writer.commit("journal", [control("key-retired", key=STRANGER.id, seal="2")])
        self.check([], keys=[ROOT, STRANGER])
        writer.commit(TRAIL, [control("x")], signers=[STRANGER])
        self.check([("KEY-UNKNOWN", commit_name(2))], keys=[ROOT, STRANGER])

    def test_damaged_commit_that_added(self):
        writer = Writer(self.directory)
        writer.commit("journal", [control("key-added", key=SECOND.text)])
        writer.commit("journal", [control("review")])
        writer.commit(TRAIL, [started()], signers=[SECOND])
        self.write(journal_name(2), b"junk")
        self.check([("MODIFIED", journal_name(2))])


# ---- Checkpoints ----


class Checkpoints(ArchiveTest):
    def build(self):
        writer = Writer(self.directory)
        writer.collect(TRAIL, b"one\n")
        writer.commit("journal", [control("key-added", key=SECOND.text)])
        writer.seal(signers=[SECOND, ROOT])  # journal 3
        self.bytes = self.outside("seal.json", self.read(journal_name(3)))
        self.note = self.outside("seal.note", writer.notes["journal", 3].encode())
        writer.collect(TRAIL, b"two\n")
        writer.seal()  # journal 4
        writer.collect(TRAIL, b"three\n")
        return writer

    def both(self, expected):
        for file in (self.bytes, self.note):
            self.check(expected, "--checkpoint", file)

    def test_good(self):
        self.build()
        self.both([])
        self.check([], "--checkpoint", self.bytes, "--checkpoint", self.note)

    def cut(self):
        """What the store can do unseen, but for a checkpoint."""
        writer = self.build()
        for name in (journal_name(3), journal_name(4), commit_name(2), commit_name(3)):
            self.remove(name)
        for number in (2, 3):
            self.remove(writer.leaves[TRAIL][number - 1]["object"])

    def test_rolled_back(self):
        self.cut()
        self.check([])
        self.both([("ROLLED-BACK", "trails/journal")])
        self.check([("ROLLED-BACK", "trails/journal")], "--since", self.bytes)

    def test_rolled_back_with_its_key(self):
        self.build()
        shutil.rmtree(self.file("trails"))
        shutil.rmtree(self.file("raw"))
        writer = Writer(self.directory)
        self.check([("ROLLED-BACK", "trails/journal")], "--checkpoint", self.note)
        lost = [("ROLLED-BACK", "trails/journal"), ("MISSING", f"trails/{TRAIL}")]
        self.check(lost, "--checkpoint", self.bytes)  # the seal itself says what there was
        del writer

    def test_second_history(self):
        self.build()
        shutil.rmtree(self.file("trails"))
        shutil.rmtree(self.file("raw"))
        writer = Writer(self.directory)
        writer.commit("journal", [control("review")])
        writer.commit("journal", [control("review")])
        self.check([])
        self.check([("FORKED", journal_name(3)), ("MISSING", f"trails/{TRAIL}")], "--checkpoint", self.bytes)
        self.check([("FORKED", journal_name(3))], "--checkpoint", self.note)
        self.check([("FORKED", journal_name(3))], "--since", self.note)

    def test_another_archive(self):
        self.build()
        shutil.rmtree(self.directory)
        os.mkdir(self.directory)
        Writer(self.directory, archive="f" * 32)
        for file in (self.bytes, self.note):
            self.check([("FORKED", file)], "--checkpoint", file)

    def test_pins(self):
        self.build()
        self.remove(journal_name(4))
        for number in (1, 2, 3):
            self.remove(commit_name(number))
        shutil.rmtree(self.file("raw"))
        self.both([("MISSING", f"trails/{TRAIL}")])

    def test_signed_by_nobody(self):
        writer = self.build()
        text = writer.notes["journal", 3].split("\n\n")[0] + "\n"
        stranger = self.outside("stranger", note_of(text, [STRANGER]).encode())
        self.check([("KEY-UNKNOWN", stranger)], "--checkpoint", stranger)
        other = Ed25519Signer(ROOT.name)
        other.key_id = ROOT.key_id
        forged = self.outside("forged", note_of(text, [other]).encode())
        self.check([("MODIFIED", forged)], "--checkpoint", forged)

    def test_not_a_checkpoint(self):
        writer = self.build()
        for data in (b"x", b"{}", writer.notes[TRAIL, 1].encode(), self.read(commit_name(1)), b"\xff"):
            file = self.outside("bad", data)
            arguments = [self.directory, "--key", ROOT.text, "--checkpoint", file]
            self.assertEqual(self.run_verifier(*arguments), (1, None), data[:20])

    def test_since(self):
        writer = self.build()
        for file in (self.bytes, self.note):
            report = self.check([], "--since", file)
            counts = (report["trails"], report["commits"], report["journal_commits"], report["segments"])
            self.assertEqual(counts, (1, 2, 1, 2))
        self.remove(writer.leaves[TRAIL][0]["object"])  # covered by the checkpoint: not looked at
        self.check([], "--since", self.bytes)
        self.remove(writer.leaves[TRAIL][1]["object"])
        self.check([("MISSING", writer.leaves[TRAIL][1]["object"])], "--since", self.bytes)

    def test_since_and_new_damage(self):
        writer = self.build()
        writer.commit(TRAIL, [], change=lambda body: body["standing"].update(state="stopped"))
        writer.commit(OTHER, [started()], signers=[SECOND])
        writer.commit(OTHER, [started()], signers=[STRANGER])
        self.check([("MODIFIED", commit_name(4)), ("KEY-UNKNOWN", commit_name(2, OTHER))], "--since", self.bytes)

    def test_since_and_its_commit_is_gone(self):
        self.build()
        self.remove(commit_name(1))
        self.check([("MISSING", commit_name(1))], "--since", self.bytes)
        self.write(commit_name(1), b"junk")
        self.check([("MODIFIED", commit_name(1))], "--since", self.bytes)

    def test_checkpoint_of_a_commit_that_is_missing_or_damaged(self):
        self.build()
        self.write(journal_name(3), b"junk")
        self.both([("MODIFIED", journal_name(3))])
        self.check([("MODIFIED", journal_name(3))], "--since", self.bytes)
        self.remove(journal_name(3))
        self.both([("MISSING", journal_name(3))])
        self.check([("MISSING", journal_name(3))], "--since", self.bytes)

    def test_pins_of_commits_before_the_checkpoint_are_not_looked_at(self):
        writer = self.build()
        self.write(journal_name(2), b"junk")
        writer.commit(TRAIL, [], change=lambda body: body.update(journal={"number": 1, "commit": "00" * 32}))
        self.check([], "--since", self.bytes)

    def test_since_and_retired_keys(self):
        writer = self.build()
        writer.commit("journal", [control("key-retired", key=SECOND.id, seal="4")])
        writer.seal()
        file = self.outside("later", self.read(journal_name(6)))
        writer.commit(TRAIL, [control("x")], signers=[SECOND])
        self.check([("KEY-UNKNOWN", commit_name(4))], "--since", self.bytes)
        self.check([("KEY-UNKNOWN", commit_name(4))], "--since", file)
        self.check([("KEY-UNKNOWN", commit_name(4))])

    def test_since_without_seal(self):
        self.build()
        file = self.outside("noseal", self.read(journal_name(2)))
        self.assertEqual(self.run_verifier(self.directory, "--key", ROOT.text, "--since", file), (1, None))

    def test_since_and_expiry(self):
        writer = self.build()
        writer.commit(TRAIL, [control("retention-set", keep_days="1")])
        writer.clock = DAY
        writer.commit(TRAIL, [control("expired", DAY, through="1")])
        self.check([("EXPIRED", f"trails/{TRAIL}"), ("MISSING", commit_name(5))], "--since", self.bytes)


# ---- Proofs ----


def inclusion(writer, trail, index, number):
    leaves = leaf_hashes(writer.leaves[trail][: writer.bodies[trail][number - 1]["tree"]["size"]])
    lines = ["c2sp.org/tlog-proof@v1", f"index {index}"]
    lines += [base64.b64encode(step).decode() for step in path(index, leaves)]
    return "\n".join(lines) + "\n\n" + writer.notes[trail, number]


class Proofs(ArchiveTest):
    def setUp(self):
        super().setUp()
        self.first, self.second = noise(FRAME * 3 + 100, b"1"), noise(1000, b"2")
        self.writer = Writer(self.directory)
        self.writer.commit("journal", [control("key-added", key=SECOND.text)])
        self.writer.commit(TRAIL, [started()])
        self.leaf = self.writer.collect(TRAIL, self.first)
        self.writer.collect(TRAIL, self.second, signers=[SECOND])
        self.third = self.writer.collect(TRAIL, b"three", framed=False)

    def proof(self, start, end, parts, keys=False):
        everything = self.first + self.second + b"three"
        leaf = self.leaf
        proof = {
            "format": 2, "kind": "event-proof", "archive": ARCHIVE, "trail": TRAIL, "log": leaf["log"],
            "family": leaf["family"], "generation": leaf["generation"], "from": start, "to": end,
            "sha256": sha(everything[start:end]).hex(), "parts": [self.part(*part) for part in parts],
        }
        if keys:
            added = self.writer.leaves["journal"][1]
            proof["keys"] = [{"leaf": added, "inclusion": inclusion(self.writer, "journal", 1, 2)}]
        return proof

    def part(self, index, *frames):
        leaf = self.writer.leaves[TRAIL][index]
        part = {"leaf": leaf, "inclusion": inclusion(self.writer, TRAIL, index, index + 1)}
        stored = self.read(leaf["object"])
        if "frames" not in leaf:
            part["object"] = base64.b64encode(stored).decode()
            return part
        pieces = objects.split_frames(stored)
        hashed = [sha(b"\x00" + piece) for piece in pieces]
        part["frames"] = [
            {
                "index": frame,
                "path": [step.hex() for step in path(frame, hashed)],
                "data": base64.b64encode(pieces[frame]).decode(),
            }
            for frame in frames
        ]
        return part

    def check_proof(self, proof, expected, keys=(ROOT,)):
        file = self.outside("proof.json", proof if isinstance(proof, bytes) else spell(proof))
        arguments = ["--proof", file]
        for key in keys:
            arguments += ["--key", key.text]
        code, report = self.run_verifier(*arguments)
        found = [(finding["verdict"], finding["object"]) for finding in report["findings"]]
        self.assertEqual(found, expected, report)
        self.assertEqual((code, report["verdict"]), (3, "FAILED") if expected else (0, "OK"))

    def test_good(self):
        size = len(self.first)
        self.check_proof(self.proof(10, 20, [(1, 0)]), [])
        self.check_proof(self.proof(FRAME - 5, FRAME + 5, [(1, 0, 1)]), [])
        self.check_proof(self.proof(size - 5, size, [(1, 3)]), [])
        self.check_proof(self.proof(size - 5, size + 5, [(1, 3), (2, 0)]), [], keys=[ROOT, SECOND])
        self.check_proof(self.proof(size - 5, size + 1003, [(1, 3), (2, 0), (3,)], keys=True), [])

    def test_unknown_key(self):
        proof = self.proof(len(self.first), len(self.first) + 5, [(2, 0)])
        self.check_proof(proof, [("KEY-UNKNOWN", "parts[0]")])
        self.check_proof(proof, [], keys=[SECOND])
        # An item of `keys` that nobody trusted has signed puts none in force.
        self.check_proof({**proof, "keys": self.proof(0, 1, [], True)["keys"]}, [("KEY-UNKNOWN", "parts[0]")], keys=[STRANGER])

    def test_damaged(self):
        size = len(self.first)
        two = [(1, 3), (2, 0)]
        changes = [
            ("proof", lambda proof: proof.update(sha256="00" * 32)),
            ("proof", lambda proof: proof.update({"from": proof["from"] + 1})),
            ("proof", lambda proof: proof.update({"to": proof["from"]})),
            ("proof", lambda proof: proof.update({"to": size + 5000})),
            ("parts[0]", lambda proof: proof.update({"from": 0})),
            ("proof", lambda proof: proof.update(extra=1)),
            ("proof", lambda proof: proof.update(kind="x")),
            ("proof", lambda proof: proof.update(format=1)),
            ("proof", lambda proof: proof.update(parts=[])),
            ("proof", lambda proof: proof.update(keys=[])),
            ("proof", lambda proof: proof["keys"][0]["leaf"].update(time="x")),
            ("proof", lambda proof: proof["parts"][0]["leaf"].update(extra=1)),
            ("keys[0]", lambda proof: proof["keys"][0]["leaf"]["detail"].update(key=STRANGER.text)),
            ("keys[0]", lambda proof: proof.update(archive="f" * 32)),
            ("parts[0]", lambda proof: proof.update(trail=OTHER)),
            ("parts[0]", lambda proof: proof.update(family="y.csv")),
            ("parts[0]", lambda proof: proof.update(generation="0" * 16)),
            ("parts[0]", lambda proof: proof["parts"][0]["leaf"].update(log="other")),
            ("parts[0]", lambda proof: proof["parts"].reverse()),
            ("parts[1]", lambda proof: proof["parts"].insert(1, self.part(3))),
            ("parts[0]", lambda proof: proof["parts"][0]["frames"][0].update(index=2)),
            ("parts[0]", lambda proof: proof["parts"][0]["frames"][0].update(index=99)),
            ("parts[0]", lambda proof: proof["parts"][0]["frames"][0]["path"].pop()),
            ("parts[0]", lambda proof: proof["parts"][0]["frames"][0]["path"].append("00" * 32)),
            ("parts[0]", lambda proof: proof["parts"][0]["frames"][0].update(data="AAAA")),
            ("parts[0]", lambda proof: proof["parts"][0]["frames"][0].update(data="?")),
            ("parts[0]", lambda proof: proof["parts"][0].pop("frames")),
            ("parts[0]", lambda proof: proof["parts"][0].update(object="AAAA")),
        ]
        for old, new in (("@v1\n", "@v2\n"), ("@v1\n", "@v1\nextra AAAA\n"), ("index 1", "index 01"), ("index 1", "index 0")):
            replaced = inclusion(self.writer, TRAIL, 1, 2).replace(old, new)
            changes.append(("parts[0]", lambda proof, replaced=replaced: proof["parts"][0].update(inclusion=replaced)))
        for index, (place, change) in enumerate(changes):
            with self.subTest(index):
                proof = json.loads(spell(self.proof(size - 5, size + 5, two, keys=True)))
                change(proof)
                self.check_proof(proof, [("MODIFIED", place)])

    def test_keys(self):
        for leaf in (control("review"), control("key-added", key=STRANGER.text)):
            self.writer.commit("journal", [leaf])
        items = [
            {"leaf": self.writer.leaves["journal"][number - 1], "inclusion": inclusion(self.writer, "journal", number - 1, number)}
            for number in (1, 2, 3, 4)
        ]
        proof = self.proof(10, 20, [(1, 0)])
        self.check_proof({**proof, "keys": [items[0], items[1], items[3]]}, [])
        self.check_proof({**proof, "keys": [items[2]]}, [("MODIFIED", "keys[0]")])
        self.check_proof({**proof, "keys": [items[3], items[1]]}, [("MODIFIED", "keys[1]")])

    def test_object(self):
        start = len(self.first) + len(self.second)
        proof = self.proof(start, start + 5, [(3,)])
        self.check_proof(proof, [])
        proof["parts"][0]["object"] = base64.b64encode(zstd(b"THREE")).decode()
        self.check_proof(proof, [("MODIFIED", "parts[0]")])

    def test_spelling(self):
        proof = spell(self.proof(10, 20, [(1, 0)]))
        self.check_proof(proof + b"\n", [("MODIFIED", "proof")])
        self.check_proof(proof.replace(b":", b": ", 1), [("MODIFIED", "proof")])

    def test_newer(self):
        file = self.outside("proof.json", b'{"format":3}')
        self.assertEqual(self.run_verifier("--proof", file, "--key", ROOT.text), (1, None))


class Trees(unittest.TestCase):
    def test_against_the_definition(self):
        for size in range(0, 40):
            leaves = [str(index).encode() for index in range(size)]
            hashed = [sha(b"\x00" + leaf) for leaf in leaves]
            root = tree(hashed)
            self.assertEqual(objects.root_of(leaves), root)
            for index in range(size):
                steps = path(index, hashed)
                self.assertTrue(objects.is_included(hashed[index], index, size, steps, root))
                self.assertFalse(objects.is_included(hashed[index], index + size, size, steps, root))
                self.assertFalse(objects.is_included(hashed[index], index, size, steps + [root], root))
                self.assertFalse(objects.is_included(sha(b"x"), index, size, steps, root))
                if steps:
                    self.assertFalse(objects.is_included(hashed[index], index ^ 1, size, steps, root))


if __name__ == "__main__":
    unittest.main()
