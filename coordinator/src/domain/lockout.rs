//! How long one waits after wrong passwords and codes: nothing for the first few, then a second,
//! doubling up to a quarter of an hour.
//!
//! Attempts are counted for the login *and* for the address they come from, and the longer wait
//! counts: one login guessed from everywhere is slowed down, and so is one address that tries every
//! login. A login that nobody has is counted like any other, so that the answers do not tell which
//! exist.
//!
//! Nobody locks a colleague out: where the account has signed in lately, its attempts have a count
//! of their own ([`Counted::LoginAt`]) and no other, which neither strangers elsewhere nor other
//! logins at the same address can raise. Whoever shares an address with the account can tell by that
//! that it exists, which colleagues know. The alternative, to
//! let a right password through whatever the count, would let the guesser go on guessing at full
//! speed and see the right one by its answer. From a place that is new to the account the wait is a
//! quarter of an hour at most, and an administrator can end it.
//!
//! An attempt is counted before the password is looked at and forgiven when it was right, so that
//! many at once get no more guesses than one after the other.

use std::net::IpAddr;
use std::time::Duration;

use shared::hash::Sha256;
use shared::time::WallTime;

use super::login::Login;

/// The longest wait.
pub const LONGEST: Duration = Duration::from_secs(15 * 60);

/// Counts kept at most; of more, the smallest and oldest are forgotten.
pub const MAX_KEPT: u32 = 100_000;

/// What attempts are counted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted<'a> {
    /// The login, as it looks ([`Login::skeleton`]), wherever it is tried.
    Login(&'a Login),
    /// The login at an address where it has signed in lately, instead of [`Counted::Login`].
    LoginAt(&'a Login, IpAddr),
    /// An address, whatever is tried from there.
    Address(IpAddr),
}

impl Counted<'_> {
    /// What it is kept under. A hash, because people type their password where the login belongs.
    pub fn key(&self) -> Key {
        let (kind, text) = match self {
            Self::Login(login) => (Kind::Login, login.skeleton()),
            Self::LoginAt(login, address) => {
                let network = network(*address);
                (Kind::LoginAt, format!("{network} {}", login.skeleton()))
            }
            Self::Address(address) => (Kind::Address, network(*address).to_string()),
        };
        let hash = Sha256::of(format!("{} {text}", kind.name()).as_bytes());
        Key { kind, hash }
    }
}

/// How many networks are remembered of an account.
pub const MAX_PLACES: u32 = 16;
/// How long an account is known at a network after it has signed in there.
pub const PLACE_KNOWN: Duration = Duration::from_secs(30 * 24 * 3600);

/// An address, or of IPv6 the network of one customer: whoever has one address there has 2⁶⁴.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = address.to_bits() & !u128::from(u64::MAX);
            IpAddr::V6(network.into())
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Login,
    LoginAt,
    Address,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::LoginAt => "login_at",
            Self::Address => "address",
        }
    }

    /// Attempts without a wait. Many people may share an address.
    const fn free(self) -> u32 {
        match self {
            Self::Login | Self::LoginAt => 5,
            Self::Address => 20,
        }
    }

    /// One attempt is forgotten in this time.
    const fn forgets(self) -> Duration {
        match self {
            Self::Login | Self::LoginAt => Duration::from_secs(3600),
            Self::Address => Duration::from_secs(600),
        }
    }

    /// Counting stops where the wait grows no more.
    const fn ceiling(self) -> u32 {
        self.free() + 11
    }
}

/// A count's name in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    pub kind: Kind,
    pub hash: Sha256,
}

/// Attempts so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failures {
    pub count: u32,
    pub last: WallTime,
}

/// The longest time after which any count is nothing: what is older can be removed.
pub const FORGOTTEN: Duration = Duration::from_secs(16 * 3600);

impl Failures {
    pub const fn none(now: WallTime) -> Self {
        Self {
            count: 0,
            last: now,
        }
    }

    /// How long until the next attempt is looked at; `None` when it may be now.
    pub fn wait(&self, kind: Kind, now: WallTime) -> Option<Duration> {
        let wait = delay(kind, self.remembered(kind, now)).checked_sub(self.age(now))?;
        (!wait.is_zero()).then_some(wait)
    }

    /// The same with one attempt more.
    #[must_use]
    pub fn attempted(&self, kind: Kind, now: WallTime) -> Self {
        Self {
            count: (self.remembered(kind, now) + 1).min(kind.ceiling()),
            last: now,
        }
    }

    /// The same with an attempt taken back that turned out right. `None` when nothing is left.
    pub fn forgiven(&self, kind: Kind) -> Option<Self> {
        let count = match kind {
            // Whoever owns an account could otherwise clear the count of an address with it.
            Kind::Address => self.count.saturating_sub(1),
            Kind::Login | Kind::LoginAt => 0,
        };
        (count > 0).then_some(Self { count, ..*self })
    }

