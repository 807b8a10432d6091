//! What one signs in with, in one form: however it is typed, and whatever its letters only look
//! like, there is one account.
//!
//! Passwords do not belong here, nor does who somebody is once they are signed in.

use unicode_normalization::UnicodeNormalization as _;
use unicode_security::{
    GeneralSecurityProfile as _, RestrictionLevel, RestrictionLevelDetection as _,
};

/// A login without surrounding space, in NFKC and lower case, so that `Admin ` and `admin`, or
/// `ａｄｍｉｎ` of a full-width keyboard, are one account.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Login(String);

/// Why somebody cannot be called so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    #[error(
        "a login has 1 to {} characters, none of them invisible",
        Login::MAX_LENGTH
    )]
    Malformed,
    #[error("`{character}` cannot stand in a login; use letters, digits and . _ - @ + '")]
    Character { character: char },
    #[error("a login is written in one script; this one mixes several, as look-alikes do")]
    MixedScripts,
}

impl Login {
    /// In characters.
    pub const MAX_LENGTH: usize = 128;
    /// What is typed may be longer than its normal form, but is not looked at beyond this.
    const MAX_TYPED_BYTES: usize = 1024;

    /// What somebody types to sign in. `None` when nothing or too much is left, or something in it
    /// cannot be seen.
    pub fn new(text: &str) -> Option<Self> {
        if text.len() > Self::MAX_TYPED_BYTES {
            return None;
        }
        let login = normal(text.trim());
        let valid = !login.is_empty()
            && login.chars().count() <= Self::MAX_LENGTH
            && !login.chars().any(is_invisible)
            // A few characters have another normal form each time; nobody is called so.
            && normal(login.trim()) == login;
        valid.then_some(Self(login))
    }

    /// What a new account shall be called: one script (UTS 39, section 5.2, highly restrictive),
    /// and characters for identifiers only. Stricter than [`Login::new`], so that a tightened rule
    /// shuts nobody out who has an account already.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn chosen(text: &str) -> Result<Self, LoginError> {
        let login = Self::new(text).ok_or(LoginError::Malformed)?;
        if let Some(character) = login.0.chars().find(|&c| !is_allowed(c)) {
            return Err(LoginError::Character { character });
        }
        // Common punctuation belongs to no script; the crate counts some of it as restricted.
        let letters: String = login.0.chars().filter(|c| c.is_alphanumeric()).collect();
        if !letters.check_restriction_level(RestrictionLevel::HighlyRestrictive) {
            return Err(LoginError::MixedScripts);
        }
        Ok(login)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the login looks like (UTS 39, section 4, folded): two accounts with one skeleton could
    /// be taken for each other, so there is at most one. Not for display.
    pub fn skeleton(&self) -> String {
        let folded: String = fold(&self.0);
        let seen: String = unicode_security::skeleton(&folded).collect();
        // `0` looks like `O`, which is `o` as well.
        unicode_security::skeleton(&fold(&seen)).collect()
    }
}

/// NFKC and lower case, of each other.
fn normal(text: &str) -> String {
    let composed: String = text.nfkc().collect();
    composed.to_lowercase().nfkc().collect()
}

/// Case folding: what is the same in capitals is the same, as `ß` and `ss` or both small sigmas.
fn fold(text: &str) -> String {
    let capitals = text.chars().flat_map(char::to_uppercase);
    capitals.flat_map(char::to_lowercase).collect()
}

/// What takes no place or changes how others stand: controls, joiners, marks of direction.
fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

