//! What holds for any bytes: nothing is lost, nothing counted twice, and where the input is cut does not matter.

use auditkeep_core::engine::Engine;
use auditkeep_core::event::columns::{EventColumns, RowContext};
use auditkeep_core::event::{Event, Outcome};
use auditkeep_core::format::{Format, Framer, parse};
use proptest::prelude::*;

use crate::collect::{collect, collect_at};
use crate::csvlog::Record;

/// Pieces of all formats, whole records among them.
fn pieces() -> Vec<String> {
    let audit = "AUDIT: SESSION,1,1,READ,SELECT,TABLE,public.t,\"select a,\n\"\"b\"\"\",<none>";
    let stderr = "2026-11-21 03:58:17 UTC:127.0.0.1(45172):app@shop:[28741]:";
    let mut pieces: Vec<String> = [
        "\n", "\t", "\"", ",", "'", "\\", "@", ":[7]:", "LOG:  ", "STATEMENT:  ", "AUDIT: ", "2026-11-21 03:58:17.123 UTC", " [7] ",
        "20261121 03:44:10,vm,", "x,1,2,QUERY,d,'", "',0\n", ",1,0,CONNECT,d,,0\n", "unprefixed\n", "\n\t", "\0", "\u{fffd}",
        "20261121 03:44:10,vm,a,h,5,7,QUERY,d,'select \\'1\\'',0\n",
        "1703817810074458,n,a,h,5,7,WRITE,d,t,0\n",
        "20221201 14:07:05,ip-1,a,h,821,0,CONNECT,,,0,SOCKET\n",
        "2026-11-21 03:58:17 UTC:h(1):x\n",
        "line@shop:[28741]:LOG:  AUDIT: SESSION,1,1,READ,SELECT,,,select 1,<none>\n",
        "2026-11-21 03:58:17.123 UTC::@:[5]:1:00000:2026-11-21 03:58:00 UTC:3/12:0:6b0116f0.71d1:LOG:  checkpoint\n",
    ]
    .map(str::to_owned)
    .into();
    for message in [
        "LOG:  connection authorized: user=app database=shop",
        "ERROR:  no",
        "STATEMENT:  select 1",
        "CONTEXT:  f",
        "FATAL:  password authentication failed for user \"z\"",
    ] {
        pieces.push(format!("{stderr}{message}\n"));
    }
    pieces.push(format!("{stderr}LOG:  {}\n", audit.replace('\n', "\n\t")));
    pieces.push(Record { message: audit, ..Record::default() }.line());
    pieces.push(
        Record { severity: "ERROR", message: "no", query: Some("select a,\n\"b\""), ..Record::default() }
            .line(),
    );
    pieces.push(Record { message: audit, query: Some("do"), ..Record::default() }.line());
    pieces.push(
        Record { session: "6b01.2", message: "disconnection: session time: 1", ..Record::default() }.line(),
    );
    pieces
}

/// Pieces one after another, with a few bytes changed.
fn logs() -> impl Strategy<Value = Vec<u8>> {
    let pieces = pieces();
    let chosen = prop::collection::vec(prop::sample::select(pieces), 0..12);
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..3), 0..4);
    (chosen, changes).prop_map(|(chosen, changes)| {
        let mut bytes = chosen.concat().into_bytes();
        for (index, byte, kind) in changes {
            if bytes.is_empty() {
                break;
            }
            let at = index.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, byte),
            }
        }
        bytes
    })
}

fn formats() -> impl Strategy<Value = Format> {
    prop::sample::select(Format::ALL.to_vec())
}

fn frames(format: Format, chunks: &[&[u8]]) -> (u64, u64) {
    let mut framer = Framer::new(format);
    for chunk in chunks {
        framer.push(chunk);
    }
    (framer.finish(false), framer.finish(true))
}

/// Where complete records end, by asking after every byte.
fn boundaries(format: Format, bytes: &[u8]) -> Vec<usize> {
    let mut framer = Framer::new(format);
    let mut found = vec![0];
    for byte in bytes {
        framer.push(std::slice::from_ref(byte));
        let end = usize::try_from(framer.complete_to()).unwrap_or(usize::MAX);
        if found.last() != Some(&end) {
            found.push(end);
        }
    }
    found
}

/// Cutting the input may change how the last statement of a session went, and turn its error into an event.
fn comparable(events: &[Event<'static>]) -> Vec<Event<'static>> {
    let own_errors =
        |event: &&Event<'static>| event.outcome != Outcome::Failure || event.statement_id.is_some();
    events
        .iter()
        .filter(own_errors)
        .map(|event| {
            let mut event = event.clone();
            if event.substatement_id.is_some() {
                event.outcome = Outcome::Unknown;
                event.error_code = None;
                event.error_text = None;
            }
            event
        })
        .collect()
}

fn accounted(format: Format, bytes: &[u8]) -> u64 {
    let mut columns = EventColumns::new(RowContext {
        account: String::new(),
        region: String::new(),
        engine: Engine::Postgres,
        cluster: None,
        instance: String::new(),
        resource_id: String::new(),
        trail: String::new(),
        commit_number: 0,
        received_at_us: 0,
    });
    parse(format, bytes, 7, &mut columns);
    let rows = columns.rows();
    let parsed = columns.finish();
    assert_eq!(rows, parsed.events.num_rows() + parsed.problems.num_rows());
    columns.accounting().bytes()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_accounted_for(bytes in prop::collection::vec(any::<u8>(), 0..400), format in formats()) {
        collect_at(format, &bytes, 1_000_000_007);
        prop_assert_eq!(accounted(format, &bytes), bytes.len() as u64);
    }

    #[test]
    fn any_log_is_accounted_for(bytes in logs(), format in formats()) {
        collect(format, &bytes);
        prop_assert_eq!(accounted(format, &bytes), bytes.len() as u64);
    }

    #[test]
    fn chunks_do_not_matter(bytes in logs(), format in formats(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8)) {
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.push(0);
        cuts.push(bytes.len());
        cuts.sort_unstable();
        let chunks: Vec<_> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
        let bytewise: Vec<_> = bytes.chunks(1).collect();
        let whole = frames(format, &[&bytes]);
        prop_assert_eq!(frames(format, &chunks), whole);
        prop_assert_eq!(frames(format, &bytewise), whole);
        prop_assert!(whole.0 <= whole.1);
        prop_assert_eq!(whole.1, bytes.len() as u64);
    }

    #[test]
    fn a_cut_between_records_does_not_matter(bytes in logs(), format in formats(), at in any::<prop::sample::Index>()) {
        let ends = boundaries(format, &bytes);
        let cut = ends[at.index(ends.len())];
        let whole = collect(format, &bytes);
        let first = collect(format, &bytes[..cut]);
        let second = collect_at(format, &bytes[cut..], cut as u64);
        let spans: Vec<_> = first.spans.iter().chain(&second.spans).copied().collect();
        prop_assert_eq!(&whole.spans, &spans);
        if format == Format::PostgresCsv {
            let both = [comparable(&first.events), comparable(&second.events)].concat();
            prop_assert_eq!(comparable(&whole.events), both);
        }
    }
}
