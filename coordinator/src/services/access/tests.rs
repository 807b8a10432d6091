//! Sign-in, sessions and grants over real stores.

use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use shared::testing::SegmentBuilder;

use super::super::testing::{NOW, PASSWORD, World};
use super::*;
use crate::domain::agency::AgencyCode;
use crate::domain::audit::Who;
use crate::domain::camera::CameraChange;
use crate::domain::group::RoleCode;
use crate::services::credentials::SignInError;

#[tokio::test]
async fn only_the_right_password_signs_in_and_the_token_is_kept_as_a_hash() {
    let world = World::new().await;
    let access = &world.services.access;
    world.operator("METRO").await;
    let signed_in = access
        .sign_in(" Metro ", PASSWORD.into(), Origin::default())
        .await
        .unwrap()
        .done()
        .unwrap();
    let presented = SessionToken::presented(signed_in.token.expose());
    let actor = access.actor(&presented, Origin::default()).await.unwrap();
    assert_eq!(actor.login(), "metro");
    assert!(actor.user().roles.contains(&RoleCode::operator()));
    assert_eq!(actor.permissions().rules().len(), 2);
    for (login, password) in [
        ("METRO", "wrong password"),
        ("nobody", PASSWORD),
        ("", PASSWORD),
        ("METRO", ""),
        ("METRO", &"x".repeat(1 << 20)),
    ] {
        let refused = access
            .sign_in(login, password.into(), Origin::default())
            .await;
        assert!(
            matches!(refused.unwrap_err(), SignInError::Wrong),
            "{login}"
        );
    }
    assert_eq!(world.services.figures.sign_ins_refused.get(), 5);
    for forged in ["", "AAAA", &presented.expose()[1..]] {
        let refused = access
            .actor(&SessionToken::presented(forged), Origin::default())
            .await;
        assert!(matches!(refused.unwrap_err(), AccessError::Unauthenticated));
    }
    let database = world.config.data_dir.join("coordinator.sqlite-wal");
    let written = std::fs::read(database).unwrap();
    let contains = |secret: &str| {
        let mut windows = written.windows(secret.len());
        windows.any(|window| window == secret.as_bytes())
    };
    assert!(contains("metro"), "the test looks in the wrong place");
    assert!(!contains(presented.expose()) && !contains(PASSWORD));
    access.sign_out(&actor).await.unwrap();
    let over = access
        .actor(&presented, Origin::default())
        .await
        .unwrap_err();
    assert!(matches!(over, AccessError::Unauthenticated));
}

#[tokio::test]
async fn sessions_end_by_idleness_and_by_age() {
    let world = World::new().await;
    let access = &world.services.access;
    world.operator("METRO").await;
    let idle = access
        .sign_in("metro", PASSWORD.into(), Origin::default())
        .await
        .unwrap()
        .done()
        .unwrap();
    let used = access
        .sign_in("metro", PASSWORD.into(), Origin::default())
        .await
        .unwrap()
        .done()
        .unwrap();
    for _ in 0..14 {
        assert!(access.actor(&used.token, Origin::default()).await.is_ok());
        world.clock.advance(Duration::from_secs(11 * 3600));
    }
    let ended = access.actor(&idle.token, Origin::default()).await;
    assert!(matches!(ended.unwrap_err(), AccessError::Unauthenticated));
    assert!(access.actor(&used.token, Origin::default()).await.is_ok());
    world.clock.advance(Duration::from_secs(15 * 3600));
    let ended = access.actor(&used.token, Origin::default()).await;
    assert!(matches!(ended.unwrap_err(), AccessError::Unauthenticated));
    access.purge().await.unwrap();
    let gone = world
        .services
        .access
        .store
        .session(used.actor.session())
        .await;
    assert_eq!(gone.unwrap(), None);
}

