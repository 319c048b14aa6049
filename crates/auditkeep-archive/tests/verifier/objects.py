"""How single objects of an auditkeep archive are spelled, shaped, signed and compressed: §2 to §6 of the specification.

Part of the verifier in `verify.py`; see there what it is for.
"""

import base64
import datetime
import functools
import hashlib
import json
import re

import zstandard
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

NEWEST_FORMAT = 2
LIMIT = 2**53  # numbers in JSON are below this (§2)
MAX_SEGMENT = 8 * 1024 * 1024  # raw bytes of a segment (§4.3)
FRAME = 512 * 1024
JOURNAL = "journal"


class Unreadable(Exception):
    """The verification cannot be done at all: exit code 1."""


class Damaged(Exception):
    """Something is not as the document says."""


class UnknownKey(Exception):
    """A note is signed, but by no key that is trusted for it."""


# ---- Spelling (§2) ----


def canonical(value):
    """The RFC 8785 spelling of a JSON value, as bytes."""
    return spell(value).encode("utf-8")


def spell(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)  # escapes what RFC 8785 escapes, and in the same way
    if isinstance(value, list):
        return "[" + ",".join(spell(item) for item in value) + "]"
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(spell(key) + ":" + spell(value[key]) for key in keys) + "}"
    raise Damaged("a value that no key of the format has")  # null


def parse_canonical(data):
    """Parses JSON, and refuses it unless `data` is the canonical spelling of what was parsed."""

    def no_duplicates(pairs):
        if len(dict(pairs)) != len(pairs):
            raise Damaged("a key is there twice")
        return dict(pairs)

    def integer(digits):
        if len(digits) > 17 or abs(int(digits)) >= LIMIT:
            raise Damaged("a number is not below 2^53")
        return int(digits)

    def no_fraction(digits):
        raise Damaged(f"{digits} is not an integer")

    hooks = {"parse_int": integer, "parse_float": no_fraction, "parse_constant": no_fraction}
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=no_duplicates, **hooks)
        spelled = canonical(value)
    except (ValueError, RecursionError) as error:  # also wrong UTF-8 and lone surrogates
        raise Damaged(f"not JSON: {error}") from error
    if spelled != data:
        raise Damaged("not the canonical spelling of what it says")
    return value


def newer_format(data, *path):
    """The higher `format` that an object states, which means that the document does not describe it (§2); else None."""
    try:
        value = json.loads(data)
        for key in path:
            value = value[key]
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        return None
    return value if isinstance(value, int) and NEWEST_FORMAT < value < 2**32 else None


def newer(place, version):
    return Unreadable(f"{place} has format {version}; this program knows formats up to {NEWEST_FORMAT}")


TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{0,8}[1-9]))?Z", re.ASCII)


def parse_time(spelled):
    """Nanoseconds since 1970 of a time that is spelled as §2 says."""
    match = TIME.fullmatch(spelled)
    try:
        moment = datetime.datetime(*(int(part) for part in match.groups()[:6]))
    except (AttributeError, ValueError) as error:  # no match, or no such day
        raise Damaged(f"{spelled!r} is not a time") from error
    elapsed = moment - datetime.datetime(1970, 1, 1)
    return (elapsed.days * 86400 + elapsed.seconds) * 10**9 + int((match.group(7) or "").ljust(9, "0"))


def parse_decimal(digits):
    if not re.fullmatch("0|[1-9][0-9]{0,15}", digits) or int(digits) >= LIMIT:
        raise Damaged(f"{digits!r} is not a number")
    return int(digits)


def parse_base64(spelled):
    """Standard base64 with padding, in its one canonical spelling."""
    try:
        data = base64.b64decode(spelled, validate=True)
    except ValueError as error:
        raise Damaged(f"not base64: {error}") from error
    if base64.b64encode(data).decode() != spelled:
        raise Damaged("not base64 in its canonical spelling")
    return data


def sha256(data):
    return hashlib.sha256(data).digest()


# ---- The shapes of objects (§3, §4, §9) ----
# A shape is a function of a value and the name of its place.  It raises Damaged if the value is not what the place wants.


def anything(value, place):
    pass


def text(value, place):
    if not isinstance(value, str):
        raise Damaged(f"{place} is not a text")


def number(value, place):
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise Damaged(f"{place} is not a number")


def positive(value, place):
    number(value, place)
    if value == 0:
        raise Damaged(f"{place} is 0, which is spelled by leaving it out")


