use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::budget::{CHUNK_BYTES, Plan, Rate};
use super::*;

const PARALLEL: usize = 3;

fn at(millis: u64) -> Now {
    Now {
        monotonic: Duration::from_millis(millis),
        wall: WallTime::from_secs(1_000_000) + Duration::from_millis(millis),
    }
}

fn candidate(number: u64, age: Duration, urgent: bool) -> Candidate {
    let end = at(0).wall - age;
    Candidate {
        segment: SegmentId::new(end),
        size: 1_000 + number * 77_777,
        root: Sha256::of(&number.to_be_bytes()),
        end,
        urgent,
    }
}

/// What the model of the coordinator does with one attempt.
#[derive(Clone, Debug)]
enum Behaviour {
    TakeFrom(u8),
    Have,
    Later(u32),
    Refuse,
    WantNonsense,
    NewerAnswer,
    CorruptThenIntact,
    CorruptAndDamaged,
    CannotStore,
    BreakWhileOffered,
    BreakWhileSending,
    CutConnection,
    StoredTooEarly,
}

fn behaviour() -> impl Strategy<Value = Behaviour> {
    prop_oneof![
        any::<u8>().prop_map(Behaviour::TakeFrom),
        Just(Behaviour::Have),
        any::<u32>().prop_map(Behaviour::Later),
        Just(Behaviour::Refuse),
        Just(Behaviour::WantNonsense),
        Just(Behaviour::NewerAnswer),
        Just(Behaviour::CorruptThenIntact),
        Just(Behaviour::CorruptAndDamaged),
        Just(Behaviour::CannotStore),
        Just(Behaviour::BreakWhileOffered),
        Just(Behaviour::BreakWhileSending),
        Just(Behaviour::CutConnection),
        Just(Behaviour::StoredTooEarly),
    ]
}

/// The coordinator and the connection, as simple as can be.
struct Model {
    uploads: Uploads,
    budget: Budget,
    millis: u64,
    /// Attempts that stand, with what will be done with them and how much has arrived.
    attempts: BTreeMap<Attempt, (Candidate, Behaviour, u64)>,
    /// What this model said it has.
    kept: BTreeSet<SegmentId>,
    settled: BTreeMap<SegmentId, Settled>,
    behaviours: std::vec::IntoIter<Behaviour>,
    granted: Vec<(Duration, u64)>,
    offered: Vec<SegmentId>,
}

impl Model {
    fn new(candidates: Vec<Candidate>, behaviours: Vec<Behaviour>, rate: Rate) -> Self {
        let plan = Plan {
            otherwise: rate,
            ..Plan::unlimited()
        };
        let mut uploads = Uploads::new(PARALLEL);
        uploads.wanted(candidates, at(0));
        uploads.connected(at(0));
        Self {
            uploads,
            budget: Budget::new(plan, None, at(0)),
            millis: 0,
            attempts: BTreeMap::new(),
            kept: BTreeSet::new(),
            settled: BTreeMap::new(),
            behaviours: behaviours.into_iter(),
            granted: Vec::new(),
            offered: Vec::new(),
        }
    }

    fn note(&mut self, settled: Option<(SegmentId, Settled)>) {
        if let Some((segment, how)) = settled {
            if how == Settled::Stored {
                assert!(
                    self.kept.contains(&segment),
                    "stored without the centre saying so"
                );
            }
            assert!(self.settled.insert(segment, how).is_none(), "settled twice");
        }
    }

    /// Runs until nothing is left or `steps` are used up.
    fn run(&mut self, steps: usize) {
        for _ in 0..steps {
            if self.uploads.waiting() == 0 {
                return;
            }
            let step = self.uploads.next(&mut self.budget, at(self.millis));
            assert!(self.uploads.in_flight() <= PARALLEL + URGENT_EXTRA);
            match step {
                Step::Offer { attempt, candidate } => self.offer(attempt, candidate),
                Step::Send {
                    attempt,
                    start,
                    end,
                    last,
                } => self.send(attempt, start, end, last),
                Step::Wait { until } => {
                    let until = u64::try_from(until.as_millis()).unwrap();
                    self.millis = until.max(self.millis) + 1;
                }
            }
        }
    }

