//! The second factor: codes of an authenticator app (RFC 6238, SHA-1, six digits, thirty seconds;
//! what every app can do) and recovery codes for when the device is gone.
//!
//! A step is accepted once, and never one before it, so that a code that was overheard is worth
//! nothing. How often may be tried is the business of `lockout`.

use std::time::Duration;

use data_encoding::BASE32_NOPAD;
use secrecy::{ExposeSecret as _, SecretString};
use shared::hash::Sha256;
use shared::id::UserId;
use shared::time::WallTime;
use totp_rs::{Algorithm, Builder, Totp};

/// Bytes of a secret: 160 bits, as RFC 4226 recommends.
pub const SECRET_BYTES: usize = 20;
/// Codes handed out at once.
pub const RECOVERY_CODES: usize = 10;
/// Bytes of a recovery code: 80 random bits, so that its hash needs no salt and no slowness.
pub const RECOVERY_BYTES: usize = 10;
/// Between the password and the code.
pub const PATIENCE: Duration = Duration::from_secs(5 * 60);

/// Longest code that is looked at.
const MAX_TYPED: usize = 64;
const STEP_SECONDS: u64 = 30;

/// What somebody types when asked for a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Code {
    /// Six digits of the app.
    Totp(String),
    /// The hash of a recovery code.
    Recovery(Sha256),
}

impl Code {
    /// `None` when it can be neither. Spaces and dashes are for the eye.
    pub fn typed(text: &str) -> Option<Self> {
        if text.len() > MAX_TYPED {
            return None;
        }
        let code: String = text
            .chars()
            .filter(|character| !character.is_whitespace() && *character != '-')
            .map(ascii_digit)
            .collect();
        if code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(Self::Totp(code));
        }
        let bytes = BASE32_NOPAD.decode(code.to_ascii_uppercase().as_bytes());
        let bytes = bytes.ok().filter(|bytes| bytes.len() == RECOVERY_BYTES)?;
        Some(Self::Recovery(Sha256::of(&bytes)))
    }
}

/// Arabic and Persian keyboards type their own digits.
fn ascii_digit(character: char) -> char {
    let zero = match character {
        '\u{660}'..='\u{669}' => 0x660,
        '\u{6f0}'..='\u{6f9}' => 0x6f0,
        _ => return character,
    };
    char::from_digit(u32::from(character) - zero, 10).unwrap_or(character)
}

/// Somebody's authenticator app.
#[derive(Clone)]
pub struct SecondFactor {
    pub user: UserId,
    pub secret: [u8; SECRET_BYTES],
    /// Until its owner has typed a first code, it is not asked for.
    pub confirmed: bool,
    /// The last step that was accepted.
    pub last_step: Option<u64>,
}

impl std::fmt::Debug for SecondFactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecondFactor")
            .field("user", &self.user)
            .field("confirmed", &self.confirmed)
            .field("last_step", &self.last_step)
            .finish_non_exhaustive()
    }
}

impl SecondFactor {
    /// The step that `code` belongs to, if it is right now, one step early or one late, and later
    /// than every step accepted before. The store keeps it in one transaction with what it opens.
    pub fn accepts(&self, code: &str, now: WallTime) -> Option<u64> {
        let seconds = u64::try_from(now.as_micros() / 1_000_000).ok()?;
        let step = seconds / STEP_SECONDS;
        let totp = self.totp("", "");
        // Each step on its own, because the library tells the first that fits: a code of this step
        // must not be taken for an equal one of the step before.
        let near = [step.saturating_sub(1), step, step.saturating_add(1)];
        near.into_iter()
            .filter(|step| self.last_step.is_none_or(|last| *step > last))
            .find(|step| {
                totp.check(code, step.saturating_mul(STEP_SECONDS))
                    .is_some()
            })
    }

    /// What the app shows at a time; for tests of everything around it.
    pub fn code_at(&self, time: WallTime) -> String {
        let seconds = u64::try_from(time.as_micros() / 1_000_000).unwrap_or(0);
        self.totp("", "").generate(seconds).to_string()
    }

    /// For the app: the `otpauth` address that is shown as a QR code, and the secret in base32 for
    /// typing. `issuer` and `login` are what the app shows.
    ///
    /// # Errors
    /// Never for what we call ourselves; the library refuses an issuer with a colon.
    pub fn enrolment(&self, issuer: &str, login: &str) -> Result<Enrolment, EnrolmentError> {
        let totp = self.totp(issuer, &login.replace(':', "_"));
        let address = totp.to_url().map_err(|error| EnrolmentError {
            message: error.to_string(),
        })?;
        Ok(Enrolment {
            address: address.into(),
            secret: totp.secret().to_base32().into(),
        })
    }

    fn totp(&self, issuer: &str, login: &str) -> Totp {
        Builder::new()
            .with_algorithm(Algorithm::SHA1)
            .with_digits(6)
            .with_skew(0)
            .with_step_duration(STEP_SECONDS)
            .with_secret(self.secret.to_vec())
            .with_account_name(login)
            .with_issuer((!issuer.is_empty()).then_some(issuer))
            .build_noncompliant()
    }
}

