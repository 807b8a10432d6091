//! The audit and its chain.

use serde_json::json;
use shared::hash::Sha256;
use shared::id::{AgentId, SessionId, UserId};

use super::{NOW, Under, agent, entry, invite};
use crate::domain::audit::chain::{Head, Record, Verifier};
use crate::domain::audit::witness::{Compared, MAX_DISPUTES};
use crate::domain::audit::{Entry, Origin, What, Who};
use crate::domain::directory::Change;
use crate::domain::user::Status;

/// The whole chain, page by page.
async fn verified(store: &Under) -> Option<Head> {
    let mut verifier = Verifier::new(Vec::new());
    loop {
        let records = store.audit_records(verifier.length(), 7).await.unwrap();
        if records.is_empty() {
            return verifier.end().unwrap();
        }
        for record in &records {
            verifier.next(record).unwrap();
        }
    }
}

async fn length(store: &Under) -> u64 {
    let head = store.audit_head().await.unwrap();
    assert_eq!(verified(store).await, head);
    head.map_or(0, |head| head.number)
}

pub(crate) async fn changes_and_their_entries_are_one(store: Under) {
    assert_eq!(length(&store).await, 0);
    let agent = agent(&*store, 1).await;
    assert_eq!(length(&store).await, 2, "the invitation and the enrolment");
    store.revoke(AgentId::new(NOW), NOW, entry()).await.unwrap();
    store
        .end_session(SessionId::new(NOW), entry())
        .await
        .unwrap();
    let newer = store.directory().await.unwrap().revision + 1;
    let nobody = Change::SetStatus(UserId::new(NOW), Status::Active);
    let made = store.change_directory(newer, nobody, None, entry());
    assert!(!made.await.unwrap());
    assert_eq!(length(&store).await, 2, "nothing was changed");
    store.revoke(agent, NOW, entry()).await.unwrap();
    store.audit(vec![entry(), entry()]).await.unwrap();
    assert_eq!(length(&store).await, 5);
}

/// Changes that arrive together share a transaction, and one that fails takes no number along.
pub(crate) async fn entries_of_one_transaction_are_chained(store: Under) {
    let taken = invite("site", b"taken");
    store.create_invite(taken.clone(), entry()).await.unwrap();
    let changes = (0..200).map(|number| {
        let (store, taken) = (store.clone(), taken.clone());
        tokio::spawn(async move {
            if number % 3 == 0 {
                // The same id again: it fails after some of its work is done.
                store.create_invite(taken, entry()).await.is_ok()
            } else {
                store.audit(vec![entry()]).await.is_ok()
            }
        })
    });
    let mut written = 1;
    for change in changes.collect::<Vec<_>>() {
        written += u64::from(change.await.unwrap());
    }
    assert_eq!(written, 1 + 133);
    assert_eq!(length(&store).await, written);
}

pub(crate) async fn entries_are_read_back_as_they_were_written(store: Under) {
    let origin = Origin::new(
        Some("2001:db8::7".parse().unwrap()),
        Some("Mozilla/5.0 متصفح"),
        Some("an-id"),
    );
    let full = Entry::new(NOW, Who::User(UserId::new(NOW)), What::CameraChanged)
        .on("البوابة")
        .in_agency(Some("METRO".parse().unwrap()))
        .with(json!({ "display_name": "البوابة", "upload": null }))
        .from_origin(origin);
    let entries = [full, entry()];
    store.audit(entries.to_vec()).await.unwrap();
    let mut head = None;
    for (found, entry) in (store.audit_records(0, 10).await.unwrap().iter()).zip(&entries) {
        let salt = found.salt.as_slice().try_into().unwrap();
        assert_eq!(*found, Record::following(head, entry, salt));
        head = found.head();
    }
    assert_eq!(store.audit_head().await.unwrap(), head);
    assert_eq!(store.audit_records(1, 10).await.unwrap().len(), 1);
}

pub(crate) async fn what_agents_remember_is_compared_and_kept(store: Under) {
    let agent = agent(&*store, 1).await;
    let first = store.audit_head().await.unwrap().unwrap();
    store.audit(vec![entry()]).await.unwrap();
    let compare = async |head| {
        let told = store.audit_compare(agent, head, NOW, entry()).await;
        told.unwrap()
    };
    assert_eq!(compare(first).await, Compared::Agrees);
    assert_eq!(length(&store).await, 3, "that is nothing to write down");
    let witnesses = store.audit_witnesses().await.unwrap();
    assert_eq!((witnesses.len(), witnesses[0].head), (1, first));
    let other = Head {
        hash: Sha256::of(b"another"),
        ..first
    };
    let disputed = |ours, new, explained| Compared::Disputed {
        ours,
        new,
        explained,
    };
    let ours = Some(first.hash);
    assert_eq!(compare(other).await, disputed(ours, true, false));
    assert_eq!(compare(other).await, disputed(ours, false, false));
    assert_eq!(length(&store).await, 4);
    let beyond = Head {
        number: u64::MAX,
        ..first
    };
    assert_eq!(compare(beyond).await, disputed(None, true, false));
    let found = store.audit_disputes().await.unwrap();
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|dispute| dispute.explained_at.is_none()));
    assert_eq!(store.explain_disputes(NOW, entry()).await.unwrap(), 2);
    assert_eq!(store.explain_disputes(NOW, entry()).await.unwrap(), 0);
    assert_eq!(length(&store).await, 6);
    assert_eq!(compare(other).await, disputed(ours, false, true));
    // An agent that tells something else each time does not fill the disk.
    for number in 100..150 {
        compare(Head { number, ..first }).await;
    }
    let found = store.audit_disputes().await.unwrap();
    assert_eq!(found.len(), MAX_DISPUTES as usize);
}
