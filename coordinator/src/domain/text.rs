//! Text that people typed, checked once.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One line of at most `MAX` characters: not empty, without space around it and without control
/// characters or marks that reorder what stands beside them in a list or a log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Line<const MAX: usize>(String);

impl<const MAX: usize> Line<MAX> {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("one line of 1 to {max} characters without control characters is wanted")]
pub struct LineError {
    max: usize,
}

impl<const MAX: usize> FromStr for Line<MAX> {
    type Err = LineError;

    fn from_str(text: &str) -> Result<Self, LineError> {
        let line = text.trim();
        let length = line.chars().count();
        let bad = |c: char| c.is_control() || OVERRIDES.contains(&c);
        if length == 0 || length > MAX || line.chars().any(bad) {
            return Err(LineError { max: MAX });
        }
        Ok(Self(line.to_owned()))
    }
}

/// Explicit embeddings, overrides and isolates of the bidirectional algorithm (UAX 9), and the line
/// and paragraph separators. Arabic beside Latin needs none of them in a name.
const OVERRIDES: [char; 11] = [
    '\u{2028}', '\u{2029}', '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}', '\u{2066}',
    '\u{2067}', '\u{2068}', '\u{2069}',
];

impl<const MAX: usize> TryFrom<String> for Line<MAX> {
    type Error = LineError;
    fn try_from(text: String) -> Result<Self, LineError> {
        text.parse()
    }
}

impl<const MAX: usize> From<Line<MAX>> for String {
    fn from(line: Line<MAX>) -> Self {
        line.0
    }
}

impl<const MAX: usize> fmt::Display for Line<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A name as people of either language know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Name {
    pub en: Line<128>,
    pub ar: Line<128>,
}

/// An address for mail. Only its shape is checked: whether somebody reads it, a mail would tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email(Line<254>);

impl Email {
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("an e-mail address such as name@example.org is wanted, of at most 254 characters")]
pub struct EmailError;

impl FromStr for Email {
    type Err = EmailError;

    fn from_str(text: &str) -> Result<Self, EmailError> {
        let line: Line<254> = text.parse().map_err(|_| EmailError)?;
        let (local, host) = line.as_str().rsplit_once('@').ok_or(EmailError)?;
        if local.is_empty() || host.is_empty() || line.as_str().chars().any(char::is_whitespace) {
            return Err(EmailError);
        }
        Ok(Self(line))
    }
}

impl TryFrom<String> for Email {
    type Error = EmailError;
    fn try_from(text: String) -> Result<Self, EmailError> {
        text.parse()
    }
}

impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_one_visible_line() {
        let line = |text: &str| text.parse::<Line<8>>();
        assert_eq!(line(" شرطة ").unwrap().as_str(), "شرطة");
        assert!(line("12345678").is_ok());
        for bad in [
            "",
            "  ",
            "123456789",
            "a\nb",
            "a\u{0}",
            "a\u{202e}b",
            "a\u{2028}b",
        ] {
            assert!(line(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn mail_addresses_have_two_sides() {
        assert!("layla@example.org".parse::<Email>().is_ok());
        for bad in [
            "",
            "layla",
            "@example.org",
            "layla@",
            "la yla@example.org",
            "a@b\r\nx",
        ] {
            assert!(bad.parse::<Email>().is_err(), "{bad:?}");
        }
    }
}
