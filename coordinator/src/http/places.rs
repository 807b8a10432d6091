//! How many connections there may be: of all, and of one address or person, so that nobody holds the
//! places of everybody. Also knows when places are short, which is when idle connections have to go.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use shared::id::UserId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::config::Networks;

/// Places of the API's connections.
pub struct Places {
    free: Arc<Semaphore>,
    total: usize,
    /// Proxies, through which many come.
    exempt: Networks,
    shares: Arc<Shares<IpAddr>>,
    short: watch::Sender<bool>,
}

/// A place that is given back when it is dropped.
pub struct Place {
    places: Arc<Places>,
    share: Option<Share<IpAddr>>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Places {
    /// `each` address may have so many of `total`, and never more than half; `exempt` ones all.
    pub fn new(total: usize, each: usize, exempt: Networks) -> Arc<Self> {
        Arc::new(Self {
            free: Arc::new(Semaphore::new(total)),
            total,
            exempt,
            shares: Shares::new(each.min(total / 2).max(1)),
            short: watch::Sender::new(false),
        })
    }

    /// The next free place, for whoever comes next.
    pub(super) async fn wait(self: &Arc<Self>) -> Option<OwnedSemaphorePermit> {
        self.free.clone().acquire_owned().await.ok()
    }

    /// Takes the place for a connection from `address`, unless that has its share already.
    pub(super) fn take(
        self: &Arc<Self>,
        permit: OwnedSemaphorePermit,
        address: IpAddr,
    ) -> Option<Place> {
        let share = match self.exempt.contains(address) {
            true => None,
            false => Some(self.shares.take(allotment(address))?),
        };
        self.look();
        Some(Place {
            places: self.clone(),
            share,
            permit: Some(permit),
        })
    }

    /// Whether most places are taken, and when that changes.
    pub(super) fn shortage(&self) -> watch::Receiver<bool> {
        self.short.subscribe()
    }

    fn look(&self) {
        // Counted under the channel's lock, so that the last to look is the last to tell.
        self.short.send_if_modified(|was| {
            let short = self.free.available_permits() < self.total.div_ceil(4);
            let changed = *was != short;
            *was = short;
            changed
        });
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Free before anybody looks.
        drop((self.share.take(), self.permit.take()));
        self.places.look();
    }
}

/// Places of WebSockets, which outlive the request that opens them.
pub struct Sockets {
    free: Arc<Semaphore>,
    shares: Arc<Shares<UserId>>,
}

/// The place of one, given back when it is dropped.
pub struct Socket {
    _permit: OwnedSemaphorePermit,
    _share: Share<UserId>,
}

impl Sockets {
    /// `each` person may have so many of `total`.
    pub fn new(total: usize, each: usize) -> Self {
        Self {
            free: Arc::new(Semaphore::new(total)),
            shares: Shares::new(each),
        }
    }

    /// A place, if there is one and the person has not their share already.
    pub(super) fn take(&self, user: UserId) -> Option<Socket> {
        let share = self.shares.take(user)?;
        let permit = self.free.clone().try_acquire_owned().ok()?;
        Some(Socket {
            _permit: permit,
            _share: share,
        })
    }
}

/// Counts what each of many holds, up to a limit.
struct Shares<K: Eq + Hash> {
    each: usize,
    held: Mutex<HashMap<K, usize>>,
}

/// One of somebody's, given back when it is dropped.
struct Share<K: Eq + Hash> {
    shares: Arc<Shares<K>>,
    holder: K,
}

impl<K: Eq + Hash + Copy> Shares<K> {
    fn new(each: usize) -> Arc<Self> {
        let held = Mutex::default();
        Arc::new(Self { each, held })
    }

    fn take(self: &Arc<Self>, holder: K) -> Option<Share<K>> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.entry(holder).or_default();
        if *count >= self.each {
            return None;
        }
        *count += 1;
        let shares = self.clone();
        Some(Share { shares, holder })
    }
}

impl<K: Eq + Hash> Drop for Share<K> {
    fn drop(&mut self) {
        let mut held = self.shares.held.lock();
        let held = held.as_mut().unwrap_or_else(|poisoned| poisoned.get_mut());
        if let Some(count) = held.get_mut(&self.holder) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.holder);
            }
        }
    }
}

/// What counts as one address: an IPv4 address, or the network of 64 bits that an IPv6 host has to
/// itself and takes its addresses from as it likes.
pub fn allotment(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(places: &Arc<Places>, address: &str) -> Option<Place> {
        let permit = places.free.clone().try_acquire_owned().ok()?;
        places.take(permit, address.parse().unwrap())
    }

    #[test]
    fn one_address_gets_its_share_and_no_more_until_it_gives_back() {
        let exempt = ["10.0.0.1".parse().unwrap()].into_iter().collect();
        let places = Places::new(20, 3, exempt);
        let mut first: Vec<_> = (0..3)
            .map(|_| from(&places, "192.0.2.1").unwrap())
            .collect();
        assert!(from(&places, "192.0.2.1").is_none());
        assert!(from(&places, "::ffff:192.0.2.1").is_none());
        let other = from(&places, "192.0.2.2");
        first.pop();
        assert!(from(&places, "192.0.2.1").is_some());
        let many: Vec<_> = (0..10).map(|_| from(&places, "10.0.0.1")).collect();
        assert!(many.iter().all(Option::is_some));
        // A refused one has no place.
        assert_eq!(places.free.available_permits(), 20 - 2 - 1 - 10);
        drop((first, other, many));
        assert_eq!(places.free.available_permits(), 20);
        assert!(places.shares.held.lock().unwrap().is_empty());
    }

    #[test]
    fn one_address_never_gets_more_than_half() {
        let places = Places::new(10, 1000, Networks::default());
        let held: Vec<_> = (0..10).map(|_| from(&places, "192.0.2.1")).collect();
        assert_eq!(held.iter().flatten().count(), 5);
        assert!(from(&places, "192.0.2.2").is_some());
    }

    #[test]
    fn places_are_short_while_less_than_a_quarter_is_free() {
        let places = Places::new(8, 8, ["10.0.0.1".parse().unwrap()].into_iter().collect());
        let short = places.shortage();
        let mut held: Vec<_> = (0..6).map(|_| from(&places, "10.0.0.1")).collect();
        assert!(!*short.borrow());
        held.push(from(&places, "10.0.0.1"));
        assert!(*short.borrow());
        held.truncate(6);
        assert!(!*short.borrow());
    }

    #[test]
    fn an_ipv6_host_is_its_network() {
        let of = |text: &str| allotment(text.parse().unwrap()).to_string();
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(of("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(of("192.0.2.1"), "192.0.2.1");
    }
}
