//! All price rows of a project, so arranged that looking one up costs next to nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use domain::Timestamp;
use regex_lite::{Regex, RegexBuilder};

use super::model_name::{is_bedrock_id, is_edition, names};
use super::seller::{is_closed, is_maker, is_self_hosted, provider};
use super::{ModelMatch, PriceRow, TokenRates};

/// Longest regular expression of a row.
const MAX_REGEX_BYTES: usize = 500;
/// Longest name that is looked up. No model has one like it, and an expression takes its time over it.
const MAX_NAME_BYTES: usize = 1_000;
/// What an expression may grow to when it is compiled. Each of its states may be tried at each byte of a name: `.{0,500}`
/// is too large, a list of fifty models is not.
const MAX_COMPILED_BYTES: usize = 16 * 1024;
/// Expressions of a table that are tried; further ones never match.
pub const MAX_REGEX_ROWS: usize = 20;
/// Longest name that expressions are tried with.
const MAX_REGEX_NAME_BYTES: usize = 128;
/// How many names expressions are tried with. Models are few; where names hold ids, later ones match no expression.
const MAX_REGEX_NAMES: usize = 1_000;

/// The provider of a project's own rows that hold for a model at any provider.
pub const CUSTOM: &str = "custom";

/// The shipped rows and a project's own.
#[derive(Debug, Default)]
pub struct PriceTable {
    /// The shipped rows, when these are a project's own: all projects share them.
    shipped: Option<Arc<PriceTable>>,
    rows: Vec<PriceRow>,
    /// The provider's one word, for each row.
    providers: Vec<String>,
    exact: HashMap<String, Vec<usize>>,
    /// Sorted.
    prefixes: Vec<Prefix>,
    regexes: Vec<(Regex, usize)>,
    /// The rows whose expressions match a name, for names that were looked up.
    matched: Mutex<HashMap<String, Vec<usize>>>,
}

#[derive(Debug)]
struct Prefix {
    text: String,
    rows: Vec<usize>,
    /// The longest other prefix that this one begins with.
    parent: Option<usize>,
}

