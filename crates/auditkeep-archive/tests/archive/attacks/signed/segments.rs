//! Segment leaves that do not tell what was read, or what is stored.

use auditkeep_archive::commit::Body;
use auditkeep_archive::control::Event;
use auditkeep_archive::leaf::{Leaf, SegmentLeaf};
use auditkeep_archive::verify::Verdict::{Extra, Gap, Missing, Modified};
use auditkeep_core::integrity::hash::Sha256;

use super::super::forger::{Forger, name};
use super::super::honest::{A, B, LAST, honest, remarks, second};

use super::super::{Attack, check};
use super::{NEXT, at, cursor, honest_segments, leaf, lie};

/// One more segment, whose leaf is altered before its commit is signed.
async fn with_segment(what: &str, change: impl FnOnce(&mut Forger, &mut SegmentLeaf)) -> Attack {
    Attack::new(what, |on| {
        let mut leaf = on.segment(A, &cursor(A), b"one more line\n");
        change(on, &mut leaf);
        let body: Body = on.next(A, vec![Leaf::Segment(leaf)]);
        on.write(&body, &second());
    })
    .await
}

#[tokio::test]
async fn segments_that_lie() {
    let next = name(A, NEXT);
    let object = {
        let mut on = honest().await.forger.clone();
        on.segment(A, &cursor(A), b"one more line\n").object
    };
    let other = honest_segments(B, 30).remove(0);
    let mut attacks = vec![with_segment("right", |_, _| {}).await];
    let attack = with_segment("an overlap", |_, leaf| {
        (leaf.from, leaf.to, leaf.complete_to) = (leaf.from - 5, leaf.to - 5, leaf.to - 5);
    })
    .await;
    attacks.push(attack.finds(Gap, &next));
    let attack = with_segment("a hole", |_, leaf| {
        (leaf.from, leaf.to, leaf.complete_to) = (leaf.from + 5, leaf.to + 5, leaf.to + 5);
    })
    .await;
    attacks.push(attack.finds(Gap, &next));
    let attack = Attack::new("a hole that a record explains", |on| {
        let mut segment = on.segment(A, &cursor(A), b"one more line\n");
        let gap = format!("{}@{}", cursor(A), segment.from);
        let opened = Event::GapOpened
            .at(at())
            .with("gap", gap)
            .with("from", segment.from)
            .with("to", segment.from + 5);
        (segment.from, segment.to, segment.complete_to) = (segment.from + 5, segment.to + 5, segment.to + 5);
        on.append(A, vec![leaf(opened), Leaf::Segment(segment)], &second());
    });
    let gap_name =
        format!("{}@{}", cursor(A), honest().await.forger.body(A, LAST).cursors[&cursor(A)].offset);
    let explained = [remarks(), vec![(Gap, gap_name)]].concat();
    attacks.push(attack.await.finds(Gap, &next).remarks(explained));
    let attack = Attack::new("no cursor", |on| {
        let leaf = on.segment(A, &cursor(A), b"one more line\n");
        lie(on, A, vec![Leaf::Segment(leaf)], |body| {
            drop(body["cursors"].as_object_mut().unwrap().remove(&cursor(A)));
        });
    });
    attacks.push(attack.await.finds(Gap, &next));
    for name in [
        "archive.json",
        "trails/x",
        "raw/../archive.json",
        "raw//x",
        "raw",
        "/raw/x",
        "raw/a b",
        "raw/ü",
        "raw/.x",
        "raw/x/",
        "",
    ] {
        let what = format!("the name {name:?}");
        let attack = with_segment(&what, |on, leaf| {
            on.remove(&leaf.object);
            name.clone_into(&mut leaf.object);
        });
        attacks.push(attack.await.finds(Modified, &next));
    }
    let attack = with_segment("an odd name that is there", |on, leaf| {
        let bytes = on.remove(&leaf.object);
        leaf.object = "raw/a b".to_owned();
        on.put("raw/a b", bytes);
    });
    attacks.push(attack.await.finds(Modified, &next).finds(Extra, "raw/a b"));
    let attack = with_segment("another leaf's object", |on, leaf| {
        on.remove(&leaf.object);
        leaf.object.clone_from(&other);
    });
    attacks.push(attack.await.finds(Modified, &other));
    attacks.push(
        with_segment("no object", |on, leaf| drop(on.remove(&leaf.object))).await.finds(Missing, &object),
    );
    let attack = with_segment("complete beyond its end", |_, leaf| leaf.complete_to = leaf.to + 1).await;
    attacks.push(attack.finds(Modified, &next));
    let attack =
        with_segment("no bytes", |_, leaf| (leaf.to, leaf.complete_to) = (leaf.from, leaf.from)).await;
    attacks.push(attack.finds(Modified, &next).only_deep(Modified, &object));
    let attack =
        with_segment("more than a segment holds", |_, leaf| leaf.to = leaf.from + (8 << 20) + 1).await;
    attacks.push(attack.finds(Modified, &next).only_deep(Modified, &object));
    for (what, change) in wrong_contents() {
        attacks.push(with_segment(what, change).await.only_deep(Modified, &object));
    }
    check(attacks).await;
}

type WrongContent = (&'static str, fn(&mut Forger, &mut SegmentLeaf));

/// Leaves that state size and hash of an object which is not what it should be.
fn wrong_contents() -> [WrongContent; 8] {
    [
        ("another raw hash", |_, leaf| leaf.raw_sha256 = Sha256::of(b"x")),
        ("another frame root", |_, leaf| leaf.frames = Some(Sha256::of(b"x"))),
        ("a bomb", |on, leaf| store(on, leaf, zstd::encode_all(&vec![0; 64 << 20][..], 1).unwrap())),
        ("a bomb without frames", |on, leaf| {
            store(on, leaf, zstd::encode_all(&vec![0; 64 << 20][..], 1).unwrap());
            leaf.frames = None;
        }),
        ("no zstd", |on, leaf| store(on, leaf, b"no zstd".to_vec())),
        ("a frame too many", |on, leaf| {
            let object = on.objects[&leaf.object].to_vec();
            store(on, leaf, [object, zstd::encode_all(&b""[..], 1).unwrap()].concat());
        }),
        ("bytes after the frames", |on, leaf| {
            let object = on.objects[&leaf.object].to_vec();
            store(on, leaf, [object, b"x".to_vec()].concat());
            leaf.frames = None;
        }),
        ("a frame that is cut off", |on, leaf| {
            let object = on.objects[&leaf.object].to_vec();
            store(on, leaf, object[..object.len() - 1].to_vec());
            leaf.frames = None;
        }),
    ]
}

fn store(on: &mut Forger, leaf: &mut SegmentLeaf, object: Vec<u8>) {
    (leaf.object_sha256, leaf.object_size) = (Sha256::of(&object), object.len() as u64);
    on.put(&leaf.object.clone(), object);
}
