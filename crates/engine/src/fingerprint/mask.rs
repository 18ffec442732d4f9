//! Masking what varies between calls of one template.

/// What becomes of quoted text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quotes {
    /// A single word stays: in a system text it is an option or a key.
    KeepWords,
    /// All of it is user text, but for the keys of JSON.
    MaskAll,
}

/// What stands for a number, a date, an id.
const VALUE: &str = "⟨…⟩";
/// A quotation ends within its paragraph and within so many bytes, or it is none.
const MAX_QUOTE: usize = 4_000;
/// An apostrophe is common, so that what it may open is shorter.
const MAX_SINGLE_QUOTE: usize = 200;

/// Appends `text` with what varies masked and each run of space as one.
pub(super) fn mask(text: &str, quotes: Quotes, out: &mut String) {
    let text = text.trim();
    out.reserve(text.len());
    let mut masker = Masker {
        begin: out.len(),
        text,
        at: 0,
        kept_from: 0,
        quotes,
        out,
        value_end: None,
        barren: [0; 4],
    };
    masker.nonce_in_front();
    while masker.at < text.len() {
        masker.next();
    }
    masker.keep();
}

struct Masker<'a, 'o> {
    text: &'a str,
    at: usize,
    /// From here to `at` the text stays as it is and has not been appended yet.
    kept_from: usize,
    quotes: Quotes,
    out: &'o mut String,
    /// Where in `out` this text begins.
    begin: usize,
    /// Where in `out` the last value ends.
    value_end: Option<usize>,
    /// For each kind of quote, up to where it is known that none closes: nothing is searched twice.
    barren: [usize; 4],
}

