//! Attempts, second factors, refresh tokens, signing keys, messages that count once.

use std::net::IpAddr;

use shared::hash::Sha256;
use shared::id::{SessionId, UserId};

use super::{NOW, Under, after, entry, session, user};
use crate::domain::audit::Origin;
use crate::domain::lockout::{Counted, LONGEST, MAX_PLACES};
use crate::domain::second_factor::SecondFactor;
use crate::domain::signing_key::{KeyDates, StoredKey};
use crate::domain::token::{ApiToken, Presented, RefreshFamily};
use crate::domain::user::{Login, Session, SessionKind, User};
use crate::stores::Store;

async fn somebody(store: &dyn Store) -> User {
    let layla = user("layla");
    let created = store.create_first_user(layla.clone(), "hash".into(), entry());
    assert!(created.await.unwrap());
    layla
}

fn address(last: u8) -> IpAddr {
    [192, 0, 2, last].into()
}

pub(crate) async fn attempts_are_counted_before_they_are_looked_at(store: Under) {
    let (layla, omar) = (Login::new("layla").unwrap(), Login::new("omar").unwrap());
    let attempt = async |login: &Login, from: u8, seconds: u64| {
        let keys = vec![
            Counted::Login(login).key(),
            Counted::Address(address(from)).key(),
        ];
        store.attempt(keys, NOW + after(seconds)).await.unwrap()
    };
    for from in 0..5 {
        assert_eq!(attempt(&layla, from, 0).await, None);
    }
    assert_eq!(attempt(&layla, 9, 0).await, Some(after(1)), "from anywhere");
    assert_eq!(
        attempt(&omar, 9, 0).await,
        None,
        "a refused one is not counted"
    );
    assert_eq!(attempt(&layla, 9, 1).await, None);
    assert_eq!(attempt(&layla, 9, 1).await, Some(after(2)));
    let forgiven = vec![
        Counted::Login(&layla).key(),
        Counted::Address(address(9)).key(),
    ];
    store.forgive(forgiven).await.unwrap();
    assert_eq!(attempt(&layla, 9, 1).await, None);
    for _ in 0..30 {
        attempt(&omar, 1, 2).await;
    }
    assert!(attempt(&omar, 2, 2).await.is_some());
    let clear = || store.clear_attempts(vec![Counted::Login(&omar).key()], entry());
    assert!(clear().await.unwrap());
    assert!(!clear().await.unwrap());
    assert_eq!(store.audit_head().await.unwrap().unwrap().number, 1);
    assert_eq!(attempt(&omar, 2, 2).await, None);
    let end = NOW + after(2) + LONGEST;
    assert!(store.purge_attempts(end, end).await.unwrap() > 2);
    assert_eq!(store.purge_attempts(end, end).await.unwrap(), 0);
}

pub(crate) async fn where_an_account_signs_in_is_remembered(store: Under) {
    let layla = somebody(&*store).await;
    let known = async |last: u8, since| {
        let login = layla.login.clone();
        store
            .has_signed_in_at(login, address(last), since)
            .await
            .unwrap()
    };
    assert!(!known(0, NOW).await);
    for (place, seconds) in (0..20).zip(0..) {
        let at = NOW + after(seconds);
        store
            .signed_in_at(layla.id, address(place), at)
            .await
            .unwrap();
    }
    assert!(known(19, NOW).await);
    assert!(!known(19, NOW + after(20)).await, "too long ago");
    assert!(!known(0, NOW).await, "only the newest {MAX_PLACES}");
    let places = store.places(layla.id).await.unwrap();
    assert_eq!(places.len(), MAX_PLACES as usize);
    let other = Login::new("omar").unwrap();
    let other = store.has_signed_in_at(other, address(19), NOW);
    assert!(!other.await.unwrap());
}

pub(crate) async fn a_sign_in_that_was_begun_ends_once(store: Under) {
    let layla = somebody(&*store).await;
    let token = Sha256::of(b"begun");
    store.begin_sign_in(token, layla.id, NOW).await.unwrap();
    let begun = |since| store.begun_sign_in(token, since);
    assert_eq!(begun(NOW).await.unwrap(), Some(layla.id));
    assert_eq!(begun(NOW + after(1)).await.unwrap(), None, "too late");
    assert!(store.end_sign_in(token).await.unwrap());
    assert!(!store.end_sign_in(token).await.unwrap());
    assert_eq!(begun(NOW).await.unwrap(), None);
}

