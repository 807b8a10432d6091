use secrecy::ExposeSecret as _;

use super::super::testing::{PASSWORD, World};
use super::*;
use crate::domain::audit::Origin;
use crate::domain::audit::search::Search;
use crate::domain::text::Name;
use crate::services::access::Actor;

#[tokio::test]
async fn the_first_administrator_is_made_once_and_can_sign_in() {
    let world = World::new().await;
    let users = &world.services.users;
    let first = users.bootstrap().await.unwrap().unwrap();
    assert!(first.password.expose_secret().len() >= 20);
    assert!(users.bootstrap().await.unwrap().is_none());
    let access = &world.services.access;
    let password = first.password.clone();
    let signed_in = access
        .sign_in(&first.login, password, Origin::default())
        .await
        .unwrap()
        .done()
        .unwrap();
    let roles = &signed_in.actor.user().roles;
    assert!(roles.contains(&RoleCode::administrator()));
    let grant = access.console(Deed::ManageUsers);
    let admin = users.by_login(&grant, "ADMIN").await.unwrap();
    users
        .set_password(&grant, admin.id, PASSWORD.into())
        .await
        .unwrap();
    assert!(
        access
            .actor(&signed_in.token, Origin::default())
            .await
            .is_err(),
        "sessions end"
    );
    assert!(
        access
            .sign_in("admin", first.password, Origin::default())
            .await
            .is_err()
    );
    assert!(
        access
            .sign_in("admin", PASSWORD.into(), Origin::default())
            .await
            .is_ok()
    );
    let unknown = users.by_login(&grant, "nobody").await;
    assert!(matches!(unknown, Err(UserError::Unknown { .. })));
}

fn profile(login: &str, agency: &str) -> Profile {
    Profile {
        agency: Some(agency.parse().unwrap()),
        roles: BTreeSet::from([RoleCode::operator()]),
        ..Profile::new(login, "Layla".parse().unwrap())
    }
}

#[tokio::test]
async fn what_makes_no_user_is_refused() {
    let world = World::new().await;
    let users = &world.services.users;
    let grant = world.services.access.console(Deed::ManageUsers);
    let create = |profile, password: &str| users.create(&grant, profile, Some(password.into()));
    create(profile("layla", "BUS"), PASSWORD).await.unwrap();
    let taken = create(profile("LAYLA", "BUS"), PASSWORD).await;
    assert!(matches!(
        taken,
        Err(UserError::Refused(Refusal::Taken { .. }))
    ));
    let short = create(profile("mona", "BUS"), "short").await;
    assert!(matches!(short, Err(UserError::Password(_))));
    let lost = create(profile("mona", "TAXI"), PASSWORD).await;
    assert!(matches!(
        lost,
        Err(UserError::Refused(Refusal::Unknown { .. }))
    ));
    let nameless = create(profile(" ", "BUS"), PASSWORD).await;
    assert!(matches!(nameless, Err(UserError::Login(_))));
    let greedy = Profile {
        rules: vec!["camera:own:view".parse().unwrap(); User::MAX_RULES + 1],
        ..profile("mona", "BUS")
    };
    let greedy = create(greedy, PASSWORD).await;
    assert!(matches!(greedy, Err(UserError::TooMany { .. })));
    let viewing = world.services.access.console(Deed::ViewUsers);
    assert_eq!(users.list(&viewing).await.unwrap().1.len(), 1);
}

#[tokio::test]
async fn what_is_taken_away_is_gone_with_the_next_request() {
    let world = World::new().await;
    world.administrator().await;
    let (users, access) = (&world.services.users, &world.services.access);
    let grant = access.console(Deed::ManageUsers);
    let (_, layla) = users
        .create(&grant, profile("layla", "BUS"), Some(PASSWORD.into()))
        .await
        .unwrap();
    let signed_in = access.sign_in("layla", PASSWORD.into(), Origin::default());
    let token = signed_in.await.unwrap().done().unwrap().token;
    let may = async |permission: &str| {
        let actor = access.actor(&token, Origin::default()).await.unwrap();
        actor.permissions().cover(&permission.parse().unwrap())
    };
    assert!(may("camera:BUS:view").await);
    let without = Profile {
        rules: vec!["!camera:BUS:view".parse().unwrap()],
        ..profile("layla", "BUS")
    };
    users
        .replace(&grant, layla.id, layla.revision, without.clone())
        .await
        .unwrap();
    assert!(!may("camera:BUS:view").await);
    let stale = users.replace(&grant, layla.id, layla.revision, without);
    assert!(matches!(
        stale.await,
        Err(UserError::Refused(Refusal::Stale))
    ));
    users
        .set_status(&grant, layla.id, Status::Disabled)
        .await
        .unwrap();
    assert!(matches!(
        access.actor(&token, Origin::default()).await,
        Err(AccessError::Unauthenticated)
    ));
    assert!(
        access
            .sign_in("layla", PASSWORD.into(), Origin::default())
            .await
            .is_err()
    );
}

