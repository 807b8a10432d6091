//! `[log]`: what is written to standard error.

use std::str::FromStr as _;

use serde::{Deserialize, Serialize};
use tracing_subscriber::filter::{LevelFilter, Targets};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    pub filter: Filter,
    pub format: Format,
}

/// A level, also by part of the program: `info,cctv_coordinator::quic=debug`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Filter(String);

impl Default for Filter {
    fn default() -> Self {
        Self("info".to_owned())
    }
}

impl Filter {
    pub fn targets(&self) -> Targets {
        Targets::from_str(&self.0).unwrap_or_default()
    }
}

impl TryFrom<String> for Filter {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        // A bare word would be taken for a part of the program.
        let named = |part: &str| part.contains('=') || LevelFilter::from_str(part.trim()).is_ok();
        let valid = text.split(',').all(named) && Targets::from_str(&text).is_ok();
        valid.then(|| Self(text.clone())).ok_or_else(|| {
            format!(
                "`{text}` is not \"error\", \"warn\", \"info\", \"debug\" or \"trace\", nor levels by part such as \
                 \"info,cctv_coordinator::quic=debug\""
            )
        })
    }
}

impl From<Filter> for String {
    fn from(filter: Filter) -> Self {
        filter.0
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// For people and the journal.
    #[default]
    Text,
    /// One object a line, for collectors.
    Json,
}
