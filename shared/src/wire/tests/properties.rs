//! Every message survives the wire, and nothing on the wire survives by accident.

use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::any;
use crate::wire::StreamHeader;
use crate::wire::codec::{self, CodecError, LENGTH_BYTES};
use crate::wire::control::{FromAgent, ToAgent};
use crate::wire::enrol::{EnrolAnswer, EnrolRequest};
use crate::wire::segment::{FetchAnswer, Report, ReportAck, UploadAnswer, UploadResult};

/// Writes the message as a stream would, and reads it back.
fn through<T: Serialize + DeserializeOwned>(message: &T) -> T {
    let framed = codec::encode(message).unwrap();
    let (prefix, body) = framed.split_first_chunk::<LENGTH_BYTES>().unwrap();
    assert_eq!(codec::body_length(*prefix).unwrap(), body.len());
    codec::decode(body).unwrap()
}

/// Puts a field that no version knows into every object.
fn with_unknown_fields(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.values_mut().for_each(with_unknown_fields);
            fields.insert("from_the_future".into(), Value::Object(Map::new()));
        }
        Value::Array(values) => values.iter_mut().for_each(with_unknown_fields),
        _ => {}
    }
}

/// What must hold of every message.
fn check<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(
    message: &T,
    cut: prop::sample::Index,
) -> Result<(), TestCaseError> {
    prop_assert_eq!(&through(message), message);

    let mut value = serde_json::to_value(message).unwrap();
    with_unknown_fields(&mut value);
    let newer = serde_json::to_vec(&value).unwrap();
    prop_assert_eq!(
        &codec::decode::<T>(&newer).unwrap(),
        message,
        "unknown fields are ignored"
    );

    let body = serde_json::to_vec(message).unwrap();
    let cut = &body[..cut.index(body.len())];
    let error = codec::decode::<T>(cut).unwrap_err();
    prop_assert!(
        matches!(error, CodecError::Json { .. }),
        "a part is no message"
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn stream_headers(message in any::stream_header(), cut: prop::sample::Index) {
        check(&message, cut)?;
    }

    #[test]
    fn what_agents_say(message in any::from_agent(), cut: prop::sample::Index) {
        check(&message, cut)?;
    }

    #[test]
    fn what_agents_are_told(message in any::to_agent(), cut: prop::sample::Index) {
        check(&message, cut)?;
    }

    #[test]
    fn reports(message in any::report(), through_seq: u64, cut: prop::sample::Index) {
        check(&message, cut)?;
        check(&ReportAck { through: through_seq }, cut)?;
    }

    #[test]
    fn answers(
        upload in any::upload_answer(),
        result in any::upload_result(),
        fetch in any::fetch_answer(),
        fact in any::live_fact(),
        cut: prop::sample::Index,
    ) {
        check(&upload, cut)?;
        check(&result, cut)?;
        check(&fetch, cut)?;
        check(&fact, cut)?;
    }

    #[test]
    fn enrolments(answer in any::enrol_answer(), secret in ".{0,20}", csr in ".{0,20}") {
        let written = serde_json::to_value(&answer).unwrap();
        prop_assert_eq!(serde_json::to_value(through(&answer)).unwrap(), written);
        let request = EnrolRequest { secret, csr, name: "warehouse".into(), version: "0.1.0".into() };
        let written = serde_json::to_value(&request).unwrap();
        prop_assert_eq!(serde_json::to_value(through(&request)).unwrap(), written);
    }

    #[test]
    fn anything_else_is_an_error_and_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), prefix: [u8; 4]) {
        let _ = codec::body_length(prefix);
        decode_as_everything(&bytes);
        decode_as_everything(String::from_utf8_lossy(&bytes).as_bytes());
    }

    #[test]
    fn json_of_another_shape_is_an_error_and_no_panic(
        text in r#"\{("(type|kind|record|answer|result|action|seq)":("[a-z_]{1,12}"|-?[0-9]{1,30}|null|\[\]|\{\}),?){0,5}\}"#,
    ) {
        decode_as_everything(text.as_bytes());
    }
}

fn decode_as_everything(bytes: &[u8]) {
    let _ = codec::decode::<StreamHeader>(bytes);
    let _ = codec::decode::<FromAgent>(bytes);
    let _ = codec::decode::<ToAgent>(bytes);
    let _ = codec::decode::<Report>(bytes);
    let _ = codec::decode::<ReportAck>(bytes);
    let _ = codec::decode::<UploadAnswer>(bytes);
    let _ = codec::decode::<UploadResult>(bytes);
    let _ = codec::decode::<FetchAnswer>(bytes);
    let _ = codec::decode::<EnrolRequest>(bytes);
    let _ = codec::decode::<EnrolAnswer>(bytes);
}

#[test]
fn json_nested_deeper_than_any_message_is_refused() {
    // The reader recurses; it has to give up long before the stack does.
    let depth = 100_000;
    let bytes = [br#"{"outcome":{"report":"#.as_slice(), &vec![b'['; depth]].concat();
    assert!(codec::decode::<FromAgent>(&bytes).is_err());
    assert!(codec::decode::<Value>(&bytes).is_err());
}