    /// What time has left of the count.
    fn remembered(&self, kind: Kind, now: WallTime) -> u32 {
        let forgotten = self.age(now).as_secs() / kind.forgets().as_secs();
        self.count
            .saturating_sub(u32::try_from(forgotten).unwrap_or(u32::MAX))
    }

    /// Time since the last attempt. A clock that was set back makes it lie ahead; it counts as if it
    /// lay as far behind, so that the wait is never longer than twice the longest.
    fn age(&self, now: WallTime) -> Duration {
        Duration::from_micros(now.micros_since(self.last).unsigned_abs())
    }
}

fn delay(kind: Kind, count: u32) -> Duration {
    match count.checked_sub(kind.free()) {
        None => Duration::ZERO,
        Some(beyond) => Duration::from_secs(1 << beyond.min(16)).min(LONGEST),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: WallTime = WallTime::from_secs(1_800_000_000);

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn kinds() -> impl Strategy<Value = Kind> {
        prop_oneof![Just(Kind::Login), Just(Kind::LoginAt), Just(Kind::Address)]
    }

    #[test]
    fn five_wrong_passwords_are_free_and_then_the_wait_doubles() {
        let mut failures = Failures::none(NOW);
        let mut now = NOW;
        let mut waits = Vec::new();
        for _ in 0..18 {
            failures = failures.attempted(Kind::Login, now);
            let wait = failures.wait(Kind::Login, now);
            now = now + wait.unwrap_or_default();
            waits.push(wait.map_or(0, |wait| wait.as_secs()));
        }
        // A quarter of an hour is where an attempt each is forgotten after four of them.
        let expected = [
            0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900, 900,
        ];
        assert_eq!(waits, expected);
        assert_eq!(failures.forgiven(Kind::Login), None);
        assert_eq!(failures.wait(Kind::Login, now + FORGOTTEN), None);
        assert_eq!(failures.remembered(Kind::Login, now + FORGOTTEN), 0);
    }

    #[test]
    fn counts_are_of_what_looks_the_same() {
        let key = |login: &str| Counted::Login(&Login::new(login).unwrap()).key();
        assert_eq!(key(" Admin"), key("\u{430}dmin"));
        assert_ne!(key("admin"), key("layla"));
        let address = |text: &str| Counted::Address(text.parse().unwrap()).key();
        assert_eq!(address("2001:db8::1"), address("2001:db8::ffff:1:2:3"));
        assert_ne!(address("2001:db8::1"), address("2001:db8:0:1::1"));
        assert_eq!(address("::ffff:192.0.2.1"), address("192.0.2.1"));
        assert_ne!(address("192.0.2.1"), address("192.0.2.2"));
        let login = Login::new("admin").unwrap();
        let at = Counted::LoginAt(&login, "192.0.2.1".parse().unwrap()).key();
        assert_ne!(at.hash, key("admin").hash);
    }

    proptest! {
        /// However the clock is set, nobody waits longer than twice the longest wait.
        #[test]
        fn a_wait_always_ends(
            kind in kinds(),
            steps in prop::collection::vec(-100_000_i64..100_000, 1..60),
        ) {
            let mut now = NOW;
            let mut failures = Failures::none(NOW);
            for step in steps {
                now = now.offset_micros(step * 1_000_000);
                let wait = failures.wait(kind, now);
                prop_assert!(wait.is_none_or(|wait| wait <= LONGEST));
                if wait.is_none() {
                    failures = failures.attempted(kind, now);
                }
                let end = failures.last.max(now) + LONGEST;
                prop_assert_eq!(failures.wait(kind, end), None);
                prop_assert!(end.saturating_duration_since(now) <= seconds(100_000 * 60) + LONGEST);
            }
        }

        /// A guesser who never stops gets a bounded number of guesses however they are spread.
        #[test]
        fn guessing_is_slow(kind in kinds(), gaps in prop::collection::vec(0_u64..1200, 1..400)) {
            let mut now = NOW;
            let mut failures = Failures::none(NOW);
            let mut guesses = 0_u64;
            for gap in gaps {
                now = now + seconds(gap);
                if failures.wait(kind, now).is_none() {
                    failures = failures.attempted(kind, now);
                    guesses += 1;
                }
            }
            let elapsed = now.saturating_duration_since(NOW).as_secs();
            // The free ones, those while the wait grows, and what is forgotten or waited out since.
            let allowed = u64::from(kind.ceiling()) + elapsed / kind.forgets().as_secs() + elapsed / 480;
            prop_assert!(guesses <= allowed, "{} in {} s", guesses, elapsed);
            prop_assert!(failures.count <= kind.ceiling());
        }
    }
}
