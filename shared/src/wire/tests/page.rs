//! `shared/PROTOCOL.md` says what the code does: its examples, its limits, its tables.

use std::collections::BTreeSet;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::timeline::Reason;
use crate::wire::control::{Action, CommandOutcome, FromAgent, StreamState, ToAgent};
use crate::wire::enrol::{EnrolAnswer, EnrolRefusal, EnrolRequest};
use crate::wire::live::LiveFact;
use crate::wire::segment::{
    FetchAnswer, RecordBody, Report, ReportAck, UploadAnswer, UploadResult,
};
use crate::wire::tunnel::ALPN_TUNNEL;
use crate::wire::{
    ALPN, ALPN_ENROL, CloseCode, MAX_MESSAGE_BYTES, PROTOCOL_MAX, PROTOCOL_MIN, SERVER_NAME,
    StreamHeader, codec,
};

const PAGE: &str = include_str!("../../../PROTOCOL.md");

/// The examples: the type each names, and its text.
fn examples() -> Vec<(&'static str, &'static str)> {
    PAGE.split("\n```json ")
        .skip(1)
        .map(|rest| {
            let (name, rest) = rest.split_once('\n').expect("a line after the type's name");
            let (text, _) = rest.split_once("\n```").expect("the example ends");
            (name, text)
        })
        .collect()
}

/// Reads an example as `T` and requires that writing it gives the same again, so that the example
/// shows every field and no other.
fn read<T: DeserializeOwned + Serialize>(text: &str) -> T {
    let message: T =
        codec::decode(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"));
    let written = serde_json::to_value(&message).unwrap();
    let example: Value = serde_json::from_str(text).unwrap();
    assert_eq!(written, example, "{text}");
    let framed = codec::encode(&message).unwrap();
    assert_eq!(
        codec::body_length(framed[..4].try_into().unwrap()).unwrap(),
        framed.len() - 4
    );
    message
}

/// What an example shows, in words; every match here is exhaustive, so that a new message cannot be
/// forgotten on the page without a change below.
fn shown(name: &str, text: &str) -> Vec<&'static str> {
    match name {
        "StreamHeader" => vec![match read(text) {
            StreamHeader::Control => "control",
            StreamHeader::Metadata => "metadata",
            StreamHeader::Upload(_) => "upload",
            StreamHeader::Fetch(_) => "fetch",
            StreamHeader::Live(_) => "pull",
            StreamHeader::Gop(_) => "gop",
            StreamHeader::Unknown => "unknown",
        }],
        "FromAgent" => match read(text) {
            FromAgent::Hello(_) => vec!["hello"],
            FromAgent::Heartbeat(heartbeat) => heartbeat
                .streams
                .iter()
                .map(|stream| match stream.state {
                    StreamState::Off | StreamState::Connecting => "plain state",
                    StreamState::Live => "live",
                    StreamState::Down { .. } => "down",
                })
                .collect(),
            FromAgent::CommandResult { outcome, .. } => vec![match outcome {
                CommandOutcome::Done { .. } => "done",
                CommandOutcome::Failed { .. } => "command failed",
                CommandOutcome::Unsupported => "unsupported",
            }],
            FromAgent::Cameras { .. } => vec!["cameras"],
            FromAgent::Unknown => vec!["unknown"],
        },
        "ToAgent" => vec![match read(text) {
            ToAgent::Welcome(_) => "welcome",
            ToAgent::Command(command) => match command.action {
                Action::Probe { .. } => "probe",
                Action::RestartCamera { .. } => "restart_camera",
                Action::Configure { .. } => "configure",
                Action::Unknown => "unknown",
            },
            ToAgent::AuditHead(_) => "audit_head",
            ToAgent::Unknown => "unknown",
        }],
        "Report" => {
            let report: Report = read(text);
            let mut kinds: Vec<_> = report
                .records
                .iter()
                .map(|record| match record.body {
                    RecordBody::Segment(_) => "segment",
                    RecordBody::Gap(_) => "gap",
                    RecordBody::Evicted { .. } => "evicted",
                    RecordBody::Discarded { .. } => "discarded",
                    RecordBody::Unknown => "unknown",
                })
                .collect();
            kinds.extend(report.growing.iter().map(|_| "growing"));
            kinds.extend(report.watermarks.iter().map(|_| "watermark"));
            kinds
        }
        "ReportAck" => {
            read::<ReportAck>(text);
            vec!["acknowledgement"]
        }
        "UploadAnswer" => vec![match read(text) {
            UploadAnswer::Want { .. } => "want",
            UploadAnswer::Have => "have",
            UploadAnswer::Later { .. } => "later",
            UploadAnswer::Refused { .. } => "upload refused",
            UploadAnswer::Unknown => "unknown",
        }],
        "UploadResult" => vec![match read(text) {
            UploadResult::Stored => "stored",
            UploadResult::Corrupt { .. } => "corrupt",
            UploadResult::Failed { .. } => "upload failed",
            UploadResult::Unknown => "unknown",
        }],
        "FetchAnswer" => vec![match read(text) {
            FetchAnswer::Bytes { .. } => "bytes",
            FetchAnswer::NotFound { .. } => "not_found",
            FetchAnswer::Failed { .. } => "fetch failed",
            FetchAnswer::Unknown => "unknown",
        }],
        "LiveFact" => vec![match read(text) {
            LiveFact::Alive => "alive",
            LiveFact::Down { .. } => "no picture",
            LiveFact::NotFound { .. } => "no such stream",
            LiveFact::Unknown => "unknown",
        }],
        "EnrolRequest" => {
            read::<EnrolRequest>(text);
            vec!["enrolment"]
        }
        "EnrolAnswer" => vec![match read(text) {
            EnrolAnswer::Enrolled { .. } => "enrolled",
            EnrolAnswer::Refused { .. } => "enrolment refused",
            EnrolAnswer::Unknown => "unknown",
        }],
        other => panic!("an example names {other}, which is no message"),
    }
}