def boolean(value, place):
    if not isinstance(value, bool):
        raise Damaged(f"{place} is neither true nor false")


def spelled_by(parse):
    """A text that `parse` accepts."""

    def check(value, place):
        text(value, place)
        try:
            parse(value)
        except Damaged as error:
            raise Damaged(f"{place}: {error}") from error

    return check


def pattern(expression, name):
    def check(value, place):
        text(value, place)
        if not re.fullmatch(expression, value):
            raise Damaged(f"{place} is not {name}")

    return check


def just(*values):
    def check(value, place):
        if not any(value == one and type(value) is type(one) for one in values):
            raise Damaged(f"{place} is none of {values}")

    return check


def list_of(shape, least=0):
    def check(value, place):
        if not isinstance(value, list) or len(value) < least:
            raise Damaged(f"{place} is not a list, or empty instead of absent")
        for index, item in enumerate(value):
            shape(item, f"{place}[{index}]")

    return check


def map_of(shape, least=0):
    def check(value, place):
        if not isinstance(value, dict) or len(value) < least:
            raise Damaged(f"{place} is not an object, or empty instead of absent")
        for key, item in value.items():
            shape(item, f"{place}.{key}")

    return check


def record(fields):
    """An object with these keys and no others; those that are spelled with a question mark here may be absent."""
    shapes = {key.rstrip("?"): shape for key, shape in fields.items()}
    required = [key for key in fields if not key.endswith("?")]

    def check(value, place):
        map_of(anything)(value, place)
        for key in required:
            if key not in value:
                raise Damaged(f"{place} has no {key}")
        for key, item in value.items():
            if key not in shapes:
                raise Damaged(f"{place} has a key {key!r}, which the format does not name")
            shapes[key](item, f"{place}.{key}")

    return check


TIME_TEXT = spelled_by(parse_time)
KEY = spelled_by(lambda spelled: parse_key(spelled))
HASH = pattern("[0-9a-f]{64}", "a SHA-256")

MANIFEST = record({"format": just(1, 2), "id": text, "created": TIME_TEXT, "keys": list_of(KEY)})


def segment_leaf(version, in_cursor=False):
    """A segment leaf; those in `unfinished` come without `kind`."""
    fields = {
        "log": text, "family": text, "generation": text, "format": text,
        "from": number, "to": number, "complete_to": number, "raw_sha256": HASH, "received": TIME_TEXT,
        "object": text, "object_sha256": HASH, "object_size": number,
    }
    if not in_cursor:
        fields["kind"] = just("segment")
    if version >= 2:
        fields["frames?"] = HASH
    return record(fields)


CONTROL_LEAF = record({"kind": just("control"), "event": text, "time": TIME_TEXT, "detail?": map_of(text, least=1)})
HEAD = record({"number": number, "commit": HASH, "size": number, "root": HASH})
SEAL_LEAF = record({"kind": just("seal"), "time": TIME_TEXT, "heads": map_of(HEAD)})


def leaf_shape(version):
    def check(value, place):
        kind = value.get("kind") if isinstance(value, dict) else None
        if kind == "segment":
            segment_leaf(version)(value, place)
        elif kind == "control":
            CONTROL_LEAF(value, place)
        elif kind == "seal" and version >= 2:
            SEAL_LEAF(value, place)
        else:
            raise Damaged(f"{place} is of a kind that the format does not have: {kind!r}")

    return check


def cursor_shape(version):
    return record({
        "log": text, "family": text, "generation": text, "format": text, "day": text,
        "offset": number, "complete_to": number, "cuts": list_of(number), "chain": HASH,
        "listed": record({"size": number, "last_written_ms": number}), "settled": boolean,
        "unfinished?": list_of(segment_leaf(version, in_cursor=True), least=1), "evidence_only?": just(True),
    })


STANDING = record({
    "state?": just("started", "silent", "stopped"), "received?": TIME_TEXT, "gaps?": map_of(number, least=1),
    "keep_days?": number, "keep_until?": TIME_TEXT, "holds?": map_of(number, least=1), "expired_through?": positive,
    "keys?": map_of(record({"key": KEY, "added": number, "retired?": number, "seal?": number}), least=1),
    "sealed?": positive, "witnesses?": map_of(record({"seal": number, "time": TIME_TEXT}), least=1),
})
SOURCE = record({
    "kind": text, "account": text, "region": text, "resource_id": text, "instance": text, "engine": text, "cluster?": text,
})