    fn offer(&mut self, attempt: Attempt, candidate: Candidate) {
        self.offered.push(candidate.segment);
        let behaviour = self.behaviours.next().unwrap_or(Behaviour::TakeFrom(0));
        let now = at(self.millis);
        let answer = match behaviour {
            Behaviour::BreakWhileOffered => {
                self.uploads.failed(attempt, now);
                return;
            }
            Behaviour::CutConnection => {
                self.attempts.clear();
                self.uploads.disconnected(now);
                assert_eq!(self.uploads.in_flight(), 0);
                self.uploads.connected(now);
                return;
            }
            Behaviour::StoredTooEarly => {
                let settled = self.uploads.finished(attempt, &UploadResult::Stored, now);
                assert_eq!(settled, None, "a result before the bytes is a broken peer");
                return;
            }
            Behaviour::Have => {
                self.kept.insert(candidate.segment);
                UploadAnswer::Have
            }
            Behaviour::Later(after_ms) => UploadAnswer::Later { after_ms },
            Behaviour::Refuse => UploadAnswer::Refused {
                message: "no".to_owned(),
            },
            Behaviour::WantNonsense => UploadAnswer::Want {
                from: candidate.size + 1,
            },
            Behaviour::NewerAnswer => UploadAnswer::Unknown,
            Behaviour::TakeFrom(part) => UploadAnswer::Want {
                from: candidate.size * u64::from(part) / 255,
            },
            _ => UploadAnswer::Want { from: 0 },
        };
        if let UploadAnswer::Want { from } = answer
            && from <= candidate.size
        {
            self.attempts.insert(attempt, (candidate, behaviour, from));
        }
        let settled = self.uploads.answered(attempt, answer, now);
        self.note(settled);
    }

    fn send(&mut self, attempt: Attempt, start: u64, end: u64, last: bool) {
        let now = at(self.millis);
        self.granted.push((now.monotonic, end - start));
        assert!(end - start <= CHUNK_BYTES);
        let (candidate, behaviour, arrived) =
            self.attempts.get_mut(&attempt).expect("an open attempt");
        assert_eq!(start, *arrived, "bytes are sent in order, none left out");
        assert_eq!(last, end == candidate.size);
        *arrived = end;
        if matches!(behaviour, Behaviour::BreakWhileSending) {
            self.attempts.remove(&attempt);
            self.uploads.handed(attempt, end);
            self.uploads.failed(attempt, now);
            return;
        }
        self.uploads.sent(attempt, end);
        if !last {
            return;
        }
        let Some((candidate, behaviour, _)) = self.attempts.remove(&attempt) else {
            return;
        };
        let result = match behaviour {
            Behaviour::CorruptThenIntact | Behaviour::CorruptAndDamaged => {
                UploadResult::Corrupt { from: 0 }
            }
            Behaviour::CannotStore => UploadResult::Failed {
                message: "disk".to_owned(),
            },
            _ => {
                self.kept.insert(candidate.segment);
                UploadResult::Stored
            }
        };
        let settled = self.uploads.finished(attempt, &result, now);
        self.note(settled);
        let damage = matches!(behaviour, Behaviour::CorruptAndDamaged).then(|| "bad".to_owned());
        if matches!(result, UploadResult::Corrupt { .. }) {
            let settled = self.uploads.checked(attempt, damage, now);
            self.note(settled);
        }
    }
}

fn candidates() -> impl Strategy<Value = Vec<Candidate>> {
    prop::collection::vec((0_u64..20, 0_u64..5_000, prop::bool::weighted(0.1)), 1..30).prop_map(
        |list| {
            list.into_iter()
                .map(|(number, age, urgent)| candidate(number, Duration::from_secs(age), urgent))
                .collect()
        },
    )
}

