//! The page for the installer: is every camera recorded, is the disk well, does the centre hear of
//! it. Needs no coordinator and no internet.
//!
//! `/` is HTML in English and Arabic, `/api/status` the same as JSON, `/metrics` for Prometheus.
//! What it says is in [`report`], the words in `text`, the looks in `html` and `page.css`. It shows
//! names, addresses of nobody, and no secret.

mod html;
pub mod report;
mod text;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use shared::clock::Clock;
use shared::time::WallTime;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::report::Report;
use self::text::Language;
use crate::buffer::Buffer;
use crate::metrics::Metrics;
use crate::supervisor::Site;
use crate::uplink::status::Status;

/// What the page is made from.
#[derive(Clone, Debug)]
pub struct Page {
    site: Arc<Site>,
    buffer: Buffer,
    uplink: watch::Receiver<Status>,
    metrics: Metrics,
    clock: Arc<dyn Clock>,
    started: WallTime,
    /// The last report and when it was made.
    fresh: Arc<Mutex<Option<Made>>>,
}

type Made = (Instant, Arc<Report>);

/// Whoever asks more often gets the same report: asking must not cost the recorder anything.
const FRESH: Duration = Duration::from_millis(250);

impl Page {
    pub(crate) fn new(
        site: Arc<Site>,
        buffer: Buffer,
        uplink: watch::Receiver<Status>,
        metrics: Metrics,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let started = clock.wall();
        Self {
            site,
            buffer,
            uplink,
            metrics,
            clock,
            started,
            fresh: Arc::default(),
        }
    }

    async fn report(&self) -> Arc<Report> {
        let mut fresh = self.fresh.lock().await;
        if let Some((_, report)) = fresh.as_ref().filter(|(made, _)| made.elapsed() < FRESH) {
            return Arc::clone(report);
        }
        let report = Arc::new(self.make_report().await);
        *fresh = Some((Instant::now(), Arc::clone(&report)));
        report
    }

    async fn make_report(&self) -> Report {
        let now = self.clock.wall();
        let mut uplink = self.uplink.borrow().clone();
        // Counted here, because the uplink counts only while it is connected.
        if let Ok(records) = self.buffer.outbox_backlog().await {
            uplink.metadata_backlog = records;
        }
        if let Ok(recordings) = self.buffer.upload_backlog(now).await {
            uplink.upload_backlog = recordings;
        }
        let buffer = self.buffer.status();
        Report::new(&self.site, &buffer, &uplink, self.started, now)
    }
}

/// Serves until `cancel`.
pub(crate) async fn serve(listener: TcpListener, page: Page, cancel: CancellationToken) {
    let served = axum::serve(listener, router(page))
        .with_graceful_shutdown(cancel.cancelled_owned())
        .await;
    if let Err(error) = served {
        tracing::error!(%error, "the health page stopped");
    }
}

fn router(page: Page) -> Router {
    Router::new()
        .route("/", get(as_html))
        .route("/page.css", get(style))
        .route("/api/status", get(as_json))
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .with_state(page)
        .layer(axum::middleware::map_response(protect))
}

/// The page loads nothing from elsewhere, runs no script and is framed by nobody.
async fn protect(mut response: Response) -> Response {
    let headers: [(HeaderName, &str); 4] = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; frame-ancestors 'none'; form-action 'none'; base-uri 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in headers {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

#[derive(Debug, Deserialize)]
struct Wish {
    lang: Option<String>,
}

async fn as_html(
    State(page): State<Page>,
    Query(wish): Query<Wish>,
    headers: HeaderMap,
) -> Html<String> {
    let accepted = headers
        .get(header::ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok());
    let language = Language::choose(wish.lang.as_deref(), accepted);
    let zone = page.site.config().agent.zone();
    let report = page.report().await;
    Html(html::page(&report, language, &zone).into_string())
}

async fn style() -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "text/css; charset=utf-8")],
        include_str!("status/page.css"),
    )
}

async fn as_json(State(page): State<Page>) -> axum::Json<Arc<Report>> {
    axum::Json(page.report().await)
}

async fn metrics(State(page): State<Page>) -> Response {
    let report = page.report().await;
    match page.metrics.text(&report) {
        Ok(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "cannot write the metrics");
            axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// For supervisors: the process answers.
async fn healthz() -> &'static str {
    "ok\n"
}
