//! Which passwords will do: as NIST SP 800-63B has it, length and not being among the first that are guessed, and no
//! rules about which characters.

use domain::account::{MAX_PASSWORD_CHARS, MIN_PASSWORD_CHARS};
use zxcvbn::{Score, zxcvbn};

/// Why a password will not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordProblem {
    TooShort,
    TooLong,
    /// Known lists and patterns find it in less than 10⁸ guesses.
    Guessable,
}

impl PasswordProblem {
    /// The word that a page has an explanation for.
    pub fn code(self) -> &'static str {
        match self {
            Self::TooShort => "password",
            Self::TooLong => "password_long",
            Self::Guessable => "password_guessable",
        }
    }

    /// What is wrong and what to do, for the command line.
    pub fn message(self) -> String {
        match self {
            Self::TooShort => format!("a password has at least {MIN_PASSWORD_CHARS} characters"),
            Self::TooLong => format!("a password has at most {MAX_PASSWORD_CHARS} characters"),
            Self::Guessable => {
                "this password is among the first that are guessed: common passwords, names, sequences \
                and repetition are; several unrelated words are not"
                    .to_owned()
            }
        }
    }
}

/// What is wrong with a new password, if anything. `about` is what a guesser knows of the person: address and name.
pub fn problem(password: &str, about: &[&str]) -> Option<PasswordProblem> {
    let chars = password.chars().count();
    if chars < MIN_PASSWORD_CHARS {
        return Some(PasswordProblem::TooShort);
    }
    if chars > MAX_PASSWORD_CHARS {
        return Some(PasswordProblem::TooLong);
    }
    // `mara.lind@acme.dev` is also `mara`, `lind`, `maralind`.
    let mut joined = Vec::new();
    let mut known: Vec<&str> = vec!["plumbline"];
    for text in about {
        known.push(text);
        for part in text.split('@') {
            let words = part.split(['.', '-', '_', '+', ' ']);
            joined.push(words.clone().collect::<String>());
            known.extend(words.filter(|word| word.len() > 2));
        }
    }
    known.extend(joined.iter().map(String::as_str));
    // Who guesses a word guesses it twice as well.
    let mut words: Vec<&str> = Vec::new();
    for word in password.split_whitespace() {
        if !words.contains(&word) {
            words.push(word);
        }
    }
    let is_guessable = words.is_empty() || zxcvbn(&words.join(" "), &known).score() < Score::Three;
    is_guessable.then_some(PasswordProblem::Guessable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_guessed_first_is_refused() {
        let check = |password: &str, expected: Option<PasswordProblem>| {
            let about = ["mara.lind@acme.dev", "Mara Lind"];
            assert_eq!(problem(password, &about), expected, "{password:?}");
        };
        check("", Some(PasswordProblem::TooShort));
        check("kT9-vQ2pz", Some(PasswordProblem::TooShort));
        check(&"ab ".repeat(167), Some(PasswordProblem::TooLong));
        for guessable in [
            "          ",
            "\u{a0}\u{a0}\u{a0}\u{a0}\u{a0}\u{a0}\u{a0}\u{a0}\u{a0}\u{a0}\u{a0}\u{a0}",
            "1234567890",
            "0987654321",
            "abcdefghijkl",
            "aaaaaaaaaaaa",
            "abcabcabcabc",
            "qwertyuiop123",
            "password123!",
            "Passw0rd2026",
            "iloveyou1234",
            "mara.lind@acme.dev",
            "maralind2026",
            "plumbline123",
            "2026-11-29 2026-11-29",
        ] {
            check(guessable, Some(PasswordProblem::Guessable));
        }
        for good in [
            "correct horse battery",
            "kT9-vQ2pzX",
            "žluťoučký kůň úpěl",
            "4 blue kettles sing",
        ] {
            check(good, None);
        }
    }

    #[test]
    fn length_is_counted_in_characters() {
        assert_eq!(problem("éééé56789", &[]), Some(PasswordProblem::TooShort));
    }
}
