//! The audit and its chain.

use serde_json::json;
use shared::hash::Sha256;
use shared::id::{AgentId, SessionId, UserId};

use super::{NOW, Under, after, agent, entry, invite};
use crate::domain::audit::chain::{Head, Record, Verifier};
use crate::domain::audit::search::{Search, Visible};
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

/// Page by page, as somebody would read it.
async fn found(store: &Under, search: &Search, visible: &Visible, limit: usize) -> Vec<u64> {
    let (mut numbers, mut after) = (Vec::new(), None);
    loop {
        let found = store.audit_search(search.clone(), visible.clone(), after, limit);
        let found = found.await.unwrap();
        assert!(found.items.len() <= limit);
        numbers.extend(found.items.iter().map(|entry| entry.number));
        after = found.next;
        if after.is_none() {
            return numbers;
        }
    }
}

pub(crate) async fn a_search_finds_what_a_filter_over_everything_finds(store: Under) {
    let users = [UserId::new(NOW), UserId::new(NOW)];
    let code = |code: &str| Some(code.parse().unwrap());
    let mut entries = Vec::new();
    for number in 0..240_usize {
        // Several at one instant, and a clock that was set back.
        let at = NOW + after((number as u64 / 7) % 23);
        let kinds = [What::SignedIn, What::CameraChanged, What::UserChanged];
        let agency = [None, code("METRO"), code("BUS"), code("TRAM")][number % 4].clone();
        let address = [192, 0, 2, number as u8 % 3].into();
        let entry = Entry::new(at, Who::User(users[number % 2]), kinds[number % 3])
            .on(number % 5)
            .in_agency(agency)
            .with(json!({ "name": if number % 11 == 0 { "البوابة Gate" } else { "other" } }))
            .from_origin(Origin::new(Some(address), Some("Mozilla"), None));
        entries.push(entry);
    }
    store.audit(entries.clone()).await.unwrap();
    let second = |second| Some(NOW + after(second));
    let every = Search::default();
    let searches = [
        every.clone(),
        Search {
            from: second(3),
            to: second(9),
            ..every.clone()
        },
        Search {
            what: vec![What::SignedIn, What::UserChanged],
            ..every.clone()
        },
        Search {
            user: Some(users[0]),
            from: second(5),
            ..every.clone()
        },
        Search {
            agency: code("BUS"),
            ..every.clone()
        },
        Search {
            object: Some("3".to_owned()),
            ..every.clone()
        },
        Search {
            address: Some([192, 0, 2, 1].into()),
            to: second(20),
            ..every.clone()
        },
        Search {
            text: Some("GATE".to_owned()),
            ..every.clone()
        },
        Search {
            text: Some("البوابة".to_owned()),
            agency: code("METRO"),
            ..every.clone()
        },
        Search {
            text: Some("%".to_owned()),
            ..every.clone()
        },
        Search {
            object: Some("' or 1=1 --".to_owned()),
            ..every
        },
    ];
    let visible = [
        Visible::AllBut(Vec::new()),
        Visible::AllBut(code("BUS").into_iter().collect()),
        Visible::Only(code("METRO").into_iter().chain(code("TRAM")).collect()),
        Visible::Only(Vec::new()),
    ];
    for search in &searches {
        for visible in &visible {
            let mut expected: Vec<_> = (1..)
                .zip(&entries)
                .filter(|(_, entry)| matches(entry, search, visible))
                .map(|(number, entry)| (entry.at, number))
                .collect();
            expected.sort_by(|one, other| other.cmp(one));
            let expected: Vec<u64> = expected.into_iter().map(|(_, number)| number).collect();
            for limit in [1, 7, 1_000] {
                let found = found(&store, search, visible, limit).await;
                assert_eq!(found, expected, "{search:?} {visible:?} {limit}");
            }
        }
    }
}

/// The same in words of this language.
fn matches(entry: &Entry, search: &Search, visible: &Visible) -> bool {
    let seen = match (visible, &entry.agency) {
        (Visible::AllBut(not), Some(agency)) => !not.contains(agency),
        (Visible::AllBut(_), None) => true,
        (Visible::Only(only), Some(agency)) => only.contains(agency),
        (Visible::Only(_), None) => false,
    };
    let text = search.text.as_ref().is_none_or(|text| {
        let details = entry.details.to_string().to_lowercase();
        details.contains(&text.to_lowercase())
    });
    seen && text
        && search.from.is_none_or(|from| entry.at >= from)
        && search.to.is_none_or(|to| entry.at < to)
        && (search.what.is_empty() || search.what.contains(&entry.what))
        && search.user.is_none_or(|user| entry.who == Who::User(user))
        && (search.agency.is_none() || search.agency == entry.agency)
        && (search.object.is_none() || search.object == entry.object)
        && (search.address.is_none() || search.address == entry.origin.address())
}

pub(crate) async fn looking_for_rare_text_goes_on_where_it_stopped(store: Under) {
    let rare = entry().with(json!("the needle"));
    store.audit(vec![rare]).await.unwrap();
    store.audit(vec![entry(); 50_001]).await.unwrap();
    let search = Search {
        text: Some("needle".to_owned()),
        ..Search::default()
    };
    let visible = Visible::AllBut(Vec::new());
    let first = store.audit_search(search.clone(), visible.clone(), None, 10);
    let first = first.await.unwrap();
    assert!(first.items.is_empty() && first.next.is_some());
    assert_eq!(found(&store, &search, &visible, 10).await, [1]);
}