/// What an authenticator app is told.
#[derive(Clone, Debug)]
pub struct Enrolment {
    pub address: SecretString,
    pub secret: SecretString,
}

#[derive(Clone, Debug, thiserror::Error)]
#[error("could not make the address for the authenticator app: {message}")]
pub struct EnrolmentError {
    pub message: String,
}

/// A recovery code as its owner gets it: `abcd-efgh-jkmn-pqrs`.
pub fn recovery_code(random: [u8; RECOVERY_BYTES]) -> SecretString {
    let letters = BASE32_NOPAD.encode(&random).to_ascii_lowercase();
    let mut code = String::with_capacity(letters.len() + 3);
    for (place, letter) in letters.chars().enumerate() {
        if place > 0 && place % 4 == 0 {
            code.push('-');
        }
        code.push(letter);
    }
    code.into()
}

/// What is kept of a recovery code.
pub fn recovery_hash(code: &SecretString) -> Option<Sha256> {
    match Code::typed(code.expose_secret())? {
        Code::Recovery(hash) => Some(hash),
        Code::Totp(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: WallTime = WallTime::from_secs(1_800_000_000);

    fn factor(secret: [u8; SECRET_BYTES]) -> SecondFactor {
        SecondFactor {
            user: UserId::new(NOW),
            secret,
            confirmed: true,
            last_step: None,
        }
    }

    fn code_at(factor: &SecondFactor, seconds: i64) -> String {
        let seconds = u64::try_from(seconds).unwrap();
        factor.totp("", "").generate(seconds).to_string()
    }

    /// RFC 6238, appendix B, SHA-1, the last six of its eight digits.
    #[test]
    fn codes_are_those_of_the_standard() {
        let factor = factor(*b"12345678901234567890");
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            let now = WallTime::from_secs(seconds);
            assert_eq!(
                factor.accepts(code, now),
                Some(seconds as u64 / 30),
                "{seconds}"
            );
            assert_eq!(factor.accepts("000000", now), None);
        }
    }

    #[test]
    fn an_app_gets_an_address_with_everything_in_it() {
        let enrolment = factor([7; SECRET_BYTES]).enrolment("RTA CCTV", "layla@metro.example");
        let enrolment = enrolment.unwrap();
        let address = enrolment.address.expose_secret();
        assert!(
            address.starts_with("otpauth://totp/RTA%20CCTV:layla"),
            "{address}"
        );
        assert!(
            address.contains(enrolment.secret.expose_secret()),
            "{address}"
        );
        let odd = factor([7; SECRET_BYTES]).enrolment("RTA CCTV", "a:b/ليلى?x=1&secret=A");
        let odd = odd.unwrap();
        assert!(
            odd.address
                .expose_secret()
                .contains(odd.secret.expose_secret())
        );
        assert!(!format!("{:?}", factor([7; SECRET_BYTES])).contains("secret"));
    }

    #[test]
    fn codes_are_read_as_people_type_them() {
        assert_eq!(Code::typed("123 456"), Some(Code::Totp("123456".into())));
        assert_eq!(Code::typed("١٢٣٤٥٦"), Some(Code::Totp("123456".into())));
        let code = recovery_code([200; RECOVERY_BYTES]);
        let hash = recovery_hash(&code).unwrap();
        assert_eq!(code.expose_secret().len(), 19);
        for typed in [
            code.expose_secret().to_uppercase(),
            code.expose_secret().replace('-', " "),
        ] {
            assert_eq!(Code::typed(&typed), Some(Code::Recovery(hash)));
        }
        for neither in [
            "",
            "12345",
            "1234567",
            "abcdef",
            "abcd-efgh",
            &"1".repeat(1 << 20),
            "12345\u{0}",
        ] {
            assert_eq!(Code::typed(neither), None);
        }
    }

    proptest! {
        /// Whatever is typed when, over a clock that goes forth and back: no step opens twice, and a
        /// code of the present opens if nothing later has.
        #[test]
        fn a_step_opens_once(
            secret in any::<[u8; SECRET_BYTES]>(),
            tries in prop::collection::vec((-120_i64..240, -120_i64..120), 1..60),
        ) {
            let mut factor = factor(secret);
            let mut opened = Vec::new();
            for (at, off) in tries {
                let seconds = 1_800_000_000 + at;
                let code = code_at(&factor, seconds + off);
                let now = WallTime::from_secs(seconds);
                let accepted = factor.accepts(&code, now);
                if let Some(step) = accepted {
                    prop_assert!(!opened.contains(&step));
                    prop_assert!(step.abs_diff(seconds as u64 / 30) <= 1);
                    opened.push(step);
                    factor.last_step = Some(step);
                } else {
                    let own = (seconds + off) as u64 / 30;
                    let near = own.abs_diff(seconds as u64 / 30) <= 1;
                    prop_assert!(!near || factor.last_step.is_some_and(|last| own <= last));
                }
            }
        }

        #[test]
        fn whatever_is_typed_is_answered(text in any::<String>()) {
            let _ = Code::typed(&text);
        }
    }
}
