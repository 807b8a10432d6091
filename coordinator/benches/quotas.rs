//! Reservations of streams: `cargo bench -p cctv-coordinator --bench quotas`.
//!
//! Ten million operations in this process against a list of leases (`WALK=1000000` for fewer), then how
//! many reservations and releases there are in a second, in this process and on a real server, beside
//! what `redis-benchmark` gets from the same server for a script that does nothing and for ours.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cctv_coordinator::domain::quota::{
    AllAllowed, Allowed, Bound, Limits, Pool, Reservation, Tier, Usage,
};
use cctv_coordinator::services::quotas::counting::{Answer, Counting, WhenLost};
use cctv_coordinator::stores::quotas::Quotas;
use cctv_coordinator::stores::quotas::in_process::InProcess;
use cctv_coordinator::stores::quotas::valkey::Shared;
use cctv_coordinator::stores::valkey::{Server, Valkey};
use shared::clock::{SimulatedClock, SystemClock};
use shared::id::{CameraId, ReservationId, UserId};
use shared::time::WallTime;
use tokio::time::{MissedTickBehavior, interval, sleep};
use walk::Walk;

#[path = "../src/services/quotas/counting/walk.rs"]
mod walk;

const NOW: WallTime = WallTime::from_secs(1_800_000_000);
const TTL: Duration = Duration::from_secs(30);
/// Who asks at once, as `redis-benchmark` has it by default.
const CLIENTS: usize = 50;
/// Reservations, each with its release.
const PAIRS: usize = 100_000;

#[tokio::main]
async fn main() {
    // `cargo bench` gives its own options; there is nothing to choose.
    walk_long().await;
    let clock = Arc::new(SystemClock::new());
    let own: Arc<dyn Quotas> = Arc::new(InProcess::new(clock));
    measure("in this process", &own, PAIRS).await;
    pace("in this process, 10,000/s", &own).await;

    let process = Process::start().await;
    let valkey = process.client();
    valkey.connect().await.expect("a server");
    let shared: Arc<dyn Quotas> = Arc::new(Shared::new(valkey));
    let bare = process.benchmark(&["evalsha", &process.load("return 1"), "0"]);
    show("redis-benchmark, `return 1`", bare);
    let script = include_str!("../src/stores/quotas/leases.lua");
    let ours = process.benchmark(&ours(&process.load(script)));
    show("redis-benchmark, our script", ours);
    // What it reserved would stand in the way.
    process.tool("cli", &["flushall"]);
    let rate = measure("on the server", &shared, PAIRS / 2).await;
    eprintln!(
        "{:<34} {:>9.0} %",
        "of the bare script",
        100.0 * rate / bare
    );
    eprintln!(
        "{:<34} {:>9.0} %",
        "of ours by redis-benchmark",
        100.0 * rate / ours
    );
    pace("on the server, 10,000/s", &shared).await;
}

async fn walk_long() {
    let operations = std::env::var("WALK")
        .ok()
        .and_then(|text| text.parse().ok());
    let operations = operations.unwrap_or(10_000_000);
    let clock = Arc::new(SimulatedClock::new(NOW));
    let mut walk = Walk::new(NOW.as_millis().unsigned_abs(), clock.clone(), true);
    let fresh = |allowed| {
        let clock = clock.clone();
        Counting::new(allowed, None, WhenLost::Refuse, clock, Arc::default())
    };
    let mut coordinators = [fresh(walk.allowed())];
    let begun = Instant::now();
    for _ in 0..operations {
        if let Some(crashed) = walk.step(&coordinators).await {
            coordinators[crashed] = fresh(walk.allowed());
        }
    }
    let took = begun.elapsed().as_secs_f64();
    eprintln!("{:?}", walk.done);
    eprintln!("as the list has it, after every operation, for {took:.1} s");
}

fn reservation(number: usize) -> Reservation {
    let agencies = ["DUBAI_POLICE", "METRO", "BUS", "OTHER"];
    Reservation {
        id: ReservationId::new(NOW),
        pool: Pool {
            agency: agencies[number % agencies.len()].parse().expect("a code"),
            tier: Tier::Full,
        },
        camera: CameraId::new(NOW),
        holder: UserId::new(NOW),
    }
}

/// Never reached, however many wait for an answer.
const LIMITS: Limits = Limits {
    pool: 100_000,
    total: 100_000,
};

/// Reserves and gives back, as fast as it goes, with so many at once; operations per second.
async fn measure(what: &str, quotas: &Arc<dyn Quotas>, pairs: usize) -> f64 {
    let begun = Instant::now();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| tokio::spawn(pairs_of(quotas.clone(), client, pairs / CLIENTS)))
        .collect();
    let mut times = Vec::new();
    for client in clients {
        times.extend(client.await.expect("a client"));
    }
    let rate = times.len() as f64 / begun.elapsed().as_secs_f64();
    show(what, rate);
    show_times(times);
    rate
}

