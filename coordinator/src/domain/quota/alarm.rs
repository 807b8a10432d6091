//! When little is left of a limit, so that somebody knows before anybody is refused.

use std::collections::BTreeSet;

use super::{Pool, Tier, Usage};

/// Percent of a limit above which somebody should know.
const RAISED_ABOVE: u64 = 95;
/// Percent at which all is well again; lower, so that one viewer who comes and goes does not make an
/// alarm each time.
const CLEARED_AT: u64 = 90;

/// Whose limit it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Limited {
    Pool(Pool),
    /// All agencies together.
    All(Tier),
}

/// What has become of an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    Raised,
    Cleared,
}

/// The alarms that stand.
#[derive(Debug, Default)]
pub struct Alarms(BTreeSet<Limited>);

impl Alarms {
    /// Looks at one limit; what has changed, if anything.
    pub fn look(&mut self, of: &Limited, usage: Usage) -> Option<Turn> {
        let used = 100 * u64::from(usage.current);
        let share = |percent| percent * u64::from(usage.limit);
        if used > share(RAISED_ABOVE) {
            return self.0.insert(of.clone()).then_some(Turn::Raised);
        }
        if used <= share(CLEARED_AT) {
            return self.0.remove(of).then_some(Turn::Cleared);
        }
        None
    }

    pub fn standing(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_alarm_stands_from_above_95_until_90_percent(
            usages in prop::collection::vec((0_u32..120, 0_u32..120), 1..200)
        ) {
            let mut alarms = Alarms::default();
            let of = Limited::All(Tier::Full);
            let mut stands = false;
            for (current, limit) in usages {
                let share = f64::from(current) / f64::from(limit.max(1));
                let full = if limit == 0 { current > 0 } else { share > 0.95 };
                let turn = alarms.look(&of, Usage { current, limit });
                let expected = match (stands, full) {
                    (false, true) => Some(Turn::Raised),
                    (true, false) if share <= 0.9 => Some(Turn::Cleared),
                    _ => None,
                };
                prop_assert_eq!(turn, expected, "{} of {}", current, limit);
                stands = match turn {
                    Some(turn) => turn == Turn::Raised,
                    None => stands,
                };
                prop_assert_eq!(alarms.standing(), usize::from(stands));
            }
        }
    }

    #[test]
    fn limits_do_not_mind_each_other() {
        let mut alarms = Alarms::default();
        let usage = |current| Usage { current, limit: 10 };
        let (full, reduced) = (Limited::All(Tier::Full), Limited::All(Tier::Reduced));
        assert_eq!(alarms.look(&full, usage(10)), Some(Turn::Raised));
        assert_eq!(alarms.look(&reduced, usage(0)), None);
        assert_eq!(alarms.standing(), 1);
    }
}