/// Where one matching row stands against another; the larger wins.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    provider: ProviderRank,
    is_own: bool,
    model: ModelRank,
    valid_from: Timestamp,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum ProviderRank {
    Other,
    Maker,
    Same,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum ModelRank {
    Regex,
    Prefix(usize),
    /// How many names are less exact.
    Exact(usize),
}

impl PriceTable {
    /// A table of these rows. A row that has a [problem](PriceRow::problem) never matches.
    pub fn new(rows: Vec<PriceRow>) -> Self {
        let mut table = Self::default();
        let mut prefixes: HashMap<String, Vec<usize>> = HashMap::new();
        for row in rows {
            if problem(&row).is_some() {
                continue;
            }
            let at = table.rows.len();
            let model = row.model.trim().to_ascii_lowercase();
            match row.model_match {
                ModelMatch::Exact => table.exact.entry(model).or_default().push(at),
                ModelMatch::Prefix => prefixes.entry(model).or_default().push(at),
                ModelMatch::Regex if table.regexes.len() == MAX_REGEX_ROWS => continue,
                ModelMatch::Regex => match compiled(&row.model) {
                    Ok(regex) => table.regexes.push((regex, at)),
                    Err(_) => continue,
                },
            }
            table.providers.push(provider(&row.provider));
            table.rows.push(row);
        }
        table.prefixes = prefixes
            .into_iter()
            .map(|(text, rows)| Prefix {
                text,
                rows,
                parent: None,
            })
            .collect();
        table.prefixes.sort_unstable_by(|a, b| a.text.cmp(&b.text));
        for at in 1..table.prefixes.len() {
            let parent = table.prefix_chain(&table.prefixes[at].text, Some(at - 1)).next();
            table.prefixes[at].parent = parent;
        }
        table
    }

    /// A project's own rows over the shipped ones.
    pub fn over(shipped: &Arc<Self>, own: Vec<PriceRow>) -> Self {
        Self {
            shipped: Some(Arc::clone(shipped)),
            ..Self::new(own)
        }
    }

    /// How many rows can match.
    pub fn len(&self) -> usize {
        self.tables().map(|table| table.rows.len()).sum()
    }

    /// Whether no row can match.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The row with an id.
    pub fn by_id(&self, price_id: &str) -> Option<&PriceRow> {
        let mut rows = self.tables().flat_map(|table| &table.rows);
        rows.find(|row| row.price_id == price_id)
    }

    /// How many rows are its own, and not shared.
    pub fn own_len(&self) -> usize {
        self.rows.len()
    }

    fn tables(&self) -> impl Iterator<Item = &Self> {
        self.shipped.as_deref().into_iter().chain([self])
    }

    /// The price of a model at a time. Rows of the named provider win over others, a project's own over shipped ones,
    /// an exact name over the longest beginning over a regular expression, and of equals the newest that was valid by
    /// then. A project's own row for the provider [`CUSTOM`] is every provider's; one that names another provider is
    /// that one's alone.
    ///
    /// Where nobody named a provider, the price list of the model's maker is what counts, and for a model that one
    /// provider alone sells that one's. Open models that several sell have no such price: `None`.
    ///
    /// Where the named provider has no row, the call may have gone to a machine of one's own. Only models that nobody
    /// but their makers can run, on whichever cloud, have their maker's price then; open models have none.
    pub fn find(&self, provider_name: Option<&str>, model: &str, at: Timestamp) -> Option<&PriceRow> {
        if model.len() > MAX_NAME_BYTES {
            return None;
        }
        let wanted = provider_name.map(provider).filter(|name| !name.is_empty());
        // Bedrock's regions have prices of their own, whoever is named as the maker.
        let wanted = match wanted {
            Some(named) if !is_maker(&named) => Some(named),
            _ if is_bedrock_id(model) => Some("aws".to_owned()),
            other => other,
        };
        let names = names(model);
        let mut best = Best {
            wanted,
            at,
            found: None,
            is_ambiguous: false,
        };
        for table in self.tables() {
            for (place, name) in names.iter().enumerate() {
                for row in table.exact.get(name.as_str()).into_iter().flatten() {
                    best.offer(table, *row, ModelRank::Exact(names.len() - place));
                }
                let nearest = table
                    .prefixes
                    .partition_point(|prefix| prefix.text.as_str() <= name.as_str());
                for prefix in table.prefix_chain(name, nearest.checked_sub(1)) {
                    let prefix = &table.prefixes[prefix];
                    let is_understood = is_edition(&prefix.text, &name[prefix.text.len()..]);
                    for row in &prefix.rows {
                        // What a project enters holds for all names that begin so; that is what it is for.
                        if !is_understood && !table.rows[*row].project_own {
                            continue;
                        }
                        best.offer(table, *row, ModelRank::Prefix(prefix.text.len()));
                    }
                }
            }
        }
        let is_found = best.found.is_some();
        for table in self.tables() {
            for row in table.matched_by_regex(&names) {
                if !is_found || table.rows[row].project_own {
                    best.offer(table, row, ModelRank::Regex);
                }
            }
        }
        best.row()
    }

    /// The rows whose expressions match one of a model's names.
    fn matched_by_regex(&self, names: &[String]) -> Vec<usize> {
        let Some(whole) = names.first().filter(|name| name.len() <= MAX_REGEX_NAME_BYTES) else {
            return Vec::new();
        };
        if self.regexes.is_empty() {
            return Vec::new();
        }
        let mut matched = self.matched.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = matched.get(whole) {
            return known.clone();
        }
        if matched.len() == MAX_REGEX_NAMES {
            return Vec::new();
        }
        let matching = |(regex, _): &&(Regex, usize)| names.iter().any(|name| regex.is_match(name));
        let rows: Vec<usize> = self
            .regexes
            .iter()
            .filter(matching)
            .map(|(_, row)| *row)
            .collect();
        matched.insert(whole.clone(), rows.clone());
        rows
    }

    /// The prefixes that `name` begins with, longest first, from the nearest one at or before it.
    fn prefix_chain(&self, name: &str, nearest: Option<usize>) -> impl Iterator<Item = usize> {
        let begins = |at: &usize| name.starts_with(&self.prefixes[*at].text);
        let up = |at: &usize| self.prefixes[*at].parent;
        std::iter::successors(nearest, up).filter(begins)
    }
}

struct Best<'t> {
    wanted: Option<String>,
    at: Timestamp,
    /// With the table it is in.
    found: Option<(Rank, &'t PriceTable, usize)>,
    /// The best rows belong to several sellers, and the call names none.
    is_ambiguous: bool,
}

impl<'t> Best<'t> {
    fn offer(&mut self, table: &'t PriceTable, at: usize, model: ModelRank) {
        let row = &table.rows[at];
        if row.valid_from > self.at {
            return;
        }
        let seller = table.providers[at].as_str();
        let is_everyones = row.project_own && seller == CUSTOM;
        let provider = match self.wanted.as_deref() {
            _ if is_everyones => ProviderRank::Same,
            Some(wanted) if wanted == seller => ProviderRank::Same,
            None if is_maker(seller) => ProviderRank::Maker,
            None => ProviderRank::Other,
            Some(wanted) if !row.project_own && !is_self_hosted(wanted) && is_closed(seller, &row.model) => {
                ProviderRank::Maker
            }
            Some(_) => return,
        };
        let rank = Rank {
            provider,
            is_own: row.project_own,
            model,
            valid_from: row.valid_from,
        };
        let Some((best, best_table, best_at)) = self.found else {
            self.found = Some((rank, table, at));
            return;
        };
        let are_strangers = |rank: Rank| !rank.is_own && rank.provider == ProviderRank::Other;
        if are_strangers(rank) && are_strangers(best) {
            self.is_ambiguous |= best_table.providers[best_at] != seller;
        } else if rank > best {
            self.is_ambiguous = false;
        }
        if rank > best {
            self.found = Some((rank, table, at));
        }
    }

    fn row(self) -> Option<&'t PriceRow> {
        let (_, table, at) = self.found.filter(|_| !self.is_ambiguous)?;
        table.rows.get(at)
    }
}

