//! An error with its causes on one line, for people who read a terminal or a log.
//!
//! Many errors quote their cause in their own sentence and name it as their source as well; nothing
//! is said twice here.

use std::error::Error;

/// The error and its causes, outermost first, with colons between them.
pub fn in_one_line(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !line.contains(said.trim()) {
            line.push_str(": ");
            line.push_str(&said);
        }
        next = cause.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Failure {
        #[error("cannot read the settings: {source}; check the path")]
        Quoting { source: io::Error },
        #[error("cannot start")]
        Silent { source: Box<Self> },
    }

    #[test]
    fn a_cause_that_is_quoted_already_is_not_repeated() {
        let quoting = Failure::Quoting {
            source: io::Error::other("no such file"),
        };
        let sentence = "cannot read the settings: no such file; check the path";
        assert_eq!(in_one_line(&quoting), sentence);
        let silent = Failure::Silent {
            source: Box::new(quoting),
        };
        assert_eq!(in_one_line(&silent), format!("cannot start: {sentence}"));
    }
}
