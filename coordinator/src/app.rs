//! Assembly: which part gets what, what is opened in which order, and how it all ends. Nothing else
//! belongs here.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use secrecy::{ExposeSecret as _, SecretString};
use shared::clock::{Clock, SystemClock};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::ca::{self, Authority};
use crate::config::{self, Config};
use crate::domain::iam_event::Webhook;
use crate::domain::rate::Rate;
use crate::http::certificate::{Certificate, Files};
use crate::http::places::{Places, Sockets};
use crate::http::serve::{Patience, Server};
use crate::http::{self, Api};
use crate::metrics::{Meters, Metrics};
use crate::quic::{self, Sessions};
use crate::services::limits::{Allowances, Limits};
use crate::services::quotas::counting::WhenLost;
use crate::services::users::FirstAdministrator;
use crate::services::{
    ConsoleServices, Figures, QuotaSettings, Services, ServicesConfig, TokenNames,
};
use crate::stores::valkey::{self, Valkey};
use crate::webrtc::turn::Relays;
use crate::webrtc::{self, Viewers};

/// Where the first administrator's password is kept until somebody deletes it.
pub const FIRST_PASSWORD_FILE: &str = "first-password.txt";

/// The catalogue's file; `stores` opens it.
const CATALOGUE: &str = "coordinator.sqlite";

/// WebSockets that one person may have open: a page in each tab of a few workplaces.
const SOCKETS_EACH: usize = 64;

/// How often it is looked whether the coordinator's own certificate is to be renewed.
const RENEWAL_CHECK: Duration = Duration::from_secs(3600);

/// A coordinator that listens and does not serve yet. Tests start the same thing as `main`.
pub struct Coordinator {
    services: Arc<Services>,
    authority: Arc<Authority>,
    clock: Arc<dyn Clock>,
    agents: quic::Listener,
    agents_context: Arc<quic::Context>,
    agent_address: SocketAddr,
    tunnel_address: Option<SocketAddr>,
    http: Server,
    http_address: SocketAddr,
    certificate: Option<Arc<Certificate>>,
    viewers: Viewers,
    reload: Arc<Notify>,
    api: Arc<Api>,
    first: Option<FirstAdministrator>,
}

impl Coordinator {
    /// Opens everything and binds the sockets, so that the addresses are known.
    ///
    /// # Errors
    /// What could not be opened, and what to do about it.
    pub async fn load(config: Config, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let authority = Arc::new(open_authority(&config, clock.wall())?);
        let meters = Meters::default();
        let sessions = Arc::new(Sessions::new(meters.clone(), clock.clone()));
        let settings = services_config(&config)?;
        let services = Services::open(&settings, clock.clone(), sessions.clone()).await?;
        let services = Arc::new(services);
        services.audit.settings_loaded(&flat(&config)?).await?;
        let agents = quic::Listener::bind(&config.agents, &authority, meters.clone()).await?;
        let agent_address = agents.address()?;
        let tunnel_address = agents.tunnel_address()?;
        let agents_context = Arc::new(quic::Context {
            services: services.clone(),
            authority: authority.clone(),
            sessions,
            meters: meters.clone(),
            clock: clock.clone(),
            handshake_timeout: seconds(config.agents.handshake_timeout_seconds.get()),
            heartbeat_interval: Duration::from_millis(config.agents.heartbeat_ms.get()),
        });
        let certificate = load_certificate(&config.http)?;
        let http = bind_http(&config.http, certificate.clone(), meters.clone()).await?;
        let http_address = http.listener.local_addr()?;
        let viewers = bind_viewers(&config.live, clock.clone()).await?;
        let relays = relays(&config.live.relays).context("`[live.relays]` in the settings")?;
        // After everything that can fail, so that the password is not made and then not shown.
        let first = services.users.bootstrap().await?;
        if let Some(first) = &first {
            keep_password(&config.data_dir, first)?;
        }
        let limits = limits(&config, clock.clone(), services.figures.clone())?;
        let api = Arc::new(Api {
            limits: Arc::new(limits),
            metrics: Metrics::new(&meters, services.figures.clone(), viewers.tally().clone()),
            meters,
            services: services.clone(),
            authority: authority.clone(),
            clock: clock.clone(),
            agent_address: config.agents.advertised(agent_address),
            ui_dir: config.http.ui_dir.clone(),
            metrics_from: config.http.metrics_from.clone(),
            trusted_proxies: config.http.trusted_proxies.clone(),
            allowed_origins: config.http.allowed_origins.clone().into(),
            secure: config.http.secure_cookies || http.tls.is_some(),
            request_timeout: seconds(config.http.request_timeout_seconds.get()),
            sockets: Sockets::new(config.http.max_connections.as_usize(), SOCKETS_EACH),
            viewers: viewers.clone(),
            live_sockets: Sockets::new(
                config.live.max_viewers.as_usize(),
                config.live.max_viewers_per_person.as_usize(),
            ),
            relays,
            stopping: CancellationToken::new(),
        });
        Ok(Self {
            services,
            authority,
            clock,
            agents,
            agents_context,
            agent_address,
            tunnel_address,
            http,
            http_address,
            certificate,
            viewers,
            reload: Arc::default(),
            api,
            first,
        })
    }