pub(crate) async fn a_second_factor_is_used_up_step_by_step(store: Under) {
    let layla = somebody(&*store).await;
    let factor = |byte| SecondFactor {
        user: layla.id,
        secret: [byte; 20],
        confirmed: false,
        last_step: None,
    };
    let found = async || store.second_factor(layla.id).await.unwrap();
    assert!(found().await.is_none());
    assert!(store.offer_second_factor(factor(1), NOW).await.unwrap());
    assert!(store.offer_second_factor(factor(2), NOW).await.unwrap());
    let codes: Vec<_> = [1, 2, 3].map(|n| Sha256::of(&[n])).into();
    let replace = |codes| store.replace_recovery_codes(layla.id, codes, entry());
    assert!(
        !replace(codes.clone()).await.unwrap(),
        "nothing is confirmed"
    );
    let confirm = || store.confirm_second_factor(layla.id, 7, codes.clone(), entry());
    assert!(confirm().await.unwrap());
    assert!(!confirm().await.unwrap());
    assert!(!store.offer_second_factor(factor(3), NOW).await.unwrap());
    let kept = found().await.unwrap();
    assert_eq!(
        (kept.secret, kept.confirmed, kept.last_step),
        ([2; 20], true, Some(7))
    );
    for (step, fresh) in [(7, false), (6, false), (8, true), (8, false), (9, true)] {
        assert_eq!(
            store.use_step(layla.id, step).await.unwrap(),
            fresh,
            "{step}"
        );
    }
    let code = |n: u8| store.use_recovery_code(layla.id, Sha256::of(&[n]), entry());
    assert_eq!(code(2).await.unwrap(), Some(2));
    assert_eq!(code(2).await.unwrap(), None);
    assert_eq!(code(9).await.unwrap(), None);
    assert!(replace(vec![Sha256::of(&[9])]).await.unwrap());
    assert_eq!(code(1).await.unwrap(), None, "the old ones are gone");
    assert_eq!(store.recovery_codes_left(layla.id).await.unwrap(), 1);
    let remove = || store.remove_second_factor(layla.id, entry());
    assert!(remove().await.unwrap());
    assert!(!remove().await.unwrap());
    assert_eq!(store.recovery_codes_left(layla.id).await.unwrap(), 0);
    assert_eq!(code(9).await.unwrap(), None);
}

pub(crate) async fn the_first_to_exchange_a_refresh_token_wins(store: Under) {
    let layla = somebody(&*store).await;
    let session = session(&layla, b"t");
    let hash = |n: u8| Sha256::of(&[n]);
    let family = RefreshFamily::new(session.id, hash(0), NOW);
    let created = store.create_family(session.clone(), family.clone(), entry());
    created.await.unwrap();
    let found = async || store.family(session.id).await.unwrap();
    assert_eq!(found().await, Some(family.clone()));
    let rotated = |successor| match family.present(hash(0), hash(successor), NOW + after(1)) {
        Presented::Rotate(next) => next,
        other => panic!("{other:?}"),
    };
    assert!(store.rotate_family(hash(0), rotated(1)).await.unwrap());
    assert!(!store.rotate_family(hash(0), rotated(2)).await.unwrap());
    assert_eq!(found().await, Some(rotated(1)));
    assert_eq!(store.family(SessionId::new(NOW)).await.unwrap(), None);
    store.end_session(session.id, entry()).await.unwrap();
    assert_eq!(found().await, None, "it ends with its session");
    assert!(!store.rotate_family(hash(1), rotated(1)).await.unwrap());
}

fn machine(user: &User, name: &str) -> ApiToken {
    ApiToken {
        name: name.to_owned(),
        session: Session {
            kind: SessionKind::Machine {
                expires_at: NOW + after(100),
                scopes: vec!["camera:*:view".to_owned()],
            },
            origin: Origin::new(Some(address(7)), Some("curl"), None),
            ..session(user, name.as_bytes())
        },
    }
}

pub(crate) async fn api_tokens_are_sessions_with_a_name(store: Under) {
    let layla = somebody(&*store).await;
    let (one, two) = (machine(&layla, "one"), machine(&layla, "two"));
    let create = |token: &ApiToken| store.create_api_token(token.clone(), 2, entry());
    assert!(create(&one).await.unwrap());
    assert!(create(&two).await.unwrap());
    assert!(!create(&machine(&layla, "three")).await.unwrap());
    let found = store.session_by_token(Sha256::of(b"one")).await.unwrap();
    assert_eq!(found.unwrap().0, one.session);
    let all = store.api_tokens(None).await.unwrap();
    assert_eq!(all.len(), 2);
    assert!(all.contains(&one) && all.contains(&two));
    assert_eq!(store.api_tokens(Some(layla.id)).await.unwrap(), all);
    assert!(
        store
            .api_tokens(Some(UserId::new(NOW)))
            .await
            .unwrap()
            .is_empty()
    );
    let purge = |seconds| {
        let long_after = NOW + after(1_000_000);
        store.purge_sessions(long_after, long_after, NOW + after(seconds))
    };
    assert_eq!(purge(99).await.unwrap(), 0, "seldom used is no reason");
    assert!(
        store
            .end_session_of(layla.id, one.session.id, entry())
            .await
            .unwrap()
    );
    assert_eq!(purge(100).await.unwrap(), 1);
    assert!(store.api_tokens(None).await.unwrap().is_empty());
}

