//! Enrolment codes: what they are good for, and what not.

use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64;
use rcgen::{CertificateParams, KeyPair, PKCS_ED25519};
use serde_json::json;
use shared::clock::{Clock as _, SimulatedClock, SystemClock};
use shared::hash::Sha256;
use shared::wire::enrol::{EnrolAnswer, EnrolCode, EnrolRefusal, EnrolRequest};

use crate::peer::{Peer, authority_of, certificates, enrol, enrol_with};
use crate::world::World;

async fn invite(world: &World) -> EnrolCode {
    let body = json!({ "site_name": "Depot", "valid_for_minutes": 60 });
    let invite = world
        .admin()
        .await
        .post("/api/v1/agents/invites", &body)
        .await;
    assert_eq!(invite.status, 201, "{:?}", invite.body);
    let qr = invite.body["qr_svg"].as_str().unwrap();
    assert!(qr.contains("<svg"), "{qr}");
    invite.body["code"].as_str().unwrap().parse().unwrap()
}

fn key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ED25519).unwrap()
}

fn refusal(answer: EnrolAnswer) -> EnrolRefusal {
    match answer {
        EnrolAnswer::Refused { reason } => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_code_pins_the_authority_and_leads_to_a_certificate_that_is_let_in() {
    let world = World::start().await;
    let code = invite(&world).await;
    assert_eq!(code.authority, Sha256::of(&authority_of(&world)));
    assert_eq!(
        (code.host.as_str(), code.port),
        ("127.0.0.1", world.agents.port())
    );
    let key = key();
    let EnrolAnswer::Enrolled {
        agent,
        site_name,
        certificate_chain,
        authority,
        ..
    } = enrol(&world, &code, &key).await.unwrap()
    else {
        panic!()
    };
    assert_eq!(site_name, "Depot");
    let authority = certificates(&authority).remove(0);
    assert_eq!(Sha256::of(&authority), code.authority);
    let peer = Peer {
        id: agent,
        key,
        chain: certificates(&certificate_chain),
        authority,
    };
    let work = peer.connect(&world, &[]).await;
    assert_eq!(work.welcome.heartbeat_ms, 2_000);
}

#[tokio::test]
async fn a_code_works_once_but_its_answer_may_be_fetched_again_with_the_same_key() {
    let world = World::start().await;
    let code = invite(&world).await;
    let (mine, other) = (key(), key());
    let first = enrol(&world, &code, &mine).await.unwrap();
    assert_eq!(
        refusal(enrol(&world, &code, &other).await.unwrap()),
        EnrolRefusal::CodeUsed
    );
    let again = enrol(&world, &code, &mine).await.unwrap();
    let (EnrolAnswer::Enrolled { agent, .. }, EnrolAnswer::Enrolled { agent: same, .. }) =
        (first, again)
    else {
        panic!()
    };
    assert_eq!(agent, same);
}

#[tokio::test]
async fn codes_expire() {
    let clock = Arc::new(SimulatedClock::new(SystemClock::new().wall()));
    let world = World::start_with(clock.clone(), |_| {}).await;
    let code = invite(&world).await;
    clock.advance(Duration::from_secs(3601));
    let answer = enrol(&world, &code, &key()).await.unwrap();
    assert_eq!(refusal(answer), EnrolRefusal::CodeExpired);
}

#[tokio::test]
async fn made_up_secrets_and_broken_requests_are_refused() {
    let world = World::start().await;
    let code = invite(&world).await;
    let mut wrong = code.clone();
    wrong.secret = "AAAAAAAAAAAAAAAAAAAAAA".into();
    let answer = enrol(&world, &wrong, &key()).await.unwrap();
    assert_eq!(refusal(answer), EnrolRefusal::UnknownCode);

    // A request that was tampered with, one for another kind of key, and none at all.
    let good = CertificateParams::default()
        .serialize_request(&key())
        .unwrap();
    let mut tampered = good.der().to_vec();
    *tampered.last_mut().unwrap() ^= 1;
    let p256 = KeyPair::generate().unwrap();
    let p256 = CertificateParams::default()
        .serialize_request(&p256)
        .unwrap();
    let secret = secrecy::ExposeSecret::expose_secret(&code.secret).to_owned();
    for csr in [
        BASE64.encode(&tampered),
        BASE64.encode(p256.der()),
        "not base64".to_owned(),
        String::new(),
    ] {
        let request = EnrolRequest {
            secret: secret.clone(),
            csr,
            name: "agent".into(),
            version: "0".into(),
        };
        let answer = enrol_with(&world, &request).await.unwrap();
        assert_eq!(refusal(answer), EnrolRefusal::BadRequest);
    }
    // None of that has used the code up.
    let answer = enrol(&world, &code, &key()).await.unwrap();
    assert!(matches!(answer, EnrolAnswer::Enrolled { .. }));
}
