//! Live pictures for browsers by WebRTC: viewers, their connections, and packets for them from a feed of
//! [`live_hub`](crate::services::live_hub). The only importer of `rtc` and `quinn_udp`.
//!
//! All viewers share one UDP port (and one TCP port, for networks that block UDP). We drive the core of
//! the `webrtc` crate ourselves, because its asynchronous layer opens a socket for every viewer.
//!
//! **Whom we send to.** An offer names addresses; they are thrown away unread. The coordinator never
//! looks for a viewer (ICE lite): it waits for a connectivity check that is sealed with the password
//! from its answer, and sends only to where such a check came from, after whoever is there has answered
//! one of ours. So no offer makes it send to an address of somebody's choice.
//!
//! Who may watch what, and how many at once, is decided in `services`; this is given a feed that may be
//! watched, and ends when it is told to.

mod feedback;
mod negotiation;
mod outgoing;
mod packets;
mod peer;
mod port;
mod tally;
mod tcp;
pub mod turn;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use data_encoding::BASE64_NOPAD;
use ring::rand::{SecureRandom as _, SystemRandom};
use shared::clock::Clock;
use shared::id::{UserId, ViewerId};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::negotiation::{Credentials, Reachable};
pub use self::negotiation::{MAX_OFFER, Offer, OfferError, Wanted};
pub use self::peer::End;
use self::peer::Peer;
use self::port::Port;
pub use self::tally::{Counted, Tally};
use crate::services::live_hub::Watch;
use crate::sockets;

/// Settings of the ports.
#[derive(Clone, Debug)]
pub struct Settings {
    /// UDP.
    pub listen: SocketAddr,
    pub tcp_listen: Option<SocketAddr>,
    /// Where viewers reach us; empty for whichever of this host's addresses leads to the viewer.
    pub public_addresses: Vec<IpAddr>,
    pub socket_buffer_bytes: usize,
    /// Viewers at once, and of one person.
    pub sessions: usize,
    pub sessions_per_person: usize,
}

/// All viewers. Cheap to clone.
#[derive(Clone)]
pub struct Viewers {
    shared: Arc<Shared>,
}

struct Shared {
    settings: Settings,
    port: Arc<Port>,
    tcp: Mutex<Option<TcpListener>>,
    tcp_address: Option<SocketAddr>,
    sessions: Mutex<HashMap<ViewerId, Session>>,
    tasks: TaskTracker,
    stopping: CancellationToken,
    tally: Arc<Tally>,
    random: SystemRandom,
    clock: Arc<dyn Clock>,
}

struct Session {
    holder: UserId,
    stop: CancellationToken,
}

/// A viewer who has been answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    pub viewer: ViewerId,
    /// SDP.
    pub answer: String,
}

/// Why there is no viewer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ViewerError {
    #[error(transparent)]
    Offer(#[from] OfferError),
    #[error("this person has {0} viewers already")]
    TooManyOwn(usize),
    #[error("there are {0} viewers already")]
    TooMany(usize),
    #[error("no random numbers could be had")]
    Random,
    #[error("the coordinator is stopping")]
    Stopping,
}

