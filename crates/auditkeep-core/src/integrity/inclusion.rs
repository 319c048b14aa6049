//! Inclusion paths: that a leaf is in a tree of which only the root is known (RFC 6962 §2.1.1, RFC 9162 §2.1.3.2).
//!
//! A path is made for leaves that were just added, from the frontier before them and their own hashes: the leaves of the past
//! are not needed. Does not say whether anybody vouches for the root.

use super::hash::Sha256;
use super::tree::{Frontier, node_hash};

/// The path of the leaf `added[index]` in the tree that `before` and all of `added` make, from the leaf's sibling to the
/// root's child. None if there is no such leaf, or `before` contradicts itself.
pub fn path_of_added(before: &Frontier, added: &[Sha256], index: usize) -> Option<Vec<Sha256>> {
    added.get(index)?;
    let known = Known { before, added };
    let leaf = before.size().checked_add(index as u64)?;
    let (mut from, mut to) = (0, before.size().checked_add(added.len() as u64)?);
    let mut path = Vec::new();
    while to - from > 1 {
        let middle = from + split(to - from);
        let sibling = if leaf < middle { known.root(middle, to)? } else { known.root(from, middle)? };
        path.push(sibling);
        (from, to) = if leaf < middle { (from, middle) } else { (middle, to) };
    }
    path.reverse();
    Some(path)
}

/// The path of `leaves[index]` in the tree over `leaves`.
pub fn path(leaves: &[Sha256], index: usize) -> Option<Vec<Sha256>> {
    path_of_added(&Frontier::default(), leaves, index)
}

/// The root of a tree of `size` leaves that has `leaf`, by its hash, at `index`, if `path` is its path there. None if no path
/// of this length belongs to that place.
pub fn root(leaf: &Sha256, index: u64, size: u64, path: &[Sha256]) -> Option<Sha256> {
    let mut last = size.checked_sub(1).filter(|last| index <= *last)?;
    let (mut index, mut node) = (index, *leaf);
    for sibling in path {
        if last == 0 {
            return None;
        }
        if index & 1 == 1 || index == last {
            node = node_hash(sibling, &node);
            // At the right edge a node without a sibling goes up as it is.
            while index & 1 == 0 && index != 0 {
                index >>= 1;
                last >>= 1;
            }
        } else {
            node = node_hash(&node, sibling);
        }
        index >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(node)
}

/// What is known of a tree: the frontier of its beginning, and the leaves after it.
struct Known<'a> {
    before: &'a Frontier,
    added: &'a [Sha256],
}

impl Known<'_> {
    /// The root over the leaves from `from` to before `to`; none if it takes leaves that are not known.
    fn root(&self, from: u64, to: u64) -> Option<Sha256> {
        if let Some(node) = self.before.subtree(from, to) {
            return Some(node);
        }
        if to - from == 1 {
            let added = from.checked_sub(self.before.size())?;
            return self.added.get(usize::try_from(added).ok()?).copied();
        }
        let middle = from + split(to - from);
        Some(node_hash(&self.root(from, middle)?, &self.root(middle, to)?))
    }
}