    /// Serves until `stop`, then ends in order: no new work, open requests and streams, goodbye.
    ///
    /// # Errors
    /// A part ended by itself, which none should.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let stop = stop.child_token();
        let stopping = self.api.stopping.clone();
        let mut parts = JoinSet::new();
        let services = self.services.clone();
        let housekeeping = stop.clone();
        parts.spawn(async move { services.run(housekeeping).await });
        if let Some(certificate) = self.certificate {
            let (meters, clock) = (self.api.meters.clone(), self.clock.clone());
            parts.spawn(certificate.watch(self.reload, meters, clock, stop.clone()));
        }
        let (limits, counting) = (self.api.limits.clone(), stop.clone());
        parts.spawn(async move { limits.run(counting).await });
        let (viewers, until) = (self.viewers, stop.clone());
        parts.spawn(async move { viewers.run(until).await });
        parts.spawn(renew(self.authority, self.clock, stop.clone()));
        parts.spawn(self.agents.run(self.agents_context, stop.clone()));
        parts.spawn(self.http.run(http::router(self.api), stop.clone()));
        let ended = tokio::select! {
            // A part that ends because of `stop` did not end by itself.
            biased;
            () = stop.cancelled() => None,
            ended = parts.join_next() => ended,
        };
        stopping.cancel();
        stop.cancel();
        while let Some(ended) = parts.join_next().await {
            ended.context("a part of the coordinator panicked while it ended")?;
        }
        match ended {
            None => Ok(()),
            Some(Ok(())) => bail!("a part of the coordinator ended by itself; see the log"),
            Some(Err(error)) => Err(error).context("a part of the coordinator panicked"),
        }
    }

    /// The API and the pages without their socket.
    pub fn router(&self) -> axum::Router {
        http::router(self.api.clone())
    }

    /// Of the API and the pages.
    pub const fn http_address(&self) -> SocketAddr {
        self.http_address
    }

    /// UDP, for agents.
    pub const fn agent_address(&self) -> SocketAddr {
        self.agent_address
    }

    /// TCP, for agents where UDP is blocked.
    pub const fn tunnel_address(&self) -> Option<SocketAddr> {
        self.tunnel_address
    }

    /// UDP, for live pictures.
    pub fn viewer_address(&self) -> SocketAddr {
        self.viewers.address()
    }

    /// Whether browsers talk TLS to us directly.
    pub const fn has_tls(&self) -> bool {
        self.http.tls.is_some()
    }

    /// Notified by whoever wants the certificate for browsers read again now.
    pub const fn reload(&self) -> &Arc<Notify> {
        &self.reload
    }

    /// Set when this is the first start.
    pub const fn first_administrator(&self) -> Option<&FirstAdministrator> {
        self.first.as_ref()
    }

    pub const fn services(&self) -> &Arc<Services> {
        &self.services
    }
}

/// The services for a command at the host's console, beside a coordinator that may be running.
pub struct Console {
    pub services: ConsoleServices,
    pub authority: Authority,
}

impl Console {
    /// Runs `command` to its end.
    ///
    /// # Errors
    /// The coordinator has never been started, or the command's own.
    pub fn block_on<T>(
        config: &Config,
        command: impl AsyncFnOnce(Self) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async { command(Self::open(config).await?).await })
    }

    async fn open(config: &Config) -> anyhow::Result<Self> {
        let data_dir = &config.data_dir;
        if !Authority::exists(data_dir) || !data_dir.join(CATALOGUE).exists() {
            // Creating them here would leave them to the wrong user.
            bail!(
                "there is no coordinator in {}; start it once first, or name its settings with --config",
                data_dir.display()
            );
        }
        let clock = Arc::new(SystemClock::new());
        let authority = Authority::open(data_dir, &config.agents.names, clock.wall())?;
        // Nobody is connected to this process.
        let sessions = Arc::new(Sessions::new(Meters::default(), clock.clone()));
        let services = ConsoleServices::open(data_dir, clock, sessions).await?;
        Ok(Self {
            services,
            authority,
        })
    }
}

