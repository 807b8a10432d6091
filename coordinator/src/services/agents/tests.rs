//! Invitations, enrolment and revocation over real stores.

use std::time::Duration;

use secrecy::SecretString;
use shared::wire::enrol::EnrolRefusal;

use super::super::testing::{NOW, World};
use super::*;

async fn invite(world: &World, valid_for: u64) -> Invited {
    let grant = world.services.access.console(Deed::ManageAgents);
    let new = NewInvite {
        site_name: " Depot ".to_owned(),
        agent_name: None,
        valid_for: Duration::from_secs(valid_for),
    };
    world
        .services
        .agents
        .create_invite(&grant, new)
        .await
        .unwrap()
}

async fn refusal(world: &World, secret: &SecretString, key: u8) -> EnrolRefusal {
    let begun = world
        .services
        .agents
        .begin_enrolment(secret, [key; 32], "nvr")
        .await;
    match begun.unwrap_err() {
        EnrolError::Refused(refusal) => refusal,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_code_enrols_one_key_and_again_that_one() {
    let world = World::new().await;
    let agents = &world.services.agents;
    let invited = invite(&world, 600).await;
    let enrolment = agents
        .begin_enrolment(&invited.secret, [1; 32], "nvr")
        .await
        .unwrap();
    // Somebody else was looking at the same code at the same time.
    let rival = agents
        .begin_enrolment(&invited.secret, [2; 32], "nvr")
        .await
        .unwrap();
    let id = enrolment.agent;
    assert_eq!(
        (enrolment.name.as_str(), enrolment.site_name.as_str()),
        ("nvr", "Depot")
    );
    agents
        .complete_enrolment(enrolment, Sha256::of(b"1"))
        .await
        .unwrap();
    let late = agents.complete_enrolment(rival, Sha256::of(b"2")).await;
    assert!(matches!(
        late,
        Err(EnrolError::Refused(EnrolRefusal::CodeUsed))
    ));
    assert_eq!(
        refusal(&world, &invited.secret, 2).await,
        EnrolRefusal::CodeUsed
    );
    // The answer was lost.
    let again = agents
        .begin_enrolment(&invited.secret, [1; 32], "nvr")
        .await
        .unwrap();
    assert_eq!(again.agent, id);
    agents
        .complete_enrolment(again, Sha256::of(b"3"))
        .await
        .unwrap();
    assert!(agents.admit(id, Sha256::of(b"3")).await.is_ok());
    let replaced = agents.admit(id, Sha256::of(b"1")).await;
    assert!(matches!(replaced, Err(NotAdmitted::Replaced { .. })));
    let unknown = agents.admit(AgentId::new(NOW), Sha256::of(b"3")).await;
    assert!(matches!(unknown, Err(NotAdmitted::Unknown { .. })));
}

#[tokio::test]
async fn codes_that_are_wrong_or_old_are_refused() {
    let world = World::new().await;
    let invited = invite(&world, 600).await;
    let wrong = SecretString::from("wrong");
    assert_eq!(refusal(&world, &wrong, 1).await, EnrolRefusal::UnknownCode);
    let begun = world
        .services
        .agents
        .begin_enrolment(&invited.secret, [1; 32], "\n")
        .await;
    assert!(matches!(
        begun,
        Err(EnrolError::Refused(EnrolRefusal::BadRequest))
    ));
    world.clock.advance(Duration::from_secs(600));
    assert_eq!(
        refusal(&world, &invited.secret, 1).await,
        EnrolRefusal::CodeExpired
    );
    let grant = world.services.access.console(Deed::ManageAgents);
    for (site_name, valid_for) in [("", 600), ("x", 59), ("x", 31 * 24 * 3600)] {
        let new = NewInvite {
            site_name: site_name.to_owned(),
            agent_name: None,
            valid_for: Duration::from_secs(valid_for),
        };
        assert!(
            world
                .services
                .agents
                .create_invite(&grant, new)
                .await
                .is_err()
        );
    }
    let listed = world.services.agents.invites(&grant).await.unwrap();
    assert_eq!(listed.len(), 1);
}

#[tokio::test]
async fn a_revoked_agent_is_sent_away_until_it_is_invited_again() {
    let world = World::new().await;
    let agents = &world.services.agents;
    let agent = world.agent_with([1; 32]).await;
    world.edges.connect(agent.id());
    let grant = world.services.access.console(Deed::ManageAgents);
    agents.revoke(&grant, agent.id()).await.unwrap();
    assert_eq!(world.edges.disconnected(), [agent.id()]);
    let refused = agents.admit(agent.id(), Sha256::of(&[1; 32])).await;
    assert!(matches!(refused, Err(NotAdmitted::Revoked { .. })));
    let viewing = world.services.access.console(Deed::ViewAgents);
    assert_eq!(
        agents.list(&viewing).await.unwrap()[0].state,
        AgentState::Revoked
    );
    let back = world.agent_with([1; 32]).await;
    assert_eq!(back.id(), agent.id());
    assert_eq!(
        agents.list(&viewing).await.unwrap()[0].state,
        AgentState::Offline
    );
    let unknown = agents.revoke(&grant, AgentId::new(NOW)).await;
    assert!(matches!(unknown, Err(AgentError::Unknown { .. })));
}
