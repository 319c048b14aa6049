//! The append-only Merkle tree of RFC 6962 §2.1, kept as its frontier.
//!
//! The frontier is the roots of the perfect subtrees that the leaves so far fall into, the largest first: at most 64
//! hashes, enough to append for ever and to state the root at any time. Proofs that a leaf is in it: [`super::inclusion`].

use serde::{Deserialize, Serialize};

use super::hash::Sha256;

/// Hash of a leaf: `SHA-256(0x00 ‖ leaf)`.
pub fn leaf_hash(leaf: &[u8]) -> Sha256 {
    Sha256::of_parts(&[&[0], leaf])
}

/// Hash of an inner node: `SHA-256(0x01 ‖ left ‖ right)`.
pub fn node_hash(left: &Sha256, right: &Sha256) -> Sha256 {
    Sha256::of_parts(&[&[1], &left.0, &right.0])
}

/// An append-only tree of which only the right edge is remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frontier {
    /// Number of leaves.
    size: u64,
    /// Roots of the perfect subtrees, one per bit that is set in `size`, the largest first.
    nodes: Vec<Sha256>,
}

impl Frontier {
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Of the leaves from `from` to before `to`, the root, if these are one of the perfect subtrees that are remembered.
    pub(super) fn subtree(&self, from: u64, to: u64) -> Option<Sha256> {
        let length = to.checked_sub(from).filter(|length| length.is_power_of_two())?;
        // Only the subtrees of larger bits come before, so each begins where the size is cut off above its bit.
        let is_there = self.size & length != 0 && self.size & !(length | (length - 1)) == from;
        let larger = self.size.checked_shr(length.trailing_zeros() + 1).unwrap_or(0).count_ones();
        is_there.then(|| self.nodes.get(larger as usize).copied()).flatten()
    }

    pub fn push(&mut self, leaf: Sha256) {
        let mut node = leaf;
        // Adding one carries through the low bits that are set; each carry joins two equal subtrees.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.nodes.pop() {
                node = node_hash(&left, &node);
            }
        }
        self.nodes.push(node);
        self.size += 1;
    }

    /// The Merkle tree hash; of no leaves, the hash of nothing.
    pub fn root(&self) -> Sha256 {
        let mut nodes = self.nodes.iter().rev();
        let Some(last) = nodes.next() else { return Sha256::of(b"") };
        nodes.fold(*last, |right, left| node_hash(left, &right))
    }

    /// Whether the number of hashes fits the number of leaves; false only for one that was read from damaged storage.
    pub fn is_well_formed(&self) -> bool {
        self.nodes.len() == self.size.count_ones() as usize
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 6962 §2.1, word for word.
    fn reference_root(leaves: &[Vec<u8>]) -> Sha256 {
        match leaves.len() {
            0 => Sha256::of(b""),
            1 => leaf_hash(&leaves[0]),
            n => {
                let k = n.next_power_of_two() / 2;
                node_hash(&reference_root(&leaves[..k]), &reference_root(&leaves[k..]))
            }
        }
    }

    fn frontier_of(leaves: &[Vec<u8>]) -> Frontier {
        let mut frontier = Frontier::default();
        for leaf in leaves {
            frontier.push(leaf_hash(leaf));
        }
        frontier
    }

    #[test]
    fn published_roots() {
        // The reference leaves and roots of the Certificate Transparency project's test data.
        let leaves: Vec<Vec<u8>> = [
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f",
        ]
        .iter()
        .map(|text| hex::decode(text).unwrap())
        .collect();
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        for (count, root) in (1..).zip(roots) {
            assert_eq!(frontier_of(&leaves[..count]).root().to_string(), root, "{count} leaves");
        }
    }

    proptest! {
        #[test]
        fn same_root_as_the_definition(leaves in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..4), 0..70)) {
            let frontier = frontier_of(&leaves);
            prop_assert_eq!(frontier.root(), reference_root(&leaves));
            prop_assert_eq!(frontier.size(), leaves.len() as u64);
            prop_assert!(frontier.is_well_formed());
        }
    }
}
