//! Users, secrets, the audit.

use std::collections::BTreeSet;

use shared::hash::Sha256;
use shared::id::{GroupId, UserId};

use super::{NOW, Under, entry, session, user};
use crate::domain::agency::Agency;
use crate::domain::directory::Change;
use crate::domain::group::{Group, Role};
use crate::domain::text::Name;
use crate::domain::user::{Language, Login, Status, User};
use crate::stores::Store;

/// Makes a change on the newest directory.
async fn change(store: &dyn Store, change: Change) {
    let seen = store.directory().await.unwrap().revision;
    let made = store.change_directory(seen, change, Some("hash".into()), entry());
    assert!(made.await.unwrap());
}

pub(super) async fn create(store: &dyn Store, user: &User) {
    change(store, Change::CreateUser(Box::new(user.clone()))).await;
}

fn name(text: &str) -> Name {
    Name {
        en: text.parse().unwrap(),
        ar: "اسم".parse().unwrap(),
    }
}

pub(crate) async fn a_changed_directory_is_read_back(store: Under) {
    let layla = user("layla");
    change(&*store, Change::CreateUser(Box::new(layla.clone()))).await;
    let role = Role {
        code: "shift_leader".parse().unwrap(),
        name: name("Shift leader"),
        rules: vec!["camera:own:clip".parse().unwrap()],
        built_in: false,
        revision: 1,
    };
    change(&*store, Change::CreateRole(role.clone())).await;
    let group = Group {
        id: GroupId::new(NOW),
        name: name("Night shift"),
        agency: Some("BUS".parse().unwrap()),
        roles: BTreeSet::from([role.code.clone()]),
        rules: vec!["camera:own:ptz".parse().unwrap()],
        revision: 1,
    };
    change(&*store, Change::CreateGroup(group.clone())).await;
    change(&*store, Change::AddMember(layla.id, group.id)).await;
    let taxi = Agency {
        code: "TAXI".parse().unwrap(),
        name: name("Taxis"),
        revision: 1,
    };
    change(&*store, Change::CreateAgency(taxi.clone())).await;

    let directory = store.directory().await.unwrap();
    assert_eq!(directory.agencies[&taxi.code], taxi);
    assert_eq!(directory.roles[&role.code], role);
    assert_eq!(directory.groups[&group.id], group);
    let member = User {
        groups: BTreeSet::from([group.id]),
        revision: 2,
        ..layla.clone()
    };
    assert_eq!(directory.users[&layla.id], member);
    let (person, password) = store
        .person_by_login(layla.login.clone())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(password.as_deref(), Some("hash"));
    assert_eq!(
        (&person.user, person.revision),
        (&member, directory.revision)
    );
    let mut rules = person.rules.clone();
    rules.sort();
    let mut expected: Vec<_> = directory.rules(&member).cloned().collect();
    expected.sort();
    assert_eq!(rules, expected);

    let renamed = User {
        login: Login::new("layla.h").unwrap(),
        email: None,
        roles: BTreeSet::new(),
        rules: Vec::new(),
        ..member
    };
    change(&*store, Change::ReplaceUser(Box::new(renamed.clone()))).await;
    let seen = store.directory().await.unwrap();
    let expected = User {
        revision: 3,
        ..renamed
    };
    assert_eq!(seen.users[&layla.id], expected);
    let replaced = Group {
        agency: None,
        roles: BTreeSet::new(),
        ..group
    };
    change(&*store, Change::ReplaceGroup(replaced.clone())).await;
    let changed = Role {
        rules: Vec::new(),
        ..role
    };
    change(&*store, Change::ReplaceRole(changed.clone())).await;
    let seen = store.directory().await.unwrap();
    assert_eq!(
        seen.groups[&replaced.id],
        Group {
            revision: 2,
            ..replaced.clone()
        }
    );
    assert_eq!(
        seen.roles[&changed.code],
        Role {
            revision: 2,
            ..changed.clone()
        }
    );
    change(&*store, Change::DeleteGroup(replaced.id)).await;
    change(&*store, Change::DeleteRole(changed.code.clone())).await;
    let seen = store.directory().await.unwrap();
    assert!(seen.groups.is_empty() && seen.users[&layla.id].groups.is_empty());
    assert!(!seen.roles.contains_key(&changed.code));
}