fn services_config(config: &Config) -> anyhow::Result<ServicesConfig> {
    Ok(ServicesConfig {
        uploads_per_agent: config.storage.max_uploads_per_agent.as_usize(),
        uploads_total: config.storage.max_uploads.as_usize(),
        reserve_bytes: config.storage.reserve_bytes.get(),
        edge_cache_bytes: config.storage.edge_cache_bytes.as_usize(),
        tokens: TokenNames {
            issuer: config.identity.issuer.as_str().to_owned(),
            audience: config.identity.audience.as_str().to_owned(),
        },
        webhook: webhook(&config.identity.webhook)
            .context("`[identity.webhook]` in the settings")?,
        identity: config.identity.clone(),
        quotas: quotas(config)?,
        ..ServicesConfig::new(&config.data_dir)
    })
}

fn quotas(config: &Config) -> anyhow::Result<QuotaSettings> {
    let settings = &config.quotas;
    // A connection of its own: that it breaks is how it is noticed that the server has started anew
    // and has to be told what runs.
    let server = match settings.store {
        config::QuotaStore::InProcess => None,
        config::QuotaStore::Auto | config::QuotaStore::Valkey => {
            valkey(&config.valkey).context("`[valkey]` in the settings")?
        }
    };
    if settings.store == config::QuotaStore::Valkey && server.is_none() {
        bail!(
            "`store` of `[quotas]` in the settings is \"valkey\", and `url` of `[valkey]` names no server; \
             name one, or set `store` to \"in_process\""
        );
    }
    Ok(QuotaSettings {
        server,
        when_lost: match settings.when_lost {
            config::WhenLost::Refuse => WhenLost::Refuse,
            config::WhenLost::CountOwn => WhenLost::CountOwn,
        },
        lease: seconds(settings.lease_seconds.get()),
    })
}

fn webhook(config: &config::Webhook) -> anyhow::Result<Option<Webhook>> {
    let path = &config.secret_file;
    if path.as_os_str().is_empty() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(path).map(SecretString::from);
    let text = text.with_context(|| format!("reading {}", path.display()))?;
    let lines = text.expose_secret().lines().map(str::trim);
    let secrets: Vec<_> = lines
        .filter(|line| !line.is_empty())
        .map(SecretString::from)
        .collect();
    let window = seconds(config.window_seconds.get());
    let webhook = Webhook::new(&secrets, window);
    Ok(Some(webhook.with_context(|| path.display().to_string())?))
}

/// A new authority only for a new coordinator: a second one would shut out every enrolled agent.
fn open_authority(config: &Config, now: shared::time::WallTime) -> anyhow::Result<Authority> {
    let data_dir = &config.data_dir;
    if !Authority::exists(data_dir) && data_dir.join(CATALOGUE).exists() {
        bail!(
            "{} is missing beside the catalogue; restore it from a backup, or move the catalogue away to \
             start anew and enrol every agent again",
            data_dir.join(ca::FILE).display()
        );
    }
    Ok(Authority::open(data_dir, &config.agents.names, now)?)
}

fn keep_password(data_dir: &Path, first: &FirstAdministrator) -> anyhow::Result<()> {
    let path = data_dir.join(FIRST_PASSWORD_FILE);
    let text = format!("{}\n", first.password.expose_secret());
    ca::write_secret(&path, text.as_bytes()).with_context(|| format!("writing {}", path.display()))
}

fn limits(config: &Config, clock: Arc<dyn Clock>, figures: Arc<Figures>) -> anyhow::Result<Limits> {
    let rate = |allowance: config::Allowance| {
        let number = |bounded: usize| u32::try_from(bounded).unwrap_or(u32::MAX);
        let (per_second, burst) = (allowance.per_second.as_usize(), allowance.burst.as_usize());
        Rate::per_second(number(per_second), number(burst))
    };
    let limits = &config.limits;
    let allowances = Allowances {
        user: rate(limits.user),
        agency: rate(limits.agency),
        address: rate(limits.address),
        media: rate(limits.media),
    };
    let server = valkey(&config.valkey).context("`[valkey]` in the settings")?;
    Ok(Limits::new(allowances, server, clock, figures))
}

