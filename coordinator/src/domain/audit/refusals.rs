//! Refusals, gathered so that whoever asks a thousand times for what they may not have does not fill
//! the disk: the first of a kind is an entry at once, the others of the same quarter of an hour are
//! one more entry with their number.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Value, json};
use shared::id::UserId;
use shared::time::WallTime;

use super::{Entry, What};

/// How long refusals are gathered.
pub const WINDOW: Duration = Duration::from_secs(15 * 60);
/// Kinds of one [`What`] gathered at once; what is more is gathered together, so that a flood of one
/// leaves the others told apart.
const MOST: usize = 1_024;

/// Refusals that are gathered together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Kind {
    pub what: What,
    /// `None` when there are too many to tell apart.
    pub asker: Option<Asker>,
    /// What was asked for, such as the name of a deed.
    pub asked: String,
}

/// Who was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Asker {
    User(UserId),
    Address(IpAddr),
    Nobody,
}

#[derive(Debug)]
struct Window {
    since: WallTime,
    /// After the first, which was written at once.
    more: u64,
    last: Entry,
}

/// What is being gathered.
#[derive(Debug, Default)]
pub struct Refusals {
    windows: BTreeMap<What, HashMap<Kind, Window>>,
}

impl Refusals {
    /// Notes a refusal; gives it back if it is to be written at once.
    pub fn refused(&mut self, mut kind: Kind, entry: Entry) -> Option<Entry> {
        let windows = self.windows.entry(kind.what).or_default();
        if !windows.contains_key(&kind) && windows.len() >= MOST {
            kind.asker = None;
            kind.asked = String::new();
        }
        if let Some(window) = windows.get_mut(&kind) {
            window.more += 1;
            window.last = entry;
            return None;
        }
        let window = Window {
            since: entry.at,
            more: 0,
            last: entry.clone(),
        };
        windows.insert(kind, window);
        Some(entry)
    }

    /// Entries for what was gathered long enough; all of it with `all`.
    pub fn due(&mut self, now: WallTime, all: bool) -> Vec<Entry> {
        let over = |window: &Window| {
            // A clock that was set back must not hold them for longer.
            all || now < window.since || now.saturating_duration_since(window.since) >= WINDOW
        };
        self.windows
            .values_mut()
            .flat_map(|windows| windows.extract_if(|_, window| over(window)))
            .filter(|(_, window)| window.more > 0)
            .map(|(kind, window)| gathered(&kind, window))
            .collect()
    }
}

fn gathered(kind: &Kind, window: Window) -> Entry {
    let Window { since, more, last } = window;
    let mut details = match last.details.clone() {
        details @ Value::Object(_) => details,
        _ => json!({}),
    };
    details["more"] = json!(more);
    details["since"] = json!(since.to_rfc3339());
    if kind.asker.is_none() {
        // Of several; only the number means something.
        details = json!({ "more": more, "since": since.to_rfc3339(), "askers": "several" });
    }
    last.with(details)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Who;
    use super::*;

    proptest! {
        /// Nothing is lost count of, and what is written does not grow with how often somebody asks.
        #[test]
        fn every_refusal_is_counted_in_few_entries(asked in prop::collection::vec((0_u16..1_500, 0_i64..60), 1..3_000)) {
            let mut refusals = Refusals::default();
            let mut now = WallTime::from_secs(1_800_000_000);
            let (start, mut written, mut counted) = (now, 0_u64, 0_u64);
            let count = |entries: &[Entry]| -> u64 {
                entries.iter().map(|entry| entry.details["more"].as_u64().unwrap()).sum()
            };
            for (who, pause) in &asked {
                now = now + Duration::from_secs(pause.unsigned_abs() / 30);
                let [high, low] = who.to_be_bytes();
                let kind = Kind {
                    what: What::AccessRefused,
                    asker: Some(Asker::Address([10, 0, high, low].into())),
                    asked: "ManageUsers".to_owned(),
                };
                let entry = Entry::new(now, Who::System, What::AccessRefused);
                let at_once = refusals.refused(kind, entry);
                let due = refusals.due(now, false);
                counted += u64::from(at_once.is_some()) + count(&due);
                written += u64::from(at_once.is_some()) + due.len() as u64;
            }
            let rest = refusals.due(now, true);
            prop_assert_eq!(counted + count(&rest), asked.len() as u64);
            let windows = 1 + now.saturating_duration_since(start).as_secs() / WINDOW.as_secs();
            prop_assert!(written <= (windows + 1) * 2 * (MOST as u64 + 1));
            prop_assert!(refusals.due(now, true).is_empty());
        }
    }

    #[test]
    fn a_flood_of_one_leaves_the_others_told_apart() {
        let mut refusals = Refusals::default();
        let now = WallTime::from_secs(1_800_000_000);
        let mut refuse = |what, asked: &str| {
            let kind = Kind {
                what,
                asker: Some(Asker::Nobody),
                asked: asked.to_owned(),
            };
            refusals.refused(kind, Entry::new(now, Who::System, what))
        };
        let flood = 0..5_000;
        let written = flood.filter_map(|login| refuse(What::SignInRefused, &login.to_string()));
        // Those that are told apart, and the first of all that are not.
        assert_eq!(written.count(), MOST + 1);
        assert!(refuse(What::AccessRefused, "ManageUsers").is_some());
        let due = refusals.due(now, true);
        assert_eq!(due.len(), 1);
        let details =
            json!({ "more": 5_000 - MOST - 1, "since": now.to_rfc3339(), "askers": "several" });
        assert_eq!(due[0].details, details);
    }

    #[test]
    fn the_first_is_written_at_once_and_the_rest_when_the_time_is_over() {
        let mut refusals = Refusals::default();
        let start = WallTime::from_secs(1_800_000_000);
        let kind = Kind {
            what: What::AccessRefused,
            asker: Some(Asker::Nobody),
            asked: "PlayCamera".to_owned(),
        };
        let entry = |at| {
            Entry::new(at, Who::System, What::AccessRefused).with(json!({ "deed": "PlayCamera" }))
        };
        assert!(refusals.refused(kind.clone(), entry(start)).is_some());
        for second in 1..=9 {
            let at = start + Duration::from_secs(second);
            assert!(refusals.refused(kind.clone(), entry(at)).is_none());
        }
        assert!(
            refusals
                .due(start + WINDOW - Duration::from_secs(1), false)
                .is_empty()
        );
        let due = refusals.due(start + WINDOW, false);
        assert_eq!(due.len(), 1);
        assert_eq!(due[0].details["more"], 9);
        assert_eq!(due[0].details["deed"], "PlayCamera");
        assert!(refusals.refused(kind, entry(start + WINDOW)).is_some());
    }
}