def check_body(body):
    """The shape of a commit's body (§4)."""
    map_of(anything)(body, "body")
    version, in_journal = body.get("format"), body.get("trail") == JOURNAL
    allowed = just(2) if in_journal else just(1, 2)
    allowed(version, "format")
    fields = {
        "format": number, "archive": text, "trail": text, "number": number, "previous?": HASH,
        "time": TIME_TEXT, "writer": text, "source": SOURCE, "leaves": list_of(leaf_shape(version)),
        "tree": record({"size": number, "nodes": list_of(HASH)}),
        "cursors": just({}) if in_journal else map_of(cursor_shape(version)),
    }
    if version == 2:
        fields["standing"] = STANDING
        if not in_journal:
            fields["journal"] = record({"number": number, "commit": HASH})
    record(fields)(body, "body")


# ---- What leaves must be beside well shaped (§4.1) ----

NAME_UNDER_RAW = re.compile("raw(/[A-Za-z0-9_=-][A-Za-z0-9._=-]*)+")


def names_an_object(leaf):
    """Whether a segment leaf's `object` is the name of an object under raw/.  Also keeps readers inside the archive."""
    return bool(NAME_UNDER_RAW.fullmatch(leaf["object"]))


def segment_fault(leaf):
    """What is wrong with a segment leaf; None if it is as §4.1 demands."""
    if leaf["from"] >= leaf["to"] or leaf["complete_to"] > leaf["to"]:
        return "a segment has no bytes, or its complete_to is beyond its end"
    if leaf["to"] - leaf["from"] > MAX_SEGMENT:
        return "a segment has more than 8 MiB"
    return None if names_an_object(leaf) else f"{leaf['object']!r} is no name under raw/"


def understood(leaf):
    """What the `detail` of a control leaf says, with numbers and keys parsed.  None if the leaf lacks what its event needs, or
    spells it otherwise: then it changes nothing."""
    if leaf["kind"] != "control":
        return None
    detail, parsed = leaf.get("detail", {}), {}
    for key, parse in NEEDED.get(leaf["event"], {}).items():
        name = key.rstrip("?")
        if name not in detail:
            if key.endswith("?"):
                continue
            return None
        try:
            parsed[name] = parse(detail[name])
        except Damaged:
            return None
    return parsed


def parse_keys(spelled):
    return [parse_key(key) for key in spelled.split(" ")]


def parse_time_text(spelled):
    parse_time(spelled)
    return spelled


NEEDED = {
    "gap-opened": {"gap": str},
    "gap-closed": {"gap": str},
    "hold-placed": {"hold": str},
    "hold-released": {"hold": str},
    "retention-set": {"keep_days?": parse_decimal, "keep_until?": parse_time_text},
    "expired": {"through": parse_decimal},
    "archive-created": {"keys": parse_keys},
    "key-added": {"key": lambda spelled: parse_key(spelled)},
    "key-retired": {"key": str, "seal": parse_decimal},
    "witness-reached": {"witness": str, "seal": parse_decimal},
}


# ---- Trees (§5, RFC 6962 §2.1) ----


def leaf_hash(data):
    return sha256(b"\x00" + data)


def node_hash(left, right):
    return sha256(b"\x01" + left + right)


def add_to_frontier(size, nodes, new_leaf):
    """Adds one leaf hash to the roots of the perfect subtrees, the largest first."""
    nodes, node = list(nodes), new_leaf
    while size & 1 and nodes:  # without nodes the tree contradicts itself, and was accused
        node = node_hash(nodes.pop(), node)
        size >>= 1
    return nodes + [node]


def frontier_root(nodes):
    if not nodes:
        return sha256(b"")
    root = nodes[-1]
    for left in reversed(nodes[:-1]):
        root = node_hash(left, root)
    return root


def root_of(leaves):
    """The root over a list of leaf data."""
    nodes = []
    for size, data in enumerate(leaves):
        nodes = add_to_frontier(size, nodes, leaf_hash(data))
    return frontier_root(nodes)


def is_included(leaf, index, size, path, root):
    """Whether the inclusion path (RFC 6962 §2.1.1) leads from a leaf hash to the root."""
    if index >= size:
        return False
    last = size - 1
    for sibling in path:
        if last == 0:
            return False  # the path is too long
        if index & 1 or index == last:
            leaf = node_hash(sibling, leaf)
            while not index & 1 and index != 0:
                index >>= 1
                last >>= 1
        else:
            leaf = node_hash(leaf, sibling)
        index >>= 1
        last >>= 1
    return last == 0 and leaf == root


