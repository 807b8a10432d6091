//! Sites, agents, invitations.

use shared::hash::Sha256;
use shared::id::{AgentId, BootId};
use shared::wire::control::{BufferStatus, Heartbeat, UplinkStatus};

use super::{NOW, Under, after, agent, enrolment, entry, invite};
use crate::domain::agent::{AgentStatus, Greeting};
use crate::stores::{Enrolled, Enrolment};

pub(crate) async fn an_invitation_enrols_one_agent(store: Under) {
    let invite = store
        .create_invite(invite("Depot", b"s"), entry())
        .await
        .unwrap();
    assert_eq!(
        store.invite_by_secret(Sha256::of(b"s")).await.unwrap(),
        Some(invite.clone())
    );
    assert_eq!(
        store.invite_by_secret(Sha256::of(b"x")).await.unwrap(),
        None
    );
    let first = enrolment(invite.id, 1);
    assert_eq!(
        store.enrol(first.clone(), entry()).await.unwrap(),
        Enrolled::Yes
    );
    // The answer was lost: the same agent with the same key, another certificate.
    let again = Enrolment {
        certificate: Sha256::of(b"again"),
        ..first.clone()
    };
    assert_eq!(store.enrol(again, entry()).await.unwrap(), Enrolled::Yes);
    assert_eq!(
        store.enrol(enrolment(invite.id, 2), entry()).await.unwrap(),
        Enrolled::No
    );
    let agent = store.agent(first.agent).await.unwrap().unwrap();
    assert_eq!(agent.site_name, "Depot");
    assert_eq!(agent.certificate, Sha256::of(b"again"));
    assert_eq!((agent.greeting, agent.status), (None, None));
    assert_eq!(store.agents().await.unwrap().len(), 1);
    let used = store.invites().await.unwrap().remove(0).used.unwrap();
    assert_eq!((used.agent, used.public_key), (first.agent, [1; 32]));
    let second = super::invite("Depot", b"t");
    let second = store.create_invite(second, entry()).await.unwrap();
    assert_eq!(second.site, invite.site);
    let sites = store.sites().await.unwrap();
    assert_eq!(sites.len(), 1);
    assert_eq!(sites[0].1, 1);
}

pub(crate) async fn a_key_that_enrols_again_stays_the_same_agent(store: Under) {
    let id = agent(&*store, 1).await;
    assert!(store.revoke(id, NOW, entry()).await.unwrap());
    assert!(store.agent(id).await.unwrap().unwrap().revoked_at.is_some());
    assert!(!store.revoke(AgentId::new(NOW), NOW, entry()).await.unwrap());
    let invite = invite("Elsewhere", b"new");
    let invite = store.create_invite(invite, entry()).await.unwrap();
    // A new id for a key that has one is refused, the old id is taken back.
    let stranger = enrolment(invite.id, 1);
    assert_eq!(
        store.enrol(stranger.clone(), entry()).await.unwrap(),
        Enrolled::No
    );
    let known = store.agent_by_key([1; 32]).await.unwrap().unwrap();
    assert_eq!(known.id, id);
    let back = Enrolment {
        agent: id,
        ..stranger
    };
    assert_eq!(store.enrol(back, entry()).await.unwrap(), Enrolled::Yes);
    let agent = store.agent(id).await.unwrap().unwrap();
    assert_eq!(
        (agent.revoked_at, agent.site_name.as_str()),
        (None, "Elsewhere")
    );
}

pub(crate) async fn a_status_is_replaced_and_read_back(store: Under) {
    let id = agent(&*store, 1).await;
    let greeting = Greeting {
        boot: BootId::new(NOW),
        version: "0.1.0".into(),
        host: "Debian 12".into(),
        time_zone: Some("Asia/Dubai".into()),
        at: NOW,
    };
    store.greet(id, greeting.clone()).await.unwrap();
    let status = |seconds| AgentStatus {
        received_at: NOW + after(seconds),
        heartbeat: Heartbeat {
            now: NOW,
            streams: Vec::new(),
            buffer: BufferStatus {
                total_bytes: u64::MAX,
                ..BufferStatus::default()
            },
            uplink: UplinkStatus::default(),
        },
    };
    store.save_status(id, status(1)).await.unwrap();
    store.save_status(id, status(2)).await.unwrap();
    let agent = store.agent(id).await.unwrap().unwrap();
    assert_eq!(agent.status, Some(status(2)));
    assert_eq!(agent.greeting, Some(greeting));
}
