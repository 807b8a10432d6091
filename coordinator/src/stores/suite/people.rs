//! Users, secrets, the audit.

use shared::hash::Sha256;

use super::{Under, entry, session, user};
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
