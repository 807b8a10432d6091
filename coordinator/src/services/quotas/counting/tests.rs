//! Quotas with and without the server they are counted on.

use shared::clock::{SimulatedClock, SystemClock};
use shared::id::{CameraId, UserId};
use shared::time::WallTime;
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval};

use super::walk::{Done, Walk};
use super::*;
use crate::domain::agency::AgencyCode;
use crate::stores::valkey::process::Process;

const TTL: Duration = Duration::from_secs(30);

fn metro() -> AgencyCode {
    "METRO".parse().unwrap()
}

/// Three full streams for METRO, of ten together, and two reduced ones that are offered.
fn allowed() -> AllAllowed {
    let allowed = Allowed {
        full: 3,
        reduced: 2,
        offers_reduced: true,
    };
    AllAllowed {
        agencies: [(metro(), allowed)].into(),
        total_full: 10,
        total_reduced: 10,
    }
}

fn new(tier: Tier) -> Reservation {
    let now = WallTime::from_secs(1_800_000_000);
    Reservation {
        id: ReservationId::new(now),
        pool: Pool {
            agency: metro(),
            tier,
        },
        camera: CameraId::new(now),
        holder: UserId::new(now),
    }
}

/// A coordinator that keeps to the server.
struct Coordinator {
    quotas: Arc<Counting>,
    running: JoinHandle<()>,
}

impl Coordinator {
    fn start(process: &Process, when_lost: WhenLost) -> Self {
        let clock = Arc::new(SystemClock::new());
        let server = Some(process.client());
        let quotas = Counting::new(allowed(), server, when_lost, clock, Arc::default());
        let quotas = Arc::new(quotas);
        let followed = quotas.clone();
        let running = tokio::spawn(async move { followed.run(CancellationToken::new()).await });
        Self { quotas, running }
    }

    fn is_joined(&self) -> bool {
        let server = self.quotas.server.as_ref().unwrap();
        server.counts()
    }

    async fn count(&self) -> u32 {
        let pool = Pool {
            agency: metro(),
            tier: Tier::Full,
        };
        self.quotas.counts(&[pool]).await[0]
    }
}

impl Drop for Coordinator {
    fn drop(&mut self) {
        self.running.abort();
    }
}

async fn until(what: &str, mut check: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut ticks = interval(Duration::from_millis(20));
    while !check().await {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        ticks.tick().await;
    }
}

