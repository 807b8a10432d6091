//! Who may begin a handshake: bounded in all and per address, so that neither half-open connections
//! nor one noisy host keep agents out. Decides; holds no connection.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::metrics::Meters;

/// Counts the places that are taken, and shows the count.
pub(super) struct Admission {
    limits: Limits,
    meters: Meters,
    taken: Mutex<Taken>,
}

#[derive(Clone, Copy)]
struct Limits {
    handshakes: usize,
    /// From one address.
    handshakes_each: usize,
    connections: usize,
}

#[derive(Default)]
struct Taken {
    handshakes: usize,
    handshakes_of: HashMap<IpAddr, usize>,
    connections: usize,
}

/// What to do with somebody who knocks.
pub(super) enum Verdict {
    Accept(Place),
    /// Have them show first that the address is theirs.
    Validate,
    TurnAway,
}

impl Admission {
    pub(super) fn new(handshakes: usize, connections: usize, meters: Meters) -> Self {
        Self {
            meters,
            limits: Limits {
                handshakes,
                handshakes_each: handshakes.div_ceil(2),
                connections,
            },
            taken: Mutex::default(),
        }
    }

    pub(super) fn judge(self: &Arc<Self>, address: IpAddr, validated: bool) -> Verdict {
        let mut taken = self.lock();
        let of_address = taken.handshakes_of.get(&address).copied().unwrap_or(0);
        let Limits {
            handshakes,
            handshakes_each,
            connections,
        } = self.limits;
        if taken.handshakes >= handshakes || taken.handshakes + taken.connections >= connections {
            return Verdict::TurnAway;
        }
        // Addresses can be forged until they are validated; forged ones shall not fill the room.
        if !validated && taken.handshakes >= handshakes / 4 {
            return Verdict::Validate;
        }
        if of_address >= handshakes_each {
            return Verdict::TurnAway;
        }
        taken.handshakes += 1;
        *taken.handshakes_of.entry(address).or_default() += 1;
        self.meters.handshakes(taken.handshakes);
        Verdict::Accept(Place {
            admission: self.clone(),
            address,
            admitted: false,
        })
    }

    fn end_handshake(&self, taken: &mut Taken, address: IpAddr) {
        taken.handshakes = taken.handshakes.saturating_sub(1);
        if let Some(count) = taken.handshakes_of.get_mut(&address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                taken.handshakes_of.remove(&address);
            }
        }
        self.meters.handshakes(taken.handshakes);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One place, first as a handshake, then perhaps as a connection; free again when dropped.
pub(super) struct Place {
    admission: Arc<Admission>,
    address: IpAddr,
    admitted: bool,
}

impl Place {
    /// The peer has shown who it is: it no longer counts as a handshake.
    pub(super) fn admitted(mut self) -> Self {
        let mut taken = self.admission.lock();
        taken.connections += 1;
        self.admission.end_handshake(&mut taken, self.address);
        drop(taken);
        self.admitted = true;
        self
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.admission.lock();
        if self.admitted {
            taken.connections = taken.connections.saturating_sub(1);
        } else {
            self.admission.end_handshake(&mut taken, self.address);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOISY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const QUIET: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    fn accepted(verdict: Verdict) -> Option<Place> {
        match verdict {
            Verdict::Accept(place) => Some(place),
            Verdict::Validate | Verdict::TurnAway => None,
        }
    }

    #[test]
    fn a_noisy_host_leaves_room_for_others() {
        let admission = Arc::new(Admission::new(16, 100, Meters::default()));
        let noise: Vec<_> = (0..100)
            .filter_map(|_| accepted(admission.judge(NOISY, true)))
            .collect();
        assert_eq!(noise.len(), 8);
        assert!(accepted(admission.judge(QUIET, true)).is_some());
        drop(noise);
        assert!(accepted(admission.judge(NOISY, true)).is_some());
    }

    #[test]
    fn addresses_are_validated_once_it_gets_busy() {
        let admission = Arc::new(Admission::new(16, 100, Meters::default()));
        let held: Vec<_> = (0..4)
            .filter_map(|_| accepted(admission.judge(NOISY, false)))
            .collect();
        assert_eq!(held.len(), 4);
        assert!(matches!(admission.judge(QUIET, false), Verdict::Validate));
        assert!(matches!(admission.judge(QUIET, true), Verdict::Accept(_)));
    }

    #[test]
    fn those_who_showed_who_they_are_count_as_connections() {
        let admission = Arc::new(Admission::new(8, 10, Meters::default()));
        let agents: Vec<_> = (0..10)
            .map(|_| accepted(admission.judge(NOISY, true)).unwrap().admitted())
            .collect();
        assert!(matches!(admission.judge(QUIET, true), Verdict::TurnAway));
        drop(agents);
        assert!(matches!(admission.judge(QUIET, true), Verdict::Accept(_)));
    }

    proptest! {
        #[test]
        fn places_given_back_leave_nothing_behind(knocks in proptest::collection::vec((0_u8..4, any::<bool>(), any::<bool>()), 0..60)) {
            let admission = Arc::new(Admission::new(12, 20, Meters::default()));
            let mut held = Vec::new();
            for (host, validated, admit) in knocks {
                let address = IpAddr::from([192, 0, 2, host]);
                if let Some(place) = accepted(admission.judge(address, validated)) {
                    held.push(if admit { place.admitted() } else { place });
                }
                let taken = admission.lock();
                prop_assert!(taken.handshakes <= 12 && taken.handshakes + taken.connections <= 20);
                prop_assert_eq!(taken.handshakes_of.values().sum::<usize>(), taken.handshakes);
            }
            held.clear();
            let taken = admission.lock();
            prop_assert_eq!((taken.handshakes, taken.connections, taken.handshakes_of.len()), (0, 0, 0));
        }
    }
}