impl<'a> Masker<'a, '_> {
    /// A text that begins with some hexadecimal digits begins with a nonce, also where none of them happens to be 0 to 9.
    fn nonce_in_front(&mut self) {
        let skipped = self.text.len() - self.text.trim_start_matches(['[', '(', '<', '{', '#']).len();
        let word = self.text[skipped..]
            .bytes()
            .take_while(u8::is_ascii_alphanumeric)
            .count();
        if is_nonce(&self.text[skipped..skipped + word]) {
            self.at = skipped;
            self.keep();
            self.push_value();
            self.skip(word);
        }
    }

    fn next(&mut self) {
        self.plain_words();
        let rest = &self.text[self.at..];
        let bytes = rest.as_bytes();
        let letters = bytes.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        if letters > 0
            && matches!(
                bytes.get(letters),
                None | Some(b' ' | b'\n' | b',' | b')' | b';' | b'!' | b'"')
            )
        {
            return self.word(&rest[..letters]);
        }
        if bytes.first() == Some(&b' ') && bytes.get(1).is_some_and(u8::is_ascii_alphanumeric) {
            self.at += 1;
            return;
        }
        let Some(first) = rest.chars().next() else { return };
        match first {
            c if c.is_whitespace() => self.space(rest),
            '"' => self.quote(rest, 0, '"', MAX_QUOTE),
            '“' => self.quote(rest, 1, '”', MAX_QUOTE),
            '«' => self.quote(rest, 2, '»', MAX_QUOTE),
            '\'' if !self.follows_word() => self.quote(rest, 3, '\'', MAX_SINGLE_QUOTE),
            c if c.is_alphanumeric() || c == '_' => self.run(rest),
            '+' | '-' if rest[1..].starts_with(|c: char| c.is_ascii_digit()) && !self.follows_word() => {
                self.run(rest);
            }
            c => self.at += c.len_utf8(),
        }
    }

    /// Most of a text is words in lower case with one space behind them: they stay, and are passed quickly.
    fn plain_words(&mut self) {
        let bytes = self.text.as_bytes();
        let mut at = self.at;
        loop {
            let word = bytes[at..]
                .iter()
                .take_while(|byte| byte.is_ascii_lowercase())
                .count();
            let is_plain = (1..16).contains(&word)
                && !(word == 2 && bytes[at + 1] == b'm')
                && !(bytes[at] <= b'f' && is_nonce(&self.text[at..at + word]));
            match bytes.get(at + word..at + word + 2) {
                Some([b' ', next]) if is_plain && next.is_ascii_alphanumeric() => at += word + 1,
                _ => break,
            }
        }
        self.at = at;
    }

    /// Appends what stays.
    fn keep(&mut self) {
        self.out.push_str(&self.text[self.kept_from..self.at]);
        self.kept_from = self.at;
    }

    /// Appends what stays, and then something in place of the next `length` bytes.
    fn replace(&mut self, length: usize, by: &str) {
        self.keep();
        self.out.push_str(by);
        self.skip(length);
    }

    fn skip(&mut self, length: usize) {
        self.at += length;
        self.kept_from = self.at;
    }

    fn follows_word(&self) -> bool {
        self.text[..self.at].ends_with(|c: char| c.is_alphanumeric() || c == '_')
    }

    /// Whether nothing but space and commas came since a value.
    fn follows_value(&self) -> bool {
        let between = |text: &str| text.bytes().all(|byte| matches!(byte, b' ' | b','));
        self.value_end.is_some_and(|end| {
            self.at - self.kept_from <= 3
                && self.out.len() - end <= 3
                && between(&self.text[self.kept_from..self.at])
                && between(&self.out[end..])
        })
    }

    fn space(&mut self, rest: &str) {
        let end = rest.find(|c: char| !c.is_whitespace()).unwrap_or(rest.len());
        let breaks = rest.as_bytes()[..end]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        self.replace(
            end,
            match breaks {
                0 => " ",
                1 => "\n",
                _ => "\n\n",
            },
        );
    }

    fn quote(&mut self, rest: &str, kind: usize, close: char, longest: usize) {
        let open = rest.chars().next().map_or(0, char::len_utf8);
        self.at += open;
        if self.at < self.barren[kind] {
            return;
        }
        let body = &rest[open..];
        let end = match closing(body, close, longest) {
            Ok(end) => end,
            Err(searched) => {
                self.barren[kind] = self.at + searched;
                return;
            }
        };
        let quoted = &body[..end];
        let after = &body[end + close.len_utf8()..];
        let is_key = self.quotes == Quotes::KeepWords || after.starts_with(':');
        if quoted.trim().is_empty() || (is_key && is_word(quoted)) {
            self.at += end;
        } else {
            self.replace(end, "⟨text⟩");
        }
        self.at += close.len_utf8();
    }

    /// A run without space, brackets or quotes: words, a number, an address.
    fn run(&mut self, rest: &'a str) {
        let is_inner = |c: char| c.is_alphanumeric() || "_-./:+@%#=&?~\\,".contains(c);
        // A comma belongs to a number and to nothing else.
        let bytes = rest.as_bytes();
        let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
        let splits = |comma: usize| !(comma > 0 && is_digit(comma - 1) && is_digit(comma + 1));
        let end = rest
            .char_indices()
            .find(|(at, c)| !is_inner(*c) || (*c == ',' && splits(*at)))
            .map_or(rest.len(), |(at, _)| at);
        let run = rest[..end].trim_end_matches(|c: char| ".:?,=&-".contains(c));
        let run = if run.is_empty() { &rest[..end] } else { run };
        if run.contains("://") || run.starts_with("www.") {
            self.replace(run.len(), "⟨url⟩");
        } else if is_email(run) {
            self.replace(run.len(), "⟨e-mail⟩");
        } else if has_digit(run) || has_nonce(run) {
            self.keep();
            self.parts(run);
            self.skip(run.len());
        } else {
            self.word(run);
        }
    }

    /// Appends a run with a digit, part by part: `order_id=17/eu` varies in its number only.
    fn parts(&mut self, run: &str) {
        let mut rest = run;
        let mut is_value = false;
        while let Some(cut) = rest.find(['/', '=', '&', '?', '#', '\\', '~']) {
            self.part_or_nonce(&rest[..cut], is_value);
            self.out.push_str(&rest[cut..cut + 1]);
            is_value = matches!(rest.as_bytes()[cut], b'=' | b'#');
            rest = &rest[cut + 1..];
        }
        if is_value && is_nonce(rest) {
            return self.push_value();
        }
        // A label before a colon stays; a time such as 10:30 is one value.
        if let Some((label, value)) = rest.split_once(':')
            && !has_digit(label)
        {
            self.out.push_str(label);
            self.out.push(':');
            rest = value;
        }
        self.part(rest);
    }

    fn part_or_nonce(&mut self, part: &str, is_value: bool) {
        if is_value && is_nonce(part) {
            self.push_value();
        } else {
            self.part(part);
        }
    }

    fn part(&mut self, part: &str) {
        if !has_digit(part) {
            self.out.push_str(part);
            return;
        }
        // GPT-4-based has one number in it; an id of several parts, or a date, varies as a whole.
        if part
            .split('-')
            .filter(|part_of_word| has_digit(part_of_word))
            .count()
            != 1
        {
            return self.push_value();
        }
        for (place, part_of_word) in part.split('-').enumerate() {
            if place > 0 {
                self.out.push('-');
            }
            if has_digit(part_of_word) {
                self.push_value();
            } else {
                self.out.push_str(part_of_word);
            }
        }
    }

    /// Several values in a row are one: lists of them have any length.
    fn push_value(&mut self) {
        let kept = self.out[self.begin..].trim_end_matches([' ', ',', ';', '-', '/', '+']);
        if kept.ends_with(VALUE) {
            let end = self.begin + kept.len();
            self.out.truncate(end);
        } else {
            self.out.push_str(VALUE);
        }
        self.value_end = Some(self.out.len());
    }

    fn word(&mut self, word: &str) {
        let varies = match word.as_bytes() {
            [b'A'..=b'Z', ..] if is_month(word) => self.follows_value() || self.precedes_number(word),
            [b'A'..=b'Z', ..] if is_weekday(word) => self.is_dated(word),
            bytes if bytes.len() >= 16 => bytes.iter().all(u8::is_ascii_hexdigit),
            _ => is_nonce(word) && self.follows_label(),
        };
        if varies {
            self.keep();
            self.push_value();
            self.skip(word.len());
        } else if word.len() <= 3 && self.follows_value() && is_half_or_zone(word) {
            self.keep();
            self.out.truncate(self.value_end.unwrap_or(self.out.len()));
            self.skip(word.len());
        } else {
            self.at += word.len();
        }
    }

    /// Whether what stands before says that an id follows: `nonce: `, `session `.
    fn follows_label(&self) -> bool {
        const LABELS: &[&str] = &[
            "nonce", "id", "hash", "sha", "commit", "build", "session", "request", "trace", "salt", "seed",
            "cch", "uuid",
        ];
        let before = &self.text[..self.at];
        let label = before.trim_end_matches([' ', ':', '=', '#', '(', '[']);
        let start = label
            .rfind(|c: char| !c.is_ascii_alphabetic())
            .map_or(0, |at| at + 1);
        let label = &label[start..];
        label.len() < before.len() && LABELS.iter().any(|known| known.eq_ignore_ascii_case(label))
    }

    fn precedes_number(&self, word: &str) -> bool {
        self.behind(word).starts_with(|c: char| c.is_ascii_digit())
    }

    fn is_dated(&self, word: &str) -> bool {
        let next = self
            .behind(word)
            .split(|c: char| !c.is_alphabetic())
            .next()
            .unwrap_or("");
        let is_said = self.text[..self.at].ends_with("oday is ");
        self.follows_value() || self.precedes_number(word) || is_month(next) || is_said
    }

    fn behind(&self, word: &str) -> &'a str {
        self.text[self.at + word.len()..].trim_start_matches([' ', ',', '.'])
    }
}

