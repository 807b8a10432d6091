//! What an installer types, pastes or scans.
#![no_main]

use libfuzzer_sys::fuzz_target;
use secrecy::ExposeSecret;
use shared::wire::enrol::EnrolCode;

fuzz_target!(|text: &str| {
    let Ok(code) = text.parse::<EnrolCode>() else {
        return;
    };
    let written = code.to_secret_text();
    let again: EnrolCode = written
        .expose_secret()
        .parse()
        .expect("what was written can be read");
    assert_eq!(again.host, code.host);
    assert_eq!(again.port, code.port);
    assert_eq!(again.authority, code.authority);
    assert_eq!(again.secret.expose_secret(), code.secret.expose_secret());
});
