use secrecy::ExposeSecret as _;

use super::super::testing::{PASSWORD, World};
use super::*;
use crate::domain::audit::Origin;

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
