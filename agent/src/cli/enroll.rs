//! `cctv-agent enroll`.

use std::io::{IsTerminal, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use shared::clock::Clock;
use shared::wire::enrol::EnrolCode;

use crate::config::Config;
use crate::identity::{Enrolment, Key};
use crate::uplink::Enroller;

/// Longest code that is read; a real one has about 150 characters.
const LONGEST_CODE: u64 = 4_096;

#[derive(Debug, Args)]
pub(super) struct Enroll {
    /// The code as the coordinator printed it; `-`, or nothing, reads it from standard input, where
    /// other users of this host do not see it.
    code: Option<String>,
    /// Read the code from a file.
    #[arg(long, conflicts_with = "code")]
    file: Option<PathBuf>,
    /// Enrol anew although this agent is enrolled already.
    #[arg(long)]
    replace: bool,
}

impl Enroll {
    pub(super) async fn run(
        self,
        config: Config,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<ExitCode> {
        let data_dir = &config.agent.data_dir;
        // An enrolment that cannot be read is one that has to be replaced.
        if let Ok(Some(known)) = Enrolment::load(data_dir)
            && !self.replace
        {
            anyhow::bail!(
                "this agent is already enrolled at the site `{}` of {}:{}; \
                 to enrol it anew, ask for a new code and add --replace",
                known.site_name,
                known.host,
                known.port
            );
        }
        let code: EnrolCode = self.read()?.expose_secret().parse()?;
        let key = Key::load_or_create(data_dir)?;
        let settings = config.uplink();
        let enroller = Enroller {
            key: &key,
            name: &config.agent.name,
            tcp_address: settings.tcp_address,
            tcp_fallback: settings.tcp_fallback,
            clock: clock.as_ref(),
        };
        let enrolment = enroller.enrol(&code, data_dir).await?;
        super::say(format_args!(
            "Enrolled at the site `{}` of {}:{} as agent {}.\n\
             A running agent connects within seconds; otherwise start it now.",
            enrolment.site_name, enrolment.host, enrolment.port, enrolment.agent
        ));
        Ok(ExitCode::SUCCESS)
    }

    fn read(self) -> anyhow::Result<SecretString> {
        if let Some(path) = self.file {
            let file = std::fs::File::open(&path)
                .with_context(|| format!("cannot read the code from {}", path.display()))?;
            return limited(file, &path.display().to_string());
        }
        match self.code {
            Some(code) if code != "-" => Ok(SecretString::from(code)),
            _ => {
                let input = std::io::stdin();
                if input.is_terminal() {
                    write!(std::io::stderr(), "Enrolment code: ")?;
                    let mut line = String::new();
                    input.read_line(&mut line)?;
                    return Ok(SecretString::from(line));
                }
                limited(input, "standard input")
            }
        }
    }
}

fn limited(source: impl Read, name: &str) -> anyhow::Result<SecretString> {
    let mut text = String::new();
    source
        .take(LONGEST_CODE)
        .read_to_string(&mut text)
        .with_context(|| format!("cannot read the code from {name}"))?;
    Ok(SecretString::from(text))
}