def tree_of(body):
    return body["tree"]["size"], [bytes.fromhex(node) for node in body["tree"]["nodes"]]


# ---- Keys and signed notes (§6, C2SP signed-note) ----


class PublicKey:
    """A public key `<name>+<key id>+<base64(type ‖ key)>`."""

    def __init__(self, spelled):
        parts = spelled.split("+", 2)
        if len(parts) != 3 or not re.fullmatch(r"\S+", parts[0]):
            raise Damaged(f"{spelled!r} is not a public key")
        name, key_id, data = parts[0], parts[1], parse_base64(parts[2])
        kind, material = data[:1], data[1:]
        self.text = spelled
        self.id = name + "+" + key_id
        self.is_ed25519 = kind == b"\x01"
        try:
            if self.is_ed25519:
                expected = sha256(name.encode() + b"\n\x01" + material)[:4]
                self.key = Ed25519PublicKey.from_public_bytes(material)
            elif kind == b"\x02":
                expected = sha256(material)[:4]
                self.key = serialization.load_der_public_key(material)
            else:
                raise Damaged(f"{spelled!r} is a public key of no known type")
        except ValueError as error:
            raise Damaged(f"{spelled!r} is not a public key: {error}") from error
        if not self.is_ed25519 and not is_p256(self.key, material):
            raise Damaged(f"{spelled!r} is not a P-256 key in its usual encoding")
        if key_id != expected.hex():
            raise Damaged(f"{spelled!r}: the key id is not the one of the key")

    @functools.lru_cache(maxsize=None)  # many damaged archives share most of their commits
    def has_signed(self, message, signature):
        try:
            if self.is_ed25519:
                self.key.verify(signature, message)
            else:
                self.key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return True


@functools.lru_cache(maxsize=None)
def parse_key(spelled):
    return PublicKey(spelled)


def is_p256(key, der):
    encoding, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return isinstance(getattr(key, "curve", None), ec.SECP256R1) and key.public_bytes(encoding, form) == der


def by_id(keys):
    return {key.id: key for key in keys}


def split_note(note):
    """A signed note's text, and its signatures as pairs of `<name>+<key id>` and bytes."""
    position = note.rfind("\n\n")
    if position < 0 or not note.endswith("\n") or re.search("[\x00-\x09\x0b-\x1f]", note):
        raise Damaged("not a signed note")
    signatures = []
    for line in note[position + 2 : -1].split("\n"):
        match = re.fullmatch(r"— ([^\s+]+) (\S+)", line)
        data = parse_base64(match.group(2)) if match else b""
        if len(data) < 5:
            raise Damaged("the note has a line that is not a signature")
        signatures.append((match.group(1) + "+" + data[:4].hex(), data[4:]))
    return note[: position + 1], signatures


def check_note(note, keys):
    """The text of a note that one of `keys` (by `<name>+<key id>`) has signed.  None of them may have signed it wrongly."""
    signed_text, signatures = split_note(note)
    known = [(keys[key_id], signature) for key_id, signature in signatures if key_id in keys]
    for key, signature in known:
        if not key.has_signed(signed_text.encode("utf-8"), signature):
            raise Damaged(f"the signature by {key.id} is wrong")
    if not known:
        raise UnknownKey("signed only by " + ", ".join(key_id for key_id, _ in signatures))
    return signed_text


def note_text(body):
    """What the note of a commit with this body must say."""
    size, nodes = tree_of(body)
    return (
        f"auditkeep/{body['archive']}/{body['trail']}\n{size}\n{base64.b64encode(frontier_root(nodes)).decode()}\n"
        f"commit {body['number']} {sha256(canonical(body)).hex()}\n"
    )


class NoteText:
    """The parts of a commit's note text, for a note that stands alone."""

    def __init__(self, signed_text):
        line = r"auditkeep/([^/\n]*)/([^\n]*)\n([0-9]+)\n(\S+)\ncommit ([0-9]+) ([0-9a-f]{64})\n"
        match = re.fullmatch(line, signed_text)
        if not match:
            raise Damaged("the note is not one of a commit")
        self.archive, self.trail, self.body_hash = match.group(1), match.group(2), match.group(6)
        self.size, self.number = parse_decimal(match.group(3)), parse_decimal(match.group(5))
        self.root = parse_base64(match.group(4))