async fn pairs_of(quotas: Arc<dyn Quotas>, client: usize, pairs: usize) -> Vec<Duration> {
    let mut times = Vec::with_capacity(2 * pairs);
    for _ in 0..pairs {
        pair(&*quotas, client, &mut times).await;
    }
    times
}

async fn pair(quotas: &dyn Quotas, client: usize, times: &mut Vec<Duration>) {
    let wanted = reservation(client);
    let begun = Instant::now();
    let verdict = quotas.reserve(&wanted, TTL, LIMITS).await;
    times.push(begun.elapsed());
    verdict.expect("a server that answers");
    let begun = Instant::now();
    let lived = quotas.release(&wanted).await;
    times.push(begun.elapsed());
    assert!(lived.expect("a server that answers"), "it was granted");
}

/// 10,000 operations a second for ten seconds, fifty every five milliseconds.
async fn pace(what: &str, quotas: &Arc<dyn Quotas>) {
    let mut ticks = interval(Duration::from_millis(5));
    // What is late is made up for, so that a slow answer shows as many.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut running = Vec::new();
    let begun = Instant::now();
    for _ in 0..2_000 {
        ticks.tick().await;
        for client in 0..25 {
            running.push(tokio::spawn(pairs_of(quotas.clone(), client, 1)));
        }
    }
    let mut times = Vec::new();
    for pair in running {
        times.extend(pair.await.expect("a client"));
    }
    show(what, times.len() as f64 / begun.elapsed().as_secs_f64());
    show_times(times);
}

fn show(what: &str, per_second: f64) {
    eprintln!("{what:<34} {per_second:>9.0} /s");
}

fn show_times(mut times: Vec<Duration>) {
    times.sort();
    let at = |share: usize| times[(times.len() - 1) * share / 1_000].as_secs_f64() * 1e3;
    let (middle, high, most) = (at(500), at(990), at(1_000));
    eprintln!(
        "{:<34} p50 {middle:.3} ms, p99 {high:.3} ms, most {most:.3} ms",
        ""
    );
}

/// The arguments that reserve; of a thousand ids.
fn ours(sha: &str) -> Vec<&str> {
    let keys = [
        "{cctv:quota}:leases",
        "{cctv:quota}:pool:full:METRO",
        "{cctv:quota}:tier:full",
        "{cctv:quota}:tier:reduced",
    ];
    let mut call = vec!["evalsha", sha, "4"];
    call.extend(keys);
    call.extend([
        "",
        "reserve",
        "__rand_int__",
        "full METRO x y",
        "1000000",
        "100000",
        "100000",
    ]);
    call
}

/// A server of its own, without a password, on loopback.
struct Process {
    child: Child,
    port: String,
    directory: tempfile::TempDir,
}

impl Process {
    async fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("its address").port().to_string();
        drop(free);
        let program = ["valkey-server", "redis-server"]
            .into_iter()
            .find(|program| Command::new(program).arg("--version").output().is_ok())
            .expect("valkey-server or redis-server: packaging/build/debian-packages.sh test");
        let child = Command::new(program)
            .args(["--bind", "127.0.0.1", "--port", &port, "--save", ""])
            .args(["--appendonly", "no", "--dir"])
            .arg(directory.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("a server that starts");
        let process = Self {
            child,
            port,
            directory,
        };
        let client = process.client();
        let deadline = Instant::now() + Duration::from_secs(20);
        while let Err(error) = client.connect().await {
            assert!(Instant::now() < deadline, "{error}");
            sleep(Duration::from_millis(20)).await;
        }
        process
    }

    fn client(&self) -> Arc<Valkey> {
        let server = Server {
            url: format!("redis://127.0.0.1:{}", self.port).into(),
            name: "loopback".to_owned(),
            authority: None,
            patience: Duration::from_secs(10),
        };
        Arc::new(Valkey::new(server).expect("an address"))
    }

    fn load(&self, script: &str) -> String {
        let said = self.tool("cli", &["script", "load", script]);
        said.trim().to_owned()
    }

    /// Calls per second.
    fn benchmark(&self, call: &[&str]) -> f64 {
        let clients = CLIENTS.to_string();
        let requests = (2 * PAIRS).to_string();
        let mut arguments = vec!["-c", &clients, "-n", &requests, "-r", "1000", "--csv"];
        arguments.extend(call);
        let said = self.tool("benchmark", &arguments);
        let last = said.lines().last().expect("a line");
        let rate = last.rsplit("\",\"").nth(6).expect("the rate of calls");
        rate.trim_matches('"').parse().expect("a number")
    }

    fn tool(&self, name: &str, arguments: &[&str]) -> String {
        let run = |family: &str| {
            Command::new(format!("{family}-{name}"))
                .args(["-h", "127.0.0.1", "-p", &self.port])
                .args(arguments)
                .current_dir(self.directory.path())
                .output()
        };
        let output = run("valkey")
            .or_else(|_| run("redis"))
            .expect("the tools of the server");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
