//! `cctv-agent probe`.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use secrecy::SecretString;
use shared::clock::Clock;
use shared::hash::Sha256;
use shared::message;
use url::Url;

use crate::camera::probe::{self, Grade, ProbeError, ProbeReport};
use crate::camera::source::{CertificatePolicy, Credentials, Source, Transport};
use crate::config::Config;

/// Longest password that is read from a file.
const LONGEST_PASSWORD: u64 = 1_024;

#[derive(Debug, Args)]
pub(super) struct Probe {
    /// An address such as rtsp://192.0.2.7/stream1, or the name of a camera in the settings.
    camera: String,
    /// Of a camera in the settings: its small stream.
    #[arg(long)]
    sub: bool,
    /// User name at the camera.
    #[arg(long)]
    user: Option<String>,
    /// A file whose first line is the password.
    #[arg(long, requires = "user")]
    password_file: Option<PathBuf>,
    /// How RTP travels.
    #[arg(long, value_enum)]
    transport: Option<TransportName>,
    /// For rtsps: `verify`, `any`, or the SHA-256 of the camera's certificate.
    #[arg(long, value_parser = certificate)]
    certificate: Option<CertificatePolicy>,
    /// How long to watch, 1 to 15.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=15))]
    seconds: u64,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum TransportName {
    Tcp,
    Udp,
}

impl Probe {
    /// Succeeds when nothing bad was found, so that scripts can ask.
    pub(super) async fn run(self, settings: &Path, clock: &dyn Clock) -> anyhow::Result<ExitCode> {
        let source = self.source(settings)?;
        let measured = probe::measure(&source, Duration::from_secs(self.seconds), clock).await;
        match measured {
            Ok(report) => self.tell(&report),
            Err(error) => self.tell_failure(&error),
        }
    }

    fn source(&self, settings: &Path) -> anyhow::Result<Source> {
        let source = match self.camera.parse::<Url>() {
            Ok(url) if url.has_host() => Source::new(url, self.credentials()?)?,
            _ => self.configured(settings)?,
        };
        let source = match self.transport {
            Some(TransportName::Tcp) => source.over(Transport::Tcp),
            Some(TransportName::Udp) => source.over(Transport::Udp),
            None => source,
        };
        Ok(match &self.certificate {
            Some(certificate) => source.trusting(certificate.clone()),
            None => source,
        })
    }

    fn configured(&self, settings: &Path) -> anyhow::Result<Source> {
        let config = Config::load(settings).with_context(|| {
            format!(
                "`{}` is no address, and the settings cannot be read",
                self.camera
            )
        })?;
        let camera = config
            .cameras
            .iter()
            .find(|camera| camera.name == self.camera)
            .with_context(|| {
                format!(
                    "`{}` is neither an address such as rtsp://192.0.2.7/stream1 nor a camera in {}",
                    self.camera,
                    settings.display()
                )
            })?;
        if !self.sub {
            return Ok(camera.source()?);
        }
        camera
            .sub_source()?
            .with_context(|| format!("the camera `{}` has no `sub_url`", self.camera))
    }

    fn credentials(&self) -> anyhow::Result<Option<Credentials>> {
        let Some(username) = self.user.clone() else {
            return Ok(None);
        };
        let password = match &self.password_file {
            Some(path) => first_line(path)?,
            None => SecretString::default(),
        };
        Ok(Some(Credentials { username, password }))
    }

    fn tell(&self, report: &ProbeReport) -> anyhow::Result<ExitCode> {
        if self.json {
            super::say(serde_json::to_string_pretty(report)?);
        } else {
            super::say(report.to_string().trim_end());
        }
        let bad = report
            .verdicts
            .iter()
            .any(|verdict| verdict.grade == Grade::Problem);
        Ok(if bad {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        })
    }

    fn tell_failure(&self, error: &ProbeError) -> anyhow::Result<ExitCode> {
        let message = message::reason(error.reason);
        if !self.json {
            anyhow::bail!("{}\n  {}", message.en, error.detail);
        }
        let failure = serde_json::json!({
            "error": {
                "code": message.code,
                "message_en": message.en,
                "message_ar": message.ar,
                "detail": error.detail,
            }
        });
        super::say(serde_json::to_string_pretty(&failure)?);
        Ok(ExitCode::FAILURE)
    }
}

fn first_line(path: &Path) -> anyhow::Result<SecretString> {
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(LONGEST_PASSWORD).read_to_string(&mut text))
        .with_context(|| format!("cannot read the password from {}", path.display()))?;
    Ok(SecretString::from(text.lines().next().unwrap_or_default()))
}

fn certificate(text: &str) -> Result<CertificatePolicy, String> {
    match text {
        "verify" => Ok(CertificatePolicy::Verify),
        "any" => Ok(CertificatePolicy::AcceptAny),
        hash => serde_json::from_value::<Sha256>(hash.to_ascii_lowercase().into())
            .map(CertificatePolicy::Pin)
            .map_err(|_| {
                "write `verify`, `any`, or the 64 hexadecimal digits of a SHA-256".to_owned()
            }),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        probe: Probe,
    }

    fn parse(arguments: &[&str]) -> Result<Probe, clap::Error> {
        let line = std::iter::once(&"probe").chain(arguments);
        Line::try_parse_from(line).map(|line| line.probe)
    }

    #[test]
    fn an_address_needs_no_settings() {
        let probe = parse(&[
            "rtsps://192.0.2.7/a",
            "--user",
            "viewer",
            "--certificate",
            "any",
        ])
        .unwrap();
        let source = probe.source(Path::new("/nonexistent")).unwrap();
        assert_eq!(source.certificate, CertificatePolicy::AcceptAny);
        assert_eq!(source.credentials().unwrap().username, "viewer");
    }

    #[test]
    fn what_is_no_address_is_looked_for_in_the_settings() {
        let probe = parse(&["gate"]).unwrap();
        let error = probe.source(Path::new("/nonexistent")).unwrap_err();
        assert!(
            format!("{error:#}").contains("`gate` is no address"),
            "{error:#}"
        );
    }

    #[test]
    fn passwords_are_not_given_on_the_command_line_and_times_are_bounded() {
        assert!(parse(&["rtsp://192.0.2.7/", "--password", "secret"]).is_err());
        assert!(parse(&["rtsp://192.0.2.7/", "--seconds", "16"]).is_err());
        assert!(parse(&["rtsp://192.0.2.7/", "--certificate", "abc"]).is_err());
    }
}