fn valkey(config: &config::Valkey) -> anyhow::Result<Option<Arc<Valkey>>> {
    let Some(url) = config.url.secret() else {
        return Ok(None);
    };
    let authority = &config.authority;
    let authority = (!authority.as_os_str().is_empty())
        .then(|| std::fs::read(authority))
        .transpose()
        .with_context(|| format!("reading {}", authority.display()))?;
    let server = valkey::Server {
        url: url.clone(),
        name: config.url.to_string(),
        authority,
        patience: Duration::from_millis(config.timeout_ms.get()),
    };
    Ok(Some(Arc::new(Valkey::new(server)?)))
}

fn load_certificate(config: &config::Http) -> anyhow::Result<Option<Arc<Certificate>>> {
    let load = |(certificate, key): &(PathBuf, PathBuf)| {
        let (certificate, key) = (certificate.clone(), key.clone());
        Certificate::load(Files { certificate, key })
    };
    let loaded = config.tls.files().map(load).transpose();
    loaded.context("loading the certificate for browsers, `[http.tls]` in the settings")
}

async fn bind_viewers(config: &config::Live, clock: Arc<dyn Clock>) -> anyhow::Result<Viewers> {
    let settings = webrtc::Settings {
        listen: config.listen,
        tcp_listen: config.tcp_listen.address(config.listen),
        public_addresses: config.public_addresses.clone(),
        socket_buffer_bytes: config.socket_buffer_bytes.as_usize(),
        sessions: config.max_viewers.as_usize(),
        sessions_per_person: config.max_viewers_per_person.as_usize(),
    };
    let bound = Viewers::bind(settings, clock).await;
    bound.map_err(|(protocol, address, error)| {
        anyhow::Error::new(error).context(format!(
            "cannot listen for viewers of live pictures on {protocol} {address}; is another program using \
             it? See `[live]` in the settings"
        ))
    })
}

fn relays(config: &config::Relays) -> anyhow::Result<Relays> {
    let path = &config.secret_file;
    let secret = (!path.as_os_str().is_empty())
        .then(|| std::fs::read_to_string(path))
        .transpose()
        .with_context(|| format!("reading {}", path.display()))?;
    Ok(Relays {
        urls: config.urls.iter().map(ToString::to_string).collect(),
        secret: secret.map(|secret| SecretString::from(secret.trim())),
        lifetime: seconds(config.credentials_seconds.get()),
    })
}

async fn bind_http(
    config: &config::Http,
    certificate: Option<Arc<Certificate>>,
    meters: Meters,
) -> anyhow::Result<Server> {
    let listener = TcpListener::bind(config.listen).await.with_context(|| {
        format!(
            "cannot listen for browsers on TCP {}; is another program using it?",
            config.listen
        )
    })?;
    Ok(Server {
        listener,
        tls: certificate.map(browser_tls).transpose()?,
        places: Places::new(
            config.max_connections.as_usize(),
            config.max_connections_per_address.as_usize(),
            config.trusted_proxies.clone(),
        ),
        patience: Patience::default(),
        meters,
    })
}

fn browser_tls(certificate: Arc<Certificate>) -> anyhow::Result<TlsAcceptor> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(certificate);
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(tls)))
}

/// Keeps the coordinator's own certificate fresh.
async fn renew(authority: Arc<Authority>, clock: Arc<dyn Clock>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(RENEWAL_CHECK);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        match authority.renew_if_due(clock.wall()) {
            Ok(true) => tracing::info!("the coordinator's certificate was renewed"),
            Ok(false) => {}
            Err(error) => {
                tracing::error!(%error, "the coordinator's certificate could not be renewed")
            }
        }
    }
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Every setting by its name in the file, such as `http.listen`.
fn flat(config: &Config) -> anyhow::Result<BTreeMap<String, String>> {
    fn walk(path: &str, value: &toml::Value, into: &mut BTreeMap<String, String>) {
        match value {
            toml::Value::Table(table) => table.iter().for_each(|(key, value)| {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                walk(&path, value, into);
            }),
            value => {
                into.insert(path.to_owned(), value.to_string());
            }
        }
    }
    let mut settings = BTreeMap::new();
    walk("", &toml::Value::try_from(config)?, &mut settings);
    Ok(settings)
}
