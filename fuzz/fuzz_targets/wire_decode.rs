//! Messages from a peer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde::Serialize;
use serde::de::DeserializeOwned;
use shared::wire::StreamHeader;
use shared::wire::codec::{body_length, decode, encode};
use shared::wire::control::{FromAgent, ToAgent};
use shared::wire::enrol::{EnrolAnswer, EnrolRequest};
use shared::wire::segment::{FetchAnswer, Report, ReportAck, UploadAnswer, UploadResult};

fuzz_target!(|data: &[u8]| {
    let Some((prefix, body)) = data.split_first_chunk() else {
        return;
    };
    let _ = body_length(*prefix);
    check::<StreamHeader>(body);
    check::<FromAgent>(body);
    check::<ToAgent>(body);
    check::<Report>(body);
    check::<ReportAck>(body);
    check::<UploadAnswer>(body);
    check::<UploadResult>(body);
    check::<FetchAnswer>(body);
    check::<EnrolRequest>(body);
    check::<EnrolAnswer>(body);
    if let Ok(Report { records, .. }) = decode(body) {
        use shared::wire::segment::RecordBody::Segment;
        for record in &records {
            if let Segment(meta) = &record.body {
                let _ = (meta.check(), meta.wall_range(), meta.statement());
            }
        }
    }
});

/// What was read can be written, and reading that gives the same.
fn check<T: DeserializeOwned + Serialize>(body: &[u8]) {
    let Ok(message) = decode::<T>(body) else {
        return;
    };
    let written = encode(&message).expect("what was read is short enough to be written");
    let again: T = decode(&written[4..]).expect("what was written can be read");
    assert_eq!(
        serde_json::to_value(&again).expect("a message is JSON"),
        serde_json::to_value(&message).expect("a message is JSON"),
    );
}
