//! Users, secrets, the audit.

use shared::hash::Sha256;
use shared::id::{AgentId, SessionId};

use super::{NOW, Under, agent, entry, session, user};
use crate::domain::user::{Login, User};

pub(crate) async fn logins_are_unique_and_passwords_end_sessions(store: Under) {
    let layla = user("layla");
    let create = |user: &User| store.create_user(user.clone(), "hash".into(), entry());
    assert!(create(&layla).await.unwrap());
    assert!(!create(&user(" Layla")).await.unwrap());
    let found = store.user_by_login(layla.login.clone()).await.unwrap();
    assert_eq!(found, Some((layla.clone(), "hash".into())));
    store
        .create_session(session(&layla, b"t"), entry())
        .await
        .unwrap();
    assert!(
        store
            .session_by_token(Sha256::of(b"t"))
            .await
            .unwrap()
            .is_some()
    );
    let set = |login: &str| {
        let login = Login::new(login).unwrap();
        store.set_password(login, "other".into(), entry())
    };
    assert!(set("layla").await.unwrap());
    assert!(!set("nobody").await.unwrap());
    assert_eq!(
        store.session_by_token(Sha256::of(b"t")).await.unwrap(),
        None
    );
    let found = store.user_by_login(layla.login).await.unwrap().unwrap();
    assert_eq!(found.1, "other");
}

pub(crate) async fn the_first_user_is_created_once(store: Under) {
    let create = |user| store.create_first_user(user, "hash".into(), entry());
    assert!(create(user("admin")).await.unwrap());
    assert!(!create(user("second")).await.unwrap());
    let users = store.users().await.unwrap();
    assert_eq!(users.len(), 1);
    assert_eq!(users[0].login.as_str(), "admin");
}

pub(crate) async fn the_first_candidate_becomes_the_secret(store: Under) {
    let secret = |name, candidate: &[u8]| store.secret(name, candidate.to_vec());
    assert_eq!(secret("one", b"a").await.unwrap(), b"a");
    assert_eq!(secret("one", b"b").await.unwrap(), b"a");
    assert_eq!(secret("two", b"b").await.unwrap(), b"b");
}

pub(crate) async fn changes_and_their_audit_are_one(store: Under) {
    let length = async || store.audit_length().await.unwrap();
    let agent = agent(&*store, 1).await;
    assert_eq!(length().await, 2, "the invitation and the enrolment");
    store.revoke(AgentId::new(NOW), NOW, entry()).await.unwrap();
    store
        .end_session(SessionId::new(NOW), entry())
        .await
        .unwrap();
    let nobody = Login::new("nobody").unwrap();
    store
        .set_password(nobody, "x".into(), entry())
        .await
        .unwrap();
    assert_eq!(length().await, 2, "nothing was changed");
    store.revoke(agent, NOW, entry()).await.unwrap();
    store.audit(entry()).await.unwrap();
    assert_eq!(length().await, 4);
}
