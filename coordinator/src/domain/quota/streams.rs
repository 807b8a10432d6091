//! How many streams there are, of how many: of every agency and of all together.

use std::collections::BTreeMap;

use super::alarm::Limited;
use super::{AllAllowed, Pool, Tier, Usage};
use crate::domain::agency::AgencyCode;

/// Of one agency, or of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tiers {
    pub full: Usage,
    pub reduced: Usage,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Streams {
    pub agencies: BTreeMap<AgencyCode, Tiers>,
    pub total: Tiers,
}

impl Streams {
    /// Every pool there is; [`Self::new`] wants their counts in this order.
    pub fn pools(allowed: &AllAllowed) -> Vec<Pool> {
        let agencies = allowed.agencies.keys();
        let pools = agencies.flat_map(|agency| {
            [Tier::Full, Tier::Reduced].map(|tier| Pool {
                agency: agency.clone(),
                tier,
            })
        });
        pools.collect()
    }

    pub fn new(allowed: &AllAllowed, counts: &[u32]) -> Self {
        let usage = |current: Option<&u32>, limit| Usage {
            current: current.copied().unwrap_or(0),
            limit,
        };
        let agencies: BTreeMap<_, _> = allowed
            .agencies
            .iter()
            .zip(counts.chunks(2))
            .map(|((code, allowed), counts)| {
                let tiers = Tiers {
                    full: usage(counts.first(), allowed.full),
                    reduced: usage(counts.get(1), allowed.reduced),
                };
                (code.clone(), tiers)
            })
            .collect();
        let all = |limit, of: fn(&Tiers) -> Usage| Usage {
            current: agencies.values().map(|tiers| of(tiers).current).sum(),
            limit,
        };
        let total = Tiers {
            full: all(allowed.total_full, |tiers| tiers.full),
            reduced: all(allowed.total_reduced, |tiers| tiers.reduced),
        };
        Self { agencies, total }
    }

    /// Every limit and how much of it is used.
    pub fn usages(&self) -> impl Iterator<Item = (Limited, Usage)> {
        let pool = |agency: &AgencyCode, tier| {
            Limited::Pool(Pool {
                agency: agency.clone(),
                tier,
            })
        };
        let of_agencies = self.agencies.iter().flat_map(move |(agency, tiers)| {
            [
                (pool(agency, Tier::Full), tiers.full),
                (pool(agency, Tier::Reduced), tiers.reduced),
            ]
        });
        of_agencies.chain([
            (Limited::All(Tier::Full), self.total.full),
            (Limited::All(Tier::Reduced), self.total.reduced),
        ])
    }

    /// The same without agencies that somebody may not know of.
    #[must_use]
    pub fn only(&self, mut visible: impl FnMut(&AgencyCode) -> bool) -> Self {
        let agencies = self.agencies.iter().filter(|(code, _)| visible(code));
        Self {
            agencies: agencies
                .map(|(code, tiers)| (code.clone(), *tiers))
                .collect(),
            total: self.total,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::quota::Allowed;

    #[test]
    fn counts_come_back_under_their_agencies() {
        let allowed = |full| Allowed {
            full,
            reduced: 2 * full,
            offers_reduced: true,
        };
        let code = |code: &str| code.parse::<AgencyCode>().unwrap();
        let all = AllAllowed {
            agencies: [(code("METRO"), allowed(3)), (code("BUS"), allowed(5))].into(),
            total_full: 6,
            total_reduced: 7,
        };
        let pools = Streams::pools(&all);
        let names: Vec<_> = pools
            .iter()
            .map(|pool| (pool.agency.as_str(), pool.tier))
            .collect();
        let expected = [
            ("BUS", Tier::Full),
            ("BUS", Tier::Reduced),
            ("METRO", Tier::Full),
            ("METRO", Tier::Reduced),
        ];
        assert_eq!(names, expected);
        let streams = Streams::new(&all, &[1, 2, 3, 4]);
        let usage = |current, limit| Usage { current, limit };
        let metro = streams.agencies[&code("METRO")];
        assert_eq!((metro.full, metro.reduced), (usage(3, 3), usage(4, 6)));
        let total = streams.total;
        assert_eq!((total.full, total.reduced), (usage(4, 6), usage(6, 7)));
        assert_eq!(streams.usages().count(), 6);
        let bus = streams.only(|agency| agency.as_str() == "BUS");
        assert_eq!(bus.agencies.len(), 1);
        assert_eq!(bus.total, total);
    }
}