proptest! {
    #[test]
    fn every_recording_is_settled_whatever_happens_on_the_way(
        candidates in candidates(),
        behaviours in prop::collection::vec(behaviour(), 0..80),
        limited in any::<bool>(),
    ) {
        let rate = if limited { Rate::BytesPerSecond(200_000) } else { Rate::Unlimited };
        let expected: BTreeSet<_> = candidates.iter().map(|candidate| candidate.segment).collect();
        let mut model = Model::new(candidates, behaviours, rate);
        model.run(200_000);
        let settled: BTreeSet<_> = model.settled.keys().copied().collect();
        prop_assert_eq!(settled, expected);
        let stored: BTreeSet<_> = model
            .settled
            .iter()
            .filter(|(_, how)| **how == Settled::Stored)
            .map(|(segment, _)| *segment)
            .collect();
        prop_assert_eq!(stored, model.kept);
        if limited {
            for first in 0..model.granted.len() {
                let mut sum = 0;
                for (when, bytes) in &model.granted[first..] {
                    sum += bytes;
                    let window = (*when - model.granted[first].0).as_secs_f64();
                    prop_assert!(sum as f64 <= 200_000.0 * window + CHUNK_BYTES as f64);
                }
            }
        }
    }

    #[test]
    fn neither_fresh_footage_nor_the_backlog_waits_for_the_whole_of_the_other(
        fresh in 1_u64..20,
        backlog in 1_u64..20,
    ) {
        let new = (0..fresh).map(|n| candidate(n, Duration::from_secs(n), false));
        let old = (0..backlog).map(|n| candidate(n, Duration::from_secs(10_000 + n), false));
        let candidates: Vec<_> = new.chain(old).collect();
        let ends: BTreeMap<_, _> = candidates.iter().map(|c| (c.segment, c.end)).collect();
        let mut model = Model::new(candidates, Vec::new(), Rate::Unlimited);
        model.run(10_000);
        let is_old = |segment| at(0).wall - Duration::from_secs(9_000) > ends[segment];
        let both = model.offered.len().min(usize::try_from(fresh.min(backlog)).unwrap());
        let first_old = model.offered.iter().position(is_old).unwrap();
        prop_assert!(first_old < 4);
        if both >= 4 {
            let share = model.offered[..8.min(model.offered.len())].iter().filter(|s| !is_old(s)).count();
            prop_assert!(share >= 4, "fresh footage goes first: {share} of 8");
        }
    }
}

#[test]
fn an_urgent_recording_overtakes_a_full_line_and_takes_the_next_pieces() {
    let mut wanted: Vec<_> = (10..20)
        .map(|n| candidate(n, Duration::from_secs(9_000), false))
        .collect();
    let mut uploads = Uploads::new(PARALLEL);
    let mut budget = Budget::new(Plan::unlimited(), None, at(0));
    uploads.wanted(wanted.clone(), at(0));
    uploads.connected(at(0));
    while uploads.in_flight() < PARALLEL {
        let Step::Offer { attempt, .. } = uploads.next(&mut budget, at(0)) else {
            panic!("an offer expected");
        };
        assert_eq!(
            uploads.answered(attempt, UploadAnswer::Want { from: 0 }, at(0)),
            None
        );
    }
    let urgent = candidate(30, Duration::from_secs(20), true);
    wanted.push(urgent.clone());
    uploads.wanted(wanted, at(1));
    let Step::Offer { attempt, candidate } = uploads.next(&mut budget, at(1)) else {
        panic!("the urgent offer expected");
    };
    assert_eq!(candidate, urgent);
    uploads.answered(attempt, UploadAnswer::Want { from: 0 }, at(1));
    for _ in 0..5 {
        let Step::Send {
            attempt: whose,
            end,
            ..
        } = uploads.next(&mut budget, at(1))
        else {
            panic!("a piece expected");
        };
        assert_eq!(whose, attempt);
        uploads.sent(attempt, end);
    }
}

