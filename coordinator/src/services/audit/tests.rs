use std::collections::BTreeMap;

use serde_json::{Value, json};
use shared::id::PlaybackId;

use super::super::testing::World;
use super::*;
use crate::domain::audit::search::Search;
use crate::domain::audit::{Entry, What, Who};

#[tokio::test]
async fn the_chain_is_walked_to_its_head_and_compared_with_what_was_noted() {
    let world = World::new().await;
    world.administrator().await;
    world.agent().await;
    let (access, audit) = (&world.services.access, &world.services.audit);
    let grant = access.console(Deed::ViewAudit);
    let head = audit.verify(&grant, Vec::new()).await.unwrap().unwrap();
    assert_eq!(
        head.number, 5,
        "a key, a user, a sign-in, an invitation, an agent"
    );
    world.operator("METRO").await;
    let later = audit.verify(&grant, vec![head]).await.unwrap().unwrap();
    assert_eq!(later.number, 7);
    let another = Head {
        hash: later.hash,
        ..head
    };
    let broken = audit.verify(&grant, vec![another]).await.unwrap_err();
    assert!(
        matches!(
            broken,
            AuditError::Broken(Broken::Rewritten { number: 5, .. })
        ),
        "{broken}"
    );
    let beyond = Head { number: 8, ..later };
    let broken = audit.verify(&grant, vec![beyond]).await.unwrap_err();
    assert!(
        matches!(broken, AuditError::Broken(Broken::CutOff { number: 8, .. })),
        "{broken}"
    );
    let other = access.console(Deed::ManageAgents);
    let refused = audit.verify(&other, Vec::new()).await.unwrap_err();
    assert!(matches!(
        refused,
        AuditError::Access(AccessError::Forbidden)
    ));
}

#[tokio::test]
async fn settings_that_changed_are_named_without_their_values() {
    let world = World::new().await;
    let audit = &world.services.audit;
    let settings = |listen: &str| {
        let settings = [("http.listen", listen), ("log.filter", "info")];
        let owned = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        BTreeMap::from(owned)
    };
    let entries = async || {
        let grant = world.services.access.console(Deed::ViewAudit);
        let search = Search {
            what: vec![What::ConfigurationChanged],
            ..Search::default()
        };
        let found = audit.search(&grant, &search, None, 10).await.unwrap();
        let details = found.items.into_iter().map(|entry| entry.details.unwrap());
        details.collect::<Vec<_>>()
    };
    for (listen, known) in [("a", 1), ("a", 1), ("a secret", 2), ("a secret", 2)] {
        audit.settings_loaded(&settings(listen)).await.unwrap();
        assert_eq!(entries().await.len(), known);
    }
    let newest: Value = serde_json::from_str(&entries().await[0]).unwrap();
    assert_eq!(newest["changed"], json!(["http.listen"]));
    assert!(!newest.to_string().contains("a secret"));
}

#[tokio::test]
async fn what_does_not_fit_into_the_queue_is_counted() {
    let world = World::new().await;
    let (audit, now) = (&world.services.audit, world.clock.wall());
    let grant = world.services.access.console(Deed::ViewAudit);
    let before = audit.verify(&grant, Vec::new()).await.unwrap();
    let before = before.map_or(0, |head| head.number);
    for _ in 0..5_000 {
        let playback = PlaybackId::new(now);
        audit.notes.listed(playback, || {
            Entry::new(now, Who::System, What::PlaybackViewed)
        });
    }
    audit.finish().await;
    let search = Search {
        what: vec![What::EntriesLost],
        ..Search::default()
    };
    let lost = audit.search(&grant, &search, None, 10).await.unwrap().items;
    assert_eq!(lost.len(), 1);
    assert_eq!(lost[0].details.as_deref(), Some(r#"{"entries":904}"#));
    assert_eq!(world.services.figures.audit_entries_lost.get(), 904);
    let head = audit.verify(&grant, Vec::new()).await.unwrap().unwrap();
    assert_eq!(
        head.number,
        before + 4_096 + 1 + 1,
        "the search is one, too"
    );
}
