//! Which passwords are good enough: long, and not what a guesser tries first (NIST SP 800-63B,
//! section 3.1.1). There are no rules about capitals or digits; they make passwords worse.
//!
//! Hashing does not belong here.

use secrecy::{ExposeSecret as _, SecretString};
use unicode_normalization::UnicodeNormalization as _;

/// Passwords longer than this are refused before any work, so that nobody can buy our CPU with
/// megabytes.
pub const MAX_PASSWORD_BYTES: usize = 1024;
pub const MIN_PASSWORD_CHARS: usize = 12;

/// A guesser who knows the usual lists and the person needs at least this many attempts (as a power
/// of ten). With the waits of `lockout` these are centuries; with the database in hand, years of a
/// machine for each password.
const MIN_GUESSES_LOG10: f64 = 9.0;

/// Why a password cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    #[error(
        "a password has at least {MIN_PASSWORD_CHARS} characters and at most {MAX_PASSWORD_BYTES} bytes"
    )]
    Length,
    #[error("a password has no control characters")]
    Control,
    #[error("the password contains the name of its owner or of the organisation")]
    Personal,
    #[error("the password is among the first that would be guessed; make it longer or less common")]
    Guessable,
}

/// The one form in which a password is hashed and compared (NFKC, as NIST SP 800-63B recommends),
/// so that another keyboard's way of writing `é` is the same password. `None` when it is too long
/// to be anybody's.
pub fn normalised(typed: &SecretString) -> Option<SecretString> {
    let typed = typed.expose_secret();
    if typed.len() > MAX_PASSWORD_BYTES {
        return None;
    }
    let normal: String = typed.nfkc().collect();
    Some(normal.into())
}

/// The password for hashing, if it is good enough. `known` is what everybody knows of its owner:
/// login, names, agency.
///
/// # Errors
/// The first rule it breaks.
pub fn chosen(typed: &SecretString, known: &[&str]) -> Result<SecretString, PasswordError> {
    let password = normalised(typed).ok_or(PasswordError::Length)?;
    let text = password.expose_secret();
    if text.chars().count() < MIN_PASSWORD_CHARS || text.len() > MAX_PASSWORD_BYTES {
        return Err(PasswordError::Length);
    }
    if text.chars().any(char::is_control) {
        return Err(PasswordError::Control);
    }
    let known: Vec<String> = known.iter().flat_map(|text| words(text)).collect();
    let mut rest = text.to_lowercase();
    for word in &known {
        rest = rest.replace(word, "");
    }
    // A long password may mention its owner; what matters is what is left.
    if rest.chars().count() < MIN_PASSWORD_CHARS && rest.len() < text.to_lowercase().len() {
        return Err(PasswordError::Personal);
    }
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    if zxcvbn::zxcvbn(text, &known).guesses_log10() < MIN_GUESSES_LOG10 {
        return Err(PasswordError::Guessable);
    }
    Ok(password)
}

/// The parts of a name that are long enough to be recognised, longest first.
fn words(text: &str) -> Vec<String> {
    let normal: String = text.nfkc().collect::<String>().to_lowercase();
    let mut words: Vec<String> = normal
        .split(|character: char| !character.is_alphanumeric())
        .chain([normal.as_str()])
        .filter(|word| word.chars().count() >= 4)
        .take(32)
        .map(str::to_owned)
        .collect();
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    words.dedup();
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str) -> Result<(), PasswordError> {
        let known = [
            "layla.hassan@metro.example",
            "Layla Hassan",
            "ليلى حسن",
            "DUBAI_POLICE",
        ];
        chosen(&text.into(), &known).map(drop)
    }

    #[test]
    fn long_and_unlikely_passwords_are_good() {
        for good in [
            "correct horse battery",
            "k3v9-pq2m-7xhd",
            "مطر على سطح الورشة القديمة",
            "seven grey pelicans at noon",
            // A name is only a part of it.
            "layla counts seventeen grey pelicans",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn what_is_guessed_first_is_refused_with_its_reason() {
        use PasswordError::{Control, Guessable, Length, Personal};
        for (bad, why) in [
            ("", Length),
            ("eleven-char", Length),
            (&"x".repeat(MAX_PASSWORD_BYTES + 1), Length),
            (&"\u{fdfa}".repeat(300), Length),
            ("correct\u{0}horse battery", Control),
            ("password1234", Guessable),
            ("123456789012", Guessable),
            ("qwertyuiop[]", Guessable),
            ("aaaaaaaaaaaaaaaaaaaa", Guessable),
            ("P@ssw0rd2026", Guessable),
            ("LaylaHassan1", Personal),
            ("Hassan-metro1", Personal),
            ("ليلىحسن12345", Personal),
            ("dubai_police1", Personal),
        ] {
            assert_eq!(check(bad), Err(why), "{bad}");
        }
    }

    #[test]
    fn another_keyboard_types_the_same_password() {
        let forms = [
            "r\u{e9}my counts pelicans",
            "re\u{301}my counts pelicans",
            "r\u{e9}my\u{a0}counts pelicans",
        ];
        let forms = forms.map(|text| {
            let form = normalised(&text.into()).unwrap();
            form.expose_secret().to_owned()
        });
        assert!(forms.iter().all(|form| *form == forms[0]));
        assert!(normalised(&"x".repeat(1 << 20).into()).is_none());
    }

    proptest! {
        #[test]
        fn whatever_is_typed_is_answered(text in any::<String>(), known in any::<String>()) {
            let password = SecretString::from(text.clone());
            if let Ok(good) = chosen(&password, &[&known]) {
                prop_assert!(good.expose_secret().chars().count() >= MIN_PASSWORD_CHARS);
                let again = normalised(&good).unwrap();
                prop_assert_eq!(again.expose_secret(), good.expose_secret());
            }
        }
    }
}
