//! A bad network between one viewer and the coordinator: loses what it is told to.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

pub(crate) struct Relay {
    address: SocketAddr,
    line: Arc<Line>,
    tasks: [JoinHandle<()>; 2],
}

#[derive(Default)]
struct Line {
    cut: AtomicBool,
    /// Towards the viewer: one of so many is lost, if it is media.
    one_in: AtomicU64,
    passed: AtomicU64,
}

impl Relay {
    pub(crate) async fn to(coordinator: SocketAddr) -> Self {
        let bind = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
        let (front, back) = (
            Arc::new(bind().await.unwrap()),
            Arc::new(bind().await.unwrap()),
        );
        back.connect(coordinator).await.unwrap();
        let address = front.local_addr().unwrap();
        let line = Arc::<Line>::default();
        let (viewer_sender, viewer) = tokio::sync::watch::channel(None);
        let up = tokio::spawn({
            let (front, back, line) = (front.clone(), back.clone(), line.clone());
            async move {
                let mut buffer = [0; 2_048];
                while let Ok((length, from)) = front.recv_from(&mut buffer).await {
                    viewer_sender.send_replace(Some(from));
                    if !line.cut.load(Ordering::Relaxed) {
                        let _ = back.send(&buffer[..length]).await;
                    }
                }
            }
        });
        let down = tokio::spawn({
            let line = line.clone();
            async move {
                let mut buffer = [0; 2_048];
                loop {
                    // News of a coordinator that has gone are no reason to stop.
                    let Ok(length) = back.recv(&mut buffer).await else {
                        continue;
                    };
                    let Some(to) = *viewer.borrow() else { continue };
                    if line.passes(&buffer[..length]) {
                        let _ = front.send_to(&buffer[..length], to).await;
                    }
                }
            }
        });
        Self {
            address,
            line,
            tasks: [up, down],
        }
    }

    /// An answer in which the coordinator is here.
    pub(crate) fn instead(&self, answer: &str, coordinator: SocketAddr) -> String {
        let theirs = format!(" {} {} typ", coordinator.ip(), coordinator.port());
        let ours = format!(" {} {} typ", self.address.ip(), self.address.port());
        assert!(answer.contains(&theirs), "{answer}");
        answer.replace(&theirs, &ours)
    }

    pub(crate) fn lose_one_in(&self, count: u64) {
        self.line.one_in.store(count, Ordering::Relaxed);
    }

    pub(crate) fn cut(&self) {
        self.line.cut.store(true, Ordering::Relaxed);
    }
}

impl Line {
    fn passes(&self, datagram: &[u8]) -> bool {
        if self.cut.load(Ordering::Relaxed) {
            return false;
        }
        let one_in = self.one_in.load(Ordering::Relaxed);
        let media = datagram
            .first()
            .is_some_and(|first| (128..192).contains(first));
        if one_in == 0 || !media {
            return true;
        }
        self.passed.fetch_add(1, Ordering::Relaxed) % one_in != one_in - 1
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}