#[tokio::test]
async fn an_own_password_needs_the_old_one() {
    let world = World::new().await;
    let actor = world.operator("BUS").await;
    let (users, access) = (&world.services.users, &world.services.access);
    let new = "an entirely new password";
    let wrong = users.set_own_password(&actor, "not the old one".into(), new.into());
    assert!(matches!(
        wrong.await,
        Err(UserError::SignIn(SignInError::Wrong))
    ));
    users
        .set_own_password(&actor, PASSWORD.into(), new.into())
        .await
        .unwrap();
    assert!(
        access
            .sign_in("BUS", PASSWORD.into(), Origin::default())
            .await
            .is_err()
    );
    assert!(
        access
            .sign_in("BUS", new.into(), Origin::default())
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn two_changes_at_once_are_both_made() {
    let world = World::new().await;
    let users = &world.services.users;
    let grant = world.services.access.console(Deed::ManageUsers);
    let create = |login: &str| users.create(&grant, profile(login, "BUS"), None);
    let (one, two, three) = tokio::join!(create("one"), create("two"), create("three"));
    one.unwrap();
    two.unwrap();
    three.unwrap();
    let viewing = world.services.access.console(Deed::ViewUsers);
    assert_eq!(users.list(&viewing).await.unwrap().1.len(), 3);
}

/// Somebody who administers an agency, signed in.
async fn chief(world: &World, agency: &str) -> Actor {
    let (users, access) = (&world.services.users, &world.services.access);
    let login = format!("chief-{agency}");
    let profile = Profile {
        roles: BTreeSet::from(["agency_administrator".parse().unwrap()]),
        ..profile(&login, agency)
    };
    let grant = access.console(Deed::ManageUsers);
    let created = users.create(&grant, profile, Some(PASSWORD.into()));
    created.await.unwrap();
    let signed_in = access.sign_in(&login, PASSWORD.into(), Origin::default());
    signed_in.await.unwrap().done().unwrap().actor
}

#[tokio::test]
async fn looking_for_what_is_hidden_is_noted_and_for_what_is_not_there_is_not() {
    let world = World::new().await;
    let (users, access) = (&world.services.users, &world.services.access);
    let console = access.console(Deed::ManageUsers);
    let created = users.create(&console, profile("omar", "BUS"), None);
    let (_, omar) = created.await.unwrap();
    let console = access.console(Deed::ManageGroups);
    let night = NewGroup {
        name: Name {
            en: "Night".parse().unwrap(),
            ar: "ليل".parse().unwrap(),
        },
        agency: Some("BUS".parse().unwrap()),
        roles: BTreeSet::new(),
        rules: Vec::new(),
    };
    let night = users.create_group(&console, night).await.unwrap();
    let actor = chief(&world, "METRO").await;
    let (nobody, nothing) = (
        UserId::new(world.clock.wall()),
        GroupId::new(world.clock.wall()),
    );
    let some = |deed| access.some(&actor, deed).unwrap();
    let hidden = |error: UserError| {
        assert!(
            matches!(
                error,
                UserError::Access(AccessError::Hidden) | UserError::Refused(Refusal::Hidden)
            ),
            "{error:?}"
        );
    };
    for (user, group) in [(nobody, nothing), (omar.id, night.id)] {
        let view = some(Deed::ViewUsers);
        hidden(users.get(&view, user).await.unwrap_err());
        hidden(users.sessions(&view, user).await.unwrap_err());
        let view = some(Deed::ViewGroups);
        hidden(users.group(&view, group).await.unwrap_err());
        let manage = some(Deed::ManageUsers);
        let status = users.set_status(&manage, user, Status::Disabled);
        hidden(status.await.unwrap_err());
        hidden(users.end_sessions(&manage, user, None).await.unwrap_err());
        let manage = some(Deed::ManageGroups);
        hidden(users.delete_group(&manage, group).await.unwrap_err());
    }
    world.services.audit.finish().await;
    let search = Search {
        what: vec![What::AccessRefused],
        ..Search::default()
    };
    let grant = access.console(Deed::ViewAudit);
    let found = world.services.audit.search(&grant, &search, None, 100);
    let mut found: Vec<_> = found
        .await
        .unwrap()
        .items
        .into_iter()
        .map(|entry| {
            assert_eq!(entry.who, Some(Who::User(actor.user_id())));
            let details: Value = serde_json::from_str(&entry.details.unwrap()).unwrap();
            let deed = details["deed"].as_str().unwrap().to_owned();
            (
                deed,
                details["more"].as_u64().unwrap_or(1),
                entry.object.unwrap(),
            )
        })
        .collect();
    found.sort();
    let of = |deed: &str, object: &dyn ToString| (deed.to_owned(), 1, object.to_string());
    assert_eq!(
        found,
        [
            of("ManageGroups", &night.id),
            of("ManageUsers", &omar.id),
            of("ManageUsers", &omar.id),
            of("ViewGroups", &night.id),
            of("ViewUsers", &omar.id),
            of("ViewUsers", &omar.id),
        ]
    );
}