/// Five hexadecimal digits or more, none of them 0 to 9. Whether they are a word ("faced") only their place says.
fn is_nonce(text: &str) -> bool {
    (5..64).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b'a'..=b'f'))
}

fn has_nonce(run: &str) -> bool {
    let mut values = run.split(['=', '#']);
    values.next();
    values.any(|value| is_nonce(value.split(['&', '/', '?', '~', '\\']).next().unwrap_or_default()))
}

fn has_digit(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_digit())
}

/// Where a quotation closes: within its paragraph, and an apostrophe only at the end of a word and within its line.
/// Otherwise how far it was searched for.
fn closing(body: &str, close: char, longest: usize) -> Result<usize, usize> {
    let mut line_broke = false;
    for (at, c) in body.char_indices() {
        if at > longest {
            return Err(at);
        }
        if c == close {
            let after = body[at + c.len_utf8()..].chars().next();
            if close != '\'' || !after.is_some_and(char::is_alphanumeric) {
                return Ok(at);
            }
        }
        match c {
            '\n' if line_broke || close == '\'' => return Err(at),
            '\n' => line_broke = true,
            c if !c.is_whitespace() => line_broke = false,
            _ => {}
        }
    }
    Err(body.len())
}

fn is_word(text: &str) -> bool {
    text.len() <= 32
        && text
            .chars()
            .all(|c| c.is_alphabetic() || c == '_' || c == '-' || c == '.')
}

fn is_email(run: &str) -> bool {
    run.split_once('@')
        .is_some_and(|(name, host)| !name.is_empty() && host.contains('.') && !host.contains('@'))
}

fn is_half_or_zone(word: &str) -> bool {
    matches!(word, "am" | "pm" | "AM" | "PM" | "a.m" | "p.m" | "UTC" | "GMT")
}

fn is_month(word: &str) -> bool {
    const MONTHS: &[&str] = &[
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
        "Jan",
        "Feb",
        "Mar",
        "Apr",
        "Jun",
        "Jul",
        "Aug",
        "Sep",
        "Sept",
        "Oct",
        "Nov",
        "Dec",
    ];
    word.starts_with(|c: char| c.is_ascii_uppercase()) && MONTHS.contains(&word)
}

fn is_weekday(word: &str) -> bool {
    const DAYS: &[&str] = &[
        "Monday",
        "Tuesday",
        "Wednesday",
        "Thursday",
        "Friday",
        "Saturday",
        "Sunday",
        "Mon",
        "Tue",
        "Wed",
        "Thu",
        "Fri",
        "Sat",
        "Sun",
    ];
    word.starts_with(|c: char| c.is_ascii_uppercase()) && DAYS.contains(&word)
}
