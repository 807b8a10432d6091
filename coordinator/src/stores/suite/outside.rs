//! Identities outside, and the sessions of who comes with them.

use shared::hash::Sha256;
use shared::id::SessionId;

use super::{NOW, Under, after, entry, session, user};
use crate::domain::directory::Change;
use crate::domain::outside::Identity;
use crate::domain::user::{Session, SessionKind, Status, User};
use crate::stores::{Admission, Linked, Store};

fn identity(subject: &str) -> Identity {
    Identity::new("https://sso.example", subject).unwrap()
}

/// By a token that was issued, and is good for a minute, so many seconds after the beginning.
async fn admission(store: &dyn Store, user: &User, subject: &str, seconds: u64) -> Admission {
    let at = NOW + after(seconds);
    let identity = identity(subject);
    let mut signed_in = entry();
    signed_in.at = at;
    Admission {
        seen: store.directory().await.unwrap().revision,
        user: user.id,
        told_at: at,
        change: None,
        session: Session {
            id: SessionId::new(at),
            token: identity.session_token(),
            kind: SessionKind::Outside {
                expires_at: at + after(60),
                issuer: identity.issuer().to_owned(),
            },
            created_at: at,
            last_seen: at,
            ..session(user, b"any")
        },
        identity,
        changed: None,
        signed_in,
    }
}

pub(crate) async fn all_tokens_of_an_identity_are_one_session(store: Under) {
    let store = &*store;
    let admin = user("admin");
    let created = store.create_first_user(admin, "hash".into(), entry());
    assert!(created.await.unwrap());
    let layla = user("layla");
    let mut first = admission(store, &layla, "1", 0).await;
    let stale = Admission {
        seen: first.seen + 1,
        ..first.clone()
    };
    assert!(!store.admit(stale).await.unwrap());
    assert!(store.outside(identity("1")).await.unwrap().is_none());
    first.change = Some(Change::CreateUser(Box::new(layla.clone())));
    first.changed = Some(entry());
    let entries = store.audit_records(0, 100).await.unwrap().len();
    assert!(store.admit(first.clone()).await.unwrap());
    let written = async || store.audit_records(0, 100).await.unwrap().len() - entries;
    assert_eq!(written().await, 2);
    let next = admission(store, &layla, "1", 30).await;
    assert!(store.admit(next).await.unwrap());
    assert_eq!(written().await, 2, "prolonged");
    let (link, standing) = store.outside(identity("1")).await.unwrap().unwrap();
    assert_eq!((link.user, link.told_at), (layla.id, NOW + after(30)));
    let (standing, _) = standing.unwrap();
    assert_eq!(standing.id, first.session.id);
    assert_eq!(standing.expires_at(), NOW + after(90));
    assert!(
        matches!(&standing.kind, SessionKind::Outside { issuer, .. } if issuer == "https://sso.example")
    );
    assert!(store.api_tokens(None).await.unwrap().is_empty());
    // After its end it is another one.
    let late = admission(store, &layla, "1", 100).await;
    assert!(store.admit(late.clone()).await.unwrap());
    assert_eq!(written().await, 3);
    let sessions = store.sessions_of(layla.id).await.unwrap();
    assert_eq!((sessions.len(), sessions[0].id), (1, late.session.id));
    // Nobody takes an identity over.
    let omar = user("omar");
    let mut foreign = admission(store, &omar, "1", 101).await;
    foreign.change = Some(Change::CreateUser(Box::new(omar.clone())));
    foreign.changed = Some(entry());
    assert!(!store.admit(foreign).await.unwrap());
    assert!(store.person(omar.id).await.unwrap().is_none());
}

pub(crate) async fn what_ends_a_session_ends_older_tokens(store: Under) {
    let store = &*store;
    let layla = user("layla");
    let created = store.create_first_user(layla.clone(), "hash".into(), entry());
    assert!(created.await.unwrap());
    let at = |seconds| {
        let mut entry = entry();
        entry.at = NOW + after(seconds);
        entry
    };
    let not_before = async || {
        let found = store.outside(identity("1")).await.unwrap().unwrap();
        (found.0.not_before, found.1.is_some())
    };
    let admit = async |seconds| {
        let admission = admission(store, &layla, "1", seconds).await;
        let id = admission.session.id;
        assert!(store.admit(admission).await.unwrap());
        id
    };
    let id = admit(0).await;
    store.end_session(id, at(5)).await.unwrap();
    assert_eq!(not_before().await, (NOW + after(5), false));
    let id = admit(10).await;
    assert!(store.end_session_of(layla.id, id, at(15)).await.unwrap());
    assert_eq!(not_before().await, (NOW + after(15), false));
    admit(20).await;
    store.end_sessions_of(layla.id, at(25)).await.unwrap();
    assert_eq!(not_before().await, (NOW + after(25), false));
    admit(30).await;
    let seen = store.directory().await.unwrap().revision;
    let change = Change::SetStatus(layla.id, Status::Disabled);
    let changed = store.change_directory(seen, change, None, at(35));
    assert!(changed.await.unwrap());
    assert_eq!(not_before().await, (NOW + after(35), false));
    // An ordinary session of the same person has nothing to do with tokens.
    let browser = session(&layla, b"browser");
    store
        .create_session(browser.clone(), entry())
        .await
        .unwrap();
    store.end_session(browser.id, at(45)).await.unwrap();
    assert_eq!(not_before().await, (NOW + after(35), false));
}

pub(crate) async fn identities_are_linked_once_and_unlinked_together(store: Under) {
    let store = &*store;
    let layla = user("layla");
    let created = store.create_first_user(layla.clone(), "hash".into(), entry());
    assert!(created.await.unwrap());
    let seen = store.directory().await.unwrap().revision;
    let link = async |seen, subject| {
        let linked = store.link_identity(seen, identity(subject), layla.id, NOW, entry());
        linked.await.unwrap()
    };
    assert_eq!(link(seen + 1, "1").await, Linked::Stale);
    assert_eq!(link(seen, "1").await, Linked::Yes);
    assert_eq!(link(seen, "1").await, Linked::Already);
    assert_eq!(link(seen, "2").await, Linked::Yes);
    let identities = store.identities_of(layla.id).await.unwrap();
    assert_eq!(identities, [(identity("1"), NOW), (identity("2"), NOW)]);
    store
        .create_session(session(&layla, b"browser"), entry())
        .await
        .unwrap();
    let unlink = async |seen| {
        store
            .unlink_identities(seen, layla.id, entry())
            .await
            .unwrap()
    };
    assert_eq!(unlink(seen + 1).await, None);
    assert_eq!(unlink(seen).await, Some(2));
    assert_eq!(unlink(seen).await, Some(0));
    assert!(store.sessions_of(layla.id).await.unwrap().is_empty());
    assert!(store.outside(identity("1")).await.unwrap().is_none());
}

pub(crate) async fn a_sign_in_outside_is_used_up_once(store: Under) {
    let (one, two) = (Sha256::of(b"one"), Sha256::of(b"two"));
    let using = async |state, seconds: u64| {
        let now = NOW + after(seconds);
        store.use_state(state, now, now - after(60)).await.unwrap()
    };
    assert!(using(one, 0).await);
    assert!(!using(one, 1).await);
    assert!(using(two, 1).await);
    assert!(!using(one, 60).await);
    assert!(using(one, 61).await, "forgotten");
}
