//! Where a request came from, as far as the audit tells of it.

use std::net::IpAddr;

/// Where a request came from. Empty for what the coordinator does by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    address: Option<IpAddr>,
    user_agent: Option<String>,
    correlation_id: Option<String>,
}

impl Origin {
    /// Longest user agent kept, in characters.
    pub const MAX_USER_AGENT: usize = 256;
    /// Longest correlation id kept, in characters.
    pub const MAX_CORRELATION_ID: usize = 64;

    /// What a client says of itself is foreign text: it is cut to a length, and loses characters
    /// that steer a terminal or change the direction of text.
    pub fn new(
        address: Option<IpAddr>,
        user_agent: Option<&str>,
        correlation_id: Option<&str>,
    ) -> Self {
        Self {
            address: address.map(|address| address.to_canonical()),
            user_agent: user_agent.and_then(|text| tame(text, Self::MAX_USER_AGENT)),
            correlation_id: correlation_id.and_then(|text| tame(text, Self::MAX_CORRELATION_ID)),
        }
    }

    pub const fn address(&self) -> Option<IpAddr> {
        self.address
    }

    pub fn user_agent(&self) -> Option<&str> {
        self.user_agent.as_deref()
    }

    /// That of the request's log lines and of its answer.
    pub fn correlation_id(&self) -> Option<&str> {
        self.correlation_id.as_deref()
    }
}

fn tame(text: &str, longest: usize) -> Option<String> {
    let tame: String = text
        .chars()
        .filter(|c| !c.is_control() && !steers_direction(*c))
        .take(longest)
        .collect();
    let tame = tame.trim();
    (!tame.is_empty()).then(|| tame.to_owned())
}

/// Embeddings, overrides, isolates and marks of Unicode's bidirectional algorithm (UAX #9), and the
/// two line separators.
const fn steers_direction(c: char) -> bool {
    matches!(c, '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_says_of_itself_is_tamed() {
        let long = "x".repeat(10_000);
        let origin = Origin::new(
            Some("::ffff:192.0.2.7".parse().unwrap()),
            Some("Mozilla\r\n\u{1b}[31m/5.0 \u{202e}متصفح"),
            Some(&long),
        );
        assert_eq!(origin.address(), Some("192.0.2.7".parse().unwrap()));
        assert_eq!(origin.user_agent(), Some("Mozilla[31m/5.0 متصفح"));
        assert_eq!(
            origin.correlation_id().unwrap().len(),
            Origin::MAX_CORRELATION_ID
        );
        let long = Origin::new(None, Some(&long), None);
        assert_eq!(long.user_agent().unwrap().len(), Origin::MAX_USER_AGENT);
        let nothing = Origin::new(None, Some("\u{0}\n "), Some(""));
        assert_eq!(nothing, Origin::default());
    }
}