fn granted(answer: Answer) -> u32 {
    match answer {
        Answer::Granted(usage) => usage.current,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_refusal_offers_less_while_there_is_room_for_it() {
    let clock = Arc::new(SystemClock::new());
    let quotas = Counting::new(allowed(), None, WhenLost::Refuse, clock, Arc::default());
    for count in 1..=3 {
        assert_eq!(granted(quotas.reserve(&new(Tier::Full), TTL).await), count);
    }
    let refused = |offer| Answer::Refused {
        by: Bound::Pool,
        usage: Usage {
            current: 3,
            limit: 3,
        },
        offer,
    };
    let offered = quotas.reserve(&new(Tier::Full), TTL).await;
    assert_eq!(offered, refused(Some(Tier::Reduced)));
    for count in 1..=2 {
        assert_eq!(
            granted(quotas.reserve(&new(Tier::Reduced), TTL).await),
            count
        );
    }
    assert_eq!(quotas.reserve(&new(Tier::Full), TTL).await, refused(None));
    let mut stranger = new(Tier::Full);
    stranger.pool.agency = "NOWHERE".parse().unwrap();
    let none = quotas.reserve(&stranger, TTL).await;
    assert!(matches!(none, Answer::Refused { usage, .. } if usage.limit == 0));
}

#[tokio::test]
async fn a_limit_below_what_runs_ends_nothing_and_lets_nothing_begin() {
    let clock = Arc::new(SystemClock::new());
    let quotas = Counting::new(allowed(), None, WhenLost::Refuse, clock, Arc::default());
    let held = new(Tier::Full);
    quotas.reserve(&held, TTL).await;
    quotas.reserve(&new(Tier::Full), TTL).await;
    quotas.allow(AllAllowed::default());
    assert!(quotas.heartbeat(&held, TTL).await);
    assert_eq!(granted(quotas.reserve(&held, TTL).await), 2);
    let refused = quotas.reserve(&new(Tier::Full), TTL).await;
    let usage = Usage {
        current: 2,
        limit: 0,
    };
    assert!(matches!(refused, Answer::Refused { usage: is, .. } if is == usage));
}

#[tokio::test]
async fn what_runs_outlives_the_server_and_is_counted_when_it_is_back() {
    let mut process = Process::start(false).await;
    let one = Coordinator::start(&process, WhenLost::Refuse);
    let other = Coordinator::start(&process, WhenLost::CountOwn);
    until("the server", async || one.is_joined() && other.is_joined()).await;
    let (here, there) = (new(Tier::Full), new(Tier::Full));
    assert_eq!(granted(one.quotas.reserve(&here, TTL).await), 1);
    assert_eq!(granted(other.quotas.reserve(&there, TTL).await), 2);
    assert_eq!((one.count().await, other.count().await), (2, 2));
    assert_eq!(one.quotas.find(there.id).await.as_ref(), Some(&there));

    process.kill().await;
    assert!(one.quotas.heartbeat(&here, TTL).await);
    let unknown = one.quotas.reserve(&new(Tier::Full), TTL).await;
    assert_eq!(unknown, Answer::Unknown);
    // Again, as after an answer that was lost.
    assert_eq!(granted(one.quotas.reserve(&here, TTL).await), 1);
    // By its own count, and still limited.
    let meanwhile = [new(Tier::Full), new(Tier::Full)];
    for (held, count) in meanwhile.iter().zip(2..) {
        assert_eq!(granted(other.quotas.reserve(held, TTL).await), count);
    }
    let refused = other.quotas.reserve(&new(Tier::Full), TTL).await;
    assert!(matches!(refused, Answer::Refused { .. }), "{refused:?}");

    process.restart().await;
    until("both to be counted", async || {
        one.is_joined() && other.is_joined() && one.count().await == 4
    })
    .await;
    // One more than allowed runs; nothing ends for it, and nothing begins.
    assert_eq!(other.count().await, 4);
    let refused = one.quotas.reserve(&new(Tier::Full), TTL).await;
    assert!(matches!(refused, Answer::Refused { .. }), "{refused:?}");
    assert!(other.quotas.release(&meanwhile[0]).await);
    assert!(one.quotas.release(&here).await);
    assert_eq!(granted(one.quotas.reserve(&new(Tier::Full), TTL).await), 3);
}

#[tokio::test]
async fn a_coordinator_that_dies_leaves_nothing_behind() {
    let process = Process::start(false).await;
    let one = Coordinator::start(&process, WhenLost::Refuse);
    let other = Coordinator::start(&process, WhenLost::Refuse);
    until("the server", async || one.is_joined() && other.is_joined()).await;
    let short = Duration::from_millis(500);
    for _ in 0..3 {
        granted(one.quotas.reserve(&new(Tier::Full), short).await);
    }
    drop(one);
    until("its streams to be gone", async || other.count().await == 0).await;
    assert_eq!(
        granted(other.quotas.reserve(&new(Tier::Full), TTL).await),
        1
    );
}

fn simulated() -> Arc<SimulatedClock> {
    let clock = Arc::new(SimulatedClock::new(WallTime::from_secs(1_800_000_000)));
    clock.advance(Duration::from_secs(1_000));
    clock
}

/// Everything that there is a rule for has happened, and often.
fn assert_eventful(done: Done) {
    let Done {
        operations,
        granted,
        again,
        refused,
        taken,
        prolonged,
        released,
        too_late,
        expired,
        crashes,
    } = done;
    for times in [
        granted, again, refused, taken, prolonged, released, too_late, expired, crashes,
    ] {
        assert!(times > operations / 1_000, "{done:?}");
    }
}

#[tokio::test]
async fn a_million_operations_in_this_process_count_what_lives() {
    let clock = simulated();
    let mut walk = Walk::new(1, clock.clone(), true);
    let fresh = |allowed| {
        let clock = clock.clone();
        Counting::new(allowed, None, WhenLost::Refuse, clock, Arc::default())
    };
    let mut coordinators = [fresh(walk.allowed())];
    for _ in 0..1_000_000 {
        if let Some(crashed) = walk.step(&coordinators).await {
            coordinators[crashed] = fresh(walk.allowed());
        }
    }
    assert_eventful(walk.done);
}

/// Two coordinators on one server: as many operations as fit into the time, and a few thousand however
/// slow the host is.
#[tokio::test]
async fn thousands_of_operations_on_a_server_count_what_lives() {
    let process = Process::start(false).await;
    let clock = simulated();
    let mut walk = Walk::new(2, clock.clone(), false);
    let fresh = async |allowed| {
        let mut counting = Counting::new(
            allowed,
            None,
            WhenLost::Refuse,
            clock.clone(),
            Arc::default(),
        );
        let server = Server::simulated(process.client(), clock.clone());
        server.join(&counting.own).await.unwrap();
        counting.server = Some(server);
        counting
    };
    let mut coordinators = [fresh(walk.allowed()).await, fresh(walk.allowed()).await];
    let until = Instant::now() + Duration::from_secs(15);
    while walk.done.operations < 5_000 || Instant::now() < until {
        if let Some(crashed) = walk.step(&coordinators).await {
            coordinators[crashed] = fresh(walk.allowed()).await;
        }
    }
    assert_eventful(walk.done);
}

#[tokio::test]
async fn what_was_given_back_elsewhere_is_not_revived() {
    let process = Process::start(false).await;
    let one = Coordinator::start(&process, WhenLost::Refuse);
    let other = Coordinator::start(&process, WhenLost::Refuse);
    until("the server", async || one.is_joined() && other.is_joined()).await;
    let held = new(Tier::Full);
    granted(one.quotas.reserve(&held, TTL).await);
    assert!(other.quotas.release(&held).await);
    assert!(!one.quotas.heartbeat(&held, TTL).await);
    assert_eq!((one.count().await, other.count().await), (0, 0));
}