pub(crate) async fn a_change_decided_on_an_older_directory_is_not_made(store: Under) {
    let seen = store.directory().await.unwrap().revision;
    let make = |login: &str| {
        let change = Change::CreateUser(Box::new(user(login)));
        store.change_directory(seen, change, None, entry())
    };
    assert!(make("layla").await.unwrap());
    assert!(!make("mona").await.unwrap());
    assert_eq!(store.directory().await.unwrap().users.len(), 1);
    assert_eq!(store.audit_head().await.unwrap().unwrap().number, 1);
    let layla = Login::new("layla").unwrap();
    let (_, password) = store.person_by_login(layla).await.unwrap().unwrap();
    assert_eq!(password, None, "without a password there is none to guess");
}

pub(crate) async fn disabled_and_reset_people_have_no_session(store: Under) {
    let layla = user("layla");
    change(&*store, Change::CreateUser(Box::new(layla.clone()))).await;
    let signed_in = async || {
        let session = session(&layla, b"t");
        store.create_session(session, entry()).await.unwrap();
        store.session_by_token(Sha256::of(b"t")).await.unwrap()
    };
    let (_, revision) = signed_in().await.unwrap();
    assert_eq!(revision, store.directory().await.unwrap().revision);
    change(&*store, Change::ResetCredentials(layla.id)).await;
    let gone = store.session_by_token(Sha256::of(b"t")).await.unwrap();
    assert_eq!(gone, None);
    signed_in().await.unwrap();
    change(&*store, Change::SetStatus(layla.id, Status::Disabled)).await;
    change(&*store, Change::SetStatus(layla.id, Status::Active)).await;
    let gone = store.session_by_token(Sha256::of(b"t")).await.unwrap();
    assert_eq!(gone, None, "a session does not come back");
}

pub(crate) async fn a_language_is_kept_beside_the_directory(store: Under) {
    let layla = user("layla");
    change(&*store, Change::CreateUser(Box::new(layla.clone()))).await;
    assert_eq!(store.language(layla.id).await.unwrap(), None);
    let before = store.directory().await.unwrap();
    let entries = async || store.audit_head().await.unwrap().unwrap().number;
    let written = entries().await;
    let set = |language| store.set_language(layla.id, language, entry());
    assert!(set(Language::Ar).await.unwrap());
    assert!(!set(Language::Ar).await.unwrap());
    let kept = store.language(layla.id).await.unwrap();
    assert_eq!(kept, Some(Language::Ar));
    assert_eq!(entries().await, written + 1, "what stays is not told");
    assert_eq!(store.directory().await.unwrap(), before);
    change(&*store, Change::ReplaceUser(Box::new(layla.clone()))).await;
    let kept = store.language(layla.id).await.unwrap();
    assert_eq!(kept, Some(Language::Ar), "nobody else changes it");

    let nobody = UserId::new(NOW);
    let set = store.set_language(nobody, Language::En, entry());
    assert!(!set.await.unwrap());
    assert_eq!(store.language(nobody).await.unwrap(), None);
}

pub(crate) async fn the_first_user_is_created_once(store: Under) {
    let create = |user| store.create_first_user(user, "hash".into(), entry());
    assert!(create(user("admin")).await.unwrap());
    assert!(!create(user("second")).await.unwrap());
    let users = store.directory().await.unwrap().users;
    let logins: Vec<_> = users.values().map(|user| user.login.as_str()).collect();
    assert_eq!(logins, ["admin"]);
}

pub(crate) async fn the_first_candidate_becomes_the_secret(store: Under) {
    let secret = |name, candidate: &[u8]| store.secret(name, candidate.to_vec());
    assert_eq!(secret("one", b"a").await.unwrap(), b"a");
    assert_eq!(secret("one", b"b").await.unwrap(), b"a");
    assert_eq!(secret("two", b"b").await.unwrap(), b"b");
}
