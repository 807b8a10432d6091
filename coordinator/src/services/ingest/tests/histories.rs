//! A coordinator that ends at any instant loses and doubles nothing.

use bytes::Bytes;
use proptest::prelude::*;
use shared::testing::{Segment as Built, SegmentBuilder};
use shared::wire::segment::UploadResult;

use super::super::super::testing::{NOW, World, cut_short};
use super::super::*;
use super::uploads::{send, settled_offer};
use super::{assert_stored, centre, listed};
use crate::domain::segment::CentreCopy;

#[tokio::test(flavor = "multi_thread")]
async fn the_coordinator_may_end_at_any_instant_of_an_upload() {
    let mut world = World::new().await;
    let agent = world.agent().await;
    let mut next = SegmentBuilder::new(NOW);
    next.fragments = 40;
    let mut stored: Vec<Built> = Vec::new();
    let mut completed = 0;
    // Until three uploads in a row were over before they could be cut short.
    for polls in 1..200 {
        let built = next.build();
        next = next.next();
        let attempt = async {
            world.report(&agent, &[&built]).await;
            let Offered::Want { mut sink, .. } = world.offer(&agent, &built).await else {
                panic!("nothing is here yet");
            };
            for piece in built.bytes.chunks(1_000) {
                sink.write(Bytes::copy_from_slice(piece)).await;
                sink.flush().await;
            }
            sink.finish().await
        };
        let over = cut_short(polls, attempt).await;
        world = world.restart().await;
        // The report may not have been acknowledged; the agent repeats it.
        world.report(&agent, &[&built]).await;
        if over == Some(UploadResult::Stored) {
            assert_eq!(centre(&world, &built).await, CentreCopy::Stored);
            completed += 1;
        } else {
            completed = 0;
        }
        world.upload(&agent, &built).await;
        stored.push(built);
        if completed == 3 {
            break;
        }
    }
    assert_eq!(completed, 3);
    assert!(
        stored.len() > 10,
        "only {} instants were tried",
        stored.len()
    );
    assert_stored(&world, &stored.iter().collect::<Vec<_>>()).await;
    let done = world.services.storage.reconcile().await.unwrap();
    assert_eq!(done, crate::services::storage::Reconciled::default());
}

/// What happens to an upload.
#[derive(Clone, Debug)]
enum Step {
    /// So much of the rest is sent, then the line breaks.
    Send(prop::sample::Index),
    /// The same, with a byte that is wrong.
    SendWrong(prop::sample::Index),
    Restart,
    /// A power cut took the end of what was written.
    Tear(prop::sample::Index),
    /// It turned a byte of what was written, or left nonsense behind it.
    Damage(prop::sample::Index),
    Repeat,
}

fn any_step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        4 => index().prop_map(Step::Send),
        1 => index().prop_map(Step::SendWrong),
        1 => Just(Step::Restart),
        1 => index().prop_map(Step::Tear),
        1 => index().prop_map(Step::Damage),
        1 => Just(Step::Repeat),
    ]
}

async fn history(steps: Vec<Step>) {
    let mut world = World::new().await;
    let agent = world.agent().await;
    let mut builder = SegmentBuilder::new(NOW);
    builder.fragments = 8;
    let built = builder.build();
    world.report(&agent, &[&built]).await;
    let mut is_stored = false;
    for step in steps {
        let partial = listed(&world)
            .await
            .into_iter()
            .find(|object| object.partial);
        let partial = partial.map(|object| {
            let mut file = world.object_file(&object.path).into_os_string();
            file.push(".part");
            file
        });
        match step {
            Step::Send(length) => is_stored |= attempt(&world, &agent, &built, length, false).await,
            Step::SendWrong(length) => {
                is_stored |= attempt(&world, &agent, &built, length, true).await;
            }
            Step::Restart => world = world.restart().await,
            Step::Repeat => world.report(&agent, &[&built]).await,
            Step::Tear(length) => {
                if let Some(file) = partial {
                    let bytes = std::fs::read(&file).unwrap();
                    std::fs::write(&file, &bytes[..length.index(bytes.len() + 1)]).unwrap();
                }
            }
            Step::Damage(place) => {
                if let Some(file) = partial {
                    let mut bytes = std::fs::read(&file).unwrap();
                    bytes.extend_from_slice(b"left behind");
                    let place = place.index(bytes.len());
                    bytes[place] ^= 1;
                    std::fs::write(&file, bytes).unwrap();
                }
            }
        }
        // Stored is said only of what is there, and is never taken back.
        assert_eq!(
            centre(&world, &built).await == CentreCopy::Stored,
            is_stored
        );
    }
    world.upload(&agent, &built).await;
    assert_stored(&world, &[&built]).await;
}

/// One attempt; whether it is stored afterwards.
async fn attempt(
    world: &World,
    agent: &AgentGrant,
    built: &Built,
    length: prop::sample::Index,
    wrong: bool,
) -> bool {
    let (from, sink) = match settled_offer(world, agent, built).await {
        Offered::Want { from, sink } => (usize::try_from(from).unwrap(), sink),
        Offered::Have => return true,
        other => panic!("{other:?}"),
    };
    let mut rest = built.bytes[from..].to_vec();
    rest.truncate(length.index(rest.len() + 1));
    let whole = from + rest.len() == built.bytes.len();
    if wrong && let Some(last) = rest.last_mut() {
        *last ^= 1;
    }
    let result = send(sink, rest.into()).await;
    let expected = whole && !wrong;
    assert_eq!(result == UploadResult::Stored, expected, "{result:?}");
    expected
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Whatever happens on the way, in the end the segment is stored, once and whole.
    #[test]
    fn an_upload_ends_well_after_any_history(steps in prop::collection::vec(any_step(), 0..12)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
        runtime.block_on(history(steps));
    }
}
