//! From a file to settings: reading it and the password files it names.
//!
//! What may stand in it is in [`super::check`] and [`super::values`], on which line it does in
//! [`super::place`].

use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::place::{Findings, explain};
use super::{CameraSection, Config};

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read the settings in {}: {source}", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    /// One line of text for each problem.
    #[error("{}", lines(path, problems))]
    Invalid {
        path: PathBuf,
        problems: Vec<Problem>,
    },
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Counted from 1.
    pub line: usize,
    /// Such as `camera[2].url`; the second camera of the file.
    pub key: String,
    /// What is wrong and what would be right.
    pub message: String,
}

fn lines(path: &Path, problems: &[Problem]) -> String {
    let mut text = String::new();
    for problem in problems {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&format!("{}:{}: ", path.display(), problem.line));
        if !problem.key.is_empty() {
            text.push_str(&format!("`{}`: ", problem.key));
        }
        text.push_str(&problem.message);
    }
    text
}

impl Config {
    /// Reads a file, and the password files it names.
    ///
    /// # Errors
    /// The file cannot be read, is not TOML, or says something that cannot be meant.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::from_toml(&text, path)
    }

    /// As [`Config::load`], for text already read from `path`.
    ///
    /// # Errors
    /// As there.
    pub fn from_toml(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let invalid = |problems| ConfigError::Invalid {
            path: path.to_owned(),
            problems,
        };
        let mut config: Self =
            toml::from_str(text).map_err(|error| invalid(vec![explain(text, &error)]))?;
        let directory = path.parent().unwrap_or_else(|| Path::new(""));
        let mut findings = Findings::default();
        for (index, camera) in config.cameras.iter_mut().enumerate() {
            read_password(camera, index, directory, &mut findings);
        }
        config.check(&mut findings);
        if findings.is_empty() {
            Ok(config)
        } else {
            Err(invalid(findings.located(text)))
        }
    }
}

fn read_password(
    camera: &mut CameraSection,
    index: usize,
    directory: &Path,
    findings: &mut Findings,
) {
    let Some(file) = &camera.password_file else {
        return;
    };
    if camera.password.is_some() {
        findings.camera(
            index,
            "password_file",
            "is given beside `password`; keep one of them",
        );
        return;
    }
    let file = directory.join(file);
    match std::fs::read_to_string(&file) {
        Ok(text) => match text.lines().next().filter(|line| !line.is_empty()) {
            Some(line) => camera.password = Some(SecretString::from(line)),
            None => findings.camera(
                index,
                "password_file",
                format!(
                    "{} is empty; its first line should be the password",
                    file.display()
                ),
            ),
        },
        Err(error) => findings.camera(
            index,
            "password_file",
            format!("cannot read {}: {error}", file.display()),
        ),
    }
}