#[tokio::test]
async fn cameras_of_other_agencies_do_not_exist() {
    let world = World::new().await;
    let agent = world.agent().await;
    let built = SegmentBuilder::new(NOW).build();
    world.report(&agent, &[&built]).await;
    let (administrator, operator) = (world.administrator().await, world.operator("METRO").await);
    let id = built.meta.head.camera;
    let access = &world.services.access;
    for deed in [Deed::ViewCamera, Deed::PlayCamera, Deed::ConfigureCamera] {
        let hidden = access.camera(&operator, id, deed).await;
        assert!(matches!(hidden.unwrap_err(), AccessError::Hidden));
        assert!(access.camera(&administrator, id, deed).await.is_ok());
        let unknown = access
            .camera(&administrator, CameraId::new(NOW), deed)
            .await;
        assert!(matches!(unknown.unwrap_err(), AccessError::Hidden));
    }
    assert!(
        world
            .services
            .cameras
            .list(&operator)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        world
            .services
            .cameras
            .sites(&operator)
            .await
            .unwrap()
            .is_empty()
    );
    let grant = access
        .camera(&administrator, id, Deed::ConfigureCamera)
        .await;
    let change = CameraChange {
        agency: Some("METRO".parse().unwrap()),
        ..CameraChange::default()
    };
    world
        .services
        .cameras
        .change(&grant.unwrap(), change)
        .await
        .unwrap();
    assert!(access.camera(&operator, id, Deed::PlayCamera).await.is_ok());
    let forbidden = access.camera(&operator, id, Deed::ConfigureCamera).await;
    assert!(matches!(forbidden.unwrap_err(), AccessError::Forbidden));
    assert_eq!(
        world.services.cameras.list(&operator).await.unwrap().len(),
        1
    );
    let sites = world.services.cameras.sites(&operator).await.unwrap();
    assert_eq!((sites.len(), sites[0].cameras), (1, 1));
    for deed in [
        Deed::ViewAgents,
        Deed::ManageAgents,
        Deed::ViewStorage,
        Deed::ManageUsers,
    ] {
        let forbidden = access.admin(&operator, deed);
        assert!(matches!(forbidden.unwrap_err(), AccessError::Forbidden));
        assert!(access.admin(&administrator, deed).is_ok());
    }
}

#[tokio::test]
async fn a_grant_is_good_for_its_deed_only() {
    let world = World::new().await;
    let agent = world.agent().await;
    let built = SegmentBuilder::new(NOW).build();
    world.report(&agent, &[&built]).await;
    let actor = world.administrator().await;
    let viewing = world.grant(&actor, &built, Deed::ViewCamera).await;
    let changed = world
        .services
        .cameras
        .change(&viewing, CameraChange::default())
        .await;
    assert!(changed.is_err());
    assert!(world.services.cameras.restart(&viewing).await.is_err());
    let storage = world
        .services
        .access
        .admin(&actor, Deed::ViewStorage)
        .unwrap();
    assert!(
        world
            .services
            .agents
            .revoke(&storage, agent.id())
            .await
            .is_err()
    );
    assert!(world.services.users.list(&storage).await.is_err());
}

#[tokio::test]
async fn entries_say_who_from_where_and_which_agency_it_concerns() {
    let world = World::new().await;
    let agent = world.agent().await;
    let built = SegmentBuilder::new(NOW).build();
    world.report(&agent, &[&built]).await;
    let administrator = world.administrator().await;
    world.operator("METRO").await;
    let access = &world.services.access;
    let origin = Origin::new(
        Some("192.0.2.7".parse().unwrap()),
        Some("Mozilla/5.0"),
        Some("an-id"),
    );
    let signed_in = access
        .sign_in("metro", PASSWORD.into(), origin.clone())
        .await
        .unwrap()
        .done()
        .unwrap();
    let metro: AgencyCode = "METRO".parse().unwrap();
    let entry = signed_in.actor.entry(NOW, What::SignedIn);
    assert_eq!(
        (&entry.who, &entry.agency, &entry.origin),
        (
            &Who::User(signed_in.actor.user_id()),
            &Some(metro.clone()),
            &origin
        )
    );
    assert_eq!(administrator.entry(NOW, What::SignedIn).agency, None);
    let grant = world.grant(&administrator, &built, Deed::ViewCamera).await;
    let entry = grant.entry(NOW, What::CameraChanged);
    assert_eq!(entry.agency.as_ref(), Some(&grant.camera().agency));
    assert_eq!(entry.object, Some(grant.camera().id.to_string()));
    let console = access.console(Deed::ManageUsers);
    let entry = console.entry(NOW, What::UserCreated);
    assert_eq!((entry.who, entry.agency), (Who::Console, None));
}

#[tokio::test]
async fn what_is_guarded_ends_and_may_be_asked_after_its_end() {
    let world = World::new().await;
    let actor = world.operator("METRO").await;
    let standing = world.services.access.standing(&actor, Ground::Session);
    let bytes = stream::iter([Ok::<_, Ended>(1), Ok(2)]);
    let mut guarded = std::pin::pin!(standing.guard(bytes));
    assert_eq!(guarded.next().await.transpose().unwrap(), Some(1));
    assert_eq!(guarded.next().await.transpose().unwrap(), Some(2));
    for _ in 0..2 {
        assert!(guarded.next().await.is_none());
    }
}
