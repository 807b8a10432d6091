//! Carries out what [`planner::reports`](super::planner::reports) decides: batches from the outbox,
//! growth and watermarks up, acknowledgements down.

use std::pin::pin;

use futures::StreamExt;
use shared::segment::FragmentMeta;
use shared::wire::StreamHeader;
use shared::wire::codec;
use shared::wire::segment::{Growth, Record, Report, ReportAck, Watermark};

use super::connection::{Connection, Sender};
use super::planner::reports::{Reports, Step};
use super::{SessionEnd, Shared};
use crate::buffer::GrowthCursor;

/// Below control, above every recording: what happened is worth more than what it looked like.
const PRIORITY: i32 = 80;

/// Fragments of growth in one message. After a reconnection everything since the opening of each
/// segment is told once more, and that may be more than one message holds.
const FRAGMENTS_PER_MESSAGE: usize = 2_000;

/// Reports until the connection ends.
pub(super) async fn run(connection: &Connection, uplink: &Shared) -> SessionEnd {
    match report(connection, uplink).await {
        Ok(()) => SessionEnd::Protocol("the metadata stream ended".to_owned()),
        Err(end) => end,
    }
}

async fn report(connection: &Connection, uplink: &Shared) -> Result<(), SessionEnd> {
    let (mut sender, receiver) = connection.open().await?;
    sender.set_priority(PRIORITY);
    sender.message(&StreamHeader::Metadata).await?;
    let mut acknowledgements = pin!(receiver.messages::<ReportAck>());
    let mut cursor = GrowthCursor::default();
    let mut reports = Reports::new(0, uplink.monotonic());
    loop {
        let wait = match reports.next(uplink.monotonic()) {
            Step::Report { after, limit } => {
                let news = uplink.buffer.news(after, &mut cursor, limit).await?;
                let last = news.records.last().map(|record| record.seq);
                let sent = send(&mut sender, news.records, news.growing, news.watermarks);
                sent.await?;
                reports.sent(uplink.monotonic(), last, news.drained);
                continue;
            }
            Step::Wait { until } => until.saturating_sub(uplink.monotonic()),
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            acknowledgement = acknowledgements.next() => {
                let Some(acknowledgement) = acknowledgement else {
                    return Ok(());
                };
                if let Some(through) = reports.acknowledged(acknowledgement?.through) {
                    uplink.buffer.acknowledge(through).await?;
                    uplink.acknowledged.notify_one();
                }
            }
        }
    }
}

/// In as few messages as their size allows; watermarks only with the last.
async fn send(
    sender: &mut Sender,
    mut records: Vec<Record>,
    growing: Vec<Growth>,
    watermarks: Vec<Watermark>,
) -> Result<(), SessionEnd> {
    let mut parts = split(growing);
    let last = parts.pop().unwrap_or_default();
    for growing in parts {
        let report = Report {
            records: Vec::new(),
            growing,
            watermarks: Vec::new(),
        };
        sender.message(&report).await?;
    }
    loop {
        let report = Report {
            records,
            growing: Vec::new(),
            watermarks: Vec::new(),
        };
        // Long segments make long records; what does not fit in one message goes in two.
        match codec::encode(&report) {
            Ok(_) if report.records.is_empty() => break,
            Ok(message) => {
                sender.encoded(message).await?;
                break;
            }
            Err(codec::CodecError::TooLong { .. }) if report.records.len() > 1 => {
                let mut first = report.records;
                let second = first.split_off(first.len() / 2);
                Box::pin(send(sender, first, Vec::new(), Vec::new())).await?;
                records = second;
            }
            Err(error) => return Err(SessionEnd::Protocol(error.to_string())),
        }
    }
    if last.is_empty() && watermarks.is_empty() {
        return Ok(());
    }
    let report = Report {
        records: Vec::new(),
        growing: last,
        watermarks,
    };
    Ok(sender.message(&report).await?)
}

/// Groups of at most [`FRAGMENTS_PER_MESSAGE`] fragments, in order.
fn split(growing: Vec<Growth>) -> Vec<Vec<Growth>> {
    let mut groups: Vec<Vec<Growth>> = Vec::new();
    let mut room = 0;
    for growth in growing {
        let mut first = growth.first;
        let mut rest: &[FragmentMeta] = &growth.fragments;
        while !rest.is_empty() {
            if room == 0 {
                groups.push(Vec::new());
                room = FRAGMENTS_PER_MESSAGE;
            }
            let (now, later) = rest.split_at(rest.len().min(room));
            if let Some(group) = groups.last_mut() {
                group.push(Growth {
                    head: growth.head.clone(),
                    first,
                    fragments: now.to_vec(),
                });
            }
            first = first.saturating_add(u32::try_from(now.len()).unwrap_or(u32::MAX));
            room -= now.len();
            rest = later;
        }
    }
    groups
}