fn is_allowed(character: char) -> bool {
    match character {
        '.' | '_' | '-' | '@' | '+' | '\'' => true,
        _ if character.is_ascii() => character.is_ascii_alphanumeric(),
        _ => character.identifier_allowed(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn login(text: &str) -> Login {
        Login::chosen(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn a_login_typed_otherwise_is_the_same() {
        for typed in [
            " Admin ",
            "ADMIN",
            "ａｄｍｉｎ",
            "ⓐdmin",
            "\u{a0}admin\u{2003}",
        ] {
            assert_eq!(Login::new(typed), Login::new("admin"), "{typed}");
        }
        // Presentation forms, and a composed letter against one with a mark of its own.
        assert_eq!(Login::new("ﻣﺪﻳﺮ"), Login::new("مدير"));
        assert_eq!(Login::new("re\u{301}my"), Login::new("r\u{e9}my"));
        assert_eq!(login("مدير").as_str(), "مدير");
    }

    #[test]
    fn what_is_no_login_is_told_why() {
        let long = "x".repeat(129);
        let huge = "\u{fdfa}".repeat(400);
        for bad in [
            "",
            "   ",
            "a\u{0}b",
            "ad\u{200b}min",
            "a\u{202e}b",
            "a\u{ad}b",
            &long,
            &huge,
        ] {
            assert_eq!(Login::new(bad), None, "{bad}");
            assert_eq!(Login::chosen(bad), Err(LoginError::Malformed), "{bad}");
        }
        for bad in [
            "duty officer",
            "a/b",
            "a<b",
            "a\"b",
            "layla☺",
            "a,b",
            "a\\b",
            "a;b",
        ] {
            let refused = Login::chosen(bad).unwrap_err();
            assert!(
                matches!(refused, LoginError::Character { .. }),
                "{bad}: {refused}"
            );
        }
        // Cyrillic а, Greek ο, Cyrillic і among Latin letters; Arabic beside Latin.
        for bad in ["\u{430}dmin", "r\u{3bf}ot", "adm\u{456}n", "layla.مدير"] {
            assert_eq!(Login::chosen(bad), Err(LoginError::MixedScripts), "{bad}");
        }
    }

    #[test]
    fn people_may_be_called_what_they_are_called() {
        for good in [
            "admin",
            "layla.hassan",
            "o'brien",
            "e1001",
            "duty-officer_2",
            "ops@metro.example",
            "a+b",
            "أحمد",
            "ليلى.حسن",
            "مدير1",
            "андрей",
            "straße",
            "rémy",
            "田中",
            "김",
        ] {
            assert_eq!(login(good).as_str(), good);
        }
    }

    #[test]
    fn look_alikes_have_one_skeleton() {
        for (one, other) in [
            ("admin", "\u{430}dmin"),
            ("scope", "ѕсоре"),
            ("operator1", "operatorl"),
            ("root", "r00t"),
            ("modern", "modem"),
            ("straße", "strasse"),
            ("οδος", "οδοσ"),
            ("كريم", "کریم"),
        ] {
            let skeleton = |text| Login::new(text).unwrap().skeleton();
            assert_eq!(skeleton(one), skeleton(other), "{one} {other}");
        }
        let skeletons = [
            "admin",
            "administrator",
            "layla",
            "leila",
            "e1001",
            "e1002",
            "أحمد",
            "محمد",
        ];
        let skeletons: std::collections::HashSet<_> = skeletons
            .into_iter()
            .map(|text| login(text).skeleton())
            .collect();
        assert_eq!(skeletons.len(), 8, "{skeletons:?}");
    }

    proptest! {
        /// Whatever is typed: no panic, one form, and the form is its own.
        #[test]
        fn the_normal_form_is_stable(text in prop_oneof!["\\PC{0,40}", any::<String>(), "[\u{600}-\u{6ff}A-Za-z0-9ſßİıςΣ .@]{0,30}"]) {
            if let Some(login) = Login::new(&text) {
                prop_assert_eq!(Login::new(login.as_str()), Some(login.clone()));
                prop_assert_eq!(Login::new(&format!("\t{text}  ")), Some(login.clone()));
                prop_assert!(login.as_str().chars().count() <= Login::MAX_LENGTH);
                if Login::chosen(&text).is_ok() {
                    prop_assert!(!login.skeleton().is_empty());
                }
            }
        }

        #[test]
        fn the_case_of_plain_letters_never_matters(text in "[a-z0-9._@+-]{1,60}") {
            let capitals = text.to_uppercase();
            prop_assert_eq!(Login::chosen(&text), Login::chosen(&capitals));
            prop_assert_eq!(login(&text).skeleton(), login(&capitals).skeleton());
        }
    }
}
