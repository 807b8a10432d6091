//! What of an agent's report is believed. Checks that need the database are the store's.

use serde_json::Value;
use shared::wire::segment::{Growth, Record, RecordBody, Report};

use super::super::agents::AgentGrant;
use crate::domain::agent::PublicKey;
use crate::domain::segment::{Disbelief, check_closed, check_fragments, check_head};
use crate::stores::{Change, Numbered};

/// Longest text of an agent that is shown to people.
const MAX_LINE: usize = 200;
/// Longest name of a time zone; the longest there is has 32 letters.
const MAX_ZONE: usize = 64;
/// Longest explanation in the ledger.
const MAX_DETAIL: usize = 2_000;

/// A report as the store takes it.
#[derive(Debug, Default)]
pub(super) struct Judged {
    pub(super) changes: Vec<Numbered>,
    pub(super) disbelieved: u64,
}

/// Signatures and Merkle roots take a tenth of a millisecond a segment, so a batch with records is
/// judged on a blocking thread; mere news is not.
pub(super) async fn judge(agent: &AgentGrant, report: Report) -> Judged {
    let (id, key) = (agent.id(), *agent.public_key());
    let judged = if report.records.is_empty() {
        judge_here(report, &key)
    } else {
        let judged = tokio::task::spawn_blocking(move || judge_here(report, &key));
        match judged.await {
            Ok(judged) => judged,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    };
    for numbered in &judged.changes {
        if let Change::SetAside { reason, .. } = &numbered.change {
            tracing::error!(
                agent.id = %id, record.seq = numbered.seq, %reason,
                "a record of an agent is not believed; set aside"
            );
        }
    }
    judged
}

fn judge_here(report: Report, key: &PublicKey) -> Judged {
    let mut judged = Judged::default();
    for record in report.records {
        judged.record(record, key);
    }
    for growth in report.growing {
        judged.growth(growth);
    }
    let watermarks = report.watermarks.into_iter().map(Change::Watermark);
    judged.changes.extend(watermarks.map(news));
    judged
}

impl Judged {
    fn record(&mut self, record: Record, key: &PublicKey) {
        let change = match record.body {
            RecordBody::Segment(meta) => match check_closed(&meta, key) {
                Ok(()) => Change::Closed(Box::new(meta)),
                Err(reason) => {
                    self.disbelieved += 1;
                    set_aside(&reason, serde_json::to_value(&meta))
                }
            },
            RecordBody::Gap(mut entry) => {
                entry.detail = entry.detail.map(|detail| shorten(&detail, MAX_DETAIL));
                Change::Gap(entry)
            }
            RecordBody::Evicted { segment, at } => Change::Evicted { segment, at },
            RecordBody::Discarded { segment } => Change::Discarded { segment },
            // From a newer agent: acknowledged and ignored.
            RecordBody::Unknown => return,
        };
        self.changes.push(Numbered {
            seq: Some(record.seq),
            change,
        });
    }

    /// News that is not believed is not kept: the record of the closed segment follows.
    fn growth(&mut self, growth: Growth) {
        if growth.fragments.is_empty() {
            return;
        }
        let believed = check_head(&growth.head).and_then(|()| check_fragments(&growth.fragments));
        match believed {
            Ok(()) => self.changes.push(news(Change::Grown(growth))),
            Err(reason) => tracing::warn!(
                segment.id = %growth.head.id, %reason,
                "news of a growing segment is not believed; ignored"
            ),
        }
    }
}

const fn news(change: Change) -> Numbered {
    Numbered { seq: None, change }
}

fn set_aside(reason: &Disbelief, body: serde_json::Result<Value>) -> Change {
    Change::SetAside {
        reason: reason.to_string(),
        body: body.unwrap_or_default(),
    }
}

/// A text of an agent as one line of bounded length.
pub(super) fn line(text: &str) -> String {
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().take(MAX_LINE).map(printable).collect()
}

/// The name of a time zone of the IANA database. Whether there is such a zone is for whoever shows
/// times to know; ours may be older than the agent's.
pub(super) fn zone(name: &str) -> Option<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '+');
    let named = name.starts_with(|c: char| c.is_ascii_alphabetic());
    (named && name.len() <= MAX_ZONE && name.chars().all(allowed)).then(|| name.to_owned())
}

fn shorten(text: &str, limit: usize) -> String {
    text.chars().take(limit).collect()
}
