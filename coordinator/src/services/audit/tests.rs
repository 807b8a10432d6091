use super::super::testing::World;
use super::*;

#[tokio::test]
async fn the_chain_is_walked_to_its_head_and_compared_with_what_was_noted() {
    let world = World::new().await;
    world.administrator().await;
    world.agent().await;
    let (access, audit) = (&world.services.access, &world.services.audit);
    let grant = access.console(Deed::ViewAudit);
    let head = audit.verify(&grant, Vec::new()).await.unwrap().unwrap();
    assert_eq!(head.number, 4, "a user, a sign-in, an invitation, an agent");
    world.operator("METRO").await;
    let later = audit.verify(&grant, vec![head]).await.unwrap().unwrap();
    assert_eq!(later.number, 6);
    let another = Head {
        hash: later.hash,
        ..head
    };
    let broken = audit.verify(&grant, vec![another]).await.unwrap_err();
    assert!(
        matches!(
            broken,
            AuditError::Broken(Broken::Rewritten { number: 4, .. })
        ),
        "{broken}"
    );
    let beyond = Head { number: 7, ..later };
    let broken = audit.verify(&grant, vec![beyond]).await.unwrap_err();
    assert!(
        matches!(broken, AuditError::Broken(Broken::CutOff { number: 7, .. })),
        "{broken}"
    );
    let other = access.console(Deed::ManageAgents);
    let refused = audit.verify(&other, Vec::new()).await.unwrap_err();
    assert!(matches!(
        refused,
        AuditError::Access(AccessError::Forbidden)
    ));
}