/// The expression for whole names, in any case.
fn compiled(pattern: &str) -> Result<Regex, regex_lite::Error> {
    RegexBuilder::new(&format!("^(?:{pattern})$"))
        .case_insensitive(true)
        .size_limit(MAX_COMPILED_BYTES)
        .build()
}

/// The highest rate of a million tokens, of a thousand searches, of a request: $100,000. Sums over millions of steps have
/// to fit, and whoever types more means something else.
const MAX_RATE: i64 = 100_000_000_000_000;

/// Why a row can't be used.
pub(super) fn problem(row: &PriceRow) -> Option<String> {
    if row.model.trim().is_empty() {
        return Some("The model is blank".to_owned());
    }
    if row.model_match == ModelMatch::Regex {
        if row.model.len() > MAX_REGEX_BYTES {
            return Some(format!(
                "The regular expression is longer than {MAX_REGEX_BYTES} bytes"
            ));
        }
        // Alone first: what closes our group and opens another would compile in between.
        if let Err(cause) = Regex::new(&row.model).and_then(|_| compiled(&row.model)) {
            return Some(format!(
                "The regular expression does not compile, or is too large: {cause}"
            ));
        }
    }
    let rates = &row.rates;
    if rates.tokens.input.is_none() {
        return Some("The price has no rate for input".to_owned());
    }
    let every_rate = |tokens: TokenRates| tokens.named().map(|(_, rate)| rate).collect::<Vec<_>>();
    let tiers = rates.service_tiers.values().flat_map(|tier| &tier.tiers);
    let token_rates = [rates.tokens]
        .into_iter()
        .chain(rates.service_tiers.values().map(|tier| tier.tokens))
        .chain(rates.tiers.iter().chain(tiers).map(|tier| tier.tokens))
        .chain(rates.hours.iter().map(|hour| hour.tokens))
        .flat_map(every_rate);
    let factors = rates.service_tiers.values().filter_map(|tier| tier.permille);
    let mut of_money: Vec<i64> = token_rates
        .chain([rates.web_search_per_1k, rates.per_request])
        .flatten()
        .chain(rates.per_request_by_context.values().copied())
        .chain(rates.tools_per_1k.values().copied())
        .collect();
    if of_money.iter().any(|rate| *rate > MAX_RATE) {
        return Some("A rate is above $100,000".to_owned());
    }
    of_money.extend(factors.chain(rates.geographies.values().copied()));
    let is_negative = of_money.into_iter().any(|rate| rate < 0);
    is_negative.then(|| "A rate is below zero".to_owned())
}
