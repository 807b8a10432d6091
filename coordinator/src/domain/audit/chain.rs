//! The chain: every entry carries the hash of the one before and its own, so that nothing can be
//! changed, removed, inserted or re-ordered without rewriting everything after it, and whoever
//! remembers a later [`Head`] notices that too.
//!
//! The bytes that are hashed are laid down in `design/audit.md`, so that an auditor can check a copy
//! of the table with a program of their own. A verifier looks at what is stored, not at what it
//! would be read as: a [`Record`] holds the columns as they are, whatever somebody has put there.

use std::fmt;
use std::str::FromStr;

use shared::hash::{Hasher, Sha256};

use super::{Entry, Who};

/// The only chain so far. Several coordinators over one store would have one each.
pub const CHAIN: u32 = 1;

/// What the first entry of a chain carries as the hash of the one before.
pub const GENESIS: Sha256 = Sha256::from_bytes([0; 32]);

/// Begins the hashed bytes: another encoding would begin differently.
const ENTRY_TAG: &[u8] = b"cctv-audit-1 entry\n";
const PARTICULARS_TAG: &[u8] = b"cctv-audit-1 particulars\n";

/// Random bytes with which the text of an entry is hashed.
pub type Salt = [u8; 16];

/// The newest entry of a chain: who knows it, knows everything before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Head {
    pub chain: u32,
    /// Counted from one.
    pub number: u64,
    pub hash: Sha256,
}

/// As people and agents hand it on: `NUMBER:HASH`.
impl fmt::Display for Head {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.number, self.hash)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a head; expected NUMBER:HASH, a number from 1 and 64 lower-case hexadecimal digits"
)]
pub struct HeadError {
    text: String,
}

impl FromStr for Head {
    type Err = HeadError;

    fn from_str(text: &str) -> Result<Self, HeadError> {
        let read = || {
            let (number, hash) = text.split_once(':')?;
            let hash = data_encoding::HEXLOWER.decode(hash.as_bytes()).ok()?;
            Some(Self {
                chain: CHAIN,
                number: number.parse().ok().filter(|number| *number > 0)?,
                hash: Sha256::from_slice(&hash)?,
            })
        };
        read().ok_or_else(|| HeadError {
            text: text.chars().take(80).collect(),
        })
    }
}

/// An entry as it is stored: columns as bytes, because what is verified may be anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub chain: i64,
    pub number: i64,
    pub at_us: i64,
    pub who: Vec<u8>,
    pub who_id: Option<Vec<u8>>,
    pub what: Vec<u8>,
    pub agency: Option<Vec<u8>>,
    pub object: Option<Vec<u8>>,
    pub correlation_id: Option<Vec<u8>>,
    pub details: Option<Vec<u8>>,
    pub address: Option<Vec<u8>>,
    pub user_agent: Option<Vec<u8>>,
    pub salt: Vec<u8>,
    pub previous: Vec<u8>,
    pub hash: Vec<u8>,
}

impl Record {
    /// The entry that follows `previous` (none at the beginning of the chain).
    pub fn following(previous: Option<Head>, entry: &Entry, salt: Salt) -> Self {
        let (who, who_id) = match &entry.who {
            Who::User(id) => ("user", Some(id.as_bytes().to_vec())),
            Who::Agent(id) => ("agent", Some(id.as_bytes().to_vec())),
            Who::Console => ("console", None),
            Who::System => ("system", None),
        };
        let text = |text: &str| text.as_bytes().to_vec();
        let origin = &entry.origin;
        let details = (!entry.details.is_null()).then(|| entry.details.to_string());
        Self {
            at_us: entry.at.as_micros(),
            who: text(who),
            who_id,
            what: text(entry.what.name()),
            agency: entry.agency.as_ref().map(|agency| text(agency.as_str())),
            object: entry.object.as_deref().map(text),
            correlation_id: origin.correlation_id().map(text),
            details: details.map(String::into_bytes),
            address: origin.address().map(|address| text(&address.to_string())),
            user_agent: origin.user_agent().map(text),
            ..Self::empty()
        }
        .chained(previous, salt)
    }

    /// The same content as the entry that follows `previous`.
    #[must_use]
    pub fn chained(mut self, previous: Option<Head>, salt: Salt) -> Self {
        self.chain = i64::from(previous.map_or(CHAIN, |head| head.chain));
        self.number = previous.map_or(0, |head| signed(head.number)) + 1;
        self.previous = previous
            .map_or(GENESIS, |head| head.hash)
            .as_bytes()
            .to_vec();
        self.salt = salt.to_vec();
        self.hash = self.computed().as_bytes().to_vec();
        self
    }

    /// The head that this entry makes; `None` where it is not one of ours.
    pub fn head(&self) -> Option<Head> {
        Some(Head {
            chain: u32::try_from(self.chain).ok()?,
            number: u64::try_from(self.number).ok()?,
            hash: Sha256::from_slice(&self.hash)?,
        })
    }

    /// What `hash` has to be.
    fn computed(&self) -> Sha256 {
        let mut bytes = Encoder::new(ENTRY_TAG);
        bytes.integer(self.chain);
        bytes.integer(self.number);
        bytes.text(Some(&self.previous));
        bytes.integer(self.at_us);
        bytes.text(Some(&self.who));
        bytes.text(self.who_id.as_deref());
        bytes.text(Some(&self.what));
        bytes.text(self.agency.as_deref());
        bytes.text(self.object.as_deref());
        bytes.text(self.correlation_id.as_deref());
        bytes.text(Some(self.particulars().as_bytes()));
        bytes.finish()
    }

