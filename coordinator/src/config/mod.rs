//! The settings of the coordinator, from one TOML file.
//!
//! `configs/coordinator.toml` is the manual: every setting with its default and a sentence. A test
//! keeps the two the same. Sections are in files of their own; what a value may be is checked while
//! it is read, so that an error names its line.

mod agents;
mod bounded;
mod http;
mod identity;
mod limits;
mod live;
mod log;
mod network;
mod quotas;
mod storage;
mod tcp_listen;
mod web_origin;

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use self::agents::{Address, Agents};
pub use self::bounded::Bounded;
pub use self::http::{Http, HttpTls};
pub use self::identity::{
    ClaimName, Claims, Identity, Issuers, KeySource, KnownLogin, Provider, ProviderName,
    ProviderSettings, PublicOrigin, Scope, SignatureAlgorithm, TokenName, Trusted, TrustedSettings,
    UnknownPeople, WebAddress, Webhook,
};
pub use self::limits::{Allowance, Limits, Valkey, ValkeyUrl};
pub use self::live::{Live, RelayUrl, Relays};
pub use self::log::{Filter, Format, Log};
pub use self::network::{Network, Networks};
pub use self::quotas::{QuotaStore, Quotas, WhenLost};
pub use self::storage::Storage;
pub use self::tcp_listen::TcpListen;
pub use self::web_origin::WebOrigin;

/// Where the file is unless the command line says otherwise.
pub const DEFAULT_PATH: &str = "/etc/cctv/coordinator.toml";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The authority's key, the catalogue and the recordings.
    pub data_dir: PathBuf,
    pub http: Http,
    pub agents: Agents,
    pub identity: Identity,
    pub live: Live,
    pub storage: Storage,
    pub limits: Limits,
    pub valkey: Valkey,
    pub quotas: Quotas,
    pub log: Log,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: "/var/lib/cctv-coordinator".into(),
            http: Http::default(),
            agents: Agents::default(),
            identity: Identity::default(),
            live: Live::default(),
            storage: Storage::default(),
            limits: Limits::default(),
            valkey: Valkey::default(),
            quotas: Quotas::default(),
            log: Log::default(),
        }
    }
}

impl Config {
    /// # Errors
    /// The file cannot be read, or says something that is not a setting or not allowed; the error
    /// names file, line and what would be right.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.into(),
            source,
        })?;
        Self::parse(&text).map_err(|source| ConfigError::Invalid {
            path: path.into(),
            source: Box::new(source),
        })
    }

    fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error(
        "cannot read the settings in {}; copy configs/coordinator.toml there, or name another file with --config",
        path.display()
    )]
    Read { path: PathBuf, source: io::Error },
    #[error("{}: {source}", path.display())]
    Invalid {
        path: PathBuf,
        source: Box<toml::de::Error>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANUAL: &str = include_str!("../../../configs/coordinator.toml");

    #[test]
    fn the_manual_names_every_setting_with_its_default() {
        assert_eq!(Config::parse(MANUAL).unwrap(), Config::default());
        let value = toml::Value::try_from(Config::default()).unwrap();
        let missing = absent(&value, &toml::from_str(MANUAL).unwrap());
        assert!(missing.is_empty(), "not in the manual: {missing:?}");
    }

    #[test]
    fn nothing_at_all_means_the_defaults() {
        assert_eq!(Config::parse("").unwrap(), Config::default());
    }

    #[test]
    fn mistakes_are_shown_with_their_line_and_what_would_be_right() {
        for (text, line, hints) in [
            ("data_dir = 7", 1, &["string"][..]),
            ("\n[http]\nlissen = \"x\"", 3, &["lissen", "listen"]),
            ("[http]\nlisten = \"8080\"", 2, &["address"]),
            ("[agents]\nheartbeat_ms = 10", 2, &["10", "500", "60000"]),
            (
                "[agents]\n\npublic_address = \"a:b:c\"",
                3,
                &["centre.example:7443"],
            ),
            (
                "[live.relays]\nurls = [\"relay.example\"]",
                2,
                &["relay.example", "turn:"],
            ),
            ("[log]\nformat = \"xml\"", 2, &["xml", "text", "json"]),
            ("[log]\nfilter = \"loud\"", 2, &["loud", "info"]),
            ("[http]\ntls.key = \"/k\"", 2, &["certificate", "neither"]),
            (
                "[http]\nmetrics_from = [\"10.0.0.0/40\"]",
                2,
                &["10.0.0.0/40", "10.20.0.0/16"],
            ),
            (
                "[http]\nallowed_origins = [\"*\"]",
                2,
                &["`*`", "https://wall.example"],
            ),
            (
                "[identity]\nissuer = \"two words\"",
                2,
                &["two words", "rta-cctv"],
            ),
            (
                "[identity.provider]\nissuer = \"https://sso.example\"",
                1,
                &["client_id", "redirect_base"],
            ),
            (
                "[identity.provider]\nissuer = \"http://sso.example\"",
                2,
                &["https://sso.example"],
            ),
            (
                "[identity.provider]\nclaims.agency = \"org\"",
                1,
                &["`agencies`"],
            ),
            (
                "[[identity.trusted]]\nissuer = \"x\"\naudience = \"y\"",
                1,
                &["jwks_url", "public_key_file"],
            ),
            (
                "[[identity.trusted]]\nalgorithms = [\"HS256\"]",
                2,
                &["HS256", "RS256"],
            ),
            (
                "[quotas]\nwhen_lost = \"allow\"",
                2,
                &["allow", "refuse", "count_own"],
            ),
            ("[quotas]\nlease_seconds = 1", 2, &["5", "3600"]),
            ("[htpp]\n", 1, &["htpp", "http"]),
        ] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("coordinator.toml");
            std::fs::write(&path, text).unwrap();
            let error = Config::load(&path).unwrap_err().to_string();
            assert!(error.contains(path.to_str().unwrap()), "{error}");
            assert!(error.contains(&format!("line {line}")), "{error}");
            for hint in hints {
                assert!(error.contains(hint), "{hint} in {error}");
            }
        }
    }

    #[test]
    fn a_missing_file_is_told_with_a_way_out() {
        let error = Config::load(Path::new("/nonexistent.toml")).unwrap_err();
        assert!(error.to_string().contains("--config"), "{error}");
    }

    /// Keys of `expected` that `found` lacks.
    fn absent(expected: &toml::Value, found: &toml::Value) -> Vec<String> {
        let Some(table) = expected.as_table() else {
            return Vec::new();
        };
        let inner = |(key, value): (&String, &toml::Value)| match found.get(key) {
            None => vec![key.clone()],
            Some(found) => absent(value, found),
        };
        table.iter().flat_map(inner).collect()
    }
}