#[test]
fn bytes_are_sent_of_one_recording_after_the_other() {
    let wanted: Vec<_> = (10..13)
        .map(|n| candidate(n, Duration::from_secs(9_000 + n), false))
        .collect();
    let mut uploads = Uploads::new(PARALLEL);
    let mut budget = Budget::new(Plan::unlimited(), None, at(0));
    uploads.wanted(wanted, at(0));
    uploads.connected(at(0));
    let mut order = Vec::new();
    let mut granted = std::collections::VecDeque::new();
    loop {
        match uploads.next(&mut budget, at(0)) {
            Step::Offer { attempt, .. } => {
                uploads.answered(attempt, UploadAnswer::Want { from: 0 }, at(0));
            }
            Step::Send { attempt, end, .. } => {
                granted.push_back((attempt, end));
                order.push(attempt);
            }
            Step::Wait { .. } => match granted.pop_front() {
                Some((attempt, end)) => uploads.sent(attempt, end),
                None => break,
            },
        }
        assert!(granted.len() <= usize::try_from(PIECES).unwrap());
    }
    let mut sorted = order.clone();
    sorted.sort_unstable();
    assert_eq!(order, sorted);
    sorted.dedup();
    assert_eq!(sorted.len(), 3);
}

#[test]
fn what_is_sent_twice_is_counted_once_for_each_time() {
    let wanted = candidate(20, Duration::from_secs(9_000), false);
    let mut uploads = Uploads::new(PARALLEL);
    let mut budget = Budget::new(Plan::unlimited(), None, at(0));
    uploads.wanted(vec![wanted], at(0));
    for (from, resent) in [
        (0, 0),
        (1_000, CHUNK_BYTES - 1_000),
        (CHUNK_BYTES, CHUNK_BYTES),
    ] {
        uploads.connected(at(0));
        let Step::Offer { attempt, .. } = uploads.next(&mut budget, at(0)) else {
            panic!("an offer expected");
        };
        uploads.answered(attempt, UploadAnswer::Want { from }, at(0));
        let Step::Send { end, .. } = uploads.next(&mut budget, at(0)) else {
            panic!("a piece expected");
        };
        uploads.handed(attempt, end);
        assert_eq!(uploads.resent_bytes(), resent);
    }
}

#[test]
fn later_silences_all_offers_for_that_long() {
    let wanted = (0..5)
        .map(|n| candidate(n, Duration::from_secs(9_000), false))
        .collect();
    let mut uploads = Uploads::new(PARALLEL);
    let mut budget = Budget::new(Plan::unlimited(), None, at(0));
    uploads.wanted(wanted, at(0));
    uploads.connected(at(0));
    let Step::Offer { attempt, .. } = uploads.next(&mut budget, at(0)) else {
        panic!("an offer expected");
    };
    uploads.answered(attempt, UploadAnswer::Later { after_ms: 7_000 }, at(0));
    assert_eq!(
        uploads.next(&mut budget, at(6_999)),
        Step::Wait {
            until: Duration::from_secs(7)
        }
    );
    assert!(matches!(
        uploads.next(&mut budget, at(7_000)),
        Step::Offer { .. }
    ));
}

#[test]
fn what_is_no_longer_wanted_is_forgotten_unless_it_is_in_flight() {
    let wanted: Vec<_> = (0..5)
        .map(|n| candidate(n, Duration::from_secs(9_000 - n), false))
        .collect();
    let mut uploads = Uploads::new(1);
    let mut budget = Budget::new(Plan::unlimited(), None, at(0));
    uploads.wanted(wanted.clone(), at(0));
    uploads.connected(at(0));
    let Step::Offer { candidate, .. } = uploads.next(&mut budget, at(0)) else {
        panic!("an offer expected");
    };
    assert_eq!(candidate, wanted[0]);
    uploads.wanted(vec![wanted[4].clone()], at(1));
    assert_eq!((uploads.waiting(), uploads.in_flight()), (2, 1));
}