#[test]
fn every_example_is_the_message_it_names_and_every_message_has_one() {
    let seen: BTreeSet<_> = examples()
        .into_iter()
        .flat_map(|(name, text)| shown(name, text))
        .collect();
    let expected = BTreeSet::from([
        "control",
        "metadata",
        "upload",
        "fetch",
        "pull",
        "gop",
        "alive",
        "no picture",
        "no such stream",
        "hello",
        "live",
        "down",
        "done",
        "command failed",
        "unsupported",
        "cameras",
        "welcome",
        "probe",
        "restart_camera",
        "configure",
        "audit_head",
        "segment",
        "gap",
        "evicted",
        "discarded",
        "growing",
        "watermark",
        "acknowledgement",
        "want",
        "have",
        "later",
        "upload refused",
        "stored",
        "corrupt",
        "upload failed",
        "bytes",
        "not_found",
        "fetch failed",
        "enrolment",
        "enrolled",
        "enrolment refused",
    ]);
    assert_eq!(seen, expected);
}

#[test]
fn the_page_has_the_limits_and_names_of_the_code() {
    assert_eq!((PROTOCOL_MIN, PROTOCOL_MAX), (1, 1));
    assert!(PAGE.contains("Version 1."));
    assert_eq!(MAX_MESSAGE_BYTES, 4_194_304);
    assert!(PAGE.contains("4,194,304 bytes"));
    for name in [ALPN, ALPN_ENROL, ALPN_TUNNEL, SERVER_NAME.as_bytes()] {
        let name = std::str::from_utf8(name).unwrap();
        assert!(PAGE.contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
fn the_page_lists_every_close_code() {
    for number in 0..100_u64 {
        let row = format!("| {number} | `");
        match CloseCode::from_u64(number) {
            Some(code) => assert!(PAGE.contains(&format!("{row}{code:?}` |")), "{code:?}"),
            None => assert!(!PAGE.contains(&row), "{number}"),
        }
    }
}

#[test]
fn the_page_lists_every_refusal_of_enrolment() {
    for reason in ["unknown_code", "code_used", "code_expired", "bad_request"] {
        let read: EnrolRefusal = serde_json::from_value(Value::from(reason)).unwrap();
        assert_ne!(read, EnrolRefusal::Other);
        assert!(PAGE.contains(&format!("`{reason}`")));
    }
}

#[test]
fn what_the_page_says_of_unknown_things_holds() {
    fn kind<T: DeserializeOwned>(tag: &str) -> T {
        let text = format!(r#"{{"{tag}": "from_the_future", "more": {{"deep": [1, 2]}}}}"#);
        codec::decode(text.as_bytes()).unwrap()
    }
    assert_eq!(kind::<StreamHeader>("kind"), StreamHeader::Unknown);
    assert_eq!(kind::<FromAgent>("type"), FromAgent::Unknown);
    assert_eq!(kind::<ToAgent>("type"), ToAgent::Unknown);
    assert_eq!(kind::<Action>("action"), Action::Unknown);
    assert_eq!(kind::<UploadAnswer>("answer"), UploadAnswer::Unknown);
    assert_eq!(kind::<UploadResult>("result"), UploadResult::Unknown);
    assert_eq!(kind::<FetchAnswer>("answer"), FetchAnswer::Unknown);
    assert!(matches!(kind("answer"), EnrolAnswer::Unknown));
    let refusal: EnrolRefusal = serde_json::from_str("\"from_the_future\"").unwrap();
    assert_eq!(refusal, EnrolRefusal::Other);

    let record = r#"{"records": [{"seq": 7, "record": "from_the_future", "size": 1}]}"#;
    let report: Report = codec::decode(record.as_bytes()).unwrap();
    assert_eq!(
        (report.records[0].seq, &report.records[0].body),
        (7, &RecordBody::Unknown)
    );

    // Every other list of values is fixed within a version.
    assert!(serde_json::from_str::<Reason>("\"from_the_future\"").is_err());
}

#[test]
fn the_page_names_every_reason() {
    for reason in Reason::ALL {
        let name = serde_json::to_value(reason).unwrap();
        let name = name.as_str().unwrap();
        assert!(PAGE.contains(&format!("`{name}`")), "{name}");
    }
}