impl Viewers {
    /// Binds the ports.
    ///
    /// # Errors
    /// Which of the addresses could not be had.
    pub async fn bind(
        settings: Settings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, (&'static str, SocketAddr, io::Error)> {
        let udp = settings.listen;
        let port = Port::bind(udp, settings.socket_buffer_bytes);
        let port = port.map_err(|error| ("UDP", udp, error))?;
        let tcp = match settings.tcp_listen {
            None => None,
            Some(address) => {
                let bound = sockets::tcp(address).await;
                Some(bound.map_err(|error| ("TCP", address, error))?)
            }
        };
        let tcp_address = tcp.as_ref().and_then(|tcp| tcp.local_addr().ok());
        let shared = Shared {
            settings,
            port: Arc::new(port),
            tcp: Mutex::new(tcp),
            tcp_address,
            sessions: Mutex::default(),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            tally: Arc::default(),
            random: SystemRandom::new(),
            clock,
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// Serves the ports until `stop`, then ends every viewer.
    pub async fn run(&self, stop: CancellationToken) {
        let shared = &self.shared;
        let tcp = shared
            .tcp
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let serve_tcp = async {
            if let Some(listener) = tcp {
                tcp::run(listener, shared.port.clone(), stop.clone()).await;
            }
        };
        tokio::join!(shared.port.run(stop.clone()), serve_tcp);
        shared.stopping.cancel();
        shared.tasks.close();
        shared.tasks.wait().await;
    }

    /// Of the UDP port.
    pub fn address(&self) -> SocketAddr {
        self.shared.port.address()
    }

    /// Of the TCP port, where there is one.
    pub fn tcp_address(&self) -> Option<SocketAddr> {
        self.shared.tcp_address
    }

    pub fn tally(&self) -> &Arc<Tally> {
        &self.shared.tally
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.shared.sessions().len()
    }

    /// Answers an offer of `holder`, who comes from `address`, and sends from `watch` until the viewer
    /// or the feed has gone, [`Viewers::end`], or `over`, which is dropped then with all that it holds.
    ///
    /// # Errors
    /// The offer is no good, or there are too many viewers.
    pub fn open(
        &self,
        (holder, address): (UserId, IpAddr),
        offer: &Offer,
        wanted: Wanted,
        watch: Watch,
        over: impl Future<Output = ()> + Send + 'static,
    ) -> Result<Answered, ViewerError> {
        let shared = &self.shared;
        let viewer = ViewerId::new(shared.clock.wall());
        let credentials = shared.credentials()?;
        let stop = shared.admit(viewer, holder)?;
        // Gives the place back, whatever happens from here on.
        let place = Place(Arc::clone(shared), viewer);
        let reachable = shared.reachable(address);
        let now = std::time::Instant::now();
        let negotiated = offer.answer(now, wanted, &credentials, &reachable)?;
        let answer = negotiated.answer.clone();
        let registration = shared.port.register(credentials.ufrag);
        let tally = Arc::clone(&shared.tally);
        let port = Arc::clone(&shared.port);
        let mut peer = Peer::new(negotiated, port, registration, reachable, watch, tally);
        shared.tasks.spawn(async move {
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = over => {}
                end = peer.run() => tracing::debug!(?end, %viewer, "a viewer has gone"),
            }
            peer.close().await;
            drop((peer, place));
        });
        Ok(Answered { viewer, answer })
    }

    /// Whether the person has this viewer.
    pub fn has(&self, viewer: ViewerId, holder: UserId) -> bool {
        let sessions = self.shared.sessions();
        let found = sessions.get(&viewer);
        found.is_some_and(|found| found.holder == holder)
    }

    /// Ends a viewer of the person; `false` when there is none.
    pub fn end(&self, viewer: ViewerId, holder: UserId) -> bool {
        let sessions = self.shared.sessions();
        let found = sessions.get(&viewer);
        let found = found.filter(|found| found.holder == holder);
        if let Some(found) = found {
            found.stop.cancel();
        }
        found.is_some()
    }
}

impl Shared {
    fn sessions(&self) -> MutexGuard<'_, HashMap<ViewerId, Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nobody can guess them. The alphabet of ICE (RFC 8839 section 5.4) is that of Base64.
    fn credentials(&self) -> Result<Credentials, ViewerError> {
        let mut bytes = [0; 12 + 24];
        let filled = self.random.fill(&mut bytes);
        filled.map_err(|_| ViewerError::Random)?;
        let (ufrag, password) = bytes.split_at(12);
        Ok(Credentials {
            ufrag: BASE64_NOPAD.encode(ufrag),
            password: BASE64_NOPAD.encode(password),
        })
    }

    fn admit(&self, viewer: ViewerId, holder: UserId) -> Result<CancellationToken, ViewerError> {
        if self.stopping.is_cancelled() {
            return Err(ViewerError::Stopping);
        }
        let mut sessions = self.sessions();
        if sessions.len() >= self.settings.sessions {
            return Err(ViewerError::TooMany(sessions.len()));
        }
        let own = sessions.values();
        let own = own.filter(|session| session.holder == holder).count();
        if own >= self.settings.sessions_per_person {
            return Err(ViewerError::TooManyOwn(own));
        }
        let stop = self.stopping.child_token();
        let entry = Session {
            holder,
            stop: stop.clone(),
        };
        sessions.insert(viewer, entry);
        self.tally.viewers(sessions.len());
        Ok(stop)
    }

    /// Where somebody from `address` finds us.
    fn reachable(&self, address: IpAddr) -> Reachable {
        let udp = self.port.address();
        let own = match self.settings.public_addresses.as_slice() {
            [] if udp.ip().is_unspecified() => vec![towards(address)],
            [] => vec![udp.ip()],
            public => public.to_vec(),
        };
        let at = |port: u16| own.iter().map(move |ip| SocketAddr::new(*ip, port));
        Reachable {
            udp: at(udp.port()).collect(),
            tcp: self
                .tcp_address
                .map(|tcp| at(tcp.port()).collect())
                .unwrap_or_default(),
        }
    }
}

/// The address of this host that packets to `address` leave from. Nothing is sent.
fn towards(address: IpAddr) -> IpAddr {
    let address = address.to_canonical();
    let (any, lone): (IpAddr, IpAddr) = match address {
        IpAddr::V4(_) => (Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(_) => (Ipv6Addr::UNSPECIFIED.into(), Ipv6Addr::LOCALHOST.into()),
    };
    let route = || {
        let socket = UdpSocket::bind((any, 0))?;
        // Port 9 discards; connecting a UDP socket only looks up the route.
        socket.connect((address, 9))?;
        socket.local_addr()
    };
    route().map_or(lone, |route: SocketAddr| route.ip())
}

/// A viewer's place, given back when it is dropped.
struct Place(Arc<Shared>, ViewerId);

impl Drop for Place {
    fn drop(&mut self) {
        let Self(shared, viewer) = self;
        let mut sessions = shared.sessions();
        sessions.remove(viewer);
        shared.tally.viewers(sessions.len());
    }
}