/// The largest power of two below `leaves`, which is at least two.
fn split(leaves: u64) -> u64 {
    1 << (u64::BITS - 1 - (leaves - 1).leading_zeros())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tree::leaf_hash;
    use super::*;

    /// RFC 6962 §2.1, word for word.
    fn reference_root(leaves: &[Sha256]) -> Sha256 {
        match leaves {
            [] => Sha256::of(b""),
            [leaf] => *leaf,
            _ => {
                let k = leaves.len().next_power_of_two() / 2;
                node_hash(&reference_root(&leaves[..k]), &reference_root(&leaves[k..]))
            }
        }
    }

    /// RFC 6962 §2.1.1, word for word.
    fn reference_path(leaves: &[Sha256], m: usize) -> Vec<Sha256> {
        if leaves.len() == 1 {
            return Vec::new();
        }
        let k = leaves.len().next_power_of_two() / 2;
        let (mut path, last) = if m < k {
            (reference_path(&leaves[..k], m), reference_root(&leaves[k..]))
        } else {
            (reference_path(&leaves[k..], m - k), reference_root(&leaves[..k]))
        };
        path.push(last);
        path
    }

    /// The reference leaves of the Certificate Transparency project's test data.
    fn published_leaves() -> Vec<Sha256> {
        ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
            .iter()
            .map(|text| leaf_hash(&hex::decode(text).unwrap()))
            .collect()
    }

    fn hashes(texts: &[&str]) -> Vec<Sha256> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn published_paths() {
        let leaves = published_leaves();
        // The same project's paths: index, size, path.
        let published: [(usize, usize, &[&str]); 5] = [
            (0, 1, &[]),
            (
                0,
                8,
                &[
                    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
                ],
            ),
            (
                5,
                8,
                &[
                    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
                ],
            ),
            (2, 3, &["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
            (
                1,
                5,
                &[
                    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                ],
            ),
        ];
        for (index, size, expected) in published {
            let expected = hashes(expected);
            assert_eq!(path(&leaves[..size], index), Some(expected.clone()), "{index} of {size}");
            let found = root(&leaves[index], index as u64, size as u64, &expected);
            assert_eq!(found, Some(reference_root(&leaves[..size])), "{index} of {size}");
        }
    }

    /// RFC 6962 §2.1.3: a tree of seven leaves, and the paths of d0, d3, d4 and d6 in it.
    #[test]
    fn the_example_of_the_rfc() {
        let data: Vec<Sha256> = (0..7).map(|number| leaf_hash(&[number])).collect();
        // As the RFC calls them: g, h, i, k, l.
        let pairs: Vec<Sha256> = data.chunks_exact(2).map(|pair| node_hash(&pair[0], &pair[1])).collect();
        let (left, right) = (node_hash(&pairs[0], &pairs[1]), node_hash(&pairs[2], &data[6]));
        for (index, expected) in [
            (0, vec![data[1], pairs[1], right]),
            (3, vec![data[2], pairs[0], right]),
            (4, vec![data[5], data[6], left]),
            (6, vec![pairs[2], left]),
        ] {
            assert_eq!(path(&data, index), Some(expected.clone()), "d{index}");
            let found = root(&data[index], index as u64, 7, &expected);
            assert_eq!(found, Some(node_hash(&left, &right)), "d{index}");
        }
    }

    #[test]
    fn no_leaf_no_path() {
        let leaves = published_leaves();
        assert_eq!(path(&[], 0), None);
        assert_eq!(path(&leaves, 8), None);
        assert_eq!(root(&leaves[0], 0, 0, &[]), None);
        assert_eq!(root(&leaves[0], 1, 1, &[]), None);
        assert_eq!(root(&leaves[0], u64::MAX, u64::MAX, &leaves), None);
        // A frontier that was read from damaged storage lacks a node.
        let damaged: Frontier = serde_json::from_str(r#"{"size":3,"nodes":[]}"#).unwrap();
        assert_eq!(path_of_added(&damaged, &leaves, 1), None);
        let vast: Frontier = serde_json::from_str(&format!(r#"{{"size":{},"nodes":[]}}"#, u64::MAX)).unwrap();
        assert_eq!(path_of_added(&vast, &leaves, 1), None);
    }

    proptest! {
        #[test]
        fn same_as_the_definition(size in 1_usize..80, place: prop::sample::Index, cut: prop::sample::Index) {
            let leaves: Vec<Sha256> = (0..size).map(|number| leaf_hash(&number.to_be_bytes())).collect();
            let index = place.index(size);
            let expected = reference_path(&leaves, index);
            // However many of the leaves before it are remembered by their frontier only.
            let known_from = cut.index(index + 1);
            let mut before = Frontier::default();
            leaves[..known_from].iter().for_each(|leaf| before.push(*leaf));
            let made = path_of_added(&before, &leaves[known_from..], index - known_from).unwrap();
            prop_assert_eq!(&made, &expected);
            let whole = reference_root(&leaves);
            prop_assert_eq!(root(&leaves[index], index as u64, size as u64, &made), Some(whole));
            // It proves that leaf at that place, and nothing else.
            for other in (0..size).filter(|other| *other != index) {
                prop_assert_ne!(root(&leaves[index], other as u64, size as u64, &made), Some(whole));
                prop_assert_ne!(root(&leaves[other], index as u64, size as u64, &made), Some(whole));
            }
            let longer = [made.as_slice(), &[leaves[0]]].concat();
            prop_assert_eq!(root(&leaves[index], index as u64, size as u64, &longer), None);
            if let Some((_, shorter)) = made.split_last() {
                prop_assert_ne!(root(&leaves[index], index as u64, size as u64, shorter), Some(whole));
            }
        }
    }
}