pub(crate) async fn everybody_notices_when_sessions_end(store: Under) {
    let layla = somebody(&*store).await;
    let mut last = store.access_revision().await.unwrap();
    let mut has_grown = async || {
        let now = store.access_revision().await.unwrap();
        std::mem::replace(&mut last, now) < now
    };
    let sessions: Vec<_> = [b"a", b"b", b"c", b"d"]
        .map(|token| session(&layla, token))
        .into();
    for session in &sessions {
        store
            .create_session(session.clone(), entry())
            .await
            .unwrap();
    }
    store
        .begin_sign_in(Sha256::of(b"e"), layla.id, NOW)
        .await
        .unwrap();
    assert!(!has_grown().await);
    assert_eq!(store.sessions_of(layla.id).await.unwrap().len(), 4);
    store.end_session(sessions[0].id, entry()).await.unwrap();
    assert!(has_grown().await);
    let stranger = store.end_session_of(UserId::new(NOW), sessions[1].id, entry());
    assert!(!stranger.await.unwrap());
    assert!(!has_grown().await);
    assert!(
        store
            .end_session_of(layla.id, sessions[1].id, entry())
            .await
            .unwrap()
    );
    assert!(has_grown().await);
    assert_eq!(store.end_sessions_of(layla.id, entry()).await.unwrap(), 2);
    assert!(has_grown().await);
    assert!(store.sessions_of(layla.id).await.unwrap().is_empty());
    let begun = store.begun_sign_in(Sha256::of(b"e"), NOW).await.unwrap();
    assert_eq!(begun, None);
}

pub(crate) async fn signing_keys_are_changed_by_one_at_a_time(store: Under) {
    let key = |kid: &str, seconds| StoredKey {
        dates: KeyDates {
            kid: kid.to_owned(),
            signs_from: NOW + after(seconds),
        },
        private: kid.as_bytes().to_vec().into(),
    };
    let change = |seen: &[&str], made, remove: &[&str]| {
        let owned = |kids: &[&str]| kids.iter().map(|&kid| kid.to_owned()).collect();
        let (seen, remove) = (owned(seen), owned(remove));
        store.change_signing_keys(seen, made, remove, entry())
    };
    let kids = async || {
        let keys = store.signing_keys().await.unwrap();
        keys.into_iter()
            .map(|key| key.dates.kid)
            .collect::<Vec<_>>()
    };
    assert!(change(&[], Some(key("b", 5)), &[]).await.unwrap());
    assert!(!change(&[], Some(key("c", 5)), &[]).await.unwrap());
    assert!(change(&["b"], Some(key("a", 9)), &[]).await.unwrap());
    assert_eq!(kids().await, ["b", "a"], "as they sign");
    assert!(!change(&["a", "b"], None, &["a"]).await.unwrap());
    assert!(change(&["b", "a"], None, &["b"]).await.unwrap());
    assert_eq!(kids().await, ["a"]);
    assert_eq!(store.audit_head().await.unwrap().unwrap().number, 3);
}

pub(crate) async fn a_message_counts_once(store: Under) {
    let first = |id: &str, seconds: u64, kept: u64| {
        let now = NOW + after(seconds);
        store.see(id.to_owned(), now, now - after(kept), entry())
    };
    assert!(!store.has_seen("one".to_owned()).await.unwrap());
    assert!(first("one", 0, 10).await.unwrap());
    assert!(!first("one", 10, 10).await.unwrap());
    assert!(first("two", 10, 10).await.unwrap());
    assert!(first("one", 11, 10).await.unwrap(), "forgotten");
    assert!(!first("two", 11, 10).await.unwrap());
    assert!(store.has_seen("one".to_owned()).await.unwrap());
    let entries = store.audit_head().await.unwrap().unwrap().number;
    assert_eq!(entries, 3, "of each that counted");
}