# ---- Segments (§4.3, RFC 8878) ----


def split_frames(data):
    """The zstd frames that an object consists of."""
    frames = []
    while data:
        length = frame_length(data)
        if length > len(data):
            raise Damaged("a zstd frame is cut off")
        frames.append(data[:length])
        data = data[length:]
    return frames


def frame_length(data):
    """The length of the frame at the beginning of `data`, by its headers (RFC 8878 §3.1)."""
    if is_skippable(data):
        return 8 + int.from_bytes(data[4:8], "little")
    if data[:4] != b"\x28\xb5\x2f\xfd" or len(data) < 6:
        raise Damaged("not a zstd frame")
    descriptor = data[4]
    single_segment = descriptor >> 5 & 1
    content_size = (1 if single_segment else 0, 2, 4, 8)[descriptor >> 6]
    dictionary_id = (0, 1, 2, 4)[descriptor & 3]
    position = 5 + (0 if single_segment else 1) + dictionary_id + content_size
    last_block = False
    while not last_block:
        header = int.from_bytes(data[position : position + 3], "little")
        if position + 3 > len(data):
            raise Damaged("a zstd frame is cut off")
        last_block, kind, size = header & 1, header >> 1 & 3, header >> 3
        position += 3 + (1 if kind == 1 else size)  # kind 1 is one byte, repeated
    return position + (4 if has_checksum(data) else 0)


def is_skippable(frame):
    return len(frame) >= 8 and int.from_bytes(frame[:4], "little") & 0xFFFFFFF0 == 0x184D2A50


def has_checksum(frame):
    return bool(frame[4] >> 2 & 1)


def stated_length(frame):
    """How many raw bytes a frame says that it has; None if it does not say."""
    if is_skippable(frame):
        return None
    try:
        announced = zstandard.get_frame_parameters(frame).content_size
    except zstandard.ZstdError as error:
        raise Damaged(f"not a zstd frame: {error}") from error
    return None if announced == zstandard.CONTENTSIZE_UNKNOWN else announced


def decompress(frame, limit):
    """The raw bytes of one frame, if they are at most `limit`."""
    if is_skippable(frame):
        return b""
    if (stated_length(frame) or 0) > limit:
        raise Damaged("it decompresses to more bytes than are stated")
    try:
        return zstandard.ZstdDecompressor().decompress(frame, max_output_size=max(limit, 1))
    except zstandard.ZstdError as error:
        raise Damaged(f"it does not decompress: {error}") from error


def decompress_exactly(frame, index, length):
    """Frame `index` of an object that consists of frames as §4.3 describes them, of a segment of `length` bytes."""
    expected = min(FRAME, length - index * FRAME)
    if expected <= 0 or stated_length(frame) != expected:
        raise Damaged(f"frame {index} does not state that it has {expected} raw bytes")
    raw = decompress(frame, expected)
    if len(raw) != expected:
        raise Damaged(f"frame {index} has {len(raw)} raw bytes instead of {expected}")
    return raw


def raw_length(leaf):
    if not 0 <= leaf["to"] - leaf["from"] <= MAX_SEGMENT:
        raise Damaged("the segment has less than no bytes, or more than 8 MiB")
    return leaf["to"] - leaf["from"]


def open_segment(leaf, data):
    """Checks a stored object against its leaf, and returns the raw bytes."""
    return open_object(canonical(leaf), data)


@functools.lru_cache(maxsize=4096)  # many damaged archives share most of their segments
def open_object(leaf_data, data):
    leaf = json.loads(leaf_data)
    length = raw_length(leaf)
    if len(data) != leaf["object_size"] or sha256(data).hex() != leaf["object_sha256"]:
        raise Damaged("it has another size or hash than those stated")
    frames = split_frames(data)
    raw = b""
    for index, frame in enumerate(frames):
        raw += decompress_exactly(frame, index, length) if "frames" in leaf else decompress(frame, length - len(raw))
    if len(raw) != length or sha256(raw).hex() != leaf["raw_sha256"]:
        raise Damaged("it does not decompress to the stated bytes")
    if "frames" in leaf and root_of(frames).hex() != leaf["frames"]:
        raise Damaged("its frames have another root than the one stated")
    return raw
