//! SHA-256 and the Merkle tree over the fragments of a segment.
//!
//! The tree is that of RFC 6962 section 2.1: leaves and inner nodes are hashed with different first
//! bytes, so that neither can be passed off as the other, and a list of any length has one shape.

use std::fmt;

use data_encoding::HEXLOWER;
use ring::digest;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A SHA-256 digest; 64 lower-case hexadecimal digits in JSON.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256([u8; 32]);

impl Sha256 {
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// From a database column; `None` unless exactly 32 bytes.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub fn of(data: &[u8]) -> Self {
        let mut hasher = Hasher::new();
        hasher.update(data);
        hasher.finish()
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sha256({self})")
    }
}

impl Serialize for Sha256 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sha256 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        HEXLOWER
            .decode(text.as_bytes())
            .ok()
            .and_then(|bytes| Self::from_slice(&bytes))
            .ok_or_else(|| de::Error::custom("a SHA-256 is 64 lower-case hexadecimal digits"))
    }
}

/// SHA-256 of data that arrives in pieces.
#[derive(Clone)]
pub struct Hasher(digest::Context);

impl Hasher {
    pub fn new() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }

    pub fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    pub fn finish(self) -> Sha256 {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.0.finish().as_ref());
        Sha256(bytes)
    }
}

impl Default for Hasher {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher(SHA-256)")
    }
}

/// Hash of one leaf of the tree: `SHA-256(0x00 || data)`.
pub fn merkle_leaf(data: &[u8]) -> Sha256 {
    let mut hasher = Hasher::new();
    hasher.update(&[0]);
    hasher.update(data);
    hasher.finish()
}

/// Root over leaf hashes. The root of nothing is the hash of nothing.
pub fn merkle_root(leaves: &[Sha256]) -> Sha256 {
    match leaves {
        [] => Sha256::of(&[]),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(largest_power_of_two_below(leaves.len()));
            merkle_node(&merkle_root(left), &merkle_root(right))
        }
    }
}

/// The sibling hashes that lead from leaf `index` to the root, nearest first (RFC 6962 section
/// 2.1.1); `None` when there is no such leaf.
pub fn merkle_path(leaves: &[Sha256], index: usize) -> Option<Vec<Sha256>> {
    if index >= leaves.len() {
        return None;
    }
    if leaves.len() == 1 {
        return Some(Vec::new());
    }
    let split = largest_power_of_two_below(leaves.len());
    let (left, right) = leaves.split_at(split);
    let (mut path, sibling) = if index < split {
        (merkle_path(left, index)?, merkle_root(right))
    } else {
        (merkle_path(right, index - split)?, merkle_root(left))
    };
    path.push(sibling);
    Some(path)
}

/// Whether `path` leads from leaf `index` of `count` leaves to `root`.
pub fn merkle_verify(
    leaf: Sha256,
    index: usize,
    count: usize,
    path: &[Sha256],
    root: &Sha256,
) -> bool {
    fn climb(leaf: Sha256, index: usize, count: usize, path: &[Sha256]) -> Option<Sha256> {
        if count == 1 {
            return path.is_empty().then_some(leaf);
        }
        let (sibling, rest) = path.split_last()?;
        let split = largest_power_of_two_below(count);
        if index < split {
            Some(merkle_node(&climb(leaf, index, split, rest)?, sibling))
        } else {
            Some(merkle_node(
                sibling,
                &climb(leaf, index - split, count - split, rest)?,
            ))
        }
    }
    index < count && climb(leaf, index, count, path).as_ref() == Some(root)
}

fn merkle_node(left: &Sha256, right: &Sha256) -> Sha256 {
    let mut hasher = Hasher::new();
    hasher.update(&[1]);
    hasher.update(&left.0);
    hasher.update(&right.0);
    hasher.finish()
}

/// For `count >= 2`.
const fn largest_power_of_two_below(count: usize) -> usize {
    1 << (usize::BITS - 1 - (count - 1).leading_zeros())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_digest_and_hex_round_trip() {
        let abc = Sha256::of(b"abc");
        assert_eq!(
            abc.to_string(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        let json = serde_json::to_string(&abc).unwrap();
        assert_eq!(serde_json::from_str::<Sha256>(&json).unwrap(), abc);
        assert!(serde_json::from_str::<Sha256>("\"abcd\"").is_err());
    }

    proptest! {
        #[test]
        fn every_leaf_is_proven_and_no_other(count in 1_usize..40, pick in 0_usize..40, wrong in 0_usize..40) {
            let leaves: Vec<_> = (0..count).map(|n| merkle_leaf(&n.to_be_bytes())).collect();
            let root = merkle_root(&leaves);
            let index = pick % count;
            let path = merkle_path(&leaves, index).unwrap();
            prop_assert!(merkle_verify(leaves[index], index, count, &path, &root));
            let other = wrong % count;
            prop_assert_eq!(merkle_verify(leaves[other], index, count, &path, &root), other == index);
        }
    }
}