    /// What may have to be forgotten one day (addresses, names that somebody typed) enters the hash
    /// through a salted one of its own.
    fn particulars(&self) -> Sha256 {
        let mut bytes = Encoder::new(PARTICULARS_TAG);
        bytes.text(Some(&self.salt));
        bytes.text(self.details.as_deref());
        bytes.text(self.address.as_deref());
        bytes.text(self.user_agent.as_deref());
        bytes.finish()
    }

    /// A record that says nothing yet.
    pub const fn empty() -> Self {
        Self {
            chain: 0,
            number: 0,
            at_us: 0,
            who: Vec::new(),
            who_id: None,
            what: Vec::new(),
            agency: None,
            object: None,
            correlation_id: None,
            details: None,
            address: None,
            user_agent: None,
            salt: Vec::new(),
            previous: Vec::new(),
            hash: Vec::new(),
        }
    }
}

/// Fields one after the other, each telling its own end.
struct Encoder(Hasher);

impl Encoder {
    fn new(tag: &[u8]) -> Self {
        let mut hasher = Hasher::new();
        hasher.update(tag);
        Self(hasher)
    }

    fn integer(&mut self, value: i64) {
        self.0.update(&value.to_be_bytes());
    }

    fn text(&mut self, value: Option<&[u8]>) {
        let Some(value) = value else {
            return self.0.update(&[0]);
        };
        self.0.update(&[1]);
        self.0.update(&(value.len() as u64).to_be_bytes());
        self.0.update(value);
    }

    fn finish(self) -> Sha256 {
        self.0.finish()
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The first entry at which the chain is not what it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    #[error("entry {number} was changed: its hash is not that of what it says")]
    Changed { number: u64 },
    #[error("entry {number} is missing: entry {found} stands in its place")]
    Missing { number: u64, found: i64 },
    #[error(
        "entry {number} does not follow the one before it: entries between them were removed or replaced"
    )]
    Detached { number: u64 },
    #[error("entry {number} belongs to chain {found} instead of {CHAIN}")]
    ForeignChain { number: u64, found: i64 },
    #[error(
        "entry {number} is not the one that was remembered ({remembered}); it and what follows may have been rewritten"
    )]
    Rewritten { number: u64, remembered: Sha256 },
    #[error(
        "entry {number} is missing: the audit ends with entry {length}, but entry {remembered} is remembered"
    )]
    CutOff {
        number: u64,
        length: u64,
        remembered: u64,
    },
}

impl Broken {
    /// Of the first broken entry.
    pub const fn number(&self) -> u64 {
        match self {
            Self::Changed { number }
            | Self::Missing { number, .. }
            | Self::Detached { number }
            | Self::ForeignChain { number, .. }
            | Self::Rewritten { number, .. }
            | Self::CutOff { number, .. } => *number,
        }
    }
}

/// Walks a chain from its first entry, and compares it with heads that somebody remembers.
#[derive(Debug)]
pub struct Verifier {
    /// By number, lowest first; those met are gone.
    remembered: std::collections::VecDeque<Head>,
    head: Option<Head>,
}

impl Verifier {
    pub fn new(mut remembered: Vec<Head>) -> Self {
        remembered.sort_by_key(|head| (head.number, *head.hash.as_bytes()));
        Self {
            remembered: remembered.into(),
            head: None,
        }
    }

    /// The next entry in the order of numbers. After an error nothing that follows means anything.
    ///
    /// # Errors
    /// The chain is broken here.
    pub fn next(&mut self, record: &Record) -> Result<(), Broken> {
        let number = self.length() + 1;
        if record.number != signed(number) {
            let found = record.number;
            return Err(Broken::Missing { number, found });
        }
        if record.chain != i64::from(CHAIN) {
            let found = record.chain;
            return Err(Broken::ForeignChain { number, found });
        }
        let hash = record.computed();
        if record.hash != hash.as_bytes() {
            return Err(Broken::Changed { number });
        }
        let before = self.head.map_or(GENESIS, |head| head.hash);
        if record.previous != before.as_bytes() {
            return Err(Broken::Detached { number });
        }
        while let Some(known) = self
            .remembered
            .front()
            .filter(|known| known.number == number)
        {
            if known.hash != hash {
                let remembered = known.hash;
                return Err(Broken::Rewritten { number, remembered });
            }
            self.remembered.pop_front();
        }
        self.head = Some(Head {
            chain: CHAIN,
            number,
            hash,
        });
        Ok(())
    }

    /// Entries that were walked.
    pub fn length(&self) -> u64 {
        self.head.map_or(0, |head| head.number)
    }

    /// There are no more entries.
    ///
    /// # Errors
    /// Somebody remembers more.
    pub fn end(self) -> Result<Option<Head>, Broken> {
        let length = self.length();
        match self.remembered.front() {
            Some(known) => Err(Broken::CutOff {
                number: length + 1,
                length,
                remembered: known.number,
            }),
            None => Ok(self.head),
        }
    }
}

#[cfg(test)]
mod tests;
