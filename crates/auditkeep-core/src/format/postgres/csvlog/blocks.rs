//! Whole csvlog records, 64 bytes at a time, as long as the quoting is right.
//!
//! A byte lies within a text if the quotes up to it are odd in number. Where an opening quote begins a field and a closing one
//! ends it, or the two are one doubled quote, that is all there is to know, and a line feed outside texts ends a record. At
//! the first quote for which this does not hold it stops: what to make of that is for [`Splitter`](super::split::Splitter).

const BLOCK: usize = 64;

/// Tells `ended` where records end, from the start of a record on, and returns where the last of them does. What follows is
/// an incomplete record, one that is not quoted as it should be, or less than a block.
pub(super) fn whole_records(bytes: &[u8], ended: &mut impl FnMut(usize)) -> usize {
    // Before the first byte a record ended.
    let (mut inside, mut may_open, mut closed) = (0, 1, 0);
    let mut last = 0;
    let (blocks, _) = bytes.as_chunks::<BLOCK>();
    for (block, start) in blocks.iter().zip((0..).step_by(BLOCK)) {
        let Marks { quotes, commas, feeds } = Marks::of(block);
        let within = odd_up_to(quotes) ^ inside;
        let stops = quotes | commas | feeds;
        let opening = quotes & within;
        let closing = quotes & !within;
        let misplaced = (opening & !(stops << 1 | may_open)) | (!stops & (closing << 1 | closed));
        // What lies before the first quote that is out of place is as it should be.
        let right = if misplaced == 0 { u64::MAX } else { (1 << misplaced.trailing_zeros()) - 1 };
        let mut ends = feeds & !within & right;
        while ends != 0 {
            last = start + ends.trailing_zeros() as usize + 1;
            ended(last);
            ends &= ends - 1;
        }
        if misplaced != 0 {
            break;
        }
        inside = if within >> (BLOCK - 1) == 1 { u64::MAX } else { 0 };
        may_open = stops >> (BLOCK - 1);
        closed = closing >> (BLOCK - 1);
    }
    last
}

/// Which of a block's bytes are what, one bit each, the first byte's lowest.
struct Marks {
    quotes: u64,
    commas: u64,
    feeds: u64,
}

impl Marks {
    fn of(block: &[u8; BLOCK]) -> Self {
        Self { quotes: places(block, b'"'), commas: places(block, b','), feeds: places(block, b'\n') }
    }
}

/// One bit for each byte that is `byte`.
fn places(block: &[u8; BLOCK], byte: u8) -> u64 {
    let equal = block.map(|other| u8::from(other == byte));
    let (words, _) = equal.as_chunks::<8>();
    let mut places = 0;
    for (word, at) in words.iter().zip((0..).step_by(8)) {
        // Gathers the lowest bits of the eight bytes in the highest byte.
        let gathered = u64::from_le_bytes(*word).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        places |= gathered << at;
    }
    places
}

/// For each bit, whether the bits up to it, itself included, are odd in number.
fn odd_up_to(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::split::Splitter;
    use super::*;

    proptest! {
        #[test]
        fn marks_are_the_bytes(block in prop::array::uniform32(any::<u8>()), again in prop::array::uniform32(0_u8..50)) {
            let block: [u8; BLOCK] = [block, again].concat().try_into().unwrap();
            let marks = Marks::of(&block);
            for (at, byte) in block.iter().enumerate() {
                let bit = |marks: u64| marks >> at & 1 == 1;
                prop_assert_eq!(bit(marks.quotes), *byte == b'"');
                prop_assert_eq!(bit(marks.commas), *byte == b',');
                prop_assert_eq!(bit(marks.feeds), *byte == b'\n');
            }
        }
    }

    /// Where records end, as the splitter tells it of these chunks. A single byte never makes a block.
    fn ends<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> Vec<u64> {
        let (mut splitter, mut ends) = (Splitter::default(), Vec::new());
        chunks.for_each(|chunk| splitter.push(chunk, &mut |end| ends.push(end)));
        ends
    }

    fn pieces() -> impl Strategy<Value = Vec<u8>> {
        let whole = "2026-11-21 09:02:12.646 UTC,\"bob\",,1,\"a \"\"b\"\", c\n\",x\n";
        let torn =
            ["\"", "\"\"", ",", "\n", "x", ",\"", "\",", "2026-11-21 09:02:12.646 UTC,", "\"\"\"\",\n"];
        let piece = prop_oneof![4 => Just(whole), 1 => prop::sample::select(torn.to_vec())];
        prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat().into_bytes())
    }

    proptest! {
        #[test]
        fn blocks_change_nothing(bytes in pieces()) {
            prop_assert_eq!(ends([&bytes[..]].into_iter()), ends(bytes.chunks(1)));
            prop_assert_eq!(ends(bytes.chunks(100)), ends(bytes.chunks(1)));
        }
    }

    #[test]
    fn stops_before_a_quote_out_of_place() {
        let record = format!("a,\"{}\",b\n", "x\"\"y,\n".repeat(20));
        let mut ends = Vec::new();
        let wrong = [record.as_bytes(), record.as_bytes(), b"a,b\"c\n", record.as_bytes()].concat();
        let last = whole_records(&wrong, &mut |end| ends.push(end));
        assert_eq!((last, ends), (2 * record.len(), vec![record.len(), 2 * record.len()]));
    }
}
