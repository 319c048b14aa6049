//! Numbers that only look random: the same parts give the same number on every machine.
//!
//! Good enough to choose by; no use for secrets.

/// A number from parts, by the finaliser of `SplitMix64` (Steele, Lea, Flood: "Fast splittable pseudorandom number
/// generators", 2014) over each part in turn.
pub(crate) fn mix(parts: &[u64]) -> u64 {
    parts.iter().fold(0, |state, part| {
        let mut z = (state ^ part).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

/// A number from a text (FNV-1a), to be mixed with others.
pub(crate) fn text(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |state, byte| {
        (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The item that a number means.
pub(crate) fn pick<T: Copy>(number: u64, items: &[T]) -> T {
    items[usize::try_from(number % items.len() as u64).unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_their_order_matter() {
        assert_eq!(mix(&[1, 2]), mix(&[1, 2]));
        assert_ne!(mix(&[1, 2]), mix(&[2, 1]));
        assert_ne!(mix(&[1, text("a")]), mix(&[1, text("b")]));
        let high = (0..10_000).filter(|n| mix(&[7, *n]) > u64::MAX / 2).count();
        assert!((4_800..5_200).contains(&high), "{high}");
    }
}
