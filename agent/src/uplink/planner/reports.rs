//! When the next batch of metadata is read and sent, and what an acknowledgement means. Pure.
//!
//! Records leave the outbox in order, a few batches ahead of their acknowledgements; growth and
//! watermarks follow once a second when the outbox is drained.

use std::collections::VecDeque;
use std::time::Duration;

/// Most records in one batch.
pub const BATCH_RECORDS: usize = 64;

/// Most batches sent and not acknowledged.
pub const WINDOW: usize = 4;

/// Between two batches that only carry growth and watermarks.
pub const NEWS_INTERVAL: Duration = Duration::from_secs(1);

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Read watermarks, then growth, then records after `after`, in this order, and send them. The
    /// watermarks and the growth only if all records fit.
    Report { after: u64, limit: usize },
    /// Nothing until then, an acknowledgement or a new record.
    Wait { until: Duration },
}

/// One metadata stream. A new connection begins with a new one.
#[derive(Clone, Debug)]
pub struct Reports {
    acknowledged: u64,
    sent: u64,
    /// The last record of each batch that awaits its acknowledgement.
    unanswered: VecDeque<u64>,
    /// Whether the outbox may hold records after `sent`.
    more: bool,
    news_at: Duration,
}

impl Reports {
    /// `acknowledged` is the last record the coordinator is known to have.
    pub const fn new(acknowledged: u64, now: Duration) -> Self {
        Self {
            acknowledged,
            sent: acknowledged,
            unanswered: VecDeque::new(),
            more: true,
            news_at: now,
        }
    }

    /// The outbox has grown.
    pub const fn recorded(&mut self) {
        self.more = true;
    }

    /// What to do at `now`.
    pub fn next(&self, now: Duration) -> Step {
        let due = self.more || self.news_at <= now;
        if due && self.unanswered.len() < WINDOW {
            return Step::Report {
                after: self.sent,
                limit: BATCH_RECORDS,
            };
        }
        Step::Wait {
            until: self.news_at.max(now + Duration::from_millis(1)),
        }
    }

    /// A batch was handed to the connection. `last` is its last record, `None` for none; `drained`
    /// says that the outbox held no more.
    pub fn sent(&mut self, now: Duration, last: Option<u64>, drained: bool) {
        if let Some(last) = last.filter(|last| *last > self.sent) {
            self.sent = last;
            self.unanswered.push_back(last);
        }
        self.more = !drained;
        self.news_at = now + NEWS_INTERVAL;
    }

    /// The coordinator says it has everything up to `through`. Gives what may be marked so: never
    /// more than was sent.
    pub fn acknowledged(&mut self, through: u64) -> Option<u64> {
        let through = through.min(self.sent);
        while self.unanswered.front().is_some_and(|last| *last <= through) {
            self.unanswered.pop_front();
        }
        if through <= self.acknowledged {
            return None;
        }
        self.acknowledged = through;
        Some(through)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Operation {
        Record(u64),
        Pass(u64),
        Acknowledge(u64),
        Reconnect,
    }

    fn operation() -> impl Strategy<Value = Operation> {
        prop_oneof![
            (1_u64..200).prop_map(Operation::Record),
            (1_u64..3_000).prop_map(Operation::Pass),
            (0_u64..2_000).prop_map(Operation::Acknowledge),
            Just(Operation::Reconnect),
        ]
    }

    /// The outbox holds records 1 to `head`; the peer has seen up to `seen` and may lie about it.
    struct World {
        head: u64,
        seen: u64,
        marked: u64,
        now: Duration,
        reports: Reports,
    }

    impl World {
        fn drive(&mut self) {
            while let Step::Report { after, limit } = self.reports.next(self.now) {
                let last = self.head.min(after + u64::try_from(limit).unwrap());
                if last > after {
                    assert_eq!(
                        after, self.seen,
                        "records leave in order, none twice, none skipped"
                    );
                    self.seen = last;
                }
                self.reports
                    .sent(self.now, (last > after).then_some(last), last == self.head);
                assert!(self.reports.unanswered.len() <= WINDOW);
            }
        }

        fn acknowledge(&mut self, through: u64) {
            if let Some(through) = self.reports.acknowledged(through) {
                assert!(through > self.marked && through <= self.seen);
                self.marked = through;
            }
        }
    }

    proptest! {
        #[test]
        fn records_leave_in_order_once_and_nothing_unsent_is_marked(
            operations in prop::collection::vec(operation(), 1..100)
        ) {
            let mut world = World {
                head: 0, seen: 0, marked: 0, now: Duration::ZERO,
                reports: Reports::new(0, Duration::ZERO),
            };
            for operation in operations {
                match operation {
                    Operation::Record(count) => { world.head += count; world.reports.recorded(); }
                    Operation::Pass(millis) => world.now += Duration::from_millis(millis),
                    Operation::Acknowledge(through) => world.acknowledge(through),
                    Operation::Reconnect => {
                        world.reports = Reports::new(world.marked, world.now);
                        world.seen = world.marked;
                    }
                }
                world.drive();
            }
            // An honest peer that answers everything gets everything.
            while world.marked < world.head {
                let before = world.marked;
                world.acknowledge(world.seen);
                world.drive();
                prop_assert!(world.marked > before || world.seen > before);
            }
            prop_assert_eq!(world.marked, world.head);
        }
    }

    #[test]
    fn without_records_news_goes_out_once_a_second() {
        let mut reports = Reports::new(0, Duration::ZERO);
        let mut sent = 0;
        for millis in (0..10_000).step_by(10) {
            let now = Duration::from_millis(millis);
            if let Step::Report { .. } = reports.next(now) {
                reports.sent(now, None, true);
                sent += 1;
            }
        }
        assert_eq!(sent, 10);
    }
}
